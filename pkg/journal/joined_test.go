package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"aws-provider-executor/pkg/gate"
)

// asked is a write and who wants it.
type asked struct {
	ctx context.Context
	do  func(*writer) error
}

// joined has writes wait for each other, and carries them out in one transaction.
func joined(t *testing.T, j *Journal, writes ...asked) []error {
	t.Helper()
	refused := func(*writer) error { return gate.ErrChanged }
	first := j.queue.join(t.Context(), refused)
	var waiting []*writing
	for _, w := range writes {
		waiting = append(waiting, j.queue.join(w.ctx, w.do))
	}
	// Who came first leads; it takes the others with it.
	if err := j.finish(first); !errors.Is(err, gate.ErrChanged) {
		t.Error(err)
	}
	outcomes := make([]error, len(writes))
	for i, w := range waiting {
		outcomes[i] = j.finish(w)
	}
	return outcomes
}

// TestWritesThatAreJoined are each whole or not there, as if they had come one after the other.
func TestWritesThatAreJoined(t *testing.T) {
	ctx := context.Background()
	j := open(t, newPath(t))
	a := add(t, j, "k")
	gone, cancel := context.WithCancel(ctx)
	cancel()
	put := func(ctx context.Context, changes ...gate.Change) asked {
		return asked{ctx, func(w *writer) error {
			return w.applyEach(len(changes), func(i int) gate.Change { return changes[i] },
				func(int, gate.Action) {})
		}}
	}
	fresh := func(key string) gate.Change {
		return gate.Change{Action: action(key), Event: event(gate.EventImported)}
	}
	claim := gate.Change{Action: a, Event: event(gate.EventClaimed)}
	outcomes := joined(t, j,
		put(ctx, fresh("a")), put(ctx, claim), put(ctx, fresh("lost"), claim),
		put(gone, fresh("never")), put(ctx, fresh("a")), put(ctx, fresh("b"), fresh("c")),
	)
	for i, want := range []error{nil, nil, gate.ErrChanged, context.Canceled, gate.ErrChanged, nil} {
		if !errors.Is(outcomes[i], want) {
			t.Errorf("write %d: %v, want %v", i, outcomes[i], want)
		}
	}
	var keys []string
	all, err := j.List(ctx, gate.Query{Checked: true})
	for _, x := range all {
		keys = append(keys, x.IdempotencyKey)
		if x.Altered != "" {
			t.Error(x.Altered)
		}
	}
	if got := strings.Join(keys, " "); err != nil || got != "k a b c" {
		t.Errorf("%q, %v", got, err)
	}
	if r, err := j.Verify(ctx); err != nil || len(r.Faults) > 0 || r.Events != 5 {
		t.Error(r, err)
	}
}

// TestAJoinedWriteThatBreaksTheJournalFailsAll: none is told as done.
func TestAJoinedWriteThatBreaksTheJournalFailsAll(t *testing.T) {
	ctx := context.Background()
	j := open(t, newPath(t))
	broken := asked{ctx, func(w *writer) error {
		_, err := w.exec("ROLLBACK")
		return errors.Join(errDisk, err)
	}}
	note := asked{ctx, func(w *writer) error { return w.log(event(gate.EventDenied)) }}
	for i, err := range joined(t, j, note, broken, note) {
		if err == nil {
			t.Errorf("write %d is told as done", i)
		}
	}
	if r, err := j.Verify(ctx); err != nil || len(r.Faults) > 0 || r.Events != 0 {
		t.Error(r, err)
	}
	add(t, j, "later")
}

// TestManyJoinedWrites: as many as come, each is there once.
func TestManyJoinedWrites(t *testing.T) {
	j := open(t, newPath(t))
	var wait sync.WaitGroup
	const writers, each = 16, 20
	for n := range writers {
		wait.Go(func() {
			for i := range each {
				add(t, j, fmt.Sprint(n, "-", i))
			}
		})
	}
	wait.Wait()
	r, err := j.Verify(context.Background())
	if err != nil || len(r.Faults) > 0 || r.Actions != writers*each {
		t.Error(r, err)
	}
}

// TestFlushesAreJoined: with each other and with writes, of which each is told what became of it. A
// flush that nobody wants any more leaves the others as they are.
func TestFlushesAreJoined(t *testing.T) {
	j := open(t, newPath(t))
	a := add(t, j, "k")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	write := func(w *writer) error {
		_, err := w.apply(gate.Change{Action: a, Event: event(gate.EventClaimed)})
		return err
	}
	flush := asked{ctx: t.Context()}
	outcomes := joined(t, j, flush, asked{t.Context(), write}, asked{ctx: gone}, flush,
		asked{t.Context(), write})
	for i, want := range []error{nil, nil, context.Canceled, nil, gate.ErrChanged} {
		if !errors.Is(outcomes[i], want) {
			t.Errorf("%d: %v, want %v", i, outcomes[i], want)
		}
	}
	if _, is := j.engine.(sqliteEngine); !is {
		return
	}
	// What was written before the flush is in the file, without the log beside it.
	text, err := os.ReadFile(j.path)
	if err != nil {
		t.Fatal(err)
	}
	alone := filepath.Join(t.TempDir(), "journal.db")
	if err := os.WriteFile(alone, text, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := open(t, alone).Get(t.Context(), a.ID)
	if err != nil || got.Revision != a.Revision+1 {
		t.Errorf("the file alone has revision %d, %v, want %d", got.Revision, err, a.Revision+1)
	}
}

// TestEachFlushIsToldThatItFailed, and the writes beside it that they are made.
func TestEachFlushIsToldThatItFailed(t *testing.T) {
	j := open(t, newPath(t))
	failed := errors.New("the disk is full")
	j.engine = unflushed{j.engine, failed}
	outcomes := joined(t, j, asked{ctx: t.Context()}, asked{ctx: t.Context()},
		asked{t.Context(), func(w *writer) error { return w.log(event(gate.EventDenied)) }})
	for i, want := range []error{failed, failed, nil} {
		if !errors.Is(outcomes[i], want) {
			t.Errorf("%d: %v, want %v", i, outcomes[i], want)
		}
	}
	if events, err := j.Events(t.Context(), gate.EventQuery{}); err != nil || len(events) != 1 {
		t.Errorf("%d events, %v", len(events), err)
	}
}

// unflushed is an engine whose flushes fail.
type unflushed struct {
	engine
	err error
}

func (u unflushed) flush(context.Context, *Journal) error { return u.err }
