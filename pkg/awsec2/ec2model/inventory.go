package ec2model

// Interface is a network interface with what an inventory tells of it beside its addresses.
type Interface struct {
	NetworkInterface
	// Service interfaces belong to an AWS service: an endpoint, a load balancer, a NAT gateway ….
	Service bool
	// InstanceID is the instance of the same account that it is attached to, empty when there is none;
	// DeviceIndex is its number there.
	InstanceID  string
	DeviceIndex int
	// Tags are in EC2's order.
	Tags []Tag
}

// Tag is one tag of a resource.
type Tag struct{ Key, Value string }

// InterfaceQuery selects interfaces by every field of it that is not empty, Expected aside.
type InterfaceQuery struct {
	VPCID, SubnetID, InstanceID string
	// IDs may name interfaces that do not exist. At most 200.
	IDs []string
	// Expected says that the query is for what must exist: if nothing is found, it is asked again
	// some time later, and only the second answer is believed.
	Expected bool
}

// InstanceSummary is an instance as far as an inventory tells of it.
type InstanceSummary struct {
	ID string
	// State is EC2's name, as in Instance.
	State string
	Tags  []Tag
}

// InstanceQuery selects instances by everything in it that is not empty.
type InstanceQuery struct {
	// VPCID and SubnetID select instances that have an interface there.
	VPCID, SubnetID string
	// IDs may name instances that do not exist. At most 200.
	IDs []string
}
