// Package table is the ledger in a DynamoDB table, which machines share.
//
// It keeps what package ledger keeps, and promises the same to requests of all machines that name
// the same table. A key has one item with its record and its lock. A thing that no two requests may
// act on has one with its lock. Each attribute has a partition with the keys of the records that
// have an entry of it. A record and its index entries are written in one transaction.
//
// # Locks
//
// A lock is a lease with an epoch. Its holder says all the time that it is alive. Another request
// takes the lease once it stood still for its whole period, measured on the taker's own clock. Who
// has less time leaves in the table how much of it was seen. Clocks of two machines are never
// compared; they only have to run about equally fast.
//
// Every write of a request is refused if one of its locks was taken by another. A change of the
// cloud can't be refused so. That is why a request begins none when half of the period has passed
// since it last said that it is alive: see Holding. The other half is for a change on its way.
//
// # Writes
//
// Every write is one transaction with a token of its own. An answer that is lost is asked for again
// under that token, so that nothing is written twice.
package table

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/protocol"
)

// Backend is the table itself. All it reads is as of the last write that was answered. Errors are
// *protocol.Failure values, but for ErrMoved.
type Backend interface {
	// Read returns the items of some places. One that holds nothing is the zero Item.
	Read(ctx context.Context, places []Place) (map[Place]Item, error)
	// List returns the sort keys of a partition.
	List(ctx context.Context, partition string) ([]string, error)
	// Write makes all changes, or none. It fails with ErrMoved if a condition did not hold.
	Write(ctx context.Context, changes []Change) error
}

// ErrMoved means that a condition of a write did not hold, so nothing was written.
var ErrMoved = errors.New("the table has changed meanwhile")

// MaxChanges is how many changes one write has at most, as DynamoDB's transactions.
const MaxChanges = 100

// Table is the ledger in a table, for one request. It is safe for concurrent use.
type Table struct {
	backend Backend
	options Options

	mu sync.Mutex
	// holds are the locks that the request has.
	holds []*hold
	// created and removed count records.
	created, removed atomic.Int64
}

// Options say how a table is used.
type Options struct {
	// Name is the table's name, for people.
	Name string
	// Timeout is the time that a request has, which the period of its leases is taken from.
	Timeout time.Duration
	// Reading forbids to change anything: nothing is locked either.
	Reading bool
	// Now is this machine's clock; nil is time.Now.
	Now func() time.Time
}

// New returns the ledger in a table. Nothing is sent yet.
func New(backend Backend, o Options) *Table {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Table{backend: backend, options: o}
}

// Counts returns how many records were written that were new, and how many were removed.
func (t *Table) Counts() (created, removed int) {
	return int(t.created.Load()), int(t.removed.Load())
}

// Get returns the record of a key, and whether there is one.
func (t *Table) Get(ctx context.Context, key string) (ledger.Record, bool, error) {
	if h := t.holdOf(keyPlace(key)); h != nil {
		if r, found, known := h.known(key); known {
			return r, found, nil
		}
	}
	place := keyPlace(key)
	items, err := t.backend.Read(ctx, []Place{place})
	if err != nil {
		return ledger.Record{}, false, t.broken(err)
	}
	r, found, err := t.decode(place, items[place])
	if err != nil {
		return ledger.Record{}, false, err
	}
	if h := t.holdOf(place); h != nil {
		h.know(key, &r, found)
	}
	return r, found, nil
}

// decode returns the record of a place's item, and whether it has one.
func (t *Table) decode(place Place, i Item) (ledger.Record, bool, error) {
	if i.Revision == 0 && len(i.Record) == 0 {
		return ledger.Record{}, false, nil
	}
	r, err := ledger.Decode(i.Record)
	switch {
	case err != nil:
	case keyPlace(r.Key) != place:
		err = errors.New("it is that of another key")
	case r.Revision != i.Revision:
		err = errors.New("its revision is another one than the item's")
	}
	if err != nil {
		return ledger.Record{}, false, protocol.Refuse(protocol.StateStore,
			"cannot trust the record in the item %s of the table %s: %s; nothing was changed; "+
				"repair the table from a backup", place.Partition, t.options.Name, err)
	}
	return r, true, nil
}

// History returns the records that have an entry of an attribute, in no particular order. It
// refuses a history that is not whole.
func (t *Table) History(
	ctx context.Context, resource, attribute string,
) ([]ledger.Record, error) {
	a := ledger.Attribute{Resource: resource, Name: attribute}
	all, err := t.history(ctx, a)
	if err == nil && !ledger.Whole(all, a, t.options.Now()) {
		// Whoever reads without the lock of the resource may have met another one at work.
		all, err = t.history(ctx, a)
		if err == nil && !ledger.Whole(all, a, t.options.Now()) {
			return nil, protocol.Refuse(protocol.StateStore,
				"cannot trust the history of the %s of %s in the table %s: a record is missing, or two "+
					"have the same place, as after a partial restore; nothing was changed; repair the table "+
					"from a backup", attribute, resource, t.options.Name)
		}
	}
	return all, err
}

// history returns what History does, be it whole or not.
func (t *Table) history(ctx context.Context, a ledger.Attribute) ([]ledger.Record, error) {
	names, err := t.backend.List(ctx, indexPartitionOf(a))
	if err != nil {
		return nil, t.broken(err)
	}
	var places []Place
	for _, name := range names {
		places = append(places, Place{keyPartition + name, onlyOne})
	}
	items, err := t.backend.Read(ctx, places)
	if err != nil {
		return nil, t.broken(err)
	}
	var all []ledger.Record
	for _, place := range places {
		// Another machine may have removed the record meanwhile, and its index entry with it.
		r, found, err := t.decode(place, items[place])
		if err != nil {
			return nil, err
		}
		if found && r.Has(a) {
			all = append(all, r)
		}
	}
	return all, nil
}

// Put writes a key's record, with its index entries. The caller has the lock of the key.
func (t *Table) Put(ctx context.Context, r ledger.Record) error {
	h, err := t.mayChange(r.Key)
	if err != nil {
		return err
	}
	old, found, err := t.Get(ctx, r.Key)
	if err != nil {
		return err
	}
	data, err := ledger.Encode(r, old.Revision+1, t.options.Now())
	if err != nil {
		return protocol.Refuse(protocol.Internal, "cannot encode the record of the key %s: %s",
			protocol.Quote(r.Key), err)
	}
	own := Change{Place: keyPlace(r.Key), Record: data, Revision: old.Revision + 1}
	changes := t.guarded(h, own, old.Revision)
	for _, a := range r.Attributes() {
		if !old.Has(a) {
			changes = append(changes, Change{Place: indexPlace(a, r.Key), Enter: true})
		}
	}
	for _, a := range old.Attributes() {
		if !r.Has(a) {
			changes = append(changes, Change{Place: indexPlace(a, r.Key), Delete: true})
		}
	}
	h.forget(r.Key)
	if err := t.write(ctx, changes); err != nil {
		return err
	}
	if written, err := ledger.Decode(data); err == nil {
		h.know(r.Key, &written, true)
	}
	if !found {
		t.created.Add(1)
	}
	return nil
}

// Done writes a record of which only the outcome is new, as Put does.
func (t *Table) Done(ctx context.Context, r ledger.Record) error { return t.Put(ctx, r) }

// Remove removes a key's record. One that has no record is free already. The caller has the lock of
// the key.
func (t *Table) Remove(ctx context.Context, key string) error {
	h, err := t.mayChange(key)
	if err != nil {
		return err
	}
	r, found, err := t.Get(ctx, key)
	if err != nil || !found {
		return err
	}
	changes := t.guarded(h, Change{Place: keyPlace(key), Drop: true}, r.Revision)
	h.forget(key)
	if err := t.write(ctx, append(changes, unindexed(r)...)); err != nil {
		return err
	}
	h.know(key, &ledger.Record{}, false)
	t.removed.Add(1)
	return nil
}

// unindexed are the changes that remove the index entries of a record.
func unindexed(r ledger.Record) []Change {
	var changes []Change
	for _, a := range r.Attributes() {
		changes = append(changes, Change{Place: indexPlace(a, r.Key), Delete: true})
	}
	return changes
}

// RemoveUnused removes a record unless somebody is at work under its key, or was since it was read.
// The caller has the lock of its own key. It reports whether the record is gone.
func (t *Table) RemoveUnused(ctx context.Context, r ledger.Record, own string) bool {
	if r.Key == own {
		now, found, err := t.Get(ctx, own)
		return err == nil && found && now.Revision == r.Revision && t.Remove(ctx, own) == nil
	}
	h, err := t.mayChange(own)
	if err != nil {
		return false
	}
	changes := t.stillHeld(Change{
		Place: keyPlace(r.Key), Delete: true, If: Condition{Free: true, Revision: &r.Revision},
	})
	if h == nil || t.write(ctx, append(changes, unindexed(r)...)) != nil {
		return false
	}
	t.removed.Add(1)
	return true
}

// Tidy removes those records of some attributes that no later answer rests on.
func (t *Table) Tidy(ctx context.Context, own string, attributes ...ledger.Attribute) {
	if !t.options.Reading {
		ledger.Tidy(ctx, t, t.options.Now, own, attributes...)
	}
}

// Sweep does nothing: a table has nothing that a kill leaves behind but a lock, which is taken
// over.
func (t *Table) Sweep(context.Context) {}

// Try reports by an error that the table can't be read, or that one of the changes that this
// package makes is not allowed. It asks for each of them under a condition that does not hold, so
// that nothing is written.
func (t *Table) Try(ctx context.Context) error {
	place := keyPlace("")
	if _, err := t.backend.Read(ctx, []Place{place}); err != nil {
		return t.broken(err)
	}
	if _, err := t.backend.List(ctx, place.Partition); err != nil {
		return t.broken(err)
	}
	never := Condition{Holds: &Lease{Holder: "nobody", Epoch: 1}}
	at := func(name string) Place { return Place{place.Partition, name} }
	err := t.backend.Write(ctx, []Change{
		{Place: at("check"), If: never},
		{Place: at("update"), If: never, Give: true},
		{Place: at("put"), If: never, Enter: true},
		{Place: at("delete"), If: never, Delete: true},
	})
	if err != nil && !errors.Is(err, ErrMoved) {
		return t.broken(err)
	}
	return nil
}

// mayChange returns the hold of a key, which a write of its record must have.
func (t *Table) mayChange(key string) (*hold, error) {
	if t.options.Reading {
		return nil, protocol.Refuse(protocol.Internal,
			"the table was opened for reading; nothing was changed")
	}
	h := t.holdOf(keyPlace(key))
	if h == nil {
		return nil, protocol.Refuse(protocol.Internal,
			"a record is written without the lock of its key %s; nothing was changed",
			protocol.Quote(key))
	}
	return h, nil
}

// guarded are a change of the record under a held key, and the conditions that it rests on: every
// lock of the request is still held, and the record has this revision.
func (t *Table) guarded(h *hold, own Change, revision int) []Change {
	lease := h.lease(own.Place)
	own.If = Condition{Holds: &lease, Revision: &revision}
	return t.stillHeld(own)
}

// stillHeld adds the condition that each lock is still held, but for those of changed places.
func (t *Table) stillHeld(changes ...Change) []Change {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, h := range t.holds {
		for _, place := range h.places {
			changed := func(c Change) bool { return c.Place == place }
			if !slices.ContainsFunc(changes, changed) {
				lease := h.lease(place)
				changes = append(changes, Change{Place: place, If: Condition{Holds: &lease}})
			}
		}
	}
	return changes
}

// write makes changes of records.
func (t *Table) write(ctx context.Context, changes []Change) error {
	if len(changes) > MaxChanges {
		return protocol.Refuse(protocol.StateStore,
			"the record and its index are %d items, and %s takes %d at once; nothing was changed; "+
				"act on fewer things in one request", len(changes), t.options.Name, MaxChanges)
	}
	err := t.backend.Write(ctx, changes)
	if errors.Is(err, ErrMoved) {
		return t.lost()
	}
	if err != nil {
		return t.broken(err)
	}
	return nil
}

// lost is the answer where another has taken over what this request had locked.
func (t *Table) lost() *protocol.Failure {
	again := true
	f := protocol.Refuse(protocol.Conflict,
		"another machine may have taken over what this request had locked in %s, since this one did "+
			"not say in time that it is alive; nothing more was changed; try again", t.options.Name)
	f.Retryable = &again
	return f
}

// broken is the answer where the table could not be asked.
func (t *Table) broken(err error) error {
	f := protocol.Refuse(protocol.StateStore,
		"cannot use the table %s, where prior facts are kept: %s; nothing was changed",
		t.options.Name, err)
	var cause *protocol.Failure
	if errors.As(err, &cause) {
		f.Message = "the table " + t.options.Name + ", where prior facts are kept, can't be used: " +
			cause.Message + "; nothing was changed"
		f.Facts = cause.Facts
		again := cause.MayRetry()
		f.Retryable = &again
	}
	return f
}
