package journal

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/policy"
)

var start = time.Date(2026, 3, 3, 12, 0, 0, 123456789, time.UTC)

func open(t testing.TB, path string) *Journal {
	t.Helper()
	j, err := OpenOrCreate(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// onServer names a database in which nothing is, where a test runs on a server.
var onServer func(t testing.TB) string

func newPath(t testing.TB) string {
	if onServer != nil {
		return onServer(t)
	}
	return filepath.Join(t.TempDir(), "state", "journal.db")
}

// tamper makes changes as one does who has the database, and not this program.
func tamper(j *Journal, statements string) error {
	if _, ok := j.engine.(sqliteEngine); ok {
		_, err := j.db.Exec("PRAGMA foreign_keys = 0;" + statements)
		return err
	}
	c, err := j.db.Conn(context.Background())
	if err != nil {
		return err
	}
	defer c.Close()
	trigger := regexp.MustCompile(`DROP TRIGGER \w+`)
	statements = trigger.ReplaceAllString(statements, "$0 ON actionctl_events")
	all := "SET session_replication_role = replica;" + statements +
		";SET session_replication_role = DEFAULT"
	for statement := range strings.SplitSeq(all, ";") {
		if _, err := c.ExecContext(context.Background(), statement); err != nil {
			return err
		}
	}
	return nil
}

func action(key string) gate.Action {
	p := gate.Plan{Provider: "aws", Action: "assign-secondary-ip", IdempotencyKey: key,
		Target: map[string]string{
			"nicRef":  "eni-0abc",
			"address": "10.88.60.9",
		}, Undo: &gate.Undo{Action: "unassign-secondary-ip"}}
	return gate.Action{Plan: p, Status: gate.Pending, Imported: start}
}

func event(kind gate.EventKind) gate.Event {
	return gate.Event{
		At:    start,
		Kind:  kind,
		Actor: "ann",
		Data:  map[string]any{"text": "<a & ünï\u2028>", "list": []string{"x", "y"}},
	}
}

func apply(t testing.TB, j *Journal, changes ...gate.Change) []gate.Action {
	t.Helper()
	actions, err := j.Apply(context.Background(), changes...)
	if err != nil {
		t.Fatal(err)
	}
	return actions
}

func add(t testing.TB, j *Journal, key string) gate.Action {
	t.Helper()
	return apply(t, j, gate.Change{Action: action(key), Event: event(gate.EventImported)})[0]
}

func faults(t testing.TB, j *Journal) []string {
	t.Helper()
	r, err := j.Verify(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return r.Faults
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	path := newPath(t)
	j := open(t, path)
	a := add(t, j, "k")
	a.MayHaveChanged = true
	a.Status, a.Claim = gate.Running, &gate.Claim{
		Purpose: gate.ToExecute,
		By:      "host:1",
		At:      start,
		Until:   start.Add(time.Minute),
		From:    gate.Approved,
	}
	a.Observed, a.Parameters = map[string]string{
		"priorAssigned": "false",
	}, map[string]string{
		"allowReassignment": "true",
	}
	a.ApprovedBy, a.ApprovedAt, a.ExecutedAt, a.ResultMessage, a.Error = "ann", start, start, "m", "e"
	a.Name, a.Description, a.Mode, a.RiskLevel, a.ProviderRef, a.Source = "n", "d", "execute", "low",
		"lab", "s"
	a = apply(t, j, gate.Change{Action: a, Approval: &policy.Approval{By: "ann", At: start,
		Digest: "d"}, Event: gate.Event{At: start, Kind: gate.EventApproved,
		Data: map[string]any{"by": "ann", "digest": "d"}}})[0]
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, path)
	got, err := j.Find(context.Background(), "k")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(a, got); d != "" {
		t.Error(d)
	}
	approvals, err := j.Approvals(context.Background(), a.ID)
	if d := cmp.Diff([]policy.Approval{{By: "ann", At: start, Digest: "d"}}, approvals); d != "" ||
		err != nil {
		t.Error(d, err)
	}
	if f := faults(t, j); len(f) > 0 {
		t.Error(f)
	}
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
	}
	// A write that was told as done is on the disk.
	var synchronous int
	if err := j.db.QueryRow("PRAGMA synchronous").Scan(&synchronous); err != nil || synchronous != 2 {
		t.Errorf("synchronous is %d, %v", synchronous, err)
	}
}

func TestCompareAndSet(t *testing.T) {
	j := open(t, newPath(t))
	a := add(t, j, "k")
	stale := a
	a.Status = gate.Approved
	apply(t, j, gate.Change{Action: a, Event: event(gate.EventApproved)})
	stale.Status = gate.Running
	if _, err := j.Apply(context.Background(), gate.Change{Action: action("other"),
		Event: event(gate.EventImported)}, gate.Change{Action: stale,
		Event: event(gate.EventClaimed)}); !errors.Is(
		err,
		gate.ErrChanged,
	) {
		t.Errorf("a stale write: %v", err)
	}
	if _, err := j.Find(context.Background(), "other"); !errors.Is(err, gate.ErrNotFound) {
		t.Errorf("half of a refused write is there: %v", err)
	}
	if _, err := j.Apply(context.Background(), gate.Change{Action: action("k"),
		Event: event(gate.EventImported)}); !errors.Is(
		err,
		gate.ErrChanged,
	) {
		t.Errorf("a key twice: %v", err)
	}
	events, err := j.Events(context.Background(), gate.EventQuery{})
	if err != nil || len(events) != 2 {
		t.Errorf("%d events, %v", len(events), err)
	}
}

func TestManyWritersOneClaim(t *testing.T) {
	path := newPath(t)
	a := add(t, open(t, path), "k")
	var wait sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for range 8 {
		j := open(t, path)
		wait.Go(func() {
			claimed := a
			claimed.Status = gate.Running
			_, err := j.Apply(
				context.Background(),
				gate.Change{Action: claimed, Event: event(gate.EventClaimed)},
			)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case !errors.Is(err, gate.ErrChanged):
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if won != 1 {
		t.Errorf("%d writers won", won)
	}
}

// TestManyMakeTheJournal guards the first start of several processes at once.
func TestManyMakeTheJournal(t *testing.T) {
	path := newPath(t)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			j, err := OpenOrCreate(context.Background(), path)
			if err != nil {
				t.Error(err)
				return
			}
			defer j.Close()
			if _, err := j.Apply(context.Background(), gate.Change{Action: action(fmt.Sprint(i)),
				Event: event(gate.EventImported)}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	j := open(t, path)
	all, err := j.List(context.Background(), gate.Query{})
	if err != nil || len(all) != 8 {
		t.Errorf("%d actions, %v", len(all), err)
	}
	if f := faults(t, j); len(f) > 0 {
		t.Error(f)
	}
}

func TestList(t *testing.T) {
	j := open(t, newPath(t))
	for i := range 10 {
		a := action(fmt.Sprint(i))
		if i%2 == 0 {
			a.Status = gate.Approved
		}
		apply(t, j, gate.Change{Action: a, Event: event(gate.EventImported)})
	}
	tests := []struct {
		q    gate.Query
		want []int64
	}{
		{gate.Query{Limit: 3}, []int64{1, 2, 3}},
		{gate.Query{Limit: 3, After: 3}, []int64{4, 5, 6}},
		{gate.Query{Statuses: []gate.Status{gate.Approved}}, []int64{1, 3, 5, 7, 9}},
		{gate.Query{Statuses: []gate.Status{gate.Approved}, After: 5, Limit: 1}, []int64{7}},
		{gate.Query{Newest: true, Limit: 2}, []int64{10, 9}},
		{gate.Query{Newest: true, Limit: 2, After: 9}, []int64{8, 7}},
	}
	for _, tt := range tests {
		all, err := j.List(context.Background(), tt.q)
		var got []int64
		for _, a := range all {
			got = append(got, a.ID)
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %v, %v, want %v", tt.q, got, err, tt.want)
		}
	}
}

func TestEventsCanNotBeChangedBySQL(t *testing.T) {
	path := newPath(t)
	j := open(t, path)
	add(t, j, "k")
	for _, statement := range []string{"UPDATE actionctl_events SET actor = 'bob'",
		"DELETE FROM actionctl_events"} {
		if _, err := j.db.Exec(statement); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// ofAFile matches what only SQLite takes: its types, and the words of its schema.
var ofAFile = regexp.MustCompile(`(?i)blob|pragma|trigger|create |alter |drop |INTEGER`)

// behindTriggers makes a change that the triggers would refuse.
func behindTriggers(j *Journal, statements string) error {
	if _, ok := j.engine.(sqliteEngine); !ok {
		return tamper(j, statements)
	}
	form, err := wantedSchema(context.Background())
	if err != nil {
		return err
	}
	_, err = j.db.Exec(
		"DROP TRIGGER actionctl_events_are_not_changed; DROP TRIGGER " +
			"actionctl_events_are_not_deleted; " + statements + ";" +
			form["trigger actionctl_events_are_not_changed"].text + ";" +
			form["trigger actionctl_events_are_not_deleted"].text,
	)
	return err
}

// TestTamperingIsNamed changes things behind the triggers' back.
func TestTamperingIsNamed(t *testing.T) {
	tests := []struct {
		name, sql string
		want      string
	}{
		{"nothing", "SELECT 1", ""},
		{"who did it", "UPDATE actionctl_events SET actor = 'bob' WHERE seq = 2", "event 2 (approved"},
		{
			"when",
			"UPDATE actionctl_events SET at = '2026-03-03T12:00:01.000000000Z' WHERE seq = 2",
			"event 2 (approved",
		},
		{"what", "UPDATE actionctl_events SET kind = 'denied' WHERE seq = 3", "event 3 (denied"},
		{
			"a blank more",
			"UPDATE actionctl_events SET data_json = replace(data_json, ',', ', ') WHERE seq = 3",
			"event 3",
		},
		{"no JSON", "UPDATE actionctl_events SET data_json = '' WHERE seq = 3", "event 3"},
		{"a hash", "UPDATE actionctl_events SET hash = 'x' WHERE seq = 1", "event 1 (imported"},
		{"one event gone", "DELETE FROM actionctl_events WHERE seq = 2", "event 2 should come here"},
		{
			"the tail gone",
			"DELETE FROM actionctl_events WHERE seq = 3",
			"the tail is torn: the log ends with event 2, and events up to 3 were written",
		},
		{"all gone", "DELETE FROM actionctl_events", "the tail is torn: the log ends with event 0"},
		{
			"one event more",
			"INSERT INTO actionctl_events SELECT 4, at, kind, action_id, idempotency_key, actor, " +
				"data_json, hash, hash FROM actionctl_events WHERE seq = 3",
			"event 4",
		},
		{"the head", "UPDATE actionctl_journal SET hash = 'x'", "the head of the log names event 3"},
		{
			"an action's parameters",
			`UPDATE action_executions SET parameters_json = '{"allowReassignment":"true"}'`,
			`action 1 ("k") is not as event 3 left it`,
		},
		{
			"an action's status",
			"UPDATE action_executions SET status = 'succeeded'",
			`action 1 ("k") is not as event 3 left it`,
		},
		{
			"an action gone",
			"DELETE FROM actionctl_approvals; DELETE FROM actionctl_states; DELETE FROM action_executions",
			"action 1, which event 3 wrote, is not there",
		},
		{
			"of which action",
			"UPDATE actionctl_events SET action_id = 2 WHERE seq = 2",
			"event 2 (approved of \"k\" at 2026-03-03T12:00:00.123456789Z) was changed",
		},
		{
			"an event's number",
			"UPDATE actionctl_events SET seq = 4 WHERE seq = 3; UPDATE actionctl_journal SET seq = 4",
			"event 4 (claimed of \"k\" at 2026-03-03T12:00:00.123456789Z) was changed: its content",
		},
		{
			"a key twice",
			`UPDATE action_executions SET target_json = replace(target_json, '{', '{"nicRef":"eni-0abc",')`,
			`action 1 ("k") is not as event 3 left it`,
		},
		{
			"a status of another type",
			"UPDATE action_executions SET status = CAST(status AS BLOB)",
			`action 1 ("k") is not as event 3 left it`,
		},
		{
			"the mark",
			"UPDATE actionctl_states SET may_have_changed = 1",
			`action 1 ("k") is not as event 3 left it`,
		},
		{
			"an action without its state",
			"PRAGMA foreign_keys = 0; DELETE FROM actionctl_states",
			`action 1 ("k") is not as event 3 left it`,
		},
		{
			"an action put in",
			"INSERT INTO action_executions SELECT 2, 'l', source, provider, provider_ref, action, " +
				"target_json, parameters_json, undo_json, risk_level, status, " +
				"approved_by, approved_at, executed_at, result_message, error, created_at, updated_at, " +
				"observed_json FROM action_executions",
			`action 2 ("l"): the log knows nothing of it`,
		},
		{
			"a trigger put in",
			"CREATE TRIGGER t AFTER INSERT ON actionctl_approvals BEGIN UPDATE action_executions SET " +
				"status = 'approved'; END",
			"the trigger t was put in",
		},
		{
			"a trigger put in on the core's table",
			"CREATE TRIGGER t AFTER UPDATE ON action_executions BEGIN SELECT 1; END",
			"the trigger t was put in",
		},
		{
			"a trigger put in on a name in other letters",
			"CREATE TRIGGER t AFTER INSERT ON Actionctl_EVENTS BEGIN DELETE FROM actionctl_approvals; END",
			"the trigger t was put in",
		},
		{
			"a trigger put in on the core's in other letters",
			`CREATE TRIGGER t AFTER UPDATE ON "ACTION_EXECUTIONS" BEGIN SELECT 1; END`,
			"the trigger t was put in",
		},
		{
			"a table with a name of ours in other letters",
			"CREATE TABLE ActionCtl_notes (text TEXT)",
			"the table ActionCtl_notes was put in",
		},
		{"an index put in", "CREATE INDEX i ON actionctl_events (at)", "the index i was put in"},
		{
			"a table with a name of ours",
			"CREATE TABLE actionctl_notes (text TEXT)",
			"the table actionctl_notes was put in",
		},
		{
			"a view with a name of ours",
			"CREATE VIEW actionctl_all AS SELECT 1",
			"the view actionctl_all was put in",
		},
		{
			"a column of the core's table renamed",
			"ALTER TABLE action_executions RENAME COLUMN source TO origin; ALTER TABLE " +
				"action_executions RENAME COLUMN origin TO 'source'",
			"the table action_executions was changed",
		},
		{
			"a table changed",
			"ALTER TABLE actionctl_approvals ADD COLUMN note TEXT",
			"the table actionctl_approvals was changed",
		},
		{
			"an index gone",
			"DROP INDEX actionctl_approvals_by_action",
			"the index actionctl_approvals_by_action is not there",
		},
		{
			"an approval more",
			"INSERT INTO actionctl_approvals SELECT 7, action_id, 'bob', approved_at, digest FROM " +
				"actionctl_approvals",
			`an approval of action 1 by "bob" is there, and the log knows nothing of it`,
		},
		{
			"an approval made younger",
			"UPDATE actionctl_approvals SET approved_at = '2027-03-03T12:00:00.000000000Z'",
			`an approval of action 1 by "ann"`,
		},
	}
	for _, tt := range tests {
		if onServer != nil && ofAFile.MatchString(tt.sql) {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			j := open(t, newPath(t))
			a := add(t, j, "k")
			a = apply(t, j, gate.Change{Action: a, Approval: &policy.Approval{By: "ann", At: start,
				Digest: "d"},
				Event: gate.Event{At: start, Kind: gate.EventApproved, Data: map[string]any{"by": "ann",
					"digest": "d"}}})[0]
			apply(t, j, gate.Change{Action: a, Event: event(gate.EventClaimed)})
			if err := behindTriggers(j, tt.sql); err != nil {
				t.Fatal(err)
			}
			got := strings.Join(faults(t, j), "\n")
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTriggersThatAreGoneAreNamed(t *testing.T) {
	j := open(t, newPath(t))
	if _, err := j.db.Exec("DROP TRIGGER actionctl_events_are_not_changed"); err != nil {
		t.Fatal(err)
	}
	if got := faults(t, j); !slices.Equal(
		got,
		[]string{"the trigger actionctl_events_are_not_changed is not there"},
	) {
		t.Error(got)
	}
}

// TestAnEventWrittenAnewIsNamed: its own hash is right, and what follows does not follow from it.
func TestAnEventWrittenAnewIsNamed(t *testing.T) {
	j := open(t, newPath(t))
	a := add(t, j, "k")
	apply(t, j, gate.Change{Action: a, Event: event(gate.EventClaimed)})
	forged := stored{
		seq:    1,
		at:     formatTime(start),
		kind:   string(gate.EventImported),
		action: 1,
		key:    "k",
		actor:  "bob",
		data:   "{}",
		prev:   j.ID(),
	}
	sum, err := forged.sum()
	if err != nil {
		t.Fatal(err)
	}
	if err := behindTriggers(j, fmt.Sprintf("UPDATE actionctl_events SET actor = 'bob', data_json "+
		"= '{}', hash = '%s' WHERE seq = 1", sum)); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(faults(t, j), "\n"); !strings.Contains(got, "event 2 (claimed") ||
		!strings.Contains(got, "does not follow from the one before") {
		t.Error(got)
	}
	if _, err := j.History(context.Background(), 1); !errors.Is(err, gate.ErrAltered) ||
		!strings.Contains(err.Error(), "what follows event 1 does not follow from it") {
		t.Error(err)
	}
}

func TestHistoryIsSinceTheLastImport(t *testing.T) {
	j := open(t, newPath(t))
	a := add(t, j, "k")
	add(t, j, "other")
	for _, kind := range []gate.EventKind{gate.EventApproved, gate.EventRequeued, gate.EventClaimed} {
		a = apply(t, j, gate.Change{Action: a, Event: event(kind)})[0]
	}
	kinds := func() (all []gate.EventKind) {
		events, err := j.History(context.Background(), a.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			all = append(all, e.Kind)
		}
		return all
	}
	if got := kinds(); !slices.Equal(got, []gate.EventKind{gate.EventRequeued, gate.EventClaimed}) {
		t.Error(got)
	}
	for name, statement := range map[string]string{
		"what it is": "UPDATE actionctl_events SET kind = 'noted' WHERE kind = 'requeued'",
		"what it has": "UPDATE actionctl_events SET data_json = replace(data_json, 'ünï', 'uni') " +
			"WHERE kind = 'claimed'",
	} {
		whole := open(t, newPath(t))
		a := add(t, whole, "k")
		for _, kind := range []gate.EventKind{gate.EventApproved, gate.EventRequeued, gate.EventClaimed} {
			a = apply(t, whole, gate.Change{Action: a, Event: event(kind)})[0]
		}
		if err := behindTriggers(whole, statement); err != nil {
			t.Fatal(err)
		}
		if _, err := whole.History(context.Background(), a.ID); !errors.Is(err, gate.ErrAltered) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestARowThatWasChangedIsNotWrittenOver: the write would vouch for it.
func TestARowThatWasChangedIsNotWrittenOver(t *testing.T) {
	for name, statement := range map[string]string{
		"a value":   "UPDATE action_executions SET risk_level = 'none'",
		"a type":    "UPDATE action_executions SET status = CAST(status AS BLOB)",
		"the rest":  "PRAGMA foreign_keys = 0; DELETE FROM actionctl_states",
		"its event": "UPDATE actionctl_events SET data_json = '{}'",
		"the next":  "UPDATE actionctl_events SET prev_hash = 'x' WHERE seq = 3",
		"the head": "DELETE FROM actionctl_events WHERE seq = 3; DELETE FROM actionctl_events " +
			"WHERE seq = 2",
		"no log":     "DELETE FROM actionctl_events",
		"a revision": "UPDATE actionctl_states SET revision = 7",
	} {
		if onServer != nil && ofAFile.MatchString(statement) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			j := open(t, newPath(t))
			a := add(t, j, "k")
			a = apply(t, j, gate.Change{Action: a, Event: event(gate.EventApproved)})[0]
			add(t, j, "other")
			if err := behindTriggers(j, statement); err != nil {
				t.Fatal(err)
			}
			if got, err := j.Get(context.Background(), a.ID); err != nil || got.Altered == "" {
				t.Errorf("%q, %v", got.Altered, err)
			}
			_, err := j.Apply(context.Background(), gate.Change{Action: a, Event: event(gate.EventClaimed)})
			if !errors.Is(err, gate.ErrAltered) {
				t.Error(err)
			}
		})
	}
}

// TestVerifyLooksAtOneState: what others write meanwhile is not taken for a fault; nor is it by
// whoever reads an action.
func TestVerifyLooksAtOneState(t *testing.T) {
	path := newPath(t)
	writing, reading := open(t, path), open(t, path)
	a := add(t, writing, "k")
	done := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		defer close(done)
		for range 400 {
			next, err := writing.Apply(
				context.Background(),
				gate.Change{Action: a, Event: event(gate.EventClaimed)},
			)
			if err != nil {
				t.Error(err)
				return
			}
			a = next[0]
		}
	})
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		if f := faults(t, reading); len(f) > 0 {
			t.Fatal(f)
		}
		if got, err := reading.Get(context.Background(), 1); err != nil || got.Altered != "" {
			t.Fatal(got.Altered, err)
		}
	}
	wait.Wait()
}

// TestReadingDoesNotWaitForAWrite: a list is there at once, however long another process's write
// takes.
func TestReadingDoesNotWaitForAWrite(t *testing.T) {
	path := newPath(t)
	writing, reading := open(t, path), open(t, path)
	add(t, writing, "k")
	err := writing.write(context.Background(), func(*writer) error {
		_, err := reading.Get(context.Background(), 1)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestOnlyAWholeFileIsOpened: one that is short is refused, unless what is missing may be in its
// log.
func TestOnlyAWholeFileIsOpened(t *testing.T) {
	path := newPath(t)
	add(t, open(t, path), "k")
	copied := filepath.Join(t.TempDir(), "copied.db")
	j := open(t, path)
	if _, err := j.db.Exec("VACUUM INTO ?", copied); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 50, 100, 4096, len(whole) - 1, len(whole)} {
		if err := os.WriteFile(copied, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := look(copied); (err == nil) != (size == len(whole)) {
			t.Errorf("%d bytes of %d: %v", size, len(whole), err)
		}
	}
	if err := os.WriteFile(copied+"-wal", []byte("something"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(copied, 4096); err != nil {
		t.Fatal(err)
	}
	if _, err := look(copied); err != nil {
		t.Errorf("with a log: %v", err)
	}
}

// TestDamageThatOnlySQLiteSees: an index that does not say what the table does.
func TestDamageThatOnlySQLiteSees(t *testing.T) {
	path := newPath(t)
	j := open(t, path)
	add(t, j, "k")
	_ = j.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for at := 0; ; {
		next := bytes.Index(whole[at:], []byte("pending"))
		if next < 0 {
			break
		}
		at += next + 1
		changed := bytes.Clone(whole)
		changed[at] ^= 0x10
		path := filepath.Join(t.TempDir(), "journal.db")
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		got := faults(t, open(t, path))
		if len(got) == 0 {
			t.Errorf("byte %d: nothing was found", at)
		}
		if slices.ContainsFunc(
			got,
			func(f string) bool { return strings.HasPrefix(f, "the database is damaged: ") },
		) {
			found++
		}
	}
	if found == 0 {
		t.Error("SQLite's own check was not heard")
	}
}

// TestOneFlippedBitIsNamed flips, one after the other, a bit in every byte of an event as it lies
// in the file.
func TestOneFlippedBitIsNamed(t *testing.T) {
	path := newPath(t)
	j := open(t, path)
	for i := range 5 {
		add(t, j, fmt.Sprintf("key-%d", i))
	}
	var data string
	if err := j.db.QueryRow("SELECT data_json || prev_hash || hash FROM actionctl_events WHERE " +
		"seq = 3").Scan(&data); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(whole, []byte(data))
	if at < 0 {
		t.Fatal("the event is not in the file")
	}
	for i := range len(data) {
		flipped := bytes.Clone(whole)
		flipped[at+i] ^= 1 << (i % 8)
		path := filepath.Join(t.TempDir(), "journal.db")
		if err := os.WriteFile(path, flipped, 0o600); err != nil {
			t.Fatal(err)
		}
		j := open(t, path)
		if got := strings.Join(faults(t, j), "\n"); !strings.Contains(got, "event 3 (") {
			t.Fatalf("byte %d (%q): %q", i, data[i], got)
		}
		_ = j.Close()
	}
}

// TestOneFlippedByteAnywhere is found, whatever it breaks, and never panics.
func TestOneFlippedByteAnywhere(t *testing.T) {
	path := newPath(t)
	j := open(t, path)
	for i := range 5 {
		add(t, j, fmt.Sprintf("key-%d", i))
	}
	_ = j.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 100; at < len(whole); at += 211 {
		if whole[at] == 0 {
			continue // most of it is space that holds nothing
		}
		flipped := bytes.Clone(whole)
		flipped[at] ^= 0x10
		path := filepath.Join(t.TempDir(), "journal.db")
		if err := os.WriteFile(path, flipped, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := Open(context.Background(), path)
		if err != nil {
			continue
		}
		if r, err := j.Verify(context.Background()); err == nil && len(r.Faults) == 0 {
			t.Errorf(
				"byte %d (%q) flipped, and nothing was found: …%q…",
				at,
				whole[at],
				whole[max(0, at-20):at+20],
			)
		}
		_ = j.Close()
	}
}

func TestWhatIsNoJournalIsRefused(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database at all\n", 20)),
		0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other")
	makeForeign(t, other, "CREATE TABLE birds (name TEXT)")
	lacking := filepath.Join(dir, "lacking")
	makeForeign(
		t,
		lacking,
		"CREATE TABLE action_executions (id INTEGER PRIMARY KEY, idempotency_key TEXT)",
	)
	newer := filepath.Join(dir, "newer")
	j := open(t, newer)
	if _, err := j.db.Exec("UPDATE actionctl_journal SET version = 99"); err != nil {
		t.Fatal(err)
	}
	_ = j.Close()
	older, robbed := filepath.Join(dir, "older"), filepath.Join(dir, "robbed")
	for path, statement := range map[string]string{older: "UPDATE actionctl_journal SET version = " +
		"2", robbed: "DROP TABLE actionctl_journal"} {
		j := open(t, path)
		if _, err := j.db.Exec(statement); err != nil {
			t.Fatal(err)
		}
		_ = j.Close()
	}
	for path, want := range map[string]string{
		text:    "it is no SQLite database",
		other:   "it has no table action_executions",
		lacking: "it lacks source, provider,",
		newer:   "it is of version 99, and this program knows version 6",
		older:   "actionctl_journal says that it is of version 2",
		robbed:  "it is of version 6, and its table actionctl_journal is not there",
		dir:     "is a directory",
		// A pipe is one too, and would be waited for.
		os.DevNull: "it is not a regular file",
	} {
		before, _ := os.ReadFile(path)
		_, err := Open(context.Background(), path)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Errorf("%s was changed", path)
		}
	}
}

func makeForeign(t testing.TB, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file://"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
}

// coreJournal is what a core writes.
const coreJournal = `
CREATE TABLE action_executions (id %s, idempotency_key TEXT NOT NULL UNIQUE, source TEXT,
 provider TEXT, provider_ref TEXT, action TEXT,
 target_json TEXT, parameters_json TEXT, undo_json TEXT, risk_level TEXT, status TEXT,
 approved_by TEXT, approved_at %s, executed_at %s,
 result_message TEXT, error TEXT, created_at TEXT, updated_at TEXT, observed_json TEXT);
INSERT INTO action_executions VALUES (%s, 'mobility-7/assign', 'mobility', 'aws', 'lab-aws',
 'assign-secondary-ip',
 '{"nicRef":"eni-0abc","address":"10.88.60.9/32","region":"ap-northeast-1"}', NULL,
 '{"action":"unassign-secondary-ip"}', 'low', 'succeeded',
 'ann', NULL, %s, 'assigned', NULL, '2026-03-03T11:00:00Z', '2026-03-03T12:00:00.5+09:00',
 '{"priorAssigned":"false"}');`

func TestCoresJournalOpensReadOnly(t *testing.T) {
	for name, statements := range map[string]string{
		"numbers and texts": fmt.Sprintf(coreJournal, "INTEGER PRIMARY KEY AUTOINCREMENT", "TEXT",
			"TEXT", "1", "'2026-03-03T12:00:00Z'"),
		"times as SQLite's": fmt.Sprintf(coreJournal, "INTEGER PRIMARY KEY", "TEXT", "TEXT", "1",
			"'2026-03-03 12:00:00'"),
		"times as reals": fmt.Sprintf(coreJournal, "INTEGER PRIMARY KEY", "REAL", "REAL", "1",
			"1772539200.0"),
		"times as timestamp": fmt.Sprintf(coreJournal, "INTEGER PRIMARY KEY", "DATETIME", "TIMESTAMP",
			"1", "'2026-03-03 12:00:00+00:00'"),
		"ids as texts": fmt.Sprintf(coreJournal, "TEXT PRIMARY KEY", "TEXT", "INTEGER", "'a-b-c'",
			"1772539200"),
		"in WAL mode": "PRAGMA journal_mode = WAL;" + fmt.Sprintf(coreJournal,
			"INTEGER PRIMARY KEY", "TEXT", "TEXT", "1", "'2026-03-03T12:00:00Z'"),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "core.db")
			makeForeign(t, path, statements)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			beside, _ := filepath.Glob(filepath.Dir(path) + "/*")
			j := open(t, path)
			a, err := j.Get(context.Background(), 1)
			if err != nil {
				t.Fatal(err)
			}
			if !j.ReadOnly() || a.IdempotencyKey != "mobility-7/assign" ||
				a.Observed["priorAssigned"] != "false" ||
				!a.ExecutedAt.Equal(start.Truncate(time.Second)) ||
				!a.MayHaveChanged {
				t.Errorf("%+v", a)
			}
			a.Status = gate.RolledBack
			if _, err := j.Apply(context.Background(), gate.Change{Action: a,
				Event: event(gate.EventRolledBack)}); !errors.Is(
				err,
				gate.ErrReadOnly,
			) {
				t.Errorf("written to: %v", err)
			}
			if _, err := j.db.Exec("DELETE FROM action_executions"); err == nil {
				t.Error("the file can be written to")
			}
			_ = j.Close()
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
			if now, _ := filepath.Glob(filepath.Dir(path) + "/*"); !slices.Equal(now, beside) {
				t.Errorf("beside it there are %v, and there were %v", now, beside)
			}
		})
	}
}
