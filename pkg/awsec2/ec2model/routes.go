package ec2model

import "net/netip"

// RouteTable is a route table as one describe showed it.
type RouteTable struct {
	ID, VPCID string
	// OwnerID is the account that the table belongs to.
	OwnerID string
	// Routes are the routes to networks, in EC2's order.
	Routes []Route
	// ToLists are the routes to prefix lists. EC2 does not show the networks of a list with the table.
	ToLists []ListRoute
}

// Route is one way out of a table.
type Route struct {
	// Destination has no host bits.
	Destination netip.Prefix
	// Target is the id or the ARN of what the route leads to, or local. A route to an instance is
	// shown with the instance's interface, and leads to that one here.
	Target string
	// InstanceID is the instance of that interface, as EC2 shows it with the route.
	InstanceID string
	// Blackhole routes lead to what is gone, detached or not running.
	Blackhole bool
	// Static routes were made by hand. Any other is the VPC's own or was propagated, and a static one
	// to the same destination comes before a propagated one.
	Static bool
	// Own routes were made with the table, for the VPC's blocks.
	Own bool
}

// LeadsTo reports whether the target is what the route leads to, by whichever of its names.
func (r Route) LeadsTo(target string) bool {
	return target == r.Target || target == r.InstanceID
}

// ListRoute is a route to all the networks of a prefix list.
type ListRoute struct {
	List, Target string
	// Blackhole is as in Route.
	Blackhole bool
}

// Local is the target of the routes for the VPC's own blocks.
const Local = "local"

// To finds the route to exactly this destination that can be changed: the static one or the VPC's
// own.
func (t RouteTable) To(destination netip.Prefix) (Route, bool) {
	for _, r := range t.Routes {
		if r.Destination == destination && (r.Static || r.Own) {
			return r, true
		}
	}
	return Route{}, false
}

// Propagated finds the propagated route to exactly this destination.
func (t RouteTable) Propagated(destination netip.Prefix) (Route, bool) {
	for _, r := range t.Routes {
		if r.Destination == destination && !r.Static && !r.Own {
			return r, true
		}
	}
	return Route{}, false
}

// BlockOf finds the VPC's own block that a destination is in, which the table shows by its own
// routes.
func (t RouteTable) BlockOf(destination netip.Prefix) (netip.Prefix, bool) {
	for _, r := range t.Routes {
		if r.Own && r.Destination.Bits() <= destination.Bits() &&
			r.Destination.Contains(destination.Addr()) {
			return r.Destination, true
		}
	}
	return netip.Prefix{}, false
}
