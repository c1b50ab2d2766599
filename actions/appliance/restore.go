package appliance

import (
	"context"
	"errors"
	"strings"

	"aws-provider-executor/pkg/action"
	device "aws-provider-executor/pkg/appliance"
	"aws-provider-executor/pkg/protocol"
)

// stays is what an undo leaves.
const stays = "its password, its licence and its configuration stay: nothing takes them back"

// planRestore plans the undo.
func planRestore(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	o := orderOf(req)
	prior := req.Parameters[factPrior]
	own, recorded := req.Own(o.Instance, attrRole)
	if prior == "" && !recorded {
		return setNoRole(req, o)
	}
	if before := own.From; recorded && before == unread || !recorded && prior == unread {
		return skip(o, "the role before the action was not read: the appliance in "+o.Instance+
			" had its first password; its role stays, and "+stays), nil
	}
	o.WasSet = true
	seen, err := r.AwaitAppliance(ctx, o)
	if err != nil {
		return goneOr(ctx, r, req, o, err)
	}
	now := action.Seen{Values: []string{roleValue(seen)}}
	back, err := req.Undo(roleAt(o.Instance, now.Values[0]), action.Told{
		Before: prior, After: wholly(req.Parameters[factRole]),
	})
	switch {
	case err != nil:
		return nil, err
	case strings.HasPrefix(back.To, partly) && back.To != now.Values[0]:
		return skip(o, "the role before all actions was set in part; the role of the appliance in "+
			o.Instance+" stays, and "+stays), nil
	case back.To == unread:
		return skip(o, "the role before all actions was not read; the role of the appliance in "+
			o.Instance+" stays, and "+stays), nil
	}
	return restore(r, o, now, back, req), nil
}

// restore plans the role before.
func restore(
	r Reader, o device.Order, now action.Seen, back action.Back, req action.Request,
) *action.Plan {
	p := &action.Plan{
		Seen: now,
		Read: func(ctx context.Context) (action.Seen, error) {
			seen, err := r.LookAtAppliance(ctx, o)
			return action.Seen{Values: []string{roleValue(seen)}}, err
		},
		Transitions: []action.Transition{{
			Resource: o.Instance, Attribute: attrRole, From: now.Values[0], To: back.To, Back: &back,
			Call: callRole, Set: setRole(o),
		}},
		Facts: func(_ []action.Transition, seen action.Seen) map[string]string {
			return map[string]string{factPrior: req.Parameters[factPrior],
				factRestored: seen.Values[0]}
		},
		Words: action.Words{
			Would: "give the appliance in " + o.Instance + " the role " + back.To + " back; " + stays,
			Did:   "gave the appliance in " + o.Instance + " the role " + back.To + " back; " + stays,
			Already: "the appliance in " + o.Instance + " has the role " + now.Values[0] + "; " +
				stays,
		},
	}
	if back.Stays() {
		p.Skip = "the appliance in " + o.Instance + " had the role " + now.Values[0] +
			" before the action; it stays, and " + stays
	}
	return p
}

// setNoRole plans the undo of an action that set no role.
func setNoRole(req action.Request, o device.Order) (*action.Plan, error) {
	if !req.Undoes {
		return nil, protocol.Refuse(protocol.InvalidRequest,
			"nothing tells which role the appliance in %s had before; give %s; nothing was changed",
			o.Instance, factPrior)
	}
	return skip(o, "the action set no role of the appliance in "+o.Instance+"; "+stays), nil
}

// skip plans nothing.
func skip(o device.Order, why string) *action.Plan {
	return &action.Plan{
		Skip: why,
		Read: func(context.Context) (action.Seen, error) { return action.Seen{}, nil },
		Facts: func([]action.Transition, action.Seen) map[string]string {
			return map[string]string{}
		},
		Words: action.Words{Already: "nothing of the appliance in " + o.Instance + " changes"},
	}
}

// terminated is EC2's name for an instance that is gone.
const terminated = "terminated"

// goneOr plans nothing where the instance is gone for good. An appliance that does not answer, in
// an instance that there is, is the failure that it was.
func goneOr(
	ctx context.Context, r Reader, req action.Request, o device.Order, cause error,
) (*action.Plan, error) {
	var f *protocol.Failure
	if !errors.As(cause, &f) || f.Class != protocol.Unavailable {
		return nil, cause
	}
	i, err := r.DescribeInstance(ctx, o.Instance)
	if err == nil && i.State == terminated {
		err = protocol.Refuse(protocol.NotFound, "%s is terminated", o.Instance)
	}
	var absent *protocol.Failure
	if !errors.As(err, &absent) || absent.Class != protocol.NotFound {
		return nil, cause
	}
	err = action.Vanished(req, err, func(own action.Recorded) bool {
		return own.Resource == o.Instance
	})
	if err != nil {
		return nil, err
	}
	return action.NothingLeft(map[string]string{factPrior: req.Parameters[factPrior]},
		o.Instance+" is gone, and the appliance with it"), nil
}
