package ec2model

// Address is an Elastic IP as one describe showed it.
type Address struct {
	// AllocationID names it, PublicIP is the address.
	AllocationID, PublicIP string
	// AssociationID, InterfaceID, InstanceID and PrivateIP are what it is associated with; empty where
	// it is with nothing.
	AssociationID, InterfaceID, InstanceID, PrivateIP string
	Tags                                              map[string]string
}
