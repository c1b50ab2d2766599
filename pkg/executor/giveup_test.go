package executor

import (
	"slices"
	"testing"
	"time"

	"aws-provider-executor/pkg/protocol"
)

// TestABackupIsTakenBackWithItsAction: what only prepares for an undo goes when the action
// failed, once all else is read to be as it was.
func TestABackupIsTakenBackWithItsAction(t *testing.T) {
	refused := script{"b": {"refuse"}}
	rule(t, "it was made in this attempt", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.changes = refused
		got := failed(t, c.send("on", "k", "a+>,b", nil), protocol.Throttled, "warning=")
		c.now("a=off b=off")
		c.free("k", true)
		if got.UndoAvailable {
			t.Errorf("an undo is offered: %+v", got)
		}
	})
	rule(t, "what was so before stays", func(t *testing.T) {
		c := newCore(t, "a=on", "b=off")
		c.cloud.changes = script{"b": {"refuse"}}
		failed(t, c.send("on", "k", "a+>,b", nil), protocol.Throttled)
		if slices.Contains(c.cloud.calls, "a=on") || slices.Contains(c.cloud.calls, "a=off") {
			t.Errorf("calls %v", c.cloud.calls)
		}
		c.now("a=on b=off")
	})
	rule(t, "what was not made is not taken back", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.changes = script{"a": {"refuse"}, "b": {"refuse"}}
		failed(t, c.send("on", "k", "a+>~,b", nil), protocol.Throttled)
		if slices.Contains(c.cloud.calls, "a=off") {
			t.Errorf("calls %v", c.cloud.calls)
		}
	})
	rule(t, "it stays while something else is not as it was", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.changes = script{"b": {"refuse"}}
		c.cloud.onChange = func() { c.cloud.values["b"] = "dim" } // by somebody else
		failed(t, c.send("on", "k", "a+>,b", nil), protocol.Throttled)
		c.now("a=on b=dim")
	})
	rule(t, "it stays while another part is in force", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off", "c=off")
		c.cloud.changes = script{"b": {"refuse"}}
		got := failed(t, c.send("on", "k", "a+>,c>,b", nil), protocol.Throttled)
		c.now("a=on b=off c=on")
		c.free("k", false)
		if !got.UndoAvailable {
			t.Errorf("no undo is offered: %+v", got)
		}
	})
	rule(t, "that it can't be taken back is a warning, and soon enough", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.changes = script{"a": {"ok", "refuse"}, "b": {"refuse"}}
		began := time.Now()
		got := failed(t, c.send("on", "k", "a+>,b", nil), protocol.Throttled,
			"warning=the value of a is left: cannot switch a: throttled")
		says(t, got, "; the value of a is left: cannot switch a: throttled")
		c.now("a=on b=off")
		c.logged(`level=WARN msg="cannot take back a backup" resource=a attribute=value` +
			` error="cannot switch a: throttled"`)
		if took := time.Since(began); took > mayFailPatience {
			t.Errorf("it took %s", took)
		}
	})
	rule(t, "it is not waited for as long as for what counts", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.changes = script{"a": {"ok", "ignore"}, "b": {"refuse"}}
		began := time.Now()
		failed(t, c.send("on", "k", "a+>,b", nil), protocol.Throttled,
			"warning=the value of a is left: the provider took it and does not show it")
		if took := time.Since(began).Round(time.Second); took != mayFailPatience {
			t.Errorf("it took %s", took)
		}
	})
	rule(t, "what an attempt long ago left of it goes too", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.dies = "before change 2"
		is(t, c.send("on", "k", "a+>,b", nil), died)
		c.now("a=on b=off")
		time.Sleep(2 * time.Minute)
		c.cloud.changes = script{"b": {"refuse"}}
		failed(t, c.send("on", "k", "a+>,b", nil), protocol.Throttled)
		c.now("a=off b=off")
		c.free("k", true)
	})
}

// TestWhatAnEarlierStageBroughtAbout: it stays, and so does the record. What was so before is
// nothing that the action brought about.
func TestWhatAnEarlierStageBroughtAbout(t *testing.T) {
	for _, a := range []string{"off", "on"} {
		rule(t, "a was "+a, func(t *testing.T) {
			c := newCore(t, "a="+a, "b=off")
			c.cloud.changes = script{"b": {"refuse"}}
			got := failed(t, c.send("on", "k", "a>,b", nil), protocol.Throttled)
			c.now("a=on b=off")
			c.free("k", a == "on")
			if got.UndoAvailable != (a == "off") {
				t.Errorf("an undo is offered: %t", got.UndoAvailable)
			}
		})
	}
}

// TestTheRecordIsAsItWasFound: a retry that certainly changed nothing leaves no trace of itself.
func TestTheRecordIsAsItWasFound(t *testing.T) {
	rule(t, "of what is in force", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		is(t, c.both("k", ""), protocol.Succeeded)
		before := c.entries("k")
		c.cloud.values["b"] = "dim" // by somebody else
		c.cloud.changes = script{"b": {"refuse"}}
		failed(t, c.both("k", ""), protocol.Throttled)
		if got := c.entries("k"); got != before {
			t.Errorf("recorded is\n%s\nwant\n%s", got, before)
		}
	})
	rule(t, "of an action that is to be undone", func(t *testing.T) {
		c := newCore(t, "a=off")
		got := is(t, c.set("k", "a", "on"), protocol.Succeeded)
		before := c.entries("k")
		c.cloud.changes = script{"a": {"refuse"}}
		failed(t, c.undo("k", "a", got), protocol.Throttled)
		if got := c.entries("k"); got != before {
			t.Errorf("recorded is\n%s\nwant\n%s", got, before)
		}
	})
	rule(t, "of an action that died long ago and is to be undone", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.dies = "after change"
		is(t, c.set("k", "a", "on"), died)
		time.Sleep(2 * time.Minute)
		before := c.entries("k")
		c.cloud.changes = script{"a": {"refuse"}}
		failed(t, c.send("reset", "k:undo", "a", nil), protocol.Throttled)
		if got := c.entries("k"); got != before {
			t.Errorf("recorded is\n%s\nwant\n%s", got, before)
		}
		is(t, c.send("reset", "k:undo", "a", nil), protocol.Succeeded)
		c.now("a=off")
	})
	rule(t, "of an attempt long ago that changed nothing, none", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.dies = "before change"
		is(t, c.set("k", "a", "on"), died)
		time.Sleep(2 * time.Minute)
		c.cloud.changes = script{"a": {"refuse"}}
		failed(t, c.set("k", "a", "on"), protocol.Throttled)
		if _, found := c.record("k"); found {
			t.Error("a record is left")
		}
		// Planned by one reading; two more show that it changed nothing.
		if got := len(c.cloud.calls) - c.changes(); got != 4 {
			t.Errorf("%d readings: %v", got, c.cloud.calls)
		}
	})
	rule(t, "of such an attempt, none from one moment to the next", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.dies = "before change"
		is(t, c.set("k", "a", "on"), died)
		time.Sleep(2 * time.Minute)
		c.cloud.changes, c.dies = script{"a": {"refuse"}}, "after remove 1"
		is(t, c.set("k", "a", "on"), died)
		if r, found := c.record("k"); found {
			t.Errorf("recorded is %+v", r)
		}
	})
	rule(t, "of what is undone, while another may need it", func(t *testing.T) {
		c := newCore(t, "a=off")
		first := is(t, c.set("k1", "a", "on"), protocol.Succeeded)
		second := is(t, c.set("k2", "a", "dim"), protocol.Succeeded)
		is(t, c.undo("k1", "a", first), protocol.Succeeded, `heldBy=["k2"]`)
		before := c.entries("k1")
		c.cloud.changes = script{"a": {"refuse"}}
		failed(t, c.set("k1", "a", "red"), protocol.Throttled)
		if got := c.entries("k1"); got != before || before == "" {
			t.Errorf("recorded is\n%s\nwant\n%s", got, before)
		}
		// What was before both is not lost.
		is(t, c.undo("k2", "a", second), protocol.Succeeded)
		c.now("a=off")
	})
	rule(t, "it can't be written: the failure stays what it is", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.cloud.changes = script{"a": {"refuse"}}
		c.breaks = "remove"
		failed(t, c.set("k", "a", "on"), protocol.Throttled)
		c.logged(`level=WARN msg="the record stays although nothing was changed" key=k` +
			` error="the disk is broken; nothing was changed"`)
	})
	rule(t, "and none is kept where none is to be", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.dir = ""
		c.cloud.changes = script{"a": {"refuse"}}
		failed(t, c.set("k", "a", "on"), protocol.Throttled)
	})
	rule(t, "and it says nothing where it can", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.cloud.changes = script{"a": {"refuse"}}
		failed(t, c.set("k", "a", "on"), protocol.Throttled)
		if len(c.log.all) != 1 {
			t.Errorf("the log: %q", c.log.all)
		}
	})
}

// TestWhatIsNotBackIsSaid: a failure that leaves something half-way says what, and where.
func TestWhatIsNotBackIsSaid(t *testing.T) {
	for _, tt := range []struct{ name, word, want string }{
		{"refused", "refuse", "; and the value of a is not back at off (cannot switch a: throttled):" +
			" put it back by hand, or undo"},
		{"taken and not shown", "ignore", "the value of a is not back at off (the provider took it and" +
			" does not show it)"},
		{"without an answer", "dropped", "the value of a may not be back at off (the connection broke)"},
	} {
		rule(t, tt.name, func(t *testing.T) {
			c := newCore(t, "a=off", "b=off")
			c.cloud.changes = script{"a": {"ok", tt.word}, "b": {"refuse"}}
			got := failed(t, c.both("k", ""), protocol.Throttled)
			says(t, got, tt.want)
			c.free("k", false)
			if !got.UndoAvailable {
				t.Errorf("no undo is offered: %+v", got)
			}
		})
	}
	rule(t, "taken and not read", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.changes = script{"b": {"refuse"}}
		c.cloud.onChange = func() {
			if c.cloud.values["a"] == "on" {
				c.cloud.reads = slices.Repeat([]string{"fail"}, 100)
			}
		}
		says(t, failed(t, c.both("k", ""), protocol.Throttled),
			"(the provider took it, but it could not be read back: cannot read a)")
	})
	rule(t, "and what it means", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.cloud.changes = script{"a": {"ok", "refuse", "refuse"}}
		says(t, failed(t, c.send("on", "k", "a", map[string]string{"via": "dim"}),
			protocol.Throttled), ", which leaves it half-way")
		c = newCore(t, "a=off")
		c.cloud.changes = script{"a": {"ok", "refuse", "refuse"}}
		says(t, failed(t, c.set("k", "a", "on", "by=dim"), protocol.Throttled),
			"is not back at off (cannot switch a: throttled): put it back by hand, or undo")
	})
	rule(t, "refused because it is back already", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.changes = script{"a": {"ok", "conflict"}, "b": {"refuse"}}
		c.cloud.onChange = func() {
			if c.cloud.values["a"] == "on" && len(c.cloud.changes["b"]) == 0 {
				c.cloud.values["a"] = "off"
			}
		}
		got := failed(t, c.both("k", ""), protocol.Throttled)
		says(t, got, "; what was changed before it was put back")
		c.free("k", true)
	})
	rule(t, "without an answer, and back all the same", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.changes = script{"a": {"ok", "lost"}, "b": {"refuse"}}
		says(t, failed(t, c.both("k", ""), protocol.Throttled),
			"; what was changed before it was put back")
		// Planned by one reading of both; two more in a row are believed.
		if got := len(c.cloud.calls) - c.changes(); got != 6 {
			t.Errorf("%d readings: %v", got, c.cloud.calls)
		}
	})
	rule(t, "a refusal is not waited over for long", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.changes = script{"a": {"ok", "refuse"}, "b": {"refuse"}}
		began := time.Now()
		failed(t, c.both("k", ""), protocol.Throttled)
		if took := time.Since(began).Round(time.Second); took != lastPause {
			t.Errorf("it took %s", took)
		}
	})
	rule(t, "of all that was refused", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.changes = script{"a": {"refuse"}, "b": {"conflict"}}
		got := failed(t, c.both("k", ""), protocol.Throttled)
		if got.Error != "cannot switch a: throttled; cannot switch b: it is not so" {
			t.Errorf("it says %q", got.Error)
		}
	})
	rule(t, "nothing, where nothing was changed before", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.cloud.changes = script{"a": {"refuse"}}
		got := failed(t, c.set("k", "a", "on"), protocol.Throttled)
		if got.Error != "cannot switch a: throttled" {
			t.Errorf("it says %q", got.Error)
		}
	})
}

// TestANotFoundUndoStaysRetryable: an undo has read that it may restore. What the provider does
// not find then, or holds otherwise, is one of two readings that is old.
func TestANotFoundUndoStaysRetryable(t *testing.T) {
	for word, class := range map[string]protocol.FailureClass{
		"conflict": protocol.Conflict, "missing": protocol.NotFound,
	} {
		rule(t, word, func(t *testing.T) {
			c := newCore(t, "a=off", "b=off")
			got := is(t, c.set("k", "a", "on"), protocol.Succeeded)
			c.cloud.changes = script{"a": {word}}
			failed(t, c.undo("k", "a", got), class, "retryable=true")
			c.now("a=on b=off")
			c.free("k", false)
		})
	}
}
