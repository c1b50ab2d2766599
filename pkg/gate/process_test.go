package gate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/protocol"
)

// claimedBy leaves an action as claimed by a process of this machine.
func (r *rig) claimedBy(id int64, pid int, ahead time.Duration) {
	r.t.Helper()
	a := r.get(id)
	p := r.machine.self
	p.PID = pid
	a.Claim = &gate.Claim{
		Purpose: gate.ToExecute, By: "process " + fmt.Sprint(pid), Process: p,
		At: r.now.Add(ahead), Until: r.now.Add(ahead + time.Minute), From: a.Status,
	}
	a.Status = gate.Running
	c := gate.Change{Action: a, Event: gate.Event{At: r.now, Kind: gate.EventClaimed}}
	if _, err := r.Store.Apply(context.Background(), c); err != nil {
		r.t.Fatal(err)
	}
}

// TestAClaimIsFreeWhenItsProcessHasEnded whatever the clocks said: a gate ten days ahead that was
// killed holds nothing up.
func TestAClaimIsFreeWhenItsProcessHasEnded(t *testing.T) {
	for name, ahead := range map[string]time.Duration{
		"just now": 0, "ten days ahead": 240 * time.Hour, "ten days behind": -240 * time.Hour,
	} {
		for what, operate := range map[string]func(*rig, int64) ([]gate.Outcome, error){
			"executed": func(r *rig, id int64) ([]gate.Outcome, error) { return r.execute(id) },
			"rolled back": func(r *rig, id int64) ([]gate.Outcome, error) {
				return r.Rollback(context.Background(), []int64{id}, gate.Options{})
			},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				r := newRig(t, lab)
				id := r.approved("k")[0]
				r.claimedBy(id, 8, ahead)
				r.machine.lives = map[int]gate.Life{8: gate.Ended}
				r.all(operate(r, id))(gate.Done)
				if len(r.requests) != 1 {
					t.Errorf("%d requests", len(r.requests))
				}
				r.verified()
			})
		}
	}
}

// TestAClaimHoldsWhileItsProcessLives: a gate whose clock is a day ahead takes nothing up, and
// nobody's word ends the claim.
func TestAClaimHoldsWhileItsProcessLives(t *testing.T) {
	r := newRig(t, lab)
	id := r.approved("k")[0]
	r.claimedBy(id, 8, 0)
	r.machine.lives = map[int]gate.Life{8: gate.Lives}
	ids := []int64{id}
	r.now = r.now.Add(24 * time.Hour)
	for range 2 {
		o := r.all(r.execute(id))(gate.Refused)[0]
		if !strings.Contains(o.Message, "process 8 is at work on it (execute)") {
			t.Error(o.Message)
		}
		r.all(r.Rollback(context.Background(), ids, gate.Options{}))(gate.Refused)
		o = r.all(r.BreakClaim(context.Background(), ids))(gate.Refused)[0]
		if !strings.Contains(o.Message, "lives on this machine") {
			t.Error(o.Message)
		}
		r.now = r.now.Add(24 * time.Hour)
	}
	if len(r.requests) != 0 || r.get(id).Status != gate.Running {
		t.Errorf("%d requests, %s", len(r.requests), r.get(id).Status)
	}
}

// TestAPersonEndsAClaimOfAnotherMachine by name, which the log tells. It is that claim's end only.
func TestAPersonEndsAClaimOfAnotherMachine(t *testing.T) {
	r := newRig(t, lab)
	id := r.approved("k")[0]
	ids := []int64{id}
	r.all(r.BreakClaim(context.Background(), ids))(gate.Done)
	r.claimed(id)
	r.all(r.execute(id))(gate.Refused)
	r.all(r.BreakClaim(context.Background(), ids))(gate.Done)
	r.answers(failed(protocol.Ambiguous, nil))
	r.all(r.execute(id))(gate.Unsuccessful)
	r.answer = nil
	want := "imported approved claimed claim-seen denied claim-broken taken-up result"
	if got := r.kinds(id); got != want {
		t.Errorf("logged %q, want %q", got, want)
	}
	r.claimed(id)
	r.all(r.execute(id))(gate.Refused)
	r.verified()
}

// TestTheTimeOfAClaimIsNoClocks: set ahead, the clock ends no claim of another machine; a new start
// of this machine begins to count anew.
func TestTheTimeOfAClaimIsNoClocks(t *testing.T) {
	r := newRig(t, lab)
	id := r.approved("k")[0]
	r.claimed(id)
	r.all(r.execute(id))(gate.Refused)
	r.now, r.machine.skew = r.now.Add(24*time.Hour), -24*time.Hour
	r.all(r.execute(id))(gate.Refused)
	r.machine.self.Boot = "b9"
	r.now = r.now.Add(2 * time.Minute)
	r.all(r.execute(id))(gate.Refused)
	r.now = r.now.Add(2 * time.Minute)
	r.all(r.execute(id))(gate.Done)
}

// TestAnAnswerForSomethingElseIsNoSuccess: another verb's facts, another target's, or none.
func TestAnAnswerForSomethingElseIsNoSuccess(t *testing.T) {
	for name, facts := range map[string]map[string]string{
		"no facts":             nil,
		"common facts only":    {"changed": "true"},
		"another verb's facts": {"priorSourceDestCheck": "true", "changed": "true"},
		"another address":      {"assignedAddress": "10.88.60.10", "priorAssigned": "false"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lab)
			id := r.approved("k")[0]
			answer := runner(func(context.Context, protocol.Request) (protocol.Result, error) {
				return succeeded(facts), nil
			})
			fit := r.Gate.Run
			r.Gate.Run = answer
			o := r.all(r.execute(id))(gate.Unsuccessful)[0]
			a := r.get(id)
			if !strings.Contains(o.Message, "answered for something else") ||
				a.Status != gate.Failed || !a.MayHaveChanged || len(a.Observed) != 0 {
				t.Errorf("%s: %s, %+v", o.Message, a.Status, a.Observed)
			}
			r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Unsuccessful)
			if a := r.get(id); a.Status != gate.Failed || !a.MayHaveChanged {
				t.Errorf("rolled back: %+v", a)
			}
			r.Gate.Run = fit
			r.all(r.execute(id))(gate.Done)
			r.verified()
		})
	}
	r := newRig(t, lab)
	r.Gate.Run = runner(func(context.Context, protocol.Request) (protocol.Result, error) {
		return succeeded(map[string]string{"assignedAddress": "10.88.60.9/32"}), nil
	})
	r.all(r.execute(r.approved("other spelling")[0]))(gate.Done)
}

// TestADryRunForSomethingElseIsNoEvidence.
func TestADryRunForSomethingElseIsNoEvidence(t *testing.T) {
	r := newRig(t, lab+"  requireEvidence: true\n")
	id := r.imported("k")[0]
	r.Gate.Run = runner(func(context.Context, protocol.Request) (protocol.Result, error) {
		return succeeded(map[string]string{"assignedAddress": "10.88.60.10"}), nil
	})
	ids := []int64{id}
	r.all(r.DryRun(context.Background(), ids, gate.Options{}))(gate.Unsuccessful)
	r.all(r.Approve(context.Background(), ids, "ann", ""))(gate.Refused)
}

// program is one whose file a test exchanges.
type program struct {
	gate.Plugin
	err error
}

func (p *program) Identify(context.Context) (gate.Plugin, error) { return p.Plugin, p.err }
func (p *program) Version(context.Context) string                { return "v1" }

func digest(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }

// TestWhatRanIsInTheLog: the file, its digest and its version, beside each run and each approval.
func TestWhatRanIsInTheLog(t *testing.T) {
	r := newRig(t, lab)
	p := &program{Plugin: gate.Plugin{Path: "/opt/executor", Digest: digest("a")}}
	r.Program = p
	id := r.imported("k")[0]
	ids := []int64{id}
	r.all(r.DryRun(context.Background(), ids, gate.Options{}))(gate.Done)
	r.all(r.Approve(context.Background(), ids, "ann", ""))(gate.Done)
	p.Digest = digest("b")
	o := r.all(r.execute(id))(gate.Done)[0]
	want := "the executor is not the one of the approval: " + digest("b") + ", not " + digest("a")
	if !strings.Contains(o.Message, want) {
		t.Errorf("a change since the approval is told as %q, want %q", o.Message, want)
	}
	r.all(r.Rollback(context.Background(), ids, gate.Options{}))(gate.Done)
	for kind, want := range map[gate.EventKind]map[string]any{
		gate.EventDryRun:        {"path": "/opt/executor", "digest": digest("a"), "version": "v1"},
		gate.EventApproved:      {"path": "/opt/executor", "digest": digest("a"), "version": ""},
		gate.EventClaimed:       {"path": "/opt/executor", "digest": digest("b"), "version": "v1"},
		gate.EventRollbackClaim: {"path": "/opt/executor", "digest": digest("b"), "version": "v1"},
	} {
		events, err := r.Store.Events(context.Background(), gate.EventQuery{ActionID: id, Kind: kind})
		if err != nil || len(events) != 1 {
			t.Fatalf("%s: %v, %v", kind, events, err)
		}
		got, _ := events[0].Data["plugin"].(map[string]any)
		for name := range want {
			if got[name] != want[name] {
				t.Errorf("%s: %s is %v, want %v", kind, name, got[name], want[name])
			}
		}
	}
}

// TestOnlyAPinnedProgramRuns, not even dry.
func TestOnlyAPinnedProgramRuns(t *testing.T) {
	r := newRig(t, lab+"  allowedPlugins: [\""+digest("a")+"\"]\n")
	p := &program{Plugin: gate.Plugin{Path: "/opt/executor", Digest: digest("a")}}
	r.Program = p
	ids := r.approved("k")
	refused := func(want string) {
		t.Helper()
		for name, operate := range map[string]func() ([]gate.Outcome, error){
			"dry-run": func() ([]gate.Outcome, error) {
				return r.DryRun(context.Background(), ids, gate.Options{})
			},
			"execute": func() ([]gate.Outcome, error) { return r.execute(ids...) },
		} {
			if o := r.all(operate())(gate.Refused)[0]; !strings.Contains(o.Message, want) {
				t.Errorf("%s: %s", name, o.Message)
			}
		}
		req := plan("direct").Request(protocol.DryRun)
		o, err := r.Direct(context.Background(), req, 0)
		if err != nil || o.Verdict != gate.Refused || !strings.Contains(o.Message, want) {
			t.Errorf("direct: %+v, %v", o, err)
		}
		if len(r.requests) != 0 {
			t.Errorf("%d requests", len(r.requests))
		}
	}
	p.Digest = digest("b")
	refused("allowedPlugins: the program that would be run is " + digest("b"))
	p.Plugin, p.err = gate.Plugin{}, errors.New("it was replaced")
	refused("allowedPlugins: it is not known which program would be run")
	p.Plugin, p.err = gate.Plugin{Path: "/opt/executor", Digest: digest("a")}, nil
	r.all(r.execute(ids...))(gate.Done)
	p.Digest = digest("b")
	r.requests = nil
	r.all(r.Rollback(context.Background(), ids, gate.Options{}))(gate.Refused)
	r.all(r.RollbackDryRun(context.Background(), ids, gate.Options{}))(gate.Refused)
	if len(r.requests) != 0 {
		t.Errorf("%d requests", len(r.requests))
	}
}

// unflushed is a store whose log can't be brought into its file.
type unflushed struct{ gate.Store }

func (unflushed) Flush(context.Context) error { return errors.New("the disk is full") }

// TestNothingStartsBeforeItsClaimIsInTheFile itself.
func TestNothingStartsBeforeItsClaimIsInTheFile(t *testing.T) {
	r := newRig(t, lab)
	id := r.approved("k")[0]
	store := r.Store
	r.Store = unflushed{store}
	o := r.all(r.execute(id))(gate.Unsuccessful)[0]
	if !strings.Contains(o.Message, "the disk is full") || len(r.requests) != 0 {
		t.Errorf("%s, %d requests", o.Message, len(r.requests))
	}
	r.Store = store
	if a := r.get(id); a.Status != gate.Approved || a.MayHaveChanged {
		t.Errorf("%+v", a)
	}
	r.all(r.execute(id))(gate.Done)
}

// TestTimesFromTheFutureAreRefused: an import that is ten minutes ahead would never have waited.
func TestTimesFromTheFutureAreRefused(t *testing.T) {
	r := newRig(t, lab+"  maxDecisionWait: 1m\n")
	start := r.now
	r.now = start.Add(10 * time.Minute)
	id := r.imported("k")[0]
	r.now = start
	o := r.all(r.Approve(context.Background(), []int64{id}, "ann", ""))(gate.Refused)[0]
	for _, want := range []string{"maxDecisionWait: it was imported at 2026-03-03T12:10:00Z",
		"it is 2026-03-03T12:00:00Z by this clock"} {
		if !strings.Contains(o.Message, want) {
			t.Errorf("%q lacks %q", o.Message, want)
		}
	}
	waived := newRig(t, lab+"  maxDecisionWait: 1m\n  requireApproval: false\n")
	waived.now = start.Add(10 * time.Minute)
	other := waived.imported("k")[0]
	waived.now = start
	waived.all(waived.execute(other))(gate.Refused)
	waived.now = start.Add(6 * time.Minute)
	waived.all(waived.execute(other))(gate.Done)

	// Approved while no policy held, at a time before the import.
	p := r.Policy
	r.Policy = nil
	r.all(r.Approve(context.Background(), []int64{id}, "ann", ""))(gate.Done)
	r.Policy = p
	r.now = start.Add(10 * time.Minute)
	o = r.all(r.execute(id))(gate.Refused)[0]
	if !strings.Contains(o.Message, "1 given at a time before the import") {
		t.Error(o.Message)
	}
}
