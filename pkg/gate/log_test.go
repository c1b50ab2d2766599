package gate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/signature"
)

// told are an action's events, one a line: the kind, and what is in it but other digests than its
// plan's.
func (r *rig) told(id int64) string {
	r.t.Helper()
	events, err := r.Store.Events(context.Background(), gate.EventQuery{ActionID: id})
	if err != nil {
		r.t.Fatal(err)
	}
	var lines []string
	for _, e := range events {
		data := maps.Clone(e.Data)
		for _, key := range []string{"row", "evidence", "seen"} {
			delete(data, key)
		}
		text, err := json.Marshal(data)
		if err != nil {
			r.t.Fatal(err)
		}
		lines = append(lines, fmt.Sprint(e.Kind, " ", string(text)))
	}
	return strings.ReplaceAll(strings.Join(lines, "\n"), r.get(id).Digest(), "PLAN")
}

// TestTheLogTellsEachStep of an action: of what plan it was, by whom, and what came of it.
func TestTheLogTellsEachStep(t *testing.T) {
	ctx := context.Background()
	r := newRig(t, lab)
	id := r.imported("k")[0]
	ids := []int64{id}
	r.all(r.execute(id))(gate.Refused)
	r.all(r.Approve(ctx, ids, "ann", "another"))(gate.Refused)
	r.answers(errors.New("killed"), succeeded(map[string]string{"changed": "true"}))
	r.all(r.DryRun(ctx, ids, gate.Options{}))(gate.Unsuccessful)
	r.all(r.DryRun(ctx, ids, gate.Options{}))(gate.Done)
	r.answer = nil
	r.all(r.Approve(ctx, ids, "ann", ""))(gate.Done)
	r.all(r.execute(id))(gate.Done)
	r.all(r.execute(id))(gate.Refused)
	r.all(r.RollbackDryRun(ctx, ids, gate.Options{}))(gate.Done)
	r.all(r.Rollback(ctx, ids, gate.Options{}))(gate.Done)
	const want = `imported {"action":"assign-secondary-ip","digest":"PLAN","source":"test",` +
		`"target":{"address":"10.88.60.9","nicRef":"eni-01088600000000011","region":"ap-northeast-1"}}
denied {"reasons":["requireApproval: 0 of 1 approvals"],"what":"execution"}
denied {"reasons":["digest: the plan has changed: it is PLAN now, not another"],"what":"approval"}
dry-run {"digest":"PLAN","error":"killed","mode":"dry-run","status":"none"}
dry-run {"digest":"PLAN","message":"did it","mode":"dry-run",` +
		`"observed":{"changed":"true","priorAssigned":"false"},"status":"succeeded"}
approved {"by":"ann","digest":"PLAN","status":"approved","user":"tester"}
claimed {"claimant":"here","digest":"PLAN","from":"approved","policy":"lab"}
result {"became":"succeeded","digest":"PLAN","message":"did it","mode":"execute",` +
		`"observed":{"changed":"true","priorAssigned":"false"},"status":"succeeded"}
denied {"reasons":["status: it has succeeded already; nothing runs twice"],"what":"execution"}
rollback-dry-run {"digest":"PLAN","message":"did it","mode":"dry-run",` +
		`"observed":{"changed":"true","overwrote":"false"},"status":"succeeded"}
rollback-claimed {"claimant":"here","digest":"PLAN","from":"succeeded","policy":"lab"}
rolled-back {"became":"rolledBack","digest":"PLAN","message":"did it","mode":"execute",` +
		`"observed":{"changed":"true","overwrote":"false"},"status":"succeeded"}`
	if d := cmp.Diff(want, r.told(id)); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// TestAnOutcomeHasTheResult that the executor gave, whatever it was.
func TestAnOutcomeHasTheResult(t *testing.T) {
	r := newRig(t, lab)
	ids := r.approved("k")
	for _, answer := range []protocol.Result{failed(protocol.Throttled, nil),
		failed(protocol.Denied, nil), skipped(nil), succeeded(nil)} {
		r.answers(answer)
		want := fitting(r.get(ids[0]).Request(protocol.DryRun), answer)
		outcomes, err := r.DryRun(context.Background(), ids, gate.Options{})
		if err != nil || len(outcomes) != 1 || outcomes[0].Result == nil ||
			!cmp.Equal(*outcomes[0].Result, want) {
			t.Errorf("%+v, %v, want %+v", outcomes, err, want)
		}
	}
}

// onlyRead is a store that can't be written.
type onlyRead struct{ gate.Store }

func (onlyRead) ReadOnly() bool { return true }

func (onlyRead) Note(context.Context, ...gate.Event) error { return gate.ErrReadOnly }

// TestWhatIsOnlyReadIsTriedUnlogged: who may not write the journal may see what would happen, and
// decides nothing.
func TestWhatIsOnlyReadIsTriedUnlogged(t *testing.T) {
	ctx := context.Background()
	r := newRig(t, lab)
	ids := r.approved("k")
	before := r.told(ids[0])
	r.Store = onlyRead{r.Store}
	r.all(r.DryRun(ctx, ids, gate.Options{}))(gate.Done)
	_, approved := r.Approve(ctx, ids, "bob", "")
	_, executed := r.execute(ids...)
	_, undone := r.Rollback(ctx, ids, gate.Options{})
	for what, err := range map[string]error{
		"approve": approved, "execute": executed, "roll back": undone,
	} {
		if !errors.Is(err, gate.ErrReadOnly) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if after := r.told(ids[0]); after != before || len(r.requests) != 1 {
		t.Errorf("%d requests, and the log is\n%s", len(r.requests), after)
	}
}

// overtaken is a store in which another gate is faster, once.
type overtaken struct {
	gate.Store
	faster func()
}

func (o *overtaken) Apply(ctx context.Context, changes ...gate.Change) ([]gate.Action, error) {
	if do := o.faster; do != nil {
		o.faster = nil
		do()
	}
	return o.Store.Apply(ctx, changes...)
}

func (o *overtaken) ApplyEach(
	ctx context.Context, n int, change func(int) gate.Change, made func(int, gate.Action),
) error {
	if do := o.faster; do != nil {
		o.faster = nil
		do()
	}
	return o.Store.ApplyEach(ctx, n, change, made)
}

// TestWhatAnotherRanMeanwhileDoesNotRunAgain: a claim that came too late is decided anew, and what
// is refused then is logged.
func TestWhatAnotherRanMeanwhileDoesNotRunAgain(t *testing.T) {
	for _, keepGoing := range []bool{false, true} {
		r := newRig(t, lab)
		ids := r.approved("k")
		store := r.Store
		r.Store = &overtaken{store, func() {
			other := *r.Gate
			other.Store, other.Actor = store, "other"
			r.all(other.Execute(context.Background(), ids, gate.Options{}))(gate.Done)
		}}
		options := gate.Options{KeepGoing: keepGoing}
		o := r.all(r.Execute(context.Background(), ids, options))(gate.Refused)[0]
		const want = "status: it has succeeded already; nothing runs twice"
		if len(o.Reasons) != 1 || o.Reasons.Error() != want || len(r.requests) != 1 {
			t.Errorf("%+v, and %d requests", o, len(r.requests))
		}
		if !strings.HasSuffix(r.told(ids[0]), `denied {"reasons":["`+want+`"],"what":"execution"}`) {
			t.Errorf("the log is\n%s", r.told(ids[0]))
		}
	}
}

// TestAClaimThatIsNotMadeRunsNothing: where it loses every race, and where what won can't be read.
func TestAClaimThatIsNotMadeRunsNothing(t *testing.T) {
	r := newRig(t, lab)
	ids := r.approved("k")
	store := r.Store
	r.Store = &failing{Store: store, method: "Apply", err: gate.ErrChanged}
	o, err := r.Execute(context.Background(), ids, gate.Options{KeepGoing: true})
	if !errors.Is(err, gate.ErrChanged) {
		t.Errorf("%+v, %v", o, err)
	}
	losing := &getting{Store: &failing{Store: store, method: "Apply", err: gate.ErrChanged},
		of: ids[0], get: func() error { return errDisk }}
	losing.but.Store(1)
	r.Store = losing
	o, err = r.Execute(context.Background(), ids, gate.Options{KeepGoing: true})
	if !errors.Is(err, errDisk) {
		t.Errorf("%+v, %v", o, err)
	}
	r.Store = store
	if a := r.get(ids[0]); a.Status != gate.Approved || len(r.requests) != 0 {
		t.Errorf("%+v, %d requests", a, len(r.requests))
	}
}

// looking is a store that does something when a log is read by who may be asked to stop.
type looking struct {
	gate.Store
	do func() error
}

func (l *looking) History(ctx context.Context, id int64) ([]gate.Event, error) {
	if ctx.Done() != nil {
		if err := l.do(); err != nil {
			return nil, err
		}
	}
	return l.Store.History(ctx, id)
}

// TestAnInterruptedLookIsNoFailure: an action that is not begun, because the command is asked to
// stop while it looks again at what was seen, is told so. Another error is one.
func TestAnInterruptedLookIsNoFailure(t *testing.T) {
	r := newRig(t, lab+"  requireEvidence: true\n")
	ids := r.imported("k")
	r.all(r.DryRun(context.Background(), ids, gate.Options{}))(gate.Done)
	r.all(r.Approve(context.Background(), ids, "ann", ""))(gate.Done)
	store := r.Store
	for name, other := range map[string]error{"interrupted": nil, "a failure": errDisk} {
		ctx, cancel := context.WithCancel(context.Background())
		r.Store = &looking{store, func() error {
			if other == nil {
				cancel()
			}
			return other
		}}
		outcomes, err := r.Execute(ctx, ids, gate.Options{})
		cancel()
		if len(outcomes) != 1 || outcomes[0].Verdict != gate.NotReached || !errors.Is(err, other) {
			t.Errorf("%s: %+v, %v", name, outcomes, err)
		}
		const want = "not begun: interrupted before it"
		if len(outcomes) == 1 && other == nil && outcomes[0].Message != want {
			t.Errorf("%s: %s", name, outcomes[0].Message)
		}
	}
	if r.Store = store; r.get(ids[0]).Status != gate.Approved || len(r.requests) != 1 {
		t.Errorf("%+v, %d requests", r.get(ids[0]), len(r.requests))
	}
}

// TestAStatementSaysTheWholeAction, whoever holds it against a request.
func TestAStatementSaysTheWholeAction(t *testing.T) {
	ann := newSigner(t, "ann@example.org")
	r := newRig(t, lab+approvers(ann.line()))
	p := plan("k")
	p.ProviderRef, p.Parameters = "lab-aws", map[string]string{"allowReassignment": "true"}
	p.Undo = &gate.Undo{Action: "unassign-secondary-ip"}
	outcomes, err := r.Import(context.Background(), []gate.Plan{p}, "test", false)
	if err != nil {
		t.Fatal(err)
	}
	id := outcomes[0].Action.ID
	yes := ann.yes()
	sign, refusal := yes.Sign, errors.New("no key is at hand")
	yes.Sign = func([]byte) ([]byte, error) { return nil, refusal }
	if _, err := r.signed(id, yes); !errors.Is(err, refusal) || r.get(id).Status != gate.Pending {
		t.Errorf("%v, %+v", err, r.get(id))
	}
	var got signature.Statement
	yes.Sign = func(text []byte) ([]byte, error) {
		if err := json.Unmarshal(text, &got); err != nil {
			t.Error(err)
		}
		return sign(text)
	}
	r.all(r.signed(id, yes))(gate.Done)
	want := signature.Statement{
		Format: signature.StatementFormat, Journal: r.Store.ID(), Principal: ann.name,
		Plan: r.get(id).Digest(), Action: p.Action, Provider: "aws", ProviderRef: "lab-aws",
		Target: p.Target, Parameters: p.Parameters, Mode: protocol.Execute, IdempotencyKey: "k",
		Undo: "unassign-secondary-ip", Issued: r.now, Expires: r.now.Add(time.Hour),
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// TestApprovalInAnEvent: who gave it, as which user. An event without the user tells the actor.
func TestApprovalInAnEvent(t *testing.T) {
	at := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	for user, want := range map[string]string{"": "actor", "anna": "anna"} {
		got := gate.ApprovalIn(gate.Event{At: at, Kind: gate.EventApproved, Actor: "actor",
			Data: map[string]any{"by": "ann", "digest": "d", "user": user}})
		if got.User != want || got.By != "ann" || got.Digest != "d" || !got.At.Equal(at) ||
			got.Signed != nil {
			t.Errorf("%+v", got)
		}
	}
}
