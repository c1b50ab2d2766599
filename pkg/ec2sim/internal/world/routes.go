package world

import (
	"net/netip"
	"slices"
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
)

// Local is the target of the routes within a VPC.
const Local = "local"

// OwnTable returns a route table that the account may change.
func (c *Change) OwnTable(id string) (*RouteTable, error) {
	t, err := Find(c.World.Routes, RouteTableIDs, id)
	if err != nil {
		return nil, err
	}
	if c.World.Foreign(t.ID) {
		return nil, errForeign()
	}
	return t, nil
}

// at returns where the route is in the table, or -1. Only the exact text of a canonical network
// finds it.
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

// CreateRoute adds a route. One that is there already is refused, unless it leads to the same
// target.
func (c *Change) CreateRoute(t *RouteTable, network netip.Prefix, target string) error {
	r := Route{Destination: network.String(), Target: target, Origin: "CreateRoute"}
	if err := c.mayRoute(network, r, t); err != nil {
		return err
	}
	if at := t.at(r.Destination); at >= 0 {
		if c.SameRouteRefused || t.Routes[at].Target != r.Target {
			return refusal.New("RouteAlreadyExists", "The route identified by %s already exists.",
				r.Destination)
		}
		return nil
	}
	if t.made(network.Addr().Is4()) >= c.Quotas.routes() {
		return refusal.New("RouteLimitExceeded", "The maximum number of routes has been reached.")
	}
	t.Routes = append(t.Routes, r)
	return nil
}

// ReplaceRoute leads a route that is there to another target.
func (c *Change) ReplaceRoute(
	t *RouteTable, destination string, network netip.Prefix, target string,
) error {
	at := t.at(destination)
	if at < 0 {
		return refusal.InvalidValue("There is no route defined for '%s' in the route table. "+
			"Use CreateRoute instead.", destination)
	}
	if target == Local && !c.isLocal(network, t) {
		return refusal.InvalidValue("The route identified by %s cannot target local.", destination)
	}
	r := Route{Destination: destination, Target: target, Origin: t.Routes[at].Origin}
	if err := c.mayRoute(network, r, t); err != nil {
		return err
	}
	t.Routes[at] = r
	return nil
}

// DeleteRoute takes a route away.
func (c *Change) DeleteRoute(t *RouteTable, destination string, network netip.Prefix) error {
	at := t.at(destination)
	if at < 0 {
		kind := "destination-cidr-block"
		if network.Addr().Is6() {
			kind = "destination-ipv6-cidr-block"
		}
		return refusal.New("InvalidRoute.NotFound", "no route with %s %s in route table %s",
			kind, destination, t.ID)
	}
	if c.isLocal(network, t) {
		return refusal.InvalidValue("cannot remove local route %s in route table %s", destination, t.ID)
	}
	t.Routes = slices.Delete(t.Routes, at, at+1)
	return nil
}

// isLocal reports whether the network is one of the table's VPC itself, whose route cannot go.
func (c *Change) isLocal(network netip.Prefix, t *RouteTable) bool {
	return slices.Contains(c.World.VPCs[t.VPCID].CIDRs(), network.String())
}

// noRoutes are the networks EC2 takes no routes to.
var noRoutes = []netip.Prefix{netip.MustParsePrefix("169.254.168.0/22"),
	netip.MustParsePrefix("fd00:ec2::/32")}

// mayRoute refuses a route that the table may not have.
func (c *Change) mayRoute(network netip.Prefix, r Route, t *RouteTable) error {
	for _, no := range noRoutes {
		if within(network, no) {
			return refusal.InvalidValue("The destination CIDR block %s is reserved.", network)
		}
	}
	v := c.World.VPCs[t.VPCID]
	if !withinAny(network, v.CIDRs()) || r.Target == Local {
		return nil
	}
	// What is more specific than the local route must be a whole subnet, and leads to a middlebox.
	if c.isLocal(network, t) || c.isSubnet(network, v.ID) {
		switch TargetKind(r.Target) {
		case "eni", "nat", "vpce":
			return nil
		}
	}
	return refusal.InvalidValue(
		"The destination CIDR block %s is equal to or more specific than one of this VPC's CIDR blocks. "+
			"This route can target only an interface or an instance.", network)
}

func (c *Change) isSubnet(network netip.Prefix, vpc string) bool {
	for _, s := range c.World.Subnets {
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

// RouteState is blackhole when what the route leads to is gone, detached or not running.
func (w *World) RouteState(r Route) string {
	const active, blackhole = "active", "blackhole"
	switch {
	case r.Target == Local, w.Gateways[r.Target] != nil:
		return active
	}
	eni := w.Interfaces[r.Target]
	if eni == nil || eni.Attachment == nil {
		return blackhole
	}
	if i := w.Instances[eni.Instance()]; eni.Instance() != "" && (i == nil || i.State != "running") {
		return blackhole
	}
	return active
}

// TargetKind is the prefix of a target's id.
func TargetKind(target string) string {
	kind, _, _ := strings.Cut(target, "-")
	return kind
}
