package table

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/protocol"
)

// frail is a table that takes its time, and may break.
type frail struct {
	*Memory
	// takes is how long a write takes, and reads how long a reading does. A write that has less time
	// fails.
	takes, reads time.Duration
	// broken are the operations that fail: Read, List, Write. A Lost write is made, and fails all
	// the same.
	broken string
	asked  []Change
}

var errBroken = protocol.Refuse(protocol.Unavailable, "no answer")

func (f *frail) Read(ctx context.Context, places []Place) (map[Place]Item, error) {
	if f.broken == "Read" {
		return nil, errBroken
	}
	found, err := f.Memory.Read(ctx, places)
	wait(ctx, f.reads)
	return found, err
}

func (f *frail) List(ctx context.Context, partition string) ([]string, error) {
	if f.broken == "List" {
		return nil, errBroken
	}
	return f.Memory.List(ctx, partition)
}

func (f *frail) Write(ctx context.Context, changes []Change) error {
	f.asked = append(f.asked, changes...)
	if !wait(ctx, f.takes) {
		return protocol.Refuse(protocol.Timeout, "the time was up")
	}
	if f.broken == "Write" {
		return errBroken
	}
	err := f.Memory.Write(ctx, changes)
	if f.broken == "Lost" {
		return errBroken
	}
	return err
}

// TestABrokenTableIsTold: whatever of the table can't be asked, the request is told so by the class
// of the ledger, with what the cause was, and no record changes.
func TestABrokenTableIsTold(t *testing.T) {
	a := ledger.Attribute{Resource: "eni-1", Name: "groups"}
	r := recordOf("k", entryOf(a.Resource, a.Name, 1, history.Live))
	for name, broken := range map[string]struct {
		operation string
		do        func(context.Context, *Table) error
	}{
		"the history's list": {"List", func(ctx context.Context, t *Table) error {
			_, err := t.History(ctx, a.Resource, a.Name)
			return err
		}},
		"the history's records": {"Read", func(ctx context.Context, t *Table) error {
			_, err := t.History(ctx, a.Resource, a.Name)
			return err
		}},
		"another key's record": {"Read", func(ctx context.Context, t *Table) error {
			_, _, err := t.Get(ctx, "other")
			return err
		}},
		"a lock's look": {"Read", func(ctx context.Context, t *Table) error {
			_, err := t.LockKey(ctx, "other")
			return err
		}},
		"a lock's write": {"Write", func(ctx context.Context, t *Table) error {
			_, err := t.LockKey(ctx, "other")
			return err
		}},
		"a record's write": {"Write", func(ctx context.Context, t *Table) error {
			return t.Put(ctx, r)
		}},
		"a record's removal": {"Write", func(ctx context.Context, t *Table) error {
			return t.Remove(ctx, "k")
		}},
		"a try's look":  {"Read", func(ctx context.Context, t *Table) error { return t.Try(ctx) }},
		"a try's list":  {"List", func(ctx context.Context, t *Table) error { return t.Try(ctx) }},
		"a try's write": {"Write", func(ctx context.Context, t *Table) error { return t.Try(ctx) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &frail{Memory: NewMemory()}
				table, release := open(t, b, "k")
				if err := table.Put(t.Context(), r); err != nil {
					t.Fatal(err)
				}
				before := string(b.Snapshot()[keyPlace("k")].Record)
				b.broken = broken.operation
				err := broken.do(t.Context(), table)
				if class(err) != protocol.StateStore || !strings.Contains(err.Error(), "no answer") {
					t.Errorf("it answers %v", err)
				}
				b.broken = ""
				after := b.Snapshot()
				if string(after[keyPlace("k")].Record) != before || after[keyPlace("other")].Holder != "" {
					t.Errorf("it leaves %v", after)
				}
				release()
			})
		})
	}
}

// TestARecordWhoseWriteWasLostIsReadAnew: what is known of it counts no more.
func TestARecordWhoseWriteWasLostIsReadAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := &frail{Memory: NewMemory()}, t.Context()
		table, release := open(t, b, "k")
		defer release()
		b.broken = "Lost"
		r := recordOf("k", entryOf("eni-1", "groups", 1, history.Live))
		if err := table.Put(ctx, r); class(err) != protocol.StateStore {
			t.Fatalf("it answers %v", err)
		}
		if got, found, err := table.Get(ctx, "k"); !found || got.Revision != 1 || err != nil {
			t.Errorf("after a write it is %+v, %t, %v", got, found, err)
		}
		if err := table.Remove(ctx, "k"); class(err) != protocol.StateStore {
			t.Fatalf("it answers %v", err)
		}
		if got, found, err := table.Get(ctx, "k"); found || err != nil {
			t.Errorf("after a removal it is %+v, %v", got, err)
		}
		b.broken = ""
	})
}

// TestWhatIsReadIsTheCallersOwn: to change it changes nothing of what others read.
func TestWhatIsReadIsTheCallersOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, release := open(t, NewMemory(), "k")
		defer release()
		r := recordOf("k", entryOf("eni-1", "groups", 1, history.Live))
		if err := table.Put(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			got, _, err := table.Get(t.Context(), "k")
			if err != nil || got.Entries[0].Seq != 1 {
				t.Fatalf("it is %+v, %v", got, err)
			}
			got.Entries[0].Seq = 9
		}
	})
}

// TestTryAsksForEachKindOfChange, so that what is not allowed is found out before it is needed, and
// writes nothing.
func TestTryAsksForEachKindOfChange(t *testing.T) {
	b := &frail{Memory: NewMemory()}
	if err := New(b, Options{Name: "test"}).Try(t.Context()); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, c := range b.asked {
		switch {
		case c.Delete:
			kinds["delete"]++
		case c.Enter:
			kinds["put"]++
		case c.Changes():
			kinds["update"]++
		default:
			kinds["check"]++
		}
		if c.If.Holds == nil {
			t.Errorf("%+v may be made", c)
		}
	}
	if len(kinds) != 4 || len(b.Snapshot()) != 0 {
		t.Errorf("it asks for %v, and leaves %v", kinds, b.Snapshot())
	}
}

// TestStoodStill: a lease is known to have stood still from the end of the first reading that
// showed it to the beginning of the last one, beside what earlier requests saw.
func TestStoodStill(t *testing.T) {
	h := New(NewMemory(), Options{Timeout: time.Minute}).newHold("k", nil)
	place, began := h.places[0], time.Now()
	seen := map[Place]sighting{}
	look := func(from, to time.Duration, l Lease) {
		items := map[Place]Item{place: {Lease: l, Watched: time.Second}}
		h.see(seen, items, began.Add(from), began.Add(to))
	}
	l := Lease{Holder: "other", Epoch: 1, Period: 10 * time.Second}
	for _, step := range []struct {
		from, to, stood time.Duration
		beat            int64
	}{
		{0, 2 * time.Second, time.Second, 0},
		{3 * time.Second, 6 * time.Second, 2 * time.Second, 0},
		{11 * time.Second, 15 * time.Second, 10 * time.Second, 0},
		{16 * time.Second, 17 * time.Second, time.Second, 1},
	} {
		l.Beat = step.beat
		look(step.from, step.to, l)
		if stood := seen[place].stood(); stood != step.stood {
			t.Errorf("after %s it stood still for %s, want %s", step.to, stood, step.stood)
		}
		may := h.mayTake(seen, map[Place]Item{place: {Lease: l}})
		if want := step.stood >= l.Period; may != want {
			t.Errorf("after %s it may be taken: %t", step.to, may)
		}
	}
	look(20*time.Second, 21*time.Second, Lease{})
	if len(seen) != 0 || !h.mayTake(seen, nil) {
		t.Errorf("free it is %v", seen)
	}
}

// TestASlowReadingProvesNoStandstill: the time of the readings themselves is not counted, for the
// lease may have been read at their beginning, or at their end.
func TestASlowReadingProvesNoStandstill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &frail{Memory: NewMemory()}
		died, release := open(t, b, "k")
		defer release()
		died.holds[0].cancel()
		period := died.holds[0].period
		b.reads = period * 2 / 5
		began := time.Now()
		_, give := open(t, b, "k")
		if took := time.Since(began); took < b.reads+period {
			t.Errorf("it took over after %s, want %s at least", took, b.reads+period)
		}
		b.reads = 0
		give()
	})
}

// TestNothingIsHandedOnOfALeaseThatMoved: its holder said that it is alive since.
func TestNothingIsHandedOnOfALeaseThatMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewMemory()
		holder, release := open(t, b, "k")
		defer release()
		h := holder.holds[0]
		h.cancel()
		beat := false
		m := &meddled{Memory: b, before: func() { beat = h.beatOnce(context.Background()) }}
		ctx, cancel := context.WithTimeout(t.Context(), h.period*3/4)
		defer cancel()
		table := New(m, Options{Name: "test", Timeout: 20 * time.Second})
		if _, err := table.LockKey(ctx, "k"); class(err) != protocol.Conflict || !beat {
			t.Fatalf("it answers %v, a beat %t", err, beat)
		}
		if i := b.Snapshot()[keyPlace("k")]; i.Watched != 0 {
			t.Errorf("it stood still for %s", i.Watched)
		}
	})
}

// TestALostBeatEndsAtOnce: once another has the lock no change is begun, however long the last beat
// would have counted.
func TestALostBeatEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewMemory()
		table, release := open(t, b, "k")
		defer release()
		h := table.holds[0]
		h.cancel()
		if !h.beatOnce(t.Context()) || h.left() != h.period/2 {
			t.Fatalf("%s are left", h.left())
		}
		i := b.items[keyPlace("k")]
		i.Lease = Lease{Holder: "other", Epoch: i.Epoch + 1, Period: h.period}
		b.items[keyPlace("k")] = i
		if h.beatOnce(t.Context()) || h.left() != 0 {
			t.Errorf("%s are left", h.left())
		}
	})
}

// TestATableThatHangsKeepsNobody: a beat has a quarter of the period, and to give locks back takes
// two seconds at most, less than half of the period. One that takes less time than that is made.
func TestATableThatHangsKeepsNobody(t *testing.T) {
	for timeout, giveUp := range map[time.Duration]time.Duration{
		8 * time.Second: time.Second, time.Minute: 2 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			b := &frail{Memory: NewMemory()}
			table := New(b, Options{Name: "test", Timeout: timeout})
			release, err := table.LockKey(t.Context(), "k")
			if err != nil {
				t.Fatal(err)
			}
			h := table.holds[0]
			h.cancel()
			<-h.ended
			for takes, want := range map[time.Duration]int64{
				h.period/4 - 1: 1, h.period/4 + 1: 0, time.Hour: 0,
			} {
				b.takes = takes
				before, began := b.Snapshot()[keyPlace("k")].Beat, time.Now()
				if !h.beatOnce(t.Context()) {
					t.Error("the locks are lost")
				}
				if took := time.Since(began); took != min(takes, h.period/4) {
					t.Errorf("a beat took %s", took)
				}
				if beats := b.Snapshot()[keyPlace("k")].Beat - before; (beats > 0) != (want > 0) {
					t.Errorf("in %s %d beats are written", takes, beats)
				}
			}
			b.takes = time.Hour
			began := time.Now()
			release()
			if took := time.Since(began); took != giveUp {
				t.Errorf("to give back took %s, want %s", took, giveUp)
			}
			b.takes = giveUp - 1
			h.giveUp(t.Context())
			if _, held := b.Snapshot()[keyPlace("k")]; held {
				t.Error("the lock is not given back")
			}
		})
	}
}

// TestPauses: about so long, at random, so that two that wait do not always meet.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const d = 100 * time.Millisecond
		var all []time.Duration
		for range 200 {
			began := time.Now()
			if !pause(t.Context(), d) {
				t.Fatal("it was cut short")
			}
			all = append(all, time.Since(began))
		}
		if shortest, longest := slices.Min(all), slices.Max(all); shortest < 3*d/4 ||
			longest > 5*d/4 || shortest > 4*d/5 || longest < 6*d/5 {
			t.Errorf("from %s to %s", shortest, longest)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if pause(gone, time.Hour) {
			t.Error("it waits for what has gone")
		}
	})
}

// TestBrokenTellsItsCause: what may help when it is tried again is told so.
func TestBrokenTellsItsCause(t *testing.T) {
	table := New(NewMemory(), Options{Name: "test"})
	for _, cause := range []error{
		protocol.Refuse(protocol.Throttled, "too many").With("requestId", "r"),
		protocol.Refuse(protocol.Authorization, "not allowed"), errors.New("a bug"),
	} {
		var f, of *protocol.Failure
		if err := table.broken(cause); !errors.As(err, &f) || f.Class != protocol.StateStore ||
			!strings.Contains(f.Message, cause.Error()) || !strings.Contains(f.Message, "nothing was") {
			t.Errorf("%v: %+v", cause, err)
			continue
		}
		if errors.As(cause, &of) && (f.MayRetry() != of.MayRetry() ||
			f.Facts["requestId"] != of.Facts["requestId"]) {
			t.Errorf("%v: %+v", cause, f)
		}
	}
}
