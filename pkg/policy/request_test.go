package policy

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// TestRequestSubjectIsWhatIsMeant: a verb that is not allowed can't be had by the name of one that is.
func TestRequestSubjectIsWhatIsMeant(t *testing.T) {
	plan := func(context.Context, any, action.Request) (*action.Plan, error) { return nil, nil }
	address := []action.Field{{Name: "address", Form: action.HostAddress}}
	verbs := action.NewRegistry([]action.Verb{
		{Name: "assign", Undo: "unassign", Plan: plan, Target: address, Choice: &action.Choice{Field: "strategy", Value: "route", Verb: "lead"}},
		{Name: "unassign", Plan: plan, Target: address, Choice: &action.Choice{Field: "strategy", Value: "route", Verb: "unlead"}},
		{Name: "lead", Undo: "unlead", Plan: plan, Target: address},
		{Name: "unlead", Plan: plan, Target: address},
	})
	for _, c := range []struct {
		name, verb, strategy, key string
		want                      Subject
	}{
		{"as it says", "assign", "", "k", Subject{Action: "assign"}},
		{"another text", "assign", "secondary", "k", Subject{Action: "assign"}},
		{"chosen", "assign", "route", "k", Subject{Action: "lead"}},
		{"undone", "unassign", "route", "k:undo", Subject{Action: "unlead", Undo: true, Undoes: []string{"lead"}, Irreversible: true}},
		{"unknown", "other", "route", "k", Subject{Action: "other"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := map[string]string{"strategy": c.strategy}
			c.want.Target = target
			got := RequestSubject(verbs, protocol.Request{Action: c.verb, Target: target, IdempotencyKey: c.key})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
