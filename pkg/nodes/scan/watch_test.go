package scan_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/nodes/scan"
)

// watch is a watcher whose time the test makes.
type watch struct {
	*world
	ticks   chan time.Time
	waits   chan time.Duration
	results chan scan.Result
	end     func()
}

func (w *world) watch(o scan.WatchOptions) *watch {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	x := &watch{world: w, ticks: make(chan time.Time), waits: make(chan time.Duration, 1000),
		results: make(chan scan.Result, 1000)}
	o.Now = w.clock.Now
	o.After = func(d time.Duration) <-chan time.Time {
		x.waits <- d
		return x.ticks
	}
	o.Result = func(r scan.Result) { x.results <- r }
	o.Failed = func(err error) {
		if !errors.Is(err, context.Canceled) {
			w.t.Error(err)
		}
	}
	done := make(chan struct{})
	go func() {
		scan.NewWatcher(w.store, w.scanner, o).Run(ctx)
		close(done)
	}()
	x.end = func() {
		cancel()
		<-done
	}
	w.t.Cleanup(x.end)
	return x
}

// see waits for n results.
func (x *watch) see(n int) []string {
	x.t.Helper()
	var list []scan.Result
	for range n {
		list = append(list, <-x.results)
	}
	return verdicts(list)
}

// sickOf is what became of eu-west-1, without its place.
func sickOf(lines []string) string {
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, "fleet/"+own+"/eu-west-1 "); ok {
			return rest
		}
	}
	return ""
}

// later lets time pass, and has the watcher look what is due.
func (x *watch) later(d time.Duration) {
	x.clock.advance(d)
	x.ticks <- x.clock.Now()
}

// Each manager is scanned at its own interval, and one that is added meanwhile is seen.
func TestWatchHasEachManagerAtItsInterval(t *testing.T) {
	w := newWorld(t)
	often, seldom := ec2Manager("often", "eu-west-1"), ec2Manager("seldom", "eu-west-2")
	often.Interval, seldom.Interval = 10*time.Minute, 24*time.Hour
	w.create(often)
	w.create(seldom)
	x := w.watch(scan.WatchOptions{})
	x.later(5 * time.Minute)
	x.later(5 * time.Minute)
	equal(t, []string{"often/" + own + "/eu-west-1 complete 0"}, x.see(1))
	x.later(10 * time.Minute)
	equal(t, []string{"often/" + own + "/eu-west-1 complete 0"}, x.see(1))
	if _, err := w.store.CreateManager(t.Context(), ec2Manager("new", "us-west-1")); err != nil {
		t.Fatal(err)
	}
	x.later(time.Minute)
	equal(t, []string{"new/" + own + "/us-west-1 complete 0"}, x.see(1))
	x.end()
	if len(x.results) != 0 {
		t.Errorf("there are %d more results", len(x.results))
	}
}

// A region that fails again and again is left out for longer and longer; the others are not.
func TestWatchLeavesASickRegionAlone(t *testing.T) {
	w := newWorld(t)
	w.add(own, "eu-west-1", 1, ec2sim.Instance{})
	w.create(ec2Manager("fleet", "eu-west-1", "eu-west-2"))
	w.inject(always(ec2sim.LoseRequest("DescribeInstances"), own, "eu-west-1"))
	x := w.watch(scan.WatchOptions{})
	var sick []string
	for range 5 {
		x.later(time.Hour)
		sick = append(sick, sickOf(x.see(2)))
	}
	// After the second failure it is left alone for two hours.
	equal(t, []string{"unreachable 0", "unreachable 0", "skipped 0", "unreachable 0", "skipped 0"},
		sick)
	w.sim.ClearFaults()
	for range 4 {
		x.later(time.Hour)
		sick = append(sick, sickOf(x.see(2)))
	}
	equal(t, "complete 1", sick[len(sick)-1])
	x.end()
}

// A manager that hangs delays no other.
func TestWatchAManagerThatHangs(t *testing.T) {
	w := newWorld(t)
	w.patience = time.Hour
	w.create(inAccount(ec2Manager("hangs", "eu-west-1"), other))
	w.create(ec2Manager("works", "eu-west-1"))
	hung := make(chan struct{})
	remove := w.sim.OnCall(func(c ec2sim.Call) ec2sim.Verdict {
		if c.Account == other && c.Phase == ec2sim.BeforeEffect {
			<-hung
		}
		return ec2sim.Proceed
	})
	defer remove()
	x := w.watch(scan.WatchOptions{})
	for range 3 {
		x.later(time.Hour)
		equal(t, []string{"works/" + own + "/eu-west-1 complete 0"}, x.see(1))
	}
	close(hung)
	equal(t, []string{"hangs/" + other + "/eu-west-1 complete 0"}, x.see(1))
}
