package table

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/protocol"
)

func entryOf(resource, name string, seq int64, state history.State) ledger.Entry {
	return ledger.Entry{Resource: resource, Attribute: name,
		Entry: history.Entry{Seq: seq, From: "a", To: "b", State: state}}
}

func recordOf(key string, entries ...ledger.Entry) ledger.Record {
	return ledger.Record{Key: key, Action: "set", Entries: entries}
}

// open is one request's ledger, with the locks of a key and of things.
func open(t *testing.T, b Backend, key string, things ...string) (*Table, func()) {
	t.Helper()
	table := New(b, Options{Name: "test", Timeout: 20 * time.Second})
	release, err := table.Lock(t.Context(), key, things...)
	if err != nil {
		t.Fatal(err)
	}
	return table, release
}

func class(err error) protocol.FailureClass {
	var f *protocol.Failure
	if errors.As(err, &f) {
		return f.Class
	}
	return ""
}

// TestRecords: what one request wrote another one reads, by key and by attribute, and what is
// removed leaves nothing behind but the epochs of things.
func TestRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := NewMemory(), t.Context()
		first, release := open(t, b, "k", "eni-1")
		r := recordOf("k", entryOf("eni-1", "groups", 1, history.Pending),
			entryOf("eni-1", "tags", 1, history.Pending))
		if err := first.Put(ctx, r); err != nil {
			t.Fatal(err)
		}
		r.Entries = r.Entries[:1]
		if err := first.Done(ctx, r); err != nil {
			t.Fatal(err)
		}
		release()
		removedByAnother(t, b)
	})
}

// removedByAnother has another request find what TestRecords wrote, and remove it.
func removedByAnother(t *testing.T, b *Memory) {
	ctx := t.Context()
	second, release := open(t, b, "k", "eni-1")
	got, found, err := second.Get(ctx, "k")
	if err != nil || !found || got.Revision != 2 || len(got.Entries) != 1 {
		t.Errorf("it is %+v, %t, %v", got, found, err)
	}
	for name, want := range map[string]int{"groups": 1, "tags": 0} {
		all, err := second.History(ctx, "eni-1", name)
		if err != nil || len(all) != want {
			t.Errorf("of %s it has %+v, %v", name, all, err)
		}
	}
	if err := second.Remove(ctx, "k"); err != nil {
		t.Fatal(err)
	}
	release()
	for place, item := range b.Snapshot() {
		if place != thingPlace("eni-1") || item.Holder != "" {
			t.Errorf("it leaves %v: %+v", place, item)
		}
	}
	if created, removed := second.Counts(); created != 0 || removed != 1 {
		t.Errorf("it counts %d and %d", created, removed)
	}
}

// TestLateHolder: once another has taken over the lock of a key, the record can't be written by who
// had it, whatever else is so.
func TestLateHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := NewMemory(), t.Context()
		late, release := open(t, b, "k")
		defer release()
		r := recordOf("k", entryOf("eni-1", "groups", 1, history.Live))
		if err := late.Put(ctx, r); err != nil {
			t.Fatal(err)
		}
		// Its beats do not come any more, and its lease stands still.
		late.holds[0].cancel()
		later, give := open(t, b, "k")
		defer give()
		for name, err := range map[string]error{
			"Put": late.Put(ctx, r), "Done": late.Done(ctx, r), "Remove": late.Remove(ctx, "k"),
		} {
			if class(err) != protocol.Conflict || !strings.Contains(err.Error(), "taken over") {
				t.Errorf("%s answers %v", name, err)
			}
		}
		holding, end := late.Holding(ctx)
		defer end()
		if class(context.Cause(holding)) != protocol.Conflict {
			t.Errorf("a change may be begun: %v", context.Cause(holding))
		}
		if got, _, err := later.Get(ctx, "k"); err != nil || got.Revision != 1 {
			t.Errorf("it is %+v, %v", got, err)
		}
	})
}

// meddled is a backend where something happens once, right before a write.
type meddled struct {
	*Memory
	before func()
}

func (m *meddled) Write(ctx context.Context, changes []Change) error {
	if before := m.before; before != nil {
		m.before = nil
		before()
	}
	return m.Memory.Write(ctx, changes)
}

// TestTakesOverTheRecordAsItIs: who had the lock writes the record between the look and the write
// of who takes over. That record is kept and known, with its index entry.
func TestTakesOverTheRecordAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := NewMemory(), t.Context()
		late, release := open(t, b, "k", "eni-1")
		late.holds[0].cancel()
		r := recordOf("k", entryOf("eni-1", "groups", 1, history.Pending))
		wrote := errors.New("it was not asked")
		m := &meddled{Memory: b, before: func() { wrote = late.Put(ctx, r) }}
		later, give := open(t, m, "k", "eni-1")
		if wrote != nil {
			t.Fatalf("the lease was not taken yet, and Put answers %v", wrote)
		}
		if got, found, err := later.Get(ctx, "k"); err != nil || !found || got.Revision != 1 {
			t.Errorf("who took over finds %+v, %t, %v", got, found, err)
		}
		give()
		release()
		if all, err := later.History(ctx, "eni-1", "groups"); err != nil || len(all) != 1 {
			t.Errorf("it leaves %+v, %v", all, err)
		}
	})
}

// TestHoldingEnds: a request whose beats come goes on, and the context of its changes ends when
// they do not.
func TestHoldingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, release := open(t, NewMemory(), "k", "eni-1")
		defer release()
		holding, end := table.Holding(t.Context())
		defer end()
		time.Sleep(time.Minute)
		if holding.Err() != nil {
			t.Fatalf("it ended: %v", context.Cause(holding))
		}
		table.holds[0].cancel()
		began := time.Now()
		<-holding.Done()
		if took := time.Since(began); took > table.holds[0].period/2 {
			t.Errorf("it ended after %s", took)
		}
	})
}

// TestWaitsItsTurn: a request waits for one that is alive, and says who has what when its time is
// up.
func TestWaitsItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewMemory()
		_, release := open(t, b, "k", "eni-1")
		table := New(b, Options{Name: "test", Timeout: 20 * time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := table.Lock(ctx, "other", "eni-1")
		if class(err) != protocol.Conflict || !strings.Contains(err.Error(), "eni-1") {
			t.Errorf("it answers %v", err)
		}
		release()
		again, err := table.Lock(t.Context(), "other", "eni-1")
		if err != nil {
			t.Fatal(err)
		}
		again()
	})
}

// TestShortRequestsTakeOver: requests each of which has less time than a lease must stand still
// take over together what a machine that died has locked, and not before.
func TestShortRequestsTakeOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewMemory()
		died, release := open(t, b, "k", "eni-1")
		defer release()
		died.holds[0].cancel()
		began, period := time.Now(), died.holds[0].period
		attempt := func(patience time.Duration) error {
			table := New(b, Options{Name: "test", Timeout: 2 * time.Second})
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			give, err := table.Lock(ctx, "k", "eni-1")
			if err == nil {
				give()
			}
			return err
		}
		// Two that watch at the same time see no more than one.
		both := make(chan error)
		for range 2 {
			go func() { both <- attempt(period * 2 / 5) }()
		}
		for range 2 {
			if err := <-both; class(err) != protocol.Conflict {
				t.Fatalf("after %s: %v", time.Since(began), err)
			}
		}
		tries := 2
		for ; attempt(period*2/5) != nil && tries < 10; tries++ {
			time.Sleep(time.Hour)
		}
		if tries != 3 {
			t.Errorf("%d had no time to take over", tries)
		}
	})
}

// TestWatchingOneThatIsAlive: what requests saw of a lease counts no more once its holder says that
// it is alive.
func TestWatchingOneThatIsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewMemory()
		holder, release := open(t, b, "k", "eni-1")
		defer release()
		h := holder.holds[0]
		h.cancel()
		for range 8 {
			table := New(b, Options{Name: "test", Timeout: 2 * time.Second})
			ctx, cancel := context.WithTimeout(t.Context(), h.period*3/4)
			if _, err := table.Lock(ctx, "k", "eni-1"); class(err) != protocol.Conflict {
				t.Fatalf("it answers %v", err)
			}
			cancel()
			if b.Snapshot()[keyPlace("k")].Watched == 0 {
				t.Error("nothing is handed on")
			}
			if !h.beatOnce(t.Context()) {
				t.Fatal("the lease is lost")
			}
		}
	})
}

// TestTidy removes what no later answer rests on, but not under a key where somebody is at work.
func TestTidy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := NewMemory(), t.Context()
		a := ledger.Attribute{Resource: "eni-1", Name: "groups"}
		for i, key := range []string{"first", "second"} {
			table, release := open(t, b, key)
			e := entryOf(a.Resource, a.Name, int64(i+1), history.Withdrawn)
			e.Undone, e.Aim = int64(i+3), "a"
			if err := table.Put(ctx, recordOf(key, e)); err != nil {
				t.Fatal(err)
			}
			release()
		}
		time.Sleep(time.Hour)
		_, busy := open(t, b, "second")
		table, release := open(t, b, "own", "eni-1")
		table.Tidy(ctx, "own", a)
		left, err := table.History(ctx, a.Resource, a.Name)
		if err != nil || len(left) != 1 || left[0].Key != "second" {
			t.Errorf("it leaves %+v, %v", left, err)
		}
		busy()
		table.Tidy(ctx, "own", a)
		release()
		if left, _ := table.History(ctx, a.Resource, a.Name); len(left) != 0 {
			t.Errorf("it leaves %+v", left)
		}
	})
}

// TestDryRun locks and writes nothing.
func TestDryRun(t *testing.T) {
	b, ctx := NewMemory(), t.Context()
	table := New(b, Options{Name: "test", Timeout: time.Second, Reading: true})
	release, err := table.Lock(ctx, "k", "eni-1")
	if err != nil {
		t.Fatal(err)
	}
	release()
	table.Tidy(ctx, "k", ledger.Attribute{Resource: "eni-1", Name: "groups"})
	for name, err := range map[string]error{
		"Put": table.Put(ctx, recordOf("k")), "Remove": table.Remove(ctx, "k"),
	} {
		if class(err) != protocol.Internal {
			t.Errorf("%s answers %v", name, err)
		}
	}
	if b.writes != 0 || len(b.Snapshot()) != 0 {
		t.Errorf("%d writes leave %v", b.writes, b.Snapshot())
	}
}

// TestUnlocked: no record is written without the lock of its key.
func TestUnlocked(t *testing.T) {
	b := NewMemory()
	table := New(b, Options{Name: "test", Timeout: time.Second})
	if err := table.Put(t.Context(), recordOf("k")); class(err) != protocol.Internal {
		t.Errorf("it answers %v", err)
	}
	if b.writes != 0 {
		t.Errorf("%d writes", b.writes)
	}
}

// TestForeignRecords: what this program did not write as it is there is refused by name.
func TestForeignRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := NewMemory(), t.Context()
		table, release := open(t, b, "k", "eni-1")
		e := entryOf("eni-1", "groups", 1, history.Live)
		if err := table.Put(ctx, recordOf("k", e)); err != nil {
			t.Fatal(err)
		}
		release()
		good := b.Snapshot()
		for name, spoil := range map[string]func(*Item){
			"torn":             func(i *Item) { i.Record = i.Record[:len(i.Record)-9] },
			"another revision": func(i *Item) { i.Revision++ },
			"no record":        func(i *Item) { i.Record = nil },
		} {
			b.items = maps.Clone(good)
			i := b.items[keyPlace("k")]
			spoil(&i)
			b.items[keyPlace("k")] = i
			_, _, byKey := table.Get(ctx, "k")
			_, byAttribute := table.History(ctx, "eni-1", "groups")
			if class(byKey) != protocol.StateStore || class(byAttribute) != protocol.StateStore {
				t.Errorf("%s: it answers %v and %v", name, byKey, byAttribute)
			}
			if said := byKey.Error(); strings.Contains(said, "another key") ||
				strings.Contains(said, "its revision is another") != (name == "another revision") {
				t.Errorf("%s: it says %s", name, said)
			}
		}
		b.items = maps.Clone(good)
		b.items[keyPlace("other")] = b.items[keyPlace("k")]
		if _, _, err := table.Get(ctx, "other"); class(err) != protocol.StateStore {
			t.Errorf("under another key it answers %v", err)
		}
	})
}

// TestAHistoryThatIsNotWholeIsRefused: a record that was lost from below another one is missed.
func TestAHistoryThatIsNotWholeIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := NewMemory(), t.Context()
		for i, key := range []string{"below", "above"} {
			table, release := open(t, b, key, "eni-1")
			e := entryOf("eni-1", "groups", int64(i+1), history.Live)
			e.On = int64(i)
			if err := table.Put(ctx, recordOf(key, e)); err != nil {
				t.Fatal(err)
			}
			release()
		}
		table, release := open(t, b, "k", "eni-1")
		defer release()
		if all, err := table.History(ctx, "eni-1", "groups"); err != nil || len(all) != 2 {
			t.Fatalf("whole it answers %v, %v", all, err)
		}
		delete(b.items, keyPlace("below"))
		if _, err := table.History(ctx, "eni-1", "groups"); class(err) != protocol.StateStore {
			t.Errorf("it answers %v", err)
		}
	})
}

// TestTooMany: a record that one transaction can't take is refused before anything is written.
func TestTooMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewMemory()
		table, release := open(t, b, "k", "eni-1")
		defer release()
		var entries []ledger.Entry
		for i := range MaxChanges - 1 {
			entries = append(entries, entryOf("eni-1", strconv.Itoa(i), 1, history.Pending))
		}
		before := b.writes
		if err := table.Put(t.Context(), recordOf("k", entries...)); class(err) != protocol.StateStore {
			t.Errorf("it answers %v", err)
		}
		if b.writes != before {
			t.Error("it was written")
		}
		if err := table.Put(t.Context(), recordOf("k", entries[:MaxChanges-2]...)); err != nil {
			t.Errorf("one less: %v", err)
		}
	})
}
