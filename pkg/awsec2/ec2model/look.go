package ec2model

import "time"

// Identity is who STS says that calls are signed by.
type Identity struct{ Account, ARN string }

// Clock is the provider's clock, compared with this machine's.
type Clock struct {
	// Ahead is by how much the provider's is ahead; below zero, this machine's is.
	Ahead time.Duration
	// Within is how far Ahead may be off.
	Within time.Duration
}

// Way is how calls to a service leave this machine.
type Way struct {
	Service string
	// Endpoint is where they go: scheme and host.
	Endpoint string
	// Local reports whether that is on this machine or its link.
	Local bool
	// Proxy is what they go through, and Variable what names it; both are empty for none.
	Proxy, Variable string
}

// InterfaceDetail is a network interface with all that a preflight looks at.
type InterfaceDetail struct {
	NetworkInterface
	// Type is EC2's kind of interface, Status its state: available, in-use ….
	Type, Status string
	Description  string
	// InstanceID is the instance that it is attached to, and Attachment the state of that; both are
	// empty where it is attached to nothing.
	InstanceID, Attachment string
	DeviceIndex            int
	// AttachmentID names the attachment. DeleteOnTermination reports whether the interface goes with
	// its instance.
	AttachmentID        string
	DeleteOnTermination bool
	Zone                string
	Tags                map[string]string
	// Groups are the ids of its security groups, sorted.
	Groups []string
	// TrackedFor is how long EC2 follows an idle TCP connection, in seconds; 0 is EC2's default.
	TrackedFor int
}

// TypeLimits are what one interface of an instance type may have.
type TypeLimits struct{ IPv4, IPv6 int }

// GroupRules is a security group with its rules.
type GroupRules struct {
	ID, VPCID, Name string
	// Ingress and Egress are the rules, each in one text, sorted.
	Ingress, Egress []string
	// Open reports whether the group allows all traffic from and to everywhere, both ways: such
	// connections are not tracked.
	Open bool
}

// SubnetTable is the route table that a subnet goes by.
type SubnetTable struct {
	RouteTable
	// Main reports whether it is the VPC's main table, and not one of the subnet's own.
	Main bool
}
