package gate_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/journal"
	"aws-provider-executor/pkg/protocol"
)

// another is a second gate on the same journal, as another process has it.
func (r *rig) another() *gate.Gate {
	r.t.Helper()
	j, err := journal.Open(context.Background(), r.path)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = j.Close() })
	g := *r.Gate
	g.Store = j
	return &g
}

// TestApproversAtOnce: of many who approve at the same time by gates of their own, each person
// counts once, and the action is approved when there are enough.
func TestApproversAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		people []string
		want   gate.Status
		count  int
	}{
		"two people":              {[]string{"ann", "bob"}, gate.Approved, 2},
		"one person many times":   {[]string{"ann", "ann", "Ann", "ann"}, gate.Pending, 1},
		"two people, many times":  {[]string{"ann", "bob", "ann", "bob"}, gate.Approved, 2},
		"more people than needed": {[]string{"ann", "bob", "cid", "dora"}, gate.Approved, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lab+"  approvals: 2\n")
			id := r.imported("k")[0]
			var all sync.WaitGroup
			for _, who := range tt.people {
				g := r.another()
				all.Go(func() { _, _ = g.Approve(context.Background(), []int64{id}, who, "") })
			}
			all.Wait()
			approvals, err := r.journal.Approvals(context.Background(), id)
			if err != nil {
				t.Fatal(err)
			}
			a := r.get(id)
			if a.Status != tt.want || tt.count > 0 && len(approvals) != tt.count {
				t.Errorf("%s with %d approvals", a.Status, len(approvals))
			}
			want := gate.Refused
			if tt.want == gate.Approved {
				want = gate.Done
			}
			r.all(r.execute(id))(want)
			r.verified()
		})
	}
}

// meanwhile has something happen while the executor is at work.
func (r *rig) meanwhile(do func()) {
	inner := r.Gate.Run
	r.Gate.Run = runs(func(ctx context.Context, q protocol.Request) (protocol.Result, error) {
		do()
		return inner.Run(ctx, q)
	})
}

type runs func(context.Context, protocol.Request) (protocol.Result, error)

func (f runs) Run(ctx context.Context, q protocol.Request) (protocol.Result, error) {
	return f(ctx, q)
}

// TestNothingIsDecidedWhileItRuns: an approval, a rejection, an import anew and a second execution
// of an action that is being carried out are refused, and what it comes to is as without them.
func TestNothingIsDecidedWhileItRuns(t *testing.T) {
	ctx := context.Background()
	for name, do := range map[string]func(*gate.Gate, int64) ([]gate.Outcome, error){
		"approve": func(g *gate.Gate, id int64) ([]gate.Outcome, error) {
			return g.Approve(ctx, []int64{id}, "bob", "")
		},
		"reject": func(g *gate.Gate, id int64) ([]gate.Outcome, error) {
			return g.Reject(ctx, []int64{id}, gate.Rejecting{By: "bob", Reason: "no"})
		},
		"import anew": func(g *gate.Gate, _ int64) ([]gate.Outcome, error) {
			return g.Import(ctx, []gate.Plan{plan("k")}, "test", true)
		},
		"execute": func(g *gate.Gate, id int64) ([]gate.Outcome, error) {
			return g.Execute(ctx, []int64{id}, gate.Options{})
		},
		"roll back": func(g *gate.Gate, id int64) ([]gate.Outcome, error) {
			return g.Rollback(ctx, []int64{id}, gate.Options{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lab)
			id := r.approved("k")[0]
			other := r.another()
			told := "nothing"
			once := false
			r.meanwhile(func() {
				if once {
					t.Error("it was run twice")
					return
				}
				once = true
				outcomes, err := do(other, id)
				switch {
				case err != nil:
					told = err.Error()
				case len(outcomes) == 1:
					told = fmt.Sprint(outcomes[0].Verdict, ": ", outcomes[0].Message)
				}
			})
			r.all(r.execute(id))(gate.Done)
			if !strings.Contains(told, "running") && !strings.Contains(told, "at work") {
				t.Errorf("meanwhile it was told %q", told)
			}
			if a := r.get(id); a.Status != gate.Succeeded || len(r.requests) != 1 {
				t.Errorf("%s, %d requests", a.Status, len(r.requests))
			}
			r.verified()
		})
	}
}

// TestAPolicyThatIsEditedBetweenCounts: what was approved by one policy is executed by the one that
// is in force then, whatever it asks for more.
func TestAPolicyThatIsEditedBetweenCounts(t *testing.T) {
	ann := newSigner(t, "ann")
	for name, tt := range map[string]struct{ spec, want string }{
		"a second approval": {lab + "  approvals: 2\n", "1 of 2 approvals"},
		"signatures":        {lab + approvers(ann.line()), "is not signed"},
		"evidence":          {lab + "  requireEvidence: true\n", "dry-run"},
		"other actions": {strings.Replace(lab, "assign-secondary-ip", "stop-instances", 1),
			"allowedActions"},
		"somebody else than the importer": {lab + "  approverOtherThanImporter: true\n",
			"nobody but who imported it"},
		"a shorter decision": {lab + "  maxDecisionWait: 1s\n", "maxDecisionWait"},
		"nothing is executed": {strings.Replace(lab, "dryRunOnly: false", "dryRunOnly: true", 1),
			"dryRunOnly"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lab)
			id := r.imported("k")[0]
			r.now = r.now.Add(time.Minute)
			r.all(r.Approve(context.Background(), []int64{id}, "ann", ""))(gate.Done)
			if tt.spec == lab {
				t.Fatal("the policy is the same: the test tries nothing")
			}
			r.Policy = parsePolicy(t, tt.spec)
			want := gate.Refused
			if tt.want == "" {
				want = gate.Done
			}
			o := r.all(r.execute(id))(want)[0]
			if !strings.Contains(o.Message, tt.want) || (len(r.requests) > 0) != (want == gate.Done) {
				t.Errorf("%q, want %q; %d requests", o.Message, tt.want, len(r.requests))
			}
		})
	}
}

// TestAClockThatJumps: an approval ends by a clock that is put ahead, and one that is of the future
// by a clock that is put back does not count, with both clocks named. Nothing runs by either, and
// what is right by the clock again is carried out.
func TestAClockThatJumps(t *testing.T) {
	ann := newSigner(t, "ann@example.org")
	for name, tt := range map[string]struct {
		by   time.Duration
		want string
	}{
		"ahead": {2 * time.Hour, "the approval expired at 2026-03-03T13:00:00Z"},
		"back":  {-2 * time.Hour, "look at the clocks"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lab+approvers(ann.line()))
			start := r.now
			id := r.imported("k")[0]
			r.all(r.signed(id, ann.yes()))(gate.Done)
			r.now = start.Add(tt.by)
			o := r.all(r.execute(id))(gate.Refused)[0]
			if !strings.Contains(o.Message, tt.want) || len(r.requests) != 0 {
				t.Errorf("%q, want %q; %d requests", o.Message, tt.want, len(r.requests))
			}
			r.now = start.Add(time.Minute)
			r.all(r.execute(id))(gate.Done)
			r.verified()
		})
	}
}
