package ledger

import (
	"maps"
	"testing"

	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"

	"github.com/google/go-cmp/cmp"
)

// lose removes an index entry from a disk, as a partial restore does.
func lose(m *memory, r Record, i int) (path string) {
	path = "/s/attributes/" + indexName(r.Entries[i].attribute()) + "/" + keyName(r.Key)
	delete(m.files, path)
	m.kept, m.late = maps.Clone(m.files), nil
	return path
}

// TestARecordThatLostAnIndexEntryIsRefused: by its key, and by another attribute that it has an
// entry of, whatever its state is. What the message advises mends it.
func TestARecordThatLostAnIndexEntryIsRefused(t *testing.T) {
	two := both(rec("k", "a", "off", "on"), rec("k", "b", "off", "on"))
	for name, r := range map[string]Record{"pending": two, "live": made(two)} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			l := open(t, "/s", m)
			put(t, l, r)
			put(t, l, rec("other", "c", "off", "on"))
			path := lose(m, r, 1)
			before := maps.Clone(m.files)
			for _, l := range []*Ledger{mustRead(t, m), open(t, "/s", m)} {
				_, _, err := l.Get(background, "k")
				wantClass(t, err, protocol.StateStore, path, "remove the whole of attributes")
				_, err = l.History(background, "a", "value")
				wantClass(t, err, protocol.StateStore, path, "remove the whole of attributes")
				if got := has(t, l, "other"); got != "off" {
					t.Errorf("another key has %q", got)
				}
			}
			wantClass(t, l.Put(background, r), protocol.StateStore, path)
			wantClass(t, l.Remove(background, "k"), protocol.StateStore, path)
			l.Tidy(background, "k", r.Attributes()...)
			if diff := cmp.Diff(before, m.files, cmp.AllowUnexported(file{})); diff != "" {
				t.Errorf("files (-before +after):\n%s", diff)
			}
			maps.DeleteFunc(m.files, func(path string, _ file) bool { return within(path, l.indexes()) })
			l = open(t, "/s", m)
			indexed(t, m, l)
			if got := has(t, l, "k"); got != "off" {
				t.Errorf("with its index made anew the key has %q", got)
			}
		})
	}
}

// TestARecordThatGoesWhileItIsReadIsNotRefused: another process removes it, or takes an attribute
// out of it, between two steps of the reading.
func TestARecordThatGoesWhileItIsReadIsNotRefused(t *testing.T) {
	two := both(rec("k", "a", "off", "on"), rec("k", "b", "off", "on"))
	for name, change := range map[string]func(*Ledger) error{
		"removed": func(l *Ledger) error { return l.Remove(background, "k") },
		"without an attribute": func(l *Ledger) error {
			return l.Put(background, rec("k", "a", "new", "on"))
		},
	} {
		for _, r := range []Record{two, made(two)} {
			start := newMemory()
			put(t, open(t, "/s", start), r)
			for n := 1; ; n++ {
				m := start.clone()
				l := open(t, "/s", m)
				m.steps = 0
				m.before = func(step int, _ string) fault {
					if step == n {
						m.before = nil
						if err := change(open(t, "/s", m)); err != nil {
							t.Fatal(err)
						}
					}
					return none
				}
				if _, _, err := l.Get(background, "k"); err != nil {
					t.Errorf("%s before step %d: %v", name, n, err)
				}
				if m.before != nil {
					break
				}
			}
		}
	}
}

// TestAHistoryThatIsNotWholeIsRefused: a record is missing that another one was made on top of, or
// two have the same place. By their keys all are still read.
func TestAHistoryThatIsNotWholeIsRefused(t *testing.T) {
	below, above := rec("k", "a", "off", "on"), rec("b", "a", "on", "off")
	twin := rec("t", "a", "x", "y")
	below.Entries[0].Seq, above.Entries[0].Seq, twin.Entries[0].Seq = 1, 2, 1
	above.Entries[0].On = 1
	for name, spoil := range map[string]func(*memory, *Ledger){
		"the index entry of the lowest is gone": func(m *memory, _ *Ledger) { lose(m, below, 0) },
		"the lowest is gone": func(m *memory, _ *Ledger) {
			delete(m.files, pathOf(below))
		},
		"two have the same place": func(_ *memory, l *Ledger) { put(t, l, twin) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			l := open(t, "/s", m)
			put(t, l, below)
			put(t, l, above)
			if all, err := l.History(background, "a", "value"); err != nil || len(all) != 2 {
				t.Fatal(all, err)
			}
			spoil(m, l)
			before := maps.Clone(m.files)
			for _, l := range []*Ledger{mustRead(t, m), l} {
				_, err := l.History(background, "a", "value")
				wantClass(t, err, protocol.StateStore, l.indexPath(Attribute{"a", "value"}), "ledger.md")
			}
			l.Tidy(background, "b", Attribute{"a", "value"})
			if diff := cmp.Diff(before, m.files, cmp.AllowUnexported(file{})); diff != "" {
				t.Errorf("files (-before +after):\n%s", diff)
			}
			if got := has(t, l, "b"); got != "on" {
				t.Errorf("the key has %q", got)
			}
		})
	}
}

// TestAHistoryIsReadAgainWhereAnotherWrites: one that is read without the lock of its resource may
// meet another process between two of its steps.
func TestAHistoryIsReadAgainWhereAnotherWrites(t *testing.T) {
	m := newMemory()
	l := open(t, "/s", m)
	above := made(rec("b", "a", "on", "off"))
	above.Entries[0].On = 1
	put(t, l, above)
	listed := 0
	m.before = func(_ int, name string) fault {
		if name == "ReadDir" {
			listed++
		}
		if listed == 2 {
			m.before = nil
			undone := above
			undone.Entries = made(above).Entries
			undone.Entries[0].State, undone.Entries[0].Undone = history.Withdrawn, 9
			put(t, open(t, "/s", m), undone)
		}
		return none
	}
	all, err := l.History(background, "a", "value")
	if err != nil || len(all) != 1 || all[0].Entries[0].State != history.Withdrawn {
		t.Errorf("%+v, %v", all, err)
	}
}
