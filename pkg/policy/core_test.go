package policy_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

// planned are the requests that a core makes of its planner's plans, and of their undos.
func planned() map[string]protocol.Request {
	target := map[string]string{
		"provider": "aws", "providerRef": "edge-aws", "nicRef": "eni-0abc", "region": "ap-northeast-1",
	}
	of := func(verb, key string, target ...map[string]string) protocol.Request {
		r := protocol.Request{
			Action: verb, Provider: "aws", ProviderRef: "edge-aws", Mode: protocol.Execute,
			IdempotencyKey: "mobility:pool:aws:eni-0abc:" + key, Target: map[string]string{},
		}
		for _, t := range target {
			maps.Copy(r.Target, t)
		}
		return r
	}
	address := map[string]string{"address": "10.88.60.9/32"}
	route := map[string]string{"address": "10.88.60.9/32", "routeTableRef": "rtb-0abc"}
	strategy := map[string]string{"captureStrategy": "route-table"}
	seize := of("assign-secondary-ip", "seize", target, address)
	seize.Parameters = map[string]string{"allowReassignment": "true", "mobilityPool": "pool"}
	return map[string]protocol.Request{
		"capture":                   of("assign-secondary-ip", "assign", target, address),
		"seizure":                   seize,
		"release":                   of("unassign-secondary-ip", "unassign", target, address),
		"forwarding for an address": of("ensure-forwarding-enabled", "forward", target, address),
		"no forwarding for it":      of("ensure-forwarding-disabled", "unforward", target, address),
		"route":                     of("assign-route-table-route", "route", target, route),
		"no route any more":         of("unassign-route-table-route", "unroute", target, route),
		"route by strategy":         of("assign-secondary-ip", "assign", target, route, strategy),
		"no route by strategy":      of("unassign-secondary-ip", "unassign", target, route, strategy),
		"undo of a capture":         of("unassign-secondary-ip", "assign:undo", target, address),
		"undo of forwarding":        of("ensure-forwarding-disabled", "forward:undo", target),
		"undo of a route":           of("unassign-route-table-route", "route:undo", target, route),
		"undo of a route by strategy": of(
			"unassign-secondary-ip",
			"assign:undo",
			target,
			route,
			strategy,
		),
		"undo of a release": of("assign-secondary-ip", "unassign:undo", target, address),
	}
}

func loadCore(t *testing.T) *policy.Policy {
	t.Helper()
	p, err := policy.Load("testdata/core.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestACoresPolicyLetsItsPlannersActionsPass: the policy of its reference, as it is.
func TestACoresPolicyLetsItsPlannersActionsPass(t *testing.T) {
	p, now := loadCore(t), time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for name, r := range planned() {
		t.Run(name, func(t *testing.T) {
			if d := p.Subject(policy.RequestSubject(actions.Registry(), r)); len(d) > 0 {
				t.Errorf("dry-run: %v", d)
			}
			for _, done := range []int{0, 3} {
				if d := p.Execution(now, done); len(d) > 0 {
					t.Errorf("execution after %d: %v", done, d)
				}
			}
		})
	}
	if d := p.Execution(now, 4); fields(d) != "maxActionsPerRun" {
		t.Errorf("a fifth: %v", d)
	}
	if p.Approvals() != 1 {
		t.Errorf("%d approvals", p.Approvals())
	}
}

// TestACoresPolicyStillRefuses what it refuses in a core, each for the field that says so.
func TestACoresPolicyStillRefuses(t *testing.T) {
	p := loadCore(t)
	for name, want := range map[string]string{
		"capture": "allowedCIDRs", "release": "allowedCIDRs", "forwarding for an address": "allowedCIDRs",
		"route": "allowedCIDRs", "route by strategy": "allowedCIDRs", "undo of a capture": "allowedCIDRs",
	} {
		for _, address := range []string{"10.88.61.9/32", "10.88.60.0/23", "10.88.6.9",
			"::ffff:10.88.60.9"} {
			r := planned()[name]
			r.Target["address"] = address
			if d := p.Subject(policy.RequestSubject(actions.Registry(), r)); fields(d) != want {
				t.Errorf("%s of %s: denied by %q, want %q", name, address, fields(d), want)
			}
		}
	}
	for _, name := range []string{
		"capture", "release", "route", "undo of a capture", "forwarding for an address",
		"no forwarding for it",
	} {
		r := planned()[name]
		delete(r.Target, "address")
		if d := p.Subject(policy.RequestSubject(actions.Registry(), r)); fields(d) != "allowedCIDRs" {
			t.Errorf("%s without an address: denied by %q", name, fields(d))
		}
	}
	r := planned()["capture"]
	r.Provider = "gcp"
	if d := p.Subject(policy.RequestSubject(actions.Registry(), r)); fields(d) != "allowedProviders" {
		t.Errorf("another provider: %v", d)
	}
	r = protocol.Request{Action: "fence-security-groups", Provider: "aws", IdempotencyKey: "k"}
	if d := p.Subject(policy.RequestSubject(actions.Registry(), r)); fields(d) != "allowedActions" {
		t.Errorf("another action: %v", d)
	}
}

// TestACoreKnowsAnActionByTheNameOfItsRequest, whatever verb the target chooses. What it allows can
// be undone, by either name.
func TestACoreKnowsAnActionByTheNameOfItsRequest(t *testing.T) {
	named := func(verb, key string) protocol.Request {
		r := planned()["route by strategy"]
		r.Action, r.IdempotencyKey = verb, key
		return r
	}
	const spec = "{enabled: true, allowedProviders: [aws], allowUndo: true, allowedActions: [%s]}\n"
	for _, tt := range []struct{ allowed, verb, key, want string }{
		{"assign-secondary-ip", "assign-secondary-ip", "k", ""},
		{"assign-secondary-ip", "unassign-secondary-ip", "k:undo", ""},
		{"assign-secondary-ip", "unassign-route-table-route", "k:undo", ""},
		{"assign-secondary-ip", "assign-route-table-route", "k", "allowedActions"},
		{"assign-route-table-route", "assign-secondary-ip", "k", "allowedActions"},
		{"assign-route-table-route", "unassign-secondary-ip", "k", "allowedActions"},
		{"unassign-route-table-route", "unassign-secondary-ip", "k", "allowedActions"},
		{"assign-route-table-route", "unassign-secondary-ip", "k:undo", ""},
		{"ensure-forwarding-enabled", "unassign-secondary-ip", "k:undo", "allowedActions"},
	} {
		p, err := policy.Parse(
			[]byte("apiVersion: hybrid.routerd.net/v1alpha1\nkind: ProviderActionPolicy\n" +
				"metadata: {name: c}\nspec: " + fmt.Sprintf(spec, tt.allowed)),
		)
		if err != nil {
			t.Fatal(err)
		}
		d := p.Subject(policy.RequestSubject(actions.Registry(), named(tt.verb, tt.key)))
		if fields(d) != tt.want {
			t.Errorf(
				"[%s] and %s under %s: denied by %q, want %q",
				tt.allowed,
				tt.verb,
				tt.key,
				fields(d),
				tt.want,
			)
		}
	}
}

// TestFieldsOfACoreAbsentPresentAndEmpty: what a core's field means in each case. "refused" is the
// document that is, else the fields that deny.
func TestFieldsOfACoreAbsentPresentAndEmpty(t *testing.T) {
	core := []string{
		"enabled: true", "dryRunOnly: false", "requireApproval: false", "allowedProviders: [aws]",
		"allowedProviderRefs: [edge-aws]", "allowedActions: [assign-secondary-ip]",
		"allowedCIDRs: [10.88.60.0/24]",
		"maxActionsPerRun: 4", "allowUndo: true", "executionWindow: Sat 00:00-24:00 UTC",
	}
	tests := []struct{ field, absent, others, otherwise, empty string }{
		{"enabled", "enabled", "enabled: false", "enabled", "enabled:"},
		{"dryRunOnly", "dryRunOnly", "dryRunOnly: true", "dryRunOnly", "dryRunOnly:"},
		{
			"requireApproval",
			"requireApproval",
			"requireApproval: true",
			"requireApproval",
			"requireApproval:",
		},
		{
			"allowedProviders",
			"allowedProviders",
			"allowedProviders: [gcp]",
			"allowedProviders",
			"allowedProviders: []",
		},
		{
			"allowedProviderRefs",
			"",
			"allowedProviderRefs: [other]",
			"allowedProviderRefs",
			"allowedProviderRefs: []",
		},
		{
			"allowedActions",
			"allowedActions",
			"allowedActions: [route]",
			"allowedActions",
			"allowedActions: []",
		},
		{"allowedCIDRs", "", "allowedCIDRs: [10.9.0.0/16]", "allowedCIDRs", "allowedCIDRs: []"},
		{
			"maxActionsPerRun",
			"maxActionsPerRun",
			"maxActionsPerRun: 0",
			"maxActionsPerRun",
			"maxActionsPerRun:",
		},
		{"allowUndo", "allowUndo", "allowUndo: false", "allowUndo", "allowUndo:"},
		{
			"executionWindow",
			"",
			"executionWindow: Sun 00:00-24:00 UTC",
			"executionWindow",
			"executionWindow: ''",
		},
	}
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	decide := func(field, instead string) string {
		doc := "apiVersion: hybrid.routerd.net/v1alpha1\nkind: ProviderActionPolicy\nmetadata: " +
			"{name: c}\nspec:\n"
		for _, line := range core {
			if name, _, _ := strings.Cut(line, ":"); name == field {
				line = instead
			}
			doc += "  " + line + "\n"
		}
		p, err := policy.Parse([]byte(doc))
		if err != nil {
			if !strings.Contains(err.Error(), "spec."+field+": ") || !policy.IsRefused(err) {
				t.Errorf("%q: %v", instead, err)
			}
			return "refused"
		}
		capture, undo := planned()["capture"], planned()["undo of a capture"]
		denials := []policy.Denial{
			p.Subject(policy.RequestSubject(actions.Registry(), capture)),
			p.Subject(policy.RequestSubject(actions.Registry(), undo)),
			p.Execution(now, 0), p.Approved(policy.History{Imported: now}, now),
		}
		if fields(denials[0]) == fields(denials[1]) {
			denials = denials[1:]
		}
		var by []string
		for _, d := range denials {
			if len(d) > 0 {
				by = append(by, fields(d))
			}
		}
		return strings.Join(by, " ")
	}
	if got := decide("", ""); got != "" {
		t.Fatalf("the whole denies by %q", got)
	}
	for _, tt := range tests {
		if got := decide(tt.field, ""); got != tt.absent {
			t.Errorf("without %s: denied by %q, want %q", tt.field, got, tt.absent)
		}
		if got := decide(tt.field, tt.others); got != tt.otherwise {
			t.Errorf("%s: denied by %q, want %q", tt.others, got, tt.otherwise)
		}
		if got := decide(tt.field, tt.empty); got != "refused" {
			t.Errorf("%q: %q, want it refused", tt.empty, got)
		}
	}
}

// fields are those that deny, in their order.
func fields(d policy.Denial) string {
	var all []string
	for _, r := range d {
		all = append(all, r.Field)
	}
	return strings.Join(all, " ")
}
