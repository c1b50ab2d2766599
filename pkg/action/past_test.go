package action

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"
)

// entry is an action's part in a history, as in "k1 off on live".
func entry(seq int64, text string) history.Entry {
	f := strings.Fields(text)
	return history.Entry{Seq: seq, Key: f[0], From: f[1], To: f[2], State: history.State(f[3]),
		Begins: seq == 1}
}

// undoOf is a request that takes back the action under a key, where these entries are recorded of
// the switch a.
func undoOf(key string, entries ...history.Entry) Request {
	p := &Past{Key: key}
	var all []Recorded
	for _, e := range entries {
		r := Recorded{Entry: e, Resource: "a", Attribute: "value", Action: "set"}
		all = append(all, r)
		if e.Key == key && e.State != history.Withdrawn && e.Ends == 0 {
			p.Own = append(p.Own, r)
		}
	}
	p.History = func(resource, attribute string) ([]Recorded, error) {
		if resource != "a" || attribute != "value" {
			return nil, nil
		}
		return all, nil
	}
	return Request{Past: p, Undoes: true, Parameters: map[string]string{}}
}

func at(now string) At { return At{Resource: "a", Attribute: "value", Now: now, What: "a"} }

// TestUndo: the record decides before the facts, the facts where nothing is recorded.
func TestUndo(t *testing.T) {
	k1, k2 := entry(1, "k1 off on live"), entry(2, "k2 on on live")
	restore := func(r Request) Request { r.Parameters[OnDrift.Name] = "restore"; return r }
	ignore := func(r Request) Request { r.Parameters[IgnoreHolders.Name] = "true"; return r }
	for _, c := range []struct {
		name  string
		r     Request
		now   string
		told  Told
		to    string
		held  []string
		class protocol.FailureClass
	}{
		{name: "the record alone", r: undoOf("k1", k1), now: "on", to: "off"},
		{name: "facts that agree", r: undoOf("k1", k1), now: "on", told: Told{"off", "on"}, to: "off"},
		{name: "another prior fact", r: undoOf("k1", k1), now: "on", told: Told{"dim", "on"},
			class: protocol.Conflict},
		{name: "another effect", r: undoOf("k1", k1), now: "on", told: Told{"off", "dim"},
			class: protocol.Conflict},
		{name: "back already", r: undoOf("k1", k1), now: "off", to: "off"},
		{name: "a stranger's value", r: undoOf("k1", k1), now: "dim", class: protocol.Drift},
		{name: "over a stranger's value", r: restore(undoOf("k1", k1)), now: "dim", to: "off"},
		{name: "held", r: undoOf("k1", k1, k2), now: "on", to: "on", held: []string{"k2"}},
		{name: "over a holder", r: ignore(undoOf("k1", k1, k2)), now: "on", to: "off",
			held: []string{"k2"}},
		{
			name: "the last holder, whose own fact says that it changed nothing",
			r:    undoOf("k2", entry(1, "k1 off on withdrawn"), k2), now: "on",
			told: Told{"on", "on"}, to: "off",
		},
		{name: "facts alone", r: undoOf("x"), now: "on", told: Told{"off", "on"}, to: "off"},
		{name: "facts alone, back already", r: undoOf("x"), now: "off",
			told: Told{"off", "on"}, to: "off"},
		{name: "facts alone, a third value", r: undoOf("x"), now: "dim", told: Told{"off", "on"},
			class: protocol.Drift},
		{name: "facts alone, nothing was changed", r: undoOf("x"), now: "on",
			told: Told{"on", "on"}, to: "on"},
		{
			name: "an unknown action below one in force",
			r:    undoOf("x", entry(1, "k1 on on live")), now: "on", told: Told{"off", "on"},
			to: "on", held: []string{"k1"},
		},
		{
			name: "an unknown action that fits below none in force",
			r:    undoOf("x", entry(1, "k1 on dim live")), now: "dim",
			told: Told{"off", "red"}, class: protocol.Drift,
		},
		{
			name: "an unknown action that fits below none, and led to what is so",
			r:    undoOf("x", entry(1, "k1 on dim live")), now: "dim", told: Told{"off", "dim"},
			to: "dim", held: []string{"k1"},
		},
		{
			name: "over the head of a holder, where a stranger made the value",
			r: ignore(undoOf("k2", entry(1, "k1 off on live"), history.Entry{
				Seq: 2, Key: "k2", From: "dim", To: "red", State: history.Live, Begins: true,
			})), now: "on", class: protocol.Drift,
		},
		{name: "without facts", r: undoOf("x"), now: "on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := c.r.Undo(at(c.now), c.told)
			var f *protocol.Failure
			if errors.As(err, &f) != (c.class != "") || f != nil && f.Class != c.class {
				t.Fatalf("%v, want %q", err, c.class)
			}
			if c.class == "" && (b.To != c.to || !slices.Equal(b.HeldBy, c.held)) {
				t.Errorf("it leads to %q, held by %q; want %q, %q", b.To, b.HeldBy, c.to, c.held)
			}
		})
	}
	t.Run("another attribute than the recorded", func(t *testing.T) {
		_, err := undoOf("k1", k1).Undo(At{Resource: "b", Attribute: "value", Now: "on", What: "b"},
			Told{"off", "on"})
		var f *protocol.Failure
		if !errors.As(err, &f) || f.Class != protocol.Conflict {
			t.Errorf("%v, want a conflict", err)
		}
	})
}

// TestWayBack: where the undo of an action would lead that is not recorded yet, or is in another
// way. It leads nowhere where other actions hold the value, or where a stranger's is there.
func TestWayBack(t *testing.T) {
	mine := entry(1, "k off on live")
	above := entry(2, "other on on live")
	for _, tt := range []struct {
		name     string
		recorded []history.Entry
		now      string
		want     string
	}{
		{"what was before", nil, "on", "off"},
		{"what was before, however it is recorded", []history.Entry{entry(1, "k off on pending")}, "on",
			"off"},
		{"held by another", []history.Entry{mine, above}, "on", "on"},
		{"a stranger's value", []history.Entry{mine}, "dim", "dim"},
	} {
		got, err := undoOf("k", tt.recorded...).Past.WayBack(at(tt.now), mine)
		if got != tt.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
	unread := errors.New("no history")
	p := &Past{Key: "k", History: func(string, string) ([]Recorded, error) { return nil, unread }}
	if got, err := p.WayBack(at("on"), mine); got != "" || !errors.Is(err, unread) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestStatesOfARecord: an action is begun until it is read to be made, and being undone until that
// is answered.
func TestStatesOfARecord(t *testing.T) {
	for _, s := range []history.State{
		history.Pending, history.Live, history.Undoing, history.Withdrawn,
	} {
		r := Recorded{Entry: history.Entry{State: s}}
		if r.Begun() != (s == history.Pending) || r.Undoing() != (s == history.Undoing) {
			t.Errorf("%s is begun: %t, being undone: %t", s, r.Begun(), r.Undoing())
		}
	}
}

// TestAnUnknownActionIsRestoredByTheLastHolder: it is entered below, and nothing of it is lost.
func TestAnUnknownActionIsRestoredByTheLastHolder(t *testing.T) {
	k1 := entry(1, "k1 on on live")
	b, err := undoOf("x", k1).Undo(at("on"), Told{"off", "on"})
	if err != nil {
		t.Fatal(err)
	}
	entered := b.Outcome("on")
	if len(entered) != 1 || entered[0].Key != "x" || entered[0].State != history.Withdrawn {
		t.Fatalf("it records %+v", entered)
	}
	last, err := undoOf("k1", k1, entered[0].Entry).Undo(at("on"), Told{"on", "on"})
	if err != nil || last.To != "off" {
		t.Errorf("the last one leads to %q, %v; want off", last.To, err)
	}
}

// TestIntent: what an undo is to lead to is recorded before its first change.
func TestIntent(t *testing.T) {
	b, err := undoOf("k1", entry(1, "k1 off on live")).Undo(at("on"), Told{})
	if err != nil {
		t.Fatal(err)
	}
	intent := b.Intent()
	if len(intent) != 1 || intent[0].State != history.Undoing || intent[0].Aim != "off" ||
		intent[0].Undone != 2 {
		t.Errorf("it records %+v", intent)
	}
	after, err := undoOf("k2", intent[0].Entry, entry(3, "k2 on on live")).Undo(at("on"), Told{})
	if err != nil || after.To != "off" {
		t.Errorf("one that came between leads to %q, %v; want off", after.To, err)
	}
}

// TestRelease: what led to the value is ended, and what it does not give back is told.
func TestRelease(t *testing.T) {
	own := func(entries ...history.Entry) Request {
		r := undoOf("own", entries...)
		r.Undoes = false
		return r
	}
	r := own(entry(1, "k1 s a live"))
	b, err := r.Release(at("a"), "a", "none")
	if err != nil || b.To != "none" || b.Base != "s" {
		t.Fatalf("it leads to %q, and gives back not %q, %v", b.To, b.Base, err)
	}
	ended := b.Outcome("none")
	if len(ended) != 1 || ended[0].Key != "own" || ended[0].Ends == 0 ||
		ended[0].State != history.Live {
		t.Fatalf("it records %+v", ended)
	}
	later, err := undoOf("k1", entry(1, "k1 s a live"), ended[0].Entry).Undo(at("none"),
		Told{"s", "a"})
	if err != nil || later.Released != "own" || later.To != "none" {
		t.Errorf("a later undo: %+v, %v", later, err)
	}
	if b, err := own().Release(at("a"), "a", "none"); err != nil || len(b.Outcome("none")) != 0 {
		t.Errorf("where nothing is recorded it records %+v, %v", b.Outcome("none"), err)
	}
}

// TestReleaseEndsNothingLater: an action that is not recorded here, and that was done after a
// release, is undone by its facts. The release did not end it.
func TestReleaseEndsNothingLater(t *testing.T) {
	release := entry(1, "own a none live")
	release.Ends = 1
	for _, c := range []struct {
		name     string
		now      string
		entries  []history.Entry
		to       string
		released string
		heldBy   int
	}{
		{"what it led to is so", "a", nil, "s", "", 0},
		{"what the release left is so", "none", nil, "none", "own", 0},
		{"a stranger's value is so", "x", nil, "x", "own", 0},
		{"another led to it since", "a", []history.Entry{entry(2, "k2 none a live")}, "a", "own", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := undoOf("other", append([]history.Entry{release}, c.entries...)...)
			b, err := r.Undo(at(c.now), Told{Before: "s", After: "a"})
			if err != nil || b.To != c.to || b.Released != c.released || len(b.HeldBy) != c.heldBy {
				t.Errorf("leads to %q, released %q, held by %v, %v", b.To, b.Released, b.HeldBy, err)
			}
			if c.released == "" && !b.Confirm {
				t.Error("it rests on one reading, which may be from before the release")
			}
		})
	}
}

// TestEnd: all that is recorded is ended, and what only the provider tells of.
func TestEnd(t *testing.T) {
	r := undoOf("own", entry(1, "k1 f1 f2 live"))
	fenced := at("f2")
	fenced.Below = &Below{Key: "lastfence=1", From: "open"}
	if b, err := r.End(fenced); err != nil || b.To != "open" {
		t.Errorf("it leads to %q, %v; want open", b.To, err)
	}
	if b, err := r.End(at("f2")); err != nil || b.To != "f1" {
		t.Errorf("it leads to %q, %v; want f1", b.To, err)
	}
	if _, err := r.End(at("x")); err == nil {
		t.Error("it ends a stranger's value")
	}
	only := undoOf("own")
	if b, err := only.End(fenced); err != nil || b.To != "open" || len(b.Outcome("open")) != 0 {
		t.Errorf("by the provider alone it leads to %q, records %v, %v", b.To, b.Outcome("open"), err)
	}
}

// TestOrigin: the first prior value wins, and a value on the way is known for what it is.
func TestOrigin(t *testing.T) {
	forward := func(key string, entries ...history.Entry) Request {
		r := undoOf(key, entries...)
		r.Undoes = false
		return r
	}
	halfWay := entry(1, "k1 d s pending")
	halfWay.Via = "none"
	for _, c := range []struct {
		name string
		r    Request
		now  string
		want Origin
	}{
		{"nothing recorded", forward("k"), "a", Origin{From: "a", Whence: "a", At: "a", Base: "a"}},
		{"its own doing", forward("k1", entry(1, "k1 d s live")), "s",
			Origin{From: "d", To: "s", Whence: "d", At: "s", Base: "d"}},
		{"another's doing", forward("k2", entry(1, "k1 d s live")), "s",
			Origin{From: "s", Whence: "s", At: "s", Base: "d"}},
		{"another's half-way", forward("k2", halfWay), "none",
			Origin{From: "none", Whence: "d", At: "s", Base: "d"}},
		{"a stranger's", forward("k2", entry(1, "k1 d s live")), "x",
			Origin{From: "x", Whence: "x", At: "x", Base: "x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.r.Origin(at(c.now))
			got.Facts = nil
			if err != nil || got.From != c.want.From || got.To != c.want.To || got.Whence != c.want.Whence ||
				got.At != c.want.At || got.Base != c.want.Base {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

// TestWhatCannotBeReadIsTheAnswer: no decision is made without what is recorded.
func TestWhatCannotBeReadIsTheAnswer(t *testing.T) {
	broken := errors.New("the disk is broken")
	r := Request{Undoes: true,
		Past: &Past{Key: "k", History: func(string, string) ([]Recorded, error) {
			return nil, broken
		}}}
	for name, call := range map[string]func() error{
		"origin":  func() error { _, err := r.Origin(at("a")); return err },
		"undo":    func() error { _, err := r.Undo(at("a"), Told{}); return err },
		"release": func() error { _, err := r.Release(at("a"), "a", "none"); return err },
		"end":     func() error { _, err := r.End(at("a")); return err },
		"begin":   func() error { _, _, err := r.Past.Begin(at("a"), "b", ""); return err },
		"next":    func() error { _, err := r.Past.Next("a", "value"); return err },
		"expects": func() error { _, err := r.Past.Expects(at("a")); return err },
	} {
		if err := call(); !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
