package history

import "testing"

// TestWhatTheNextOneFoundMadeIsLive: an attempt whose outcome is not written holds what it was on
// its way by only until another one found it made.
func TestWhatTheNextOneFoundMadeIsLive(t *testing.T) {
	cut := Entry{Seq: 1, Key: "a", From: "A", Via: "N", To: "B", State: Pending, Begins: true}
	next := Entry{Seq: 2, Key: "b", From: "B", To: "N", State: Live}
	if u := At([]Entry{cut, next}, "N").Undo("b"); len(u.HeldBy) > 0 || u.Aim != "B" {
		t.Errorf("found made by the next one: %+v", u)
	}
	for _, found := range []string{"A", "N"} {
		next.From = found
		if u := At([]Entry{cut, next}, "B").Undo("b"); found == "N" && len(u.HeldBy) == 0 ||
			found == "A" && len(u.HeldBy) > 0 {
			t.Errorf("found at %s by the next one: %+v", found, u)
		}
	}
	release := Entry{Seq: 1, Key: "a", From: "B", To: "A", State: Pending, Ends: 1}
	next.From = "A"
	if v := At([]Entry{release, next}, "N"); v.release.Ends != 0 {
		t.Errorf("a release that was not answered ends: %+v", v)
	}
}

// TestExpects: one reading is enough where the value is explained, and no recent attempt of another
// key may be hidden by it.
func TestExpects(t *testing.T) {
	entry := func(state State, fresh bool) []Entry {
		return []Entry{{Seq: 1, Key: "a", From: "A", To: "B", State: state, Fresh: fresh}}
	}
	for _, c := range []struct {
		name    string
		entries []Entry
		now     string
		want    bool
	}{
		{"made", entry(Live, true), "B", true},
		{"a stranger's", entry(Live, true), "A", false},
		{"it may have been made", entry(Pending, true), "A", false},
		{"it was not made", entry(Pending, false), "A", true},
		{"on its way back", entry(Undoing, true), "B", false},
	} {
		if got := At(c.entries, c.now).Expects("b"); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
	if !At(entry(Pending, true), "A").Expects("a") {
		t.Error("an attempt under the same key is confirmed")
	}
}
