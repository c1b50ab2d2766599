package ec2model

// Interface is a network interface with what an inventory tells of it beside its addresses.
type Interface struct {
	NetworkInterface
	// Type is EC2's kind of interface: interface, nat_gateway, network_load_balancer ….
	Type string
	// InstanceID is the instance of the same account that it is attached to, empty when there is none;
	// DeviceIndex is its number there.
	InstanceID  string
	DeviceIndex int
	// Tags are in EC2's order.
	Tags []Tag
}

// Tag is one tag of a resource.
type Tag struct{ Key, Value string }

// Tag finds the value of a tag.
func (i Interface) Tag(key string) (string, bool) {
	for _, t := range i.Tags {
		if t.Key == key {
			return t.Value, true
		}
	}
	return "", false
}

// InterfaceQuery selects interfaces by every field of it that is not empty, Expected aside.
type InterfaceQuery struct {
	VPCID, SubnetID, InstanceID string
	// IDs may name interfaces that do not exist. At most 200.
	IDs []string
	// Tags are exact.
	Tags map[string]string
	// Expected says that the query is for what must exist: if nothing is found, it is asked again
	// some time later, and only the second answer is believed.
	Expected bool
}
