package power

import (
	"context"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// planStart plans the undo of a stop.
func planStart(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	m := newMachine(r, req)
	first, err := r.DescribeInstance(ctx, m.id)
	switch {
	case isAbsent(err):
		return m.gone(err)
	case err != nil:
		return nil, err
	case first.State == terminated:
		return m.terminated(first)
	}
	if err := m.mayStart(first); err != nil {
		return nil, err
	}
	before := valueOf(req.Parameters[factPrior])
	back, err := req.Undo(m.at(first), action.Told{Before: before, After: off})
	if err != nil {
		return nil, err
	}
	if back.To == changing {
		// Somebody else was stopping it before the action.
		back.To = off
	}
	p := m.start(first, back)
	if back.Stays() {
		p.Skip = m.id + " was stopped before the action: it is left as it is"
	}
	return p, nil
}

// mayStart refuses what may not be started, or not yet.
func (m machine) mayStart(i ec2model.Instance) error {
	if err := m.tagged(i); err != nil {
		return err
	}
	if err := m.managed(i); err != nil {
		return err
	}
	switch own, _ := m.req.Own(m.id, attribute); {
	case i.State == shuttingDown:
		return m.moving(i.State, terminated)
	case i.State == pending && !own.Undoing():
		return m.moving(i.State, running)
	case i.State == stopping:
		return protocol.Refuse(protocol.Unavailable,
			"%s is stopping, and EC2 starts only what is stopped; nothing was changed; try again once "+
				"it is stopped", m.id).With(factState, i.State)
	}
	return nil
}

// isOwn reports whether a recorded transition is of this instance.
func (m machine) isOwn(own action.Recorded) bool { return own.Resource == m.id }

// gone is the undo on an instance that was not found. The tag alone may be given by hand, so it
// does not tell that the action was carried out.
func (m machine) gone(cause error) (*action.Plan, error) {
	if !m.req.Recorded() && m.req.Parameters[factState] == "" {
		return nil, cause
	}
	if err := action.Vanished(m.req, cause, m.isOwn); err != nil {
		return nil, err
	}
	already := m.id + " does not exist any more, so nothing can be started"
	return action.NothingLeft(m.priors(), already), nil
}

// terminated is the undo on an instance that is gone for good, and that EC2 still shows.
func (m machine) terminated(first ec2model.Instance) (*action.Plan, error) {
	if err := action.TakesBack(m.req, m.isOwn); err != nil {
		return nil, err
	}
	facts := action.Merge(m.priors(), map[string]string{factState: first.State})
	p := action.NothingLeft(facts, m.id+" is terminated, so it can't be started any more")
	p.Seen.Owner = first.OwnerID
	return p, nil
}

func (m machine) priors() map[string]string {
	return map[string]string{
		factPrior: m.req.Parameters[factPrior], factTag: m.req.Parameters[paramTag],
	}
}

// start makes the plan.
func (m machine) start(first ec2model.Instance, back action.Back) *action.Plan {
	words := action.Words{
		Would: "start " + m.id, Did: "started " + m.id,
		Already: m.id + " is running, as it was before the action",
	}
	if back.To == off {
		words = action.Words{
			Would: "stop " + m.id + " again", Did: "stopped " + m.id + " again",
			Already: m.id + " is stopped, and not because of the action",
		}
	}
	return &action.Plan{
		Seen: seen(first), Read: m.read,
		Transitions: []action.Transition{{
			Resource: m.id, Attribute: attribute, From: valueOf(first.State), To: back.To,
			Via: changing, Passes: true,
			Back: &back, Call: callStart,
			Set: m.set(),
		}},
		Facts: func(_ []action.Transition, now action.Seen) map[string]string {
			return action.Merge(m.priors(), map[string]string{factState: now.Facts[factState]})
		},
		Words: words,
	}
}
