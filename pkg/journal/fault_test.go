package journal

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/policy"
)

// errDisk is what a step of SQLite's fails with.
var errDisk = errors.New("the disk failed")

// steps counts what is asked of SQLite, and lets one step fail.
type steps struct {
	mu          sync.Mutex
	done, fails int
	// keeps has a commit that fails be made all the same: only its answer is lost.
	keeps bool
}

// take reports how the next step fails.
func (s *steps) take() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done++; s.done == s.fails {
		return errDisk
	}
	return nil
}

// faulty is SQLite with steps that fail. What fails is not begun.
var faulty = new(steps)

type faultyDriver struct{}

func (faultyDriver) Open(name string) (sqldriver.Conn, error) {
	if err := faulty.take(); err != nil {
		return nil, err
	}
	c, err := newDriver().Open(name)
	if err != nil {
		return nil, err
	}
	return faultyConn{c.(conn)}, nil
}

type faultyConn struct{ conn }

func (c faultyConn) BeginTx(
	ctx context.Context, options sqldriver.TxOptions,
) (sqldriver.Tx, error) {
	if err := faulty.take(); err != nil {
		return nil, err
	}
	tx, err := c.conn.BeginTx(ctx, options)
	return faultyTx{tx}, err
}

func (c faultyConn) PrepareContext(ctx context.Context, query string) (sqldriver.Stmt, error) {
	if err := faulty.take(); err != nil {
		return nil, err
	}
	s, err := c.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return faultyStmt{s.(statement)}, nil
}

func (c faultyConn) ExecContext(
	ctx context.Context, query string, args []sqldriver.NamedValue,
) (sqldriver.Result, error) {
	if err := faulty.take(); err != nil {
		return nil, err
	}
	return c.conn.ExecContext(ctx, query, args)
}

func (c faultyConn) QueryContext(
	ctx context.Context, query string, args []sqldriver.NamedValue,
) (sqldriver.Rows, error) {
	if err := faulty.take(); err != nil {
		return nil, err
	}
	rows, err := c.conn.QueryContext(ctx, query, args)
	return faultyRows{rows}, err
}

type faultyTx struct{ sqldriver.Tx }

func (t faultyTx) Commit() error {
	if err := faulty.take(); err != nil {
		if faulty.keeps {
			return errors.Join(t.Tx.Commit(), err)
		}
		_ = t.Tx.Rollback()
		return err
	}
	return t.Tx.Commit()
}

type faultyStmt struct{ statement }

func (s faultyStmt) ExecContext(
	ctx context.Context, args []sqldriver.NamedValue,
) (sqldriver.Result, error) {
	if err := faulty.take(); err != nil {
		return nil, err
	}
	return s.statement.ExecContext(ctx, args)
}

func (s faultyStmt) QueryContext(
	ctx context.Context, args []sqldriver.NamedValue,
) (sqldriver.Rows, error) {
	if err := faulty.take(); err != nil {
		return nil, err
	}
	rows, err := s.statement.QueryContext(ctx, args)
	return faultyRows{rows}, err
}

type faultyRows struct{ sqldriver.Rows }

func (r faultyRows) Next(to []sqldriver.Value) error {
	if err := faulty.take(); err != nil {
		return err
	}
	return r.Rows.Next(to)
}

// withFaults does something on SQLite with its nth step failing, and returns how many steps it
// took.
func withFaults(n int, do func() error) (taken int, err error) {
	faulty.mu.Lock()
	faulty.done, faulty.fails = 0, n
	faulty.mu.Unlock()
	driver = faultyDriver{}
	defer func() { driver = newDriver() }()
	err = do()
	faulty.mu.Lock()
	defer faulty.mu.Unlock()
	return faulty.done, err
}

// everyStep does something with each of its steps failing, one at a time. Each time it begins with
// a file of its own, made by prepare.
func everyStep(
	t *testing.T, prepare func(path string), do func(path string) error,
	failed func(t *testing.T, step int, path string, err error),
) {
	t.Helper()
	fresh := func() string {
		path := filepath.Join(t.TempDir(), "journal.db")
		prepare(path)
		return path
	}
	path := fresh()
	all, err := withFaults(0, func() error { return do(path) })
	if err != nil || all == 0 {
		t.Fatalf("%d steps, none of which fails: %v", all, err)
	}
	for step := 1; step <= all; step++ {
		path := fresh()
		_, err := withFaults(step, func() error { return do(path) })
		failed(t, step, path, err)
	}
}

// copied makes a file with what is in another.
func copied(t *testing.T, from string) func(string) {
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	return func(path string) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// busyJournal is a journal with two actions, an approval and a note, closed.
func busyJournal(t *testing.T) string {
	path := newPath(t)
	j := open(t, path)
	a := add(t, j, "k")
	add(t, j, "other")
	a.Status, a.ApprovedBy, a.ApprovedAt = gate.Approved, "ann", start
	apply(t, j, gate.Change{Action: a, Approval: &policy.Approval{By: "ann", At: start, Digest: "d"},
		Event: gate.Event{At: start, Kind: gate.EventApproved,
			Data: map[string]any{"by": "ann", "digest": "d"}}})
	if err := j.Note(t.Context(), event(gate.EventDenied)); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// contents are the rows and the events of a journal that is whole.
func contents(t *testing.T, path string) []any {
	t.Helper()
	j, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if f := faults(t, j); len(f) > 0 {
		t.Error(f)
	}
	actions, err := j.List(t.Context(), gate.Query{Checked: true})
	if err != nil {
		t.Fatal(err)
	}
	events, err := j.Events(t.Context(), gate.EventQuery{})
	if err != nil {
		t.Fatal(err)
	}
	approvals, err := j.Approvals(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	return []any{actions, events, approvals}
}

// at opens a journal, does something with it and closes it. What opening asks of SQLite is no step.
func at(ctx context.Context, path string, do func(*Journal) error) error {
	j, err := Open(ctx, path)
	if err != nil {
		return err
	}
	return errors.Join(do(j), j.Close())
}

// TestAStepThatFailsIsTold: whatever step of SQLite's fails while the journal is read, opened or
// written, an error says so; nothing is answered from a part of what there is, and of a write
// nothing is left.
func TestAStepThatFailsIsTold(t *testing.T) {
	ctx := t.Context()
	changed := action("k")
	for name, do := range map[string]func(*Journal) error{
		"open": func(*Journal) error { return nil },
		"get":  func(j *Journal) error { _, err := j.Get(ctx, 1); return err },
		"find": func(j *Journal) error { _, err := j.Find(ctx, "k"); return err },
		"list": func(j *Journal) error {
			_, err := j.List(ctx, gate.Query{Checked: true})
			return err
		},
		"list unchecked": func(j *Journal) error { _, err := j.List(ctx, gate.Query{}); return err },
		"approvals":      func(j *Journal) error { _, err := j.Approvals(ctx, 1); return err },
		"events": func(j *Journal) error {
			_, err := j.Events(ctx, gate.EventQuery{})
			return err
		},
		"history": func(j *Journal) error { _, err := j.History(ctx, 1); return err },
		"note": func(j *Journal) error {
			return j.Note(ctx, event(gate.EventDenied), event(gate.EventDenied))
		},
		"a new action": func(j *Journal) error {
			_, err := j.Apply(ctx, gate.Change{Action: action("new"), Event: event(gate.EventImported)})
			return err
		},
		"an action again": func(j *Journal) error {
			a := changed
			a.ID, a.Revision = 1, 2
			_, err := j.Apply(ctx,
				gate.Change{Action: a, Event: event(gate.EventApproved),
					Approval: &policy.Approval{By: "bob", At: start, Digest: "d"}},
				gate.Change{Action: action("new"), Event: event(gate.EventImported)})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			from := busyJournal(t)
			before := contents(t, from)
			everyStep(t, copied(t, from),
				func(path string) error { return at(ctx, path, do) },
				func(t *testing.T, step int, path string, err error) {
					if !errors.Is(err, errDisk) {
						t.Errorf("step %d: %v", step, err)
					}
					if d := cmp.Diff(before, contents(t, path)); d != "" {
						t.Errorf("step %d left something:\n%s", step, d)
					}
				})
		})
	}
}

// TestAVerificationThatCannotReadSaysSo: a step that fails while a journal is verified is an error
// or a fault. Never is it called whole.
func TestAVerificationThatCannotReadSaysSo(t *testing.T) {
	var report Report
	everyStep(t, copied(t, busyJournal(t)),
		func(path string) error {
			return at(t.Context(), path, func(j *Journal) (err error) {
				report, err = j.Verify(t.Context())
				return err
			})
		},
		func(t *testing.T, step int, _ string, err error) {
			told := strings.Contains(strings.Join(report.Faults, "\n"), errDisk.Error())
			if !errors.Is(err, errDisk) && !told {
				t.Errorf("step %d: %v, %+v", step, err, report)
			}
			report = Report{}
		})
}

// TestAJournalThatIsNotMadeWholeIsNotMade: where a step fails, there is no journal, and the next
// attempt makes one.
func TestAJournalThatIsNotMadeWholeIsNotMade(t *testing.T) {
	everyStep(t, func(string) {},
		func(path string) error {
			j, err := OpenOrCreate(t.Context(), path)
			if err != nil {
				return err
			}
			return j.Close()
		},
		func(t *testing.T, step int, path string, err error) {
			if !errors.Is(err, errDisk) {
				t.Errorf("step %d: %v", step, err)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), creating+"*")); len(left) > 0 {
				t.Errorf("step %d left %v", step, left)
			}
			add(t, open(t, path), "k")
		})
}

// TestACoresJournalThatCannotBeReadIsNotOpened: nothing is made of half a look.
func TestACoresJournalThatCannotBeReadIsNotOpened(t *testing.T) {
	everyStep(t, func(path string) {
		makeForeign(t, path, fmt.Sprintf(coreJournal,
			"INTEGER PRIMARY KEY", "TEXT", "TEXT", "1", "'2026-03-03T12:00:00Z'"))
	},
		func(path string) error {
			return at(t.Context(), path, func(j *Journal) error {
				if !j.IsACores() {
					t.Error("it is taken for ours")
				}
				_, err := j.List(t.Context(), gate.Query{Checked: true})
				return err
			})
		},
		func(t *testing.T, step int, path string, err error) {
			if !errors.Is(err, errDisk) {
				t.Errorf("step %d: %v", step, err)
			}
		})
}

// TestAMigrationThatFailsIsDoneAgain: a journal of an earlier version stays whole at every step
// that fails, and the next attempt brings it to this one.
func TestAMigrationThatFailsIsDoneAgain(t *testing.T) {
	for name, old := range map[string]func(*testing.T) string{
		"version 1": version1, "version 2": func(t *testing.T) string { return version2(t) },
	} {
		t.Run(name, func(t *testing.T) {
			from := old(t)
			brought := func(path string) (all []string, found int) {
				j := open(t, path)
				r, err := j.Verify(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return append(marked(t, j), r.Faults...), int(r.Events + 100*r.Actions)
			}
			clean := filepath.Join(t.TempDir(), "journal.db")
			copied(t, from)(clean)
			want, wanted := brought(clean)
			everyStep(t, copied(t, from),
				func(path string) error {
					return at(t.Context(), path, func(*Journal) error { return nil })
				},
				func(t *testing.T, step int, path string, err error) {
					if !errors.Is(err, errDisk) {
						t.Errorf("step %d: %v", step, err)
					}
					if got, found := brought(path); found != wanted || !slices.Equal(got, want) {
						t.Errorf("step %d: %v, %d; want %v, %d", step, got, found, want, wanted)
					}
				})
		})
	}
}
