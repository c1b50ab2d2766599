package proof

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"aws-provider-executor/actions"
	"aws-provider-executor/actions/sgfence"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsexecutor"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/ledger/ledgertest"
	"aws-provider-executor/pkg/protocol"
)

// mortalVar makes the test binary an executor that kills itself around a step of its ledger:
// "before 3" or "after 3".
const mortalVar = "PROOF_MORTAL"

// immortal is the value that makes it one that does not kill itself.
const immortal = "never 0"

// hurriedClock is not waited for.
var hurriedClock = sgfence.Clock{
	Now:  time.Now,
	Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
}

// mortalMain is the program as cmd/aws-provider-executor wires it, on a disk that kills it.
func mortalMain() int {
	p := awsexecutor.New(awsexecutor.Name, "mortal", actions.RegistryAt(hurriedClock))
	p.Disk = newMortalDisk(os.Getenv(mortalVar))
	return p.Main(context.Background(), os.Args[:1], os.Environ(), os.Stdin, os.Stdout, os.Stderr)
}

// mortalDisk kills the process, as SIGKILL does, before or after the nth step that writes.
type mortalDisk struct {
	ledger.OSDisk
	after bool
	at, n int
}

func newMortalDisk(where string) *mortalDisk {
	when, n, _ := strings.Cut(where, " ")
	at, _ := strconv.Atoi(n)
	return &mortalDisk{after: when == "after", at: at}
}

func (d *mortalDisk) step(do func() error) error {
	d.n++
	if d.n == d.at && !d.after {
		die()
	}
	err := do()
	if d.n == d.at {
		die()
	}
	return err
}

func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func (d *mortalDisk) Write(path string, data []byte) error {
	return d.step(func() error { return d.OSDisk.Write(path, data) })
}
func (d *mortalDisk) Rename(from, to string) error {
	return d.step(func() error { return d.OSDisk.Rename(from, to) })
}
func (d *mortalDisk) Remove(path string) error {
	return d.step(func() error { return d.OSDisk.Remove(path) })
}
func (d *mortalDisk) Create(path string, data []byte) error {
	return d.step(func() error { return d.OSDisk.Create(path, data) })
}
func (d *mortalDisk) Sync(paths ...string) error {
	return d.step(func() error { return d.OSDisk.Sync(paths...) })
}
func (d *mortalDisk) MkdirAll(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil // nothing to be written
	}
	return d.step(func() error { return d.OSDisk.MkdirAll(dir) })
}

// clean is what a scenario comes to when nothing goes wrong.
type clean struct {
	before, after ec2sim.State
	ready         ec2sim.State // after the action, and after what happens before its undo
	undone        ec2sim.State // as before, unless the undo goes beyond
	priors        map[string]string
	calls         int // of the action
	undoCalls     int
	did, undid    []ec2sim.Call
}

func (s scenario) clean(t *testing.T) clean {
	t.Helper()
	l := newLab(t, s.seed)
	c := clean{before: l.state()}
	r := s.request("k")
	did := l.must(l.run(r), protocol.Succeeded, "execute")
	c.after, c.priors, c.did, c.calls = l.state(), priors(did.Observed), did.calls, len(did.calls)
	if s.alone {
		return c
	}
	s.happens(l)
	c.ready = l.state()
	undid := l.must(l.run(s.undoOf(r, did.Status)), s.undone(), "undo")
	c.undoCalls = len(undid.calls)
	c.undid = undid.calls
	if c.undone = l.state(); !s.beyond {
		l.same(c.before, "after the undo")
	}
	return c
}

// recovers goes on after an action that was killed: the same key again, then the undo.
func (s scenario) recovers(l *lab, r request, c clean, when string) {
	l.t.Helper()
	again := s.patiently(l, r)
	l.same(c.after, when+", and the same key again,")
	if s.alone && again.Status.Status == protocol.Skipped {
		return // all of it was done, and nothing tells any more what it was
	}
	if s.untold && again.Observed[protocol.FactFailureClass] == string(protocol.Ambiguous) {
		return // it is never told as made while nobody knows
	}
	l.must(again, protocol.Succeeded, when+", the same key again")
	if s.alone {
		return
	}
	if got := priors(again.Observed); !maps.Equal(got, c.priors) {
		l.t.Errorf("%s, the same key again tells the prior facts %v, want %v", when, got, c.priors)
	}
	s.happens(l)
	s.undoes(l, r, again.Status, c, when)
}

// untoldPatience is the deadline of a process that may read in vain until then.
const untoldPatience = 15 * time.Second

// patiently runs a request once more where what may have been sent would not show yet. Where the
// provider remembers what was made and deleted again, it is run twice: a refusal later than the
// record is recent frees the key.
func (s scenario) patiently(l *lab, r request) answer {
	var w way
	if s.untold {
		// Nothing will tell it, however long it is read.
		w.timeout = untoldPatience
	}
	a := l.start(r, w).wait()
	if strings.Contains(a.Error, "remembers that this action made") {
		l.age()
		l.must(l.run(r), protocol.Failed, "what is remembered, once the record is old")
		return l.run(r)
	}
	if s.waits && a.Observed[protocol.FactFailureClass] == string(protocol.Ambiguous) {
		l.age()
		a = l.run(r)
	}
	return a
}

// undoes undoes, and finds nothing left.
func (s scenario) undoes(l *lab, r request, facts protocol.Status, c clean, when string) {
	l.t.Helper()
	l.must(s.patiently(l, s.undoOf(r, facts)), s.undone(), when+", the undo")
	l.same(c.undone, when+", and the undo,")
	if left := l.records(); len(left) > 0 {
		l.t.Errorf("%s, and the undo, records are left: %v", when, left)
	}
}

// age makes what is recorded two minutes older.
func (l *lab) age() {
	l.t.Helper()
	if err := ledgertest.Age(l.store, 2*time.Minute); err != nil {
		l.t.Fatal(err)
	}
}

// warm makes the store as a first use leaves it.
func (l *lab) warm() {
	l.t.Helper()
	if _, err := ledger.Open(l.t.Context(), l.store, ledger.OSDisk{}, time.Now); err != nil {
		l.t.Fatal(err)
	}
}

// runKilled runs a request, and kills its process when its nth call is at a point. The verdict is
// whether the call goes on without it.
func (l *lab) runKilled(r request, n int, at ec2sim.Phase, verdict ec2sim.Verdict) answer {
	l.t.Helper()
	var p *process
	started := make(chan struct{})
	var count, victim atomic.Int64
	remove := l.sim.OnCall(func(c ec2sim.Call) ec2sim.Verdict {
		if <-started; !p.made(c) {
			return ec2sim.Proceed
		}
		if c.Phase == ec2sim.BeforeEffect && count.Add(1) == int64(n) {
			victim.Store(int64(c.Seq))
		}
		if victim.Load() != int64(c.Seq) || c.Phase != at {
			return ec2sim.Proceed
		}
		p.kill()
		return verdict
	})
	defer remove()
	p = l.start(r, way{})
	close(started)
	return p.wait()
}

// instants are the points of a call at which a process is killed.
var instants = []struct {
	name    string
	at      ec2sim.Phase
	verdict ec2sim.Verdict
}{
	{"before it takes effect, which it never does", ec2sim.BeforeEffect, ec2sim.Abandon},
	{"before it takes effect, which it then does", ec2sim.BeforeEffect, ec2sim.Proceed},
	{"after it took effect", ec2sim.AfterEffect, ec2sim.Proceed},
}

// TestKilledAtEveryCall: the real binary, killed at every call to EC2 it makes; then the same key
// again; then the undo: the world equals the world before. Of the calls that read, one in three is
// taken where a scenario is not plain.
func TestKilledAtEveryCall(t *testing.T) {
	t.Parallel()
	var kills atomic.Int64
	var cases []func()
	for _, s := range scenarios {
		c := s.clean(t)
		for i, instant := range instants {
			for _, undo := range []bool{false, true} {
				for n := 1; n <= c.callsOf(undo); n++ {
					reading := !changing(c.call(undo, n))
					if i == 1 && reading || reading && !s.plain && !taken(n+i, 3) {
						continue // a reading has no effect
					}
					cases = append(cases, func() {
						when := fmt.Sprintf("%s (undo %t), killed at call %d %s", s.name, undo, n, instant.name)
						s.killed(t, c, undo, when, func(l *lab, r request) bool {
							return l.runKilled(r, n, instant.at, instant.verdict).killed
						})
						kills.Add(1)
					})
				}
			}
		}
	}
	abreast(cases)
	t.Logf("%d kills at calls to EC2: nothing lost", kills.Load())
	promised(t, "kills at calls to EC2", kills.Load())
}

// killed has an action or its undo killed, and goes on from there. It reports whether it was killed
// at all.
func (s scenario) killed(
	t *testing.T, c clean, undo bool, when string, kill func(*lab, request) bool,
) bool {
	t.Helper()
	l := newLab(t, s.seed)
	l.warm()
	r := s.request("k")
	if !undo {
		if !kill(l, r) {
			return false
		}
		s.recovers(l, r, c, when)
		return true
	}
	did := l.must(l.run(r), protocol.Succeeded, when+", execute")
	s.happens(l)
	if !kill(l, s.undoOf(r, did.Status)) {
		return false
	}
	s.undoes(l, r, did.Status, c, when)
	return true
}

// TestKilledAndUndoneWithoutFacts: the real binary, killed at every call that changes something,
// and the caller with it: the undo comes without a fact, twice, and the world equals the world
// before.
func TestKilledAndUndoneWithoutFacts(t *testing.T) {
	t.Parallel()
	var kills atomic.Int64
	var cases []func()
	for _, s := range scenarios {
		verb, _ := actions.Registry().Lookup(s.verb)
		undo, _ := actions.Registry().Lookup(verb.Undo)
		if s.alone || s.beyond || slices.ContainsFunc(undo.Parameters, func(f action.Field) bool {
			return f.Required
		}) {
			continue
		}
		c := s.clean(t)
		for n := 1; n <= c.calls; n++ {
			for _, instant := range instants {
				if !changing(c.call(false, n)) {
					continue
				}
				cases = append(cases, func() {
					when := fmt.Sprintf("%s, killed at call %d %s, the undo without facts,", s.name, n,
						instant.name)
					l := newLab(t, s.seed)
					l.warm()
					r := s.request("k")
					if !l.runKilled(r, n, instant.at, instant.verdict).killed {
						return
					}
					for range 2 {
						if got := l.run(s.undoOf(r, protocol.Status{})); got.Status.Status == protocol.Failed {
							t.Errorf("%s: %+v", when, got.Status)
						}
						l.same(c.undone, when)
					}
					kills.Add(1)
				})
			}
		}
	}
	abreast(cases)
	t.Logf("%d kills, and undone without facts: nothing lost", kills.Load())
	promised(t, "kills and undos without facts", kills.Load())
}

// TestKilledAndThenRefused: the real binary, killed at every call that changes something; the same
// key again meets a fault at each of its calls, and what it first reads may be from before the
// kill. Whatever it then answers has what the undo needs.
func TestKilledAndThenRefused(t *testing.T) {
	t.Parallel()
	var kills atomic.Int64
	var cases []func()
	for _, s := range scenarios {
		if !s.plain {
			continue
		}
		c := s.clean(t)
		for n := 1; n <= c.calls; n++ {
			if !changing(c.call(false, n)) {
				continue
			}
			for _, f := range faults {
				if !slices.Contains(
					[]string{"not authorized", "throttled from there on", "a refusal of any kind",
						"an internal error, and made"}, f.name) {
					continue
				}
				for again := 1; again <= c.calls; again++ {
					for _, stale := range []bool{false, true} {
						cases = append(cases, func() {
							when := fmt.Sprintf("%s, killed at call %d, then %s at call %d (stale %t)", s.name, n,
								f.name, again, stale)
							if s.killedAndThen(t, c, n, f, again, stale, when) {
								kills.Add(1)
							}
						})
					}
				}
			}
		}
	}
	abreast(cases)
	t.Logf("%d kills, and a fault thereafter: nothing lost", kills.Load())
	promised(t, "kills and faults thereafter", kills.Load())
}

// killedAndThen has an action killed after a call took effect, and the same key meet a fault. It
// reports whether both struck.
func (s scenario) killedAndThen(
	t *testing.T, c clean, n int, f fault, again int, stale bool, when string,
) bool {
	t.Helper()
	l := newLab(t, s.seed)
	l.warm()
	r := s.request("k")
	if stale {
		if err := l.sim.Inject(ec2sim.StaleReads("", 1).OnNth(n)); err != nil {
			t.Fatal(err)
		}
	}
	if !l.runKilled(r, n, ec2sim.AfterEffect, ec2sim.Proceed).killed {
		return false
	}
	a, struck := l.meets(r, f, again)
	if !a.UndoAvailable {
		if diff := sameWorld(withoutBackup(c.before), withoutBackup(l.state())); diff != "" {
			t.Errorf("%s: no undo is offered, and the world is not as it was (-was +is):\n%s\n%+v", when,
				diff, a.Status)
		}
		return struck
	}
	if got := priors(a.Observed); !maps.Equal(got, c.priors) {
		t.Errorf("%s: the prior facts are %v, want %v: %+v", when, got, c.priors, a.Status)
	}
	s.undoes(l, r, a.Status, c, when)
	return struck
}

// TestKilledAroundEveryLedgerStep: the same, killed before and after each step that writes to the
// disk. One step in three is taken where a scenario is not plain.
func TestKilledAroundEveryLedgerStep(t *testing.T) {
	t.Parallel()
	var kills atomic.Int64
	var cases []func()
	for i, s := range scenarios {
		c := s.clean(t)
		begin, stride := 1, 1
		if !s.plain {
			begin, stride = series(i, 3)
		}
		for _, when := range []string{"before", "after"} {
			for _, undo := range []bool{false, true} {
				if undo && s.alone {
					continue
				}
				cases = append(cases, func() {
					for n := begin; ; n += stride {
						point := fmt.Sprint(when, " ", n)
						name := fmt.Sprintf("%s (undo %t), killed %s a step of the ledger, number %d", s.name, undo,
							when, n)
						if !s.killed(t, c, undo, name, func(l *lab, r request) bool {
							return l.start(r, way{mortal: point}).wait().killed
						}) {
							break
						}
						kills.Add(1)
					}
				})
			}
		}
	}
	abreast(cases)
	t.Logf("%d kills around steps of the ledger: nothing lost", kills.Load())
	promised(t, "kills around steps of the ledger", kills.Load())
}

// TestTheOutcomeIsForgotten: a loss of power takes what was written of an action's outcome without
// a sync. Then the action counts as begun. Sent again, and undone at once, it comes to the same.
func TestTheOutcomeIsForgotten(t *testing.T) {
	t.Parallel()
	var forgotten atomic.Int64
	var cases []func()
	for _, s := range scenarios {
		c := s.clean(t)
		if s.alone {
			continue
		}
		cases = append(cases, func() {
			when := s.name + ", its outcome is forgotten"
			s.killed(t, c, false, when, func(l *lab, r request) bool {
				l.must(l.run(r), protocol.Succeeded, "execute")
				forgotten.Add(int64(l.forgetOutcomes()))
				return true
			})
			l := newLab(t, s.seed)
			r := s.request("k")
			did := l.must(l.run(r), protocol.Succeeded, "execute")
			forgotten.Add(int64(l.forgetOutcomes()))
			s.happens(l)
			s.undoes(l, r, did.Status, c, when)
		})
	}
	abreast(cases)
	if forgotten.Load() == 0 {
		t.Error("no outcome was there to be forgotten")
	}
	t.Logf("%d outcomes forgotten: nothing lost", forgotten.Load())
}

// forgetOutcomes empties the index entries that tell an outcome, and returns how many did.
func (l *lab) forgetOutcomes() (n int) {
	l.t.Helper()
	entries, err := filepath.Glob(filepath.Join(l.store, "attributes", "*", "*"))
	if err != nil {
		l.t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := os.Stat(entry)
		if err == nil && info.Size() > 0 {
			n++
			err = os.Truncate(entry, 0)
		}
		if err != nil {
			l.t.Fatal(err)
		}
	}
	return n
}

// TestKilledWhileTheStoreIsMade: the first use of all makes directories.
func TestKilledWhileTheStoreIsMade(t *testing.T) {
	t.Parallel()
	s := scenarios[0]
	c := s.clean(t)
	kills := 0
	for _, when := range []string{"before", "after"} {
		for n := 1; ; n++ {
			l := newLab(t, s.seed)
			r := s.request("k")
			if !l.start(r, way{mortal: fmt.Sprint(when, " ", n)}).wait().killed {
				break
			}
			s.recovers(l, r, c, fmt.Sprintf("killed %s step %d", when, n))
			kills++
		}
	}
	t.Logf("%d kills while the store is made and first used: nothing lost", kills)
	promised(t, "kills while it is made", int64(kills))
}
