package executor

import (
	"maps"
	"testing"
	"time"

	"aws-provider-executor/pkg/protocol"

	"github.com/google/go-cmp/cmp"
)

// recorded holds the entries under a key against those that should be there, one a line.
func (c *core) recorded(key, want string) {
	c.t.Helper()
	if diff := cmp.Diff(want, c.entries(key)); diff != "" {
		c.t.Errorf("under %s (-want +got):\n%s", key, diff)
	}
}

// TestWhatIsRecorded: before a change its prior fact, after it that it is so; before an undo
// its aim, after it what it left.
func TestWhatIsRecorded(t *testing.T) {
	rule(t, "an action", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.dies = "after put 1"
		is(t, c.set("k", "a", "on"), died)
		c.recorded("k", "a 1 off>on pending")
		is(t, c.set("k", "a", "on"), protocol.Succeeded)
		c.recorded("k", "a 1 off>on live")
		r, _ := c.record("k")
		if diff := cmp.Diff(map[string]string{"prior": "off"}, r.Facts); diff != "" {
			t.Errorf("the facts (-want +got):\n%s", diff)
		}
	})
	rule(t, "nothing that is no fact", func(t *testing.T) {
		c := newCore(t, "a=")
		is(t, c.set("k", "a", "on"), protocol.Succeeded)
		if r, found := c.record("k"); !found || len(r.Facts) > 0 {
			t.Errorf("%t, %+v", found, r.Facts)
		}
	})
	rule(t, "an undo", func(t *testing.T) {
		c := newCore(t, "a=off")
		facts := is(t, c.set("k", "a", "on"), protocol.Succeeded)
		c.dies = "after put 1"
		is(t, c.undo("k", "a", facts), died)
		c.now("a=on")
		c.recorded("k", `a 1 off>on undoing 2 to "off"`)
	})
	rule(t, "an undo whose intent can't be recorded changes nothing", func(t *testing.T) {
		c := newCore(t, "a=off")
		facts := is(t, c.set("k", "a", "on"), protocol.Succeeded)
		c.breaks = "put"
		failed(t, c.undo("k", "a", facts), protocol.StateStore)
		c.now("a=on")
		if n := c.changes(); n != 1 {
			t.Errorf("%d changes: %v", n, c.cloud.calls)
		}
	})
	rule(t, "an undo of what nothing tells of", func(t *testing.T) {
		c := newCore(t, "a=on")
		c.dies = "after put 1" // which never comes
		is(t, c.send("reset", "x:undo", "a", map[string]string{"prior": "off", "to": "on"}),
			protocol.Succeeded, "changed=true")
		if r, found := c.record("x"); found {
			t.Errorf("recorded is %+v", r)
		}
		c.now("a=off")
	})
	rule(t, "an undo of what nothing tells of, that is refused", func(t *testing.T) {
		c := newCore(t, "a=on")
		c.cloud.changes = script{"a": {"refuse"}}
		failed(t, c.send("reset", "x:undo", "a", map[string]string{"prior": "off", "to": "on"}),
			protocol.Throttled)
		if len(c.log.all) != 1 {
			t.Errorf("the log: %q", c.log.all)
		}
	})
	rule(t, "earlier undos until nothing rests on them, and no later one", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.unswept = true
		below := is(t, c.set("below", "a", "dim"), protocol.Succeeded)
		above := is(t, c.set("above", "a", "on"), protocol.Succeeded)
		is(t, c.undo("below", "a", below), protocol.Succeeded, "changed=false")
		is(t, c.undo("above", "a", above), protocol.Succeeded, "changed=true")
		c.recorded("below", `a 1 off>dim withdrawn 3 to "on"`)
		c.recorded("above", `a 2 dim>on withdrawn 4 to "off"`)
		// An undo may be sent again for a minute.
		time.Sleep(2 * time.Minute)
		later := is(t, c.set("later", "a", "on"), protocol.Succeeded)
		is(t, c.undo("later", "a", later), protocol.Succeeded, "changed=true")
		c.now("a=off")
		for _, key := range []string{"below", "above", "later"} {
			if r, found := c.record(key); found {
				t.Errorf("under %s is still recorded %+v", key, r)
			}
		}
	})
	rule(t, "a backup as one, and it stays one", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		facts := is(t, c.send("on", "k", "a+>,b", nil), protocol.Succeeded)
		c.recorded("k", "a 1 off>on live backup\nb 1 off>on live")
		c.dies = "after put 1"
		is(t, c.send("off", "k:undo", "a+>,b", facts.Observed), died)
		c.recorded("k", `a 1 off>on undoing 2 to "off" backup`+"\n"+`b 1 off>on undoing 2 to "off"`)
	})
	rule(t, "what may fail and did is not recorded as made, nor written twice", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.cloud.changes = script{"a": {"refuse"}}
		c.dies = "after put 2" // which never comes
		is(t, c.send("on", "k", "a~", nil), protocol.Succeeded)
		c.recorded("k", "a 1 off>on pending")
	})
	rule(t, "part of it made", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.changes = script{"a": {"refuse"}}
		is(t, c.send("on", "k", "a~,b", nil), protocol.Succeeded)
		c.recorded("k", "a 1 off>on pending\nb 1 off>on live")
	})
	rule(t, "that it is made can't be recorded", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.cloud.onChange = func() { c.breaks = "put" }
		is(t, c.set("k", "a", "on"), protocol.Succeeded)
		c.logged(`level=WARN msg="the record stays marked as pending"` +
			` error="the disk is broken; nothing was changed"`)
		c.cloud.onChange, c.breaks, c.log.all = nil, "", nil
		is(t, c.set("k2", "a", "dim"), protocol.Succeeded)
		if len(c.log.all) != 1 {
			t.Errorf("the log: %q", c.log.all)
		}
	})
}

// TestNothingIsPlannedWithoutThePast: what is recorded of a switch by others decides what was there
// before, whether something is to be changed or not.
func TestNothingIsPlannedWithoutThePast(t *testing.T) {
	for _, value := range []string{"on", "off"} {
		rule(t, "where a is "+value, func(t *testing.T) {
			c := newCore(t, "a="+value)
			c.breaks = "history"
			failed(t, c.set("k", "a", "on"), protocol.StateStore)
			c.now("a=" + value)
			c.breaks = ""
			c.free("k", true)
		})
	}
}

// TestWhatOnlyTheProviderTellsOf: an action that tags alone tell of explains what is so, as a
// recorded one does: an action on top of it finds no stranger's value.
func TestWhatOnlyTheProviderTellsOf(t *testing.T) {
	for below, want := range map[string]bool{"": true, "dim": false} {
		rule(t, "before it "+below, func(t *testing.T) {
			c := newCore(t, "a=off")
			is(t, c.set("k", "a", "on", "below="+below), protocol.Succeeded)
			if r, _ := c.record("k"); r.Entries[0].Begins != want {
				t.Errorf("a stranger's value was found: %t, want %t", r.Entries[0].Begins, want)
			}
		})
	}
}

// TestTheWayOfAnEarlierAttempt: a retry goes the way that was recorded, which its own guards may
// leave out.
func TestTheWayOfAnEarlierAttempt(t *testing.T) {
	rule(t, "it had not begun", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.dies = "before change"
		is(t, c.set("k", "a", "on", "by=dim"), died)
		is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=off")
		if n := c.changes(); n != 2 {
			t.Errorf("%d changes: %v", n, c.cloud.calls)
		}
	})
	rule(t, "it is half-way", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.dies = "after change"
		is(t, c.set("k", "a", "on", "by=dim"), died)
		c.now("a=dim")
		is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=off")
		c.recorded("k", "a 1 off>on live")
	})
}

// TestKilledInsideAnUndo: what an undo was to take away is nobody's need any more, though it may be
// there still, and another key may come before the undo is sent again.
func TestKilledInsideAnUndo(t *testing.T) {
	for _, point := range []string{"before change", "after change"} {
		rule(t, point, func(t *testing.T) {
			c := newCore(t, "a=off")
			first := is(t, c.set("k1", "a", "on"), protocol.Succeeded)
			c.dies = point
			is(t, c.undo("k1", "a", first), died)
			second := is(t, c.set("k2", "a", "on"), protocol.Succeeded)
			is(t, c.undo("k2", "a", second), protocol.Succeeded, "heldBy=")
			c.now("a=off")
			is(t, c.undo("k1", "a", first), protocol.Succeeded, "changed=false")
			c.now("a=off")
		})
	}
}

// TestWhoseRecordAnUndoMakes: that of the action, where its key names one, or of the release.
func TestWhoseRecordAnUndoMakes(t *testing.T) {
	rule(t, "an unknown action's", func(t *testing.T) {
		c := newCore(t, "a=on")
		is(t, c.set("k1", "a", "on"), protocol.Succeeded)
		is(t, c.send("reset", "x:undo", "a", map[string]string{"prior": "off", "to": "on"}),
			protocol.Succeeded, `heldBy=["k1"]`)
		c.recorded("x", `a 2 off>on withdrawn 3 to "on"`)
		if r, _ := c.record("x"); r.Action != "set" || r.Target["switch"] != "a" {
			t.Errorf("recorded is %+v", r)
		}
	})
	rule(t, "a release's", func(t *testing.T) {
		c := newCore(t, "a=off")
		is(t, c.set("k1", "a", "on"), protocol.Succeeded)
		is(t, c.send("reset", "own", "a", nil), protocol.Succeeded)
		if r, _ := c.record("own"); r.Action != "reset" || r.Target["switch"] != "a" {
			t.Errorf("recorded is %+v", r)
		}
	})
	rule(t, "an unknown action's, killed, and its target gone since", func(t *testing.T) {
		c := newCore(t, "a=on")
		is(t, c.set("k1", "a", "on"), protocol.Succeeded)
		facts := protocol.Status{Observed: map[string]string{"prior": "off", "to": "on"}}
		c.dies = "after put 1"
		is(t, c.undo("x", "a", facts, "ignoreHolders=true"), died)
		c.recorded("x", `a 2 off>on undoing 3 to "off"`)
		c.cloud.values["a"] = gone
		time.Sleep(2 * time.Minute)
		is(t, c.undo("x", "a", facts), protocol.Succeeded, "targetGone=true")
	})
}

// TestWhatRestsOnFactsAlone is asked about: an undo that would change, or enter, what nothing here
// records. Refused, it leaves everything as it is.
func TestWhatRestsOnFactsAlone(t *testing.T) {
	no := protocol.Refuse(protocol.Denied, "not by facts alone")
	for _, tt := range []struct {
		name, world, key string
		others           bool
		asked            bool
		state            protocol.State
	}{
		{"it would change something", "a=on", "x:undo", false, true, protocol.Succeeded},
		{"it would enter itself below another", "a=dim", "x:undo", true, true, protocol.Succeeded},
		{"what is recorded", "a=off", "k:undo", true, false, protocol.Succeeded},
		{"there is nothing to change", "a=off", "x:undo", false, false, protocol.Succeeded},
	} {
		rule(t, tt.name, func(t *testing.T) {
			c := newCore(t, tt.world)
			if tt.others {
				is(t, c.set("k", "a", "on"), protocol.Succeeded)
			}
			before, recorded := maps.Clone(c.cloud.values), c.entries("k")
			asked := 0
			c.byFacts = func(r protocol.Request) error {
				if asked++; r.IdempotencyKey != tt.key {
					t.Errorf("asked about %+v", r)
				}
				return no
			}
			facts := map[string]string{"prior": "off", "to": tt.world[2:]}
			if tt.key == "k:undo" || !tt.others {
				facts["to"] = "on"
			}
			got := c.send("reset", tt.key, "a", facts)
			if (asked == 1) != tt.asked {
				t.Errorf("asked %d times: %+v", asked, got)
			}
			if !tt.asked {
				is(t, got, tt.state)
				return
			}
			failed(t, got, protocol.Denied)
			if !maps.Equal(before, c.cloud.values) || c.entries("k") != recorded || c.entries("x") != "" {
				t.Errorf("%v, %q, %q", c.cloud.values, c.entries("k"), c.entries("x"))
			}
			c.byFacts = nil
			is(t, c.send("reset", tt.key, "a", facts), tt.state)
		})
	}
}

// TestForgedFactsOfWhatIsRecorded: an undo of a recorded action goes by the record. Facts that are
// not the record's change nothing, so that nobody has to be asked about them.
func TestForgedFactsOfWhatIsRecorded(t *testing.T) {
	for _, tt := range []struct {
		name  string
		facts []string
	}{
		{"another prior", []string{"prior=dim"}},
		{"another end", []string{"to=dim"}},
		{"both", []string{"prior=on", "to=off"}},
	} {
		rule(t, tt.name, func(t *testing.T) {
			c := newCore(t, "a=off")
			got := is(t, c.set("k", "a", "on"), protocol.Succeeded)
			c.byFacts = func(r protocol.Request) error {
				t.Errorf("asked about %+v", r)
				return nil
			}
			recorded := c.entries("k")
			failed(t, c.undo("k", "a", got, tt.facts...), protocol.Conflict)
			if c.now("a=on"); c.entries("k") != recorded {
				t.Errorf("recorded is %q, was %q", c.entries("k"), recorded)
			}
			is(t, c.undo("k", "a", got), protocol.Succeeded, "changed=true")
			c.now("a=off")
		})
	}
}

// TestAnUndoOfAPart: an undo ends the whole action. What it was not asked about stays as it is.
func TestAnUndoOfAPart(t *testing.T) {
	held := func(t *testing.T) *core {
		c := newCore(t, "a=off", "b=off")
		is(t, c.both("k1", ""), protocol.Succeeded)
		is(t, c.both("k2", ""), protocol.Succeeded)
		return c
	}
	rule(t, "the rest is withdrawn", func(t *testing.T) {
		c := held(t)
		is(t, c.send("off", "k1:undo", "a", nil), protocol.Succeeded, `heldBy=["k2"]`)
		c.recorded("k1", `a 1 off>on withdrawn 3 to "on"`+"\n"+`b 1 off>on withdrawn 3 to "on"`)
		is(t, c.send("off", "k2:undo", "a,b", nil), protocol.Succeeded, "changed=true")
		c.now("a=off b=off")
	})
	rule(t, "the history of the rest can't be read", func(t *testing.T) {
		c := held(t)
		c.breaks = "history b"
		is(t, c.send("off", "k1:undo", "a", nil), protocol.Succeeded, `heldBy=["k2"]`)
		c.recorded("k1", "a 1 off>on live\nb 1 off>on live")
		c.logged(`level=WARN msg="the record stays although its action is undone" key=k1` +
			` error="the disk is broken; nothing was changed"`)
		c.breaks = ""
		is(t, c.send("off", "k1:undo", "a", nil), protocol.Succeeded, `heldBy=["k2"]`)
		c.free("k1", true)
	})
	rule(t, "the history of what is undone already can't be read", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		is(t, c.send("on", "k1", "b,a", nil), protocol.Succeeded)
		is(t, c.both("k2", ""), protocol.Succeeded)
		is(t, c.send("off", "k1:undo", "b,a", nil), protocol.Succeeded, `heldBy=["k2"]`)
		is(t, c.send("on", "k1", "a", nil), protocol.Succeeded)
		c.breaks = "history b"
		is(t, c.send("off", "k1:undo", "a", nil), protocol.Skipped, `heldBy=["k2"]`)
		c.free("k1", false)
		c.logged(`level=WARN msg="the record stays although its action is undone" key=k1` +
			` error="the disk is broken; nothing was changed"`)
		c.breaks = ""
		is(t, c.send("off", "k1:undo", "a", nil), protocol.Skipped, `heldBy=["k2"]`)
		c.free("k1", true)
	})
}

// TestHowLongARecordStays: for a minute after the last undo, where several actions took part: an
// undo that is sent again must not go by its facts alone. Then all of them go.
func TestHowLongARecordStays(t *testing.T) {
	rule(t, "of two", func(t *testing.T) {
		c := newCore(t, "a=off")
		first := is(t, c.set("k1", "a", "on"), protocol.Succeeded)
		second := is(t, c.set("k2", "a", "on"), protocol.Succeeded)
		time.Sleep(2 * time.Minute)
		is(t, c.undo("k1", "a", first), protocol.Succeeded)
		time.Sleep(2 * time.Minute)
		is(t, c.undo("k2", "a", second), protocol.Succeeded, "changed=true")
		c.recorded("k2", `a 2 on>on withdrawn 4 to "off"`)
		is(t, c.undo("k2", "a", second), protocol.Skipped)
		c.now("a=off")
	})
	rule(t, "of one", func(t *testing.T) {
		c := newCore(t, "a=off")
		facts := is(t, c.set("k", "a", "on"), protocol.Succeeded)
		is(t, c.undo("k", "a", facts), protocol.Succeeded)
		if r, found := c.record("k"); found {
			t.Errorf("recorded is %+v", r)
		}
	})
	rule(t, "of one of several parts, while another's part rests on it", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		first := is(t, c.both("k1", ""), protocol.Succeeded)
		is(t, c.set("k2", "b", "on"), protocol.Succeeded)
		is(t, c.send("off", "k1:undo", "a,b", first.Observed), protocol.Succeeded, `heldBy=["k2"]`)
		c.now("a=off b=on")
		if _, found := c.record("k1"); !found {
			t.Error("it is forgotten")
		}
		is(t, c.send("reset", "k2:undo", "b", nil), protocol.Succeeded)
		c.now("a=off b=off")
	})
	rule(t, "of releases under one key, the last one alone", func(t *testing.T) {
		c := newCore(t, "a=off")
		for _, key := range []string{"k1", "k2"} {
			is(t, c.set(key, "a", "on"), protocol.Succeeded)
			is(t, c.send("reset", "own", "a", nil), protocol.Succeeded)
		}
		c.now("a=off")
		c.recorded("own", "a 4 on>off live")
	})
	rule(t, "of releases of two switches under one key, the last one of each", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		for _, name := range []string{"a", "b", "b"} {
			is(t, c.set("k"+name, name, "on"), protocol.Succeeded)
			is(t, c.send("reset", "own", name, nil), protocol.Succeeded)
		}
		c.now("a=off b=off")
		c.recorded("own", "a 2 on>off live\nb 4 on>off live")
	})
}
