package ec2sim

import "net/netip"

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

func createRoute(c *call, in *createRouteIn) (any, error) {
	t, err := c.ownTable(in.RouteTableId)
	if err != nil {
		return nil, err
	}
	_, network, err := in.destination()
	if err != nil {
		return nil, err
	}
	target, err := c.resolve(in.routeTarget, t)
	if err != nil {
		return nil, err
	}
	return done(c.createRoute(t, network, target))
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
	target := local
	if !in.LocalTarget {
		target, err = c.resolve(in.routeTarget, t)
	} else if n := in.count(); n > 0 {
		err = errTargets(n + 1)
	}
	if err != nil {
		return nil, err
	}
	return done(c.replaceRoute(t, text, network, target))
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
	return done(c.deleteRoute(t, text, network))
}
