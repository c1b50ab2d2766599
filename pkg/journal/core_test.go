package journal

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/gate"
)

// coreOpens is what a core does to the file that it opens for its own state.
const coreOpens = `
CREATE TABLE IF NOT EXISTS generations (generation INTEGER PRIMARY KEY AUTOINCREMENT,
 started_at TEXT NOT NULL, phase TEXT);
CREATE TABLE IF NOT EXISTS objects (api_version TEXT NOT NULL, kind TEXT NOT NULL,
 name TEXT NOT NULL, PRIMARY KEY (api_version, kind, name));
CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,
 name TEXT NOT NULL, type TEXT NOT NULL, reason TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_type ON events (type, id);
ALTER TABLE events ADD COLUMN topic TEXT;
CREATE INDEX IF NOT EXISTS events_topic ON events (topic, id);
CREATE TABLE IF NOT EXISTS action_executions (id INTEGER PRIMARY KEY AUTOINCREMENT,
 idempotency_key TEXT NOT NULL UNIQUE, status TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS action_executions_status ON action_executions (status, id);
`

// coreWorks is what it does with its own, later on, and more than any core that is known does.
const coreWorks = `
INSERT INTO events (kind, name, type, reason, topic) VALUES ('Link', 'wan', 'Normal', 'Up', 't');
UPDATE events SET reason = 'Down';
DELETE FROM events;
ALTER TABLE action_executions ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE action_executions ADD COLUMN note TEXT;
CREATE TABLE approvals (who TEXT); CREATE TABLE action_state (x); CREATE TABLE journal_head (y);
CREATE TRIGGER core_trigger AFTER INSERT ON events BEGIN UPDATE generations SET phase = 'x'; END;
CREATE VIEW core_view AS SELECT * FROM events;
ANALYZE;
PRAGMA user_version = 7;
PRAGMA application_id = 1;
`

// TestACoreThatOpensTheFileBreaksNothing: it finds its names free, and what it adds is its own.
func TestACoreThatOpensTheFileBreaksNothing(t *testing.T) {
	path := newPath(t)
	j := open(t, path)
	a := add(t, j, "k")
	want, err := j.Verify(context.Background())
	if err != nil || len(want.Faults) > 0 {
		t.Fatal(want, err)
	}
	for _, statements := range []string{coreOpens, coreWorks} {
		makeForeign(t, path, statements)
		// Both as it was open all along, and opened anew.
		again := open(t, path)
		verified(t, j, want)
		verified(t, again, want)
		if again.foreign || again.ReadOnly() {
			t.Errorf("taken for a core's: %v, read-only: %v", again.foreign, again.ReadOnly())
		}
		_ = again.Close()
	}
	a.Status = gate.Approved
	a = apply(t, j, gate.Change{Action: a, Event: event(gate.EventApproved)})[0]
	if got, err := open(t, path).Get(context.Background(), a.ID); err != nil || got.Altered != "" ||
		got.Status != gate.Approved {
		t.Error(got, err)
	}
	makeForeign(t, path, "UPDATE action_executions SET status = 'succeeded', attempts = 1")
	if f := faults(t, j); len(f) == 0 {
		t.Error("a core that changes a row of ours is not found")
	}
}

// TestAJournalOfVersion2InWhichACoreWasIsBroughtToThisOne: it got as far as its index on our table.
func TestAJournalOfVersion2InWhichACoreWasIsBroughtToThisOne(t *testing.T) {
	path := version2(t)
	makeForeign(
		t,
		path,
		"CREATE TABLE generations (g INTEGER); CREATE TABLE objects (o TEXT); ALTER TABLE events ADD "+
			"COLUMN topic TEXT; CREATE INDEX events_topic ON events (topic)",
	)
	verified(t, open(t, path), asVersion2)
	makeForeign(t, path, coreOpens)
	verified(t, open(t, path), asVersion2)
}

// TestAJournalIsReadWhereAnotherProgramSetItsMark by one who may not write it.
func TestAJournalIsReadWhereAnotherProgramSetItsMark(t *testing.T) {
	path := newPath(t)
	add(t, open(t, path), "k")
	makeForeign(t, path, coreOpens+"PRAGMA application_id = 5")
	j := reading(t, path)
	all, err := j.List(context.Background(), gate.Query{Checked: true})
	if err != nil || len(all) != 1 || all[0].Altered != "" {
		t.Error(all, err)
	}
}

// TestNoNameOfOursIsACores: all that a journal has beside the core's table has our prefix.
func TestNoNameOfOursIsACores(t *testing.T) {
	form, err := wantedSchema(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var others []string
	for _, p := range form {
		if !strings.HasPrefix(p.name, prefix) {
			others = append(others, p.name)
		}
	}
	want := []string{coreTable, "sqlite_autoindex_action_executions_1", "sqlite_sequence"}
	if d := cmp.Diff(want, slices.Sorted(slices.Values(others))); d != "" {
		t.Error(d)
	}
}
