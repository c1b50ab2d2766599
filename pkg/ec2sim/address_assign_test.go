package ec2sim_test

import (
	"fmt"
	"testing"

	"aws-provider-executor/pkg/ec2sim"
)

func eniParam(id string) string { return "NetworkInterfaceId=" + id }

func TestAssignRefusals(t *testing.T) {
	const op = "AssignPrivateIpAddresses"
	p := lab(t)
	a, b := eniParam(ec2sim.LabRouterAInterface), eniParam(ec2sim.LabRouterBInterface)
	p.ok(op, a, "SecondaryPrivateIpAddressCount=5") // to the limit of a t3.medium

	p.refuses(t, []refusal{
		{"no interface", op, []string{"PrivateIpAddress.1=10.88.60.9"}, 0,
			"MissingParameter", "The request must contain the parameter networkInterfaceId"},
		{"malformed interface", op,
			[]string{"NetworkInterfaceId=foo", "PrivateIpAddress.1=10.88.60.9"}, 0,
			"InvalidNetworkInterfaceId.Malformed", `Invalid id: "foo" (expecting "eni-...")`},
		{"malformed digits", op,
			[]string{"NetworkInterfaceId=eni-12", "PrivateIpAddress.1=10.88.60.9"}, 0,
			"InvalidNetworkInterfaceId.Malformed", `Invalid id: "eni-12"`},
		{"unknown interface", op,
			[]string{"NetworkInterfaceId=eni-0123456789abcdef0", "PrivateIpAddress.1=10.88.60.9"}, 0,
			"InvalidNetworkInterfaceID.NotFound",
			"The networkInterface ID 'eni-0123456789abcdef0' does not exist"},
		{"nothing to assign", op, []string{b}, 0, "InvalidParameter",
			"One of privateIpAddressSet or privateIpAddressCount or ipv4PrefixSet or ipv4PrefixCount " +
				"must be specified."},
		{"list and count", op,
			[]string{b, "PrivateIpAddress.1=10.88.60.9", "SecondaryPrivateIpAddressCount=1"}, 0,
			"InvalidParameterCombination", "You may specify one and only one of privateIpAddressSet or " +
				"privateIpAddressCount or ipv4PrefixSet or ipv4PrefixCount."},
		{"unparsable", op, []string{b, "PrivateIpAddress.1=10.88.60"}, 0,
			"InvalidParameterValue", "invalid value for parameter address: 10.88.60"},
		{"IPv6", op, []string{b, "PrivateIpAddress.1=2001:db8::1"}, 0,
			"InvalidParameterValue", "invalid value for parameter address: 2001:db8::1"},
		{"outside the subnet", op, []string{b, "PrivateIpAddress.1=10.88.61.9"}, 0,
			"InvalidParameterValue", "Address does not fall within the subnet's address range"},
		{"network address", op, []string{b, "PrivateIpAddress.1=10.88.60.0"}, 0,
			"InvalidParameterValue", "Address 10.88.60.0 is in subnet's reserved range."},
		{"fourth address", op, []string{b, "PrivateIpAddress.1=10.88.60.3"}, 0,
			"InvalidParameterValue", "Address 10.88.60.3 is in subnet's reserved range."},
		{"last address", op, []string{b, "PrivateIpAddress.1=10.88.60.255"}, 0,
			"InvalidParameterValue", "Address 10.88.60.255 is in subnet's reserved range."},
		{"held by another", op,
			[]string{eniParam(ec2sim.LabDBInterface0), "PrivateIpAddress.1=10.88.60.99",
				"PrivateIpAddress.2=" + ec2sim.LabServiceAddress}, 0,
			"InvalidParameterValue", "[10.88.60.100] assigned, but move is not allowed."},
		{"several held by others", op,
			[]string{eniParam(ec2sim.LabDBInterface0), "PrivateIpAddress.1=10.88.60.4",
				"PrivateIpAddress.2=" + ec2sim.LabServiceAddress}, 0,
			"InvalidParameterValue", "[10.88.60.4, 10.88.60.100] assigned, but move is not allowed."},
		{"primary of another", op, []string{b, "PrivateIpAddress.1=10.88.60.11"}, 0,
			"InvalidParameterValue", "secondary-addresses"},
		{"primary of another, reassigning", op,
			[]string{b, "PrivateIpAddress.1=10.88.60.11", "AllowReassignment=true"}, 0,
			"InvalidParameterValue", "secondary-addresses"},
		{"over the limit", op, []string{a, "PrivateIpAddress.1=10.88.60.9"}, 0,
			"PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit."},
		{"over the limit, reassigning", op,
			[]string{a, "PrivateIpAddress.1=10.88.60.100", "AllowReassignment=true"}, 0,
			"PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit."},
		{"managed by a service", op,
			[]string{eniParam(ec2sim.LabManagedInterface), "PrivateIpAddress.1=10.88.61.9"}, 0,
			"OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments."},
		{"no DryRun", op, []string{b, "PrivateIpAddress.1=10.88.60.9", "DryRun=true"}, 0,
			"UnknownParameter", "The parameter DryRun is not recognized"},
		{"misspelt parameter", op, []string{b, "PrivateIpAddresses.1=10.88.60.9"}, 0,
			"UnknownParameter", "The parameter PrivateIpAddresses.1 is not recognized"},
		{"not a boolean", op, []string{b, "PrivateIpAddress.1=10.88.60.9", "AllowReassignment=yes"}, 0,
			"InvalidParameterValue",
			"Invalid value 'yes' for AllowReassignment. Expecting a value of type boolean."},
		{"prefixes, which the stand-in has not", op, []string{b, "Ipv4PrefixCount=1"}, 0,
			"UnsupportedOperation", "ec2sim does not implement the parameter Ipv4PrefixCount."},
		{"more than the subnet has", op,
			[]string{eniParam(ec2sim.LabSpareInterface), "SecondaryPrivateIpAddressCount=300"}, 0,
			"InsufficientFreeAddressesInSubnet",
			"The specified subnet does not have enough free addresses to satisfy the request."},
		{"over the limit unattached", op,
			[]string{eniParam(ec2sim.LabSpareInterface), "SecondaryPrivateIpAddressCount=50"}, 0,
			"PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit."},
	})
}

func TestAssign(t *testing.T) {
	const op = "AssignPrivateIpAddresses"
	a, b := ec2sim.LabRouterAInterface, ec2sim.LabRouterBInterface
	tests := []struct {
		name   string
		params []string
		echoed string
		heldA  string
		heldB  string
	}{
		{"free address", []string{eniParam(a), "PrivateIpAddress.1=10.88.60.9"},
			"10.88.60.9", "10.88.60.11 10.88.60.9", "10.88.60.12 10.88.60.100"},
		{"two at once, out of order",
			[]string{eniParam(a), "PrivateIpAddress.2=10.88.60.9", "PrivateIpAddress.7=10.88.60.8"},
			"10.88.60.9,10.88.60.8", "10.88.60.11 10.88.60.8 10.88.60.9", "10.88.60.12 10.88.60.100"},
		{"by number", []string{eniParam(a), "SecondaryPrivateIpAddressCount=2"},
			"10.88.60.4,10.88.60.5", "10.88.60.11 10.88.60.4 10.88.60.5", "10.88.60.12 10.88.60.100"},
		{"there already", []string{eniParam(b), "PrivateIpAddress.1=10.88.60.100"},
			"10.88.60.100", "10.88.60.11", "10.88.60.12 10.88.60.100"},
		{"moved", []string{eniParam(a), "PrivateIpAddress.1=10.88.60.100", "AllowReassignment=true"},
			"10.88.60.100", "10.88.60.11 10.88.60.100", "10.88.60.12"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := lab(t)
			r := p.ok(op, tt.params...)
			if got := r.one("assignedPrivateIpAddressesSet/item/privateIpAddress"); got != tt.echoed {
				t.Errorf("echoed %q, want %q", got, tt.echoed)
			}
			if got := p.held(a); got != tt.heldA {
				t.Errorf("router-a holds %q, want %q", got, tt.heldA)
			}
			if got := p.held(b); got != tt.heldB {
				t.Errorf("router-b holds %q, want %q", got, tt.heldB)
			}
		})
	}
}

func TestElasticIPFollowsItsAddress(t *testing.T) {
	p := lab(t)
	p.sim.Region(ec2sim.LabRegion).AddAddress(ec2sim.Address{
		AllocationID: "eipalloc-01088600000000100", PublicIP: "203.0.113.100",
		InterfaceID: ec2sim.LabRouterBInterface, PrivateIP: ec2sim.LabServiceAddress,
	})
	bound := func() string {
		state := p.sim.Region(ec2sim.LabRegion).State()
		a := the(t, state.Addresses, func(a ec2sim.Address) bool { return a.PublicIP == "203.0.113.100" })
		return a.InterfaceID + " " + a.PrivateIP
	}
	p.ok("AssignPrivateIpAddresses", eniParam(ec2sim.LabRouterAInterface),
		"PrivateIpAddress.1="+ec2sim.LabServiceAddress, "AllowReassignment=true")
	if got, want := bound(), ec2sim.LabRouterAInterface+" "+ec2sim.LabServiceAddress; got != want {
		t.Errorf("bound to %q, want %q", got, want)
	}
	p.ok("UnassignPrivateIpAddresses", eniParam(ec2sim.LabRouterAInterface),
		"PrivateIpAddress.1="+ec2sim.LabServiceAddress)
	if got := bound(); got != " " {
		t.Errorf("bound to %q after the address went away", got)
	}
}

func TestAddressLimitFollowsTheInstanceType(t *testing.T) {
	for kind, limit := range map[string]int{"t3.micro": 2, "t3.medium": 6, "m5.large": 10,
		"z9.unheard-of": 10} {
		t.Run(kind, func(t *testing.T) {
			p := lab(t)
			p.sim.Region(ec2sim.LabRegion).EditInstance(ec2sim.LabRouterA, func(i *ec2sim.Instance) {
				i.Type = kind
			})
			a := eniParam(ec2sim.LabRouterAInterface)
			p.ok("AssignPrivateIpAddresses", a, fmt.Sprintf("SecondaryPrivateIpAddressCount=%d", limit-1))
			if r := p.call("AssignPrivateIpAddresses", a, "SecondaryPrivateIpAddressCount=1"); r.code !=
				"PrivateIpAddressLimitExceeded" {
				t.Errorf("one above %d addresses: %s", limit, r.code)
			}
		})
	}
}

func TestUnassignRefusals(t *testing.T) {
	const op = "UnassignPrivateIpAddresses"
	b := eniParam(ec2sim.LabRouterBInterface)
	lab(t).refuses(t, []refusal{
		{"nothing to unassign", op, []string{b}, 0,
			"MissingParameter", "The request must contain the parameter privateIpAddress"},
		{"not assigned", op,
			[]string{b, "PrivateIpAddress.1=10.88.60.100", "PrivateIpAddress.2=10.88.60.9"}, 0,
			"InvalidParameterValue",
			"Some of the specified addresses are not assigned to interface eni-01088600000000012"},
		{"another's", op, []string{eniParam(ec2sim.LabRouterAInterface),
			"PrivateIpAddress.1=10.88.60.100"}, 0,
			"InvalidParameterValue",
			"Some of the specified addresses are not assigned to interface eni-01088600000000011"},
		{"primary", op, []string{b, "PrivateIpAddress.1=10.88.60.12"}, 0, "InvalidParameterValue",
			"Value (10.88.60.12) for parameter privateIpAddress is invalid. The primary IP address of an " +
				"interface cannot be unassigned."},
		{"unparsable", op, []string{b, "PrivateIpAddress.1=x"}, 0,
			"InvalidParameterValue", "invalid value for parameter address: x"},
		{"unknown interface", op,
			[]string{"NetworkInterfaceId=eni-0123456789abcdef0", "PrivateIpAddress.1=10.88.60.9"}, 0,
			"InvalidNetworkInterfaceID.NotFound",
			"The networkInterface ID 'eni-0123456789abcdef0' does not exist"},
		{"no DryRun", op, []string{b, "PrivateIpAddress.1=10.88.60.100", "DryRun=true"}, 0,
			"UnknownParameter", "The parameter DryRun is not recognized"},
		{"managed by a service", op,
			[]string{eniParam(ec2sim.LabManagedInterface), "PrivateIpAddress.1=10.88.61.9"}, 0,
			"OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments."},
	})
}

func TestUnassign(t *testing.T) {
	p := lab(t)
	r := p.ok("UnassignPrivateIpAddresses", eniParam(ec2sim.LabRouterBInterface),
		"PrivateIpAddress.1=10.88.60.100")
	if r.one("return") != "true" {
		t.Errorf("answered %s", r.body)
	}
	if got := p.held(ec2sim.LabRouterBInterface); got != "10.88.60.12" {
		t.Errorf("router-b holds %q", got)
	}
}
