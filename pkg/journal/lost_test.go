package journal

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/policy"
)

// TestRowsThatWereTakenOutAreListed behind the others, each by its number; and not to who asks for
// certain keys, or for no check.
func TestRowsThatWereTakenOutAreListed(t *testing.T) {
	j := open(t, newPath(t))
	for i := range 5 {
		add(t, j, fmt.Sprint("k", i))
	}
	const rest = " WHERE action_id IN (2, 5);"
	if err := tamper(j, "DELETE FROM action_executions WHERE id IN (2, 5);"+
		"DELETE FROM actionctl_states"+rest); err != nil {
		t.Fatal(err)
	}
	const there, gone = "1: , 3: , 4: ", ", 2: the row of action 2 was taken out, and the log tells " +
		"of it, 5: the row of action 5 was taken out, and the log tells of it"
	for want, q := range map[string]gate.Query{
		there + gone: {Checked: true},
		there:        {},
		"3: ":        {Checked: true, Only: []string{"k2"}},
	} {
		var said []string
		all, err := j.List(t.Context(), q)
		for _, a := range all {
			said = append(said, fmt.Sprintf("%d: %s", a.ID, a.Altered))
		}
		if d := cmp.Diff(want, strings.Join(said, ", ")); d != "" || err != nil {
			t.Errorf("%+v: %s, %v", q, d, err)
		}
	}
}

// TestARowIsHeldAgainstItsEvent whatever else the event tells: values that are no texts, escapes,
// and what lies deep. It is so whether the whole log is verified or its end.
func TestARowIsHeldAgainstItsEvent(t *testing.T) {
	deep := any("end")
	for range 2 * maxScanned {
		deep = []any{deep}
	}
	for name, told := range map[string]any{
		"a number": 7, "a truth": true, "nothing": nil, "an escape": "\x01", "deep": deep,
	} {
		for _, kind := range []gate.EventKind{gate.EventClaimed, gate.EventApproved} {
			j := open(t, newPath(t))
			a := add(t, j, "k")
			known, err := j.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			change := gate.Change{Action: a, Event: event(kind)}
			change.Event.Data = map[string]any{"by": "ann", "digest": "d", "first": told}
			if kind == gate.EventApproved {
				change.Approval = &policy.Approval{By: "ann", At: start, Digest: "d"}
			}
			apply(t, j, change)
			if f := append(faults(t, j), tail(t, j, known).Faults...); len(f) > 0 {
				t.Errorf("%s, %s: untouched, it has the faults %v", name, kind, f)
			}
			if err := tamper(j, "UPDATE action_executions SET status = 'succeeded'"); err != nil {
				t.Fatal(err)
			}
			const want = `action 1 ("k") is not as event 2 left it: its row was changed`
			for _, f := range [][]string{faults(t, j), tail(t, j, known).Faults} {
				if d := cmp.Diff([]string{want}, f); d != "" {
					t.Errorf("%s, %s: %s", name, kind, d)
				}
			}
		}
	}
}

// TestAPageIsReadAlone: of what lies behind the actions that are asked for nothing is fetched.
func TestAPageIsReadAlone(t *testing.T) {
	j := filled(t, 4*leastPage)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	steps := func(q gate.Query) (taken int) {
		taken, err := withFaults(0, func() error {
			return at(t.Context(), j.path, func(j *Journal) error {
				_, err := j.List(t.Context(), q)
				return err
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		return taken
	}
	all, page := steps(gate.Query{}), steps(gate.Query{Limit: 3})
	if spared := all - page; spared != 3*leastPage {
		t.Errorf("of %d actions %d are not fetched, want %d", 4*leastPage, spared, 3*leastPage)
	}
}
