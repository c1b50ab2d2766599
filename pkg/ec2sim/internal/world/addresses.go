package world

import (
	"net/netip"
	"slices"
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
)

// OwnInterface returns an interface the account may change.
func (c *Change) OwnInterface(id string) (*Interface, error) {
	eni, err := Find(c.World.Interfaces, InterfaceIDs, id)
	if err != nil {
		return nil, err
	}
	if eni.managed() {
		return nil, errManaged(eni)
	}
	if c.World.Foreign(eni.ID) {
		return nil, errForeign()
	}
	return eni, nil
}

// Take gives the interface IPv4 addresses, each with the Elastic IP that is bound to it. It may
// take them from others only where reassign says so.
func (c *Change) Take(eni *Interface, addresses []string, reassign bool) error {
	if err := c.mayTake(eni, addresses, reassign); err != nil {
		return err
	}
	for _, a := range addresses {
		c.move(eni, a)
	}
	return nil
}

// mayTake refuses addresses that the interface may not have.
func (c *Change) mayTake(eni *Interface, addresses []string, reassign bool) error {
	var elsewhere []string
	more := 0
	for _, a := range addresses {
		if c.World.Delegatee(eni.SubnetID, a) != nil {
			return NoMove(a)
		}
		holder := c.World.Holder(eni.SubnetID, a)
		if holder != nil && holder.Primary() == a {
			return refusal.InvalidValue("secondary-addresses")
		}
		if holder != eni {
			more++
		}
		if holder != nil && holder != eni {
			elsewhere = append(elsewhere, a)
			if reassign && holder.managed() {
				return errManaged(holder)
			}
			if reassign && c.World.Foreign(holder.ID) {
				return errForeign()
			}
		}
	}
	if len(elsewhere) > 0 && !reassign {
		return NoMove(elsewhere...)
	}
	if eni.addressSlots(false)+more > c.addressLimit(eni) {
		return errAddressLimit()
	}
	return nil
}

// NoMove refuses addresses that others hold.
func NoMove(addresses ...string) *refusal.Error {
	return refusal.InvalidValue("[%s] assigned, but move is not allowed.",
		strings.Join(addresses, ", "))
}

// move gives the address to the interface, from whoever holds it, with the Elastic IP that is bound
// to it.
func (c *Change) move(eni *Interface, address string) {
	holder := c.World.Holder(eni.SubnetID, address)
	if holder == eni {
		return
	}
	if holder != nil {
		holder.drop(address)
		if bound := c.World.Association(holder.ID, address); bound != nil {
			bound.InterfaceID = eni.ID
		}
	}
	eni.PrivateAddresses = append(eni.PrivateAddresses, PrivateAddress{Address: address})
}

func (i *Interface) drop(address string) {
	i.PrivateAddresses = slices.DeleteFunc(i.PrivateAddresses, func(a PrivateAddress) bool {
		return a.Address == address
	})
}

// AddressesOf returns the private IPv4 addresses of the interface.
func AddressesOf(i *Interface) []string {
	var list []string
	for _, a := range i.PrivateAddresses {
		list = append(list, a.Address)
	}
	return list
}

// Free returns the lowest n addresses of the subnet that may be given out and that nobody holds.
func (w *World) Free(subnet *Subnet, n int) []string {
	if subnet.IPv6Only() {
		return nil
	}
	taken := map[string]bool{}
	var delegated []netip.Prefix
	for _, eni := range w.Interfaces {
		if eni.SubnetID != subnet.ID {
			continue
		}
		for _, a := range eni.PrivateAddresses {
			taken[a.Address] = true
		}
		for _, p := range eni.Prefixes {
			delegated = append(delegated, netip.MustParsePrefix(p))
		}
	}
	prefix := netip.MustParsePrefix(subnet.CIDR)
	var list []string
	for a := prefix.Addr(); prefix.Contains(a) && len(list) < n; a = a.Next() {
		given := slices.ContainsFunc(delegated, func(p netip.Prefix) bool { return p.Contains(a) })
		if !Reserved(prefix, a) && !taken[a.String()] && !given {
			list = append(list, a.String())
		}
	}
	return list
}

// Available counts the addresses of the subnet that may be given out and that nobody holds.
func (w *World) Available(subnet *Subnet) int {
	if subnet.IPv6Only() {
		return 0
	}
	prefix := netip.MustParsePrefix(subnet.CIDR)
	n := 1<<(prefix.Addr().BitLen()-prefix.Bits()) - 5
	for _, eni := range w.Interfaces {
		if eni.SubnetID == subnet.ID {
			n -= len(eni.PrivateAddresses) + 16*len(OfFamily(eni.Prefixes, false))
		}
	}
	return n
}

// Reserved reports whether AWS keeps the address for itself: the first four and the last of a
// subnet.
func Reserved(prefix netip.Prefix, a netip.Addr) bool {
	first := prefix.Masked().Addr()
	for range 4 {
		if a == first {
			return true
		}
		first = first.Next()
	}
	return !prefix.Contains(a.Next())
}

// FreeIPv6 returns the lowest n IPv6 addresses of the subnet that nobody holds.
func (w *World) FreeIPv6(subnet *Subnet, n int) []string {
	prefix := netip.MustParsePrefix(subnet.IPv6CIDR)
	var list []string
	for a := prefix.Addr(); prefix.Contains(a) && len(list) < n; a = a.Next() {
		if !Reserved(prefix, a) && w.Holder(subnet.ID, a.String()) == nil &&
			w.Delegatee(subnet.ID, a.String()) == nil {
			list = append(list, a.String())
		}
	}
	return list
}

// TakeIPv6 gives the interface IPv6 addresses that nobody else holds.
func (c *Change) TakeIPv6(eni *Interface, addresses []string) error {
	held := eni.IPv6Addresses
	for _, a := range addresses {
		if !slices.Contains(held, a) {
			held = append(held, a)
		}
	}
	if len(held)+len(OfFamily(eni.Prefixes, true)) > c.addressLimit(eni) {
		return refusal.New("PrivateIpAddressLimitExceeded", "Number of IPv6 addresses will exceed limit.")
	}
	eni.IPv6Addresses = held
	return nil
}

// Release takes IPv4 addresses from the interface. What is bound to them is bound to nothing then.
func (c *Change) Release(eni *Interface, addresses []string) {
	for _, a := range addresses {
		eni.drop(a)
		if bound := c.World.Association(eni.ID, a); bound != nil {
			bound.unbind()
		}
	}
}
