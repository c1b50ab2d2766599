package ec2sim

import (
	"fmt"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/scaling"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// ScalingEvents is the source of the events that Auto Scaling has EventBridge pass on.
const ScalingEvents = world.ScalingEvents

// What Auto Scaling holds.
type (
	ScalingGroup    = world.ScalingGroup
	ScalingHook     = scaling.Hook
	ScalingMember   = scaling.Member
	LifecycleAction = scaling.Action
)

// The transitions at which instances of a group wait.
const (
	Launching   = scaling.Launching
	Terminating = scaling.Terminating
)

// AddScalingGroup adds an Auto Scaling group, whose instances are launched at once, with the events
// of that. It panics on a group that can't be.
func (r *Region) AddScalingGroup(g ScalingGroup) ScalingGroup {
	added := with(r, func(w *world.World, m world.Minter) *ScalingGroup {
		return w.AddScalingGroup(m, g)
	})
	mustChange(r.sim.scaled(r.place(), added.Name, func(*scaling.Group) {}))
	return r.ScalingGroup(g.Name)
}

// ScalingGroup returns a group as it is now. It panics when there is none.
func (r *Region) ScalingGroup(name string) ScalingGroup {
	r.sim.mu.Lock()
	defer r.sim.mu.Unlock()
	w := r.sim.mem.settled(r.place(), r.sim.cfg.now())
	return world.Copy(world.Must(w.ScalingGroups, name))
}

// EditScalingGroup changes a group behind the API's back: its sizes, its hooks, how many of its
// events are lost. It panics when there is none.
func (r *Region) EditScalingGroup(name string, edit func(*ScalingGroup)) ScalingGroup {
	mustChange(r.sim.scaled(r.place(), name, func(g *scaling.Group) {
		edit((*ScalingGroup)(g))
	}))
	return r.ScalingGroup(name)
}

// ElapseScaling has time pass for the waits of a group, and for nothing else: heartbeats that are
// due are missed, and default results take effect.
func (r *Region) ElapseScaling(name string, d time.Duration) {
	mustChange(r.sim.scaled(r.place(), name, func(g *scaling.Group) { g.Elapse(d) }))
}

// scaled changes a group behind the API's back. What follows from that happens at once.
func (s *Sim) scaled(at world.Place, name string, edit func(*scaling.Group)) error {
	return s.change(at, true, func(c *world.Change) error {
		g := c.World.ScalingGroups[name]
		if g == nil {
			return fmt.Errorf("there is no Auto Scaling group %q in %s", name, at.Region)
		}
		edit(g.Group())
		if wrong := g.Group().Check(); wrong != "" || g.Name != name {
			return fmt.Errorf("the Auto Scaling group %s: %s", name, wrong)
		}
		return nil
	})
}

// scalingJSON says what is to become of a group.
type scalingJSON struct {
	placeJSON
	Name string
	// DesiredCapacity and LoseEvents replace the group's where they are there.
	DesiredCapacity, LoseEvents *int
	// ElapseSeconds has time pass for the group's waits.
	ElapseSeconds int
}

func (s *Sim) scaleJSON(in scalingJSON) error {
	return s.scaled(s.placed(in.Account, in.Region), in.Name, func(g *scaling.Group) {
		if in.DesiredCapacity != nil {
			g.DesiredCapacity = *in.DesiredCapacity
		}
		if in.LoseEvents != nil {
			g.LoseEvents = *in.LoseEvents
		}
		g.Elapse(time.Duration(in.ElapseSeconds) * time.Second)
	})
}
