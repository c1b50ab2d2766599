package ec2sim

import (
	"net/netip"
	"slices"
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/query"
)

type createRouteIn struct {
	dryRun
	routeKey
	routeTarget
}

type replaceRouteIn struct {
	dryRun
	routeKey
	routeTarget
	LocalTarget bool
}

type deleteRouteIn struct {
	dryRun
	routeKey
}

// routeKey names a route.
type routeKey struct {
	RouteTableId             string `query:"required"`
	DestinationCidrBlock     string
	DestinationIpv6CidrBlock string
	DestinationPrefixListId  string `query:"unheld"`
}

func (k routeKey) resources(*world) []string { return []string{k.RouteTableId} }

// destination returns what the call names, as it is written and as a network.
func (k routeKey) destination() (string, netip.Prefix, error) {
	text, name := k.DestinationCidrBlock, "destinationCidrBlock"
	switch {
	case k.DestinationCidrBlock == "" && k.DestinationIpv6CidrBlock == "":
		return "", netip.Prefix{}, missing(name)
	case k.DestinationCidrBlock != "" && k.DestinationIpv6CidrBlock != "":
		return "", netip.Prefix{}, refuse("InvalidParameterCombination",
			"The parameter destinationCidrBlock cannot be used with the parameter destinationIpv6CidrBlock")
	case k.DestinationIpv6CidrBlock != "":
		text, name = k.DestinationIpv6CidrBlock, "destinationIpv6CidrBlock"
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4() != (name == "destinationCidrBlock") {
		return "", netip.Prefix{}, invalidValue("Value (%s) for parameter %s is invalid. This is not a valid CIDR block.", text, name)
	}
	return text, p.Masked(), nil
}

// label is EC2's name of the kind of destination, in its texts.
func (k routeKey) label() string {
	if k.DestinationIpv6CidrBlock != "" {
		return "destination-ipv6-cidr-block"
	}
	return "destination-cidr-block"
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

func createRoute(c *call, in *createRouteIn) (any, error) {
	t, err := c.ownTable(in.RouteTableId)
	if err != nil {
		return nil, err
	}
	_, network, err := in.destination()
	if err != nil {
		return nil, err
	}
	r := Route{Destination: network.String(), Origin: "CreateRoute"}
	if err := c.resolve(&r, in.routeTarget, t); err != nil {
		return nil, err
	}
	if err := c.mayRoute(network, r, t); err != nil {
		return nil, err
	}
	if at := t.at(r.Destination); at >= 0 {
		if c.sameRouteRefused || t.Routes[at].Target != r.Target {
			return nil, refuse("RouteAlreadyExists", "The route identified by %s already exists.", r.Destination)
		}
		return query.Done{Return: true}, nil
	}
	if t.made(network.Addr().Is4()) >= c.quotas.routes() {
		return nil, refuse("RouteLimitExceeded", "The maximum number of routes has been reached.")
	}
	t.Routes = append(t.Routes, r)
	return query.Done{Return: true}, nil
}

func replaceRoute(c *call, in *replaceRouteIn) (any, error) {
	t, err := c.ownTable(in.RouteTableId)
	if err != nil {
		return nil, err
	}
	text, network, err := in.destination()
	if err != nil {
		return nil, err
	}
	r := Route{Destination: text, Origin: "CreateRoute"}
	if in.LocalTarget {
		if in.count() > 0 {
			return nil, errTargets(in.count() + 1)
		}
		r.Target = local
	} else if err := c.resolve(&r, in.routeTarget, t); err != nil {
		return nil, err
	}
	at := t.at(text)
	if at < 0 {
		return nil, invalidValue("There is no route defined for '%s' in the route table. Use CreateRoute instead.", text)
	}
	if in.LocalTarget && !c.isLocal(network, t) {
		return nil, invalidValue("The route identified by %s cannot target local.", text)
	}
	if err := c.mayRoute(network, r, t); err != nil {
		return nil, err
	}
	r.Origin = t.Routes[at].Origin
	t.Routes[at] = r
	return query.Done{Return: true}, nil
}

func deleteRoute(c *call, in *deleteRouteIn) (any, error) {
	t, err := c.ownTable(in.RouteTableId)
	if err != nil {
		return nil, err
	}
	text, network, err := in.destination()
	if err != nil {
		return nil, err
	}
	at := t.at(text)
	if at < 0 {
		return nil, refuse("InvalidRoute.NotFound", "no route with %s %s in route table %s", in.label(), text, t.ID)
	}
	if c.isLocal(network, t) {
		return nil, invalidValue("cannot remove local route %s in route table %s", text, t.ID)
	}
	t.Routes = slices.Delete(t.Routes, at, at+1)
	return query.Done{Return: true}, nil
}

// isLocal says whether the network is one of the table's VPC itself, whose route cannot go.
func (c *call) isLocal(network netip.Prefix, t *RouteTable) bool {
	return slices.Contains(c.w.vpcs[t.VPCID].cidrs(), network.String())
}

// noRoutes are the networks EC2 takes no routes to.
var noRoutes = []netip.Prefix{netip.MustParsePrefix("169.254.168.0/22"), netip.MustParsePrefix("fd00:ec2::/32")}

// mayRoute says whether a table may lead the network to the route's target.
func (c *call) mayRoute(network netip.Prefix, r Route, t *RouteTable) error {
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

func (c *call) isSubnet(network netip.Prefix, vpc string) bool {
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
