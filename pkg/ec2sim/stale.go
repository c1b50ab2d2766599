package ec2sim

import "time"

// Stale makes reads of a region answer from the world as it was before a change: the next Reads of them,
// and those until For has passed; with both, until both are over. With Flap every second of these reads
// is fresh, as reads of several replicas are.
type Stale struct {
	Reads int
	For   time.Duration
	Flap  bool
}

// staleView is a world of the past, and who still sees it.
type staleView struct {
	world *world
	reads int
	until time.Time
	flap  bool
	fresh bool // the next read is the fresh one of a flapping view
}

func newStaleView(w *world, s Stale, now time.Time) *staleView {
	return &staleView{world: w, reads: s.Reads, until: now.Add(s.For), flap: s.Flap}
}

// over reports whether no read sees the view any more.
func (v *staleView) over(now time.Time) bool { return v.reads <= 0 && !now.Before(v.until) }

// next returns the world that the next read is to see, or nil when it is the present one.
func (v *staleView) next() *world {
	v.reads--
	fresh := v.fresh
	v.fresh = v.flap && !fresh
	if fresh {
		return nil
	}
	return v.world
}
