// Package ec2model is what EC2 says, in plain Go: the part of its resources that actions decide on.
// It knows neither the SDK nor the wire, so actions and their tests need neither.
package ec2model

import (
	"net/netip"
	"slices"
)

// NetworkInterface is an elastic network interface as one describe showed it.
type NetworkInterface struct {
	ID, SubnetID, VPCID string
	// OwnerID is the account that the interface belongs to.
	OwnerID string
	// SourceDestCheck is nil when EC2 did not say.
	SourceDestCheck *bool
	// RequesterManaged interfaces belong to an AWS service, which alone may change them.
	RequesterManaged bool
	// NoAddresses reports whether the interface is of a type that has no IP addresses and gets none.
	NoAddresses bool
	// Primary and Secondary are the private IPv4 addresses, Secondary in EC2's order.
	Primary   string
	Secondary []string
	// PrimaryIPv6 is the IPv6 address that the interface can't lose, empty when there is none; IPv6
	// are all of them, in EC2's order. IPv6 addresses are in canonical text.
	PrimaryIPv6 string
	IPv6        []string
	// Prefixes are the blocks of either family that are delegated to the interface whole. Their
	// addresses are in none of the lists above, and nobody else can have one.
	Prefixes []netip.Prefix
}

// Delegated finds the delegated block that the address, in canonical text, is in.
func (n NetworkInterface) Delegated(address string) (netip.Prefix, bool) {
	a, err := netip.ParseAddr(address)
	i := slices.IndexFunc(n.Prefixes, func(p netip.Prefix) bool { return err == nil && p.Contains(a) })
	if i < 0 {
		return netip.Prefix{}, false
	}
	return n.Prefixes[i], true
}

// Has reports whether the interface holds the address, in canonical text, whatever its family and
// whether as primary or secondary.
func (n NetworkInterface) Has(address string) bool {
	return n.Primary == address || slices.Contains(n.Secondary, address) ||
		slices.Contains(n.IPv6, address)
}

// HasAsPrimary reports whether the address is one that the interface can't lose.
func (n NetworkInterface) HasAsPrimary(address string) bool {
	return address != "" && (n.Primary == address || n.PrimaryIPv6 == address)
}

// Subnet is a subnet as one describe showed it.
type Subnet struct {
	ID, VPCID string
	// CIDR is its IPv4 block, IPv6CIDRs are its IPv6 blocks. An IPv6-only subnet has no IPv4 block.
	CIDR      string
	IPv6Only  bool
	IPv6CIDRs []string
	// Zone is its availability zone, Free how many IPv4 addresses of it nobody has.
	Zone string
	Free int
}

// NewInterface is what an interface is to be that is made.
type NewInterface struct {
	// Token makes every call with the same one make one interface together.
	Token string
	// Subnet and Groups are ids.
	Subnet string
	Groups []string
	// Addresses are fixed private ones, the primary first. EC2 chooses one if there are none.
	Addresses   []string
	Description string
	// Tags are there from its creation.
	Tags map[string]string
}
