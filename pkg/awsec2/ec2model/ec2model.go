// Package ec2model is what EC2 says, in plain Go: the part of its resources that
// actions decide on. It knows neither the SDK nor the wire, so actions and their tests need neither.
package ec2model

import "slices"

// NetworkInterface is an elastic network interface as one describe showed it.
type NetworkInterface struct {
	ID, SubnetID, VPCID string
	// SourceDestCheck is nil when EC2 did not say.
	SourceDestCheck *bool
	// RequesterManaged interfaces belong to an AWS service, which alone may change them.
	RequesterManaged bool
	// Primary and Secondary are the private IPv4 addresses, Secondary in EC2's order.
	Primary   string
	Secondary []string
}

// Has tells whether the interface holds the address, as primary or secondary.
func (n NetworkInterface) Has(address string) bool {
	return n.Primary == address || slices.Contains(n.Secondary, address)
}

// Subnet is a subnet as one describe showed it.
type Subnet struct {
	ID string
	// CIDR is its IPv4 block.
	CIDR string
}
