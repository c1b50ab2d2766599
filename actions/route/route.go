// Package route captures an address by a route to an interface, and gives the route back to
// whatever it led to before.
//
// What changes is one thing: where a route table leads one destination. Whether a route is created,
// replaced or deleted follows from what was read, never from how another call failed.
package route

import (
	"context"
	"net/netip"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
)

// Reader is what the verbs read with.
type Reader interface {
	DescribeRouteTable(ctx context.Context, id string) (ec2model.RouteTable, error)
	DescribeNetworkInterfaces(ctx context.Context, ids ...string) ([]ec2model.NetworkInterface, error)
	DescribeSubnetsWithBlock(
		ctx context.Context, vpc string, block netip.Prefix,
	) ([]ec2model.Subnet, error)
}

// Writer is what the verbs change with.
type Writer interface {
	CreateRoute(ctx context.Context, table string, to netip.Prefix, via string) error
	ReplaceRoute(ctx context.Context, table string, to netip.Prefix, via string) error
	DeleteRoute(ctx context.Context, table string, to netip.Prefix) error
}

const (
	callCreate  = "ec2:CreateRoute"
	callReplace = "ec2:ReplaceRoute"
	callDelete  = "ec2:DeleteRoute"
	// factAssigned is the fact, and an undo's parameter, that names what was routed.
	factAssigned = "assignedRoute"
	// factPrior is the prior fact.
	factPrior = "priorRouteTarget"
	// paramTake lets an action take the route from what it leads to.
	paramTake = "allowReassignment"
	// noRoute is the target of a route that is not there.
	noRoute = "none"
)

// Verbs returns the pair.
func Verbs() []action.Verb {
	target := []action.Field{
		{Name: "routeTableRef", Form: action.RouteTableID, Required: true, Decides: true,
			Doc: "the route table"},
		{Name: "nicRef", Form: action.InterfaceID, Required: true, Decides: true,
			Doc: "the interface that the route leads to"},
		{Name: "address", Form: action.Destination, Required: true, Exclusive: true, Decides: true,
			Doc: "the destination: an address, or a network of `/16` or longer (IPv6: `/32`); host " +
				"bits are left out, as EC2 does"},
		{Name: "region", Form: action.Region, Required: true, Decides: true, Doc: "the table's region"},
	}
	prior := action.Field{Name: factPrior, Form: action.RouteTarget,
		Doc: "where the route led before the action: the id of an interface, an instance, a gateway " +
			"of any kind, a peering, an endpoint, an ARN, `local`, or `none` for no route"}
	state := action.OneOf("active", "blackhole")
	describe := action.Permission{Action: "ec2:DescribeRouteTables", Resource: "*",
		For: "reading where the route leads, before and after"}
	interfaces := action.Permission{Action: "ec2:DescribeNetworkInterfaces", Resource: "*",
		Foresees: true,
		For: "telling whether an interface can be led to: in a dry-run, and before a route is given " +
			"back"}
	change := func(call, what string, with ...string) action.Permission {
		return action.Permission{Action: call, Change: true, Resource: "route-table", For: what,
			With: with}
	}
	return []action.Verb{
		{
			Name: "assign-route-table-route", Undo: "unassign-route-table-route",
			Risk: action.Risk{Level: action.Medium,
				Doc: "Traffic to the destination goes to the interface at " +
					"once, and is lost where that does not forward."},
			Doc: "Leads a route of a table to an interface. Whether a prefix list that the table has " +
				"routes to has the destination too can't be read; the route made here comes before it.",
			Target: target,
			Parameters: []action.Field{
				{Name: paramTake, Form: action.Boolean,
					Doc: "take the route from what it leads to now"},
				action.Lease,
			},
			Facts: []action.Field{
				{Name: factAssigned, Form: action.Destination, Echoes: "address",
					Doc: "the destination, once it is read back that it leads to the interface"},
				{Name: "routeTableRef", Form: action.RouteTableID, Doc: "the route table"},
				{Name: "nextHopNICRef", Form: action.InterfaceID, Echoes: "nicRef",
					Doc: "the interface, once it is read back that the destination leads to it"},
				prior,
				{Name: "priorRouteState", Form: state,
					Doc: "`blackhole` when what the route led to before was gone, detached or not running; " +
						"left out when it was read in an earlier attempt"},
				{Name: "routeState", Form: state,
					Doc: "as last read of the route to the interface; `blackhole` when the interface is " +
						"detached or its instance not running"},
			},
			Permissions: []action.Permission{
				describe, interfaces,
				{Action: "ec2:DescribeSubnets", Resource: "*", Foresees: true,
					For: "a dry-run that tells whether a destination inside the VPC is a whole subnet"},
				change(callCreate, "adding the route"),
				change(callReplace, "leading the route elsewhere", paramTake),
			},
			Plan: action.PlanWith(planAssign),
		},
		{
			Name: "unassign-route-table-route",
			Risk: action.Risk{Level: action.Medium,
				Doc: "Traffic to the destination takes another way at once, or none."},
			Doc: "Takes the route to an interface away. As an undo, it gives it back to what it led " +
				"to before `assign-route-table-route`. Without facts, under a key of its own, it is a " +
				"release, and gives nothing back. A route that is propagated is for whoever propagates " +
				"it to take away.",
			Target: target,
			Parameters: []action.Field{
				prior,
				{Name: factAssigned, Form: action.Destination, Newer: true,
					Doc: "the destination that the action led to the interface; in an undo without prior facts, " +
						"as of another executor's action, it says that the route is to be taken away"},
				action.OnDrift, action.IgnoreHolders,
			},
			Facts: []action.Field{
				{Name: "unassignedRoute", Form: action.Destination, Echoes: "address",
					Doc: "the destination, once it is read that no route of the table leads it to the " +
						"interface"},
				{Name: "restoredRouteTarget", Form: action.RouteTarget,
					Doc: "what the route leads to again; `none` when there is no route again"},
				action.UnknownPrior,
				{Name: "overwroteRouteTarget", Form: action.RouteTarget,
					Doc: "with `onDrift=restore`: what the route led to instead, and does not any more"},
			},
			Permissions: []action.Permission{
				describe, interfaces,
				change(callDelete, "taking the route away"),
				change(callReplace, "giving the route back to what it led to",
					paramTake, factPrior),
				change(callCreate, "giving back a route that is not there any more", action.OnDrift.Name),
			},
			Plan: action.PlanWith(planUnassign),
		},
	}
}
