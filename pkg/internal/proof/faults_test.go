package proof

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/internal/docblocks"
	"aws-provider-executor/pkg/protocol"
)

// hasty is the deadline of a process that meets a fault.
const hasty = 1200 * time.Millisecond

// fault is one thing that can go wrong with a call, from the nth of a process on.
type fault struct {
	name string
	of   ec2sim.Fault
}

func unmade(f ec2sim.Fault) ec2sim.Fault { f.NoEffect = true; return f }

// faults are those that the stand-in can make. Not among them is what nobody could find out: that
// EC2 refuses a change by a definite error and makes it all the same.
var faults = []fault{
	{"throttled once", ec2sim.Fail("", "RequestLimitExceeded")},
	{"throttled from there on", ec2sim.Fail("", "RequestLimitExceeded").Times(ec2sim.Always)},
	{"an internal error, and not made", ec2sim.Fail("", "InternalError")},
	{"an internal error, and made", ec2sim.FailAfter("", "InternalError")},
	{"internal errors from there on", ec2sim.Fail("", "InternalError").Times(ec2sim.Always)},
	{"unavailable, and not made", ec2sim.Fail("", "Unavailable")},
	{"unavailable, and made", ec2sim.FailAfter("", "ServiceUnavailable")},
	{"not authorized", ec2sim.Fail("", "UnauthorizedOperation")},
	{"unknown credentials", ec2sim.Fail("", "AuthFailure")},
	{"an expired request", ec2sim.Fail("", "RequestExpired")},
	{"a refusal of any kind", ec2sim.Fail("", "InvalidParameterValue")},
	{"the answer is lost", ec2sim.LoseAnswer("")},
	{"the request is lost", ec2sim.LoseRequest("")},
	{"all answers are lost from there on", ec2sim.LoseAnswer("").Times(ec2sim.Always)},
	{"all requests are lost from there on", ec2sim.LoseRequest("").Times(ec2sim.Always)},
	{"the answer is cut", ec2sim.CutAnswer("")},
	{"the answer is cut, and not made", unmade(ec2sim.CutAnswer(""))},
	{"an answer that is no XML", ec2sim.NotXML("")},
	{"an answer that is no XML, and not made", unmade(ec2sim.NotXML(""))},
	{"answered and not made", ec2sim.Ignore("")},
	{"late by a little", ec2sim.Delay("", 50*time.Millisecond)},
	{"made when nobody waits any more", ec2sim.Delay("", 700*time.Millisecond)},
	{"answered when nobody waits any more", ec2sim.DelayAnswer("", 700*time.Millisecond)},
	{"one stale reading after it", ec2sim.StaleReads("", 1)},
	{"readings that are stale by turns", ec2sim.Fault{Stale: &ec2sim.Stale{Reads: 4, Flap: true}}},
	{"stale for a while", ec2sim.StaleFor("", 200*time.Millisecond)},
	{"stale for longer than anybody waits", ec2sim.StaleFor("", time.Minute)},
}

// onlyChanges reports whether a fault makes no difference to a reading.
func (f fault) onlyChanges() bool {
	return f.of.Stale != nil || f.of.NoEffect && f.of.Answer == ec2sim.AnswerAsIs
}

// unknownOutcome are the classes that say that something may have been changed.
func unknownOutcome(class string) bool {
	return class == string(protocol.Ambiguous) || class == string(protocol.Unverified)
}

// withoutBackup is a world without the tags that a fence leaves for its undo: they are not evidence
// of anything, and stay when a fence fails.
func withoutBackup(s ec2sim.State) ec2sim.State {
	return edited(s, func(i *ec2sim.Instance) {
		i.Tags = maps.Clone(i.Tags)
		maps.DeleteFunc(i.Tags, func(k, _ string) bool {
			return k == "lastfence" || strings.HasPrefix(k, "Original_SG_Backup_")
		})
	})
}

// trueOf holds an answer against the world, as it was before the request, as it is now, and as it
// should be when the request succeeded.
func (s scenario) trueOf(
	l *lab, a answer, was, goal ec2sim.State, c clean, undo bool, when string,
) {
	l.t.Helper()
	v := verdict{scenario: s, lab: l, answer: a, undo: undo || s.alone, when: when,
		was: was, now: l.state(), changed: slices.ContainsFunc(a.calls, changing)}
	switch class := a.Observed[protocol.FactFailureClass]; {
	case a.Status.Status == protocol.Succeeded:
		v.succeeded(goal)
	case a.Status.Status == protocol.Skipped:
		if diff := sameWorld(was, v.now); diff != "" || !s.already || !v.undo {
			v.wrong("skipped, and changed (-was +is):\n%s", diff)
		}
	case unknownOutcome(class):
		v.unknown()
	default:
		v.failed()
	}
	if !v.undo && (v.changed || a.Status.Status == protocol.Succeeded) &&
		!maps.Equal(priors(a.Observed), c.priors) {
		v.wrong("the prior facts are %v, want %v", priors(a.Observed), c.priors)
	}
}

// verdict is an answer that is held against the world.
type verdict struct {
	scenario
	*lab
	answer
	undo     bool
	when     string
	was, now ec2sim.State
	// changed reports whether a changing call was sent.
	changed bool
}

func (v verdict) wrong(format string, args ...any) {
	v.t.Helper()
	v.t.Errorf("%s: %s: %+v\n%s", v.when, fmt.Sprintf(format, args...), v.Status, v.log)
}

// succeeded holds a success: the world is as it should be.
func (v verdict) succeeded(goal ec2sim.State) {
	v.t.Helper()
	now := v.now
	if v.undo && v.Observed["warning"] != "" {
		// What may fail did: the tags are left, and it is said.
		goal, now = withoutBackup(goal), withoutBackup(now)
	}
	if diff := sameWorld(goal, now); diff != "" {
		v.wrong("it is not so (-want +got):\n%s", diff)
	}
}

// unknown holds a failure that says that something may have been changed.
func (v verdict) unknown() {
	v.t.Helper()
	// Where time ran out while the change was being sent, nobody can tell whether it left.
	if !v.changed && !strings.Contains(v.Error, "the deadline passed") {
		v.wrong("no change was sent")
	}
	if !v.undo && !v.UndoAvailable {
		v.wrong("no undo is offered")
	}
	if v.Observed[protocol.FactRetryable] != "true" {
		v.wrong("it is not to be asked again")
	}
}

// failed holds a failure that knows what became of it.
func (v verdict) failed() {
	v.t.Helper()
	switch {
	case v.UndoAvailable || v.undo && v.scenario.undo != nil:
		// A part of it is in force, and can be undone.
	case strings.Contains(v.Error, " be back at ") || strings.Contains(v.Error, " not back at "):
		// An undo of which a part is in force says so, and is asked again.
	default:
		if diff := sameWorld(withoutBackup(v.was), withoutBackup(v.now)); diff != "" {
			v.wrong("it was changed (-was +is):\n%s", diff)
		}
		if left := v.records(); !v.undo && len(left) > 0 {
			v.wrong("the key is not free")
		}
	}
}

// meets runs a request that meets a fault at its nth call, and takes the fault away again. It tells
// whether the fault struck.
func (l *lab) meets(r request, f fault, n int) (answer, bool) {
	l.t.Helper()
	if err := l.sim.Inject(f.of.OnNth(n)); err != nil {
		l.t.Fatal(err)
	}
	a := l.start(r, way{timeout: hasty}).wait()
	injected := l.sim.Faults()
	struck := injected[len(injected)-1].Struck > 0
	l.sim.ClearFaults()
	return a, struck
}

// faulty is one case: a scenario, or its undo, that meets a fault at its nth call.
type faulty struct {
	s     scenario
	c     clean
	f     fault
	undo  bool
	n     int
	count *atomic.Int64
}

func (x faulty) run(t testing.TB) {
	t.Helper()
	l := newLab(t, x.s.seed)
	r := x.s.request("k")
	when := fmt.Sprintf("%s (undo %t), %s, at call %d", x.s.name, x.undo, x.f.name, x.n)
	was, goal, victim := x.c.before, x.c.after, r
	var did answer
	if x.undo {
		did = l.must(l.run(r), protocol.Succeeded, when+", execute")
		x.s.happens(l)
		was, goal, victim = x.c.ready, x.c.undone, x.s.undoOf(r, did.Status)
	}
	a, struck := l.meets(victim, x.f, x.n)
	if struck {
		x.count.Add(1)
	}
	x.s.trueOf(l, a, was, goal, x.c, x.undo, when)
	if x.undo {
		x.s.undoes(l, r, did.Status, x.c, when)
	} else {
		x.s.recovers(l, r, x.c, when)
	}
}

// TestFaults: every fault of the stand-in, at every call of every verb (with PROOF_SOAK: of every
// scenario): the answer is true of the world; then the same key again and the undo: the world is as
// it was.
func TestFaults(t *testing.T) {
	t.Parallel()
	var struck atomic.Int64
	var cases []func()
	for _, s := range scenarios {
		if !s.plain && !s.final && !soaking() {
			continue // they take their time
		}
		c := s.clean(t)
		for _, f := range faults {
			for _, undo := range []bool{false, true} {
				for n := 1; n <= c.callsOf(undo); n++ {
					if changing(c.call(undo, n)) || !f.onlyChanges() {
						cases = append(cases, func() { faulty{s, c, f, undo, n, &struck}.run(t) })
					}
				}
			}
		}
	}
	abreast(cases)
	t.Logf("%d faults in %d kinds struck: every answer was true, nothing was lost", struck.Load(),
		len(faults))
	promised(t, "faults of the stand-in", struck.Load())
	docblocks.Exactly(t, "../../..", page, "kinds of faults", len(faults))
}

func (c clean) callsOf(undo bool) int {
	if undo {
		return c.undoCalls
	}
	return c.calls
}

// call is the nth call of the action or its undo.
func (c clean) call(undo bool, n int) ec2sim.Call {
	if undo {
		return c.undid[n-1]
	}
	return c.did[n-1]
}
