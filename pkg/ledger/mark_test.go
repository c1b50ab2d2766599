package ledger

import (
	"slices"
	"testing"
	"time"

	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"
)

// made is a record whose pending entries are live.
func made(r Record) Record {
	r.Entries = slices.Clone(r.Entries)
	for i := range r.Entries {
		r.Entries[i].State = history.Live
	}
	return r
}

// act records an action as an execution does: what it will change, and that it was changed.
func act(l *Ledger, r Record) error {
	release, err := l.Lock(background, r.Key, r.Entries[0].Resource)
	if err != nil {
		return err
	}
	defer release()
	if _, _, err := l.Get(background, r.Key); err != nil {
		return err
	}
	if _, err := l.History(background, r.Entries[0].Resource, "value"); err != nil {
		return err
	}
	if err := l.Put(background, r); err != nil {
		return err
	}
	return l.Done(background, made(r))
}

func actAt(r Record) func(*memory) error {
	return func(m *memory) error {
		l, err := Open(background, "/s", m, m.clock)
		if err != nil {
			return err
		}
		return act(l, r)
	}
}

// states are the states of a key's entries, by way of the key and of its attributes.
func states(t *testing.T, l *Ledger, key string) (all []history.State) {
	t.Helper()
	r, ok, err := l.Get(background, key)
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return nil
	}
	for _, e := range r.Entries {
		found, err := l.History(background, e.Resource, e.Attribute)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(found, func(r Record) bool { return r.Key == key })
		if i < 0 || !found[i].same(r) {
			t.Errorf("the history of %s has %+v, the key has %+v", e.Resource, found, r)
		}
		all = append(all, e.State)
	}
	return all
}

// TestNoStepOfAnActionLosesItsPriorFacts breaks each step of recording that an action was made, and
// cuts the power. The record is as it was before, with each entry pending or live.
func TestNoStepOfAnActionLosesItsPriorFacts(t *testing.T) {
	start := newMemory()
	put(t, open(t, "/s", start), rec("other", "a", "off", "on"))
	r := both(rec("k", "a", "new", "on"), rec("k", "b", "new", "on"))
	lost, kept := 0, 0
	breakEach(t, start, actAt(r), func(t *testing.T, m *memory, done bool) {
		for _, l := range []*Ledger{mustRead(t, m), open(t, "/s", m)} {
			got := states(t, l, "k")
			if done && len(got) != 2 || got != nil && has(t, l, "k") != "new" {
				t.Errorf("done: %t, and the key has %v", done, got)
			}
			for _, state := range got {
				switch state {
				case history.Pending:
					lost++
				case history.Live:
					kept++
				default:
					t.Errorf("an entry is %s", state)
				}
			}
		}
		indexed(t, m, open(t, "/s", m))
		// The next attempt, and its undo.
		if err := actAt(r)(m); err != nil {
			t.Fatal(err)
		}
		if got := states(t, mustRead(t, m), "k"); !slices.Equal(got,
			[]history.State{history.Live, history.Live}) {
			t.Errorf("made again, the key has %v", got)
		}
	})
	if lost == 0 || kept == 0 {
		t.Errorf("%d entries were pending, %d live: want some of each", lost, kept)
	}
}

// TestWhatOthersRestOnIsLasting: an action that was told to be live stays so, whenever the power is
// cut, once another one of the attribute is recorded.
func TestWhatOthersRestOnIsLasting(t *testing.T) {
	start := newMemory()
	if err := actAt(rec("k", "a", "off", "on"))(start); err != nil {
		t.Fatal(err)
	}
	if got := states(t, mustRead(t, start.afterPowerLoss(0)), "k"); got[0] != history.Pending {
		t.Fatalf("nothing was to be lost: %v", got)
	}
	breakEach(t, start, actAt(rec("b", "a", "on", "on")),
		func(t *testing.T, m *memory, done bool) {
			l := mustRead(t, m)
			if _, recorded := mustGet(t, l, "b"); !recorded {
				return
			}
			if got := states(t, l, "k"); got[0] != history.Live {
				t.Errorf("what another action rests on is %v", got)
			}
		})
}

// TestNoClockTellsWhatIsLasting: a mark is synced once for those who rest on it, whatever time it
// has, as after a step of the clock or in a copy that kept the times. One that was written again is
// synced again.
func TestNoClockTellsWhatIsLasting(t *testing.T) {
	for _, age := range []time.Duration{-time.Hour, 0, time.Hour, 10_000 * time.Hour} {
		start := newMemory()
		if err := actAt(rec("k", "a", "off", "on"))(start); err != nil {
			t.Fatal(err)
		}
		entry := "/s/attributes/" + indexName(Attribute{"a", "value"}) + "/" + keyName("k")
		old := start.files[entry]
		old.at = start.clock().Add(-age)
		start.files[entry] = old
		if err := actAt(rec("b", "a", "on", "on"))(start); err != nil {
			t.Fatal(err)
		}
		if got := states(t, mustRead(t, start.afterPowerLoss(0)), "k"); got[0] != history.Live {
			t.Errorf("%s old, and what another action rests on is %v", age, got)
		}
		syncs := func() int {
			m := start.clone()
			if _, err := open(t, "/s", m).History(background, "a", "value"); err != nil {
				t.Fatal(err)
			}
			return m.calls["Sync"]
		}
		// The mark of b was not rested on yet, that of k was.
		if n := syncs(); n != 1 {
			t.Errorf("%s old, and read again with %d syncs", age, n)
		}
		if err := actAt(rec("k", "a", "off", "on"))(start); err != nil {
			t.Fatal(err)
		}
		if n := syncs(); n != 1 {
			t.Errorf("%s old, and marked again: read with %d syncs", age, n)
		}
	}
}

// TestDoneWritesWhatNoMarkCanTell: where more is new than that all of an attribute is live, where
// the record was written some time ago or is gone, and where its lock is not held, it is written
// whole.
func TestDoneWritesWhatNoMarkCanTell(t *testing.T) {
	two := both(rec("k", "a", "off", "on"), rec("k", "a", "on", "off"))
	two.Entries[1].Seq = 2
	tests := []struct {
		name   string
		first  Record
		change func(m *memory, l *Ledger, r *Record)
		// writes are how many files are written and synced.
		writes int
	}{
		{"all are live", two, func(*memory, *Ledger, *Record) {}, 0},
		{"it was tried again", two, func(m *memory, _ *Ledger, r *Record) { r.Acted = m.clock() }, 0},
		{"nothing is new", two, func(_ *memory, _ *Ledger, r *Record) { r.Entries = two.Entries }, 0},
		{"just before it is too late", two, func(_ *memory, l *Ledger, _ *Record) {
			past := l.now().Add(soon - time.Second)
			l.now = func() time.Time { return past }
		}, 0},
		{"one of an attribute is pending", two, func(_ *memory, _ *Ledger, r *Record) {
			r.Entries[1].State = history.Pending
		}, 1},
		{"another fact", two, func(_ *memory, _ *Ledger, r *Record) {
			r.Facts = map[string]string{"prior": "x"}
		}, 1},
		{"another entry", two, func(_ *memory, _ *Ledger, r *Record) {
			r.Entries = append(r.Entries, rec("k", "b", "off", "on").Entries...)
		}, 1},
		{"another prior value", two, func(_ *memory, _ *Ledger, r *Record) {
			r.Entries[0].From = "x"
		}, 1},
		{"undone", two, func(_ *memory, _ *Ledger, r *Record) {
			r.Entries[0].State, r.Entries[1].State = history.Withdrawn, history.Withdrawn
		}, 1},
		{"undone, from live", made(two), func(_ *memory, _ *Ledger, r *Record) {
			r.Entries[0].State, r.Entries[1].State = history.Undoing, history.Undoing
		}, 1},
		{"some time ago", two, func(_ *memory, l *Ledger, _ *Record) {
			past := l.now().Add(soon)
			l.now = func() time.Time { return past }
		}, 1},
		{"it is gone", two, func(m *memory, _ *Ledger, _ *Record) { delete(m.files, pathOf(two)) }, 1},
		{"no mark can be written", two, func(m *memory, l *Ledger, _ *Record) {
			m.before = func(_ int, name string) fault {
				if name == "Create" {
					m.before = nil
					return fails
				}
				return none
			}
		}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMemory()
			l := open(t, "/s", m)
			release, err := l.Lock(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			put(t, l, tt.first)
			r := made(tt.first)
			tt.change(m, l, &r)
			m.calls = map[string]int{}
			if err := l.Done(background, r); err != nil {
				t.Fatal(err)
			}
			if n := m.calls["Write"]; n != tt.writes {
				t.Errorf("%d files were written and synced, want %d", n, tt.writes)
			}
			release()
			for _, l := range []*Ledger{l, mustRead(t, m)} {
				got, ok := mustGet(t, l, "k")
				if r.Acted = got.Acted; !ok || !got.same(r) {
					t.Errorf("got %+v, want %+v", got, r)
				}
				states(t, l, "k")
			}
		})
	}

	l := open(t, "/s", newMemory())
	put(t, l, two)
	if err := l.Done(background, made(two)); err != nil {
		t.Fatal(err)
	}
	if r, _, err := l.readFile(keyName("k")); err != nil || r.Entries[0].State != history.Live {
		t.Errorf("without its lock: %v, %+v", err, r)
	}
	m := newMemory()
	put(t, open(t, "/s", m), two)
	wantClass(t, mustRead(t, m).Done(background, made(two)), protocol.Internal)
}

// TestAMarkIsOfOneRecord: one that is torn, or of what the record was before, marks nothing.
func TestAMarkIsOfOneRecord(t *testing.T) {
	m := newMemory()
	r := rec("k", "a", "off", "on")
	if err := actAt(r)(m); err != nil {
		t.Fatal(err)
	}
	l := open(t, "/s", m)
	entry := l.indexEntry(Attribute{"a", "value"}, keyName("k"))
	mark := m.files[entry].data
	for _, text := range []string{"", mark[:63], mark + "\n", "x" + mark[1:], hash("x")} {
		m.files[entry] = file{data: text}
		if got := states(t, l, "k"); got[0] != history.Pending {
			t.Errorf("with the mark %q it is %s", text, got[0])
		}
	}
	m.files[entry] = file{data: mark}
	if got := states(t, l, "k"); got[0] != history.Live {
		t.Fatalf("with its mark it is %s", got[0])
	}
	// A further attempt under the key is pending again.
	put(t, l, r)
	if got := states(t, l, "k"); got[0] != history.Pending {
		t.Errorf("written anew it is %s", got[0])
	}
	m.before = func(_ int, name string) fault {
		if name == "ReadFile" && m.calls["ReadFile"]%2 == 0 {
			return fails
		}
		return none
	}
	m.calls["ReadFile"] = 0
	_, _, err := l.Get(background, "k")
	wantClass(t, err, protocol.StateStore, entry)
}
