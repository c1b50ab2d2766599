// Package secondaryip moves a private IPv4 address to an interface as a secondary one, and
// gives it back to whoever held it.
//
// What changes is one thing: who holds the address. An address is only taken from
// an interface that was read to hold it and is named in the result.
package secondaryip

import (
	"context"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
)

// Reader is what the verbs read with.
type Reader interface {
	DescribeNetworkInterfaces(ctx context.Context, ids ...string) ([]ec2model.NetworkInterface, error)
	DescribeNetworkInterfacesWithAddress(ctx context.Context, vpc, address string) ([]ec2model.NetworkInterface, error)
	DescribeSubnet(ctx context.Context, id string) (ec2model.Subnet, error)
}

// Writer is what the verbs change with.
type Writer interface {
	AssignPrivateIPAddress(ctx context.Context, nic, address string, allowReassignment bool) error
	UnassignPrivateIPAddress(ctx context.Context, nic, address string) error
}

const (
	callAssign   = "ec2:AssignPrivateIpAddresses"
	callUnassign = "ec2:UnassignPrivateIpAddresses"
	// nobody is the holder of an address that no interface has.
	nobody = "none"
)

// Verbs returns the pair.
func Verbs() []action.Verb {
	target := []action.Field{
		{Name: "nicRef", Form: action.InterfaceID, Required: true, Exclusive: true, Doc: "the interface"},
		{Name: "address", Form: action.HostIPv4, Required: true, Exclusive: true, Doc: "the address, bare or as a `/32`"},
		{Name: "region", Form: action.Region, Required: true, Doc: "the interface's region"},
	}
	priorAssigned := action.Field{Name: "priorAssigned", Form: action.Boolean, Doc: "whether the interface had the address before the action"}
	priorHolder := action.Field{Name: "priorHolder", Form: action.InterfaceID, Doc: "the interface that the address was taken from"}
	describe := action.Permission{Action: "ec2:DescribeNetworkInterfaces", Resource: "*", For: "reading who holds the address, before and after"}
	return []action.Verb{
		{
			Name: "assign-secondary-ip", Undo: "unassign-secondary-ip",
			Doc:    "Makes an address a secondary private IPv4 address of an interface.",
			Target: target,
			Parameters: []action.Field{
				{Name: "allowReassignment", Form: action.Boolean, Doc: "take the address from the interface that holds it as a secondary one"},
				{Name: "expectedHolderRef", Form: action.InterfaceID, Doc: "the only interface it may be taken from"},
			},
			Facts: []action.Field{
				{Name: "assignedAddress", Form: action.HostIPv4, Doc: "the address, once it is read back on the interface"},
				priorAssigned, priorHolder,
				{Name: "currentSecondaryIps", Form: action.Text, Doc: "the interface's secondary addresses, comma-separated, as last read"},
			},
			Permissions: []action.Permission{
				describe,
				{Action: "ec2:DescribeSubnets", Resource: "*", For: "a dry-run that tells whether the address is in the interface's subnet"},
				{Action: callAssign, Change: true, Resource: "network-interface", For: "assigning the address"},
			},
			Plan: action.PlanWith(planAssign),
		},
		{
			Name:   "unassign-secondary-ip",
			Doc:    "Takes a secondary address off an interface; as an undo, gives it back to the interface that held it before `assign-secondary-ip`.",
			Target: target,
			Parameters: []action.Field{
				priorAssigned, priorHolder, action.OnDrift, action.IgnoreHolders,
			},
			Facts: []action.Field{
				{Name: "unassignedAddress", Form: action.HostIPv4, Doc: "the address, once it is read that the interface does not have it"},
				{Name: "restoredHolder", Form: action.InterfaceID, Doc: "the interface that has the address back"},
				{Name: "overwrote", Form: action.InterfaceID, Doc: "with `onDrift=restore`: the holder that was there instead, and is not any more"},
			},
			Permissions: []action.Permission{
				describe,
				{Action: callUnassign, Change: true, Resource: "network-interface", For: "letting the address go"},
				{Action: callAssign, Change: true, Resource: "network-interface", For: "giving the address back to its prior holder"},
			},
			Plan: action.PlanWith(planUnassign),
		},
	}
}
