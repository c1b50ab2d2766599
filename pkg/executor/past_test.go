package executor

import (
	"context"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/protocol"
)

// open opens the ledger as another program would.
func (c *core) open() *ledger.Ledger {
	c.t.Helper()
	l, err := ledger.Open(c.t.Context(), c.dir, ledger.OSDisk{}, time.Now)
	if err != nil {
		c.t.Fatal(err)
	}
	return l
}

// TestAKeyInUseIsNamed: a conflict says by what the key is held, and how it becomes free.
func TestAKeyInUseIsNamed(t *testing.T) {
	rule(t, "by another request", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		is(t, c.both("k", ""), protocol.Succeeded)
		want := `the idempotency key "k" is in use for another request (on of a, b),` +
			" which is not undone; undo that one first, or use another key"
		for _, verb := range []string{"set", "set?"} {
			sentence(t, failed(t, c.send(verb, "k", "a", map[string]string{"to": "dim"}),
				protocol.Conflict), want)
		}
	})
	rule(t, "by two attempts on one thing", func(t *testing.T) {
		c := newCore(t, "a=off")
		is(t, c.set("k", "a", "on"), protocol.Succeeded)
		c.cloud.values["a"] = "dim" // by somebody else
		is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=dim")
		says(t, failed(t, c.set("k", "a", "red"), protocol.Conflict), "(set of a), which")
	})
	rule(t, "by an action that another verb undoes", func(t *testing.T) {
		c := newCore(t, "a=off")
		is(t, c.set("k", "a", "on"), protocol.Succeeded)
		sentence(t, failed(t, c.send("strip", "k:undo", "a", nil), protocol.Conflict),
			`under the key "k" set is in force, of a, and strip does not undo that; undo it with reset;`+
				" nothing was changed")
	})
	rule(t, "by an action that this program does not know", func(t *testing.T) {
		c := newCore(t, "a=off")
		is(t, c.set("k", "a", "on"), protocol.Succeeded)
		record, _ := c.record("k")
		record.Action = "later"
		if err := c.open().Put(t.Context(), record); err != nil {
			t.Fatal(err)
		}
		is(t, c.send("reset", "k:undo", "a", nil), protocol.Succeeded, "changed=true")
		c.now("a=off")
	})
}

// TestTheHistoryIsOfOneSwitch: what one record tells of another switch is no part of it, and it is
// read once.
func TestTheHistoryIsOfOneSwitch(t *testing.T) {
	rule(t, "of one record", func(t *testing.T) {
		c := newCore(t, "a=off", "b=dim")
		facts := is(t, c.both("k", ""), protocol.Succeeded)
		is(t, c.set("other", "a", "red"), protocol.Succeeded)
		is(t, c.send("off", "k:undo", "a,b", facts.Observed), protocol.Succeeded, `heldBy=["other"]`)
		c.now("a=red b=dim")
		is(t, c.send("reset", "other:undo", "a", nil), protocol.Succeeded)
		c.now("a=off b=dim")
	})
	rule(t, "once", func(t *testing.T) {
		c := newCore(t, "a=off")
		is(t, c.set("k", "a", "on"), protocol.Succeeded)
		if c.opened != 1 {
			t.Errorf("it was read %d times", c.opened)
		}
	})
}

// TestADryRunAndTheLedger: it needs no lock, goes on without what can't be read, and says so.
func TestADryRunAndTheLedger(t *testing.T) {
	for breaks, want := range map[string]string{"get": "unread", "history": "unread", "lock": ""} {
		rule(t, "cannot "+breaks, func(t *testing.T) {
			c := newCore(t, "a=off")
			c.breaks = breaks
			is(t, c.send("set?", "k", "a", map[string]string{"to": "on"}), protocol.Succeeded, "prior=off",
				"ledger="+want)
			if want != "" {
				c.logged(`level=WARN msg="the dry-run does without prior facts"` +
					` error="the disk is broken; nothing was changed"`)
			}
		})
	}
}

// TestWhatIsLocked: what a request acts on, and nothing that it only names.
func TestWhatIsLocked(t *testing.T) {
	for thing, free := range map[string]bool{"r1": true, "a": false} {
		rule(t, thing, func(t *testing.T) {
			c := newCore(t, "a=off")
			release, err := c.open().Lock(t.Context(), "other", thing)
			if err != nil {
				t.Fatal(err)
			}
			defer release()
			got := c.send("set", "k", `a","region":"r1`, map[string]string{"to": "on"})
			if (got.Status == protocol.Succeeded) != free {
				t.Errorf("while another has %s: %+v", thing, got)
			}
		})
	}
}

// TestWhichActionTheFactsMean: one in force, of the verb that this one takes back, on the same
// target, with the same prior facts. Where several fit the address decides.
func TestWhichActionTheFactsMean(t *testing.T) {
	const one, two = `a","address":"10.0.0.1`, `a","address":"10.0.0.2`
	on := map[string]string{"to": "on"}
	told := map[string]string{"prior": "on", "to": "on"}
	rule(t, "the address decides", func(t *testing.T) {
		c := newCore(t, "a=on")
		is(t, c.send("set", "k1", one, on), protocol.Succeeded)
		is(t, c.send("set", "k2", two, on), protocol.Succeeded)
		sentence(t, failed(t, c.send("reset", "own", "a", told), protocol.Conflict),
			"several actions in force reported these facts; nothing was changed;"+
				` undo each under its own key: "k1:undo", "k2:undo"`)
		is(t, c.send("reset", "other", `a","address":"10.0.0.3`, told), protocol.Skipped,
			`heldBy=["k1","k2"]`)
		c.free("k1", false)
		c.free("k2", false)
		is(t, c.send("reset", "own", two, told), protocol.Skipped, `heldBy=["k1"]`)
		c.free("k1", false)
		c.free("k2", true)
	})
	rule(t, "only where several fit", func(t *testing.T) {
		c := newCore(t, "a=on")
		is(t, c.send("set", "k1", one, on), protocol.Succeeded)
		is(t, c.send("reset", "own", two, told), protocol.Skipped)
		c.free("k1", true)
	})
	rule(t, "none that is undone", func(t *testing.T) {
		c := newCore(t, "a=on")
		is(t, c.set("k1", "a", "on"), protocol.Succeeded)
		is(t, c.set("k2", "a", "on"), protocol.Succeeded)
		is(t, c.send("reset", "k1:undo", "a", nil), protocol.Skipped, `heldBy=["k2"]`)
		is(t, c.send("reset", "own", "a", told), protocol.Skipped, "heldBy=")
		c.free("k2", true)
	})
	rule(t, "one that may be in force", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.dies = "after change"
		is(t, c.set("k", "a", "on"), died)
		is(t, c.send("reset", "own", "a", map[string]string{"prior": "off", "to": "on"}),
			protocol.Succeeded, "changed=true")
		c.now("a=off")
		c.free("k", true)
	})
	for name, send := range map[string]func(c *core) protocol.Status{
		"of another verb": func(c *core) protocol.Status { return c.send("paint", "k", "a", on) },
		"of another region": func(c *core) protocol.Status {
			return c.send("set", "k", `a","region":"r2`, on)
		},
	} {
		rule(t, "none "+name, func(t *testing.T) {
			c := newCore(t, "a=on")
			is(t, send(c), protocol.Succeeded)
			c.send("reset", "own", "a", told)
			c.free("k", false)
		})
	}
	rule(t, "none that told other facts", func(t *testing.T) {
		c := newCore(t, "a=")
		is(t, c.set("k", "a", "on"), protocol.Succeeded)
		is(t, c.send("reset", "own", "a", map[string]string{"prior": "off", "to": "on"}),
			protocol.Succeeded, `heldBy=["k"]`, "changed=false")
		c.free("k", false)
	})
	rule(t, "found once, though it is planned twice", func(t *testing.T) {
		c := newCore(t, "a=off")
		facts := is(t, c.set("k", "a", "on"), protocol.Succeeded)
		c.cloud.stale = []map[string]string{{"a": "dim"}}
		is(t, c.send("reset", "own", "a", facts.Observed), protocol.Succeeded, "changed=true")
		c.now("a=off")
		c.free("k", true)
	})
}

// twoAttributes is a store with one record, of two attributes of one resource.
type twoAttributes struct {
	Store
	asked []string
}

func (s *twoAttributes) History(_ context.Context, resource, attribute string) (
	[]ledger.Record, error,
) {
	s.asked = append(s.asked, resource+"."+attribute)
	return []ledger.Record{{Key: "k", Entries: []ledger.Entry{
		{Resource: "a", Attribute: "color"}, {Resource: "a", Attribute: "size"},
	}}}, nil
}

// TestEachAttributeHasAHistory of its own, which is read once.
func TestEachAttributeHasAHistory(t *testing.T) {
	s := &twoAttributes{}
	r := &run{store: s, histories: map[ledger.Attribute][]action.Recorded{}}
	for range 2 {
		for _, attribute := range []string{"color", "size"} {
			all, err := r.history("a", attribute)
			if err != nil || len(all) != 1 || all[0].Attribute != attribute || all[0].Key != "k" {
				t.Errorf("of the %s it is %+v, %v", attribute, all, err)
			}
		}
	}
	if strings.Join(s.asked, " ") != "a.color a.size" {
		t.Errorf("it read %v", s.asked)
	}
}
