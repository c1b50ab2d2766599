// Package inventory answers a core that asks which private addresses there are, on which
// interfaces, and where a route table leads: an ObservePrivateIPsRequest in, an
// ObservePrivateIPsResult out.
//
// It only reads. A list in its result was read to the end. Nothing is left out of a list for its
// tags or its holder: each record says what it is instead. When a part that a core's role always
// may read could not be read, the whole is failed and has no lists. What a role may lack is left
// out and named. So what was not read never looks like what is not there. The shapes here change
// only with APIVersion.
package inventory

import (
	"context"
	"net/netip"

	"aws-provider-executor/pkg/awsec2/ec2model"
)

// The document types of the wire, and the capability that a plugin's manifest names.
const (
	APIVersion  = "providerinventory.routerd.net/v1alpha1"
	RequestKind = "ObservePrivateIPsRequest"
	ResultKind  = "ObservePrivateIPsResult"
	Capability  = "observe.providerPrivateIPs"
)

// Reader is what the inventory reads with. Each method reads all that it is asked for, or fails.
type Reader interface {
	// InstanceID is the instance that this program runs on.
	InstanceID(ctx context.Context) (string, error)
	EachInterface(
		ctx context.Context, what string, q ec2model.InterfaceQuery, each func(ec2model.Interface),
	) error
	EachInstance(
		ctx context.Context, what string, q ec2model.InstanceQuery, each func(ec2model.InstanceSummary),
	) error
	DescribeSubnet(ctx context.Context, id string) (ec2model.Subnet, error)
	DescribeRouteTable(ctx context.Context, id string) (ec2model.RouteTable, error)
	// DescribeRouteTableOf reads the table that the subnet uses. Without a VPC it is the subnet's own
	// or not-found.
	DescribeRouteTableOf(ctx context.Context, vpc, subnet string) (ec2model.RouteTable, error)
}

// Permissions are the IAM actions that the reading needs, all of them on "*". Without
// ec2:DescribeSubnets, which some roles lack, the result names what could not be read.
var Permissions = []string{
	"ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces", "ec2:DescribeRouteTables",
	"ec2:DescribeSubnets",
}

// Observation is all that was read.
type Observation struct {
	// Self is the node's own interface.
	Self *Holder
	// Captured are the addresses that the node holds for others, or the destinations routed to it. It
	// is nil if that was not read.
	Captured []string
	// Addresses are all in the scope, in the order of addresses.
	Addresses []Address
	// Table is empty when no routes were read.
	Table  string
	Routes []Route
	// ToLists are the table's routes to prefix lists, whose networks were not read.
	ToLists []ec2model.ListRoute
	// NotRead names what this account or its role may not read.
	NotRead []string
}

// Address is one address of an interface, or a block that is delegated to it.
type Address struct {
	// Address is a network of one, or the block.
	Address netip.Prefix
	// Delegated is set for a block, which an interface holds and loses whole.
	Delegated bool
	Primary   bool
	Holder    *Holder
	// InPrefix reports whether the request's prefix has the address, or a part of the block.
	InPrefix bool
}

// Route is one route of the table.
type Route struct {
	ec2model.Route
	// Holder is the interface that it leads to, nil when that is no interface or one that is gone.
	Holder *Holder
}
