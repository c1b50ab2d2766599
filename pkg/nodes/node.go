// Package nodes keeps a reference to every node: an instance, a virtual machine, a region of an
// account, a subscription, or a machine known by its address. It follows each one over its life.
//
// The package is pure. It has no disk, no network and no clock. It guarantees:
//
//   - A node is found by its identities, and never by an address or a name. Two nodes that turn out
//     to be one are merged, and both ids answer.
//   - Only newer evidence changes what is known. What arrives late never lowers it.
//   - Terminated is final. Apply holds that rule, in one place; only Revive goes around it.
//   - A node is taken for gone only after two complete scans without it, minutes apart, and an
//     answer by its id; never just after it was launched.
//   - Only a complete scan concludes anything. What was not looked at stays as it is.
//
// Store says what a store of nodes promises. The tests are numbered after the tables of known
// faults and cases that the domain was designed from; CONTRIBUTING explains the numbers.
package nodes

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Type says what a node is.
type Type string

const (
	// TypeInstance is an EC2 instance.
	TypeInstance Type = "instance"
	// TypeRegion is a region of an AWS account.
	TypeRegion Type = "region"
	// TypeVM is an Azure virtual machine.
	TypeVM Type = "vm"
	// TypeSubscription is an Azure subscription.
	TypeSubscription Type = "subscription"
	// TypeManual is a machine that somebody added by its address.
	TypeManual Type = "manual"
	// TypeReported is a machine that only its reports tell of.
	TypeReported Type = "reported"
)

// Types are all types, in a fixed order.
func Types() []Type {
	return []Type{
		TypeInstance, TypeRegion, TypeVM, TypeSubscription, TypeManual, TypeReported,
	}
}

// Source is where a node comes from, in its provider's words. For Azure the region is the location
// and the account the tenant. The ID of a node that stands for a region is empty.
type Source struct {
	ID        string `json:"sourceId"`
	Region    string `json:"region"`
	AccountID string `json:"accountId"`
}

// Node is what is known of one node.
type Node struct {
	// ID is ours, and lasts. It is the report's id where a report told of the node first.
	ID   string `json:"id"`
	Type Type   `json:"type"`
	// Name is the one that changed last among those that Names has.
	Name  string            `json:"name"`
	Names map[Origin]string `json:"names,omitempty"`
	Source
	// Managers are the ids of those that the node belongs to, sorted.
	Managers []string `json:"managers,omitempty"`
	// TagsBy has the tags by who gave them. Tags merges them.
	TagsBy map[Origin]map[string]string `json:"tagsBy,omitempty"`
	Details

	// State is the cloud's own word, Said who said so, and StateSince when that state began, as far
	// as is known.
	State      State     `json:"state"`
	Said       Evidence  `json:"stateEvidence"`
	StateSince time.Time `json:"stateSince,omitzero"`
	// Status says if the node answers, StatusSaid who said so, and ConnectionError why it does not.
	Status          Status   `json:"status"`
	StatusSaid      Evidence `json:"statusEvidence"`
	ConnectionError string   `json:"connectionError,omitempty"`

	// AddedAt is when the node was first told of.
	AddedAt time.Time `json:"addedAt,omitzero"`
	// SeenAt is the latest time at which its cloud showed the node.
	SeenAt time.Time `json:"seenAt,omitzero"`
	// Absence counts the complete scans since then that did not show it.
	Absence Absence `json:"absence,omitzero"`
	// LastContact is the latest time at which the node itself was heard of.
	LastContact time.Time `json:"lastContact,omitzero"`
	// LastProbe is when a probe last tried to reach it.
	LastProbe time.Time `json:"lastProbe,omitzero"`

	Runs     Results  `json:"runs,omitzero"`
	Scans    Results  `json:"scans,omitzero"`
	Projects []string `json:"projects,omitempty"`
	// Target is how to reach a manual node; nil for others.
	Target *Target `json:"target,omitempty"`
	// Aliases are the other identities that answer as this node, sorted.
	Aliases []Identity `json:"aliases,omitempty"`
}

// Details is what a cloud tells of a node besides.
type Details struct {
	Platform        string      `json:"platform,omitempty"`
	PlatformRelease string      `json:"platformRelease,omitempty"`
	InstanceType    string      `json:"instanceType,omitempty"`
	Zone            string      `json:"zone,omitempty"`
	ImageID         string      `json:"imageId,omitempty"`
	VPCID           string      `json:"vpcId,omitempty"`
	LaunchTime      time.Time   `json:"launchTime,omitzero"`
	Addresses       []string    `json:"addresses,omitempty"`
	Interfaces      []Interface `json:"interfaces,omitempty"`
	// Subscription is the one of Azure that the node is in, and Resource the id that it has there,
	// which a later machine of its name has, too.
	Subscription string `json:"subscription,omitempty"`
	Resource     string `json:"resource,omitempty"`
	// CloudState is the cloud's own word for the state where State is another, as deallocated.
	CloudState string `json:"cloudState,omitempty"`
}

// Interface is one network interface of a node.
type Interface struct {
	ID          string `json:"id"`
	DeviceIndex int    `json:"deviceIndex"`
	SubnetID    string `json:"subnetId,omitempty"`
	VPCID       string `json:"vpcId,omitempty"`
	MAC         string `json:"mac,omitempty"`
	// Private are the private addresses, the primary one first. Public are in no order.
	Private []string `json:"private,omitempty"`
	Public  []string `json:"public,omitempty"`
}

// Target is how to reach a manual node.
type Target struct {
	Host     string   `json:"host"`
	Port     int      `json:"port"`
	Protocol Protocol `json:"protocol"`
	// User and KnownHosts are SSH's. KnownHosts is a file.
	User       string `json:"user,omitempty"`
	KnownHosts string `json:"knownHosts,omitempty"`
	// Credential, when not empty, says where the key to log in with is.
	Credential SecretRef `json:"credential,omitempty"`
}

// Protocol is how a manual node is probed.
type Protocol string

const (
	// TCP probes by opening a connection.
	TCP Protocol = "tcp"
	// SSH probes by an SSH handshake. The host's key must be a known one.
	SSH Protocol = "ssh"
)

// Origin is who gave a node's name or tags.
type Origin string

const (
	// OriginCloud is the node's cloud. It says all of its tags each time.
	OriginCloud Origin = "cloud"
	// OriginPerson is who added the node.
	OriginPerson Origin = "person"
	// OriginReport is a report. Reports add tags, and never remove any.
	OriginReport Origin = "report"
)

// origins are all of them. Where two give the same tag, the first one's value holds.
var origins = []Origin{OriginCloud, OriginPerson, OriginReport}

// Tags are the node's tags, each key once. The cloud's value holds before a person's, and that
// before a report's.
func (n *Node) Tags() map[string]string {
	all := map[string]string{}
	for _, o := range slices.Backward(origins) {
		maps.Copy(all, n.TagsBy[o])
	}
	return all
}

// LookedAtAs is the account as which managers look at the node: its subscription in Azure, where an
// identity sees several, and its account elsewhere.
func (n *Node) LookedAtAs() string { return cmp.Or(n.Subscription, n.AccountID) }

// HasManager reports whether the node belongs to a manager.
func (n *Node) HasManager(id string) bool { return slices.Contains(n.Managers, id) }

// Clone is a copy that shares nothing with the node.
func (n *Node) Clone() *Node {
	c := *n
	c.Names = maps.Clone(n.Names)
	c.Managers = slices.Clone(n.Managers)
	if n.TagsBy != nil {
		c.TagsBy = make(map[Origin]map[string]string, len(n.TagsBy))
		for o, tags := range n.TagsBy {
			c.TagsBy[o] = maps.Clone(tags)
		}
	}
	c.Addresses = slices.Clone(n.Addresses)
	c.Interfaces = slices.Clone(n.Interfaces)
	for i := range c.Interfaces {
		c.Interfaces[i].Private = slices.Clone(c.Interfaces[i].Private)
		c.Interfaces[i].Public = slices.Clone(c.Interfaces[i].Public)
	}
	c.Runs, c.Scans = n.Runs.clone(), n.Scans.clone()
	c.Projects = slices.Clone(n.Projects)
	c.Aliases = slices.Clone(n.Aliases)
	if n.Target != nil {
		t := *n.Target
		c.Target = &t
	}
	return &c
}
