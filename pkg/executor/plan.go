package executor

import (
	"slices"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// planAttempts bounds how often contradicting readings are asked again.
const planAttempts = 4

// makePlan plans. That all is so already is not what an action expects, and is
// believed only when a second reading says the same.
func (r *run) makePlan() error {
	for range planAttempts {
		p, err := r.verb.Plan(r.times.plan, r.reader, r.req)
		if err != nil {
			return err
		}
		r.plan, r.seen = p, p.Seen
		if p.Skip != "" || !r.isSo() {
			return nil
		}
		again, err := p.Read(r.times.plan)
		if err != nil {
			return err
		}
		r.seen = again
		if slices.Equal(again.Values, p.Seen.Values) {
			return nil
		}
		r.Log.Warn("two readings differ, planning again", "first", p.Seen.Values, "second", again.Values)
	}
	return action.Refuse(protocol.Unavailable, "cannot tell what is so: EC2's answers contradict each other; nothing was changed; try again")
}

// pending tells whether the transition still has to be made.
func (r *run) pending(i int) bool { return r.plan.Seen.Values[i] != r.plan.Transitions[i].To }

// isSo tells whether nothing has to be made.
func (r *run) isSo() bool {
	for i := range r.plan.Transitions {
		if r.pending(i) {
			return false
		}
	}
	return true
}

// settle gives each transition the From that counts. Where the present value is
// our own To already, that is what an earlier attempt under this key recorded: the first
// prior wins.
func (r *run) settle() error {
	for i := range r.plan.Transitions {
		t := &r.plan.Transitions[i]
		recorded, ok := r.record.Transition(t.Resource, t.Attribute)
		if !r.hasRecord || !ok {
			continue
		}
		if r.undoes() != "" {
			if r.plan.Restores && !t.Vouched && recorded.From != t.To {
				return action.Refuse(protocol.Conflict,
					"the request would make the %s of %s %s, but before the action it was %s, as recorded then; nothing was changed; undo with the facts that the action reported",
					t.Attribute, t.Resource, t.To, recorded.From).With("recorded", recorded.From)
			}
			continue
		}
		now := r.plan.Seen.Values[i]
		if recorded.To == t.To && (now == t.To || t.Via != "" && now == t.Via) {
			t.From = recorded.From
		}
	}
	return nil
}

// changes tells whether the world differs from before because of this key.
func (r *run) changes() bool {
	return slices.ContainsFunc(r.plan.Transitions, func(t action.Transition) bool { return t.From != t.To })
}
