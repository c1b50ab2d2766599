//go:build conformance

package conformance

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// scenario is a course of events that runs at both places, each time in a lab as it is at first.
// Without a step that says what moto does instead, both must have answered and changed alike, to
// the word.
type scenario struct {
	name  string
	steps []step
}

// step is one event and what must come of it.
type step struct {
	// do is a request to the executor, or, after "by hand: ", a call by boto3.
	do string
	// want are words of the told result, in any order; of a call by hand, the verdict.
	want string
	// changes are what boto3 sees changed since the step before.
	changes string
	// moto is what moto's deviations make of it; nil is the same. What moto answers then is told, not
	// judged.
	moto *outcome
}

type outcome struct{ want, changes string }

// record is what a step came to.
type record struct{ Do, Told, Says, Changes string }

func TestScenarios(t *testing.T) {
	t.Parallel()
	atMoto, atSim := newBench(t, startMoto), newBench(t, startSim)
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			told.scenario(moto, "ec2sim")
			var there, here []record
			t.Run("on", func(t *testing.T) {
				t.Run(moto, func(t *testing.T) {
					t.Parallel()
					there = s.run(t, atMoto, nil)
				})
				t.Run("ec2sim", func(t *testing.T) {
					t.Parallel()
					here = s.run(t, atSim, nil)
				})
			})
			if diff := cmp.Diff(there, here); s.alike() && diff != "" {
				t.Errorf("moto (-) and ec2sim (+) do not answer alike:\n%s", diff)
			}
		})
	}
}

func (s scenario) alike() bool {
	for _, step := range s.steps {
		if step.moto != nil {
			return false
		}
	}
	return true
}

// run runs the scenario, with prior facts in the table that an environment names, if it does.
func (s scenario) run(t *testing.T, b *bench, table []string) []record {
	w, before := b.lab(t)
	defer b.left(t)
	a := w.actions(t)
	a.table = table
	var records []record
	for _, step := range s.steps {
		r := a.take(t, step)
		now := w.look(t)
		r.Changes = now.since(before)
		before = now
		r = r.alike()
		records = append(records, r)
		step.judge(t, w, r)
	}
	return records
}

// drawn is what each place draws for itself: the ids of what is made, and the executor's tokens.
var drawn = regexp.MustCompile(`eni-attach-[0-9a-f]{17}|eni-[0-9a-f]{17}|[0-9a-f]{32}`)

// alike is a record with the same words for what each place draws for itself. The id of nothing
// stays.
func (r record) alike() record {
	same := func(text string) string {
		return drawn.ReplaceAllStringFunc(text, func(id string) string {
			switch {
			case id == "eni-0123456789abcdef0":
				return id
			case strings.HasPrefix(id, "eni-attach-"):
				return "an-attachment"
			case strings.HasPrefix(id, "eni-"):
				return "an-interface"
			}
			return "a-token"
		})
	}
	r.Told, r.Says, r.Changes = same(r.Told), same(r.Says), same(r.Changes)
	return r
}

// take makes the step happen.
func (a *actions) take(t *testing.T, s step) record {
	t.Helper()
	if call, ok := strings.CutPrefix(s.do, "by hand: "); ok {
		return record{Do: s.do, Told: a.world.tell(a.do(t, call))}
	}
	got := a.run(t, s.do)
	return record{Do: s.do, Told: a.tell(got), Says: a.says(got)}
}

func (s step) judge(t *testing.T, w *world, r record) {
	t.Helper()
	want := outcome{s.want, s.changes}
	if s.moto != nil && w.name == moto {
		want = *s.moto
		if len(lacks(r.Told, want.want)) > 0 || r.Changes != want.changes {
			told.hear(t, "%s: %s (%s); was %s (%s)", s.do, r.Told, r.Changes, want.want, want.changes)
		} else {
			told.deviates()
		}
		return
	}
	if missing := lacks(r.Told, want.want); len(missing) > 0 {
		t.Errorf("%s\n%s %s\nlacks %q of %q", s.do, r.Told, r.Says, missing, want.want)
	}
	if r.Changes != want.changes {
		t.Errorf("%s\nchanged %q, want %q", s.do, r.Changes, want.changes)
	}
}
