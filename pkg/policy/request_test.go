package policy_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

func TestRequestSubject(t *testing.T) {
	verbs := actions.Registry()
	parameters := map[string]string{"priorHolder": "eni-1"}
	byRoute := map[string]string{"captureStrategy": "route-table"}
	tests := []struct {
		name, action, key string
		target            map[string]string
		want              policy.Subject
	}{
		{
			"an action",
			"assign-secondary-ip",
			"k",
			nil,
			policy.Subject{Action: "assign-secondary-ip", NeedsAddress: true},
		},
		{
			"an undo",
			"unassign-secondary-ip",
			"k:undo",
			nil,
			policy.Subject{
				Action:       "unassign-secondary-ip",
				Undo:         true,
				Undoes:       []string{"assign-secondary-ip"},
				Irreversible: true,
				NeedsAddress: true,
			},
		},
		{
			"an undo verb as an action",
			"unassign-secondary-ip",
			"k",
			nil,
			policy.Subject{Action: "unassign-secondary-ip", Irreversible: true, NeedsAddress: true},
		},
		{
			"an action with a key like an undo's",
			"assign-secondary-ip",
			"k:undo",
			nil,
			policy.Subject{Action: "assign-secondary-ip", NeedsAddress: true},
		},
		{
			"a verb that the target chooses",
			"assign-secondary-ip",
			"k",
			byRoute,
			policy.Subject{Action: "assign-secondary-ip", NeedsAddress: true},
		},
		{"its undo", "unassign-secondary-ip", "k:undo", byRoute, policy.Subject{
			Action: "unassign-secondary-ip", Undo: true, Undoes: []string{"assign-secondary-ip",
				"assign-route-table-route"},
			Irreversible: true, NeedsAddress: true,
		}},
		{
			"a verb without an address",
			"fence-security-groups",
			"k",
			nil,
			policy.Subject{Action: "fence-security-groups"},
		},
		{
			"a verb that may name an address",
			"ensure-forwarding-enabled",
			"k",
			nil,
			policy.Subject{Action: "ensure-forwarding-enabled", NeedsAddress: true},
		},
		{"its undo, which need not", "ensure-forwarding-disabled", "k:undo", nil, policy.Subject{
			Action: "ensure-forwarding-disabled", Undo: true, Undoes: []string{"ensure-forwarding-enabled"},
			Irreversible: true,
		}},
		{"an unknown verb", "launch", "k:undo", nil, policy.Subject{Action: "launch"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Target = tt.target
			tt.want.Prior = []action.Resource{{
				Kind: action.NetworkInterface, Field: "priorHolder", ID: "eni-1",
			}}
			got := policy.RequestSubject(verbs, protocol.Request{
				Action: tt.action, IdempotencyKey: tt.key, Target: tt.target, Parameters: parameters,
			})
			if d := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestTheCanonicalRequestIsJudged: in the spelling that is carried out. What a verb ignores may
// deny all the same, and is none of what it names where that is empty.
func TestTheCanonicalRequestIsJudged(t *testing.T) {
	const nic, table = "eni-0123456789abcdef0", "rtb-0123456789abcdef0"
	got := policy.RequestSubject(actions.Registry(), protocol.Request{
		Action: "assign-route-table-route", IdempotencyKey: "k",
		Target: map[string]string{
			"routeTableRef": table, "nicRef": nic, "address": "10.99.0.9/24", "region": "eu-west-1",
			"instanceRef": "i-1", "subnetRef": "",
		},
		Parameters: map[string]string{
			"priorRouteTarget": "igw-0123456789abcdef0", "priorHolder": "eni-2",
			"expectedHolderRef": "eni-3",
		},
	})
	want := policy.Subject{
		Action: "assign-route-table-route", NeedsAddress: true,
		Target: map[string]string{
			"routeTableRef": table, "nicRef": nic, "address": "10.99.0.0/24", "region": "eu-west-1",
			"instanceRef": "i-1", "subnetRef": "",
		},
		Resources: []action.Resource{
			{Kind: action.NetworkInterface, Field: "nicRef", ID: nic},
			{Kind: action.Instance, Field: "instanceRef", ID: "i-1"},
			{Kind: action.RouteTable, Field: "routeTableRef", ID: table},
		},
		Prior: []action.Resource{{Kind: action.NetworkInterface, Field: "priorHolder", ID: "eni-2"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestADocumentIsJudged: what a verb runs is judged in the spelling that it is run by.
func TestADocumentIsJudged(t *testing.T) {
	plan := func(context.Context, any, action.Request) (*action.Plan, error) { return nil, nil }
	verbs := action.NewRegistry([]action.Verb{{Name: "run", Irreversible: true, Plan: plan,
		Parameters: []action.Field{{Name: "document", Form: action.DocumentName, Decides: true}}}})
	got := policy.RequestSubject(verbs, protocol.Request{Action: "run",
		Parameters: map[string]string{"document": "AWS-RunShellScript"}})
	if !got.Irreversible || !got.Final || !got.RunsDocument || got.Document != "AWS-RunShellScript" {
		t.Errorf("%+v", got)
	}
}

func TestAnUndoOfSeveralVerbsUndoesEach(t *testing.T) {
	plan := func(context.Context, any, action.Request) (*action.Plan, error) { return nil, nil }
	verbs := action.NewRegistry(
		[]action.Verb{
			{Name: "a", Undo: "u", Plan: plan},
			{Name: "b", Undo: "u", Plan: plan},
			{Name: "u", Plan: plan},
		},
	)
	got := policy.RequestSubject(verbs, protocol.Request{Action: "u", IdempotencyKey: "k:undo"})
	if d := cmp.Diff([]string{"a", "b"}, got.Undoes); d != "" || !got.Undo {
		t.Errorf("%v, %s", got.Undo, d)
	}
}
