package action

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"

	"github.com/google/go-cmp/cmp"
)

// told is a recorded entry as text: "k1 a value 1 off>on withdrawn 2 to off".
func told(all []Recorded) []string {
	var lines []string
	for _, r := range all {
		line := fmt.Sprintf("%s %s %s %d %s>%s %s", r.Key, r.Resource, r.Attribute, r.Seq, r.From, r.To,
			r.State)
		if r.Undone != 0 {
			line += fmt.Sprintf(" %d to %s", r.Undone, r.Aim)
		}
		if r.Ends != 0 {
			line += fmt.Sprintf(" ends %d", r.Ends)
		}
		lines = append(lines, line)
	}
	return lines
}

// same holds entries against those that should be recorded.
func same(t *testing.T, got []Recorded, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, told(got)); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
}

// refused holds an error against a failure's sentence and one of its facts.
func refused(t *testing.T, err error, class protocol.FailureClass, says, fact, value string) {
	t.Helper()
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != class || !strings.Contains(f.Message, says) ||
		f.Facts[fact] != value {
		t.Errorf("%v, want a %s that says\n%q and has %s=%s", err, class, says, fact, value)
	}
}

func restoring(r Request) Request { r.Parameters[OnDrift.Name] = "restore"; return r }

// TestWhatAnUndoComesTo: a verb's words depend on whether the undo leads anywhere.
func TestWhatAnUndoComesTo(t *testing.T) {
	now := at("on")
	for _, c := range []struct {
		name                   string
		b                      Back
		stays, settled, untold bool
	}{
		{"it changes something", Back{To: "off", Known: true}, false, false, false},
		{"nothing was changed", Back{To: "on", Idle: true, Known: true}, true, false, false},
		{"nothing was changed, by its facts", Back{To: "on", Idle: true}, true, false, false},
		{"nothing was changed, and a base is given back", Back{To: "off", Idle: true}, false, false,
			false},
		{"nothing was changed, and one holds it", Back{To: "on", Idle: true, HeldBy: []string{"k"}},
			false, true, false},
		{"nothing was changed, and a release ended it", Back{To: "on", Idle: true, Released: "k"},
			false, true, false},
		{"it is back already", Back{To: "on", Known: true}, false, false, false},
		{"one holds it", Back{To: "on", HeldBy: []string{"k"}}, false, true, false},
		{"two hold it", Back{To: "on", HeldBy: []string{"k", "l"}}, false, true, false},
		{"over the head of a holder", Back{To: "off", HeldBy: []string{"k"}}, false, false, false},
		{"a release ended it", Back{To: "on", Released: "k"}, false, true, false},
		{"it is undone already", Back{To: "on", Again: true}, false, true, false},
		{"nothing tells of it", Back{}, false, false, true},
		{"a record alone tells of it", Back{Known: true}, false, false, false},
	} {
		c.b.at = now
		got := [3]bool{c.b.Stays(), c.b.Settled(), c.b.PriorUnknown()}
		if want := [3]bool{c.stays, c.settled, c.untold}; got != want {
			t.Errorf("%s: stays, settled, untold are %v, want %v", c.name, got, want)
		}
	}
}

// TestIdle: an action changed nothing if its facts say so, or all that it recorded of the
// attribute.
func TestIdle(t *testing.T) {
	idle := func(r Request, f Told) bool {
		t.Helper()
		b, err := r.Undo(at("on"), f)
		if err != nil {
			t.Fatal(err)
		}
		return b.Idle
	}
	none, was := entry(1, "k on on live"), entry(2, "k off on live")
	elsewhere := undoOf("k", none)
	changed := Recorded{Entry: was, Resource: "b", Attribute: "value"}
	other := Recorded{Entry: was, Resource: "a", Attribute: "other"}
	elsewhere.Past.Own = append(elsewhere.Past.Own, changed, other)
	for _, c := range []struct {
		name string
		r    Request
		told Told
		want bool
	}{
		{"by facts", undoOf("x"), Told{"on", "on"}, true},
		{"by facts that tell of a change", undoOf("x"), Told{"off", "on"}, false},
		{"half a fact", undoOf("x"), Told{"", "on"}, false},
		{"by the record", undoOf("k", none), Told{}, true},
		{"by the record of two attempts, of which one changed it", undoOf("k", none, was), Told{}, false},
		{"the record of another attribute does not count", elsewhere, Told{}, true},
		{"nothing tells", undoOf("x"), Told{}, false},
	} {
		if got := idle(c.r, c.told); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
}

// TestAStrangersValue: it is told as what it is, and overwritten only where the request says so.
func TestAStrangersValue(t *testing.T) {
	k1 := entry(1, "k1 off on live")
	t.Run("by the record", func(t *testing.T) {
		_, err := undoOf("k1", k1).Undo(at("dim"), Told{})
		refused(t, err, protocol.Drift,
			"a is dim now: neither on, as the action left it, nor off, as it was before", "drift", "dim")
		b, err := restoring(undoOf("k1", k1)).Undo(at("dim"), Told{})
		if err != nil || b.To != "off" || b.Overwrites != "dim" {
			t.Errorf("%+v, %v", b, err)
		}
	})
	t.Run("by facts", func(t *testing.T) {
		_, err := undoOf("x").Undo(at("dim"), Told{"off", "on"})
		refused(t, err, protocol.Drift,
			"a is dim now: neither on, as the action left it, nor off, as it was before", "drift", "dim")
		b, err := restoring(undoOf("x")).Undo(at("dim"), Told{"off", "on"})
		if err != nil || b.To != "off" || b.Overwrites != "dim" {
			t.Errorf("%+v, %v", b, err)
		}
	})
	t.Run("that another counts on", func(t *testing.T) {
		_, err := undoOf("x", entry(1, "k1 on dim live")).Undo(at("dim"), Told{"off", "red"})
		refused(t, err, protocol.Drift,
			"a is dim now: neither red, as the action left it, nor off, as it was before", "drift", "dim")
	})
	t.Run("is no obstacle where nothing is to be taken back", func(t *testing.T) {
		r := undoOf("k", entry(1, "k on on live"))
		b, err := r.Undo(at("dim"), Told{"on", "on"})
		if err != nil || b.To != "dim" || !b.Aside {
			t.Fatalf("%+v, %v", b, err)
		}
		// It is no part of what is recorded: nothing that an undo left.
		same(t, b.Outcome("dim"), "k a value 1 on>on withdrawn 2 to ")
		same(t, b.Outcome("red"), "k a value 1 on>on withdrawn 2 to ")
		if b, err := undoOf("x").Undo(at("dim"), Told{"on", "on"}); err != nil || b.To != "dim" {
			t.Errorf("by facts alone: %+v, %v", b, err)
		}
	})
	t.Run("is one where a base is to be given back", func(t *testing.T) {
		r := undoOf("k2", entry(1, "k1 off on withdrawn"), entry(2, "k2 on on live"))
		_, err := r.Undo(at("dim"), Told{"on", "on"})
		refused(t, err, protocol.Drift, "a is dim now: neither on", "drift", "dim")
	})
	t.Run("is what the action led to, after a later one led it elsewhere", func(t *testing.T) {
		led := []history.Entry{entry(1, "k1 off on live"), entry(2, "k2 on dim withdrawn")}
		led[1].Undone, led[1].Aim = 4, "red"
		led = append(led, entry(3, "k3 dim red live"))
		_, err := undoOf("k1", led...).Undo(at("on"), Told{})
		refused(t, err, protocol.Drift, "a is on now, as the action left it, but a later action led it"+
			" elsewhere since", "drift", "on")
		b, err := restoring(undoOf("k1", led...)).Undo(at("on"), Told{})
		if err != nil || b.To != "red" || b.Overwrites != "on" {
			t.Errorf("it leads to %q over %q, %v", b.To, b.Overwrites, err)
		}
	})
}

// TestFactsThatAreNotTheRecords: an undo that contradicts its record says in what.
func TestFactsThatAreNotTheRecords(t *testing.T) {
	k1 := entry(1, "k1 off on live")
	_, err := undoOf("k1", k1).Undo(at("on"), Told{"dim", "on"})
	refused(t, err, protocol.Conflict, `under the key "k1" was set before which the value of a was`+
		` off, and the request says that it was dim; nothing was changed`, "recorded", "off")
	_, err = undoOf("k1", k1).Undo(at("on"), Told{"off", "dim"})
	refused(t, err, protocol.Conflict, `under the key "k1" was set that made the value of a on,`+
		` and the request would take back dim; nothing was changed`, "recorded", "on")
	two := undoOf("k1", k1)
	two.Past.Own = append(two.Past.Own, two.Past.Own[0],
		Recorded{Entry: k1, Resource: "c", Attribute: "value"})
	_, err = two.Undo(At{Resource: "b", Attribute: "other", Now: "on", What: "b"}, Told{"off", "on"})
	refused(t, err, protocol.Conflict, `under the key "k1" was set of a, c,`+
		` and the request would change the other of b; nothing was changed`, "", "")
	below := at("on")
	below.Below = &Below{Key: "provider", From: "dim"}
	if _, err := undoOf("k1", k1).Undo(below, Told{"dim", "on"}); err != nil {
		t.Errorf("what was before what the provider tells of is a prior fact: %v", err)
	}
	_, err = undoOf("k1", k1).Undo(below, Told{"red", "on"})
	refused(t, err, protocol.Conflict, "the request says that it was red", "recorded", "off")
}

// TestMatch: an action is looked for by its facts, where the key names none and there are some.
func TestMatch(t *testing.T) {
	k1 := entry(1, "k1 off on live")
	for _, c := range []struct {
		name    string
		undoes  bool
		entries []history.Entry
		told    Told
		want    bool
	}{
		{"by facts", false, []history.Entry{k1}, Told{"off", "on"}, true},
		{"the key names one", true, []history.Entry{k1}, Told{"off", "on"}, false},
		{"nothing is recorded", false, nil, Told{"off", "on"}, false},
		{"no facts", false, []history.Entry{k1}, Told{"", "on"}, false},
	} {
		r, asked := undoOf("own", c.entries...), false
		r.Undoes = c.undoes
		r.Past.Match = func(all []Recorded) error {
			asked = len(all) == len(c.entries)
			r.Past.Key, r.Past.Own = "k1", all
			return nil
		}
		b, err := r.Undo(at("on"), c.told)
		if err != nil || asked != c.want || c.want && (b.To != "off" || !b.Known) {
			t.Errorf("%s: asked %t, want %t: %+v, %v", c.name, asked, c.want, b, err)
		}
	}
	several := errors.New("several fit")
	r := undoOf("own", k1)
	r.Undoes, r.Past.Match = false, func([]Recorded) error { return several }
	if _, err := r.Undo(at("on"), Told{"off", "on"}); !errors.Is(err, several) {
		t.Errorf("%v, want that several fit", err)
	}
}

// TestWhatAnUndoRecords: each entry under the key that it is of, in its place.
func TestWhatAnUndoRecords(t *testing.T) {
	t.Run("an undo", func(t *testing.T) {
		b, err := undoOf("k1", entry(1, "k1 off on live")).Undo(at("on"), Told{})
		if err != nil {
			t.Fatal(err)
		}
		same(t, b.Intent(), "k1 a value 1 off>on undoing 2 to off")
		same(t, b.Outcome("off"), "k1 a value 1 off>on withdrawn 2 to off")
	})
	t.Run("an unknown action", func(t *testing.T) {
		b, err := undoOf("x", entry(1, "k1 on on live")).Undo(at("on"), Told{"off", "on"})
		if err != nil {
			t.Fatal(err)
		}
		same(t, b.Outcome("on"), "x a value 2 off>on withdrawn 3 to on")
	})
	t.Run("an unknown action that fits nowhere", func(t *testing.T) {
		b, err := undoOf("x", entry(1, "k1 red dim live")).Undo(at("dim"), Told{"off", "dim"})
		if err != nil || b.Known || b.To != "dim" || len(b.HeldBy) != 1 {
			t.Errorf("%+v, %v", b, err)
		}
		same(t, b.Outcome("dim"))
	})
	t.Run("half a fact enters nothing", func(t *testing.T) {
		b, err := undoOf("x", entry(1, "k1 on on live")).Undo(at("on"), Told{"", "on"})
		if err != nil || b.Known {
			t.Errorf("%+v, %v", b, err)
		}
		same(t, b.Outcome("on"))
	})
}

// TestWhatAReleaseRecords: one entry of its own, which says what it ends.
func TestWhatAReleaseRecords(t *testing.T) {
	t.Run("a release", func(t *testing.T) {
		r := undoOf("own", entry(1, "k1 off on live"))
		b, err := r.Release(at("on"), "on", "none")
		if err != nil {
			t.Fatal(err)
		}
		same(t, b.Intent(), "own a value 2 on>none pending ends 2")
		same(t, b.Outcome("none"), "own a value 2 on>none live ends 2")
	})
	t.Run("a release of what lies below another", func(t *testing.T) {
		r := undoOf("own", entry(1, "k1 s a live"), entry(2, "k2 a b live"))
		b, err := r.Release(at("b"), "a", "none")
		if err != nil || b.To != "b" || b.Base != "" {
			t.Fatalf("it leads to %q, and gives back not %q, %v", b.To, b.Base, err)
		}
		same(t, b.Outcome("b"), "own a value 3 none>none live ends 1")
	})
	t.Run("the end of all", func(t *testing.T) {
		r := undoOf("own", entry(1, "k1 off on live"))
		b, err := r.End(at("on"))
		if err != nil || b.To != "off" || !b.Known || b.Confirm {
			t.Fatalf("%+v, %v", b, err)
		}
		same(t, b.Intent(), "own a value 2 on>off pending ends 2")
		same(t, b.Outcome("off"), "own a value 2 on>off live ends 2")
	})
}

// TestWhatMustBeConfirmed: a release or an end of what a stranger made rests on two readings.
func TestWhatMustBeConfirmed(t *testing.T) {
	k1 := entry(1, "k1 off on live")
	for _, c := range []struct {
		name string
		r    Request
		now  string
		want bool
	}{
		{"nothing is recorded", undoOf("own"), "on", false},
		{"what an action led to", undoOf("own", k1), "on", false},
		{"a stranger's value", undoOf("own", k1), "dim", true},
	} {
		b, err := c.r.Release(at(c.now), c.now, "none")
		if err != nil || b.Confirm != c.want || b.To != "none" {
			t.Errorf("release of %s: %t, %v, to %q", c.name, b.Confirm, err, b.To)
		}
		b, err = restoring(c.r).End(at(c.now))
		if err != nil || b.Confirm != c.want {
			t.Errorf("end of %s: %t, %v", c.name, b.Confirm, err)
		}
	}
}

// TestEndOverAStrangersValue: it is a drift, and overwritten only where the request says so; but
// not where it is what was before.
func TestEndOverAStrangersValue(t *testing.T) {
	recorded := []history.Entry{entry(1, "k1 off on live")}
	_, err := undoOf("own", recorded...).End(at("dim"))
	refused(t, err, protocol.Drift,
		"a is dim now: neither on, as the action left it, nor off, as it was before", "drift", "dim")
	b, err := restoring(undoOf("own", recorded...)).End(at("dim"))
	if err != nil || b.To != "off" || b.Overwrites != "dim" {
		t.Errorf("%+v, %v", b, err)
	}
	b, err = undoOf("own", recorded...).End(at("off"))
	if err != nil || b.To != "off" || b.Overwrites != "" {
		t.Errorf("what was before: %+v, %v", b, err)
	}
}

// TestEndOfNothingRecorded: it leads to what the provider tells of, and records nothing.
func TestEndOfNothingRecorded(t *testing.T) {
	if b, err := undoOf("own").End(at("dim")); err != nil || b.To != "dim" || b.Known ||
		len(b.Outcome("dim")) != 0 {
		t.Errorf("nothing is recorded: %+v, %v", b, err)
	}
	only := at("dim")
	only.Below = &Below{Key: "provider", From: "open"}
	if b, err := undoOf("own").End(only); err != nil || b.To != "open" || b.Known ||
		b.Overwrites != "" || len(b.Intent()) != 0 {
		t.Errorf("the provider alone tells: %+v, %v", b, err)
	}
}

// TestPutBack: what the provider shows to be over holds nothing, whoever put it back. A release
// and what is undone already are not changed by it, nor is the record itself.
func TestPutBack(t *testing.T) {
	k2 := entry(2, "k2 on on live")
	undone := entry(3, "k2 dim red withdrawn")
	undone.Undone, undone.Aim = 7, "dim"
	release := entry(4, "k2 on none pending")
	release.Ends = 4
	r := undoOf("k1", entry(1, "k1 off on live"), k2, undone, release)
	before, err := r.History("a", "value")
	if err != nil {
		t.Fatal(err)
	}
	r.Past.PutBack = []string{"k2"}
	got, err := r.History("a", "value")
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, "k1 a value 1 off>on live", "k2 a value 2 on>on withdrawn 2 to ",
		"k2 a value 3 dim>red withdrawn 7 to dim", "k2 a value 4 on>none pending ends 4")
	same(t, before, "k1 a value 1 off>on live", "k2 a value 2 on>on live",
		"k2 a value 3 dim>red withdrawn 7 to dim", "k2 a value 4 on>none pending ends 4")
	r = undoOf("k1", entry(1, "k1 off on live"), k2)
	r.Past.PutBack = []string{"k2"}
	if b, err := r.Undo(at("on"), Told{}); err != nil || b.To != "off" || len(b.HeldBy) > 0 {
		t.Errorf("%+v, %v", b, err)
	}
	broken := errors.New("the disk is broken")
	r.Past.History = func(string, string) ([]Recorded, error) { return nil, broken }
	if _, err := r.History("a", "value"); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// TestRequestWithoutAPast: it knows nothing.
func TestRequestWithoutAPast(t *testing.T) {
	r := Request{Undoes: true}
	if _, ok := r.Own("a", "value"); ok || r.Recorded() || !r.NoRecord() {
		t.Error("something is recorded")
	}
	if all, err := r.History("a", "value"); len(all) > 0 || err != nil {
		t.Errorf("%v, %v", all, err)
	}
	if o, err := r.Origin(at("on")); err != nil || o.From != "on" {
		t.Errorf("%+v, %v", o, err)
	}
	if (Request{}).NoRecord() {
		t.Error("a request that takes nothing back misses something")
	}
	r.Past = &Past{}
	if ok, err := r.Past.Expects(at("on")); !ok || err != nil {
		t.Errorf("where nothing is recorded, nothing is expected: %v", err)
	}
}

// TestOwn: the last that the action recorded of this attribute, not of another.
func TestOwn(t *testing.T) {
	r := undoOf("k", entry(1, "k off on live"), entry(2, "k dim on live"))
	if own, ok := r.Own("a", "value"); !ok || own.From != "dim" {
		t.Errorf("%t, %+v", ok, own)
	}
	for _, other := range [][2]string{{"a", "other"}, {"b", "value"}} {
		if own, ok := r.Own(other[0], other[1]); ok {
			t.Errorf("%v: %+v", other, own)
		}
	}
	if !r.Recorded() || r.NoRecord() {
		t.Error("it is not recorded")
	}
	if at, err := r.Past.Next("a", "value"); at != 3 || err != nil {
		t.Errorf("the next place is %d, %v", at, err)
	}
	if at, err := r.Past.Next("b", "value"); at != 1 || err != nil {
		t.Errorf("the first place is %d, %v", at, err)
	}
}

// TestOriginTellsTheFirstFacts: those of the earlier attempt, where what is so is its doing; none
// where it is not, and none to an undo.
func TestOriginTellsTheFirstFacts(t *testing.T) {
	live, halfWay := entry(1, "k off on live"), entry(1, "k off on pending")
	halfWay.Via = "dim"
	passed := halfWay
	passed.State = history.Live
	for _, c := range []struct {
		name   string
		e      history.Entry
		now    string
		undoes bool
		want   bool
	}{
		{"it is so", live, "on", false, true},
		{"it is on its way", halfWay, "dim", false, true},
		{"it is not begun", halfWay, "off", false, false},
		{"a stranger's value", live, "red", false, false},
		{"no way, and no value", live, "", false, false},
		{"a stranger made the value on its way", passed, "dim", false, false},
		{"an undo", live, "on", true, false},
	} {
		r := undoOf("k", c.e)
		r.Undoes = c.undoes
		r.Past.Own[0].Facts = map[string]string{"prior": "off"}
		o, err := r.Origin(at(c.now))
		if got := o.Facts["prior"] == "off"; err != nil || got != c.want {
			t.Errorf("%s: told %t, want %t, %v", c.name, got, c.want, err)
		}
	}
	other := undoOf("k", live)
	other.Undoes = true
	if o, err := other.Origin(at("on")); err != nil || o.From != "on" || o.To != "" {
		t.Errorf("an undo begins at what is so: %+v, %v", o, err)
	}
}

// TestBegin: an entry has the key, the value that is wanted and the way there.
func TestBegin(t *testing.T) {
	r := undoOf("k2", entry(1, "k1 off on live"))
	e, changed, err := r.Past.Begin(at("on"), "red", "dim")
	want := history.Entry{Seq: 2, Key: "k2", From: "on", To: "red", Via: "dim",
		State: history.Pending, On: 1}
	if diff := cmp.Diff(want, e); err != nil || changed || diff != "" {
		t.Errorf("%t, %v (-want +got):\n%s", changed, err, diff)
	}
	r.Past.Key = "k1"
	if _, changed, err := r.Past.Begin(at("on"), "on", ""); err != nil || !changed {
		t.Errorf("its own change: %t, %v", changed, err)
	}
	for now, want := range map[string]bool{"on": true, "dim": false} {
		if got, err := r.Past.Expects(at(now)); err != nil || got != want {
			t.Errorf("%s is expected: %t, want %t, %v", now, got, want, err)
		}
	}
}
