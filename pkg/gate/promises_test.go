package gate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/protocol"
)

var errDisk = errors.New("the disk is gone")

// failing is a store of which one method fails from its nth call on.
type failing struct {
	gate.Store
	method string
	after  int
	err    error
}

func (f *failing) fails(method string) error {
	if method != f.method {
		return nil
	}
	if f.after--; f.after < 0 {
		return f.err
	}
	return nil
}

func (f *failing) Get(ctx context.Context, id int64) (gate.Action, error) {
	if err := f.fails("Get"); err != nil {
		return gate.Action{}, err
	}
	return f.Store.Get(ctx, id)
}

func (f *failing) List(ctx context.Context, q gate.Query) ([]gate.Action, error) {
	if err := f.fails("List"); err != nil {
		return nil, err
	}
	return f.Store.List(ctx, q)
}

func (f *failing) History(ctx context.Context, id int64) ([]gate.Event, error) {
	if err := f.fails("History"); err != nil {
		return nil, err
	}
	return f.Store.History(ctx, id)
}

func (f *failing) Apply(ctx context.Context, changes ...gate.Change) ([]gate.Action, error) {
	if err := f.fails("Apply"); err != nil {
		return nil, err
	}
	return f.Store.Apply(ctx, changes...)
}

func (f *failing) ApplyEach(
	ctx context.Context, n int, change func(int) gate.Change, made func(int, gate.Action),
) error {
	if err := f.fails("Apply"); err != nil {
		return err
	}
	return f.Store.ApplyEach(ctx, n, change, made)
}

func (f *failing) Note(ctx context.Context, events ...gate.Event) error {
	if err := f.fails("Note"); err != nil {
		return err
	}
	return f.Store.Note(ctx, events...)
}

// TestADenialThatCannotBeLoggedIsAnError: of what the gate refused, and of what it left out.
func TestADenialThatCannotBeLoggedIsAnError(t *testing.T) {
	ctx := context.Background()
	r := newRig(t, lab)
	id := r.approved("k")[0]
	r.all(r.execute(id))(gate.Done)
	r.Store = &failing{Store: r.Store, method: "Note", err: errDisk}
	if _, err := r.execute(id); !errors.Is(err, errDisk) {
		t.Errorf("execute: %v", err)
	}
	if _, err := r.DryRun(ctx, []int64{id}, gate.Options{}); !errors.Is(err, errDisk) {
		t.Errorf("dry-run: %v", err)
	}
	r.claimed(id)
	if _, _, err := r.InForce(ctx, gate.Query{}); !errors.Is(err, errDisk) {
		t.Errorf("in force: %v", err)
	}
}

// TestAReadThatFailsEndsARun: while another action runs, which is waited for and written down.
func TestAReadThatFailsEndsARun(t *testing.T) {
	r := newRig(t, lab)
	ids := r.approved("a", "b")
	begun, read := make(chan struct{}), make(chan struct{})
	r.answer = func(protocol.Request) (protocol.Result, error) {
		close(begun)
		<-read
		return succeeded(nil), nil
	}
	store := r.Store
	r.Store = &getting{Store: store, of: ids[1], get: func() error {
		<-begun
		close(read)
		return errDisk
	}}
	options := gate.Options{KeepGoing: true, Parallel: 2}
	outcomes, err := r.Execute(context.Background(), ids, options)
	if !errors.Is(err, errDisk) || len(outcomes) != 1 || outcomes[0].Verdict != gate.Done {
		t.Errorf("%+v, %v", outcomes, err)
	}
	r.Store = store
	if a, b := r.get(ids[0]).Status, r.get(ids[1]).Status; a != gate.Succeeded || b != gate.Approved {
		t.Errorf("%s, %s", a, b)
	}
}

// getting is a store that fails to get one action, but for the first times.
type getting struct {
	gate.Store
	of  int64
	get func() error
	but atomic.Int64
}

func (g *getting) Get(ctx context.Context, id int64) (gate.Action, error) {
	if left := g.but.Add(-1); id == g.of && left < 0 {
		return gate.Action{}, g.get()
	}
	return g.Store.Get(ctx, id)
}

// TestAnApprovalThatLosesEveryRace gives up, and says that others were faster.
func TestAnApprovalThatLosesEveryRace(t *testing.T) {
	r := newRig(t, lab)
	id := r.imported("k")[0]
	store := r.Store
	r.Store = &failing{Store: store, method: "Apply", err: gate.ErrChanged}
	_, err := r.Approve(context.Background(), []int64{id}, "ann", "")
	if !errors.Is(err, gate.ErrChanged) {
		t.Errorf("%v", err)
	}
	r.Store = store
	if a := r.get(id); a.Status != gate.Pending {
		t.Errorf("%+v", a)
	}
}

// TestApprovalsAreToldOneByOne: how many are missing, at the time of the approval, and as it comes.
func TestApprovalsAreToldOneByOne(t *testing.T) {
	r := newRig(t, lab+"  approvals: 2\n")
	id := r.imported("k")[0]
	var told []string
	r.Progress = func(o gate.Outcome) { told = append(told, string(o.Action.Status)+": "+o.Message) }
	r.all(r.Approve(context.Background(), []int64{id}, "ann", ""))(gate.Done)
	r.now = r.now.Add(time.Minute)
	r.all(r.Approve(context.Background(), []int64{id}, "bob", ""))(gate.Done)
	const want = "pending: approved by one more; more approvals are needed\napproved: approved"
	if got := strings.Join(told, "\n"); got != want {
		t.Errorf("told %q", got)
	}
	a := r.get(id)
	query := gate.EventQuery{ActionID: id, Kind: gate.EventApproved, Newest: true}
	events, err := r.Store.Events(context.Background(), query)
	if err != nil || len(events) != 2 || !events[0].At.Equal(r.now) || !a.ApprovedAt.Equal(r.now) {
		t.Errorf("%+v, %v, approved at %s", events, err, a.ApprovedAt)
	}
}

// TestOnlyADryRunsSuccessIsEvidence: of what it would do, and not that there was nothing to do.
func TestOnlyADryRunsSuccessIsEvidence(t *testing.T) {
	for name, tt := range map[string]struct {
		answers []any
		want    gate.Verdict
	}{
		"none":                  {nil, gate.Refused},
		"succeeded":             {[]any{succeeded(nil)}, gate.Done},
		"skipped":               {[]any{skipped(nil)}, gate.Refused},
		"failed":                {[]any{failed(protocol.Conflict, nil)}, gate.Refused},
		"no result":             {[]any{errors.New("killed")}, gate.Refused},
		"succeeded and skipped": {[]any{succeeded(nil), skipped(nil)}, gate.Refused},
		"failed and succeeded":  {[]any{failed(protocol.Conflict, nil), succeeded(nil)}, gate.Done},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lab+"  requireEvidence: true\n  requireApproval: false\n")
			id := r.imported("k")[0]
			for _, answer := range tt.answers {
				r.answers(answer)
				if _, err := r.DryRun(context.Background(), []int64{id}, gate.Options{}); err != nil {
					t.Fatal(err)
				}
			}
			r.answer = nil
			ran := len(r.requests)
			r.all(r.execute(id))(tt.want)
			if got := len(r.requests) > ran; got != (tt.want == gate.Done) {
				t.Errorf("ran: %t", got)
			}
		})
	}
}

// TestOneRefusedKeepsAllFromRunning: it is logged for what it was refused, and the others are told.
func TestOneRefusedKeepsAllFromRunning(t *testing.T) {
	ctx := context.Background()
	r := newRig(t, strings.Replace(lab, "maxActionsPerRun: 10", "maxActionsPerRun: 1", 1))
	approved, pending := r.approved("a")[0], r.imported("b")[0]
	refusedFor := func(id int64, what string) {
		t.Helper()
		query := gate.EventQuery{ActionID: id, Kind: gate.EventDenied, Newest: true, Limit: 1}
		events, err := r.Store.Events(ctx, query)
		if err != nil || len(events) != 1 || events[0].Data["what"] != what {
			t.Errorf("%+v, %v, want a denial of %s", events, err, what)
		}
	}
	outcomes := r.all(r.execute(approved, pending))(gate.Refused, gate.NotReached)
	const notBegun = "not begun, because another was refused"
	if o := outcomes[1]; o.Action.ID != approved || o.Message != notBegun {
		t.Errorf("%+v", o)
	}
	if !strings.HasPrefix(outcomes[0].Message, "execution refused: requireApproval") {
		t.Error(outcomes[0].Message)
	}
	refusedFor(pending, "execution")
	ids, _, err := r.AllApproved(ctx, gate.Query{})
	if err != nil || len(ids) != 1 || ids[0] != approved {
		t.Errorf("approved: %v, %v", ids, err)
	}
	r.all(r.Execute(ctx, []int64{pending}, gate.Options{KeepGoing: true}))(gate.Refused)
	refusedFor(pending, "execution")
	r.all(r.execute(approved))(gate.Done)
	r.all(r.Rollback(ctx, []int64{approved, pending}, gate.Options{}))(gate.Refused, gate.NotReached)
	refusedFor(pending, "rollback")
	r.Policy = nil
	for _, keepGoing := range []bool{false, true} {
		options := gate.Options{KeepGoing: keepGoing}
		o := r.all(r.Rollback(ctx, []int64{approved}, options))(gate.Refused)[0]
		if !strings.Contains(o.Message, "policy") || r.get(approved).Status != gate.Succeeded {
			t.Errorf("without a policy: %+v", o)
		}
	}
	r.Policy = parsePolicy(t, lab)
	r.all(r.Rollback(ctx, []int64{approved}, gate.Options{}))(gate.Done)
}

// TestTheLogTellsHowARunEnded: why there is no result, what became of the action, and what a result
// that came late was meant to be.
func TestTheLogTellsHowARunEnded(t *testing.T) {
	r := newRig(t, lab)
	id := r.approved("k")[0]
	data := func(kind gate.EventKind) map[string]any {
		t.Helper()
		query := gate.EventQuery{ActionID: id, Kind: kind, Newest: true, Limit: 1}
		events, err := r.Store.Events(context.Background(), query)
		if err != nil || len(events) != 1 {
			t.Fatalf("%+v, %v", events, err)
		}
		return events[0].Data
	}
	r.answers(errors.New("killed"))
	r.all(r.execute(id))(gate.Unsuccessful)
	if d := data(gate.EventNoResult); d["error"] != "killed" || d["became"] != "failed" {
		t.Errorf("%v", d)
	}
	r.answers(&gate.NotStarted{Cause: errors.New("no such file")})
	r.all(r.execute(id))(gate.Unsuccessful)
	const notStarted = "cannot start the executor: no such file"
	if d := data(gate.EventNoResult); d["error"] != notStarted || d["became"] != "failed" {
		t.Errorf("%v", d)
	}
	r.answer = nil
	r.all(r.execute(id))(gate.Done)
	if d := data(gate.EventResult); d["became"] != "succeeded" {
		t.Errorf("%v", d)
	}
	r.answers(failed(protocol.Drift, nil))
	r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Unsuccessful)
	if a := r.get(id); a.Error != "rollback: it is drift" {
		t.Errorf("%+v", a)
	}
	r.answer = func(protocol.Request) (protocol.Result, error) {
		r.sql("UPDATE action_executions SET risk_level = 'none'")
		return succeeded(nil), nil
	}
	r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Unsuccessful)
	if d := data(gate.EventLateResult); d["meant"] != "rolled-back" || d["became"] != "rolledBack" {
		t.Errorf("%v", d)
	}
}

// TestAnAlteredLogIsARefusal: nothing is approved or executed by what can't be trusted.
func TestAnAlteredLogIsARefusal(t *testing.T) {
	r := newRig(t, lab)
	id := r.approved("k")[0]
	altered := fmt.Errorf("%w: event 1 was changed", gate.ErrAltered)
	r.Store = &failing{Store: r.Store, method: "History", err: altered}
	for name, outcomes := range map[string][]gate.Outcome{
		"approve": r.all(r.Approve(context.Background(), []int64{id}, "bob", ""))(gate.Refused),
		"execute": r.all(r.execute(id))(gate.Refused),
	} {
		const want = "event 1 was changed; journal --verify tells more"
		if said := outcomes[0].Message; !strings.Contains(said, "journal: ") ||
			!strings.Contains(said, want) {
			t.Errorf("%s: %s", name, outcomes[0].Message)
		}
	}
	if len(r.requests) > 0 {
		t.Error("it ran all the same")
	}
}

// TestAnImportInSteps: plans are checked once, and what could not be written has no outcomes.
func TestAnImportInSteps(t *testing.T) {
	r := newRig(t, lab)
	store := r.Store
	r.Store = &failing{Store: store, method: "Apply", err: errDisk}
	outcomes, err := r.Import(t.Context(), []gate.Plan{plan("a")}, "test", false)
	if !errors.Is(err, errDisk) || len(outcomes) > 0 {
		t.Errorf("on a disk that is gone: %d outcomes, %v", len(outcomes), err)
	}
	r.Store = store
	im := r.Importing(gate.PlansOf([]gate.Plan{plan("a"), plan("b")}), "test", false)
	checks := 0
	ctx := gate.WithProgress(t.Context(), func() { checks++ })
	if err := errors.Join(im.Check(ctx), im.Check(ctx)); err != nil || checks != 2 {
		t.Fatalf("%d steps to check two plans, %v", checks, err)
	}
	if err := im.Do(ctx); err != nil || checks != 6 {
		t.Errorf("%d steps to import two plans, %v", checks, err)
	}
	for range 2 {
		var ids []int64
		for o := range im.Outcomes {
			ids = append(ids, o.Action.ID)
			if there := r.get(o.Action.ID); there.Digest() != o.Action.Digest() ||
				there.Revision != o.Action.Revision || !there.UpdatedAt.Equal(o.Action.UpdatedAt) {
				t.Errorf("it told of %+v, and there is %+v", o.Action, there)
			}
		}
		if len(ids) != 2 {
			t.Errorf("the outcomes are of %v, want two", ids)
		}
	}
}
