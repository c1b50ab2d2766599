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

// anothers is a journal of another program: its rows are seen as that one wrote them, and with no
// log it tells of no runs.
type anothers struct {
	gate.Store
	rewrite  func(*gate.Action)
	readOnly bool
	noLog    bool
}

func (s anothers) ReadOnly() bool { return s.readOnly || s.Store.ReadOnly() }

func (s anothers) Get(ctx context.Context, id int64) (gate.Action, error) {
	a, err := s.Store.Get(ctx, id)
	if s.rewrite != nil {
		s.rewrite(&a)
	}
	return a, err
}

func (s anothers) List(ctx context.Context, q gate.Query) ([]gate.Action, error) {
	all, err := s.Store.List(ctx, q)
	for i := range all {
		if s.rewrite != nil {
			s.rewrite(&all[i])
		}
	}
	return all, err
}

func (s anothers) Events(ctx context.Context, q gate.EventQuery) ([]gate.Event, error) {
	if s.noLog {
		return nil, nil
	}
	return s.Store.Events(ctx, q)
}

// executed are actions that were carried out.
func (r *rig) executed(keys ...string) []int64 {
	r.t.Helper()
	ids := r.approved(keys...)
	r.all(r.execute(ids...))(gate.Done)
	r.requests = nil
	return ids
}

// TestWhatIsOnlyReadIsNotRolledBack: nobody is asked, since nothing could be written down of it.
func TestWhatIsOnlyReadIsNotRolledBack(t *testing.T) {
	r := newRig(t, lab)
	ids := r.executed("k")
	r.Store = anothers{Store: r.Store, readOnly: true}
	outcomes, err := r.Rollback(t.Context(), ids, gate.Options{})
	if !errors.Is(err, gate.ErrReadOnly) || len(outcomes) > 0 || len(r.requests) > 0 {
		t.Errorf("%v, %v, %d requests", outcomes, err, len(r.requests))
	}
}

// TestARollbackWithoutAResult: it is not known whether anything was changed, unless the executor
// was not even started. The row stays to be rolled back again.
func TestARollbackWithoutAResult(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		says string
	}{
		"killed": {errLost, "rollback: no result: killed; whether anything was changed is not known: " +
			"roll it back again, which finds out"},
		"not started": {notStarted, "rollback: " + notStarted.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lab)
			id := r.executed("k")[0]
			r.answers(c.err)
			o := r.all(r.Rollback(t.Context(), []int64{id}, gate.Options{}))(gate.Unsuccessful)[0]
			a := r.get(id)
			if o.Message != c.says || a.Error != c.says || a.Status != gate.Succeeded ||
				!a.MayHaveChanged || a.Claim != nil {
				t.Errorf("%q, %+v", o.Message, a)
			}
			if !strings.HasSuffix(r.kinds(id), "rollback-claimed rollback-failed") {
				t.Error(r.kinds(id))
			}
			last := r.last(id)
			if last.Data["error"] != c.err.Error() || last.Data["became"] != "succeeded" {
				t.Errorf("logged %v", last.Data)
			}
			r.answer = nil
			r.all(r.Rollback(t.Context(), []int64{id}, gate.Options{}))(gate.Done)
			r.verified()
		})
	}
}

// last is the latest event of an action.
func (r *rig) last(id int64) gate.Event {
	r.t.Helper()
	events, err := r.Store.Events(context.Background(),
		gate.EventQuery{ActionID: id, Newest: true, Limit: 1})
	if err != nil || len(events) != 1 {
		r.t.Fatal(events, err)
	}
	return events[0]
}

// TestNoneIsRolledBackWhereOneIsRefused: unless it is told to keep going.
func TestNoneIsRolledBackWhereOneIsRefused(t *testing.T) {
	r := newRig(t, lab)
	ids := append(r.executed("a", "b"), r.imported("c")...)
	outcomes, err := r.Rollback(t.Context(), ids, gate.Options{})
	r.all(outcomes, err)(gate.Refused, gate.NotReached)
	if len(outcomes) != 3 || len(r.requests) > 0 {
		t.Errorf("%d outcomes, %d requests", len(outcomes), len(r.requests))
	}
	outcomes, err = r.Rollback(t.Context(), ids, gate.Options{KeepGoing: true})
	if err != nil || len(outcomes) != 3 || len(r.requests) != 2 {
		t.Errorf("%+v, %v, %d requests", outcomes, err, len(r.requests))
	}
}

// TestARefusalIsLoggedOnce: what is refused before anything begins is not asked again.
func TestARefusalIsLoggedOnce(t *testing.T) {
	r := newRig(t, lab)
	id := r.imported("k")[0]
	ids := []int64{id}
	r.all(r.Rollback(t.Context(), ids, gate.Options{}))(gate.Refused)
	r.Policy = nil
	r.all(r.execute(id))(gate.Refused)
	if got := r.kinds(id); got != "imported denied denied" {
		t.Errorf("logged %s", got)
	}
}

// TestAnActionThatRunsIsNotUndone: who is at work on it is told, and that it runs.
func TestAnActionThatRunsIsNotUndone(t *testing.T) {
	r := newRig(t, lab)
	id := r.approved("k")[0]
	r.claimed(id)
	o := r.all(r.RollbackDryRun(t.Context(), []int64{id}, gate.Options{}))(gate.Refused)[0]
	if len(o.Reasons) != 2 || o.Reasons[0].Field != "claim" || o.Reasons[1].Field != "status" ||
		len(r.requests) > 0 {
		t.Errorf("%+v, %d requests", o.Reasons, len(r.requests))
	}
}

// TestWhatEndedLastIsUndoneFirst: the log tells the order, by the last event of each one's
// execution: its claim, its result, or that there was none.
func TestWhatEndedLastIsUndoneFirst(t *testing.T) {
	order := func(r *rig, ids []int64) []string {
		t.Helper()
		requests, err := r.UndoRequests(t.Context(), ids, protocol.Execute)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, req := range requests {
			keys = append(keys, strings.TrimSuffix(req.IdempotencyKey, protocol.UndoKeySuffix))
		}
		return keys
	}
	// within has b run while a does, which then ends with an error or without one.
	within := func(end error) func(*rig, []int64) {
		return func(r *rig, ids []int64) {
			r.answer = func(protocol.Request) (protocol.Result, error) {
				r.answer = nil
				r.all(r.execute(ids[1]))(gate.Done)
				return succeeded(nil), end
			}
			_, _ = r.execute(ids[0])
		}
	}
	for name, run := range map[string]func(r *rig, ids []int64){
		"a ended last":                   within(nil),
		"a ended last, without a result": within(errLost),
		"a was begun last, and cut off": func(r *rig, ids []int64) {
			r.all(r.execute(ids[1]))(gate.Done)
			r.claimed(ids[0])
			r.seen(ids[0])
		},
		"a was executed again": func(r *rig, ids []int64) {
			r.answers(errLost)
			r.all(r.execute(ids[0]))(gate.Unsuccessful)
			r.answer = nil
			r.all(r.execute(ids[1]))(gate.Done)
			r.all(r.execute(ids[0]))(gate.Done)
		},
	} {
		r := newRig(t, lab)
		ids := r.approved("a", "b")
		run(r, ids)
		if got := order(r, ids); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestARollbackIsTriedByThePolicyAlone: a dry-run of a rollback needs a policy, as the rollback
// does.
func TestARollbackIsTriedByThePolicyAlone(t *testing.T) {
	r := newRig(t, lab)
	ids := r.executed("k")
	r.Policy = nil
	for _, try := range []func(context.Context, []int64, gate.Options) ([]gate.Outcome, error){
		r.RollbackDryRun, r.Rollback,
	} {
		o := r.all(try(t.Context(), ids, gate.Options{}))(gate.Refused)[0]
		if len(o.Reasons) != 1 || o.Reasons[0].Field != "policy" || len(r.requests) > 0 {
			t.Errorf("%+v, %d requests", o, len(r.requests))
		}
	}
}

// TestAnUndoThatAnotherProgramLeftOut: what takes an action back is what its verb names.
func TestAnUndoThatAnotherProgramLeftOut(t *testing.T) {
	r := newRig(t, lab)
	ids := r.executed("k")
	r.Store = anothers{Store: r.Store, rewrite: func(a *gate.Action) { a.Undo = nil }}
	r.all(r.RollbackDryRun(t.Context(), ids, gate.Options{}))(gate.Done)
	requests, err := r.UndoRequests(t.Context(), ids, protocol.DryRun)
	if err != nil || len(requests) != 1 || len(r.requests) != 1 {
		t.Fatal(requests, err, r.requests)
	}
	for _, req := range append(requests, r.requests...) {
		if req.Action != "unassign-secondary-ip" || req.IdempotencyKey != "k:undo" ||
			req.Mode != protocol.DryRun {
			t.Errorf("%+v", req)
		}
	}
	inForce, leftOut, err := r.InForce(t.Context(), gate.Query{})
	if !slices.Equal(inForce, ids) || len(leftOut) > 0 || err != nil {
		t.Error(inForce, leftOut, err)
	}
}

// TestUndoRequestsNameEachThatCannotBeUndone: none is made then.
func TestUndoRequestsNameEachThatCannotBeUndone(t *testing.T) {
	r := newRig(t, lab)
	ids := append(r.executed("done"), r.imported("new", "newer")...)
	requests, err := r.UndoRequests(t.Context(), ids, protocol.Execute)
	var refused *gate.Refusal
	if !errors.As(err, &refused) || refused.What != "undo" || len(requests) > 0 {
		t.Fatal(requests, err)
	}
	slices.Sort(refused.Reasons)
	if len(refused.Reasons) != 2 || !strings.HasPrefix(refused.Reasons[0], `"new": `) ||
		!strings.HasPrefix(refused.Reasons[1], `"newer": `) {
		t.Error(refused.Reasons)
	}
	if _, err := r.UndoRequests(t.Context(), []int64{99}, protocol.Execute); !errors.Is(err,
		gate.ErrNotFound) {
		t.Error(err)
	}
}

// TestWhyThereIsNothingToRollBack: each reason names what it is about, and what is so.
func TestWhyThereIsNothingToRollBack(t *testing.T) {
	for name, c := range map[string]struct {
		as          func(*gate.Action)
		field, says string
		leftOut     bool
	}{
		"pending": {func(a *gate.Action) { a.Status, a.MayHaveChanged = gate.Pending, false },
			"status", "it is pending: there is nothing to roll back", false},
		"failed": {func(a *gate.Action) { a.Status, a.MayHaveChanged = gate.Failed, false },
			"status", "it failed and changed nothing", false},
		"another program's status": {
			func(a *gate.Action) { a.Status, a.MayHaveChanged = "queued", false },
			"status", `it is "queued", which only the program that wrote it can explain`, true},
		"running, by nobody who says so": {
			func(a *gate.Action) { a.Status, a.Claim = gate.Running, nil },
			"status", "it is running; wait for its end", true},
		"without an undo": {
			func(a *gate.Action) { a.Undo, a.Plan.Action = nil, "explode" },
			"undo", "explode can't be undone", true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lab)
			id := r.executed("k")[0]
			r.Store = anothers{Store: r.Store, rewrite: c.as}
			o := r.all(r.RollbackDryRun(t.Context(), []int64{id}, gate.Options{}))(gate.Refused)[0]
			if o.Reasons[0].Field != c.field || o.Reasons[0].Text != c.says || len(r.requests) > 0 {
				t.Errorf("%+v, %d requests", o.Reasons, len(r.requests))
			}
			requests, err := r.UndoRequests(t.Context(), []int64{id}, protocol.Execute)
			if len(requests) > 0 || err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("undo: %v, %v", requests, err)
			}
			inForce, leftOut, err := r.InForce(t.Context(), gate.Query{})
			if err != nil || len(inForce) > 0 || len(leftOut) > 0 != c.leftOut {
				t.Fatal(inForce, leftOut, err)
			}
			if !c.leftOut {
				return
			}
			if leftOut[0].Reasons[0].Text != c.says {
				t.Errorf("%+v", leftOut)
			}
			if last := r.last(id); last.Kind != gate.EventDenied || last.Data["what"] != "rollback" {
				t.Errorf("logged %+v", last)
			}
		})
	}
}

// TestWhenItWasExecutedCannotBeRead: several such can't be put in order, one alone can.
func TestWhenItWasExecutedCannotBeRead(t *testing.T) {
	r := newRig(t, lab)
	ids := r.executed("a", "b")
	r.Store = anothers{Store: r.Store, noLog: true, rewrite: func(a *gate.Action) {
		if a.IdempotencyKey == "a" {
			a.Unreadable = map[string]string{"executedAt": "soon"}
		}
	}}
	_, err := r.UndoRequests(t.Context(), ids, protocol.Execute)
	var refused *gate.Refusal
	if !errors.As(err, &refused) || !strings.HasPrefix(refused.What, "undoing several") ||
		!slices.Equal(refused.Reasons, []string{
			`"a": when it was executed can't be read ("soon"): name it alone`}) {
		t.Error(err)
	}
	if requests, err := r.UndoRequests(t.Context(), ids[:1], protocol.Execute); err != nil ||
		len(requests) != 1 {
		t.Error(requests, err)
	}
	// The log tells as well.
	r.Store = anothers{Store: r.journal, rewrite: r.Store.(anothers).rewrite}
	if requests, err := r.UndoRequests(t.Context(), ids, protocol.Execute); err != nil ||
		len(requests) != 2 || requests[0].IdempotencyKey != "b:undo" {
		t.Error(requests, err)
	}
}

// TestWithoutALogTheTimeTellsTheOrder: and where that is the same, the number of the action.
func TestWithoutALogTheTimeTellsTheOrder(t *testing.T) {
	for name, c := range map[string]struct {
		step time.Duration
		want []string
	}{
		"later":  {time.Second, []string{"b:undo", "a:undo"}},
		"same":   {0, []string{"b:undo", "a:undo"}},
		"before": {-time.Second, []string{"a:undo", "b:undo"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lab)
			ids := r.approved("a", "b")
			r.now = r.now.Add(time.Minute)
			for _, id := range ids {
				r.now = r.now.Add(c.step)
				r.all(r.execute(id))(gate.Done)
			}
			r.Store = anothers{Store: r.Store, noLog: true}
			requests, err := r.UndoRequests(t.Context(), ids, protocol.Execute)
			var keys []string
			for _, req := range requests {
				keys = append(keys, req.IdempotencyKey)
			}
			if err != nil || !slices.Equal(keys, c.want) {
				t.Error(keys, err)
			}
		})
	}
}

// TestWhatIsDeniedOfARollbackIsLogged: by the gate, and by the executor.
func TestWhatIsDeniedOfARollbackIsLogged(t *testing.T) {
	r := newRig(t, lab)
	pending, done := r.imported("new")[0], r.executed("done")[0]
	r.answers(failed(protocol.Denied, nil))
	outcomes, err := r.Rollback(t.Context(), []int64{pending, done}, gate.Options{KeepGoing: true})
	r.all(outcomes, err)(gate.Refused)
	for _, id := range []int64{pending, done} {
		last := r.last(id)
		reasons, _ := last.Data["reasons"].([]any)
		if last.Kind != gate.EventDenied || last.Data["what"] != "rollback" || len(reasons) == 0 {
			t.Errorf("logged %+v", last)
		}
	}
}
