package main

import (
	"github.com/rogpeppe/go-internal/testscript"

	"aws-provider-executor/pkg/ec2sim"
)

// ipv6OnlyBlock is the block of the IPv6-only subnet, and ipv6OnlyAddress one in it.
const (
	ipv6OnlyBlock   = "2001:db8:1088:99::/64"
	ipv6OnlyAddress = "2001:db8:1088:99::10"
)

func add(ts *testscript.TestScript, _ bool, args []string) {
	id := args[0]
	switch args[1] {
	case "ipv6-only":
		s := lab(ts).AddSubnet(ec2sim.Subnet{VPCID: ec2sim.LabVPC, IPv6CIDR: ipv6OnlyBlock})
		lab(ts).AddInterface(
			ec2sim.Interface{ID: id, SubnetID: s.ID, IPv6Addresses: []string{ipv6OnlyAddress}})
	case "efa-only":
		lab(ts).AddInterface(ec2sim.Interface{ID: id, SubnetID: ec2sim.LabSubnetA, Type: "efa-only"})
	default:
		ts.Fatalf("usage: add ENI ipv6-only|efa-only")
	}
}
