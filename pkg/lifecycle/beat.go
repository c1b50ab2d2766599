package lifecycle

import (
	"context"
	"sync"
	"time"

	"aws-provider-executor/pkg/awsec2/ec2model"
)

// heartbeats have a hook wait while a run is at work, and watch for what ends the work: the hook
// waits no more, or a terminate was asked for while the instance is launched. They end with the
// run.
type heartbeats struct {
	run    *run
	cancel context.CancelFunc
	ended  chan struct{}

	mu   sync.Mutex
	sent int
	// end interrupts what the run does. What was told once is not told again.
	end   context.CancelCauseFunc
	cause error
}

const (
	// perTimeout is how often in the time that a hook waits a heartbeat is sent.
	perTimeout = 3
	// shortestBeat is the shortest time between two heartbeats: EC2's shortest hook waits 30 seconds.
	shortestBeat = time.Second
	// watchEvery is how often the record is read while an instance is launched.
	watchEvery = 5 * time.Second
)

// beat begins to send heartbeats.
func (r *run) beat(ctx context.Context) *heartbeats {
	ctx, cancel := context.WithCancel(ctx)
	b := &heartbeats{run: r, cancel: cancel, ended: make(chan struct{})}
	go b.work(ctx)
	return b
}

// stop ends the heartbeats, and waits until they have ended.
func (b *heartbeats) stop() {
	b.cancel()
	<-b.ended
}

func (b *heartbeats) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent
}

// tell has the heartbeats end a context where something else is so. What it was before is known.
func (b *heartbeats) tell(end context.CancelCauseFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end = end
}

// found interrupts what the run does, once for each cause.
func (b *heartbeats) found(cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.end != nil && b.cause != cause {
		b.cause = cause
		b.end(cause)
	}
}

func (b *heartbeats) work(ctx context.Context) {
	defer close(b.ended)
	r := b.run
	every, waits := b.interval(ctx)
	next := r.Now().Add(every)
	for {
		pause := every
		if r.event.Kind == Launch {
			pause = min(every, watchEvery)
		}
		if r.Wait(ctx, pause) != nil {
			return
		}
		if r.event.Kind == Launch && b.asked(ctx) {
			b.found(errAsked)
		}
		if !waits || r.Now().Before(next) {
			continue
		}
		next = r.Now().Add(every)
		if b.over(ctx) {
			b.found(errOver)
			waits = false
		}
	}
}

// interval is the time between two heartbeats, and whether a hook waits at all.
func (b *heartbeats) interval(ctx context.Context) (time.Duration, bool) {
	r := b.run
	if r.event.Kind != Launch && r.event.Kind != Terminate {
		return watchEvery, false
	}
	hooks, err := r.cloud.DescribeLifecycleHooks(ctx, r.event.Group)
	if err != nil {
		if ctx.Err() == nil {
			r.Log.Warn("cannot read the hooks", "group", r.event.Group, "error", err)
		}
		// EC2's shortest.
		return 30 * time.Second / perTimeout, true
	}
	for _, h := range hooks {
		if h.Name == r.event.Hook {
			return max(h.Heartbeat/perTimeout, shortestBeat), true
		}
	}
	return watchEvery, false
}

// asked reports whether the record says that a terminate was asked for.
func (b *heartbeats) asked(ctx context.Context) bool {
	rec, err := b.run.Records.Read(ctx, b.run.event)
	return err == nil && rec.Terminate != ""
}

// over sends a heartbeat, and reports whether the hook waits no more. A refusal alone does not say
// that.
func (b *heartbeats) over(ctx context.Context) bool {
	r := b.run
	err := r.cloud.RecordLifecycleActionHeartbeat(ctx, r.action())
	if err == nil {
		b.mu.Lock()
		b.sent++
		b.mu.Unlock()
		return false
	}
	if ctx.Err() != nil {
		return false
	}
	i, lookErr := r.cloud.DescribeScalingInstance(ctx, r.event.Instance)
	r.Log.Warn("a heartbeat was not taken", "instance", r.event.Instance, "error", err)
	return lookErr == nil && i.State != waitingAt(r.event.Kind)
}

// action is the lifecycle action of the event.
func (r *run) action() ec2model.LifecycleAction {
	return ec2model.LifecycleAction{Group: r.event.Group, Hook: r.event.Hook,
		Instance: r.event.Instance, Token: r.event.Token}
}

// waitingAt is Auto Scaling's state of an instance that waits at a hook of a kind.
func waitingAt(k Kind) string {
	if k == Launch {
		return "Pending:Wait"
	}
	return "Terminating:Wait"
}
