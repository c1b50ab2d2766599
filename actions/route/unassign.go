package route

import (
	"context"
	"errors"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

func planUnassign(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	u := release{entry: newEntry(r, req), before: nowhere}
	prior, knows := req.Parameters["priorRouteTarget"]
	if !knows {
		// An undo that was sent without its action's facts.
		recorded, found := req.Record(u.resource(), attribute)
		prior, knows = recorded.From, found
	}
	named, err := action.Named(req, factAssigned, u.to.String())
	switch {
	case err != nil:
		return nil, err
	case knows:
		u.before = prior
		return u.plan(ctx, &req)
	case named:
		u.unknown = true
		return u.plan(ctx, &req)
	case req.Orphan:
		why, err := action.Untold(req, "the route to "+u.to.String()+" stays as it is")
		return skip(why), err
	}
	return u.plan(ctx, nil)
}

// release is a destination on its way off an interface.
type release struct {
	entry
	// before is where it is to lead: a target, or nowhere.
	before string
	// unknown is set where nothing tells where it led before the action: then nowhere.
	unknown bool
}

// plan lets the route go. As an undo it compares what is with what was, before and after the action.
func (u release) plan(ctx context.Context, undo *action.Request) (*action.Plan, error) {
	if u.before == u.nic {
		return u.stays(), nil
	}
	if undo != nil {
		if err := action.Aimed(*undo, u.resource(), attribute, u.nic); err != nil {
			return nil, err
		}
	}
	table, route, err := u.read(ctx)
	switch {
	case err != nil && undo != nil:
		return u.withoutTable(*undo, err)
	case err != nil:
		return nil, err
	case route.Target == u.nic && route.LeadsTo(u.before):
		return u.stays(), nil
	case u.hasMovedOn(route):
		return u.movedOn(table, route.Target), nil
	}
	if err := u.possible(route, undo != nil); err != nil {
		return nil, err
	}
	seen := u.seenOf(table, route, undo != nil)
	now, overwrites := seen.Values[0], ""
	if undo != nil {
		if overwrites, err = action.Restore(*undo, "the target of "+u.to.String()+" in "+u.table, u.before, u.nic, now); err != nil {
			return nil, err
		}
	}
	p := &action.Plan{
		Restores: undo != nil,
		Seen:     seen,
		Read: func(ctx context.Context) (action.Seen, error) {
			table, route, err := u.read(ctx)
			return u.seenOf(table, route, undo != nil), err
		},
		Transitions: []action.Transition{u.giveBack(now)},
		Facts: func(_ []action.Transition, seen action.Seen) map[string]string {
			return u.facts(seen, undo != nil, overwrites)
		},
		Words: u.words(table, overwrites),
	}
	if strings.HasPrefix(u.before, "eni-") {
		p.Foresee = func(ctx context.Context) ([]string, error) {
			_, err := u.r.DescribeNetworkInterfaces(ctx, u.before)
			if text := action.Unforeseen(err, "whether "+u.before+" exists"); text != "" {
				return []string{text}, nil
			}
			return nil, u.gone(err)
		}
	}
	return p, nil
}

// hasMovedOn reports whether a route whose prior target is unknown leads elsewhere since.
func (u release) hasMovedOn(route ec2model.Route) bool {
	return u.unknown && route.Target != u.nic && route.Target != nowhere
}

// movedOn is the undo of an action whose prior target is unknown, where the route leads elsewhere
// since: what the action brought about is not so any more.
func (u release) movedOn(table ec2model.RouteTable, now string) *action.Plan {
	facts := map[string]string{action.UnknownPrior.Name: "priorRouteTarget"}
	if !u.ledByAnother(table) {
		facts["unassignedRoute"] = u.to.String()
	}
	again := func(ctx context.Context) (action.Seen, error) {
		_, route, err := u.read(ctx)
		return action.Seen{Values: []string{route.Target}}, err
	}
	to := u.to.String()
	return action.MovedOn(u.nic, again, facts,
		u.table+" does not lead "+to+" to "+u.nic+" any more, and the route to "+now+" stays")
}

// withoutTable is the undo in a table that was not found: its routes are gone with it.
func (u release) withoutTable(undo action.Request, cause error) (*action.Plan, error) {
	// That it led to the interface was held against the record before.
	err := action.Vanished(undo, cause, func(own action.Recorded) bool { return own.Resource == u.resource() })
	if err != nil {
		return nil, err
	}
	facts := map[string]string{"unassignedRoute": u.to.String()}
	if u.unknown {
		facts[action.UnknownPrior.Name] = "priorRouteTarget"
	}
	return action.NothingLeft(facts, u.table+" does not exist any more, and its route to "+u.to.String()+" went with it"), nil
}

// stays is the plan of an undo of what changed nothing.
func (u release) stays() *action.Plan {
	return skip(u.table + " led " + u.to.String() + " to " + u.nic + " before the action: the route stays")
}

func skip(why string) *action.Plan {
	return &action.Plan{Restores: true, Skip: why, Facts: func([]action.Transition, action.Seen) map[string]string { return nil }}
}

// possible refuses what EC2 does to no route: to take the VPC's own away, and to lead any other to local.
func (u release) possible(route ec2model.Route, undo bool) error {
	switch {
	case route.Own && u.before == nowhere && (undo || route.Target == u.nic):
		return action.Refuse(protocol.InvalidRequest, "the route to %s in %s is the VPC's own, which can't be taken away; priorRouteTarget=local leads it back", u.to, u.table)
	case !route.Own && u.before == ec2model.Local:
		return action.Refuse(protocol.InvalidRequest, "%s is no block of the VPC of %s: only the VPC's own routes lead to local", u.to, u.table)
	}
	return nil
}

// seenOf is a reading in the executor's terms. Without an action to undo, a route that leads elsewhere is
// no route of ours. What the route led to before is called what it was called then.
func (u release) seenOf(table ec2model.RouteTable, route ec2model.Route, undo bool) action.Seen {
	s := action.Seen{Values: []string{route.Target}}
	switch {
	case undo && route.LeadsTo(u.before):
		s.Values[0] = u.before
	case !undo && route.Target != u.nic:
		s.Values[0] = nowhere
	}
	if s.Values[0] != u.nic && !u.ledByAnother(table) {
		s.Facts = map[string]string{"unassignedRoute": u.to.String()}
	}
	return s
}

// ledByAnother tells that a propagated route leads to the interface, which only whoever propagates it can
// take away.
func (u release) ledByAnother(table ec2model.RouteTable) bool {
	propagated, found := table.Propagated(u.to)
	return found && propagated.Target == u.nic
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
	told.Message += "; " + u.to.String() + " led to " + u.before + " before the action: nothing was changed; an unassign-route-table-route under a key of its own, without priorRouteTarget, takes the route away"
	return &told
}

func (u release) words(table ec2model.RouteTable, overwrites string) action.Words {
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
	if u.unknown {
		const nothingBack = "; where it led before is not known, so it leads nowhere"
		w.Would, w.Did = w.Would+nothingBack, w.Did+nothingBack
	}
	if overwrites != "" && overwrites != nowhere {
		w.Would += ", taking it from " + overwrites
		w.Did += ", taken from " + overwrites
	}
	if u.before == nowhere && u.ledByAnother(table) {
		w.Would += "; a propagated one leads there too, and stays"
		w.Did += "; a propagated one leads there still"
		w.Already = u.table + " has no route to " + what + " that could be taken away; a propagated one leads it to " + u.nic
	}
	return w
}

func (u release) facts(seen action.Seen, undo bool, overwrites string) map[string]string {
	facts := action.Merge(seen.Facts)
	if u.unknown {
		facts[action.UnknownPrior.Name] = "priorRouteTarget"
		return facts
	}
	if undo && seen.Values[0] == u.before {
		facts["restoredRouteTarget"] = u.before
		if overwrites != "" && overwrites != nowhere {
			facts["overwroteRouteTarget"] = overwrites
		}
	}
	return facts
}
