package policy_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

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
		{"an action", "assign-secondary-ip", "k", nil, policy.Subject{Action: "assign-secondary-ip", NeedsAddress: true}},
		{"an undo", "unassign-secondary-ip", "k:undo", nil, policy.Subject{Action: "unassign-secondary-ip", Undo: true, Undoes: []string{"assign-secondary-ip"}, Irreversible: true, NeedsAddress: true}},
		{"an undo verb as an action", "unassign-secondary-ip", "k", nil, policy.Subject{Action: "unassign-secondary-ip", Irreversible: true, NeedsAddress: true}},
		{"an action with a key like an undo's", "assign-secondary-ip", "k:undo", nil, policy.Subject{Action: "assign-secondary-ip", NeedsAddress: true}},
		{"a verb that the target chooses", "assign-secondary-ip", "k", byRoute, policy.Subject{Action: "assign-secondary-ip", NeedsAddress: true}},
		{"its undo", "unassign-secondary-ip", "k:undo", byRoute, policy.Subject{
			Action: "unassign-secondary-ip", Undo: true, Undoes: []string{"assign-secondary-ip", "assign-route-table-route"},
			Irreversible: true, NeedsAddress: true,
		}},
		{"a verb without an address", "fence-security-groups", "k", nil, policy.Subject{Action: "fence-security-groups"}},
		{"a verb that may name an address", "ensure-forwarding-enabled", "k", nil, policy.Subject{Action: "ensure-forwarding-enabled", NeedsAddress: true}},
		{"its undo, which need not", "ensure-forwarding-disabled", "k:undo", nil, policy.Subject{
			Action: "ensure-forwarding-disabled", Undo: true, Undoes: []string{"ensure-forwarding-enabled"}, Irreversible: true,
		}},
		{"an unknown verb", "launch", "k:undo", nil, policy.Subject{Action: "launch"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Target, tt.want.Parameters = tt.target, parameters
			got := policy.RequestSubject(verbs, protocol.Request{Action: tt.action, IdempotencyKey: tt.key, Target: tt.target, Parameters: parameters})
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAnUndoOfSeveralVerbsUndoesEach(t *testing.T) {
	plan := func(context.Context, any, action.Request) (*action.Plan, error) { return nil, nil }
	verbs := action.NewRegistry([]action.Verb{{Name: "a", Undo: "u", Plan: plan}, {Name: "b", Undo: "u", Plan: plan}, {Name: "u", Plan: plan}})
	got := policy.RequestSubject(verbs, protocol.Request{Action: "u", IdempotencyKey: "k:undo"})
	if d := cmp.Diff([]string{"a", "b"}, got.Undoes); d != "" || !got.Undo {
		t.Errorf("%v, %s", got.Undo, d)
	}
}
