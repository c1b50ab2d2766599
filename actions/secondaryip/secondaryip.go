// Package secondaryip moves an address to an interface, a private IPv4 one as a secondary address
// or an IPv6 one, and gives it back to whoever held it.
//
// What changes is one thing: who holds the address. An address is only taken from an interface that
// was read to hold it and is named in the result. EC2 moves an IPv4 address in one call; an IPv6
// address is nobody's on the way. So it is let go only when nothing but its holder stands in the
// way of the new one's having it, and goes back when that can't have it all the same.
package secondaryip

import (
	"context"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
)

// Reader is what the verbs read with.
type Reader interface {
	DescribeNetworkInterfaces(ctx context.Context, ids ...string) ([]ec2model.NetworkInterface, error)
	// ExistingNetworkInterfaces leaves out those that do not exist.
	ExistingNetworkInterfaces(ctx context.Context, ids ...string) ([]ec2model.NetworkInterface, error)
	DescribeNetworkInterfacesWithAddress(
		ctx context.Context, vpc, address string,
	) ([]ec2model.NetworkInterface, error)
	DescribeNetworkInterfacesOfSubnet(
		ctx context.Context, subnet string,
	) (found []ec2model.NetworkInterface, all bool, err error)
	DescribeSubnet(ctx context.Context, id string) (ec2model.Subnet, error)
}

// Writer is what the verbs change with.
type Writer interface {
	AssignPrivateIPAddress(ctx context.Context, nic, address string, allowReassignment bool) error
	UnassignPrivateIPAddress(ctx context.Context, nic, address string) error
	AssignIPv6Address(ctx context.Context, nic, address string) error
	UnassignIPv6Address(ctx context.Context, nic, address string) error
}

const (
	callAssign       = "ec2:AssignPrivateIpAddresses"
	callUnassign     = "ec2:UnassignPrivateIpAddresses"
	callAssignIPv6   = "ec2:AssignIpv6Addresses"
	callUnassignIPv6 = "ec2:UnassignIpv6Addresses"
	// factAssigned is the fact, and an undo's parameter, that names what was assigned.
	factAssigned = "assignedAddress"
	// factPriorAssigned and factPriorHolder are the prior facts.
	factPriorAssigned = "priorAssigned"
	factPriorHolder   = "priorHolder"
	// paramTake lets an action take the address from its holder.
	paramTake = "allowReassignment"
	// unassigned is the holder of an address that no interface has.
	unassigned = "none"
	// attribute is what changes of an address.
	attribute = "holder"
)

// Verbs returns the pair.
func Verbs() []action.Verb {
	target := []action.Field{
		{Name: "nicRef", Form: action.InterfaceID, Required: true, Decides: true,
			Doc: "the interface"},
		{Name: "address", Form: action.HostAddress, Required: true, Exclusive: true, Decides: true,
			Doc: "the address, bare, as a `/32` or (IPv6) as a `/128`"},
		{Name: "region", Form: action.Region, Required: true, Decides: true,
			Doc: "the interface's region"},
	}
	priorAssigned := action.Field{Name: factPriorAssigned, Form: action.Boolean,
		Doc: "whether the interface had the address before the action"}
	priorHolder := action.Field{Name: factPriorHolder, Form: action.InterfaceID,
		Doc: "the interface that the address was taken from"}
	choice := func(verb string) *action.Choice {
		return &action.Choice{Field: "captureStrategy", Value: "route-table", Verb: verb,
			Doc: "`route-table` makes the request one for `" + verb + "`; without it, or with any " +
				"other text, it is what it says"}
	}
	describe := action.Permission{Action: "ec2:DescribeNetworkInterfaces", Resource: "*",
		For: "reading who holds the address, before and after"}
	subnets := action.Permission{Action: "ec2:DescribeSubnets", Resource: "*", Foresees: true,
		For: "telling whether the address is in the interface's subnet: in a dry-run, and before an " +
			"IPv6 address is taken from its holder"}
	change := func(
		call string, family action.AddressFamily, what string, with ...string,
	) action.Permission {
		return action.Permission{Action: call, Change: true, Resource: "network-interface",
			For: what, Family: family, With: with}
	}
	return []action.Verb{
		{
			Name: "assign-secondary-ip", Undo: "unassign-secondary-ip",
			Risk: action.Risk{Level: action.Medium,
				Doc: "Whoever used the address loses it at once, and their connections with it."},
			Doc: "Gives an interface a secondary address. It is a private IPv4 address, or an IPv6 " +
				"address.",
			Target: target, Choice: choice("assign-route-table-route"),
			Parameters: []action.Field{
				{Name: paramTake, Form: action.Boolean,
					Doc: "take the address from the interface that holds it as a secondary one"},
				{Name: "expectedHolderRef", Form: action.InterfaceID,
					Doc: "the only interface it may be taken from"},
				action.Lease,
			},
			Facts: []action.Field{
				{Name: factAssigned, Form: action.HostAddress, Echoes: "address",
					Doc: "the address, once it is read back on the interface"},
				priorAssigned, priorHolder,
				{Name: "currentSecondaryIps", Form: action.Text,
					Doc: "the interface's secondary IPv4 addresses, or its IPv6 addresses, of the address's " +
						"own family, comma-separated, as last read"},
			},
			Permissions: []action.Permission{
				describe,
				subnets,
				change(callAssign, action.IPv4, "assigning an IPv4 address"),
				change(callAssignIPv6, action.IPv6, "assigning an IPv6 address"),
				change(callUnassignIPv6, action.IPv6,
					"taking an IPv6 address from its holder, which EC2 does not do by itself", paramTake),
			},
			Plan: action.PlanWith(planAssign),
		},
		{
			Name: "unassign-secondary-ip",
			Risk: action.Risk{Level: action.Medium,
				Doc: "What answers at the address now stops answering there."},
			Doc: "Takes a secondary address off an interface. As an undo, it gives it back to the " +
				"interface that held it before `assign-secondary-ip`. Without facts, under a key of its " +
				"own, it is a release, and gives nothing back.",
			Target: target, Choice: choice("unassign-route-table-route"),
			Parameters: []action.Field{
				priorAssigned, priorHolder,
				{Name: factAssigned, Form: action.HostAddress, Newer: true,
					Doc: "the address that the action assigned; in an undo without prior facts, " +
						"as of another executor's action, it says that the address is to be let go"},
				action.OnDrift, action.IgnoreHolders,
			},
			Facts: []action.Field{
				{Name: "unassignedAddress", Form: action.HostAddress, Echoes: "address",
					Doc: "the address, once it is read that the interface does not have it"},
				{Name: "restoredHolder", Form: action.InterfaceID,
					Doc: "the interface that has the address back"},
				action.UnknownPrior,
				{Name: "overwrote", Form: action.InterfaceID,
					Doc: "with `onDrift=restore`: the holder that was there instead, and is not any more"},
			},
			Permissions: []action.Permission{
				describe, subnets,
				change(callUnassign, action.IPv4, "letting an IPv4 address go"),
				change(callAssign, action.IPv4, "giving an IPv4 address back to its prior holder",
					paramTake, factPriorHolder),
				change(callUnassignIPv6, action.IPv6, "letting an IPv6 address go"),
				change(callAssignIPv6, action.IPv6, "giving an IPv6 address back to its prior holder",
					paramTake, factPriorHolder),
			},
			Plan: action.PlanWith(planUnassign),
		},
	}
}
