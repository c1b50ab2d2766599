package gate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/protocol"
)

// runner is an executor that looks at what it is given.
type runner func(ctx context.Context, r protocol.Request) (protocol.Result, error)

func (f runner) Run(ctx context.Context, r protocol.Request) (protocol.Result, error) {
	return f(ctx, r)
}

// hooked is a store that does something after each write.
type hooked struct {
	gate.Store
	after func()
}

func (h hooked) Apply(ctx context.Context, changes ...gate.Change) ([]gate.Action, error) {
	actions, err := h.Store.Apply(ctx, changes...)
	h.after()
	return actions, err
}

func (h hooked) ApplyEach(
	ctx context.Context, n int, change func(int) gate.Change, made func(int, gate.Action),
) error {
	err := h.Store.ApplyEach(ctx, n, change, made)
	h.after()
	return err
}

// TestAClaimOutlastsItsExecutor: while one may be at work nobody else begins, and it has to end
// before the claim does.
func TestAClaimOutlastsItsExecutor(t *testing.T) {
	r := newRig(t, lab)
	id := r.approved("k")[0]
	claims := 0
	r.Gate.Run = runner(func(ctx context.Context, req protocol.Request) (protocol.Result, error) {
		claims++
		claim := r.get(id).Claim
		if claim == nil || !claim.Until.Equal(r.now.Add(r.Timeout)) {
			t.Fatalf("claimed: %+v", claim)
		}
		if deadline, ok := ctx.Deadline(); !ok || !deadline.Before(claim.Until) ||
			deadline.Before(claim.Until.Add(-r.Timeout/2)) {
			t.Errorf("the executor has until %s, the claim until %s", deadline, claim.Until)
		}
		r.now = claim.Until
		r.all(r.execute(id))(gate.Refused)
		r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Refused)
		if _, err := r.Import(context.Background(), []gate.Plan{plan("k")}, "test",
			true); !gate.IsRefusal(
			err,
		) ||
			!strings.Contains(err.Error(), "at work on it") {
			t.Errorf("requeued while it is claimed: %v", err)
		}
		return fitting(req, succeeded(nil)), nil
	})
	r.all(r.execute(id))(gate.Done)
	r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Done)
	if claims != 2 {
		t.Errorf("%d claims", claims)
	}
	r.verified()
}

// TestNothingBeginsLongAfterItsClaim: on a machine that was suspended. To set its clock is nothing.
func TestNothingBeginsLongAfterItsClaim(t *testing.T) {
	for name, tt := range map[string]struct {
		passes, set time.Duration
		want        gate.Verdict
	}{
		"at once": {0, 0, gate.Done}, "soon": {6 * time.Second, 0, gate.Done},
		"late":           {6*time.Second + 1, 0, gate.Unsuccessful},
		"the clock back": {0, -time.Hour, gate.Done}, "the clock ahead": {0, time.Hour, gate.Done},
		"late, and the clock back": {time.Minute, -time.Hour, gate.Unsuccessful},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lab)
			id := r.approved("k")[0]
			r.Store = hooked{r.Store, func() {
				r.now, r.machine.skew = r.now.Add(tt.passes+tt.set), -tt.set
			}}
			r.all(r.execute(id))(tt.want)
			if begun := len(r.requests) > 0; begun != (tt.want == gate.Done) {
				t.Errorf("begun: %v", begun)
			}
			if a := r.get(id); tt.want != gate.Done &&
				(a.Status != gate.Approved || a.MayHaveChanged || a.Claim != nil) {
				t.Errorf("%+v", a)
			}
		})
	}
}

// seen lets the time pass after which a claim on an action is taken up that another machine has.
func (r *rig) seen(id int64) {
	r.t.Helper()
	r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Refused)
	r.now = r.now.Add(2 * time.Minute)
}

// TestAStaleClaimIsTakenUp: an execution that was left in the middle is executed again, or rolled
// back, which needs no approval and no plan that is still fresh; a rollback is rolled back.
func TestAStaleClaimIsTakenUp(t *testing.T) {
	stale := func(status gate.Status, purpose gate.Purpose) (*rig, int64) {
		r := newRig(t, lab)
		id := r.approved("k")[0]
		r.answers(failed(protocol.Ambiguous, nil))
		r.all(r.execute(id))(gate.Unsuccessful)
		r.answer = nil
		a := r.get(id)
		a.Status, a.Claim = status, &gate.Claim{
			Purpose: purpose,
			By:      "someone",
			At:      r.now,
			Until:   r.now.Add(time.Second),
			From:    gate.Failed,
		}
		if _, err := r.Store.Apply(context.Background(), gate.Change{Action: a,
			Event: gate.Event{At: r.now, Kind: gate.EventClaimed}}); err != nil {
			t.Fatal(err)
		}
		r.seen(id)
		return r, id
	}
	requeued := func(r *rig) {
		if _, err := r.Import(context.Background(), []gate.Plan{plan("k")}, "test",
			true); !gate.IsRefusal(
			err,
		) ||
			!strings.Contains(err.Error(), "left in the middle") {
			t.Errorf("requeued: %v", err)
		}
	}
	r, id := stale(gate.Running, gate.ToExecute)
	requeued(r)
	r.all(r.execute(id))(gate.Done)

	r, id = stale(gate.Running, gate.ToExecute)
	r.now = r.now.Add(-2 * time.Minute)
	r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Refused)
	r.all(r.RollbackDryRun(context.Background(), []int64{id}, gate.Options{}))(gate.Refused)
	if _, err := r.UndoRequests(context.Background(), []int64{id}, protocol.Execute); !gate.IsRefusal(
		err,
	) {
		t.Errorf("its undo while it runs: %v", err)
	}
	r.now = r.now.Add(400 * 24 * time.Hour)
	if requests, err := r.UndoRequests(context.Background(), []int64{id},
		protocol.Execute); err != nil ||
		len(requests) != 1 {
		t.Errorf("its undo: %v, %v", requests, err)
	}
	r.answers(failed(protocol.Drift, nil))
	r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Unsuccessful)
	if a := r.get(id); a.Status != gate.Failed || !a.MayHaveChanged || a.Claim != nil {
		t.Errorf("a rollback that failed leaves it %s, %t, %v", a.Status, a.MayHaveChanged, a.Claim)
	}
	r.answer = nil
	all, leftOut, err := r.InForce(context.Background(), gate.Query{})
	if err != nil || len(all) != 1 || len(leftOut) != 0 {
		t.Errorf("in force: %v, %v, %v", all, leftOut, err)
	}
	r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Done)

	r, id = stale(gate.Failed, gate.ToRollBack)
	requeued(r)
	if o := r.all(r.execute(id))(gate.Refused)[0]; !strings.Contains(
		o.Message,
		"a rollback of it was begun and not finished",
	) {
		t.Error(o.Message)
	}
	r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Done)
}

// TestAnApprovalDoesNotChangeWhatIsClaimed: it waits for the claim's end, and then leaves it to be
// taken up.
func TestAnApprovalDoesNotChangeWhatIsClaimed(t *testing.T) {
	r := newRig(t, lab)
	id := r.approved("k")[0]
	r.claimed(id)
	o := r.all(r.Approve(context.Background(), []int64{id}, "bob", ""))(gate.Refused)[0]
	if !strings.Contains(o.Message, "claim: someone is at work on it") {
		t.Error(o.Message)
	}
	r.now = r.now.Add(2 * time.Minute)
	r.all(r.Approve(context.Background(), []int64{id}, "bob", ""))(gate.Done)
	if a := r.get(id); a.Status != gate.Running || a.Claim == nil {
		t.Errorf("approved, it is %s", a.Status)
	}
}

// TestWhatWasChangedOutsideIsNotUsed: neither approved, nor executed, nor rolled back, nor
// requeued, nor written over.
func TestWhatWasChangedOutsideIsNotUsed(t *testing.T) {
	const want = "the row of action 1 was changed: it is not as event"
	r := newRig(t, lab)
	id := r.approved("k")[0]
	before := r.get(id)
	r.sql(
		`UPDATE action_executions SET observed_json = '{"priorHolder":"eni-01088600000000012"}'; ` +
			`UPDATE actionctl_states SET may_have_changed = 1`,
	)
	ids := []int64{id}
	for name, operate := range map[string]func() ([]gate.Outcome, error){
		"approve": func() ([]gate.Outcome, error) {
			return r.Approve(context.Background(), ids,
				"bob", "")
		},
		"execute": func() ([]gate.Outcome, error) { return r.execute(id) },
		"rollback": func() ([]gate.Outcome, error) {
			return r.Rollback(context.Background(), ids,
				gate.Options{})
		},
		"rollback dry-run": func() ([]gate.Outcome, error) {
			return r.RollbackDryRun(context.Background(),
				ids, gate.Options{})
		},
	} {
		if o := r.all(operate())(gate.Refused)[0]; !strings.Contains(o.Message, want) {
			t.Errorf("%s: %s", name, o.Message)
		}
	}
	if _, err := r.Import(context.Background(), []gate.Plan{plan("k")}, "test", true); !gate.IsRefusal(
		err,
	) ||
		!strings.Contains(err.Error(), want) {
		t.Errorf("requeued: %v", err)
	}
	if _, err := r.UndoRequests(context.Background(), ids, protocol.Execute); !gate.IsRefusal(err) ||
		!strings.Contains(err.Error(), want) {
		t.Errorf("an undo: %v", err)
	}
	if _, err := r.Store.Apply(context.Background(), gate.Change{Action: before,
		Event: gate.Event{At: r.now, Kind: gate.EventResult}}); !errors.Is(
		err,
		gate.ErrAltered,
	) ||
		!strings.Contains(err.Error(), want) {
		t.Errorf("written over: %v", err)
	}
	if len(r.requests) > 0 {
		t.Errorf("%d requests", len(r.requests))
	}
	if report, err := r.journal.Verify(context.Background()); err != nil || len(report.Faults) != 1 {
		t.Errorf("the journal: %v, %v", report.Faults, err)
	}
}

// TestAResultIsInTheLogThoughItsRowWasChanged: the row is left for people to look at, and the facts
// are not lost.
func TestAResultIsInTheLogThoughItsRowWasChanged(t *testing.T) {
	r := newRig(t, lab)
	id := r.approved("k")[0]
	r.answer = func(protocol.Request) (protocol.Result, error) {
		r.sql("UPDATE action_executions SET risk_level = 'none'")
		return succeeded(facts("priorAssigned", "false")), nil
	}
	r.all(r.execute(id))(gate.Unsuccessful)
	events, err := r.Store.Events(
		context.Background(),
		gate.EventQuery{ActionID: id, Kind: gate.EventLateResult},
	)
	if err != nil || len(events) != 1 ||
		events[0].Data["observed"].(map[string]any)["priorAssigned"] != "false" {
		t.Errorf("%+v, %v", events, err)
	}
}

func TestAResultThatNoLogTakesIsTold(t *testing.T) {
	r := newRig(t, lab)
	id := r.approved("k")[0]
	r.answer = func(protocol.Request) (protocol.Result, error) {
		r.sql("UPDATE actionctl_journal SET seq = 99")
		return succeeded(facts("priorAssigned", "false")), nil
	}
	if _, err := r.execute(id); !errors.Is(err, gate.ErrAltered) ||
		!strings.Contains(err.Error(), `"priorAssigned":"false"`) {
		t.Error(err)
	}
}

func TestTheDigestIsOfEverythingThatRuns(t *testing.T) {
	whole := func() gate.Plan {
		p := plan("k")
		p.ProviderRef, p.Parameters = "lab", map[string]string{"allowReassignment": "true"}
		p.Undo = &gate.Undo{
			Action:     "unassign-secondary-ip",
			Parameters: map[string]string{"onDrift": "restore"},
		}
		return p
	}
	for name, change := range map[string]func(*gate.Plan){
		"action":         func(p *gate.Plan) { p.Action = "x" },
		"provider":       func(p *gate.Plan) { p.Provider = "x" },
		"providerRef":    func(p *gate.Plan) { p.ProviderRef = "x" },
		"target":         func(p *gate.Plan) { p.Target["address"] = "x" },
		"parameters":     func(p *gate.Plan) { p.Parameters["allowReassignment"] = "x" },
		"idempotencyKey": func(p *gate.Plan) { p.IdempotencyKey = "x" },
		"undo":           func(p *gate.Plan) { p.Undo = nil },
		"its verb":       func(p *gate.Plan) { p.Undo.Action = "x" },
		"its parameters": func(p *gate.Plan) { p.Undo.Parameters["onDrift"] = "x" },
	} {
		p := whole()
		if change(&p); p.Digest() == whole().Digest() {
			t.Errorf("another %s has the same digest", name)
		}
	}
	p := whole()
	p.Name, p.Description, p.RiskLevel, p.Mode = "a", "b", "c", "d"
	if p.Digest() != whole().Digest() {
		t.Error("what does not run is in the digest")
	}
}

// TestWhatCountsIsSinceTheImport, in the order of the log: clocks are set back.
func TestWhatCountsIsSinceTheImport(t *testing.T) {
	for name, passes := range map[string]time.Duration{"at the same instant": 0,
		"with the clock set back": -2 * time.Minute, "later": time.Hour} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lab+"  requireEvidence: true\n")
			id := r.imported("k")[0]
			r.all(r.DryRun(context.Background(), []int64{id}, gate.Options{}))(gate.Done)
			r.all(r.Approve(context.Background(), []int64{id}, "ann", ""))(gate.Done)
			r.all(r.execute(id))(gate.Done)
			r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Done)
			r.now = r.now.Add(passes)
			if _, err := r.Import(context.Background(), []gate.Plan{plan("k")}, "test", true); err != nil {
				t.Fatal(err)
			}
			r.now = r.now.Add(3 * time.Minute)
			o := r.all(r.execute(id))(gate.Refused)[0]
			for _, want := range []string{"requireApproval: 0 of 1 approvals", "requireEvidence: no " +
				"dry-run"} {
				if !strings.Contains(o.Message, want) {
					t.Errorf("got %q, want %q", o.Message, want)
				}
			}
		})
	}
}

// TestAClockThatIsSetBackDoesNotRenewAnApproval: one from the future does not count, until its time
// has come, and it is told; a small difference between two machines' clocks is nothing.
func TestAClockThatIsSetBackDoesNotRenewAnApproval(t *testing.T) {
	r := newRig(t, lab+"  approvalTTL: 1h\n")
	id := r.approved("k")[0]
	r.now = r.now.Add(-6 * time.Minute)
	o := r.all(r.execute(id))(gate.Refused)[0]
	const want = "1 from the future (2026-03-03T12:00:00Z, and it is 2026-03-03T11:54:00Z by this"
	if !strings.Contains(o.Message, want) {
		t.Error(o.Message)
	}
	r.now = r.now.Add(2 * time.Minute)
	r.all(r.execute(id))(gate.Done)
}

func TestTheLatestDryRunIsTheEvidence(t *testing.T) {
	r := newRig(t, lab+"  requireEvidence: true\n")
	id := r.imported("k")[0]
	dryRun := func(answer any, want gate.Verdict) {
		r.answers(answer)
		r.all(r.DryRun(context.Background(), []int64{id}, gate.Options{}))(want)
	}
	dryRun(succeeded(nil), gate.Done)
	for _, bad := range []any{failed(protocol.Conflict, nil), errLost, failed(protocol.Denied, nil)} {
		dryRun(bad, verdictOf(bad))
		r.all(r.Approve(context.Background(), []int64{id}, "ann", ""))(gate.Refused)
	}
	dryRun(succeeded(nil), gate.Done)
	r.all(r.Approve(context.Background(), []int64{id}, "ann", ""))(gate.Done)
}

func TestWhatIsRefusedDoesNotCountForTheLimit(t *testing.T) {
	r := newRig(t, strings.Replace(lab, "maxActionsPerRun: 10", "maxActionsPerRun: 1", 1))
	pending, approved := r.imported("a")[0], r.approved("b")[0]
	r.all(
		r.Execute(context.Background(), []int64{pending, approved}, gate.Options{KeepGoing: true}),
	)(
		gate.Refused,
		gate.Done,
	)
}

func TestNothingMoreBeginsWhenItIsToStop(t *testing.T) {
	r := newRig(t, lab)
	ids := r.approved("a", "b")
	ctx, stop := context.WithCancel(context.Background())
	r.answer = func(protocol.Request) (protocol.Result, error) {
		stop()
		return succeeded(nil), nil
	}
	r.all(r.Execute(ctx, ids, gate.Options{KeepGoing: true}))(gate.Done, gate.NotReached)
	if a := r.get(ids[1]); a.Status != gate.Approved {
		t.Errorf("%+v", a)
	}
}

// TestRollbacksAreOneAfterTheOther, however many executions there were at once.
func TestRollbacksAreOneAfterTheOther(t *testing.T) {
	r := newRig(t, lab)
	ids := r.approved("a", "b", "c", "d")
	for _, id := range ids {
		r.now = r.now.Add(time.Second)
		r.all(r.execute(id))(gate.Done)
	}
	type operation func(context.Context, []int64, gate.Options) ([]gate.Outcome, error)
	for _, rollback := range []operation{r.RollbackDryRun, r.Rollback} {
		at, most := 0, 0
		var keys []string
		r.Gate.Run = runner(func(_ context.Context, req protocol.Request) (protocol.Result, error) {
			r.mu.Lock()
			at++
			most, keys = max(most, at), append(keys, req.IdempotencyKey)
			r.mu.Unlock()
			time.Sleep(5 * time.Millisecond) // so that others would come in between
			r.mu.Lock()
			at--
			r.mu.Unlock()
			return fitting(req, succeeded(nil)), nil
		})
		r.all(rollback(context.Background(), ids, gate.Options{Parallel: 4}))(gate.Done)
		if want := []string{"d:undo", "c:undo", "b:undo", "a:undo"}; most != 1 ||
			!slices.Equal(keys, want) {
			t.Errorf("%d at once, in the order %v", most, keys)
		}
	}
	r.verified()
}

// TestOnlyWhatIsNotInForceIsRequeued: what succeeded is rolled back first, even for the same plan.
func TestOnlyWhatIsNotInForceIsRequeued(t *testing.T) {
	r := newRig(t, lab)
	id := r.approved("k")[0]
	r.all(r.execute(id))(gate.Done)
	if _, err := r.Import(context.Background(), []gate.Plan{plan("k")}, "test", true); !gate.IsRefusal(
		err,
	) ||
		!strings.Contains(err.Error(), "is in force; roll it back first") {
		t.Errorf("requeued: %v", err)
	}
	r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Done)
	if _, err := r.Import(context.Background(), []gate.Plan{plan("k")}, "test", true); err != nil ||
		r.get(id).Status != gate.Pending {
		t.Errorf("%+v, %v", r.get(id), err)
	}
}
