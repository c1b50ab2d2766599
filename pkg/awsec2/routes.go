package awsec2

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// DescribeRouteTable reads one route table. One that does not exist is not-found.
func (r *Reader) DescribeRouteTable(ctx context.Context, id string) (ec2model.RouteTable, error) {
	return readExisting(ctx, r.absent, id, func(ctx context.Context) (ec2model.RouteTable, error) {
		return r.routeTableOnce(ctx, id)
	})
}

func (r *Reader) routeTableOnce(ctx context.Context, id string) (ec2model.RouteTable, error) {
	out, err := call(ctx, r.api.DescribeRouteTables,
		&ec2.DescribeRouteTablesInput{RouteTableIds: []string{id}})
	if err != nil {
		return ec2model.RouteTable{}, failure("DescribeRouteTables", "describe "+id, err)
	}
	if len(out.RouteTables) != 1 || aws.ToString(out.RouteTables[0].RouteTableId) != id {
		return ec2model.RouteTable{},
			protocol.Refuse(protocol.Unavailable,
				"cannot describe %s: EC2's answer leaves it out; try again",
				id)
	}
	return wholeTable(out.RouteTables[0])
}

// wholeTable refuses a table that is shown without any route: the VPC's own can't be taken away, so
// they were left out.
func wholeTable(t types.RouteTable) (ec2model.RouteTable, error) {
	if len(t.Routes) == 0 {
		return ec2model.RouteTable{},
			protocol.Refuse(protocol.Unavailable,
				"cannot describe %s: EC2's answer leaves out its routes; try again",
				aws.ToString(t.RouteTableId))
	}
	return routeTable(t), nil
}

// DescribeSubnetsWithBlock reads the subnets of the VPC that have exactly this block.
func (r *Reader) DescribeSubnetsWithBlock(
	ctx context.Context, vpc string, block netip.Prefix,
) ([]ec2model.Subnet, error) {
	filter := "cidr-block"
	if block.Addr().Is6() {
		filter = "ipv6-cidr-block-association.ipv6-cidr-block"
	}
	in := &ec2.DescribeSubnetsInput{Filters: []types.Filter{
		{Name: aws.String("vpc-id"), Values: []string{vpc}},
		{Name: &filter, Values: []string{block.String()}},
	}}
	what := fmt.Sprintf("find the subnets of %s with the block %s", vpc, block)
	var found []ec2model.Subnet
	err := pages(what, func(token *string) (*string, error) {
		in.NextToken = token
		out, err := call(ctx, r.api.DescribeSubnets, in)
		if err != nil {
			return nil, failure("DescribeSubnets", what, err)
		}
		for _, s := range out.Subnets {
			found = append(found, subnet(s))
		}
		return out.NextToken, nil
	})
	return found, err
}

func subnet(s types.Subnet) ec2model.Subnet {
	m := ec2model.Subnet{
		ID: aws.ToString(s.SubnetId), VPCID: aws.ToString(s.VpcId),
		CIDR: aws.ToString(s.CidrBlock), IPv6Only: aws.ToBool(s.Ipv6Native),
		Zone: aws.ToString(s.AvailabilityZone), Free: int(aws.ToInt32(s.AvailableIpAddressCount)),
	}
	for _, b := range s.Ipv6CidrBlockAssociationSet {
		if b.Ipv6CidrBlockState == nil ||
			b.Ipv6CidrBlockState.State == types.SubnetCidrBlockStateCodeAssociated {
			m.IPv6CIDRs = append(m.IPv6CIDRs, aws.ToString(b.Ipv6CidrBlock))
		}
	}
	return m
}

func routeTable(t types.RouteTable) ec2model.RouteTable {
	m := ec2model.RouteTable{
		ID: aws.ToString(t.RouteTableId), VPCID: aws.ToString(t.VpcId),
		OwnerID: aws.ToString(t.OwnerId),
	}
	for _, r := range t.Routes {
		text := aws.ToString(r.DestinationCidrBlock) + aws.ToString(r.DestinationIpv6CidrBlock)
		destination, err := netip.ParsePrefix(text)
		if err != nil {
			m.ToLists = append(m.ToLists, ec2model.ListRoute{
				List: aws.ToString(r.DestinationPrefixListId), Target: routeTarget(r),
				Blackhole: r.State == types.RouteStateBlackhole,
			})
			continue
		}
		m.Routes = append(m.Routes, ec2model.Route{
			Destination: destination.Masked(), Target: routeTarget(r),
			InstanceID: aws.ToString(r.InstanceId),
			Blackhole:  r.State == types.RouteStateBlackhole,
			Static:     r.Origin == types.RouteOriginCreateRoute,
			Own:        r.Origin == types.RouteOriginCreateRouteTable,
		})
	}
	return m
}

// routeTarget finds the one thing a route leads to. An interface comes before its instance: that is
// what the route is bound to.
func routeTarget(r types.Route) string {
	for _, id := range []*string{
		r.NetworkInterfaceId, r.NatGatewayId, r.EgressOnlyInternetGatewayId, r.TransitGatewayId,
		r.VpcPeeringConnectionId,
		r.LocalGatewayId, r.CarrierGatewayId, r.CoreNetworkArn, r.OdbNetworkArn, r.GatewayId,
		r.InstanceId, r.IpAddress,
	} {
		if aws.ToString(id) != "" {
			return *id
		}
	}
	return ""
}

// target is where a route is to lead, in EC2's many fields for it: one of them is not nil, or local
// is true.
type target struct {
	gateway, instance, nic, nat, egressOnly, transit, peering, localGateway, carrier, endpoint, core,
	odb *string

	local bool
}

// newTarget tells by the id what kind of target it is.
func newTarget(id string) (target, error) {
	prefix, _, _ := strings.Cut(id, "-")
	switch {
	case id == ec2model.Local:
		return target{local: true}, nil
	case strings.Contains(id, ":networkmanager:"):
		return target{core: &id}, nil
	case strings.Contains(id, ":odb:"):
		return target{odb: &id}, nil
	}
	switch prefix {
	case "eni":
		return target{nic: &id}, nil
	case "i":
		return target{instance: &id}, nil
	case "igw", "vgw":
		return target{gateway: &id}, nil
	case "nat":
		return target{nat: &id}, nil
	case "eigw":
		return target{egressOnly: &id}, nil
	case "tgw":
		return target{transit: &id}, nil
	case "pcx":
		return target{peering: &id}, nil
	case "lgw":
		return target{localGateway: &id}, nil
	case "cagw":
		return target{carrier: &id}, nil
	case "vpce":
		return target{endpoint: &id}, nil
	}
	return target{}, protocol.Refuse(protocol.InvalidRequest, "a route can't be led to %s by hand",
		protocol.Quote(id))
}

// destination is a network in the one of EC2's two fields that its family has.
func destination(p netip.Prefix) (v4, v6 *string) {
	text := p.String()
	if p.Addr().Is4() {
		return &text, nil
	}
	return nil, &text
}

// CreateRoute adds a route. One to the same destination makes it a conflict.
func (w *Writer) CreateRoute(ctx context.Context, table string, to netip.Prefix, via string) error {
	t, err := newTarget(via)
	if err != nil {
		return err
	}
	in := &ec2.CreateRouteInput{
		RouteTableId:                &table,
		GatewayId:                   t.gateway,
		InstanceId:                  t.instance,
		NetworkInterfaceId:          t.nic,
		NatGatewayId:                t.nat,
		EgressOnlyInternetGatewayId: t.egressOnly,
		TransitGatewayId:            t.transit,
		VpcPeeringConnectionId:      t.peering,
		LocalGatewayId:              t.localGateway,
		CarrierGatewayId:            t.carrier,
		VpcEndpointId:               t.endpoint,
		CoreNetworkArn:              t.core,
		OdbNetworkArn:               t.odb,
	}
	in.DestinationCidrBlock, in.DestinationIpv6CidrBlock = destination(to)
	what := fmt.Sprintf("route %s to %s in %s", to, via, table)
	return change(ctx, w, w.api.CreateRoute, "CreateRoute", what, in)
}

// ReplaceRoute leads a route elsewhere. One that is not there makes it a conflict.
func (w *Writer) ReplaceRoute(
	ctx context.Context, table string, to netip.Prefix, via string,
) error {
	t, err := newTarget(via)
	if err != nil {
		return err
	}
	in := &ec2.ReplaceRouteInput{
		RouteTableId:                &table,
		GatewayId:                   t.gateway,
		InstanceId:                  t.instance,
		NetworkInterfaceId:          t.nic,
		NatGatewayId:                t.nat,
		EgressOnlyInternetGatewayId: t.egressOnly,
		TransitGatewayId:            t.transit,
		VpcPeeringConnectionId:      t.peering,
		LocalGatewayId:              t.localGateway,
		CarrierGatewayId:            t.carrier,
		VpcEndpointId:               t.endpoint,
		CoreNetworkArn:              t.core,
		OdbNetworkArn:               t.odb,
	}
	if t.local {
		in.LocalTarget = aws.Bool(true)
	}
	in.DestinationCidrBlock, in.DestinationIpv6CidrBlock = destination(to)
	what := fmt.Sprintf("route %s to %s in %s instead", to, via, table)
	return change(ctx, w, w.api.ReplaceRoute, "ReplaceRoute", what, in)
}

// DeleteRoute takes a route away. One that is not there makes it a conflict.
func (w *Writer) DeleteRoute(ctx context.Context, table string, to netip.Prefix) error {
	in := &ec2.DeleteRouteInput{RouteTableId: &table}
	in.DestinationCidrBlock, in.DestinationIpv6CidrBlock = destination(to)
	what := fmt.Sprintf("delete the route to %s in %s", to, table)
	return change(ctx, w, w.api.DeleteRoute, "DeleteRoute", what, in)
}
