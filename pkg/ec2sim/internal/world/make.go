package world

import (
	"net/netip"
	"slices"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
)

// NewInterface is what a caller asks of an interface that is to be made.
type NewInterface struct {
	SubnetID, Description string
	// Groups are those of the VPC's default group where none are named.
	Groups []string
	// Addresses are fixed ones, the primary first. More are chosen besides.
	Addresses []string
	More      int
	Tags      Tags
}

// CreateInterface makes an interface that is attached to nothing. Its primary address is one of the
// subnet's free ones if none is named.
func (c *Change) CreateInterface(n NewInterface) (*Interface, error) {
	subnet, err := Find(c.World.Subnets, SubnetIDs, n.SubnetID)
	if err != nil {
		return nil, err
	}
	if len(c.World.Interfaces) >= c.Quotas.allInterfaces() {
		return nil, refusal.New("NetworkInterfaceLimitExceeded",
			"The maximum number of network interfaces has been reached.")
	}
	if err := c.MayHold(n.Tags); err != nil {
		return nil, err
	}
	addresses, err := c.newAddresses(subnet, n)
	if err != nil {
		return nil, err
	}
	groups, err := c.newGroups(subnet, n.Groups)
	if err != nil {
		return nil, err
	}
	eni := Interface{
		ID: c.Mint.id("eni"), SubnetID: subnet.ID, VPCID: subnet.VPCID,
		AvailabilityZone: subnet.AvailabilityZone, Description: n.Description, MAC: c.Mint.mac(),
		Type: PlainType, SourceDestCheck: true, Groups: groups, Tags: n.Tags.clone(),
	}
	for i, a := range addresses {
		eni.PrivateAddresses = append(eni.PrivateAddresses, PrivateAddress{a, i == 0})
	}
	return put(c.World.Interfaces, eni), nil
}

// newAddresses are the addresses of a new interface, the primary first.
func (c *Change) newAddresses(subnet *Subnet, n NewInterface) ([]string, error) {
	if subnet.IPv6Only() {
		return nil, refusal.New("UnsupportedOperation",
			"ec2sim does not make an interface in an IPv6-only subnet.")
	}
	prefix := netip.MustParsePrefix(subnet.CIDR)
	for _, text := range n.Addresses {
		a, err := netip.ParseAddr(text)
		switch {
		case err != nil || !a.Is4():
			return nil, refusal.InvalidValue("invalid value for parameter address: %s", text)
		case !prefix.Contains(a):
			return nil, refusal.InvalidValue("Address does not fall within the subnet's address range")
		case Reserved(prefix, a):
			return nil, refusal.InvalidValue("Address %s is in subnet's reserved address range", a)
		case c.World.Holder(subnet.ID, text) != nil || c.World.Delegatee(subnet.ID, text) != nil:
			return nil, refusal.New("InvalidIPAddress.InUse", "Address %s is in use.", a)
		}
	}
	more := n.More
	if len(n.Addresses) == 0 {
		more++
	}
	if len(n.Addresses)+more > UnattachedLimit {
		return nil, errAddressLimit()
	}
	free := slices.DeleteFunc(c.World.Free(subnet, more+len(n.Addresses)), func(a string) bool {
		return slices.Contains(n.Addresses, a)
	})
	if len(free) < more {
		return nil, refusal.New("InsufficientFreeAddressesInSubnet",
			"The specified subnet does not have enough free addresses to satisfy the request.")
	}
	return append(slices.Clone(n.Addresses), free[:more]...), nil
}

// newGroups are the groups of a new interface, each once.
func (c *Change) newGroups(subnet *Subnet, ids []string) ([]string, error) {
	if len(ids) == 0 {
		if g := c.World.defaultGroup(subnet.VPCID); g != nil {
			return []string{g.ID}, nil
		}
	}
	for _, id := range ids {
		g, err := Find(c.World.Groups, GroupIDs, id)
		if err != nil {
			return nil, err
		}
		if g.VPCID != subnet.VPCID {
			return nil, refusal.New("InvalidParameter",
				"Security group %s and subnet %s belong to different networks.", id, subnet.ID)
		}
	}
	eni := Interface{VPCID: subnet.VPCID}
	err := c.ReplaceGroups(&eni, ids)
	return eni.Groups, err
}

// DeleteInterface deletes an interface that is attached to nothing. An Elastic IP of it stays.
func (c *Change) DeleteInterface(id string) error {
	eni, err := c.OwnInterface(id)
	if err != nil {
		return err
	}
	if eni.Attachment != nil {
		return refusal.InvalidValue("Network interface '%s' is currently in use.", eni.ID)
	}
	c.World.dropInterface(eni)
	return nil
}

// dropInterface takes an interface away. Elastic IPs that are bound to it stay, bound to nothing.
func (w *World) dropInterface(eni *Interface) {
	for _, a := range w.Addresses {
		if a.InterfaceID == eni.ID {
			a.unbind()
		}
	}
	delete(w.Interfaces, eni.ID)
	delete(w.transitions, eni.ID)
}

// Made is what an earlier call with a client token made.
type Made struct {
	// Asked is what that call asked for.
	Asked string
	IDs   []string
}

// Once makes something once for a client token. A later call with the token that asks for the same
// gets what the first one made; one that asks for something else is refused. Without a token
// each call makes something.
func (c *Change) Once(token, asked string, make func() ([]string, error)) ([]string, error) {
	if made, known := c.World.made[token]; known && token != "" {
		if made.Asked != asked {
			return nil, refusal.New("IdempotentParameterMismatch", "Arguments on this idempotent request"+
				" are inconsistent with arguments used in previous request(s).")
		}
		return made.IDs, nil
	}
	ids, err := make()
	if err == nil && token != "" {
		c.World.made[token] = Made{asked, ids}
	}
	return ids, err
}
