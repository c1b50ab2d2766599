package ec2checks

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"aws-provider-executor/pkg/awsec2/ec2model"
)

func lookInSubnet(s *subject) finding {
	n, err := s.readInterface()
	if err != nil {
		return unread(err)
	}
	if n.NoAddresses {
		return fail(n.ID+" is of type efa-only, which has no addresses", "name another interface")
	}
	subnet, err := s.readSubnet()
	if err != nil {
		return unread(err)
	}
	a := netip.MustParseAddr(s.address())
	blocks := subnet.IPv6CIDRs
	if a.Is4() {
		blocks = []string{subnet.CIDR}
	}
	for _, text := range blocks {
		block, err := netip.ParsePrefix(text)
		if err != nil || !block.Contains(a) {
			continue
		}
		if reserved(block, a) {
			return fail(fmt.Sprintf("%s is one of the addresses that AWS reserves in %s", a, block),
				"the first four and the last can't be assigned: name another one")
		}
		return pass(fmt.Sprintf("%s is in %s, the block of %s", a, block, subnet.ID)).
			with("block", block.String())
	}
	return fail(fmt.Sprintf("%s is in no block of %s (%s)", a, subnet.ID,
		strings.Join(slices.DeleteFunc(slices.Clone(blocks), isEmpty), ", ")),
		"name an address of the subnet, or an interface of another one")
}

func isEmpty(s string) bool { return s == "" }

// reserved reports whether AWS keeps an address of a block: the first four, and the last.
func reserved(block netip.Prefix, a netip.Addr) bool {
	first := block.Masked().Addr()
	for range 4 {
		if a == first {
			return true
		}
		first = first.Next()
	}
	next := a.Next()
	return !next.IsValid() || !block.Contains(next)
}

func lookHolder(s *subject) finding {
	n, err := s.readInterface()
	if err != nil {
		return unread(err)
	}
	ip := s.address()
	in, err := s.inSubnet(n.SubnetID)
	if err != nil {
		return unread(err)
	}
	holders, err := s.holders(n, in)
	if err != nil {
		return unread(err)
	}
	var ids []string
	for _, h := range holders {
		ids = append(ids, h.ID)
	}
	switch {
	case len(holders) > 1:
		return fail(ip+" is held by "+strings.Join(sorted(ids), " and "),
			"run it again; if it stays so, look at the account").with("holders", sorted(ids))
	case len(holders) == 1 && holders[0].ID != n.ID:
		return s.heldBy(holders[0]).with("holders", sorted(ids))
	case len(holders) == 1 && n.HasAsPrimary(ip):
		return fail(ip+" is the primary address of "+n.ID+" itself", "name another address").
			with("holders", sorted(ids))
	case len(holders) == 1:
		return pass(n.ID+" holds "+ip+" itself").with("holders", sorted(ids))
	}
	return s.delegated(in).with("holders", []string{})
}

// holders are the interfaces that have the address: those that EC2 finds by it, and those that are
// read to have it.
func (s *subject) holders(
	own ec2model.InterfaceDetail, in subnetInterfaces,
) ([]ec2model.NetworkInterface, error) {
	ip := s.address()
	found, err := once(s, own.VPCID+" "+ip,
		func(ctx context.Context, r Reader) ([]ec2model.NetworkInterface, error) {
			return r.DescribeNetworkInterfacesWithAddress(ctx, own.VPCID, ip)
		})
	if err != nil {
		return nil, err
	}
	holders := slices.Clone(found)
	for _, n := range append(slices.Clone(in.found), own.NetworkInterface) {
		known := slices.ContainsFunc(holders, func(h ec2model.NetworkInterface) bool {
			return h.ID == n.ID
		})
		if n.Has(ip) && !known {
			holders = append(holders, n)
		}
	}
	return holders, nil
}

// heldBy judges that another interface holds the address.
func (s *subject) heldBy(h ec2model.NetworkInterface) finding {
	seen := s.address() + " is held by " + h.ID
	expected := s.req.Parameters["expectedHolderRef"]
	switch {
	case h.HasAsPrimary(s.address()):
		return fail(seen+" as its primary address", "it can't be taken: name another address")
	case h.RequesterManaged:
		return fail(seen+", which an AWS service owns", "it can't be taken: name another address")
	case expected != "" && expected != h.ID:
		return fail(seen+", not by "+expected+" as expected",
			"look who moved it, then name the right expectedHolderRef")
	case !s.req.Bool("allowReassignment"):
		return fail(seen+" as a secondary address",
			"name another address, or say allowReassignment=true to take it from there")
	}
	return warn(seen+" as a secondary address, and would be taken from it",
		"see that the holder may lose it; the undo gives it back")
}

// subnetInterfaces are interfaces of a subnet, and whether those are all.
type subnetInterfaces struct {
	found []ec2model.NetworkInterface
	all   bool
}

func (s *subject) inSubnet(id string) (subnetInterfaces, error) {
	return once(s, "interfaces of "+id,
		func(ctx context.Context, r Reader) (in subnetInterfaces, err error) {
			in.found, in.all, err = r.DescribeNetworkInterfacesOfSubnet(ctx, id)
			return in, err
		})
}

// delegated judges an address that no interface holds by itself: it may be in a block that is
// delegated to one.
func (s *subject) delegated(in subnetInterfaces) finding {
	ip := s.address()
	for _, n := range in.found {
		if block, is := n.Delegated(ip); is {
			return fail(fmt.Sprintf("%s is in %s, which is delegated to %s whole", ip, block, n.ID),
				"name another address")
		}
	}
	if !in.all {
		return unknown(ip+" is held by nobody, and the subnet has more interfaces than one answer "+
			"holds: whether it is in a block that is delegated to one was not looked for",
			"EC2 refuses it if it is")
	}
	return pass(ip + " is free")
}

func lookAddressRoom(s *subject) finding {
	n, err := s.readInterface()
	if err != nil {
		return unread(err)
	}
	has, family := slotsOf(n, s.address())
	if n.Has(s.address()) {
		return pass(n.ID + " has the address already, and needs no more room")
	}
	id, _ := s.instanceID() // the interface was read
	if id == "" {
		return warn(fmt.Sprintf("%s has %d %s addresses and is attached to no instance", n.ID, has,
			family), "an instance that it is attached to later has to have room for them")
	}
	i, err := s.readInstance(id)
	if err != nil {
		return unread(err)
	}
	limits, err := once(s, "type "+i.Type,
		func(ctx context.Context, r Reader) (ec2model.TypeLimits, error) {
			return r.InstanceTypeLimits(ctx, i.Type)
		})
	if err != nil {
		return unread(err)
	}
	limit := limits.IPv6
	if family == "IPv4" {
		limit = limits.IPv4
	}
	seen := fmt.Sprintf("%s has %d of %d %s addresses that a %s allows an interface",
		n.ID, has, limit, family, i.Type)
	facts := []any{"has", has, "limit", limit, "type", i.Type, "family", family}
	if has >= limit {
		return fail(seen, "take an address off it, or use a larger type").with(facts...)
	}
	return pass(seen).with(facts...)
}

// slotsOf counts the addresses and delegated blocks of the address's family that an interface has.
func slotsOf(n ec2model.InterfaceDetail, ip string) (has int, family string) {
	v4 := netip.MustParseAddr(ip).Is4()
	for _, p := range n.Prefixes {
		if p.Addr().Is4() == v4 {
			has++
		}
	}
	if !v4 {
		return has + len(n.IPv6), "IPv6"
	}
	if n.Primary != "" {
		has++
	}
	return has + len(n.Secondary), "IPv4"
}
