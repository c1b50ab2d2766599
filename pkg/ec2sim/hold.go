package ec2sim

import (
	"net/netip"
	"slices"
	"strings"
)

// ownInterface returns an interface the account may change.
func (c *change) ownInterface(id string) (*Interface, error) {
	eni, err := find(c.w.interfaces, interfaceIDs, id)
	if err != nil {
		return nil, err
	}
	if eni.managed() {
		return nil, errManaged(eni)
	}
	if c.w.foreign(eni.ID) {
		return nil, errForeign()
	}
	return eni, nil
}

// take gives the interface IPv4 addresses, each with the Elastic IP that is bound to it. It may take
// them from others only where reassign says so.
func (c *change) take(eni *Interface, addresses []string, reassign bool) error {
	if err := c.mayTake(eni, addresses, reassign); err != nil {
		return err
	}
	for _, a := range addresses {
		c.move(eni, a)
	}
	return nil
}

// mayTake refuses addresses that the interface may not have.
func (c *change) mayTake(eni *Interface, addresses []string, reassign bool) error {
	var elsewhere []string
	more := 0
	for _, a := range addresses {
		if c.w.delegatee(eni.SubnetID, a) != nil {
			return errNoMove(a)
		}
		holder := c.w.holder(eni.SubnetID, a)
		if holder != nil && holder.primary() == a {
			return invalidValue("secondary-addresses")
		}
		if holder != eni {
			more++
		}
		if holder != nil && holder != eni {
			elsewhere = append(elsewhere, a)
			if reassign && holder.managed() {
				return errManaged(holder)
			}
			if reassign && c.w.foreign(holder.ID) {
				return errForeign()
			}
		}
	}
	if len(elsewhere) > 0 && !reassign {
		return errNoMove(elsewhere...)
	}
	if eni.addressSlots(false)+more > c.addressLimit(eni) {
		return errAddressLimit()
	}
	return nil
}

func errNoMove(addresses ...string) *Error {
	return invalidValue("[%s] assigned, but move is not allowed.", strings.Join(addresses, ", "))
}

// move gives the address to the interface, from whoever holds it, with the Elastic IP that is bound to it.
func (c *change) move(eni *Interface, address string) {
	holder := c.w.holder(eni.SubnetID, address)
	if holder == eni {
		return
	}
	if holder != nil {
		holder.drop(address)
		if bound := c.w.association(holder.ID, address); bound != nil {
			bound.InterfaceID = eni.ID
		}
	}
	eni.PrivateAddresses = append(eni.PrivateAddresses, PrivateAddress{Address: address})
}

func (i *Interface) drop(address string) {
	i.PrivateAddresses = slices.DeleteFunc(i.PrivateAddresses, func(a PrivateAddress) bool { return a.Address == address })
}

func addressesOf(i *Interface) []string {
	var list []string
	for _, a := range i.PrivateAddresses {
		list = append(list, a.Address)
	}
	return list
}

// free returns the lowest n addresses of the subnet that may be given out and that nobody holds.
func (w *world) free(subnet *Subnet, n int) []string {
	taken := map[string]bool{}
	for _, eni := range w.interfaces {
		if eni.SubnetID == subnet.ID {
			for _, a := range eni.PrivateAddresses {
				taken[a.Address] = true
			}
		}
	}
	if subnet.ipv6Only() {
		return nil
	}
	prefix := netip.MustParsePrefix(subnet.CIDR)
	var list []string
	for a := prefix.Addr(); prefix.Contains(a) && len(list) < n; a = a.Next() {
		if !reserved(prefix, a) && !taken[a.String()] && w.delegatee(subnet.ID, a.String()) == nil {
			list = append(list, a.String())
		}
	}
	return list
}

// available counts the addresses of the subnet that may be given out and that nobody holds.
func (w *world) available(subnet *Subnet) int {
	if subnet.ipv6Only() {
		return 0
	}
	prefix := netip.MustParsePrefix(subnet.CIDR)
	n := 1<<(prefix.Addr().BitLen()-prefix.Bits()) - 5
	for _, eni := range w.interfaces {
		if eni.SubnetID == subnet.ID {
			n -= len(eni.PrivateAddresses) + 16*len(ofFamily(eni.Prefixes, false))
		}
	}
	return n
}

// reserved says whether AWS keeps the address for itself: the first four and the last of a subnet.
func reserved(prefix netip.Prefix, a netip.Addr) bool {
	first := prefix.Masked().Addr()
	for range 4 {
		if a == first {
			return true
		}
		first = first.Next()
	}
	return !prefix.Contains(a.Next())
}

// freeIPv6 returns the lowest n IPv6 addresses of the subnet that nobody holds.
func (w *world) freeIPv6(subnet *Subnet, n int) []string {
	prefix := netip.MustParsePrefix(subnet.IPv6CIDR)
	var list []string
	for a := prefix.Addr(); prefix.Contains(a) && len(list) < n; a = a.Next() {
		if !reserved(prefix, a) && w.holder(subnet.ID, a.String()) == nil && w.delegatee(subnet.ID, a.String()) == nil {
			list = append(list, a.String())
		}
	}
	return list
}

// takeIPv6 gives the interface IPv6 addresses that nobody else holds.
func (c *change) takeIPv6(eni *Interface, addresses []string) error {
	held := eni.IPv6Addresses
	for _, a := range addresses {
		if !slices.Contains(held, a) {
			held = append(held, a)
		}
	}
	if len(held)+len(ofFamily(eni.Prefixes, true)) > c.addressLimit(eni) {
		return refuse("PrivateIpAddressLimitExceeded", "Number of IPv6 addresses will exceed limit.")
	}
	eni.IPv6Addresses = held
	return nil
}

// release takes IPv4 addresses from the interface. What is bound to them is bound to nothing then.
func (c *change) release(eni *Interface, addresses []string) {
	for _, a := range addresses {
		eni.drop(a)
		if bound := c.w.association(eni.ID, a); bound != nil {
			bound.AssociationID, bound.InterfaceID, bound.PrivateIP = "", "", ""
		}
	}
}
