package ec2model

// Address is an Elastic IP as one describe showed it.
type Address struct {
	// AllocationID names it, PublicIP is the address.
	AllocationID, PublicIP string
	// AssociationID, InterfaceID, InstanceID and PrivateIP are what it is associated with; empty where
	// it is with nothing.
	AssociationID, InterfaceID, InstanceID, PrivateIP string
	// Pool is the pool that it is of: amazon, or ipv4pool-ec2-….
	Pool string
	Tags map[string]string
}

// AmazonPool is the pool of public addresses that every account has.
const AmazonPool = "amazon"

// NewAddress is an Elastic IP that is to be allocated.
type NewAddress struct {
	// Pool is the pool that it is taken from.
	Pool string
	Tags map[string]string
}
