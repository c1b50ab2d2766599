package api

import (
	"net/netip"
	"slices"

	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

type assignPrivateIPAddressesIn struct {
	NetworkInterfaceId             string `query:"required"`
	PrivateIpAddress               []string
	SecondaryPrivateIpAddressCount *int
	AllowReassignment              bool
	Ipv4Prefix                     []string `query:"unheld"`
	Ipv4PrefixCount                int      `query:"unheld"`
}

func (in *assignPrivateIPAddressesIn) resources(*world.World) []string {
	return []string{in.NetworkInterfaceId}
}

type assignedAddressXML struct {
	Address string `xml:"privateIpAddress"`
}

type assignPrivateIPAddressesOut struct {
	ID       string                          `xml:"networkInterfaceId"`
	Assigned query.Items[assignedAddressXML] `xml:"assignedPrivateIpAddressesSet"`
	Prefixes query.Items[string]             `xml:"assignedIpv4PrefixSet"`
}

const addressSources = "privateIpAddressSet or privateIpAddressCount or ipv4PrefixSet or " +
	"ipv4PrefixCount"

// toAssign returns the interface that addresses are assigned to. It refuses a request that lists
// addresses and gives a count, or does neither, and an interface that can have none.
func (c *call) toAssign(
	id string, listed, counted bool, sources string,
) (*world.Interface, error) {
	switch {
	case !listed && !counted:
		return nil, refusal.New("InvalidParameter", "One of %s must be specified.", sources)
	case listed && counted:
		return nil, refusal.New("InvalidParameterCombination",
			"You may specify one and only one of %s.", sources)
	}
	eni, err := c.OwnInterface(id)
	if err != nil {
		return nil, err
	}
	if eni.Type == world.EFAOnlyType {
		return nil, world.NoAddresses(eni)
	}
	return eni, nil
}

func assignPrivateIPAddresses(c *call, in *assignPrivateIPAddressesIn) (any, error) {
	listed, counted := len(in.PrivateIpAddress) > 0, in.SecondaryPrivateIpAddressCount != nil
	eni, err := c.toAssign(in.NetworkInterfaceId, listed, counted, addressSources)
	if err != nil {
		return nil, err
	}
	subnet := c.World.Subnets[eni.SubnetID]
	if subnet.IPv6Only() {
		// EC2's own text has not been seen; this follows the one of a subnet without IPv6.
		return nil, refusal.InvalidValue(
			"The subnet '%s' does not have an IPv4 CIDR block associated with it.", subnet.ID)
	}
	addresses := in.PrivateIpAddress
	if n := in.SecondaryPrivateIpAddressCount; n != nil {
		if *n < 1 {
			return nil, refusal.InvalidValue(
				"Invalid value '%d' for SecondaryPrivateIpAddressCount. Expecting a value of 1 or more.", *n)
		}
		if addresses = c.World.Free(subnet, *n); len(addresses) < *n {
			return nil, refusal.New("InsufficientFreeAddressesInSubnet",
				"The specified subnet does not have enough free addresses to satisfy the request.")
		}
	} else if addresses, err = parseInSubnet(addresses, subnet); err != nil {
		return nil, err
	}
	if err := c.Take(eni, addresses, in.AllowReassignment); err != nil {
		return nil, err
	}
	return assignPrivateIPAddressesOut{
		ID: eni.ID,
		Assigned: query.List(addresses, func(a string) assignedAddressXML {
			return assignedAddressXML{a}
		}),
	}, nil
}

// parseInSubnet returns the addresses, each once, when all of them may be given out in the subnet.
func parseInSubnet(addresses []string, subnet *world.Subnet) ([]string, error) {
	prefix := netip.MustParsePrefix(subnet.CIDR)
	var list []string
	for _, s := range addresses {
		a, ok := ipv4(s)
		if !ok {
			return nil, refusal.InvalidValue("invalid value for parameter address: %s", s)
		}
		if !prefix.Contains(a) {
			return nil, refusal.InvalidValue("Address does not fall within the subnet's address range")
		}
		if world.Reserved(prefix, a) {
			return nil, refusal.InvalidValue("Address %s is in subnet's reserved range.", a)
		}
		if !slices.Contains(list, a.String()) {
			list = append(list, a.String())
		}
	}
	return list, nil
}

func ipv4(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a, err == nil && a.Is4()
}

type unassignPrivateIPAddressesIn struct {
	NetworkInterfaceId string `query:"required"`
	PrivateIpAddress   []string
	Ipv4Prefix         []string `query:"unheld"`
}

func (in *unassignPrivateIPAddressesIn) resources(*world.World) []string {
	return []string{in.NetworkInterfaceId}
}

func unassignPrivateIPAddresses(c *call, in *unassignPrivateIPAddressesIn) (any, error) {
	if len(in.PrivateIpAddress) == 0 {
		return nil, refusal.Missing("PrivateIpAddress")
	}
	eni, err := c.OwnInterface(in.NetworkInterfaceId)
	if err != nil {
		return nil, err
	}
	for _, s := range in.PrivateIpAddress {
		a, ok := ipv4(s)
		if !ok {
			return nil, refusal.InvalidValue("invalid value for parameter address: %s", s)
		}
		if a.String() == eni.Primary() {
			return nil, refusal.InvalidValue("Value (%s) for parameter privateIpAddress is invalid. "+
				"The primary IP address of an interface cannot be unassigned.", s)
		}
		if !eni.Holds(a.String()) {
			return nil, refusal.InvalidValue(
				"Some of the specified addresses are not assigned to interface %s", eni.ID)
		}
	}
	c.Release(eni, in.PrivateIpAddress)
	return query.Done{Return: true}, nil
}
