package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/evidence"
)

// evidencePlans are one of each kind: an address that is taken, a check, a route, a fence.
const evidencePlans = `actionPlans:
- {provider: aws, action: assign-secondary-ip, idempotencyKey: e/assign,
   parameters: {allowReassignment: "true"},
   target: {nicRef: eni-01088600000000011, address: 10.88.60.100/32, region: ap-northeast-1}}
- {provider: aws, action: ensure-forwarding-enabled, idempotencyKey: e/forward,
   target: {nicRef: eni-01088600000000011, region: ap-northeast-1}}
- {provider: aws, action: assign-route-table-route, idempotencyKey: e/route,
   parameters: {allowReassignment: "true"}, target: {routeTableRef: ROUTES,
   nicRef: eni-01088600000000012, address: DESTINATION, region: ap-northeast-1}}
- {provider: aws, action: fence-security-groups, idempotencyKey: e/fence,
   parameters: {securityGroups: FENCE, invertSgRemoval: "true"},
   target: {instanceRef: DATABASE, region: ap-northeast-1}}
`

// evidencePolicy allows them.
const evidencePolicy = `apiVersion: hybrid.routerd.net/v1alpha1
kind: ProviderActionPolicy
metadata: {name: evidence}
spec: {enabled: true, dryRunOnly: true, allowedProviders: [aws], allowedActions:
  [assign-secondary-ip, ensure-forwarding-enabled, assign-route-table-route, fence-security-groups]}
`

// evidenceOf takes evidence at a site, and reads it.
func evidenceOf(t *testing.T, s *site) evidence.Document {
	t.Helper()
	s.write("policy.yaml", evidencePolicy)
	s.write("plans.yaml", strings.NewReplacer("ROUTES", ec2sim.LabRouteTable, "DESTINATION",
		ec2sim.LabRoute, "FENCE", ec2sim.LabGroupFence, "DATABASE", ec2sim.LabDB).
		Replace(evidencePlans))
	path := s.path("evidence.json")
	s.run("preflight", "-f", s.path("plans.yaml"), "--evidence", path)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := evidence.Read(data)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestEvidenceInAnyOrder: runs that differ in the order of the provider's answers, and in time,
// have seen the same. One that sees another world has not.
func TestEvidenceInAnyOrder(t *testing.T) {
	s := newSite(t)
	first := evidenceOf(t, s)
	if n := len(first.Seen.Subjects); n != 4 || len(first.Seen.Checks) < 20 {
		t.Fatalf("%d requests, %d checks", n, len(first.Seen.Checks))
	}
	for _, x := range first.Seen.Subjects {
		if len(x.Outcome.Changes) == 0 || len(x.Outcome.UndoChanges) == 0 {
			t.Errorf("%s: %+v", x.Key, x.Outcome)
		}
	}
	if len(first.Seen.Network.Interfaces) < 4 || first.Seen.Identity["account"] == "" {
		t.Errorf("%+v %+v", first.Seen.Network, first.Seen.Identity)
	}
	for seed := range uint64(6) {
		s.sim.SetAnyOrder(seed)
		again := evidenceOf(t, s)
		if again.SeenDigest != first.SeenDigest {
			t.Fatalf("seed %d saw something else (-in order +in another):\n%s", seed,
				cmp.Diff(first.Seen, again.Seen))
		}
	}
	s.sim.Region(ec2sim.LabRegion).EditInterface(ec2sim.LabRouterAInterface,
		func(i *ec2sim.Interface) { i.SourceDestCheck = false })
	if d := evidenceOf(t, s); d.SeenDigest == first.SeenDigest {
		t.Error("another world is seen as the same")
	}
}
