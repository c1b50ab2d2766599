package api

import (
	"net/netip"
	"slices"

	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// The texts of these refusals have not been seen on the real EC2; they follow the IPv4 ones.

type assignIPv6AddressesIn struct {
	NetworkInterfaceId string `query:"required"`
	Ipv6Addresses      []string
	Ipv6AddressCount   *int
	Ipv6Prefix         []string `query:"unheld"`
	Ipv6PrefixCount    int      `query:"unheld"`
}

func (in *assignIPv6AddressesIn) resources(*world.World) []string {
	return []string{in.NetworkInterfaceId}
}

type assignIPv6AddressesOut struct {
	ID       string              `xml:"networkInterfaceId"`
	Assigned query.Items[string] `xml:"assignedIpv6Addresses"`
	Prefixes query.Items[string] `xml:"assignedIpv6PrefixSet"`
}

const ipv6Sources = "ipv6Addresses or ipv6AddressCount or ipv6PrefixSet or ipv6PrefixCount"

func assignIPv6Addresses(c *call, in *assignIPv6AddressesIn) (any, error) {
	listed, counted := len(in.Ipv6Addresses) > 0, in.Ipv6AddressCount != nil
	eni, err := c.toAssign(in.NetworkInterfaceId, listed, counted, ipv6Sources)
	if err != nil {
		return nil, err
	}
	subnet := c.World.Subnets[eni.SubnetID]
	if subnet.IPv6CIDR == "" {
		return nil, refusal.InvalidValue(
			"The subnet '%s' does not have an IPv6 CIDR block associated with it.", subnet.ID)
	}
	addresses := in.Ipv6Addresses
	if n := in.Ipv6AddressCount; n != nil {
		if *n < 1 || *n > world.UnattachedLimit {
			return nil, refusal.InvalidValue("Invalid value '%d' for Ipv6AddressCount.", *n)
		}
		addresses = c.World.FreeIPv6(subnet, *n)
	} else if addresses, err = c.parseIPv6(addresses, subnet, eni); err != nil {
		return nil, err
	}
	if err := c.TakeIPv6(eni, addresses); err != nil {
		return nil, err
	}
	return assignIPv6AddressesOut{ID: eni.ID, Assigned: query.Items[string]{Item: addresses}}, nil
}

// parseIPv6 returns the addresses in canonical form, each once, when the interface may have them.
func (c *call) parseIPv6(
	addresses []string, subnet *world.Subnet, eni *world.Interface,
) ([]string, error) {
	prefix := netip.MustParsePrefix(subnet.IPv6CIDR)
	var list, elsewhere []string
	for _, s := range addresses {
		a, ok := ipv6(s)
		if !ok {
			return nil, refusal.InvalidValue("invalid value for parameter address: %s", s)
		}
		if !prefix.Contains(a) {
			return nil, refusal.InvalidValue("Address does not fall within the subnet's address range")
		}
		if world.Reserved(prefix, a) {
			return nil, refusal.InvalidValue("Address %s is in subnet's reserved range.", a)
		}
		if holder := c.World.Holder(subnet.ID, a.String()); holder != nil && holder != eni ||
			c.World.Delegatee(subnet.ID, a.String()) != nil {
			elsewhere = append(elsewhere, a.String())
		}
		if !slices.Contains(list, a.String()) {
			list = append(list, a.String())
		}
	}
	if len(elsewhere) > 0 {
		return nil, world.NoMove(elsewhere...)
	}
	return list, nil
}

func ipv6(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a, err == nil && a.Is6() && !a.Is4In6() && a.Zone() == ""
}

type unassignIPv6AddressesIn struct {
	NetworkInterfaceId string `query:"required"`
	Ipv6Addresses      []string
	Ipv6Prefix         []string `query:"unheld"`
}

func (in *unassignIPv6AddressesIn) resources(*world.World) []string {
	return []string{in.NetworkInterfaceId}
}

type unassignIPv6AddressesOut struct {
	ID         string              `xml:"networkInterfaceId"`
	Unassigned query.Items[string] `xml:"unassignedIpv6Addresses"`
	Prefixes   query.Items[string] `xml:"unassignedIpv6PrefixSet"`
}

func unassignIPv6Addresses(c *call, in *unassignIPv6AddressesIn) (any, error) {
	if len(in.Ipv6Addresses) == 0 {
		return nil, refusal.Missing("Ipv6Addresses")
	}
	eni, err := c.OwnInterface(in.NetworkInterfaceId)
	if err != nil {
		return nil, err
	}
	var gone []string
	for _, s := range in.Ipv6Addresses {
		a, ok := ipv6(s)
		if !ok {
			return nil, refusal.InvalidValue("invalid value for parameter address: %s", s)
		}
		if a.String() == eni.PrimaryIPv6 {
			return nil, refusal.InvalidValue("Value (%s) for parameter ipv6Addresses is invalid. "+
				"The primary IPv6 address of an interface cannot be unassigned.", s)
		}
		if !slices.Contains(eni.IPv6Addresses, a.String()) {
			return nil, refusal.InvalidValue(
				"Some of the specified addresses are not assigned to interface %s", eni.ID)
		}
		if !slices.Contains(gone, a.String()) {
			gone = append(gone, a.String())
		}
	}
	eni.IPv6Addresses = slices.DeleteFunc(eni.IPv6Addresses, func(a string) bool {
		return slices.Contains(gone, a)
	})
	return unassignIPv6AddressesOut{ID: eni.ID, Unassigned: query.Items[string]{Item: gone}}, nil
}
