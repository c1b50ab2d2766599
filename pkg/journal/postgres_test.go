//go:build postgres

package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/pgserver"
)

// server starts the server of these tests once.
var server = sync.OnceValues(pgserver.Start)

func init() {
	atEnd = append(atEnd, func() {
		if s, err := server(); err == nil {
			_ = s.Stop()
		}
	})
}

func running(t testing.TB) *pgserver.Server {
	t.Helper()
	s, err := server()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func freshURL(t testing.TB) string {
	t.Helper()
	u, err := running(t).Fresh(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// onBoth are the tests of what a journal promises wherever it is.
var onBoth = map[string]func(*testing.T){
	"CompareAndSet":          TestCompareAndSet,
	"ManyAreInserted":        TestManyAreInsertedInTheirOrder,
	"NothingIsLeft":          TestNothingIsLeftOfAnInsertionThatFails,
	"ManyWritersOneClaim":    TestManyWritersOneClaim,
	"ManyMakeTheJournal":     TestManyMakeTheJournal,
	"List":                   TestList,
	"NotChangedBySQL":        TestEventsCanNotBeChangedBySQL,
	"TamperingIsNamed":       TestTamperingIsNamed,
	"HistoryIsSinceImport":   TestHistoryIsSinceTheLastImport,
	"RowsNotWrittenOver":     TestARowThatWasChangedIsNotWrittenOver,
	"VerifyLooksAtOneState":  TestVerifyLooksAtOneState,
	"ReadingDoesNotWait":     TestReadingDoesNotWaitForAWrite,
	"AnEventWrittenAnew":     TestAnEventWrittenAnewIsNamed,
	"ALogWithoutAHead":       TestALogWithoutAHeadIsNotWrittenTo,
	"DataWrittenOtherwise":   TestDataThatIsWrittenOtherwiseIsNamed,
	"EachNoteIsLogged":       TestEachNoteIsLogged,
	"NothingAfterItsTime":    TestNothingIsReadAfterItsTime,
	"JoinedWrites":           TestWritesThatAreJoined,
	"ManyJoinedWrites":       TestManyJoinedWrites,
	"SQLFindsWhatIsAskedFor": TestSQLFindsWhatAQueryAsksFor,
	"OnlyTheKeysAskedFor":    TestOnlyTheKeysThatAreAskedForAreHeldAgainstTheLog,
	"Tail":                   TestTheTailFromAKnownHead,
	"TailTamperedWith":       TestTheTailNamesWhatWasDoneToIt,
	"Progress":               TestProgressOfAVerification,
	"WhatASelectionBrings":   TestWhatASelectionBrings,
}

func TestOnPostgreSQL(t *testing.T) {
	onServer = freshURL
	defer func() { onServer = nil }()
	for name, test := range onBoth {
		t.Run(name, test)
	}
}

// TestTheFormOnTheServer is what form_postgres.txt says, which is made by this test with UPDATE=1.
func TestTheFormOnTheServer(t *testing.T) {
	j := open(t, freshURL(t))
	var lines []string
	err := j.read(t.Context(), func(v view) (err error) {
		lines, err = formOnServer(v)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(lines, "\n") + "\n"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile("form_postgres.txt", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(strings.Split(wantedForm, "\n"), strings.Split(text, "\n")); d != "" {
		t.Error(d)
	}
}

// TestWhatWasDoneToTablesOnTheServerIsNamed.
func TestWhatWasDoneToTablesOnTheServerIsNamed(t *testing.T) {
	for statements, want := range map[string]string{
		"DROP TRIGGER actionctl_events_are_not_changed": "trigger actionctl_events_are_not_changed",
		"ALTER TABLE actionctl_events DISABLE TRIGGER actionctl_events_are_not_deleted": "trigger " +
			"actionctl_events_are_not_deleted on actionctl_events 42 D",
		"CREATE RULE swallow AS ON INSERT TO actionctl_events DO INSTEAD NOTHING": "rule swallow on " +
			"actionctl_events was put in",
		"CREATE VIEW ActionCtl_x AS SELECT 1": "relation actionctl_x was put in",
		"CREATE INDEX i ON actionctl_approvals (digest)": "index i on actionctl_approvals " +
			"was put in",
		"ALTER TABLE actionctl_events ENABLE ROW LEVEL SECURITY": "policy for rows of actionctl_events",
		"ALTER TABLE actionctl_states DROP COLUMN claim_process": "column " +
			"actionctl_states.claim_process",
		"ALTER TABLE actionctl_events DROP CONSTRAINT actionctl_events_pkey": "constraint of " +
			"actionctl_events: PRIMARY KEY (seq)",
		"CREATE OR REPLACE FUNCTION actionctl_append_only() RETURNS trigger LANGUAGE plpgsql AS " +
			"'BEGIN RETURN NULL; END'": "BEGIN RETURN NULL; END",
	} {
		j := open(t, freshURL(t))
		add(t, j, "k")
		if err := tamperOnce(j, statements); err != nil {
			t.Fatal(err)
		}
		r, err := j.Verify(t.Context())
		if said := strings.Join(r.Faults, "\n"); err == nil && !strings.Contains(said, want) {
			t.Errorf("%s: %q", statements, said)
		}
	}
}

// tamperOnce makes one change.
func tamperOnce(j *Journal, statement string) error {
	if strings.HasPrefix(statement, "DROP TRIGGER") {
		statement += " ON actionctl_events"
	}
	_, err := j.db.Exec(statement)
	return err
}

// TestWhatPostgreSQLCannotKeepIsKeptOtherwise: a text with a zero byte, or that is not UTF-8.
func TestWhatPostgreSQLCannotKeepIsKeptOtherwise(t *testing.T) {
	j := open(t, freshURL(t))
	a := add(t, j, "k")
	a.ResultMessage, a.Error = "zero \x00", "not UTF-8 \xff"
	a.Observed = map[string]string{"zero": "\x00", "other": "\xff"}
	apply(t, j, gate.Change{Action: a, Event: event(gate.EventResult)})
	got, err := j.Get(t.Context(), a.ID)
	if err != nil || got.Altered != "" {
		t.Fatal(got.Altered, err)
	}
	if got.ResultMessage != "zero \ufffd" || got.Error != "not UTF-8 \ufffd" ||
		got.Observed["zero"] != "\x00" || got.Observed["other"] != "\ufffd" {
		t.Errorf("%q %q %q", got.ResultMessage, got.Error, got.Observed)
	}
	if f := faults(t, j); len(f) > 0 {
		t.Error(f)
	}
}

// TestAPasswordIsNeverShown, right or wrong, in a URL that can be read and in one that can't.
func TestAPasswordOfAServerIsNeverShown(t *testing.T) {
	s := running(t)
	ctx := t.Context()
	with := func(password string) string {
		return s.URL(url.UserPassword(pgserver.LockedUser, password),
			url.Values{"search_path": {"locked"}})
	}
	const secret = "hunter2"
	for name, u := range map[string]string{
		"wrong": with(secret), "in a parameter": s.URL(url.User(pgserver.LockedUser),
			url.Values{"password": {secret}}),
		"no URL":       "postgres://u:" + secret + "%zz@host/db",
		"no host":      "postgres://u:" + secret + "@[::1/db",
		"no port":      "postgres://u:" + secret + "@host:port/db",
		"no service":   "postgres://u:" + secret + "@/db?service=none",
		"no such host": "postgres://u:" + secret + "@/db?host=/nowhere&connect_timeout=1",
	} {
		short, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, err := Open(short, u)
		cancel()
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
	db, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE SCHEMA locked"); err != nil {
		t.Fatal(err)
	}
	j := open(t, with(pgserver.Password))
	if strings.Contains(j.Path(), pgserver.Password) || !strings.Contains(j.Path(), "locked@") {
		t.Errorf("it is called %s", j.Path())
	}
	// A file holds it where the URL does not.
	file := filepath.Join(t.TempDir(), "pgpass")
	line := "*:*:*:" + pgserver.LockedUser + ":" + pgserver.Password + "\n"
	if err := os.WriteFile(file, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGPASSFILE", file)
	open(t, s.URL(url.User(pgserver.LockedUser), url.Values{"search_path": {"locked"}}))
}

// TestWhatIsNoJournalOnTheServerIsRefused, and nothing is made there.
func TestWhatIsNoJournalOnTheServerIsRefused(t *testing.T) {
	u := freshURL(t)
	if _, err := Open(t.Context(), u); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing there: %v", err)
	}
	j := open(t, u)
	if _, err := j.db.Exec("UPDATE actionctl_journal SET version = 99"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), u); err == nil || !strings.Contains(err.Error(), "of version 99") {
		t.Error(err)
	}
	for _, table := range []string{"actionctl_journal", "actionctl_events"} {
		if _, err := j.db.Exec("DROP TABLE " + table); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := OpenOrCreate(t.Context(), u); err == nil ||
		!strings.Contains(err.Error(), "not this program's") {
		t.Error(err)
	}
}

// TestWhoMayNotWriteOnTheServerReads.
func TestWhoMayNotWriteOnTheServerReads(t *testing.T) {
	u := freshURL(t)
	add(t, open(t, u), "k")
	j, err := Open(t.Context(), u+"&default_transaction_read_only=on")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if a, err := j.Find(t.Context(), "k"); err != nil || a.Altered != "" || !j.ReadOnly() {
		t.Error(a, err, j.ReadOnly())
	}
	if err := j.Note(t.Context(), event(gate.EventDenied)); !errors.Is(err, gate.ErrReadOnly) {
		t.Error(err)
	}
}

// TestAServerThatGoesAwayLosesNothing: each write that is told as done is there once, and none that
// is not, however often the server crashes meanwhile.
func TestAServerThatGoesAwayLosesNothing(t *testing.T) {
	s, err := pgserver.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Stop() }()
	u, err := s.Fresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	j := open(t, u)
	const writers, each, crashes = 4, 40, 5
	written := make(chan string)
	var wait sync.WaitGroup
	for w := range writers {
		wait.Go(func() {
			for i := range each {
				key := fmt.Sprint(w, "-", i)
				_, err := j.Apply(context.Background(),
					gate.Change{Action: action(key), Event: event(gate.EventImported)})
				if err != nil {
					t.Errorf("%s: %v", key, err)
				}
				written <- key
			}
		})
	}
	for n := 1; n <= writers*each; n++ {
		<-written
		// The others are in the middle of their writes.
		if n%(writers*each/(crashes+1)) == 0 && n < writers*each {
			if err := errors.Join(s.Crash(), s.Up()); err != nil {
				t.Fatal(err)
			}
		}
	}
	wait.Wait()
	r, err := j.Verify(t.Context())
	if err != nil || len(r.Faults) > 0 || r.Actions != writers*each {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestAServerThatIsAwayIsTold, as soon as nobody waits for it any more.
func TestAServerThatIsAwayIsTold(t *testing.T) {
	s, err := pgserver.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Stop() }()
	u, err := s.Fresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	j := open(t, u)
	a := add(t, j, "k")
	if err := s.Crash(); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	a.Status = gate.Approved
	_, err = j.Apply(short, gate.Change{Action: a, Event: event(gate.EventApproved)})
	if err == nil || !strings.Contains(err.Error(), "cannot write the journal") {
		t.Error(err)
	}
	if _, err := j.Get(short, a.ID); err == nil ||
		!strings.Contains(err.Error(), "cannot read the journal") {
		t.Error(err)
	}
	if err := s.Up(); err != nil {
		t.Fatal(err)
	}
	if got, err := j.Get(t.Context(), a.ID); err != nil || got.Status != gate.Pending {
		t.Error(got.Status, err)
	}
	if r, err := j.Verify(t.Context()); err != nil || len(r.Faults) > 0 || r.Events != 1 {
		t.Error(r, err)
	}
}

// TestAJournalOfVersion5OnTheServerIsBroughtToThisOne: rows, log and id stay as they are, also for
// who may not write.
func TestAJournalOfVersion5OnTheServerIsBroughtToThisOne(t *testing.T) {
	u := freshURL(t)
	made := open(t, u)
	added := add(t, made, "k")
	before, err := made.Find(t.Context(), "k")
	if err != nil || before.ID != added.ID {
		t.Fatal(err)
	}
	id := made.ID()
	for _, statement := range []string{
		"ALTER TABLE actionctl_states DROP COLUMN selected",
		"UPDATE actionctl_journal SET version = 5",
	} {
		if _, err := made.db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, options := range []string{"&default_transaction_read_only=on", "", ""} {
		j, err := Open(t.Context(), u+options)
		if err != nil {
			t.Fatal(err)
		}
		a, err := j.Find(t.Context(), "k")
		if d := cmp.Diff(before, a); d != "" || err != nil || j.ID() != id {
			t.Errorf("%q: %v, the id %q: %s", options, err, j.ID(), d)
		}
		_ = j.Close()
	}
	j := open(t, u)
	chosen := gate.Plan{IdempotencyKey: "batch/i-1", Action: "fence-security-groups",
		Selected: &gate.Selected{Digest: "sha256:1", Node: "n1"}}
	apply(t, j, gate.Change{
		Action: gate.Action{Plan: chosen, Status: gate.Pending}, Event: event(gate.EventImported),
	})
	if r, err := j.Verify(t.Context()); err != nil || len(r.Faults) > 0 || r.Actions != 2 {
		t.Error(r, err)
	}
}
