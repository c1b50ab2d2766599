package executor

import (
	"context"
	"time"

	"aws-provider-executor/pkg/plugin"
)

// times are the contexts of one run. Each later one ends later, so that there is
// always time left to find out what became of what was begun.
type times struct {
	stop context.Context
	// plan is for reading and deciding; it ends with the signal to stop, and
	// no change is begun after it.
	plan context.Context
	// change is for changing calls on their way.
	change context.Context
	// verify is for reading back.
	verify context.Context
	cancel context.CancelFunc
}

// stopGrace is how long after the signal to stop the answer is given at the latest.
const stopGrace = 5 * time.Second

func newTimes(stop context.Context, timeout time.Duration) times {
	end := time.Now().Add(timeout - plugin.Margin(timeout))
	reserve := min(5*time.Second, timeout/4)
	base := context.WithoutCancel(stop)

	verify, cancelVerify := context.WithDeadline(base, end)
	change, cancelChange := context.WithDeadline(verify, end.Add(-reserve))
	plan, cancelPlan := context.WithCancel(change)
	stopping := context.AfterFunc(stop, func() {
		cancelPlan()
		time.AfterFunc(stopGrace/2, cancelChange)
		time.AfterFunc(stopGrace, cancelVerify)
	})
	return times{stop: stop, plan: plan, change: change, verify: verify, cancel: func() {
		stopping()
		cancelPlan()
		cancelChange()
		cancelVerify()
	}}
}

// stopped reports whether the signal to stop came.
func (t times) stopped() bool { return t.stop.Err() != nil }

// end is when the answer must be there.
func (t times) end() time.Time {
	end, _ := t.verify.Deadline()
	return end
}

// up reports whether no change may be begun any more.
func (t times) up() bool { return t.plan.Err() != nil || t.stopped() }

// sleep waits, and reports whether the context let it.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
