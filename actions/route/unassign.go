package route

import (
	"context"
	"errors"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

func planUnassign(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	u := release{entry: newEntry(r, req), before: nowhere}
	prior, knows := req.Parameters["priorRouteTarget"]
	if !knows {
		// An undo that was sent without its action's facts.
		var recorded action.Recorded
		recorded, knows = req.Record(u.resource(), attribute)
		prior = recorded.From
	}
	switch {
	case prior == u.nic:
		return &action.Plan{
			Restores: true,
			Skip:     u.table + " led " + u.to.String() + " to " + u.nic + " before the action: the route stays",
			Facts:    func([]action.Transition, action.Seen) map[string]string { return nil },
		}, nil
	case !knows && req.Orphan:
		return &action.Plan{
			Restores: true,
			Skip:     "nothing to undo is known under this key: no facts are given, and none are recorded; the route to " + u.to.String() + " stays as it is",
			Facts:    func([]action.Transition, action.Seen) map[string]string { return nil },
		}, nil
	case !knows:
		return u.plan(ctx, nil)
	}
	u.before = prior
	return u.plan(ctx, &req)
}

// release is a destination on its way off an interface.
type release struct {
	entry
	// before is where it is to lead: a target, or nowhere.
	before string
}

// plan lets the route go. As an undo it compares what is with what was, before and after the action.
func (u release) plan(ctx context.Context, undo *action.Request) (*action.Plan, error) {
	seen, err := u.readOwn(ctx, undo != nil)
	if err != nil {
		return nil, err
	}
	now, overwrites := seen.Values[0], ""
	if undo != nil {
		if overwrites, err = action.Restore(*undo, "the target of "+u.to.String()+" in "+u.table, u.before, u.nic, now); err != nil {
			return nil, err
		}
	}
	p := &action.Plan{
		Restores:    undo != nil,
		Seen:        seen,
		Read:        func(ctx context.Context) (action.Seen, error) { return u.readOwn(ctx, undo != nil) },
		Transitions: []action.Transition{u.giveBack(now)},
		Facts: func(_ []action.Transition, seen action.Seen) map[string]string {
			return u.facts(seen, undo != nil, overwrites)
		},
		Words: u.words(overwrites),
	}
	if strings.HasPrefix(u.before, "eni-") && now != u.before {
		p.Foresee = func(ctx context.Context) error {
			_, err := u.r.DescribeNetworkInterfaces(ctx, u.before)
			return u.gone(err)
		}
	}
	return p, nil
}

// readOwn reads where the destination leads. Without an action to undo, a route that leads elsewhere is
// no route of ours.
func (u release) readOwn(ctx context.Context, undo bool) (action.Seen, error) {
	_, route, err := u.read(ctx)
	if !undo && route.Target != u.nic {
		route.Target = nowhere
	}
	return action.Seen{Values: []string{route.Target}}, err
}

func (u release) giveBack(now string) action.Transition {
	t := u.transition(now, u.before)
	set := t.Set
	t.Set = func(ctx context.Context, w any, from, to string) error { return u.gone(set(ctx, w, from, to)) }
	return t
}

// gone says what to do about a prior target that is not there any more.
func (u release) gone(err error) error {
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != protocol.NotFound || u.before == nowhere {
		return err
	}
	told := *f
	told.Message += "; " + u.to.String() + " led to " + u.before + " before the action: nothing was changed; with priorRouteTarget=none the route is taken away instead"
	return &told
}

func (u release) words(overwrites string) action.Words {
	what := u.to.String()
	w := action.Words{
		Would:   "take the route to " + what + " away from " + u.nic + " in " + u.table,
		Did:     "took the route to " + what + " away from " + u.nic + " in " + u.table,
		Already: u.table + " does not lead " + what + " to " + u.nic,
	}
	if u.before != nowhere {
		w.Would = "give the route to " + what + " in " + u.table + " back to " + u.before
		w.Did = "gave the route to " + what + " in " + u.table + " back to " + u.before
		w.Already = u.table + " leads " + what + " to " + u.before + " again"
	}
	if overwrites != "" && overwrites != nowhere {
		w.Would += ", taking it from " + overwrites
		w.Did += ", taken from " + overwrites
	}
	return w
}

func (u release) facts(seen action.Seen, undo bool, overwrites string) map[string]string {
	facts := map[string]string{}
	now := seen.Values[0]
	if now != u.nic {
		facts["unassignedRoute"] = u.to.String()
	}
	if undo && now == u.before {
		facts["restoredRouteTarget"] = u.before
		if overwrites != nowhere {
			facts["overwroteRouteTarget"] = overwrites
		}
	}
	return facts
}
