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
	u := &unassignment{entry: newEntry(r, req), req: req, before: req.Parameters[factPrior]}
	named, err := action.Named(req, factAssigned, u.to.String())
	if err != nil {
		return nil, err
	}
	u.named = named
	u.releases = !req.Undoes && u.before == ""
	return u.plan(ctx)
}

// unassignment is a destination on its way off an interface: the undo of an assignment, or a
// release.
type unassignment struct {
	entry
	req action.Request
	// before is where it led before the action, as the facts tell. It is empty if they do not
	// tell it.
	before string
	// named reports whether the facts name the destination alone, as those of other executors do.
	named bool
	// releases reports whether the route is taken away for good, wherever it led before.
	releases bool

	// now is where the destination leads, target where it is to lead.
	now, target string
	back        action.Back
	// unknown reports whether nothing tells where it led before the action, settled whether the
	// undo leads nowhere.
	unknown, settled bool
	// missing is the interface that it should lead to, and that does not exist any more.
	missing string
}

func (u *unassignment) plan(ctx context.Context) (*action.Plan, error) {
	table, route, err := u.read(ctx)
	if err != nil {
		return u.withoutTable(err)
	}
	if u.before != "" && route.Target == u.nic && route.LeadsTo(u.before) {
		// The prior target is the interface's own instance.
		u.before = u.nic
	}
	u.now = u.name(route)
	if err := u.decide(ctx); err != nil {
		return nil, err
	}
	if u.unknown && !u.named {
		return u.untold()
	}
	var unforeseen []string
	if unforeseen, err = u.exists(ctx); err != nil {
		return nil, err
	}
	if err := u.possible(route); err != nil {
		return nil, err
	}
	u.back.To = u.target
	t := u.transition(u.now, u.target)
	t.Back = &u.back
	p := &action.Plan{
		Seen: u.seenOf(table, route),
		Read: func(ctx context.Context) (action.Seen, error) {
			table, route, err := u.read(ctx)
			return u.seenOf(table, route), err
		},
		Transitions: []action.Transition{t},
		Foresee:     func(context.Context) ([]string, error) { return unforeseen, nil },
		Facts: func(_ []action.Transition, seen action.Seen) map[string]string {
			return u.facts(seen)
		},
		Words: u.words(table),
	}
	if !u.releases && u.back.Stays() {
		skip := u.stays()
		p.Skip, p.Facts = skip.Skip, skip.Facts
	}
	return p, nil
}

// name is where the route leads. What it led to before the action is called what it was called
// then.
func (u *unassignment) name(route ec2model.Route) string {
	if u.before != "" && route.LeadsTo(u.before) {
		return u.before
	}
	return route.Target
}

// decide settles where the destination is to lead.
func (u *unassignment) decide(ctx context.Context) error {
	before, err := u.priorTarget(ctx)
	if err != nil {
		return err
	}
	at := u.at(u.now)
	if u.releases {
		u.back, err = u.req.Release(at, u.nic, noRoute)
	} else {
		u.back, err = u.req.Undo(at, action.Told{Before: before, After: u.nic})
	}
	if err != nil {
		return err
	}
	u.unknown, u.settled = !u.releases && u.back.PriorUnknown(), u.back.Settled()
	switch u.target = u.back.To; {
	case u.unknown && u.now == u.nic:
		u.target = noRoute
	case u.unknown:
		u.target = u.now
	case u.releases && u.back.Base != noRoute && u.back.Base != u.nic:
		u.missing = u.back.Base
	case before != u.before && !u.settled:
		u.missing = u.before
	}
	return nil
}

// priorTarget returns where the destination led before, as the facts tell. Where it leads nowhere
// now, and that interface is gone for good, an undo has taken the route away already.
func (u *unassignment) priorTarget(ctx context.Context) (string, error) {
	byFacts := u.req.Undoes && u.req.Answered && !u.req.Recorded()
	if !byFacts || u.now != noRoute || !strings.HasPrefix(u.before, "eni-") {
		return u.before, nil
	}
	_, err := u.r.DescribeNetworkInterfaces(ctx, u.before)
	var f *protocol.Failure
	switch {
	case errors.As(err, &f) && f.Class == protocol.NotFound:
		return noRoute, nil
	case action.Unforeseen(err, u.before) != "":
		return u.before, nil
	}
	return u.before, err
}

// exists takes the route away where the interface that it should lead to does not exist any
// more. Of a target of any other kind, only EC2 tells. Unforeseen says what may not be read.
func (u *unassignment) exists(ctx context.Context) (unforeseen []string, err error) {
	if u.target == u.now || !strings.HasPrefix(u.target, "eni-") {
		return nil, nil
	}
	_, err = u.r.DescribeNetworkInterfaces(ctx, u.target)
	if text := action.Unforeseen(err, "whether "+u.target+" exists"); text != "" {
		return []string{text}, nil
	}
	var f *protocol.Failure
	switch {
	case !errors.As(err, &f) || f.Class != protocol.NotFound:
		return nil, err
	case u.req.Recent || !u.back.Known && !u.req.Answered:
		return nil, u.withoutTarget(err)
	}
	u.missing, u.target = u.target, noRoute
	if u.back.Overwrites != "" {
		// There is nothing to overwrite it with.
		u.target = u.now
	}
	return nil, nil
}

// withoutTarget says what to do about a prior target that is not there any more.
func (u *unassignment) withoutTarget(err error) error {
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != protocol.NotFound || u.target == noRoute {
		return err
	}
	told := *f
	told.Message += "; " + u.to.String() + " led to " + u.target + " before the action: nothing was" +
		" changed; an unassign-route-table-route under a key of its own, without priorRouteTarget," +
		" takes the route away"
	return &told
}

// withoutTable is the undo in a table that was not found: its routes are gone with it.
func (u *unassignment) withoutTable(cause error) (*action.Plan, error) {
	var f *protocol.Failure
	absent := errors.As(cause, &f) && f.Class == protocol.NotFound
	if absent && u.before == "" && !u.named && u.req.NoRecord() {
		return u.untold()
	}
	if absent && u.before == u.nic && !u.req.Recorded() {
		return u.stays(), nil
	}
	err := action.Vanished(u.req, cause, func(own action.Recorded) bool {
		return own.Resource == u.resource() && own.To == u.nic
	})
	if err != nil {
		return nil, err
	}
	facts := map[string]string{"unassignedRoute": u.to.String()}
	if u.named && u.before == "" && !u.req.Recorded() {
		facts[action.UnknownPrior.Name] = factPrior
	}
	return action.NothingLeft(facts,
		u.table+" does not exist any more, and its route to "+u.to.String()+" went with it"), nil
}

// untold answers an undo of which nothing is known.
func (u *unassignment) untold() (*action.Plan, error) {
	why, err := action.NoFacts(u.req, "the route to "+u.to.String()+" stays as it is")
	if err != nil {
		return nil, err
	}
	return skip(why), nil
}

// stays is the undo of an action that found the route as it wants it.
func (u *unassignment) stays() *action.Plan {
	return skip(u.table + " led " + u.to.String() + " to " + u.nic +
		" before the action: the route is left as it is")
}

func skip(why string) *action.Plan {
	return &action.Plan{
		Skip:  why,
		Facts: func([]action.Transition, action.Seen) map[string]string { return nil },
	}
}

// possible refuses what EC2 does to no route: to take the VPC's own away, and to lead any other
// to local.
func (u *unassignment) possible(route ec2model.Route) error {
	switch {
	case u.target == u.now:
	case route.Own && u.target == noRoute:
		return protocol.Refuse(protocol.InvalidRequest,
			"the route to %s in %s is the VPC's own, which can't be taken away;"+
				" priorRouteTarget=local leads it back", u.to, u.table)
	case !route.Own && u.target == ec2model.Local:
		return protocol.Refuse(protocol.InvalidRequest,
			"%s is no block of the VPC of %s: only the VPC's own routes lead to local", u.to, u.table)
	}
	return nil
}

// seenOf is a reading in the executor's terms.
func (u *unassignment) seenOf(table ec2model.RouteTable, route ec2model.Route) action.Seen {
	s := action.Seen{Values: []string{u.name(route)}, Owner: table.OwnerID}
	if s.Values[0] != u.nic && !u.ledByAnother(table) {
		s.Facts = map[string]string{"unassignedRoute": u.to.String()}
	}
	return s
}

// ledByAnother reports whether a propagated route leads to the interface, which only whoever
// propagates it can take away.
func (u *unassignment) ledByAnother(table ec2model.RouteTable) bool {
	propagated, found := table.Propagated(u.to)
	return found && propagated.Target == u.nic
}

// transition leads the destination back.
func (u *unassignment) transition(now, to string) action.Transition {
	t := u.entry.transition(now, to)
	set := t.Set
	t.Set = func(ctx context.Context, w any, from, to string) error {
		return u.withoutTarget(set(ctx, w, from, to))
	}
	return t
}

// givesBack reports whether the destination is to lead again to what it led to before.
func (u *unassignment) givesBack() bool {
	return u.missing == "" && !u.releases && !u.unknown && !u.settled
}

func (u *unassignment) words(table ec2model.RouteTable) action.Words {
	what, from := u.to.String(), u.nic
	if u.now != noRoute {
		from = u.now
	}
	w := action.Words{
		Would:   "take the route to " + what + " away from " + from + " in " + u.table,
		Did:     "took the route to " + what + " away from " + from + " in " + u.table,
		Already: u.table + " does not lead " + what + " to " + u.nic,
	}
	also := func(text string) { w.Would, w.Did = w.Would+text, w.Did+text }
	if u.givesBack() && u.target != noRoute {
		w.Would = "give the route to " + what + " in " + u.table + " back to " + u.target
		w.Did = "gave the route to " + what + " in " + u.table + " back to " + u.target
		w.Already = u.table + " leads " + what + " to " + u.target + " again"
		if u.now != noRoute && u.now != u.nic {
			w.Would += ", taking it from " + u.now
			w.Did += ", taken from " + u.now
		}
	}
	switch {
	case u.unknown:
		also("; where it led before is not known, so it leads nowhere")
		if u.now != noRoute && u.now != u.nic {
			w.Already += " any more, and the route to " + u.now + " stays"
		}
	case u.releases && u.missing != "":
		also("; it is not given back to " + u.missing + ", which it led to before")
	case u.missing != "":
		gone := "; " + u.missing + ", which it led to before the action, does not exist any more"
		also(gone)
		w.Already += gone
	}
	if u.target == noRoute && u.ledByAnother(table) {
		w.Would += "; a propagated one leads there too, and stays"
		w.Did += "; a propagated one leads there still"
		w.Already = u.table + " has no route to " + what +
			" that could be taken away; a propagated one leads it to " + u.nic
	}
	return w
}

func (u *unassignment) facts(seen action.Seen) map[string]string {
	now, facts := seen.Values[0], action.Merge(seen.Facts)
	if u.named && u.before == "" && !u.back.Known {
		facts[action.UnknownPrior.Name] = factPrior
	}
	if now != u.target {
		return facts
	}
	if u.givesBack() {
		facts["restoredRouteTarget"] = now
	}
	if over := u.back.Overwrites; over != "" && over != noRoute && over != now {
		facts["overwroteRouteTarget"] = over
	}
	if u.missing != "" {
		facts[protocol.FactNotRestored], facts[factPrior] = "true", u.missing
	}
	return facts
}
