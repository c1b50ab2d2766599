package ledger

import (
	"cmp"
	"context"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"aws-provider-executor/pkg/history"
)

// Tidy removes those records of some attributes that no later answer rests on. The caller has
// the locks of its own key and of what the attributes are of. Tidy is called once the outcome is
// recorded: what it can't remove stays.
func (l *Ledger) Tidy(ctx context.Context, own string, attributes ...Attribute) {
	if l.reading {
		return
	}
	j := l.newJudge(ctx)
	for _, a := range attributes {
		records, strays, err := l.history(ctx, a)
		if err != nil {
			continue
		}
		j.know(a, records)
		for _, name := range strays {
			l.removeStray(filepath.Base(l.indexPath(a)), name, own)
		}
	}
	j.tidy(own, attributes)
}

// Tidied is a store that Tidy tidies. An error of a method leaves records where they are.
type Tidied interface {
	Get(ctx context.Context, key string) (Record, bool, error)
	History(ctx context.Context, resource, attribute string) ([]Record, error)
	// RemoveUnused removes a record unless somebody is at work under its key, or was since it was
	// read. The caller has the lock of its own key. It reports whether the record is gone.
	RemoveUnused(ctx context.Context, r Record, own string) bool
}

// Tidy does for another store what Ledger.Tidy does.
func Tidy(
	ctx context.Context, store Tidied, now func() time.Time, own string, attributes ...Attribute,
) {
	newJudge(ctx, store, now).tidy(own, attributes)
}

// RemoveUnused removes a record unless somebody is at work under its key, or was since it was read.
// The caller has the lock of its own key. It reports whether the record is gone.
func (l *Ledger) RemoveUnused(_ context.Context, r Record, own string) bool {
	name := keyName(r.Key)
	if r.Key != own {
		unlock, err := l.tryLock(keyPlace(name))
		if err != nil {
			return false
		}
		defer unlock()
	}
	now, ok, err := l.read(name)
	return err == nil && ok && now.same(r) && l.remove(now) == nil
}

// removeStray removes an index entry, of the directory with a name, if it leads to no record with
// an entry of that attribute. One whose record may just be written stays.
func (l *Ledger) removeStray(dir, name, own string) {
	if name != keyName(own) {
		unlock, err := l.tryLock(keyPlace(name))
		if err != nil {
			return
		}
		defer unlock()
	}
	r, _, err := l.read(name)
	if err != nil {
		return
	}
	for _, a := range r.Attributes() {
		if indexName(a) == dir {
			return
		}
	}
	l.removeIndex(name, filepath.Join(l.indexes(), dir))
}

// judge tells which records a later answer may rest on. It reads each history once.
type judge struct {
	ctx   context.Context
	store Tidied
	now   func() time.Time
	// found are the records that were read, by their keys.
	found map[string]Record
	// entries are those of an attribute, needed those of them that are needed.
	entries, needed map[Attribute][]history.Entry
}

func (l *Ledger) newJudge(ctx context.Context) *judge { return newJudge(ctx, l, l.now) }

func newJudge(ctx context.Context, store Tidied, now func() time.Time) *judge {
	return &judge{ctx: ctx, store: store, now: now, found: map[string]Record{},
		entries: map[Attribute][]history.Entry{}, needed: map[Attribute][]history.Entry{}}
}

// know takes in the records of an attribute.
func (j *judge) know(a Attribute, records []Record) {
	for _, r := range records {
		j.found[r.Key] = r
	}
	j.set(a, entriesOf(records, a, j.now()))
}

// set sets the entries of an attribute.
func (j *judge) set(a Attribute, all []history.Entry) {
	j.entries[a], j.needed[a] = all, history.Needed(all)
}

// tidy drops those records of some attributes, and that of its own key, that are not needed.
func (j *judge) tidy(own string, attributes []Attribute) {
	for _, a := range attributes {
		_, _, _ = j.read(a)
	}
	if _, ok := j.found[own]; !ok {
		if r, ok, err := j.store.Get(j.ctx, own); ok && err == nil {
			j.found[own] = r
		}
	}
	j.drop(slices.Collect(maps.Values(j.found)), own)
}

// read returns the entries of an attribute, and those that are needed.
func (j *judge) read(a Attribute) (all, needed []history.Entry, err error) {
	if _, known := j.entries[a]; !known {
		records, err := j.store.History(j.ctx, a.Resource, a.Name)
		if err != nil {
			return nil, nil, err
		}
		j.know(a, records)
	}
	return j.entries[a], j.needed[a], nil
}

// repeatable is how long after an undo it may be sent again, as after a lost answer.
const repeatable = time.Minute

// entriesOf returns the entries that some records have of an attribute.
func entriesOf(records []Record, a Attribute, now time.Time) []history.Entry {
	var all []history.Entry
	for _, r := range records {
		for _, e := range r.Entries {
			if e.attribute() == a {
				e.Fresh = now.Sub(r.Written).Abs() < repeatable
				all = append(all, e.Entry)
			}
		}
	}
	return all
}

// except returns the entries of other keys.
func except(all []history.Entry, key string) []history.Entry {
	return slices.DeleteFunc(slices.Clone(all), func(e history.Entry) bool { return e.Key == key })
}

// needs reports whether a later answer may rest on a record. A history that can't be read needs all
// of its records.
func (j *judge) needs(r Record) bool {
	return slices.ContainsFunc(r.Entries, func(e Entry) bool {
		if e.Backup {
			return false
		}
		all, needed, err := j.read(e.attribute())
		mine := func(n history.Entry) bool { return n.Key == r.Key }
		return err != nil || history.Rests(all, needed, r.Key) ||
			len(needed) == 0 && slices.ContainsFunc(history.Repeatable(all), mine)
	})
}

// onlyReleases reports whether a record is needed only to tell later undos of a release. Nothing
// lies above the release then, and nothing that it ended is left.
func (j *judge) onlyReleases(r Record) bool {
	return !slices.ContainsFunc(r.Entries, func(e Entry) bool {
		if e.Backup {
			return false
		}
		all, _, err := j.read(e.attribute())
		alone := err == nil && len(history.Needed(except(all, r.Key))) == 0
		return !alone || e.Ends == 0 || e.State != history.Live
	})
}

// drop removes those of some records that are not needed, in such an order that none comes back
// to life, whenever a kill comes. The caller has the lock of its own key.
func (j *judge) drop(records []Record, own string) {
	records = inOrder(records, func(a, b *Record) int {
		return cmp.Or(cmp.Compare(first(*a), first(*b)), cmp.Compare(a.Key, b.Key))
	})
	for again := true; again; {
		again = false
		records = slices.DeleteFunc(records, func(r Record) bool {
			gone := !j.needs(r) && j.remove(r, own)
			again = again || gone
			return gone
		})
	}
}

// inOrder returns the values in the order that compare gives. Pointers are sorted, so that a record
// is moved once, and the same machine code sorts all types.
func inOrder[T any](all []T, compare func(a, b *T) int) []T {
	places := make([]*T, len(all))
	for i := range all {
		places[i] = &all[i]
	}
	slices.SortFunc(places, compare)
	sorted := make([]T, len(all))
	for i, p := range places {
		sorted[i] = *p
	}
	return sorted
}

// first returns the lowest place of a record's entries.
func first(r Record) int64 {
	place := int64(0)
	for i, e := range r.Entries {
		if i == 0 || e.Seq < place {
			place = e.Seq
		}
	}
	return place
}

// remove removes a record, and reports whether it is gone.
func (j *judge) remove(r Record, own string) bool {
	if !j.store.RemoveUnused(j.ctx, r, own) {
		return false
	}
	for _, a := range r.Attributes() {
		if all, ok := j.entries[a]; ok {
			j.set(a, except(all, r.Key))
		}
	}
	return true
}
