package api

import (
	"net/netip"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
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

func (k routeKey) resources(*world.World) []string { return []string{k.RouteTableId} }

// destination returns what the call names, as it is written and as a network.
func (k routeKey) destination() (string, netip.Prefix, error) {
	text, name := k.DestinationCidrBlock, "destinationCidrBlock"
	switch {
	case k.DestinationCidrBlock == "" && k.DestinationIpv6CidrBlock == "":
		return "", netip.Prefix{}, refusal.Missing(name)
	case k.DestinationCidrBlock != "" && k.DestinationIpv6CidrBlock != "":
		return "", netip.Prefix{}, refusal.New("InvalidParameterCombination",
			"The parameter destinationCidrBlock cannot be used with the parameter destinationIpv6CidrBlock")
	case k.DestinationIpv6CidrBlock != "":
		text, name = k.DestinationIpv6CidrBlock, "destinationIpv6CidrBlock"
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4() != (name == "destinationCidrBlock") {
		return "", netip.Prefix{},
			refusal.InvalidValue("Value (%s) for parameter %s is invalid. This is not a valid CIDR block.",
				text, name)
	}
	return text, p.Masked(), nil
}

func createRoute(c *call, in *createRouteIn) (any, error) {
	t, err := c.OwnTable(in.RouteTableId)
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
	return done(c.CreateRoute(t, network, target))
}

func replaceRoute(c *call, in *replaceRouteIn) (any, error) {
	t, err := c.OwnTable(in.RouteTableId)
	if err != nil {
		return nil, err
	}
	text, network, err := in.destination()
	if err != nil {
		return nil, err
	}
	target := world.Local
	if !in.LocalTarget {
		target, err = c.resolve(in.routeTarget, t)
	} else if n := in.count(); n > 0 {
		err = errTargets(n + 1)
	}
	if err != nil {
		return nil, err
	}
	return done(c.ReplaceRoute(t, text, network, target))
}

func deleteRoute(c *call, in *deleteRouteIn) (any, error) {
	t, err := c.OwnTable(in.RouteTableId)
	if err != nil {
		return nil, err
	}
	text, network, err := in.destination()
	if err != nil {
		return nil, err
	}
	return done(c.DeleteRoute(t, text, network))
}
