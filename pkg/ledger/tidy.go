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
	found := map[string]Record{}
	for _, a := range attributes {
		records, strays, err := l.history(ctx, a)
		if err != nil {
			continue
		}
		j.know(a, j.ledger.entries(records, a))
		for _, r := range records {
			found[r.Key] = r
		}
		for _, name := range strays {
			l.removeStray(filepath.Base(l.indexPath(a)), name, own)
		}
	}
	if _, ok := found[own]; !ok {
		if r, ok, err := l.Get(ctx, own); ok && err == nil {
			found[own] = r
		}
	}
	j.drop(slices.Collect(maps.Values(found)), own)
}

// removeUnused removes a record unless somebody is at work under its key, or was. The caller
// has the lock of its own key. It reports whether the record is gone.
func (l *Ledger) removeUnused(r Record, own string) bool {
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
	for _, a := range r.attributes() {
		if indexName(a) == dir {
			return
		}
	}
	l.removeIndex(name, filepath.Join(l.indexes(), dir))
}

// judge tells which records a later answer may rest on. It reads each history once.
type judge struct {
	ctx    context.Context
	ledger *Ledger
	// entries are those of an attribute, needed those of them that are needed.
	entries, needed map[Attribute][]history.Entry
}

func (l *Ledger) newJudge(ctx context.Context) *judge {
	return &judge{ctx, l, map[Attribute][]history.Entry{}, map[Attribute][]history.Entry{}}
}

// know sets the entries of an attribute.
func (j *judge) know(a Attribute, all []history.Entry) {
	j.entries[a], j.needed[a] = all, history.Needed(all)
}

// read returns the entries of an attribute, and those that are needed.
func (j *judge) read(a Attribute) (all, needed []history.Entry, err error) {
	if _, known := j.entries[a]; !known {
		records, _, err := j.ledger.history(j.ctx, a)
		if err != nil {
			return nil, nil, err
		}
		j.know(a, j.ledger.entries(records, a))
	}
	return j.entries[a], j.needed[a], nil
}

// repeatable is how long after an undo it may be sent again, as after a lost answer.
const repeatable = time.Minute

// entries returns the entries that some records have of an attribute.
func (l *Ledger) entries(records []Record, a Attribute) []history.Entry {
	var all []history.Entry
	for _, r := range records {
		for _, e := range r.Entries {
			if e.attribute() == a {
				e.Fresh = l.now().Sub(r.Written).Abs() < repeatable
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
	slices.SortFunc(records, func(a, b Record) int {
		return cmp.Or(cmp.Compare(first(a), first(b)), cmp.Compare(a.Key, b.Key))
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
	if !j.ledger.removeUnused(r, own) {
		return false
	}
	for _, a := range r.attributes() {
		if all, ok := j.entries[a]; ok {
			j.know(a, except(all, r.Key))
		}
	}
	return true
}
