package fault

import (
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// Stale makes reads of a region answer from the world as it was before a change: the next Reads of
// them, and those until For has passed; with both, until both are over. With Flap every second of
// these reads is fresh, as reads of several replicas are.
type Stale struct {
	Reads int
	For   time.Duration
	Flap  bool
}

// View is a world of the past, and who still sees it.
type View struct {
	world *world.World
	reads int
	until time.Time
	flap  bool
	fresh bool // the next read is the fresh one of a flapping view
}

// NewView is the view that a change leaves of the world before it.
func NewView(w *world.World, s Stale, now time.Time) *View {
	return &View{world: w, reads: s.Reads, until: now.Add(s.For), flap: s.Flap}
}

// Over reports whether no read sees the view any more.
func (v *View) Over(now time.Time) bool { return v.reads <= 0 && !now.Before(v.until) }

// Next returns the world that the next read is to see, or nil when it is the present one.
func (v *View) Next() *world.World {
	v.reads--
	fresh := v.fresh
	v.fresh = v.flap && !fresh
	if fresh {
		return nil
	}
	return v.world
}
