package ec2model

import "time"

// Instance is an instance as one describe showed it, with its interfaces and tags.
type Instance struct {
	ID, VPCID string
	// OwnerID is the account that the instance belongs to. A search does not tell it.
	OwnerID string
	// Zone is its availability zone.
	Zone string
	// State is EC2's name: pending, running, shutting-down, terminated, stopping or stopped.
	State string
	// Tags are all of them, those of AWS (aws:…) too.
	Tags map[string]string
	// Interfaces are those that are attached, in the order of their network cards and device indexes.
	Interfaces []InstanceInterface
	// Type is EC2's name of the kind of machine, as in t3.micro.
	Type string
	// Launched is when it was started last.
	Launched time.Time
	// RootDevice is ebs or instance-store.
	RootDevice string
	// Lifecycle is spot, scheduled or capacity-block, empty for an ordinary instance.
	Lifecycle string
	// Hibernates reports whether the instance is set up to hibernate.
	Hibernates bool
	// Managed instances belong to an AWS service, which alone may change them.
	Managed bool
	// LostAddress is a public address that the instance has only while it runs, empty when there is
	// none. Elastic IPs stay.
	LostAddress string
}

// InstanceInterface is an interface as its instance shows it.
type InstanceInterface struct {
	ID, VPCID string
	// Type is EC2's kind of interface: interface, efa, efa-only, trunk ….
	Type string
	// Card and Index are where it is attached; an index is unique on its network card only.
	Card, Index int
	// Position is where EC2 listed it among the interfaces of its instance, from 0. EC2 promises no
	// order.
	Position int
	// Groups are the ids of its security groups, sorted.
	Groups []string
	// Addresses are its private IPv4 addresses, the primary one first.
	Addresses []InstanceAddress
	// Managed interfaces belong to an AWS service, which alone may change them.
	Managed bool
}

// InstanceAddress is a private IPv4 address of an interface, as its instance shows it.
type InstanceAddress struct {
	Private string
	// Public is the public address that leads to it, empty for none. One that is not Elastic is of
	// EC2's own, and goes with the first Elastic IP.
	Public  string
	Elastic bool
}

// SecurityGroup is a security group as one describe showed it.
type SecurityGroup struct{ ID, VPCID string }

// Filter selects instances by one of EC2's filters, as in instance-state-name or tag:Name.
type Filter struct {
	Name, Value string
	// Pattern says that * and ? in the value stand for other letters.
	Pattern bool
}
