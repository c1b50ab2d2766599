package ec2sim

import "fmt"

// Each of these changes one resource behind the API's back, as somebody at the console would: the
// function is given the resource, and its id must stay. They panic when the resource does not exist.

// EditInterface changes an interface; an attachment's change that is under way is called off.
func (r *Region) EditInterface(id string, edit func(*Interface)) Interface {
	return with(r, func(w *world, _ minter) *Interface {
		delete(w.transitions, id)
		return edited(w.interfaces, id, edit)
	})
}

// EditInstance changes an instance; a state change that is under way is called off.
func (r *Region) EditInstance(id string, edit func(*Instance)) Instance {
	return with(r, func(w *world, _ minter) *Instance {
		delete(w.transitions, id)
		return edited(w.instances, id, edit)
	})
}

// EditSubnet changes a subnet.
func (r *Region) EditSubnet(id string, edit func(*Subnet)) Subnet {
	return with(r, func(w *world, _ minter) *Subnet { return edited(w.subnets, id, edit) })
}

// EditSecurityGroup changes a security group.
func (r *Region) EditSecurityGroup(id string, edit func(*SecurityGroup)) SecurityGroup {
	return with(r, func(w *world, _ minter) *SecurityGroup { return edited(w.groups, id, edit) })
}

// EditRouteTable changes a route table.
func (r *Region) EditRouteTable(id string, edit func(*RouteTable)) RouteTable {
	return with(r, func(w *world, _ minter) *RouteTable { return edited(w.routes, id, edit) })
}

func edited[T resource[T]](t table[T], id string, edit func(*T)) *T {
	r := must(t, id)
	edit(r)
	if (*r).key() != id {
		cannot("the id of " + id + " cannot be edited")
	}
	// What the caller kept of it must not reach the world.
	*r = (*r).clone()
	return r
}

// Remove takes a resource of any kind away. Routes to it become black holes. A VPC or a subnet that holds
// something cannot be removed.
func (r *Region) Remove(id string) {
	r.sim.mu.Lock()
	defer r.sim.mu.Unlock()
	if err := r.sim.mem.own(r.name).remove(id); err != nil {
		cannot(err.Error())
	}
}

func (w *world) remove(id string) error {
	if w.tagged(id) == nil {
		return fmt.Errorf("there is no %s", id)
	}
	for eni := range w.interfaces.each() {
		if eni.SubnetID == id {
			return fmt.Errorf("%s holds %s", id, eni.ID)
		}
	}
	for s := range w.subnets.each() {
		if s.VPCID == id {
			return fmt.Errorf("%s holds %s", id, s.ID)
		}
	}
	delete(w.vpcs, id)
	delete(w.subnets, id)
	delete(w.groups, id)
	delete(w.gateways, id)
	delete(w.routes, id)
	delete(w.instances, id)
	delete(w.interfaces, id)
	delete(w.addresses, id)
	return nil
}

// removeJSON names a resource of any kind. Without a region it is in the first.
type removeJSON struct{ Region, ID string }

func (s *Sim) remove(in removeJSON) error {
	return s.change(in.Region, func(c *call) error { return c.w.remove(in.ID) })
}

// State returns what the region holds.
func (r *Region) State() RegionState { return r.sim.State().Regions[r.name] }
