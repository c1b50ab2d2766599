package gate_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"aws-provider-executor/pkg/gate"
)

// adopted is an action as a core has it in force.
func adopted(key string) gate.Action {
	a := gate.Action{
		ID: 7, Plan: plan(key), Status: gate.Succeeded, MayHaveChanged: true,
		ExecutedAt: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC),
		Observed:   map[string]string{"assignedAddress": "10.88.60.9"},
	}
	a.Undo = &gate.Undo{Action: "unassign-secondary-ip"}
	return a
}

func TestTwoAdoptionsAtOnceMakeOneAction(t *testing.T) {
	r := newRig(t, lab)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			outcomes, err := r.Adopt(
				context.Background(),
				[]gate.Action{adopted("a"), adopted("b")},
				"core.db",
			)
			if err != nil || len(outcomes) != 2 || outcomes[0].Verdict != gate.Done ||
				outcomes[1].Verdict != gate.Done {
				t.Error(outcomes, err)
			}
		})
	}
	wait.Wait()
	all, err := r.Store.List(context.Background(), gate.Query{Checked: true})
	if err != nil || len(all) != 2 || all[0].Altered != "" {
		t.Fatal(all, err)
	}
	if r, err := r.journal.Verify(context.Background()); err != nil || len(r.Faults) > 0 ||
		r.Events != 2 {
		t.Error(r, err)
	}
}

// TestWhatIsAdoptedComesAfterWhatRanHere: it was executed before the swap, so it is undone last.
func TestWhatIsAdoptedComesAfterWhatRanHere(t *testing.T) {
	r := newRig(t, lab)
	earlier, later := adopted("early"), adopted("late")
	later.ExecutedAt = later.ExecutedAt.Add(time.Hour)
	r.all(
		r.Adopt(context.Background(), []gate.Action{later, earlier}, "core.db"),
	)(
		gate.Done,
		gate.Done,
	)
	id := r.approved("own")[0]
	r.all(r.execute(id))(gate.Done)
	ids, leftOut, err := r.InForce(context.Background(), gate.Query{})
	if err != nil || len(leftOut) > 0 {
		t.Fatal(leftOut, err)
	}
	r.requests = nil
	r.all(r.Rollback(context.Background(), ids, gate.Options{}))(gate.Done, gate.Done, gate.Done)
	var keys []string
	for _, q := range r.requests {
		keys = append(keys, q.IdempotencyKey)
		if q.IdempotencyKey != "own:undo" && q.Parameters["assignedAddress"] != "10.88.60.9" {
			t.Errorf("%s without its facts: %v", q.IdempotencyKey, q.Parameters)
		}
	}
	if got := strings.Join(keys, " "); got != "own:undo late:undo early:undo" {
		t.Error(got)
	}
}

// TestAnAdoptionIsNoApproval: requeued, what was adopted has to be approved here.
func TestAnAdoptionIsNoApproval(t *testing.T) {
	r := newRig(t, lab)
	a := adopted("k")
	a.ApprovedBy = "policy:auto-approve"
	id := r.all(r.Adopt(context.Background(), []gate.Action{a}, "core.db"))(gate.Done)[0].Action.ID
	r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Done)
	outcomes, err := r.Import(context.Background(), []gate.Plan{plan("k")}, "test", true)
	r.all(outcomes, err)(gate.Done)
	if o := r.all(r.execute(id))(gate.Refused)[0]; !strings.Contains(o.Message, "0 of 1 approvals") {
		t.Error(o.Message)
	}
}

func TestNothingIsAdoptedOverWhatWasAltered(t *testing.T) {
	r := newRig(t, lab)
	id := r.all(r.Adopt(context.Background(), []gate.Action{adopted("k")},
		"core.db"))(gate.Done)[0].Action.ID
	r.sql("UPDATE action_executions SET status = 'pending'")
	o := r.all(r.Adopt(context.Background(), []gate.Action{adopted("k")}, "core.db"))(gate.Refused)[0]
	if !strings.Contains(o.Message, "was changed") || r.get(id).Status != gate.Pending {
		t.Error(o.Message, r.get(id).Status)
	}
	r.Store = readOnly{r.Store}
	if _, err := r.Adopt(context.Background(), nil, "core.db"); !errors.Is(err, gate.ErrReadOnly) {
		t.Error(err)
	}
}

// readOnly is a journal that another program owns.
type readOnly struct{ gate.Store }

func (readOnly) ReadOnly() bool { return true }

// TestWhatFailedAtACoreMayBeTriedAgain, once it is approved here: that finds out what is so.
func TestWhatFailedAtACoreMayBeTriedAgain(t *testing.T) {
	r := newRig(t, lab)
	a := adopted("k")
	a.Status, a.Error = gate.Failed, "timed out"
	id := r.all(r.Adopt(context.Background(), []gate.Action{a}, "core.db"))(gate.Done)[0].Action.ID
	r.all(r.execute(id))(gate.Refused)
	r.all(r.Approve(context.Background(), []int64{id}, "ann", ""))(gate.Done)
	r.all(r.execute(id))(gate.Done)
	if a := r.get(id); a.Status != gate.Succeeded || a.Observed["assignedAddress"] != "10.88.60.9" {
		t.Errorf("%+v", a)
	}
}
