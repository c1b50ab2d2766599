package probe

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"

	"aws-provider-executor/pkg/nodes"
)

// Store is what a watch needs of a store of nodes.
type Store interface {
	Due(ctx context.Context, since time.Time) ([]*nodes.Node, error)
	ApplyProbe(ctx context.Context, p nodes.Probe) (*nodes.Node, error)
}

// WatchOptions are the settings of a watch.
type WatchOptions struct {
	// Due is how long after a probe the next one is due.
	Due time.Duration
	// Every is how often is looked for nodes that are due, a little less by chance; a minute when
	// zero.
	Every time.Duration
	// After is a timer; time.After when nil.
	After func(time.Duration) <-chan time.Time
	// Done is told of each probe that was taken over, and Failed of what failed in the store. Neither
	// is called concurrently with itself.
	Done   func(*nodes.Node, nodes.Probe)
	Failed func(error)
}

// Watch probes the nodes that are due, again and again, until the context ends. A probe that was
// cut short says nothing of its node.
func (p *Prober) Watch(ctx context.Context, s Store, o WatchOptions) {
	o.Every = cmp.Or(o.Every, time.Minute)
	if o.After == nil {
		o.After = time.After
	}
	for ctx.Err() == nil {
		due, err := s.Due(ctx, p.Now().Add(-o.Due))
		if err != nil && ctx.Err() == nil {
			o.Failed(err)
		}
		p.All(ctx, due, func(result nodes.Probe) {
			if ctx.Err() != nil {
				return
			}
			n, err := s.ApplyProbe(context.WithoutCancel(ctx), result)
			if err != nil {
				o.Failed(err)
				return
			}
			o.Done(n, result)
		})
		select {
		case <-ctx.Done():
		case <-o.After(o.Every - time.Duration(rand.Int64N(int64(o.Every)/10+1))):
		}
	}
}
