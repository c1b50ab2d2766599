package table

import (
	"context"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"time"

	"aws-provider-executor/pkg/ledger"
)

const (
	// The period of a lease is a quarter of the time that a request has, within these bounds: a
	// request has time to see another's lease stand still.
	shortestPeriod = time.Second
	longestPeriod  = 10 * time.Second
	// beatsPerPeriod is how often in a period a holder says that it is alive.
	beatsPerPeriod = 8
)

// hold is what one Lock has.
type hold struct {
	table *Table
	// places are those of the locks, the one of the key first.
	places []Place
	names  map[Place]string
	key    string
	holder string
	period time.Duration
	cancel context.CancelFunc
	ended  chan struct{}

	mu     sync.Mutex
	leases map[Place]Lease
	// until is when no change is begun any more, unless a beat is written meanwhile. gone is set
	// once another has one of the locks.
	until time.Time
	gone  bool
	// record is that of the key as it is known to be, nil if it is not known.
	record *ledger.Record
	found  bool
}

// Lock makes this request the only one of all machines that acts under the key and on the named
// things. It waits for its turn until the context ends, and then fails with conflict, retryable.
func (t *Table) Lock(
	ctx context.Context, key string, things ...string,
) (release func(), err error) {
	if t.options.Reading {
		return func() {}, nil
	}
	h := t.newHold(key, things)
	if err := h.take(ctx); err != nil {
		return nil, err
	}
	beating, cancel := context.WithCancel(context.WithoutCancel(ctx))
	h.cancel = cancel
	go h.beat(beating)
	t.mu.Lock()
	t.holds = append(t.holds, h)
	t.mu.Unlock()
	return h.release, nil
}

// LockKey takes the lock of one more key.
func (t *Table) LockKey(ctx context.Context, key string) (release func(), err error) {
	return t.Lock(ctx, key)
}

func (t *Table) newHold(key string, things []string) *hold {
	h := &hold{
		table: t, key: key, holder: rand.Text(), ended: make(chan struct{}),
		period: min(max(t.options.Timeout/4, shortestPeriod), longestPeriod),
		places: []Place{keyPlace(key)}, names: map[Place]string{keyPlace(key): "the key " + key},
		leases: map[Place]Lease{},
	}
	for _, thing := range things {
		place := thingPlace(thing)
		if _, twice := h.names[place]; !twice {
			h.places, h.names[place] = append(h.places, place), thing
		}
	}
	return h
}

// sighting is a lease as it was seen.
type sighting struct {
	Lease
	// since is when it was first seen, until when the last reading began that showed it.
	since, until time.Time
	// before is for how long earlier requests saw it.
	before time.Duration
}

// stood is for how long a lease has stood still.
func (s sighting) stood() time.Duration { return s.before + max(0, s.until.Sub(s.since)) }

// take takes all locks at once. It watches those that others have.
func (h *hold) take(ctx context.Context) error {
	seen := map[Place]sighting{}
	for {
		began := h.table.options.Now()
		items, err := h.table.backend.Read(ctx, h.places)
		if err != nil {
			return h.notTaken(ctx, seen, err)
		}
		h.see(seen, items, began, h.table.options.Now())
		if h.mayTake(seen, items) {
			err := h.write(ctx, items)
			if err == nil {
				return nil
			}
			if !errors.Is(err, ErrMoved) {
				// It may have been written all the same.
				h.giveUp(ctx)
				return h.notTaken(ctx, seen, err)
			}
		}
		if !pause(ctx, h.period/20) {
			return h.notTaken(ctx, seen, ctx.Err())
		}
	}
}

// see notes since when the leases that others have are as a reading shows them.
func (h *hold) see(seen map[Place]sighting, items map[Place]Item, began, now time.Time) {
	for _, place := range h.places {
		i, s := items[place], seen[place]
		switch {
		case i.Holder == "":
			delete(seen, place)
			continue
		case s.Lease != i.Lease:
			s = sighting{Lease: i.Lease, since: now, before: i.Watched}
		}
		s.until = began
		seen[place] = s
	}
}

// mayTake reports whether each lock is free, or stood still.
func (h *hold) mayTake(seen map[Place]sighting, items map[Place]Item) bool {
	return !slices.ContainsFunc(h.places, func(place Place) bool {
		lease := items[place].Lease
		return lease.Holder != "" && seen[place].stood() < lease.Period
	})
}

// handOn leaves in the table for how long leases stood still, where this request had no time to see
// all of it: the next one goes on from there. Each measures on its own clock, none measures what
// another did.
func (h *hold) handOn(ctx context.Context, seen map[Place]sighting) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.period/4)
	defer cancel()
	var changes []Change
	for place, s := range seen {
		// Who is alive says so more often.
		if s.stood() >= s.Period/4 {
			changes = append(changes, Change{
				Place: place, If: Condition{Lease: &s.Lease}, Watched: s.stood(),
			})
		}
	}
	if len(changes) > 0 {
		_ = h.table.backend.Write(ctx, changes)
	}
}

// write writes the leases of all locks, each in the place of the one that was read.
func (h *hold) write(ctx context.Context, items map[Place]Item) error {
	leases := map[Place]Lease{}
	var changes []Change
	for _, place := range h.places {
		was := items[place].Lease
		lease := Lease{Holder: h.holder, Epoch: was.Epoch + 1, Period: h.period}
		if was.Epoch == 0 {
			// An item that was removed and made again must not look like the one that it was.
			lease.Epoch = 1 + mathrand.Int64N(1<<40)
		}
		leases[place] = lease
		// Who had the lock may have written the record after all, which is no beat.
		revision := items[place].Revision
		changes = append(changes, Change{
			Place: place, If: Condition{Lease: &was, Revision: &revision}, Take: &lease,
		})
	}
	began := h.table.options.Now()
	if err := h.table.backend.Write(ctx, changes); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leases, h.until = leases, began.Add(h.period/2)
	// Nobody wrote the record since it was read: that would have been another epoch or revision.
	if r, found, err := h.table.decode(h.places[0], items[h.places[0]]); err == nil {
		h.record, h.found = &r, found
	}
	return nil
}

// notTaken is the error where a lock was not taken.
func (h *hold) notTaken(ctx context.Context, seen map[Place]sighting, err error) error {
	if ctx.Err() != nil {
		h.handOn(ctx, seen)
	}
	for _, place := range h.places {
		if _, busy := seen[place]; busy && ctx.Err() != nil {
			return ledger.Busy(h.names[place])
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return ledger.Busy(h.names[h.places[0]])
	}
	return h.table.broken(err)
}

// beat says that the holder is alive until it releases its locks, or has lost them.
func (h *hold) beat(ctx context.Context) {
	defer close(h.ended)
	for pause(ctx, h.period/beatsPerPeriod) {
		if !h.beatOnce(ctx) {
			return
		}
	}
}

// beatOnce writes one beat. It reports whether the locks may still be held. A beat that was not
// answered may have been written: the next one finds that out.
func (h *hold) beatOnce(ctx context.Context) bool {
	h.mu.Lock()
	var changes []Change
	next := map[Place]Lease{}
	for _, place := range h.places {
		was := h.leases[place]
		lease := was
		lease.Beat++
		next[place] = lease
		changes = append(changes, Change{Place: place, If: Condition{Holds: &was}, Take: &lease})
	}
	h.mu.Unlock()
	began := h.table.options.Now()
	ctx, cancel := context.WithTimeout(ctx, h.period/4)
	defer cancel()
	err := h.table.backend.Write(ctx, changes)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leases = next
	switch {
	case err == nil:
		h.until = began.Add(h.period / 2)
	case errors.Is(err, ErrMoved):
		h.gone = true
	}
	return !h.gone
}

// left is for how long a change may still be begun.
func (h *hold) left() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone {
		return 0
	}
	now := h.table.options.Now()
	// A machine that slept may not have counted that, but its wall clock shows it.
	return min(h.until.Sub(now), h.until.Round(0).Sub(now.Round(0)))
}

// Holding returns a context that ends once another may have a lock of this request: no change may
// be begun then. Its cause is the failure to answer with.
func (t *Table) Holding(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	left := func() time.Duration {
		t.mu.Lock()
		holds := slices.Clone(t.holds)
		t.mu.Unlock()
		least := longestPeriod
		for _, h := range holds {
			least = min(least, h.left())
		}
		return least
	}
	if left() <= 0 {
		cancel(t.lost())
	}
	go func() {
		for {
			d := left()
			if d <= 0 {
				cancel(t.lost())
				return
			}
			if !wait(ctx, d) {
				return
			}
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// giving is how long a request may take to give its locks back.
const giving = 2 * time.Second

// release gives the locks back. Those that can't be given back are free once they stood still.
func (h *hold) release() {
	h.cancel()
	<-h.ended
	t := h.table
	t.mu.Lock()
	t.holds = slices.DeleteFunc(t.holds, func(other *hold) bool { return other == h })
	t.mu.Unlock()
	h.giveUp(context.Background())
}

// giveUp gives back what it may have.
func (h *hold) giveUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(giving, h.period/2))
	defer cancel()
	h.mu.Lock()
	leases := h.leases
	unused := h.record != nil && !h.found
	h.mu.Unlock()
	if len(leases) == 0 {
		h.giveUnknown(ctx)
		return
	}
	var changes []Change
	for _, place := range h.places {
		lease := leases[place]
		c := Change{Place: place, If: Condition{Holds: &lease}}
		// A key without a record leaves nothing behind.
		c.Delete = place == h.places[0] && unused
		if c.Delete {
			none := 0
			c.If.Revision = &none
		}
		c.Give = !c.Delete
		changes = append(changes, c)
	}
	if !errors.Is(h.table.backend.Write(ctx, changes), ErrMoved) {
		return
	}
	for _, c := range changes {
		_ = h.table.backend.Write(ctx, []Change{c})
	}
}

// giveUnknown gives back what a write took whose answer was lost.
func (h *hold) giveUnknown(ctx context.Context) {
	items, err := h.table.backend.Read(ctx, h.places)
	if err != nil {
		return
	}
	for _, place := range h.places {
		if lease := items[place].Lease; lease.Holder == h.holder {
			_ = h.table.backend.Write(ctx,
				[]Change{{Place: place, If: Condition{Holds: &lease}, Give: true}})
		}
	}
}

// holdOf returns the hold that has the lock of a place, nil if there is none.
func (t *Table) holdOf(place Place) *hold {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, h := range t.holds {
		if slices.Contains(h.places, place) {
			return h
		}
	}
	return nil
}

// lease is the lease of a place.
func (h *hold) lease(place Place) Lease {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.leases[place]
}

// known returns the record of the hold's key, and whether it is known.
func (h *hold) known(key string) (r ledger.Record, found, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if key != h.key || h.record == nil {
		return ledger.Record{}, false, false
	}
	r = *h.record
	r.Entries = slices.Clone(r.Entries)
	return r, h.found, true
}

// know notes the record of the hold's key.
func (h *hold) know(key string, r *ledger.Record, found bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if key == h.key {
		h.record, h.found = r, found
		if r != nil {
			own := *r
			own.Entries = slices.Clone(r.Entries)
			h.record = &own
		}
	}
}

// forget has the record read anew.
func (h *hold) forget(key string) { h.know(key, nil, false) }

// pause waits about so long, and reports whether the context let it.
func pause(ctx context.Context, d time.Duration) bool {
	return wait(ctx, d-d/4+mathrand.N(d/2+1))
}

// wait waits so long, and reports whether the context let it.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
