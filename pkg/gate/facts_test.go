package gate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/protocol"
)

// answers lets the executor answer one thing after the other: results, and errors.
func (r *rig) answers(all ...any) {
	r.answer = func(protocol.Request) (protocol.Result, error) {
		next := all[0]
		all = all[1:]
		switch next := next.(type) {
		case error:
			return protocol.Result{}, next
		case protocol.Result:
			return next, nil
		}
		return protocol.Result{}, fmt.Errorf("an answer is %T", next)
	}
}

var (
	errLost    = errors.New("killed")
	notStarted = &gate.NotStarted{Cause: errors.New("no such file")}
)

func facts(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

func undoAvailable(r protocol.Result) protocol.Result {
	r.Status.UndoAvailable = true
	return r
}

// TestWhatMayHaveChangedSomethingStaysSo: whatever comes after it, until it is rolled back.
func TestWhatMayHaveChangedSomethingStaysSo(t *testing.T) {
	tests := []struct {
		name    string
		answers []any
		may     bool
		facts   map[string]string
	}{
		{
			"a definite failure",
			[]any{failed(protocol.Conflict, facts("changed", "false"))},
			false,
			facts("changed", "false", "failureClass", "conflict"),
		},
		{
			"changed",
			[]any{failed(protocol.Conflict, facts("changed", "true"))},
			true,
			facts("changed", "true", "failureClass", "conflict"),
		},
		{
			"an undo is available",
			[]any{undoAvailable(failed(protocol.Timeout, nil))},
			true,
			facts("failureClass", "timeout"),
		},
		{"ambiguous", []any{failed(protocol.Ambiguous, nil)}, true, facts("failureClass", "ambiguous")},
		{
			"unverified",
			[]any{failed(protocol.Unverified, nil)},
			true,
			facts("failureClass", "unverified"),
		},
		{"a bug", []any{failed(protocol.Internal, nil)}, true, facts("failureClass", "internal")},
		{
			"a command that ran and failed",
			[]any{failed(protocol.CommandFailed, nil)},
			true,
			facts("failureClass", "command-failed"),
		},
		{"a lost result", []any{errLost}, true, facts()},
		{"not started", []any{notStarted}, false, facts()},
		{"denied by the executor", []any{failed(protocol.Denied, nil)}, false, facts()},
		{
			"denied, of what an earlier run began",
			[]any{undoAvailable(failed(protocol.Denied, facts("priorAssigned", "false")))},
			true,
			facts("priorAssigned", "false", "failureClass", "denied"),
		},
		{
			"ambiguous, then one that hides it",
			[]any{
				failed(protocol.Ambiguous, facts("priorHolder", "a")),
				failed(protocol.Authentication, nil),
			},
			true,
			facts("priorHolder", "a", "failureClass", "authentication"),
		},
		{
			"ambiguous, then one with facts of its own",
			[]any{
				failed(protocol.Ambiguous, facts("priorHolder", "a", "changed", "true")),
				failed(protocol.Conflict, facts("holder", "b")),
			},
			true,
			facts("priorHolder", "a", "changed", "true", "holder", "b", "failureClass", "conflict"),
		},
		{
			"the first prior facts win",
			[]any{
				failed(protocol.Ambiguous, facts("priorAssigned", "false")),
				failed(protocol.Conflict, facts("priorAssigned", "true", "holder", "b")),
			},
			true,
			facts("priorAssigned", "false", "holder", "b", "failureClass", "conflict"),
		},
		{
			"prior facts learnt later",
			[]any{errLost, failed(protocol.Conflict, facts("priorAssigned", "true"))},
			true,
			facts("priorAssigned", "true", "failureClass", "conflict"),
		},
		{
			"ambiguous, then not started",
			[]any{failed(protocol.Ambiguous, facts("priorHolder", "a")), notStarted},
			true,
			facts("priorHolder", "a", "failureClass", "ambiguous"),
		},
		{
			"definite failures replace each other's facts",
			[]any{failed(protocol.Conflict, facts("holder", "a")), failed(protocol.Authentication, nil)},
			false,
			facts("failureClass", "authentication"),
		},
		{
			"definite, then lost",
			[]any{failed(protocol.Conflict, facts("priorHolder", "a")), errLost},
			true,
			facts(),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, lab)
			id := r.approved("k")[0]
			r.answers(tt.answers...)
			for _, answer := range tt.answers {
				r.all(r.execute(id))(verdictOf(answer))
			}
			a := r.get(id)
			if a.MayHaveChanged != tt.may {
				t.Errorf("may have changed something: %v, want %v", a.MayHaveChanged, tt.may)
			}
			if tt.may && (a.Status != gate.Failed || a.Error == "") {
				t.Errorf("it is %s: %s", a.Status, a.Error)
			}
			if d := cmp.Diff(tt.facts, orEmpty(a.Observed)); d != "" {
				t.Error(d)
			}
			r.sticks(id, tt.may)
			r.verified()
		})
	}
}

// verdictOf is how an execution with that answer ends.
func verdictOf(answer any) gate.Verdict {
	if result, ok := answer.(protocol.Result); ok &&
		result.Status.Observed["failureClass"] == string(protocol.Denied) {
		return gate.Refused
	}
	return gate.Unsuccessful
}

// TestATextIsKeptOnce: the executor says one line as message and as error; the row, the outcome and
// the log have it once.
func TestATextIsKeptOnce(t *testing.T) {
	for name, c := range map[string]struct {
		answer                protocol.Result
		verdict               gate.Verdict
		message, failure, log string
	}{
		"failed":  {failed(protocol.Conflict, nil), gate.Unsuccessful, "", "it is conflict", "error"},
		"skipped": {skipped(nil), gate.Done, "nothing", "", "message"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lab)
			id := r.approved("k")[0]
			r.answers(c.answer)
			o := r.all(r.execute(id))(c.verdict)[0]
			if a := r.get(id); a.ResultMessage != c.message || a.Error != c.failure ||
				o.Message != c.message+c.failure {
				t.Errorf(
					"%q, %q and %q, want %q and %q",
					o.Message,
					a.ResultMessage,
					a.Error,
					c.message,
					c.failure,
				)
			}
			events, err := r.Store.Events(
				context.Background(),
				gate.EventQuery{ActionID: id, Kind: gate.EventResult},
			)
			if err != nil || len(events) != 1 {
				t.Fatalf("%v, %v", events, err)
			}
			message, failure := events[0].Data["message"], events[0].Data["error"]
			if events[0].Data[c.log] != c.message+c.failure || (message == nil) == (failure == nil) {
				t.Errorf("the log says %v and %v", message, failure)
			}
		})
	}
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// sticks holds that neither an approval nor a requeue makes an action forget that it may have
// changed something, that another plan can't take its place, and that it can be rolled back; and
// the opposite of what changed nothing.
func (r *rig) sticks(id int64, may bool) {
	r.t.Helper()
	r.answer = nil
	other := plan("k")
	other.Parameters = facts("allowReassignment", "true")
	if _, err := r.Import(context.Background(), []gate.Plan{other}, "test", true); gate.IsRefusal(
		err,
	) != may {
		r.t.Errorf("requeued with another plan: %v", err)
	}
	observed := r.get(id).Observed
	if _, err := r.Import(context.Background(), []gate.Plan{plan("k")}, "test", true); err != nil {
		r.t.Errorf("requeued with the same plan: %v", err)
	}
	r.all(r.Approve(context.Background(), []int64{id}, "bob", ""))(gate.Done)
	a := r.get(id)
	if d := cmp.Diff(observed, a.Observed); d != "" {
		r.t.Error("the facts are lost", d)
	}
	ids, leftOut, err := r.InForce(context.Background(), gate.Query{})
	if a.MayHaveChanged != may || (a.Status == gate.Failed) != may || (len(ids) == 1) != may ||
		len(leftOut) > 0 ||
		err != nil {
		r.t.Errorf("%+v, in force: %v, left out: %v, %v", a, ids, leftOut, err)
	}
	if !may {
		o := r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Refused)[0]
		if !strings.Contains(o.Message, "there is nothing to roll back") {
			r.t.Error(o.Message)
		}
		return
	}
	r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Done)
	if a := r.get(id); a.MayHaveChanged || a.Status != gate.RolledBack || a.Error != "" {
		r.t.Errorf("rolled back: %+v", a)
	}
}

// TestFactsOfAnEarlierRunDoNotReachAnUndo guards the addresses of others: what a run learnt that is
// over and done with says nothing about the next one.
func TestFactsOfAnEarlierRunDoNotReachAnUndo(t *testing.T) {
	for name, second := range map[string]any{"lost": errLost, "ambiguous": failed(protocol.Ambiguous,
		nil), "failed": failed(protocol.Authentication, nil)} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lab)
			id := r.approved("k")[0]
			r.answers(
				succeeded(facts("priorHolder", "eni-01088600000000012", "changed", "true")),
				succeeded(nil),
				second,
			)
			r.all(r.execute(id))(gate.Done)
			r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Done)
			other := plan("k")
			other.Target["address"] = "10.88.60.10"
			if _, err := r.Import(context.Background(), []gate.Plan{other}, "test", true); err != nil {
				t.Fatal(err)
			}
			if r.get(id).Observed["priorHolder"] == "" {
				t.Error("a requeue wiped facts")
			}
			r.all(r.Approve(context.Background(), []int64{id}, "ann", ""))(gate.Done)
			r.all(r.execute(id))(gate.Unsuccessful)
			r.answer = nil
			if name == "failed" {
				r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Refused)
				return
			}
			r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Done)
			if undo := r.requests[3]; undo.Parameters["priorHolder"] != "" ||
				undo.Target["address"] != "10.88.60.10" {
				t.Errorf("the undo: %+v", undo)
			}
		})
	}
}

// TestAStaleRunThatCanNotBeTakenUpStaysUncertain: that its successor could not begin says nothing
// of it.
func TestAStaleRunThatCanNotBeTakenUpStaysUncertain(t *testing.T) {
	for name, tt := range map[string]struct {
		answer  any
		verdict gate.Verdict
	}{
		"not started": {notStarted, gate.Unsuccessful}, "denied by the executor": {failed(protocol.Denied,
			nil), gate.Refused},
		"a definite failure": {failed(protocol.Authentication, nil), gate.Unsuccessful},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lab)
			id := r.approved("k")[0]
			r.claimed(id)
			r.seen(id)
			r.answers(tt.answer)
			o := r.all(r.execute(id))(tt.verdict)[0]
			if strings.Contains(o.Message, "nothing was changed") {
				t.Error(o.Message)
			}
			r.sticks(id, true)
			r.verified()
		})
	}
}

func TestRollbackOfAllTellsWhatItLeavesOut(t *testing.T) {
	r := newRig(
		t,
		strings.Replace(
			lab,
			"[assign-secondary-ip,",
			"[unassign-secondary-ip, assign-secondary-ip,",
			1,
		)+"  allowIrreversible: true\n",
	)
	ids := r.approved("done", "failed", "running", "altered")
	irreversible := plan("irreversible")
	irreversible.Action = "unassign-secondary-ip"
	outcomes, err := r.Import(context.Background(), []gate.Plan{irreversible}, "test", false)
	r.all(outcomes, err)(gate.Done)
	ids = append(ids, outcomes[0].Action.ID)
	r.all(r.Approve(context.Background(), ids[4:], "ann", ""))(gate.Done)
	r.answers(succeeded(nil), failed(protocol.Conflict, nil), succeeded(nil), succeeded(nil))
	r.all(
		r.Execute(
			context.Background(),
			[]int64{ids[0], ids[1], ids[3], ids[4]},
			gate.Options{KeepGoing: true},
		),
	)(
		gate.Done,
		gate.Unsuccessful,
		gate.Done,
		gate.Done,
	)
	r.claimed(ids[2])
	r.sql(
		`UPDATE action_executions SET observed_json = '{"priorHolder":"eni-01088600000000012"}' ` +
			`WHERE idempotency_key = 'altered'`,
	)
	found, leftOut, err := r.InForce(context.Background(), gate.Query{})
	if err != nil || !cmp.Equal(found, ids[:1]) {
		t.Errorf("in force: %v, %v", found, err)
	}
	reasons := map[string]string{}
	for _, o := range leftOut {
		if o.Verdict != gate.Refused {
			t.Errorf("%+v", o)
		}
		reasons[o.Action.IdempotencyKey] = o.Reasons[0].Text
	}
	for key, want := range map[string]string{"running": "someone is at work on it",
		"altered": "the row of action 4 was changed", "irreversible": "can't be undone"} {
		if !strings.Contains(reasons[key], want) || len(reasons) != 3 {
			t.Errorf("%s is left out because of %q, want %q", key, reasons[key], want)
		}
	}
}

// TestRollbackOfAllOverlooksNoRowThatWasChanged: what a row was made to say, or that it is gone,
// does not keep it from being told of.
func TestRollbackOfAllOverlooksNoRowThatWasChanged(t *testing.T) {
	for name, change := range map[string]string{
		"the mark taken off": "UPDATE actionctl_states SET may_have_changed = 0 WHERE action_id = 2",
		"made to look new": "UPDATE actionctl_states SET may_have_changed = 0 WHERE action_id = 2; " +
			"UPDATE action_executions SET status = 'pending' WHERE id = 2",
		"the row taken out": "DELETE FROM actionctl_approvals WHERE action_id = 2; DELETE FROM " +
			"actionctl_states WHERE action_id = 2; DELETE FROM action_executions WHERE id = 2",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lab)
			ids := r.approved("kept", "changed")
			r.all(r.execute(ids...))(gate.Done)
			r.imported("new")
			r.sql(change)
			found, leftOut, err := r.InForce(context.Background(), gate.Query{})
			if err != nil || !cmp.Equal(found, ids[:1]) {
				t.Errorf("in force: %v, %v", found, err)
			}
			if len(leftOut) != 1 || leftOut[0].Action.ID != ids[1] || len(leftOut[0].Reasons) != 1 ||
				!strings.Contains(leftOut[0].Message, "the row of action 2 was") {
				t.Errorf("left out: %+v", leftOut)
			}
		})
	}
}
