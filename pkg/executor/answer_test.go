package executor

import (
	"testing"
	"time"

	"aws-provider-executor/pkg/protocol"
)

// sentence holds a message against what it should be, word for word.
func sentence(t *testing.T, got protocol.Status, want string) {
	t.Helper()
	if got.Message != want {
		t.Errorf("it says\n%s\nwant\n%s", got.Message, want)
	}
}

// TestSentences: each answer says what was done or would be, by whom it is held, what is dangerous.
func TestSentences(t *testing.T) {
	rule(t, "an action", func(t *testing.T) {
		c := newCore(t, "a=off")
		danger := map[string]string{"to": "on", "danger": "it is hot"}
		sentence(t, c.send("set?", "k", "a", danger), "would switch; it is hot")
		sentence(t, c.send("set", "k", "a", danger), "switched; it is hot")
		sentence(t, c.send("set?", "k2", "a", danger), "nothing to do: switched; it is hot")
		sentence(t, c.set("k2", "a", "on"), "nothing to do: switched")
		sentence(t, c.set("k", "a", "on"), "switched, in an earlier attempt under this key")
	})
	rule(t, "what can't be foreseen", func(t *testing.T) {
		c := newCore(t, "a=off")
		got := is(t, c.send("set?", "k", "a", map[string]string{"to": "on", "unforeseen": "x,y"}),
			protocol.Succeeded, "unforeseen=x; y")
		sentence(t, got, "would switch; not foreseen: x; y")
	})
	rule(t, "an undo that finds holders", func(t *testing.T) {
		c := newCore(t, "a=off")
		for _, key := range []string{"k1", "k3", "k2"} {
			is(t, c.set(key, "a", "on"), protocol.Succeeded)
		}
		two := is(t, c.send("reset", "k1:undo", "a", nil), protocol.Succeeded, `heldBy=["k2","k3"]`)
		sentence(t, two, `nothing is changed: the actions "k2", "k3" count on what is so now;`+
			" the undo of the last one brings back what was there before")
		one := c.send("reset", "k2:undo", "a", nil)
		sentence(t, one, `nothing is changed: the action "k3" counts on what is so now;`+
			" the undo of the last one brings back what was there before")
		sentence(t, c.send("reset", "k2:undo", "a", nil), "nothing to do: the action is undone already")
	})
	rule(t, "an undo of something unknown that finds holders", func(t *testing.T) {
		c := newCore(t, "a=on")
		is(t, c.set("k1", "a", "dim"), protocol.Succeeded)
		is(t, c.send("reset", "x:undo", "a", map[string]string{"prior": "off", "to": "dim"}),
			protocol.Succeeded, `heldBy=["k1"]`, "withdrawn=")
	})
	rule(t, "an undo that finds others for each part", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		is(t, c.both("k1", ""), protocol.Succeeded)
		is(t, c.set("k3", "a", "on"), protocol.Succeeded)
		is(t, c.set("k2", "b", "on"), protocol.Succeeded)
		is(t, c.send("off", "k1:undo", "a,b", nil), protocol.Succeeded, `heldBy=["k2","k3"]`)
	})
	rule(t, "an undo after a release", func(t *testing.T) {
		c := newCore(t, "a=off")
		facts := is(t, c.set("k", "a", "on"), protocol.Succeeded)
		is(t, c.send("reset", "own", "a", nil), protocol.Succeeded)
		sentence(t, is(t, c.undo("k", "a", facts), protocol.Succeeded, "released=own"),
			`nothing to do: a release ended the action ("own")`)
	})
	rule(t, "an undo over the heads of holders", func(t *testing.T) {
		c := newCore(t, "a=off")
		for _, key := range []string{"k1", "k3", "k2"} {
			is(t, c.set(key, "a", "on"), protocol.Succeeded)
		}
		over := map[string]string{"ignoreHolders": "true"}
		sentence(t, c.send("reset?", "k1:undo", "a", over),
			`would switch; the actions "k2", "k3" count on what it would take away`)
		sentence(t, c.send("reset", "k1:undo", "a", over),
			`switched; the actions "k2", "k3" count on what it took away`)
		c.now("a=off")
	})
	rule(t, "an undo over the head of one", func(t *testing.T) {
		c := newCore(t, "a=off")
		is(t, c.set("k1", "a", "on"), protocol.Succeeded)
		is(t, c.set("k2", "a", "on"), protocol.Succeeded)
		sentence(t, c.send("reset", "k1:undo", "a", map[string]string{"ignoreHolders": "true"}),
			`switched; the action "k2" counts on what it took away`)
	})
	rule(t, "a key that is nearly one", func(t *testing.T) {
		c := newCore(t, "a=off")
		is(t, c.set("k", "a", "on"), protocol.Succeeded)
		says(t, is(t, c.send("reset", "k:undo", `a","swich":"b`, nil), protocol.Succeeded),
			"switched; ignored: ")
	})
}

// TestNoUndoOfNothing: a retry that cannot read offers the undo of what the record tells, not of
// what changed nothing.
func TestNoUndoOfNothing(t *testing.T) {
	for value, want := range map[string]bool{"off": true, "on": false} {
		rule(t, "from "+value, func(t *testing.T) {
			c := newCore(t, "a="+value)
			is(t, c.set("k", "a", "on"), protocol.Succeeded)
			time.Sleep(time.Second)
			c.cloud.reads = []string{"fail"}
			got := failed(t, c.set("k", "a", "on"), protocol.Unavailable, "prior="+value)
			if got.UndoAvailable != want {
				t.Errorf("an undo is offered: %t", got.UndoAvailable)
			}
		})
	}
}
