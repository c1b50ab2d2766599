package journal

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"modernc.org/sqlite"

	"aws-provider-executor/pkg/gate"
)

var (
	// back2 makes a journal what version 2 made of it.
	//go:embed testdata/back_to_version2.sql
	back2 string
	// back1 makes one of version 2 what version 1 made of one whose rows bear no mark.
	//go:embed testdata/back_to_version1.sql
	back1 string
	// version2SQL is a journal as a program of version 2 wrote it, and version2Head the end of its
	// log.
	//go:embed testdata/version2.sql
	version2SQL string
	// version3SQL is one of version 3, and version3Head the end of its log.
	//go:embed testdata/version3.sql
	version3SQL string
	// version4SQL is one of version 4, and version4Head the end of its log.
	//go:embed testdata/version4.sql
	version4SQL string
)

const version2Head = "c536d8aecf1211acf9f75e6ef8b5f8d7cef09d617a5f3431eb8317eebaac5db1"

const version3Head = "92d199289abbf8629eb65c2595e47c28c583325ab9ebf20457cae6a6f221524d"

const version4Head = "4e8e145fc381855e3b0752a02266e76c7a93399bbe010df1703b51abb97aa0d0"

// TestMain is also the process that is killed as it brings a journal to this version.
func TestMain(m *testing.M) {
	if path := os.Getenv("JOURNAL_TO_JOIN"); path != "" {
		joinAndDie(path, os.Getenv("JOURNAL_DIES_AT"))
	}
	if path := os.Getenv("JOURNAL_TO_MIGRATE"); path != "" {
		migrateAndDie(path, os.Getenv("JOURNAL_DIES_AT"))
	}
	code := m.Run()
	for _, end := range atEnd {
		end()
	}
	os.Exit(code)
}

// atEnd is done when all tests are over.
var atEnd []func()

// dieAt has this process killed as it writes that row, or as it commits rows.
func dieAt(at string) {
	die := func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) }
	row, rows := 0, 0
	if at != "commit" {
		row, _ = strconv.Atoi(at)
	}
	hooked := newDriver()
	driver = hooked
	hooked.RegisterConnectionHook(func(c sqlite.ExecQuerierContext, _ string) error {
		hooks := c.(sqlite.HookRegisterer)
		hooks.RegisterPreUpdateHook(func(sqlite.SQLitePreUpdateData) {
			if rows++; rows == row {
				die()
			}
		})
		hooks.RegisterCommitHook(func() int32 {
			if at == "commit" && rows > 0 {
				die()
			}
			return 0
		})
		return nil
	})
}

// migrateAndDie opens a journal, and is killed as it writes that row, or as it commits.
func migrateAndDie(path, at string) {
	dieAt(at)
	j, err := Open(context.Background(), path)
	if err == nil {
		err = j.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// version1 is a journal of version 1, with an action in each state; one was changed behind the
// log's back.
func version1(t *testing.T) (path string) {
	t.Helper()
	path = newPath(t)
	j := open(t, path)
	// The log of an earlier version begins with nothing.
	if _, err := j.db.Exec("UPDATE actionctl_journal SET id = '', hash = ''"); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		key    string
		status gate.Status
		facts  map[string]string
	}{
		{"pending", gate.Pending, nil}, {"succeeded", gate.Succeeded, nil}, {"rolled back",
			gate.RolledBack, map[string]string{"changed": "true"}},
		{"conflict", gate.Failed, map[string]string{"failureClass": "conflict"}}, {"changed", gate.Failed,
			map[string]string{"failureClass": "conflict", "changed": "true"}},
		{"ambiguous", gate.Failed, map[string]string{"failureClass": "ambiguous"}}, {"lost", gate.Failed,
			nil}, {"running", gate.Running, nil}, {"altered", gate.Succeeded, nil},
	} {
		a := add(t, j, x.key)
		a.Status, a.Observed = x.status, x.facts
		apply(t, j, gate.Change{Action: a, Event: event(gate.EventResult)})
	}
	if _, err := j.db.Exec("UPDATE action_executions SET risk_level = 'none' WHERE " +
		"idempotency_key = 'altered';" + back2 + back1); err != nil {
		t.Fatal(err)
	}
	_ = j.Close()
	return path
}

// version2 is the journal of a program of version 2.
func version2(t testing.TB) (path string) {
	t.Helper()
	return madeBy(t, version2SQL)
}

// reading opens a journal as one who may not write it.
func reading(t *testing.T, path string) *Journal {
	t.Helper()
	f, err := look(path)
	if err != nil {
		t.Fatal(err)
	}
	j := &Journal{path: path, idColumn: "id", engine: sqliteEngine{}}
	if err := j.connectReading(context.Background(), f); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	if err := j.checkVersion(context.Background()); err != nil {
		t.Fatal(err)
	}
	return j
}

func marked(t *testing.T, j *Journal) (keys []string) {
	t.Helper()
	all, err := j.List(context.Background(), gate.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if a.MayHaveChanged {
			keys = append(keys, a.IdempotencyKey)
		}
	}
	return keys
}

// verified holds that a journal is as it was written, and that its log ends so.
func verified(t *testing.T, j *Journal, want Report) {
	t.Helper()
	got, err := j.Verify(context.Background())
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(d, err)
	}
}

// earlier are the journals of earlier versions that have the mark.
var earlier = map[string]struct {
	sql    string
	report Report
}{
	"version 2": {version2SQL, asVersion2},
	"version 3": {version3SQL, asVersion3},
	"version 4": {version4SQL, asVersion4},
	"version 5": {version5SQL(), asVersion4},
}

// version5SQL is a journal as version 5 made it of one of version 4: with one more index.
func version5SQL() string {
	const index = "CREATE INDEX actionctl_actions_by_verb ON action_executions (status, action);\n"
	return strings.NewReplacer(
		`INSERT INTO "actionctl_journal" VALUES(1,4,`, `INSERT INTO "actionctl_journal" VALUES(1,5,`,
		"PRAGMA user_version = 4;", "PRAGMA user_version = 5;", "COMMIT;", index+"COMMIT;",
	).Replace(version4SQL)
}

func madeBy(t testing.TB, sql string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "journal.db")
	makeForeign(t, path, sql+"PRAGMA journal_mode = WAL;")
	return path
}

var asVersion4 = Report{Events: 15, Actions: 3, Head: version4Head, Faults: []string{}}

var asVersion3 = Report{Events: 12, Actions: 2, Head: version3Head, Faults: []string{}}

var asVersion2 = Report{Events: 13, Actions: 2, Head: version2Head, Faults: []string{}}

func TestAJournalOfVersion1IsBroughtToThisOne(t *testing.T) {
	path := version1(t)
	for range 2 {
		j := open(t, path)
		if d := cmp.Diff([]string{"succeeded", "changed", "ambiguous", "lost", "running"}, marked(t,
			j)); d != "" {
			t.Error(d)
		}
		if f := faults(t, j); len(f) != 1 ||
			!strings.HasPrefix(f[0], `action 9 ("altered") is not as event`) {
			t.Error(f)
		}
		events, err := j.Events(context.Background(), gate.EventQuery{Kind: gate.EventMigrated})
		if err != nil || len(events) != 5 {
			t.Errorf("%d events, %v", len(events), err)
		}
		_ = j.Close()
	}
}

// TestAJournalOfVersion1IsReadByWhoMayNotWriteIt, as it is.
func TestAJournalOfVersion1IsReadByWhoMayNotWriteIt(t *testing.T) {
	j := reading(t, version1(t))
	if got := marked(t, j); !slices.Equal(
		got,
		[]string{"succeeded", "changed", "ambiguous", "lost", "running", "altered"},
	) ||
		!j.ReadOnly() {
		t.Error(got)
	}
	if f := faults(t, j); len(f) != 1 {
		t.Error(f)
	}
}

// TestAJournalOfAnEarlierVersionKeepsItsChain: the log ends with the same hash before and after,
// and goes on.
func TestAJournalOfAnEarlierVersionKeepsItsChain(t *testing.T) {
	for name, made := range earlier {
		t.Run(name, func(t *testing.T) { keepsItsChain(t, madeBy(t, made.sql), made.report) })
	}
}

func keepsItsChain(t *testing.T, path string, want Report) {
	before := reading(t, path)
	verified(t, before, want)
	events, rows := told(t, before)
	id := before.ID()
	if before.version < 4 {
		id = events[0].Hash
	}
	_ = before.Close()

	var j *Journal
	for range 2 {
		j = open(t, path)
		verified(t, j, want)
	}
	after, again := told(t, j)
	if d := cmp.Diff(events, after) + cmp.Diff(rows, again); d != "" {
		t.Error(d)
	}
	approvals, err := j.Approvals(context.Background(), 1)
	if err != nil || len(approvals) != 1 || !strings.HasSuffix(approvals[0].By, "nn") {
		t.Error(approvals, err)
	}
	if j.ID() != id {
		t.Errorf("its id is %q, want %q", j.ID(), id)
	}
	for _, name := range []string{
		before4 + ours.states, before4 + ours.head, prefix + "before_6_states",
		before3.states, before3.approvals, before3.events, before3.head} {
		if there, err := hasTable(context.Background(), j.db, name); there || err != nil {
			t.Errorf("%s is there still: %v, %v", name, there, err)
		}
	}
	a := again[0]
	a.ResultMessage = "later"
	apply(t, j, gate.Change{Action: a, Event: event(gate.EventResult)})
	if added := add(t, j, "new"); added.ID != want.Actions+1 {
		t.Errorf("the next action has the id %d", added.ID)
	}
	r, err := j.Verify(context.Background())
	if err != nil || len(r.Faults) > 0 || r.Events != want.Events+2 {
		t.Error(r, err)
	}
}

// told are a journal's events, and its rows held against them.
func told(t *testing.T, j *Journal) ([]gate.Event, []gate.Action) {
	t.Helper()
	events, err := j.Events(context.Background(), gate.EventQuery{})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := j.List(context.Background(), gate.Query{Checked: true})
	if err != nil {
		t.Fatal(err)
	}
	return events, rows
}

// TestATamperedJournalOfVersion2StaysSo: what was found before is found after.
func TestATamperedJournalOfVersion2StaysSo(t *testing.T) {
	for name, statements := range map[string]string{
		"an event": "DROP TRIGGER events_are_not_changed; UPDATE events SET actor = 'bob' WHERE " +
			"seq = 2;",
		"a row":       "UPDATE action_executions SET status = 'approved' WHERE id = 2;",
		"an approval": "DELETE FROM approvals WHERE id = 1;",
	} {
		path := version2(t)
		makeForeign(t, path, statements)
		before := faults(t, reading(t, path))
		if after := faults(t, open(t, path)); len(before) == 0 || !slices.Equal(before, after) {
			t.Errorf("%s: before %q, after %q", name, before, after)
		}
	}
	path := version2(t)
	makeForeign(t, path, "DROP TRIGGER events_are_not_deleted; DELETE FROM events WHERE seq = 13;")
	_, err := Open(context.Background(), path)
	if err == nil ||
		!strings.Contains(err.Error(), "the log ends with event 12, and event 13 was written last") {
		t.Errorf("a torn log: %v", err)
	}
	if f := faults(t, reading(t, path)); len(f) == 0 {
		t.Error("a torn log: nothing found")
	}
}

// TestAMigrationThatIsKilledIsDoneAgain, whatever it wrote last: until its end the journal is of
// the earlier version.
func TestAMigrationThatIsKilledIsDoneAgain(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(path, at string) *os.ProcessState {
		c := exec.Command(program)
		c.Env = append(os.Environ(), "JOURNAL_TO_MIGRATE="+path, "JOURNAL_DIES_AT="+at)
		c.Stderr = os.Stderr
		_ = c.Run()
		return c.ProcessState
	}
	for name, made := range earlier {
		killed := 0
		for _, at := range append(numbers(1, 40), "commit") {
			path := madeBy(t, made.sql)
			if state := run(path, at); state.Success() && at != "commit" {
				break
			} else if status := state.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
				t.Fatalf("%s, at %s: %v, want it killed", name, at, state)
			}
			killed++
			verified(t, reading(t, path), made.report)
			j := open(t, path)
			verified(t, j, made.report)
			if j.version != version || j.ID() == "" {
				t.Errorf("%s, at %s: version %d, id %q", name, at, j.version, j.ID())
			}
			add(t, j, "later")
		}
		// Of version 4 only the head is written anew. Of the others two states and the head are moved,
		// and of version 2 two approvals and thirteen events.
		least := map[string]int{"version 2": 18, "version 3": 4, "version 4": 2}
		if killed < least[name] {
			t.Errorf("%s: killed at %d places only", name, killed)
		}
		path := madeBy(t, made.sql)
		if state := run(path, "commit"); state.Success() {
			t.Errorf("%s: not killed as it commits", name)
		}
		verified(t, open(t, path), made.report)
	}
}

func numbers(from, to int) (all []string) {
	for i := from; i <= to; i++ {
		all = append(all, strconv.Itoa(i))
	}
	return all
}

// TestNoJournalIsMovedUnderAnEarlierProgram that is in the middle of an action: it could not write
// down what became of it. A claim that has ended, or that no clock can have meant, holds nothing
// up.
func TestNoJournalIsMovedUnderAnEarlierProgram(t *testing.T) {
	for name, tt := range map[string]struct {
		ends time.Duration
		held bool
	}{
		"at work": {time.Minute, true}, "ended": {-time.Second, false},
		"a clock ten days ahead": {240 * time.Hour, false},
	} {
		path := version2(t)
		claim := fmt.Sprintf(
			"UPDATE action_state SET claim_by = 'vm, process 7', claim_until = '%s' WHERE action_id = 1",
			formatTime(time.Now().Add(tt.ends)),
		)
		makeForeign(t, path, claim)
		j, err := Open(context.Background(), path)
		if (err != nil) != tt.held {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			_ = j.Close()
			continue
		}
		if !strings.Contains(
			err.Error(),
			"vm, process 7, an earlier actionctl, is at work in it; try again after",
		) {
			t.Errorf("%s: %v", name, err)
		}
		if before := reading(t, path); before.version != 2 {
			t.Errorf("%s: it is of version %d", name, before.version)
		}
	}
}

func TestSeveralMigrateAtOnce(t *testing.T) {
	path := version2(t)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			j, err := Open(context.Background(), path)
			if err != nil {
				t.Error(err)
				return
			}
			defer j.Close()
			if r, err := j.Verify(context.Background()); err != nil || len(r.Faults) > 0 ||
				r.Head != version2Head {
				t.Error(r, err)
			}
		})
	}
	wait.Wait()
}
