package power

import (
	"context"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// planStop plans a stop. The instance is read while the metadata service is asked.
func planStop(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	m := newMachine(r, req)
	check := action.Beside(func() string { return m.checkSelf(ctx) })
	first, err := r.DescribeInstance(ctx, m.id)
	selfCheck := check()
	switch {
	case selfCheck == "":
		return nil, protocol.Refuse(protocol.SelfFence,
			"%s is the machine that this runs on; stop it from another one; nothing was changed", m.id)
	case err != nil:
		return nil, err
	}
	if err := m.mayStop(first); err != nil {
		return nil, err
	}
	if first.State == terminated {
		return m.over(first), nil
	}
	o, err := req.Origin(m.at(first))
	if err != nil {
		return nil, err
	}
	return m.stop(first, o, selfCheck), nil
}

// checkSelf reports whether the target is another machine; empty when it is this one.
func (m machine) checkSelf(ctx context.Context) string {
	switch id, err := m.r.InstanceID(ctx); {
	case err != nil:
		return "unavailable"
	case id == m.id:
		return ""
	}
	return "passed"
}

// mayStop refuses what may not or can't be stopped.
func (m machine) mayStop(i ec2model.Instance) error {
	if err := m.tagged(i); err != nil {
		return err
	}
	if i.State == terminated {
		return nil
	}
	if err := m.managed(i); err != nil {
		return err
	}
	switch own, _ := m.req.Own(m.id, attribute); {
	case i.State == shuttingDown:
		return m.moving(i.State, terminated)
	case i.State == pending:
		return m.moving(i.State, running)
	case i.State == stopping && !own.Begun():
		return m.moving(i.State, stopped)
	case i.RootDevice == "instance-store":
		return protocol.Refuse(protocol.InvalidRequest,
			"%s has its root device in the instance store, and EC2 can't stop such an instance, only "+
				"terminate it; nothing was changed", m.id)
	}
	return nil
}

// over plans nothing for an instance that is gone for good.
func (m machine) over(first ec2model.Instance) *action.Plan {
	return &action.Plan{
		Moot: m.id + " is terminated: it is gone for good, and nothing of it runs",
		Seen: seen(first), Read: m.read,
		Facts: func(_ []action.Transition, seen action.Seen) map[string]string {
			return map[string]string{
				factState: seen.Facts[factState], factTag: m.req.Parameters[paramTag],
			}
		},
	}
}

// stop makes the plan.
func (m machine) stop(first ec2model.Instance, o action.Origin, selfCheck string) *action.Plan {
	return &action.Plan{
		Seen: seen(first), Read: m.read,
		Transitions: []action.Transition{{
			Resource: m.id, Attribute: attribute, From: o.Whence, To: off,
			Via: changing, Passes: true,
			Call: callStop,
			Set:  m.set(),
		}},
		Facts: func(t []action.Transition, now action.Seen) map[string]string {
			facts := map[string]string{
				factPrior: stateOf(t[0].From), factState: now.Facts[factState],
				factTag: m.req.Parameters[paramTag], factSelfCheck: selfCheck,
				factAddress: first.LostAddress,
			}
			return action.Merge(facts, o.Facts)
		},
		Dangers: func(t []action.Transition, _ action.Seen) []string {
			if t[0].From == off {
				return nil
			}
			return m.dangers(first)
		},
		Words: action.Words{
			Would: "stop " + m.id, Did: "stopped " + m.id, Already: m.id + " is stopped",
		},
	}
}

// stateOf is the state that an action found which began at a value.
func stateOf(value string) string {
	if value == off {
		return stopped
	}
	return running
}

// dangers say what a start does not bring back.
func (m machine) dangers(i ec2model.Instance) []string {
	var all []string
	if i.LostAddress != "" {
		all = append(all, "its public address "+i.LostAddress+
			" is no Elastic IP and goes with the stop: a start gets another")
	}
	if i.Lifecycle != "" {
		all = append(all, "it is a "+i.Lifecycle+" instance: EC2 may refuse to stop it, and may have "+
			"no capacity to start it again")
	}
	if i.Hibernates {
		all = append(all, "it is set up to hibernate, and this is a plain stop: what is in its memory "+
			"is lost")
	}
	return all
}
