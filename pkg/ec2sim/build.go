package ec2sim

import (
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// Region fills a region of a Sim, without the API: seeds and tests say with it how the world is.
// Its methods panic when asked for what EC2 could not hold, for a seed is code. What a value leaves
// out is filled in; the completed value is returned.
type Region struct {
	sim           *Sim
	account, name string
}

// Region returns the named region of the Sim's own account. It may be one EC2 does not have.
func (s *Sim) Region(name string) *Region { return &Region{s, s.cfg.owner, name} }

// with runs fill on the region's world and returns a copy of what it made.
func with[T world.Resource[T]](r *Region, fill func(*world.World, world.Minter) *T) T {
	r.sim.mu.Lock()
	defer r.sim.mu.Unlock()
	return world.Copy(fill(r.sim.mem.own(r.place()), r.sim.mem.mint))
}

// AddVPC adds a VPC with its default security group and its main route table. The group lets its
// members talk to each other and to the world, the table holds the local routes. Both have the
// digits of the VPC's id.
func (r *Region) AddVPC(v VPC) VPC {
	return with(r, func(w *world.World, m world.Minter) *VPC {
		return w.AddWholeVPC(m, v)
	})
}

// AddSubnet adds a subnet to the VPC it names. The zone is the region's first when not given.
func (r *Region) AddSubnet(s Subnet) Subnet {
	return with(r, func(w *world.World, m world.Minter) *Subnet { return w.AddSubnet(m, s) })
}

// AddSecurityGroup adds a group to the VPC it names.
func (r *Region) AddSecurityGroup(g SecurityGroup) SecurityGroup {
	return with(r, func(w *world.World, m world.Minter) *SecurityGroup { return w.AddGroup(m, g) })
}

// AddGateway adds something routes can lead to; its id's prefix says what it is.
func (r *Region) AddGateway(g Gateway) Gateway {
	return with(r, func(w *world.World, m world.Minter) *Gateway { return w.AddGateway(m, g) })
}

// AddRouteTable adds a route table to the VPC it names, with the VPC's local routes before its own.
// Its associations take their subnets from the tables that had them.
func (r *Region) AddRouteTable(t RouteTable) RouteTable {
	return with(r, func(w *world.World, m world.Minter) *RouteTable { return w.AddRouteTable(m, t) })
}

// AddInterface adds an interface to the subnet it names. Without groups it has the VPC's default
// group, without a primary address the subnet's lowest free one, which is an IPv6 address in an
// IPv6-only subnet. One of type efa-only has none. SourceDestCheck is as given.
func (r *Region) AddInterface(i Interface) Interface {
	return with(r, func(w *world.World, m world.Minter) *Interface { return w.AddInterface(m, i) })
}

// AddInstance adds an instance with its interfaces, at device indexes in the order given; without
// one it gets one in the subnet it names, with source/destination check on.
func (r *Region) AddInstance(i Instance, interfaces ...Interface) Instance {
	return with(r, func(w *world.World, m world.Minter) *Instance {
		return w.AddInstanceWith(m, i, interfaces, r.sim.cfg.now())
	})
}

// AddAddress adds an Elastic IP, bound when it names an interface and one of its private addresses.
func (r *Region) AddAddress(a Address) Address {
	return with(r, func(w *world.World, m world.Minter) *Address { return w.AddAddress(m, a) })
}
