package world

import (
	"cmp"
	"net/netip"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
)

// AssociationIDs are the ids of what binds an Elastic IP to an interface.
var AssociationIDs = IDKind{"eipassoc", "InvalidAssociationID.Malformed",
	"InvalidAssociationID.NotFound", "The association ID '%s' does not exist", ""}

// PoolIDs are the ids of an account's own pools of public addresses.
var PoolIDs = IDKind{"ipv4pool-ec2", "InvalidPublicIpv4PoolID.Malformed",
	"InvalidPublicIpv4PoolID.NotFound", "The public IPv4 pool ID '%s' does not exist", ""}

// AmazonPool is the pool of public addresses that everybody has.
const AmazonPool = "amazon"

// firstElastic is where the stand-in's addresses of that pool begin.
var firstElastic = netip.MustParseAddr("203.0.113.1")

// Allocate gives the account a public address of a pool.
func (c *Change) Allocate(pool string, tags Tags) (*Address, error) {
	if pool == AmazonPool {
		pool = ""
	}
	next, in := firstElastic, netip.Prefix{}
	if pool != "" {
		network, there := c.World.PublicPools[pool]
		if !there {
			return nil, PoolIDs.Absent(pool)
		}
		in = netip.MustParsePrefix(network)
		next = in.Addr()
	}
	if len(c.World.Addresses) >= c.Quotas.elasticAddresses() {
		return nil, refusal.New("AddressLimitExceeded",
			"The maximum number of addresses has been reached.")
	}
	if err := c.MayHold(tags); err != nil {
		return nil, err
	}
	taken := map[string]bool{}
	for _, a := range c.World.Addresses {
		taken[a.PublicIP] = true
	}
	for taken[next.String()] {
		next = next.Next()
	}
	if in.IsValid() && !in.Contains(next) {
		return nil, refusal.New("InsufficientAddressCapacity",
			"The public IPv4 pool '%s' has no free addresses.", pool)
	}
	return put(c.World.Addresses, Address{
		AllocationID: c.Mint.id("eipalloc"), PublicIP: next.String(), Pool: pool, Tags: tags.clone(),
	}), nil
}

// PoolOf is the name of the pool that an address is of.
func (a *Address) PoolOf() string { return cmp.Or(a.Pool, AmazonPool) }

// unbind has an Elastic IP bound to nothing.
func (a *Address) unbind() { a.AssociationID, a.InterfaceID, a.PrivateIP = "", "", "" }

// Associate binds an Elastic IP to a private address of an interface: the primary one if none is
// named. Bound elsewhere, it is moved only where reassociate says so. What was bound to the address
// before is bound to nothing, if reassociate says so; else that is refused, too.
func (c *Change) Associate(
	a *Address, eni *Interface, private string, reassociate bool,
) (string, error) {
	if private == "" {
		private = eni.Primary()
	}
	if !eni.Holds(private) {
		return "", refusal.InvalidValue("The private IP address '%s' is not assigned to network"+
			" interface '%s'.", private, eni.ID)
	}
	if a.InterfaceID == eni.ID && a.PrivateIP == private {
		return a.AssociationID, nil
	}
	bound := c.World.Association(eni.ID, private)
	switch {
	case a.AssociationID != "" && !reassociate:
		return "", refusal.New("Resource.AlreadyAssociated",
			"resource %s is already associated with associate-id %s", a.AllocationID, a.AssociationID)
	case bound != nil && !reassociate:
		return "", refusal.New("Resource.AlreadyAssociated",
			"resource %s is already associated with associate-id %s", eni.ID, bound.AssociationID)
	case bound != nil:
		bound.unbind()
	}
	a.AssociationID, a.InterfaceID, a.PrivateIP = c.Mint.id("eipassoc"), eni.ID, private
	eni.PublicIP = ""
	return a.AssociationID, nil
}

// Disassociate ends what binds an Elastic IP.
func (c *Change) Disassociate(association string) error {
	if err := AssociationIDs.Check(association); err != nil {
		return err
	}
	a := c.World.AssociatedAs(association)
	if a == nil {
		return AssociationIDs.Absent(association)
	}
	a.unbind()
	return nil
}

// AssociatedAs returns the Elastic IP that has the association, or nil.
func (w *World) AssociatedAs(association string) *Address {
	for a := range w.Addresses.Each() {
		if a.AssociationID == association {
			return a
		}
	}
	return nil
}

// ReleaseAddress gives an Elastic IP back to its pool, unless it is bound.
func (c *Change) ReleaseAddress(allocation string) error {
	a, err := Find(c.World.Addresses, AllocationIDs, allocation)
	if err != nil {
		return err
	}
	if a.AssociationID != "" {
		return refusal.New("InvalidIPAddress.InUse", "Address %s is in use.", a.PublicIP)
	}
	delete(c.World.Addresses, a.AllocationID)
	return nil
}
