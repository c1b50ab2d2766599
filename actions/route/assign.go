package route

import (
	"context"
	"net/netip"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

func planAssign(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	a := assignment{entry: newEntry(r, req), take: req.Bool(paramTake)}
	return a.plan(ctx, req)
}

// assignment is a destination on its way to an interface.
type assignment struct {
	entry
	// take allows taking the route from what it leads to.
	take bool
}

// reserved are the networks that EC2 keeps for itself inside every VPC.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("169.254.168.0/22"), netip.MustParsePrefix("fd00:ec2::/32"),
}

func (a assignment) plan(ctx context.Context, req action.Request) (*action.Plan, error) {
	for _, no := range reserved {
		if no.Overlaps(a.to) {
			return nil, protocol.Refuse(protocol.InvalidRequest,
				"%s is in %s, which AWS keeps for itself: EC2 takes no route to it", a.to, no)
		}
	}
	table, route, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.mayTake(table, route); err != nil {
		return nil, err
	}
	o, err := req.Origin(a.at(route.Target))
	if err != nil {
		return nil, err
	}
	p := &action.Plan{
		Seen:        a.seen(table, route),
		Read:        a.readAgain,
		Transitions: []action.Transition{a.transition(route.Target, a.nic)},
		Facts: func(t []action.Transition, seen action.Seen) map[string]string {
			return action.Merge(a.facts(t, seen, route), o.Facts)
		},
		Dangers: a.dangers,
		Words: action.Words{
			Would:   "route " + a.to.String() + " to " + a.nic + " in " + a.table,
			Did:     "routed " + a.to.String() + " to " + a.nic + " in " + a.table,
			Already: a.table + " leads " + a.to.String() + " to " + a.nic,
		},
	}
	if o.Whence != noRoute && o.Whence != a.nic {
		p.Words.Would += ", taking it from " + o.Whence
		p.Words.Did += ", taken from " + o.Whence
	}
	if route.Target != a.nic {
		p.Foresee = func(ctx context.Context) ([]string, error) { return a.foresee(ctx, table) }
	}
	return p, nil
}

// dangers says that the route leads into nothing.
func (a assignment) dangers(_ []action.Transition, seen action.Seen) []string {
	if seen.Facts["routeState"] != "blackhole" {
		return nil
	}
	return []string{"it is a black hole: " + a.nic + " is detached, or its instance is not running"}
}

// mayTake refuses a destination that leads elsewhere and may not be taken from there. EC2 itself
// would refuse only a second route of the same kind.
func (a assignment) mayTake(table ec2model.RouteTable, route ec2model.Route) error {
	if a.take || route.Target == a.nic {
		return nil
	}
	holder := route.Target
	if holder == noRoute {
		propagated, found := table.Propagated(a.to)
		if !found {
			return nil
		}
		holder = propagated.Target
	}
	why := ""
	if route.Blackhole {
		why = ", which is a black hole"
	}
	return protocol.Refuse(protocol.Conflict,
		"%s leads %s to %s%s; allowReassignment=true takes it from there",
		a.table, a.to, holder, why).With("holder", holder)
}

// foresee tells what EC2 would refuse: an interface that is not there or in another VPC, and a
// destination inside the VPC that is not a whole subnet.
func (a assignment) foresee(
	ctx context.Context, table ec2model.RouteTable,
) (unforeseen []string, err error) {
	found, err := a.r.DescribeNetworkInterfaces(ctx, a.nic)
	text := action.Unforeseen(err, "whether "+a.nic+" is in "+table.VPCID)
	switch {
	case text != "":
		unforeseen = append(unforeseen, text)
	case err != nil:
		return nil, err
	case found[0].VPCID != table.VPCID:
		return nil, protocol.Refuse(protocol.InvalidRequest,
			"%s is in %s, and %s in %s: a table leads only to interfaces of its own VPC",
			a.nic, found[0].VPCID, a.table, table.VPCID)
	}
	block, inside := table.BlockOf(a.to)
	if !inside || block == a.to {
		return unforeseen, nil
	}
	subnets, err := a.r.DescribeSubnetsWithBlock(ctx, table.VPCID, a.to)
	if text := action.Unforeseen(err, "whether "+a.to.String()+" is a whole subnet"); text != "" {
		return append(unforeseen, text), nil
	}
	if err != nil || len(subnets) > 0 {
		return unforeseen, err
	}
	return nil, protocol.Refuse(protocol.InvalidRequest,
		"%s is inside the VPC's own block %s, where EC2 takes a route only to a whole subnet;"+
			" an address to capture by a route must be outside of it, or use the secondary-ip strategy",
		a.to, block)
}

func (a assignment) facts(
	t []action.Transition, seen action.Seen, before ec2model.Route,
) map[string]string {
	facts := map[string]string{"routeTableRef": a.table, factPrior: t[0].From}
	if before.Blackhole && t[0].From == before.Target {
		facts["priorRouteState"] = state(before)
	}
	if seen.Values[0] == a.nic {
		facts[factAssigned], facts["nextHopNICRef"] = a.to.String(), a.nic
	}
	return action.Merge(facts, seen.Facts)
}
