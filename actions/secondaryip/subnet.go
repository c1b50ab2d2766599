package secondaryip

import (
	"context"
	"errors"
	"net/netip"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// fits refuses an interface whose subnet does not have the address. It asks only where that does
// not follow from who holds the address now, or from what the interface has. Unforeseen says that
// it may not ask.
func (a address) fits(
	ctx context.Context,
	nic, held ec2model.NetworkInterface,
) (unforeseen []string, err error) {
	if err := a.possible(ctx, nic); err != nil {
		return nil, err
	}
	if held.SubnetID == nic.SubnetID || neighbours(nic, a.ip) {
		return nil, nil
	}
	subnet, err := a.r.DescribeSubnet(ctx, nic.SubnetID)
	if text := action.Unforeseen(err, "whether "+a.ip+" is in the subnet of "+nic.ID); text != "" {
		if held.SubnetID != "" {
			return nil, a.elsewhereThan(nic, held)
		}
		return []string{text}, nil
	}
	switch {
	case err != nil:
		return nil, err
	case a.isIPv6():
		return nil, inIPv6Subnet(subnet, a.ip)
	}
	return nil, inSubnet(subnet, a.ip)
}

// planned is a plan for an address that has to fit before anything is changed. Where that can't be
// read, a dry-run says so.
func (a address) planned(
	ctx context.Context,
	p *action.Plan,
	nic, held ec2model.NetworkInterface,
) (*action.Plan, error) {
	unforeseen, err := a.fits(ctx, nic, held)
	p.Foresee = func(context.Context) ([]string, error) { return unforeseen, nil }
	return p, err
}

// elsewhereThan refuses an address that an interface of another subnet holds: two subnets of a VPC
// have no address in common.
func (a address) elsewhereThan(nic, held ec2model.NetworkInterface) error {
	return protocol.Refuse(
		protocol.InvalidRequest,
		"%s is not in %s, the interface's subnet: %s holds it, in %s",
		a.ip,
		nic.SubnetID,
		held.ID,
		held.SubnetID,
	)
}

// possible refuses an interface that can't have an address of the family at all. Every interface
// has a primary IPv4 address but in an IPv6-only subnet, so the subnet is read only without one.
func (a address) possible(ctx context.Context, nic ec2model.NetworkInterface) error {
	switch {
	case nic.NoAddresses:
		return protocol.Refuse(
			protocol.InvalidRequest,
			"%s is of type efa-only, which has no IP addresses and gets none; name another interface",
			nic.ID,
		)
	case a.isIPv6() || nic.Primary != "":
		return nil
	case len(nic.IPv6) > 0:
		return errIPv6Only(nic.SubnetID, a.ip)
	}
	subnet, err := a.r.DescribeSubnet(ctx, nic.SubnetID)
	var f *protocol.Failure
	switch {
	case err == nil && subnet.IPv6Only:
		return errIPv6Only(subnet.ID, a.ip)
	case errors.As(err, &f) && f.Class == protocol.Authorization:
		// EC2 itself will say so.
		return nil
	}
	return err
}

func errIPv6Only(subnet, ip string) error {
	return protocol.Refuse(
		protocol.InvalidRequest,
		"the interface's subnet %s is IPv6-only, so it can't have %s; name an IPv6 address, or an "+
			"interface of another subnet",
		subnet,
		ip,
	)
}

// notDelegated refuses an address in a block that is the interface's whole: it is none of its
// addresses, and neither comes nor goes alone.
func (a address) notDelegated(nic ec2model.NetworkInterface) error {
	if block, in := nic.Delegated(a.ip); in {
		return protocol.Refuse(
			protocol.InvalidRequest,
			"%s is in %s, which is delegated to %s whole: it can be neither assigned to it nor taken off it",
			a.ip,
			block,
			nic.ID,
		)
	}
	return nil
}

// neighbours tells that the address is surely one that the interface's subnet
// can give: a subnet is at least an aligned block of 16 (IPv6: a /64), of which EC2 may keep
// the first four and the last to itself.
func neighbours(nic ec2model.NetworkInterface, ip string) bool {
	asked := netip.MustParseAddr(ip)
	known, bits := append([]string{nic.Primary}, nic.Secondary...), 28
	if asked.Is6() {
		known, bits = nic.IPv6, 64
	}
	for _, text := range known {
		k, err := netip.ParseAddr(text)
		if err != nil || k.Is4() != asked.Is4() {
			continue
		}
		if block, _ := k.Prefix(bits); block.Contains(asked) && !isReserved(block, asked) {
			return true
		}
	}
	return false
}

// isReserved reports whether EC2 keeps an address of the block to itself.
func isReserved(block netip.Prefix, a netip.Addr) bool {
	first, reserved := block.Masked().Addr(), false
	for range 4 {
		reserved = reserved || a == first
		first = first.Next()
	}
	next := a.Next()
	return reserved || !next.IsValid() || !block.Contains(next)
}

// inIPv6Subnet is inSubnet for the one IPv6 block of a subnet that has the address.
func inIPv6Subnet(subnet ec2model.Subnet, ip string) error {
	a := netip.MustParseAddr(ip)
	for _, text := range subnet.IPv6CIDRs {
		block, err := netip.ParsePrefix(text)
		if err != nil || !block.Contains(a) {
			continue
		}
		if isReserved(block, a) {
			return errReserved(ip, block)
		}
		return nil
	}
	if len(subnet.IPv6CIDRs) == 0 {
		return protocol.Refuse(
			protocol.InvalidRequest,
			"the interface's subnet %s has no IPv6 block, so it can't have %s",
			subnet.ID,
			ip,
		)
	}
	return protocol.Refuse(
		protocol.InvalidRequest,
		"%s is not in %s, the IPv6 block of the interface's subnet %s",
		ip,
		strings.Join(subnet.IPv6CIDRs, ", "),
		subnet.ID,
	)
}

func errReserved(ip string, block netip.Prefix) error {
	return protocol.Refuse(
		protocol.InvalidRequest,
		"%s is reserved by AWS: the first four addresses and the last of %s can't be assigned",
		ip,
		block,
	)
}

func inSubnet(subnet ec2model.Subnet, ip string) error {
	if subnet.IPv6Only {
		return errIPv6Only(subnet.ID, ip)
	}
	block, err := netip.ParsePrefix(subnet.CIDR)
	if err != nil {
		return protocol.Refuse(
			protocol.Unavailable,
			"EC2's answer does not say which block %s has; try again",
			subnet.ID,
		)
	}
	a := netip.MustParseAddr(ip)
	if !block.Contains(a) {
		return protocol.Refuse(
			protocol.InvalidRequest,
			"%s is not in %s, the block of the interface's subnet %s",
			ip,
			block,
			subnet.ID,
		)
	}
	if isReserved(block, a) {
		return errReserved(ip, block)
	}
	return nil
}
