package executor

import (
	"context"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// lease is the time after which no changing call is begun; ok is false where there is none. The
// form of the parameter is checked.
func (r *run) lease() (until time.Time, ok bool) {
	until, err := time.Parse(time.RFC3339, r.req.Parameters[action.Lease.Name])
	return until, err == nil
}

// leaseEnded refuses a change whose time is over; nil while it is not, and where there is none.
func (r *run) leaseEnded() *protocol.Failure {
	until, ok := r.lease()
	if !ok {
		return nil
	}
	return action.LeaseOver(until, r.now())
}

// whileLeased is the context for a change. Of the first ones, which may be sent again when the
// provider throttles them, no attempt is begun after the lease.
func (r *run) whileLeased() context.Context {
	if until, ok := r.lease(); ok && !r.began() {
		return action.WithLease(r.times.change, until)
	}
	return r.times.change
}

// heedLease refuses to begin what is to be changed when the time for it is over. What an earlier
// attempt under this key began is found out about first: it may only just show.
func (r *run) heedLease() error {
	ended := r.leaseEnded()
	switch {
	case ended == nil || r.isSo():
		return nil
	case r.mayBeInForce() && r.showsAfterAll():
		return r.settle()
	}
	return r.tooLate(ended, r.mayBeInForce())
}

// heedLeaseAgain looks once more right before the first changing call. What is begun is brought to
// its end: half-way it would be nobody's.
func (r *run) heedLeaseAgain() error {
	ended := r.leaseEnded()
	if ended == nil || r.began() {
		return nil
	}
	r.forget(r.before)
	return r.tooLate(ended, len(r.past.Own) > 0)
}

// tooLate says what is so now that nothing more is sent; begun reports whether an earlier attempt
// under this key may have changed something.
func (r *run) tooLate(ended *protocol.Failure, begun bool) error {
	if !begun {
		ended.Message += "; nothing was changed; send it again under a new lease"
		return ended
	}
	if r.moves == nil {
		r.beginMoves()
	}
	pending := step{to: map[int]string{}}
	for i, m := range r.moves {
		if r.pending(i) {
			pending.which, pending.to[i] = append(pending.which, i), m.To
		}
	}
	ended.Message += "; an earlier attempt under this key began, and now " +
		r.differences(pending.which, pending) +
		"; nothing more was sent; send it again under a new lease, or undo it"
	return ended
}

// showsAfterAll waits for what an earlier attempt began to show, where that attempt is recent, and
// takes it for the reading that the plan rests on.
func (r *run) showsAfterAll() bool {
	if !recent(r.earlier) {
		return false
	}
	ctx, cancel := context.WithTimeout(r.times.plan, r.briefly())
	defer cancel()
	shown, _ := r.await(ctx, 2, func(seen action.Seen) bool {
		for i, t := range r.plan.Transitions {
			if seen.Values[i] != t.To {
				return false
			}
		}
		return true
	})
	if shown {
		r.plan.Seen = r.seen
	}
	return shown
}

// now is this machine's time.
func (r *run) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}
