package api

import (
	"net/netip"

	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

type describeRouteTablesIn struct {
	dryRun
	page
	RouteTableId []string
	Filter       []filter
}

type routeAssociationXML struct {
	ID       string   `xml:"routeTableAssociationId"`
	TableID  string   `xml:"routeTableId"`
	SubnetID string   `xml:"subnetId,omitempty"`
	Main     bool     `xml:"main"`
	State    stateXML `xml:"associationState"`
}

type routeXML struct {
	Destination     string `xml:"destinationCidrBlock,omitempty"`
	DestinationList string `xml:"destinationPrefixListId,omitempty"`
	DestinationIPv6 string `xml:"destinationIpv6CidrBlock,omitempty"`
	GatewayID       string `xml:"gatewayId,omitempty"`
	InstanceID      string `xml:"instanceId,omitempty"`
	InstanceOwnerID string `xml:"instanceOwnerId,omitempty"`
	InterfaceID     string `xml:"networkInterfaceId,omitempty"`
	NatGatewayID    string `xml:"natGatewayId,omitempty"`
	EgressOnlyID    string `xml:"egressOnlyInternetGatewayId,omitempty"`
	TransitID       string `xml:"transitGatewayId,omitempty"`
	PeeringID       string `xml:"vpcPeeringConnectionId,omitempty"`
	Origin          string `xml:"origin"`
	State           string `xml:"state"`
}

type routeTableXML struct {
	ID           string                           `xml:"routeTableId"`
	VPCID        string                           `xml:"vpcId"`
	OwnerID      string                           `xml:"ownerId"`
	Routes       query.Items[routeXML]            `xml:"routeSet"`
	Associations query.Items[routeAssociationXML] `xml:"associationSet"`
	Propagating  query.Items[string]              `xml:"propagatingVgwSet"`
	Tags         query.Items[tagXML]              `xml:"tagSet"`
}

func describeRouteTables(c *call, in *describeRouteTablesIn) (any, error) {
	list, next, err := listing[world.RouteTable]{
		ids:    world.RouteTableIDs,
		from:   func(w *world.World) world.Table[world.RouteTable] { return w.Routes },
		fields: routeTableFields,
		limits: pageLimits{min: 5, max: 100},
	}.pick(c, selection{in.RouteTableId, in.Filter, in.page})
	if err != nil {
		return nil, err
	}
	return struct {
		Tables    query.Items[routeTableXML] `xml:"routeTableSet"`
		NextToken string                     `xml:"nextToken,omitempty"`
	}{query.List(list, c.view().routeTableXML), next}, nil
}

func (w view) routeTableXML(t *world.RouteTable) routeTableXML {
	return routeTableXML{
		ID: t.ID, VPCID: t.VPCID, OwnerID: w.OwnerOf(t.ID), Tags: tagsXML(t.Tags),
		Routes: query.List(t.Routes, w.routeXML),
		Associations: query.List(t.Associations, func(a world.RouteAssociation) routeAssociationXML {
			return routeAssociationXML{a.ID, t.ID, a.SubnetID, a.Main, stateXML{"associated"}}
		}),
	}
}

func (w view) routeXML(r world.Route) routeXML {
	x := routeXML{Origin: r.Origin, State: w.RouteState(r)}
	switch {
	case world.IsPrefixList(r.Destination):
		x.DestinationList = r.Destination
	case netip.MustParsePrefix(r.Destination).Addr().Is4():
		x.Destination = r.Destination
	default:
		x.DestinationIPv6 = r.Destination
	}
	switch world.TargetKind(r.Target) {
	case "eni":
		x.InterfaceID = r.Target
		if eni := w.Interfaces[r.Target]; eni != nil && eni.Instance() != "" {
			x.InstanceID, x.InstanceOwnerID = eni.Instance(), w.Owner
		}
	case "nat":
		x.NatGatewayID = r.Target
	case "eigw":
		x.EgressOnlyID = r.Target
	case "tgw":
		x.TransitID = r.Target
	case "pcx":
		x.PeeringID = r.Target
	default: // local, igw, vgw, vpce
		x.GatewayID = r.Target
	}
	return x
}

var routeTableFields = fields[world.RouteTable]{
	"association.main": ofAssociation(func(a world.RouteAssociation) string {
		return boolText(a.Main)
	}),
	"association.route-table-association-id": ofAssociation(func(a world.RouteAssociation) string {
		return a.ID
	}),
	"association.subnet-id": ofAssociation(func(a world.RouteAssociation) string {
		return a.SubnetID
	}),
	"association.route-table-id": one(func(t *world.RouteTable) string { return t.ID }),
	"owner-id":                   ownerFilter[world.RouteTable],
	"route-table-id":             one(func(t *world.RouteTable) string { return t.ID }),
	"vpc-id":                     one(func(t *world.RouteTable) string { return t.VPCID }),

	"route.destination-cidr-block": ofRoutes(func(r routeXML) string {
		return r.Destination
	}),
	"route.destination-ipv6-cidr-block": ofRoutes(func(r routeXML) string {
		return r.DestinationIPv6
	}),
	"route.egress-only-internet-gateway-id": ofRoutes(func(r routeXML) string {
		return r.EgressOnlyID
	}),
	"route.gateway-id":  ofRoutes(func(r routeXML) string { return r.GatewayID }),
	"route.instance-id": ofRoutes(func(r routeXML) string { return r.InstanceID }),
	"route.nat-gateway-id": ofRoutes(func(r routeXML) string {
		return r.NatGatewayID
	}),
	"route.origin":                    ofRoutes(func(r routeXML) string { return r.Origin }),
	"route.state":                     ofRoutes(func(r routeXML) string { return r.State }),
	"route.transit-gateway-id":        ofRoutes(func(r routeXML) string { return r.TransitID }),
	"route.vpc-peering-connection-id": ofRoutes(func(r routeXML) string { return r.PeeringID }),
}

func ofAssociation(
	read func(world.RouteAssociation) string,
) func(view, *world.RouteTable) []string {
	return func(_ view, t *world.RouteTable) []string {
		var list []string
		for _, a := range t.Associations {
			if s := read(a); s != "" {
				list = append(list, s)
			}
		}
		return list
	}
}

func ofRoutes(read func(routeXML) string) func(view, *world.RouteTable) []string {
	return func(w view, t *world.RouteTable) []string {
		var list []string
		for _, r := range t.Routes {
			if s := read(w.routeXML(r)); s != "" {
				list = append(list, s)
			}
		}
		return list
	}
}
