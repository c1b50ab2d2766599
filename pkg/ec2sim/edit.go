package ec2sim

import (
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// Each of these changes one resource behind the API's back, as somebody at the console would: the
// function is given the resource, and its id must stay. They panic when the resource does not
// exist.

// EditInterface changes an interface; an attachment's change that is under way is called off.
func (r *Region) EditInterface(id string, edit func(*Interface)) Interface {
	return with(r, func(w *world.World, _ world.Minter) *Interface {
		w.CallOff(id)
		return world.Edit(w.Interfaces, id, edit)
	})
}

// EditInstance changes an instance; a state change that is under way is called off.
func (r *Region) EditInstance(id string, edit func(*Instance)) Instance {
	return with(r, func(w *world.World, _ world.Minter) *Instance {
		w.CallOff(id)
		state := world.Must(w.Instances, id).State
		i := world.Edit(w.Instances, id, edit)
		state, i.State = i.State, state
		w.SetState(i, state, r.sim.cfg.now())
		return i
	})
}

// EditSubnet changes a subnet.
func (r *Region) EditSubnet(id string, edit func(*Subnet)) Subnet {
	return with(r, func(w *world.World, _ world.Minter) *Subnet {
		return world.Edit(w.Subnets, id, edit)
	})
}

// EditSecurityGroup changes a security group.
func (r *Region) EditSecurityGroup(id string, edit func(*SecurityGroup)) SecurityGroup {
	return with(r, func(w *world.World, _ world.Minter) *SecurityGroup {
		return world.Edit(w.Groups, id, edit)
	})
}

// EditRouteTable changes a route table.
func (r *Region) EditRouteTable(id string, edit func(*RouteTable)) RouteTable {
	return with(r, func(w *world.World, _ world.Minter) *RouteTable {
		return world.Edit(w.Routes, id, edit)
	})
}

// Remove takes a resource of any kind away. Routes to it become black holes. A VPC or a subnet that
// holds something cannot be removed.
func (r *Region) Remove(id string) {
	r.sim.mu.Lock()
	defer r.sim.mu.Unlock()
	mustChange(r.sim.mem.own(r.place()).Remove(id))
}

// removeJSON names a resource of any kind. Without a region it is in the first.
type removeJSON struct{ Region, ID string }

func (s *Sim) remove(in removeJSON) error {
	return s.change(s.placed("", in.Region), true, func(c *world.Change) error {
		return c.World.Remove(in.ID)
	})
}

// State returns what the region holds.
func (r *Region) State() RegionState { return r.sim.State().Regions[r.name] }

// Attach attaches an interface to an instance at once, behind the API's back. It panics where EC2
// would refuse.
func (r *Region) Attach(eni, instance string, deviceIndex int) Interface {
	mustChange(r.sim.attach(attachJSON{r.name, eni, instance, deviceIndex}))
	return r.iface(eni)
}

// Detach detaches an interface at once, behind the API's back. It panics where EC2 would refuse.
func (r *Region) Detach(eni string) Interface {
	mustChange(r.sim.detach(attachJSON{Region: r.name, InterfaceID: eni}))
	return r.iface(eni)
}

func mustChange(err error) {
	if err != nil {
		panic("ec2sim: " + err.Error())
	}
}

func (r *Region) iface(id string) Interface {
	return with(r, func(w *world.World, _ world.Minter) *Interface {
		return world.Must(w.Interfaces, id)
	})
}

// attachJSON is what the control paths attach and detach take. Region may be left out where only
// one holds something.
type attachJSON struct {
	Region      string
	InterfaceID string
	InstanceID  string
	DeviceIndex int
}

func (s *Sim) attach(in attachJSON) error {
	return s.change(s.placed("", in.Region), true, func(c *world.Change) error {
		_, err := c.Attach(in.InterfaceID, in.InstanceID, in.DeviceIndex, 0)
		return err
	})
}

func (s *Sim) detach(in attachJSON) error {
	return s.change(s.placed("", in.Region), true, func(c *world.Change) error {
		return c.DetachInterface(in.InterfaceID)
	})
}

// placed is a region of an account, or what it is where they are left out: the first region that
// holds something, of the Sim's own account.
func (s *Sim) placed(account, region string) world.Place {
	if account == "" {
		account = s.cfg.owner
	}
	if region == "" {
		region = s.firstRegion()
	}
	return world.Place{Account: account, Region: region}
}

// change runs what an operation does, behind the API's back: no fault strikes it, no one is asked,
// and no call is logged. What takes time in EC2 may be over at once.
func (s *Sim) change(at world.Place, atOnce bool, run func(*world.Change) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.now()
	changed := s.mem.settled(at, now).Clone()
	c := world.Change{World: changed, Now: now, Mint: s.mem.mint, Quotas: s.mem.quotas,
		Shown: s.cfg.shown}
	if !atOnce {
		c.Transition = s.cfg.transition
	}
	if err := run(&c); err != nil {
		return err
	}
	s.mem.settle(changed, now)
	s.mem.put(at, changed)
	return nil
}
