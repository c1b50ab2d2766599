package policy

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// unattendedVerbs are two verbs: one that takes from subnets and pools, one that takes nothing.
func unattendedVerbs() *action.Registry {
	plan := func() action.Verb {
		return action.Verb{
			Target: []action.Field{{Name: "instanceRef", Form: action.InstanceID, Decides: true},
				{Name: "allocationRef", Form: action.AllocationID, Decides: true}},
			Parameters: []action.Field{
				{Name: "subnet.<zone>", Key: action.Zone, Form: action.SubnetID, Decides: true},
				{Name: "pool", Form: action.Text, Pool: true, Decides: true}},
			Plan: noPlan,
		}
	}
	takes, other := plan(), plan()
	takes.Name, other.Name = "take", "give"
	return action.NewRegistry([]action.Verb{takes, other})
}

const unattendedHead = `apiVersion: hybrid.routerd.net/v1alpha1
kind: ProviderActionPolicy
metadata: {name: lab}
spec:
  enabled: true
  dryRunOnly: false
  allowedProviders: [aws]
  allowedActions: ["*"]
`

const unattendedRest = `  unattended:
    accounts: ["111122223333"]
    groups: [edge-*]
    subnets: [subnet-0000000000000000a]
    pools: [amazon, eipalloc-00000000000000001]
`

func fieldsOf(d Denial) (fields []string) {
	for _, r := range d {
		fields = append(fields, r.Field)
	}
	return fields
}

// TestUnattended: approval is waived for what the policy names, and for nothing else.
func TestUnattended(t *testing.T) {
	mine := Event{"111122223333", "edge-1"}
	for _, c := range []struct {
		name   string
		more   string
		given  map[string]string
		target map[string]string
		event  Event
		want   []string
	}{
		{name: "it takes nothing", event: mine},
		{name: "what is named", event: mine, target: map[string]string{
			"allocationRef": "eipalloc-00000000000000001"}, given: map[string]string{
			"subnet.eu-west-1a": "subnet-0000000000000000a", "pool": "amazon"}},
		{name: "another subnet beside it", event: mine, given: map[string]string{
			"subnet.eu-west-1a": "subnet-0000000000000000a",
			"subnet.eu-west-1b": "subnet-0000000000000000b"},
			want: []string{"requireApproval", "unattended.subnets"}},
		{name: "another pool", event: mine, given: map[string]string{"pool": "ours"},
			want: []string{"requireApproval", "unattended.pools"}},
		{name: "another Elastic IP", event: mine, target: map[string]string{
			"allocationRef": "eipalloc-00000000000000002"},
			want: []string{"requireApproval", "unattended.pools"}},
		{name: "another group", event: Event{"111122223333", "core"},
			want: []string{"requireApproval", "unattended.groups"}},
		{name: "another account", event: Event{"444455556666", "edge-1"},
			want: []string{"requireApproval", "unattended.accounts"}},
		{name: "evidence is asked for all the same", event: mine, more: "  requireEvidence: true\n",
			want: []string{"requireEvidence"}},
		{name: "nothing needs approval", event: Event{"444455556666", "x"},
			more: "  requireApproval: false\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Parse([]byte(unattendedHead + c.more + unattendedRest))
			if err != nil {
				t.Fatal(err)
			}
			h := History{Digest: "d", Imported: time.Unix(1, 0), Request: protocol.Request{
				Action: "take", Provider: "aws", Target: c.target, Parameters: c.given}}
			got := fieldsOf(p.ApprovedUnattended(h, time.Unix(2, 0), unattendedVerbs(), c.event))
			if !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
			if plain := p.Approved(h, time.Unix(2, 0)); len(plain) == 0 && !p.approvalWaived {
				t.Error("a person's run needs no approval")
			}
		})
	}
}

// TestUnattends: an event is taken if a policy names its group, and no other policy speaks against
// it.
func TestUnattends(t *testing.T) {
	parse := func(text string) *Policy {
		p, err := Parse([]byte(unattendedHead + text))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	names, silent := parse(unattendedRest), parse("")
	narrow := parse("  unattended: {accounts: [\"111122223333\"], groups: [edge-2]}\n")
	for _, c := range []struct {
		name  string
		p     *Policy
		event Event
		want  []string
	}{
		{"named", names, Event{"111122223333", "edge-1"}, nil},
		{"another group", names, Event{"111122223333", "core"}, []string{"unattended.groups"}},
		{"another account", names, Event{"4", "edge-1"}, []string{"unattended.accounts"}},
		{"nobody says", silent, Event{"111122223333", "edge-1"}, []string{"unattended"}},
		{"one says", names.And(silent), Event{"111122223333", "edge-1"}, nil},
		{"one is narrower", names.And(narrow), Event{"111122223333", "edge-1"},
			[]string{"unattended.groups"}},
		{"both", names.And(narrow), Event{"111122223333", "edge-2"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := fieldsOf(c.p.Unattends(c.event)); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
	if d := silent.Unattends(Event{"111122223333", "edge*"}); !strings.Contains(d.Error(),
		`unattended: {accounts: ["111122223333"], groups: ["edge*"]}`) {
		t.Errorf("it does not say what to write: %v", d)
	}
}

func TestUnattendedFaults(t *testing.T) {
	_, err := Parse(
		[]byte(unattendedHead + `  approvers: ["ann ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI` +
			"GpSPyQNXjnBGMfSVvRzYYvzqRyqOmqJdVKMnuJ4K1mJ" + `"]
  unattended: {accounts: [], groups: ["[a]"], subnets: [], more: 1}
`),
	)
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, want := range []string{"spec.unattended.accounts: is an empty list",
		"spec.unattended.groups[0]: is", "spec.unattended.subnets: is an empty list",
		"spec.unattended.more: is unknown", "unattended in a policy of its own"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing:\n%v", want, err)
		}
	}
}

func noPlan(context.Context, any, action.Request) (*action.Plan, error) { return nil, nil }
