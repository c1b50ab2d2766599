package ec2sim

import (
	"net/netip"
	"slices"
	"strings"
)

// local is the target of the routes within a VPC.
const local = "local"

// ownTable returns a route table that the account may change.
func (c *change) ownTable(id string) (*RouteTable, error) {
	t, err := find(c.w.routes, routeTableIDs, id)
	if err != nil {
		return nil, err
	}
	if c.w.foreign(t.ID) {
		return nil, errForeign()
	}
	return t, nil
}

// at returns where the route is in the table, or -1. Only the exact text of a canonical network finds it.
func (t *RouteTable) at(destination string) int {
	return slices.IndexFunc(t.Routes, func(r Route) bool { return r.Destination == destination })
}

// made counts the routes of a family that somebody made: those that the quota is about.
func (t *RouteTable) made(ipv4 bool) int {
	n := 0
	for _, r := range t.Routes {
		if r.Origin == "CreateRoute" && strings.Contains(r.Destination, ":") != ipv4 {
			n++
		}
	}
	return n
}

// createRoute adds a route. One that is there already is refused, unless it leads to the same target.
func (c *change) createRoute(t *RouteTable, network netip.Prefix, target string) error {
	r := Route{Destination: network.String(), Target: target, Origin: "CreateRoute"}
	if err := c.mayRoute(network, r, t); err != nil {
		return err
	}
	if at := t.at(r.Destination); at >= 0 {
		if c.sameRouteRefused || t.Routes[at].Target != r.Target {
			return refuse("RouteAlreadyExists", "The route identified by %s already exists.", r.Destination)
		}
		return nil
	}
	if t.made(network.Addr().Is4()) >= c.quotas.routes() {
		return refuse("RouteLimitExceeded", "The maximum number of routes has been reached.")
	}
	t.Routes = append(t.Routes, r)
	return nil
}

// replaceRoute leads a route that is there to another target.
func (c *change) replaceRoute(
	t *RouteTable, destination string, network netip.Prefix, target string,
) error {
	at := t.at(destination)
	if at < 0 {
		return invalidValue("There is no route defined for '%s' in the route table. "+
			"Use CreateRoute instead.", destination)
	}
	if target == local && !c.isLocal(network, t) {
		return invalidValue("The route identified by %s cannot target local.", destination)
	}
	r := Route{Destination: destination, Target: target, Origin: t.Routes[at].Origin}
	if err := c.mayRoute(network, r, t); err != nil {
		return err
	}
	t.Routes[at] = r
	return nil
}

// deleteRoute takes a route away.
func (c *change) deleteRoute(t *RouteTable, destination string, network netip.Prefix) error {
	at := t.at(destination)
	if at < 0 {
		kind := "destination-cidr-block"
		if network.Addr().Is6() {
			kind = "destination-ipv6-cidr-block"
		}
		return refuse("InvalidRoute.NotFound", "no route with %s %s in route table %s",
			kind, destination, t.ID)
	}
	if c.isLocal(network, t) {
		return invalidValue("cannot remove local route %s in route table %s", destination, t.ID)
	}
	t.Routes = slices.Delete(t.Routes, at, at+1)
	return nil
}

// isLocal says whether the network is one of the table's VPC itself, whose route cannot go.
func (c *change) isLocal(network netip.Prefix, t *RouteTable) bool {
	return slices.Contains(c.w.vpcs[t.VPCID].cidrs(), network.String())
}

// noRoutes are the networks EC2 takes no routes to.
var noRoutes = []netip.Prefix{netip.MustParsePrefix("169.254.168.0/22"), netip.MustParsePrefix("fd00:ec2::/32")}

// mayRoute says whether a table may lead the network to the route's target.
func (c *change) mayRoute(network netip.Prefix, r Route, t *RouteTable) error {
	for _, no := range noRoutes {
		if within(network, no) {
			return invalidValue("The destination CIDR block %s is reserved.", network)
		}
	}
	v := c.w.vpcs[t.VPCID]
	if !withinAny(network, v.cidrs()) || r.Target == local {
		return nil
	}
	// What is more specific than the local route must be a whole subnet, and leads to a middlebox.
	if c.isLocal(network, t) || c.isSubnet(network, v.ID) {
		switch targetKind(r.Target) {
		case "eni", "nat", "vpce":
			return nil
		}
	}
	return invalidValue("The destination CIDR block %s is equal to or more specific than one of this VPC's CIDR blocks. "+
		"This route can target only an interface or an instance.", network)
}

func (c *change) isSubnet(network netip.Prefix, vpc string) bool {
	for _, s := range c.w.subnets {
		if s.VPCID == vpc && (s.CIDR == network.String() || s.IPv6CIDR == network.String()) {
			return true
		}
	}
	return false
}

func within(inner, outer netip.Prefix) bool {
	return inner.Bits() >= outer.Bits() && outer.Contains(inner.Addr())
}

func withinAny(inner netip.Prefix, outer []string) bool {
	return slices.ContainsFunc(outer, func(o string) bool { return withinText(inner, o) })
}

func withinText(inner netip.Prefix, outer string) bool {
	return outer != "" && within(inner, netip.MustParsePrefix(outer))
}

// routeState is blackhole when what the route leads to is gone, detached or not running.
func (w *world) routeState(r Route) string {
	const active, blackhole = "active", "blackhole"
	switch {
	case r.Target == local, w.gateways[r.Target] != nil:
		return active
	}
	eni := w.interfaces[r.Target]
	if eni == nil || eni.Attachment == nil {
		return blackhole
	}
	if i := w.instances[eni.instance()]; eni.instance() != "" && (i == nil || i.State != "running") {
		return blackhole
	}
	return active
}

// targetKind is the prefix of a target's id.
func targetKind(target string) string {
	kind, _, _ := strings.Cut(target, "-")
	return kind
}
