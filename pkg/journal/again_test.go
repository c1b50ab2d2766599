package journal

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/gate"
)

// passing is SQLite, of which a failed disk goes by in a while.
type passing struct{ sqliteEngine }

func (passing) passes(err error) bool { return errors.Is(err, errDisk) }

// TestWhatGoesByIsTriedAgain: whichever step fails once, what is read is the same, and what is
// written is there once; also where a commit was made, and only its answer was lost.
func TestWhatGoesByIsTriedAgain(t *testing.T) {
	from := busyJournal(t)
	for name, do := range map[string]func(*Journal) (any, error){
		"get": func(j *Journal) (any, error) { return j.Get(t.Context(), 1) },
		"list": func(j *Journal) (any, error) {
			return j.List(t.Context(), gate.Query{Checked: true})
		},
		"counts":    func(j *Journal) (any, error) { return j.Counts(t.Context()) },
		"approvals": func(j *Journal) (any, error) { return j.Approvals(t.Context(), 1) },
		"events":    func(j *Journal) (any, error) { return j.Events(t.Context(), gate.EventQuery{}) },
		"history":   func(j *Journal) (any, error) { return j.History(t.Context(), 1) },
		"head":      func(j *Journal) (any, error) { return j.Head(t.Context()) },
		"notes": func(j *Journal) (any, error) {
			return nil, j.Note(t.Context(), event(gate.EventDenied), event(gate.EventDryRun))
		},
		"a new action": func(j *Journal) (any, error) {
			made, err := j.Apply(t.Context(),
				gate.Change{Action: action("new"), Event: event(gate.EventImported)})
			return len(made), err
		},
	} {
		for _, keeps := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				faulty.keeps = keeps
				defer func() { faulty.keeps = false }()
				tryEachStep(t, from, do)
			})
		}
	}
}

// tryEachStep does something with each of its steps failing once, and wants the same of it each
// time: its answer, and the journal that it leaves.
func tryEachStep(t *testing.T, from string, do func(*Journal) (any, error)) {
	opening, err := withFaults(0, func() error {
		return at(t.Context(), from, func(*Journal) error { return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	attempt := func(step int) (came []any, steps int) {
		path := filepath.Join(t.TempDir(), "journal.db")
		copied(t, from)(path)
		steps, err := withFaults(step, func() error {
			return at(t.Context(), path, func(j *Journal) error {
				j.engine, j.patience = passing{}, time.Minute
				answer, err := do(j)
				came = append(came, answer)
				return err
			})
		})
		if err != nil {
			t.Errorf("step %d: %v", step, err)
		}
		return append(came, contents(t, path)...), steps
	}
	want, all := attempt(0)
	for step := opening + 1; step <= all; step++ {
		if got, _ := attempt(step); !cmp.Equal(want, got) {
			t.Errorf("step %d: %s", step, cmp.Diff(want, got))
		}
	}
}

// TestALostAnswerIsNoRefusal: where a write was given up, it is said whether that is because its
// commit was not answered. Any other is not there.
func TestALostAnswerIsNoRefusal(t *testing.T) {
	empty := newPath(t)
	if err := open(t, empty).Close(); err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]string{"the first event": empty, "a later": busyJournal(t)} {
		t.Run(name, func(t *testing.T) { loseAnswers(t, from) })
	}
}

// loseAnswers writes to a journal, with each step failing and its commit lost or not made.
func loseAnswers(t *testing.T, from string) {
	before := contents(t, from)
	for _, keeps := range []bool{false, true} {
		faulty.keeps = keeps
		defer func() { faulty.keeps = false }()
		opened, unknown := false, 0
		everyStep(t, copied(t, from),
			func(path string) error {
				opened = false
				return at(t.Context(), path, func(j *Journal) error {
					opened, j.engine = true, passing{}
					return j.Note(t.Context(), event(gate.EventDenied))
				})
			},
			func(t *testing.T, step int, path string, err error) {
				if !errors.Is(err, errDisk) {
					t.Fatalf("step %d: %v", step, err)
				}
				isUnknown := strings.Contains(err.Error(), "whether it was written is not known")
				if isUnknown {
					unknown++
				}
				if !opened {
					return
				}
				if written := !cmp.Equal(before, contents(t, path)); written != (isUnknown && keeps) {
					t.Errorf("step %d: written: %t, kept: %t: %v", step, written, keeps, err)
				}
			})
		if unknown != 1 {
			t.Errorf("%d steps whose outcome is not known, want the commit", unknown)
		}
	}
}
