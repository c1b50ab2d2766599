package journal

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/policy"
)

// grown is a journal of four actions, its head then, and with two events after that: an action was
// approved for the second time, and one was made.
func grown(t *testing.T) (*Journal, Head) {
	t.Helper()
	j := open(t, newPath(t))
	for i := range 4 {
		add(t, j, fmt.Sprint("early-", i))
	}
	a := approve(t, j, 1, "ann")
	known, err := j.Head(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	approve(t, j, a.ID, "bob")
	add(t, j, "late")
	return j, known
}

func approve(t *testing.T, j *Journal, id int64, by string) gate.Action {
	t.Helper()
	a, err := j.Get(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	e := event(gate.EventApproved)
	e.Data = map[string]any{"by": by, "digest": "d"}
	return apply(t, j, gate.Change{
		Action: a, Event: e, Approval: &policy.Approval{By: by, At: start, Digest: "d"},
	})[0]
}

func tail(t *testing.T, j *Journal, from Head) Report {
	t.Helper()
	r, err := j.VerifyWith(context.Background(), Verification{From: &from})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheTailFromAKnownHead(t *testing.T) {
	j, known := grown(t)
	want := Report{Events: 2, Actions: 2, From: 5, Faults: []string{}}
	whole, err := j.Verify(context.Background())
	if err != nil || len(whole.Faults) > 0 {
		t.Fatal(whole, err)
	}
	want.Head = whole.Head
	for name, from := range map[string]Head{
		"hash and place": known, "hash alone": {Hash: known.Hash},
	} {
		if d := cmp.Diff(want, tail(t, j, from)); d != "" {
			t.Error(name, d)
		}
	}
	begin := Head{Hash: j.ID()}
	if r := tail(t, j, begin); len(r.Faults) > 0 || r.Events != 7 || r.Actions != 5 || r.From != 0 {
		t.Errorf("from the beginning: %+v", r)
	}
	if r := tail(t, j, Head{Hash: strings.Repeat("a", 64)}); len(r.Faults) != 1 || r.Events != 0 {
		t.Errorf("from a head of another journal: %+v", r)
	}
}

// TestTheTailNamesWhatWasDoneToIt, and looks at nothing before it.
func TestTheTailNamesWhatWasDoneToIt(t *testing.T) {
	const loose = "DROP TRIGGER actionctl_events_are_not_changed;" +
		"DROP TRIGGER actionctl_events_are_not_deleted;"
	for name, tt := range map[string]struct{ sql, want string }{
		"a row of the tail": {"UPDATE action_executions SET status = 'x' WHERE id = 5",
			`action 5 ("late") is not as event 7 left it`},
		"a row gone": {"DELETE FROM action_executions WHERE id = 5",
			"action 5, which event 7 wrote"},
		"an event": {loose + "UPDATE actionctl_events SET actor = 'x' WHERE seq = 6",
			"event 6"},
		"the first event": {loose + "DELETE FROM actionctl_events WHERE seq = 6", "event 6 should come"},
		"the last event": {loose + "DELETE FROM actionctl_events WHERE seq = 7",
			"the tail is torn"},
		"the known event": {loose + "DELETE FROM actionctl_events WHERE seq = 5",
			"not in the log"},
		"the known is moved": {loose + "UPDATE actionctl_events SET seq = 50 WHERE seq = 5",
			"is event 50 in the log, and was event 5"},
		"the head": {"UPDATE actionctl_journal SET seq = 6", "the head of the log names event 6"},
		"an approval of the tail": {"DELETE FROM actionctl_approvals WHERE approved_by = 'bob'",
			`an approval of action 1 by "bob", which the log tells of, is not there`},
		"an approval put in": {"INSERT INTO actionctl_approvals (action_id, approved_by, approved_at," +
			" digest) VALUES (1, 'eve', '', 'd')", `an approval of action 1 by "eve" is there`},
		"a trigger": {"DROP TRIGGER actionctl_events_are_not_changed",
			"the trigger actionctl_events_are_not_changed"},
		"a row before": {"UPDATE action_executions SET status = 'x' WHERE id = 2", ""},
	} {
		j, known := grown(t)
		if err := tamper(j, tt.sql); err != nil {
			t.Fatal(name, err)
		}
		said := strings.Join(tail(t, j, known).Faults, "\n")
		if !strings.Contains(said, tt.want) || tt.want == "" && said != "" {
			t.Errorf("%s: %q, want %q", name, said, tt.want)
		}
	}
}

func TestProgressOfAVerification(t *testing.T) {
	j := filled(t, 3*toldEvery)
	var told []int64
	_, err := j.VerifyWith(context.Background(), Verification{Progress: func(done, of int64) {
		if of != 6*toldEvery {
			t.Errorf("%d of %d", done, of)
		}
		told = append(told, done)
	}})
	want := []int64{0, 1, 2, 3, 4, 5, 6}
	for i := range want {
		want[i] *= toldEvery
	}
	if d := cmp.Diff(want, told); d != "" || err != nil {
		t.Error(d, err)
	}
}
