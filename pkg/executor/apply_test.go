package executor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"
)

// TestWhatMayFail: the action goes on without it, and says so, in its sentence and as a fact.
func TestWhatMayFail(t *testing.T) {
	rule(t, "it is refused", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.changes = script{"b": {"refuse"}}
		got := is(t, c.send("on", "k", "a>,b~", nil), protocol.Succeeded,
			"warning=the value of b was not changed: cannot switch b: throttled")
		if got.Message != "switched; the value of b was not changed: cannot switch b: throttled" {
			t.Errorf("it says %q", got.Message)
		}
		c.now("a=on b=off")
		c.logged(`level=WARN msg="going on without a change" call=test:Switch resource=b` +
			` attribute=value error="cannot switch b: throttled"`)
		// Nothing of it is to be read back.
		if last := c.cloud.calls[len(c.cloud.calls)-1]; last != "b=on" {
			t.Errorf("calls %v", c.cloud.calls)
		}
	})
	rule(t, "it does not show", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.changes = script{"b": {"ignore"}}
		began := time.Now()
		is(t, c.send("on", "k", "a~,b~", nil), protocol.Succeeded,
			"warning=the value of b was not changed: it does not show")
		if took := time.Since(began).Round(100 * time.Millisecond); took != 3*time.Second {
			t.Errorf("it was waited for %s", took)
		}
	})
	rule(t, "what was made before it does not stand", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.onChange = func() {
			if c.cloud.values["a"] == "on" {
				c.cloud.values["a"] = "dim"
			}
		}
		says(t, failed(t, c.send("on", "k", "a>,b~", nil), protocol.Unverified),
			"what was made before does not stand: the value of a is dim, not on; look at it,"+
				" then try again under the same key")
	})
	rule(t, "what must not fail is waited for longer", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.cloud.onChange = func() {
			c.cloud.stale = slices.Repeat([]map[string]string{{"a": "off"}}, 9)
		}
		began := time.Now()
		is(t, c.send("on", "k", "a", nil), protocol.Succeeded)
		if took := time.Since(began); took < 3*time.Second {
			t.Errorf("it took %s", took)
		}
	})
	t.Run("the time is up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			stop, cancel := context.WithCancel(t.Context())
			c := &cloud{values: map[string]string{"a": "off", "b": "off"}, onChange: cancel}
			is(t, send(t, stop, c, t.TempDir(), request("on", "k", "a>,b~", "")), protocol.Succeeded,
				"warning=the value of b was not changed: the time for it was up")
			if slices.Contains(c.calls, "b=on") {
				t.Errorf("calls %v", c.calls)
			}
		})
	})
}

// TestCalls: what goes together is sent together, in its order. What does not goes alone.
func TestCalls(t *testing.T) {
	one, other := &action.Together{}, &action.Together{Set: func(
		context.Context, any, []action.Change,
	) []error {
		return nil
	}}
	r := &run{}
	for _, together := range []*action.Together{one, nil, one, other, one, nil} {
		r.moves = append(r.moves, move{Transition: &action.Transition{Together: together}})
	}
	if got := fmt.Sprint(r.calls(step{which: []int{0, 1, 2, 3, 5}})); got != "[[0 2] [1] [3] [5]]" {
		t.Errorf("calls %s", got)
	}
}

// TestEchoed: a step is not read back where the provider answered every change of it, and each
// answer shows the value on the way.
func TestEchoed(t *testing.T) {
	for _, c := range []struct {
		name     string
		echoes   bool
		progress progress
		to       string
		want     bool
	}{
		{"answered", true, taken, "way", true},
		{"the answer was lost", true, sent, "way", false},
		{"refused", true, refused, "way", false},
		{"the end of the way", true, taken, "end", false},
		{"an answer that shows nothing", false, taken, "way", false},
	} {
		tr := &action.Transition{Via: "way", To: "end", Echoed: c.echoes}
		all := &action.Transition{Via: "way", To: "end", Echoed: true}
		r := &run{moves: []move{{Transition: all, progress: taken},
			{Transition: tr, progress: c.progress}}}
		s := step{which: []int{0, 1}, to: map[int]string{0: "way", 1: c.to}}
		if got := r.echoed(s); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

// TestAdopted: what the provider shows that the key brought about is recorded as begun at what was
// there before, and is a change of the key's.
func TestAdopted(t *testing.T) {
	for _, adopted := range []bool{false, true} {
		tr := action.Transition{Resource: "a", Attribute: "slot", From: "absent", To: "present:1",
			Adopted: adopted}
		r := &run{past: &action.Past{Key: "k"}, plan: &action.Plan{
			Transitions: []action.Transition{tr},
			Seen:        action.Seen{Values: []string{"present:1"}},
		}}
		r.verb.Undo = "remove"
		if err := r.settle(); err != nil {
			t.Fatal(err)
		}
		want := "present:1"
		if adopted {
			want = "absent"
		}
		if e := r.entries[0]; e.From != want || e.To != "present:1" || e.State != history.Live ||
			!r.changes() {
			t.Errorf("adopted %t: %+v", adopted, e)
		}
	}
}

// TestWithoutDrawn: what is drawn anew for each plan is in none that is told.
func TestWithoutDrawn(t *testing.T) {
	c := protocol.Change{From: "absent", Via: "created:ab12", To: "present:ab12"}
	want := protocol.Change{From: "absent", Via: "created:ab", To: "present:ab"}
	if got := withoutDrawn(action.Transition{Drawn: "12"}, c); got != want {
		t.Errorf("told %+v", got)
	}
	if got := withoutDrawn(action.Transition{}, c); got != c {
		t.Errorf("nothing is drawn: %+v", got)
	}
}

// TestStages: they are made in their order, whatever the order of the transitions, and what a
// detour of a later one meets is no matter of an earlier one.
func TestStages(t *testing.T) {
	rule(t, "by their numbers", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		is(t, c.send("on", "k", "a,b!", nil), protocol.Succeeded)
		if slices.Index(c.cloud.calls, "a=on") < slices.Index(c.cloud.calls, "b=on") {
			t.Errorf("calls %v", c.cloud.calls)
		}
	})
	rule(t, "a refused detour", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.changes = script{"b": {"refuse"}}
		failed(t, c.send("on", "k", "a>,b", map[string]string{"via": "dim"}), protocol.Throttled)
		c.now("a=on b=off")
	})
}

// TestFoundDone: what an earlier attempt made is found, where the provider refuses it, in two
// readings; what may fail is not waited for.
func TestFoundDone(t *testing.T) {
	c := func(t *testing.T) *core {
		c := newCore(t, "a=off", "b=off")
		c.dies = "before put 2"
		is(t, c.send("on", "k", "a,b~", nil), died)
		c.cloud.values["b"] = "off" // by somebody else
		c.cloud.stale = slices.Repeat([]map[string]string{{"a": "off", "b": "off"}}, 2)
		c.cloud.changes = script{"a": {"conflict"}, "b": {"conflict"}}
		c.cloud.calls = nil
		return c
	}
	rule(t, "it shows", func(t *testing.T) {
		c := c(t)
		is(t, c.send("on", "k", "a,b~", nil), protocol.Succeeded, "prior.a=off", "changed=true",
			"warning=the value of b was not changed: cannot switch b: it is not so")
		// Two switches: planned by one reading, found by two, verified by one.
		if got := len(c.cloud.calls) - c.changes(); got != 8 {
			t.Errorf("%d readings: %v", got, c.cloud.calls)
		}
	})
	rule(t, "it does not", func(t *testing.T) {
		c := c(t)
		c.cloud.values["a"] = "dim" // by somebody else
		failed(t, c.send("on", "k", "a,b~", nil), protocol.Conflict)
		c.now("a=dim b=off")
		if n := c.changes(); n != 2 {
			t.Errorf("%d changes: %v", n, c.cloud.calls)
		}
	})
}

// TestWhatTheProviderIsStillAt: where it passes by another value on its own, that value is no
// refusal. Anything else is.
func TestWhatTheProviderIsStillAt(t *testing.T) {
	for value, want := range map[string]string{
		"dim": "the provider took the change and is still at it: the value of a is dim, not on; ",
		"off": "the provider took the change and does not show it: the value of a is off, not on; ",
	} {
		rule(t, value, func(t *testing.T) {
			c := newCore(t, "a=off")
			c.cloud.changes = script{"a": {"ignore"}}
			c.cloud.onChange = func() { c.cloud.values["a"] = value }
			got := failed(t, c.set("k", "a", "on", "by=dim", "passes=true"), protocol.Unverified)
			says(t, got, want)
			if c.changes() != 1 {
				t.Errorf("it called %v", c.cloud.calls)
			}
		})
	}
}

// TestWhatIsNotKnownIsSaid: a change that can't be found out about is ambiguous, and the sentence
// says which half is missing.
func TestWhatIsNotKnownIsSaid(t *testing.T) {
	const again = "; try again under the same key, which finds out"
	fails := slices.Repeat([]string{"fail"}, 100)
	for _, tt := range []struct {
		name, word string
		reads      []string
		class      protocol.FailureClass
		want, lost string
	}{
		{"taken and not read", "ok", fails, protocol.Ambiguous,
			"the provider took the change, but it could not be read back (cannot read a)" + again, ""},
		{"no answer and not read", "lost", fails, protocol.Ambiguous,
			"whether the change was made could not be found out: the answer was lost (the connection" +
				" broke), and it can't be read (cannot read a)" + again, "a"},
		{"no answer and not shown", "dropped", nil, protocol.Ambiguous,
			"whether the change was made could not be found out: the answer was lost (the connection" +
				" broke), and it still shows: the value of a is off, not on" + again, "a"},
		{"taken and not shown", "ignore", nil, protocol.Unverified,
			"the provider took the change and does not show it: the value of a is off, not on; look at it," +
				" then try again under the same key", ""},
	} {
		rule(t, tt.name, func(t *testing.T) {
			c := newCore(t, "a=off")
			c.timeout = time.Second
			c.cloud.changes = script{"a": {tt.word}}
			c.cloud.onChange = func() { c.cloud.reads = tt.reads }
			got := failed(t, c.set("k", "a", "on"), tt.class, "prior=off", "lost="+tt.lost)
			if got.Error != tt.want {
				t.Errorf("it says\n%s\nwant\n%s", got.Error, tt.want)
			}
			c.free("k", false)
		})
	}
	rule(t, "shown, but never twice in a row", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.timeout = time.Second
		c.cloud.changes = script{"a": {"lost"}}
		c.cloud.onChange = func() {
			c.cloud.reads = slices.Repeat([]string{"fail", "ok"}, 50)
		}
		got := failed(t, c.set("k", "a", "on"), protocol.Ambiguous)
		says(t, got, "it still shows: what was expected, but not twice in a row")
	})
}

// TestTheLogTellsEachChange: before it is sent, and that its answer was lost.
func TestTheLogTellsEachChange(t *testing.T) {
	rule(t, "lost", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.cloud.changes = script{"a": {"lost"}}
		is(t, c.set("k", "a", "on"), protocol.Succeeded)
		want := []string{
			`level=INFO msg=changing call=test:Switch resource=a attribute=value from=off to=on`,
			`level=WARN msg="the outcome of a change is unknown, reading back" call=test:Switch` +
				` resource=a error="the connection broke"`,
		}
		if !slices.Equal(c.log.all, want) {
			t.Errorf("the log:\n%s", strings.Join(c.log.all, "\n"))
		}
	})
}
