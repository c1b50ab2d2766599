package executor

import (
	"context"
	"time"
)

// finishTime is what is left of the time for the plan's Finally.
func (r *run) finishTime() time.Duration { return min(lastPause, r.Timeout/8) }

// verifyTime is the time for reading back. It ends early enough for the plan's Finally, if there is
// one.
func (r *run) verifyTime() (context.Context, context.CancelFunc) {
	end := r.times.end()
	if r.plan.Finally != nil {
		end = end.Add(-r.finishTime())
	}
	return context.WithDeadline(r.times.verify, end)
}

// finish lets the plan correct what an end part-way would leave untrue. A signal to stop does not
// keep it from that: it is a part of finding out what is so.
func (r *run) finish() {
	if r.plan.Finally == nil || !r.began() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.times.verify), r.finishTime())
	defer cancel()
	ctx, release := r.holding(ctx)
	defer release()
	if ctx.Err() != nil {
		return
	}
	r.note = r.plan.Finally(ctx, r.conn.Writer(), r.seen)
}
