package schema_test

import (
	"context"
	"net/netip"
	"slices"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

const (
	table1  = "rtb-00000000000000001"
	noTable = "rtb-0000000000000000f"
)

func newRoutes() map[string]string {
	return map[string]string{"10.0.0.0/16": ec2model.Local, "10.99.0.3/32": nic3,
		"10.99.0.9/32": "igw-00000000000000001", "2001:db8:9::/64": "tgw-00000000000000001"}
}

func (l *lab) DescribeRouteTable(_ context.Context, id string) (ec2model.RouteTable, error) {
	if id != table1 {
		return ec2model.RouteTable{},
			protocol.Refuse(protocol.NotFound, "%s does not exist", id).With(protocol.FactAWSErrorCode,
				"InvalidRouteTableID.NotFound")
	}
	t := ec2model.RouteTable{ID: id, VPCID: "vpc-1"}
	for to, target := range l.routes {
		own := target == ec2model.Local
		t.Routes = append(t.Routes,
			ec2model.Route{Destination: netip.MustParsePrefix(to), Target: target, Own: own, Static: !own})
	}
	return t, nil
}

func (l *lab) DescribeSubnetsWithBlock(
	context.Context, string, netip.Prefix,
) ([]ec2model.Subnet, error) {
	return nil, nil
}

func (l *lab) CreateRoute(ctx context.Context, table string, to netip.Prefix, via string) error {
	return l.ReplaceRoute(ctx, table, to, via)
}

func (l *lab) ReplaceRoute(_ context.Context, _ string, to netip.Prefix, via string) error {
	return l.change(func() { l.routes[to.String()] = via })
}

func (l *lab) DeleteRoute(_ context.Context, _ string, to netip.Prefix) error {
	return l.change(func() { delete(l.routes, to.String()) })
}

func (l *lab) AssignIPv6Address(_ context.Context, nic, address string) error {
	for id, n := range l.nics {
		if id != nic && slices.Contains(n.IPv6, address) {
			return protocol.Refuse(protocol.Conflict, "%s is assigned",
				address).With(protocol.FactAWSErrorCode, "InvalidParameterValue")
		}
	}
	return l.change(func() { l.nics[nic].IPv6 = append(l.nics[nic].IPv6, address) })
}

func (l *lab) UnassignIPv6Address(_ context.Context, nic, address string) error {
	return l.change(func() {
		n := l.nics[nic]
		n.IPv6 = slices.DeleteFunc(slices.Clone(n.IPv6), func(a string) bool { return a == address })
	})
}
