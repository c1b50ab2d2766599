package ec2sim_test

import (
	"strings"
	"testing"

	"aws-provider-executor/pkg/ec2sim"
)

// blocks is the lab, with an interface that has a block of either family whole and a primary IPv6
// address, and a VPC of several blocks.
func blocks(t *testing.T) *peer {
	t.Helper()
	p := lab(t)
	r := p.sim.Region(ec2sim.LabRegion)
	r.AddInterface(ec2sim.Interface{
		ID: "eni-0b10c000000000001", SubnetID: ec2sim.LabSubnetA,
		PrivateAddresses: []ec2sim.PrivateAddress{{Address: "10.88.60.200", Primary: true}},
		IPv6Addresses:    []string{"2001:db8:1088:60::200"}, PrimaryIPv6: "2001:db8:1088:60::200",
		Prefixes: []string{"10.88.60.208/28", "2001:db8:1088:60:a::/80"},
	})
	v := r.AddVPC(
		ec2sim.VPC{ID: "vpc-0b10c000000000001", CIDR: "10.1.0.0/16",
			MoreCIDRs: []string{"10.2.0.0/16", "2001:db8:2::/56"}})
	r.AddSubnet(ec2sim.Subnet{ID: "subnet-0b10c000000000001", VPCID: v.ID, CIDR: "10.2.1.0/24"})
	r.AddRouteTable(ec2sim.RouteTable{ID: "rtb-0b10c000000000002", VPCID: v.ID, Routes: []ec2sim.Route{
		{Destination: "pl-0b10c000000000001", Target: "vpce-0b10c000000000001"},
		{Destination: "10.9.0.0/16", Target: "vgw-0b10c000000000001"},
	}})
	return p
}

func TestBlocks(t *testing.T) {
	p := blocks(t)
	nic := p.ok("DescribeNetworkInterfaces", "NetworkInterfaceId.1=eni-0b10c000000000001")
	for path, want := range map[string]string{
		"networkInterfaceSet/item/ipv4PrefixSet/item/ipv4Prefix":       "10.88.60.208/28",
		"networkInterfaceSet/item/ipv6PrefixSet/item/ipv6Prefix":       "2001:db8:1088:60:a::/80",
		"networkInterfaceSet/item/ipv6AddressesSet/item/isPrimaryIpv6": "true",
	} {
		if got := nic.one(path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	vpc := p.ok("DescribeVpcs", "VpcId.1=vpc-0b10c000000000001")
	if got := vpc.one("vpcSet/item/cidrBlockAssociationSet/item/cidrBlock"); got !=
		"10.1.0.0/16,10.2.0.0/16" {
		t.Errorf("the VPC has %s", got)
	}
	table := p.ok("DescribeRouteTables", "RouteTableId.1=rtb-0b10c000000000002")
	if got := table.one("routeTableSet/item/routeSet/item/destinationCidrBlock"); got !=
		"10.1.0.0/16,10.2.0.0/16,10.9.0.0/16" {
		t.Errorf("the table leads to %s", got)
	}
	if got := table.one("routeTableSet/item/routeSet/item/destinationPrefixListId"); got !=
		"pl-0b10c000000000001" {
		t.Errorf("the table leads to the lists %s", got)
	}
	routes := p.sim.State().Regions[ec2sim.LabRegion].RouteTables
	for _, rt := range routes {
		if rt.ID == "rtb-0b10c000000000002" &&
			!strings.HasPrefix(rt.Routes[len(rt.Routes)-1].Destination, "pl-") {
			t.Errorf("the list is not last: %v", rt.Routes)
		}
	}
}

// TestBlocksAreHeld: nobody gets an address of a block that is another's whole, nor the VPC's route
// away.
func TestBlocksAreHeld(t *testing.T) {
	a, holder := eniParam(ec2sim.LabRouterAInterface), eniParam("eni-0b10c000000000001")
	blocks(t).refuses(t, []refusal{
		{"IPv4", "AssignPrivateIpAddresses", []string{a, "PrivateIpAddress.1=10.88.60.215"}, 0,
			"InvalidParameterValue", "[10.88.60.215] assigned, but move is not allowed."},
		{"IPv4, with leave", "AssignPrivateIpAddresses",
			[]string{a, "PrivateIpAddress.1=10.88.60.215", "AllowReassignment=true"}, 0,
			"InvalidParameterValue", "[10.88.60.215] assigned, but move is not allowed."},
		{"IPv6", "AssignIpv6Addresses", []string{a, "Ipv6Addresses.1=2001:db8:1088:60:a::1"}, 0,
			"InvalidParameterValue", "[2001:db8:1088:60:a::1] assigned, but move is not allowed."},
		{"its own", "UnassignPrivateIpAddresses", []string{holder, "PrivateIpAddress.1=10.88.60.215"}, 0,
			"InvalidParameterValue",
			"Some of the specified addresses are not assigned to interface eni-0b10c000000000001"},
		{"the primary IPv6 address", "UnassignIpv6Addresses",
			[]string{holder, "Ipv6Addresses.1=2001:db8:1088:60::200"}, 0, "InvalidParameterValue",
			"Value (2001:db8:1088:60::200) for parameter ipv6Addresses is invalid. The primary IPv6 " +
				"address of an interface cannot be unassigned."},
		{"the route of a further block", "DeleteRoute",
			[]string{"RouteTableId=rtb-0b10c000000000002", "DestinationCidrBlock=10.2.0.0/16"}, 0,
			"InvalidParameterValue",
			"cannot remove local route 10.2.0.0/16 in route table rtb-0b10c000000000002"},
	})
}
