package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"aws-provider-executor/pkg/gate"
)

// writer is one transaction.
type writer struct {
	// ctx lasts as long as the transaction; wanted is of who asked for the write that is made now.
	ctx, wanted context.Context
	journal     *Journal
	tx          *sql.Tx
	head        head
}

// writing is one write that waits for its transaction, or a flush.
type writing struct {
	ctx context.Context
	// do is nil for a flush.
	do func(*writer) error
	// over is told once: lead says that this write has to carry out those that wait.
	over chan result
}

type result struct {
	lead bool
	err  error
}

// queue joins the writes of one process that come at the same time into one transaction, and the
// flushes into one: what each waits for is the disk, and one wait does for all.
type queue struct {
	mu      sync.Mutex
	waiting []*writing
	// leading is set while a write carries out those that waited.
	leading bool
}

// maxJoined is how many writes are joined at most.
const maxJoined = 64

// write makes one write, which ends with the head of the log. It is whole or not there, whatever
// becomes of those that it is joined with.
func (j *Journal) write(ctx context.Context, do func(*writer) error) error {
	if j.readOnly {
		return gate.ErrReadOnly
	}
	return j.finish(j.queue.join(ctx, do))
}

// finish waits for a write to be over, and carries out those that wait when it is told to.
func (j *Journal) finish(w *writing) error {
	for {
		r := <-w.over
		if !r.lead {
			return r.err
		}
		j.carryOut(j.queue.take())
		j.queue.next()
	}
}

// join adds a write. It leads where nobody carries out those that wait.
func (q *queue) join(ctx context.Context, do func(*writer) error) *writing {
	w := &writing{ctx: ctx, do: do, over: make(chan result, 1)}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, w)
	if !q.leading {
		q.leading = true
		w.over <- result{lead: true}
	}
	return w
}

// take takes those that wait, the first first.
func (q *queue) take() []*writing {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), maxJoined)
	taken := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return taken
}

// next has the first of those that came meanwhile lead.
func (q *queue) next() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.leading = len(q.waiting) > 0; q.leading {
		q.waiting[0].over <- result{lead: true}
	}
}

// carryOut carries out writes, and then flushes.
func (j *Journal) carryOut(all []*writing) {
	var writes, flushes []*writing
	for _, one := range all {
		if one.do == nil {
			flushes = append(flushes, one)
		} else {
			writes = append(writes, one)
		}
	}
	if len(writes) > 0 {
		j.writeAll(writes)
	}
	if len(flushes) > 0 {
		j.flushAll(flushes)
	}
}

// flushAll flushes once for all that wait for it: what each waits for was written before.
func (j *Journal) flushAll(all []*writing) {
	wanted := slices.DeleteFunc(all, func(one *writing) bool {
		err := one.ctx.Err()
		if err != nil {
			one.over <- result{err: err}
		}
		return err != nil
	})
	if len(wanted) == 0 {
		return
	}
	ctx, forget := whileWanted(wanted)
	defer forget()
	err := j.engine.flush(ctx, j)
	for _, one := range wanted {
		one.over <- result{err: err}
	}
}

// writeAll carries writes out in one transaction, and tells each what became of it.
func (j *Journal) writeAll(all []*writing) {
	outcomes := make([]error, len(all))
	ctx, forget := whileWanted(all)
	defer forget()
	var last head
	err := j.patiently(ctx, func() error {
		if last.seq > 0 {
			// The server was lost as it was told to keep what was written.
			if kept, err := j.has(ctx, last); kept || err != nil {
				return err
			}
		}
		last = head{}
		clear(outcomes)
		return j.transact(ctx, func(w *writer) error { return w.all(all, outcomes) }, &last)
	})
	if last.seq > 0 && err != nil {
		err = fmt.Errorf("whether it was written is not known: %w", err)
	}
	for i, one := range all {
		if err != nil && outcomes[i] == nil {
			outcomes[i] = err
		}
		one.over <- result{err: asWriting(outcomes[i])}
	}
}

// all makes several writes. It is an error where nothing is to be kept.
func (w *writer) all(all []*writing, outcomes []error) error {
	if err := w.findHead(); err != nil {
		return err
	}
	written := false
	for i, one := range all {
		var err error
		if outcomes[i], err = w.one(one, len(all) > 1); err != nil {
			return err
		}
		written = written || outcomes[i] == nil
	}
	if !written {
		return errNothing
	}
	return w.saveHead()
}

// has reports whether an event is in the log, once no writer is on the way that might still write
// it.
func (j *Journal) has(ctx context.Context, event head) (kept bool, err error) {
	err = j.transact(ctx, func(w *writer) error {
		if _, err := w.view().lockedEnd(); err != nil {
			return err
		}
		var n int
		row := w.view().QueryRowContext(ctx, "SELECT count(*) FROM "+ours.events+
			" WHERE seq = ? AND hash = ?", event.seq, event.hash)
		err := row.Scan(&n)
		kept = n > 0
		return err
	}, nil)
	return kept, err
}

// whileWanted is a context that ends when nobody wants any of the writes.
func whileWanted(all []*writing) (ctx context.Context, forget func()) {
	ctx, giveUp := context.WithCancel(context.WithoutCancel(all[0].ctx))
	var left atomic.Int64
	left.Store(int64(len(all)))
	stops := make([]func() bool, len(all))
	for i, one := range all {
		stops[i] = context.AfterFunc(one.ctx, func() {
			if left.Add(-1) == 0 {
				giveUp()
			}
		})
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		giveUp()
	}
}

// errNothing ends a transaction in which nothing was written.
var errNothing = errors.New("nothing was written")

// one makes one write of several. What fails leaves nothing; err is of what fails them all.
func (w *writer) one(one *writing, several bool) (outcome, err error) {
	if err := one.ctx.Err(); err != nil {
		return err, nil
	}
	before := w.head
	if several {
		if _, err := w.exec("SAVEPOINT one"); err != nil {
			return nil, err
		}
	}
	w.wanted = one.ctx
	if outcome = one.do(w); outcome != nil {
		w.head = before
	}
	if outcome != nil && w.journal.engine.passes(outcome) {
		return nil, outcome
	}
	if several && outcome != nil {
		_, err = w.exec("ROLLBACK TO one")
	}
	if several && err == nil {
		_, err = w.exec("RELEASE one")
	}
	return outcome, err
}

// transact runs one transaction. Who gives up while it waits for others gets nothing done; what is
// begun is ended, for those whose it is too. Where last is not nil it is the end of the log while
// it is not known whether what was written is kept.
func (j *Journal) transact(ctx context.Context, do func(*writer) error, last *head) error {
	if j.readOnly {
		return gate.ErrReadOnly
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	begun, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	stop := context.AfterFunc(ctx, giveUp)
	tx, err := j.db.BeginTx(begun, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if !stop() {
		return ctx.Err()
	}
	// Nothing ends it early from here on, so that no statement has to be watched.
	w := &writer{ctx: context.WithoutCancel(begun), wanted: ctx, journal: j, tx: tx}
	if err := do(w); err != nil {
		return err
	}
	if last != nil {
		*last = w.head
	}
	err = tx.Commit()
	if last != nil && !j.engine.passes(err) {
		*last = head{}
	}
	return err
}

// patience is how long is waited for a server that is not there, or for another's write.
const patience = 15 * time.Second

// longestPause is the longest time between two tries.
const longestPause = time.Second

// patiently does something again as long as it may still go well.
func (j *Journal) patiently(ctx context.Context, do func() error) error {
	end := time.Now().Add(j.patience)
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, longestPause) {
		err := do()
		if err == nil || !j.engine.passes(err) || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
	}
}

// asWriting is the error of a write.
func asWriting(err error) error {
	if err == nil || errors.Is(err, gate.ErrChanged) || errors.Is(err, gate.ErrAltered) ||
		errors.Is(err, gate.ErrReadOnly) {
		return err
	}
	return fmt.Errorf("cannot write the journal: %w", err)
}
