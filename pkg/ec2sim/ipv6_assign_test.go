package ec2sim_test

import (
	"strings"
	"testing"

	"aws-provider-executor/pkg/ec2sim"
)

func TestIPv6Refusals(t *testing.T) {
	const assign, unassign = "AssignIpv6Addresses", "UnassignIpv6Addresses"
	a, b, c := eniParam(ec2sim.LabRouterAInterface), eniParam(ec2sim.LabRouterBInterface),
		eniParam(ec2sim.LabRouterCInterface)
	lab(t).refuses(t, []refusal{
		{"nothing to assign", assign, []string{b}, 0, "InvalidParameter",
			"One of ipv6Addresses or ipv6AddressCount or ipv6PrefixSet or ipv6PrefixCount must be " +
				"specified."},
		{"list and count", assign,
			[]string{b, "Ipv6Addresses.1=2001:db8:1088:60::9", "Ipv6AddressCount=1"}, 0,
			"InvalidParameterCombination",
			"You may specify one and only one of ipv6Addresses or ipv6AddressCount or ipv6PrefixSet or " +
				"ipv6PrefixCount."},
		{"singular name", assign, []string{b, "Ipv6Address.1=2001:db8:1088:60::9"}, 0,
			"UnknownParameter", "The parameter Ipv6Address.1 is not recognized"},
		{"no DryRun", assign, []string{b, "Ipv6AddressCount=1", "DryRun=true"}, 0,
			"UnknownParameter", "The parameter DryRun is not recognized"},
		{"subnet without IPv6", assign, []string{c, "Ipv6AddressCount=1"}, 0, "InvalidParameterValue",
			"The subnet '" + ec2sim.LabSubnetC + "' does not have an IPv6 CIDR block associated with it."},
		{"unparsable", assign, []string{b, "Ipv6Addresses.1=10.88.60.9"}, 0,
			"InvalidParameterValue", "invalid value for parameter address: 10.88.60.9"},
		{"outside the subnet", assign, []string{b, "Ipv6Addresses.1=2001:db8::9"}, 0,
			"InvalidParameterValue", "Address does not fall within the subnet's address range"},
		{"reserved", assign, []string{b, "Ipv6Addresses.1=2001:db8:1088:60::3"}, 0,
			"InvalidParameterValue", "Address 2001:db8:1088:60::3 is in subnet's reserved range."},
		{"another's", assign, []string{b, "Ipv6Addresses.1=2001:db8:1088:60::11"}, 0,
			"InvalidParameterValue", "[2001:db8:1088:60::11] assigned, but move is not allowed."},
		{"over the limit", assign, []string{a, "Ipv6AddressCount=6"}, 0,
			"PrivateIpAddressLimitExceeded", "Number of IPv6 addresses will exceed limit."},
		{"none", assign, []string{a, "Ipv6AddressCount=0"}, 0, "InvalidParameterValue",
			"Invalid value '0' for Ipv6AddressCount."},
		{"nothing to unassign", unassign, []string{a}, 0, "MissingParameter",
			"The request must contain the parameter ipv6Addresses"},
		{"not assigned", unassign, []string{b, "Ipv6Addresses.1=2001:db8:1088:60::11"}, 0,
			"InvalidParameterValue",
			"Some of the specified addresses are not assigned to interface " + ec2sim.LabRouterBInterface},
	})
}

func TestIPv6(t *testing.T) {
	p := lab(t)
	a := eniParam(ec2sim.LabRouterAInterface)
	held := func(want string) {
		t.Helper()
		if got := strings.Join(p.eni(ec2sim.LabRouterAInterface).IPv6Addresses, " "); got != want {
			t.Errorf("holds %s, want %s", got, want)
		}
	}
	r := p.ok("AssignIpv6Addresses", a, "Ipv6Addresses.1=2001:DB8:1088:60:0::9")
	if got := r.one("assignedIpv6Addresses/item"); got != "2001:db8:1088:60::9" {
		t.Errorf("echoed %s", got)
	}
	held("2001:db8:1088:60::9 2001:db8:1088:60::11")
	r = p.ok("AssignIpv6Addresses", a, "Ipv6AddressCount=1")
	if got := r.one("assignedIpv6Addresses/item"); got != "2001:db8:1088:60::4" {
		t.Errorf("echoed %s", got)
	}
	p.ok("AssignIpv6Addresses", a, "Ipv6Addresses.1=2001:db8:1088:60::9")
	r = p.ok("UnassignIpv6Addresses", a, "Ipv6Addresses.1=2001:db8:1088:60::9",
		"Ipv6Addresses.2=2001:db8:1088:60::4")
	if got := r.one("unassignedIpv6Addresses/item"); got != "2001:db8:1088:60::9,2001:db8:1088:60::4" {
		t.Errorf("echoed %s", got)
	}
	held("2001:db8:1088:60::11")
}
