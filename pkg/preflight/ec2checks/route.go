package ec2checks

import (
	"context"
	"fmt"
	"net/netip"

	"aws-provider-executor/pkg/awsec2/ec2model"
)

// keptNetworks are those that AWS keeps for itself in every VPC.
func keptNetworks() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("169.254.168.0/22"), netip.MustParsePrefix("fd00:ec2::/32"),
	}
}

// destination is where the route is to lead from.
func (s *subject) destination() netip.Prefix { return netip.MustParsePrefix(s.address()) }

func lookDestination(s *subject) finding {
	to := s.destination()
	for _, kept := range keptNetworks() {
		if kept.Overlaps(to) {
			return fail(fmt.Sprintf("%s is in %s, which AWS keeps for itself", to, kept),
				"name another destination")
		}
	}
	t, err := s.readTable()
	if err != nil {
		return unread(err)
	}
	n, err := s.readInterface()
	if err != nil {
		return unread(err)
	}
	if n.VPCID != t.VPCID {
		return fail(n.ID+" is in "+n.VPCID+", and "+t.ID+" in "+t.VPCID,
			"a table leads only to interfaces of its own VPC: name one of them")
	}
	block, inside := t.BlockOf(to)
	if !inside || block == to {
		return pass(fmt.Sprintf("%s can lead %s to %s", t.ID, to, n.ID)).with("insideVPC", inside)
	}
	subnets, err := once(s, t.VPCID+" "+to.String(),
		func(ctx context.Context, r Reader) ([]ec2model.Subnet, error) {
			return r.DescribeSubnetsWithBlock(ctx, t.VPCID, to)
		})
	if err != nil {
		return unread(err)
	}
	if len(subnets) == 0 {
		return fail(fmt.Sprintf("%s is inside of the VPC's own %s, and no whole subnet", to, block),
			"name a destination outside of the VPC, or use the secondary-ip strategy")
	}
	return pass(fmt.Sprintf("%s is the whole of %s", to, subnets[0].ID)).with("insideVPC", true)
}

// routeTo finds what the table has for the destination: a route by hand, else a propagated one.
func routeTo(t ec2model.RouteTable, to netip.Prefix) (ec2model.Route, bool) {
	if r, found := t.To(to); found {
		return r, true
	}
	return t.Propagated(to)
}

func lookRouteHolder(s *subject) finding {
	t, err := s.readTable()
	if err != nil {
		return unread(err)
	}
	to := s.destination()
	r, found := routeTo(t, to)
	if !found {
		return pass(fmt.Sprintf("%s has no route to %s", t.ID, to)).with("target", "none")
	}
	seen := fmt.Sprintf("%s leads %s to %s", t.ID, to, r.Target)
	if r.Blackhole {
		seen += ", a black hole"
	}
	facts := []any{"target", r.Target, "blackhole", r.Blackhole}
	switch {
	case r.Target == s.nic() && r.Blackhole:
		return warn(seen, "the route is there already, and nobody gets anywhere by it: attach the "+
			"interface, and see that its instance runs").with(facts...)
	case r.Target == s.nic():
		return pass(seen).with(facts...)
	case s.req.Bool("allowReassignment"):
		return warn(seen+", and would be taken from it",
			"see that it may lose the route; the undo gives it back").with(facts...)
	}
	return fail(seen, "name another destination, or say allowReassignment=true").with(facts...)
}

// The quotas of routes in a table, for each family. Routes that were propagated have a quota of
// their own, and those of the VPC's blocks have none.
const (
	defaultRoutes = 500
	mostRoutes    = 1000
)

func lookRouteRoom(s *subject) finding {
	t, err := s.readTable()
	if err != nil {
		return unread(err)
	}
	to, n := s.destination(), 0
	for _, r := range t.Routes {
		if r.Static && r.Destination.Addr().Is4() == to.Addr().Is4() {
			n++
		}
	}
	seen := fmt.Sprintf("%s has %s of the family that were made by hand", t.ID, count(n, "route"))
	_, there := t.To(to)
	switch {
	case there:
		return pass(seen+", and none is added").with("routes", n)
	case n >= mostRoutes:
		return fail(seen, "AWS grants at most 1000: take a route away").with("routes", n)
	case n >= defaultRoutes:
		return warn(seen, "the default quota is 500: see that yours is higher").with("routes", n)
	}
	return pass(seen).with("routes", n)
}
