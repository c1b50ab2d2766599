package ledger

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"aws-provider-executor/pkg/history"
)

// An index entry is empty, or it is a mark: the sum of a record whose pending entries of the
// attribute are live. So a change of state needs no sync. A loss of power may leave any bytes in
// the index entry. If they are not the sum, the record counts as Put wrote it. What comes after
// finds out by reading whether the change was made, as it does after a kill.
//
// The record is not written anew for that, nor renamed: its bytes, which a loss of power must not
// take, are not touched.

// soon is how long after a record was written a mark may take the place of another write. Staleness
// of readings counts from the time when a record was written.
const soon = 5 * time.Second

// lasting is the time of a mark that was synced after it was written. Writing it gives it another
// time, so no clock has a part in it.
var lasting = time.Unix(1, 0)

// Done writes a record of which only the outcome is new: what was pending is live. A loss of power
// may take that back to what Put wrote, until another record of the attribute is written.
func (l *Ledger) Done(ctx context.Context, r Record) error {
	if err := l.mayChange(); err != nil {
		return err
	}
	name := keyName(r.Key)
	stored, found, known := l.known.get(name)
	if known && found && l.now().Sub(stored.Written).Abs() < soon {
		if live, ok := newlyLive(stored, r); ok && l.writeMarks(stored, live) == nil {
			stored.Entries = r.Entries
			l.known.set(name, stored, true)
			return nil
		}
	}
	// Somebody may have removed what is remembered.
	l.known.forget(name)
	return l.Put(ctx, r)
}

// newlyLive returns the attributes of which the pending entries of a stored record are live, all of
// them. It returns false if more than that is new, but for when the action was last tried.
func newlyLive(stored, r Record) (live []Attribute, ok bool) {
	mine, yours := stored, r
	mine.Entries, yours.Entries = nil, nil
	yours.Version, yours.Revision, yours.Written, yours.Sum = mine.Version, mine.Revision,
		mine.Written, mine.Sum
	yours.Acted = mine.Acted
	if !mine.same(yours) || len(stored.Entries) != len(r.Entries) {
		return nil, false
	}
	for i, e := range r.Entries {
		was := stored.Entries[i]
		// These two are not written.
		was.Key, was.Fresh = e.Key, e.Fresh
		if e == was {
			continue
		}
		pending := was.State == history.Pending
		if was.State = history.Live; !pending || e != was || e.Ends != 0 {
			return nil, false
		}
		live = append(live, e.attribute())
	}
	halfDone := func(e Entry) bool {
		return e.State == history.Pending && slices.Contains(live, e.attribute())
	}
	return live, !slices.ContainsFunc(r.Entries, halfDone)
}

// writeMarks marks attributes of a stored record. It fails if the record is not there any more.
func (l *Ledger) writeMarks(stored Record, live []Attribute) error {
	name := keyName(stored.Key)
	if _, err := l.disk.ModTime(l.recordPath(name)); err != nil {
		return err
	}
	for _, a := range live {
		if err := l.disk.Create(l.indexEntry(a, name), []byte(stored.Sum)); err != nil {
			return err
		}
	}
	return nil
}

// readMarked returns the record with a name, the attributes of which a mark made it live, and
// whether there is one. It was found by its key, or else by an index entry of an attribute.
//
// It refuses a record that lacks an index entry. The attribute would seem to have less of a
// history than it has, and what is so now would be taken for what was there before.
func (l *Ledger) readMarked(
	name string, by *Attribute,
) (r Record, marked []Attribute, found bool, err error) {
	if r, found, ok := l.known.get(name); ok {
		return r, nil, found, nil
	}
	for last := ""; ; last = r.Sum {
		if r, found, err = l.readFile(name); err != nil {
			return Record{}, nil, false, err
		}
		var missing string
		if found {
			marked, missing, err = l.marks(r, by)
		}
		if err == nil && missing != "" && last == r.Sum {
			err = l.broken("find", missing, errMissingIndex)
		}
		if err != nil {
			return Record{}, nil, false, err
		}
		if !found || missing == "" {
			break
		}
		// Another process may have removed or written the record meanwhile. It is read again.
	}
	r.makeLive(marked)
	l.known.set(name, r, found)
	return r, marked, found, nil
}

var errMissingIndex = errors.New("a record is there that has lost this index entry;" +
	" others may have lost theirs; stop all executors, and remove the whole of attributes:" +
	" the next execute makes it anew")

// marks returns the attributes of a record that are marked live, or else the path of an index
// entry that is missing. That by which the record was found, if any, is there.
func (l *Ledger) marks(r Record, by *Attribute) (marked []Attribute, missing string, err error) {
	for _, a := range r.Attributes() {
		path := l.indexEntry(a, keyName(r.Key))
		pending := func(e Entry) bool {
			return e.attribute() == a && e.State == history.Pending && e.Ends == 0
		}
		var err error
		switch {
		case slices.ContainsFunc(r.Entries, pending):
			var data []byte
			if data, err = l.disk.ReadFile(path); err == nil && string(data) == r.Sum {
				marked = append(marked, a)
			}
		case by == nil || *by != a:
			_, err = l.disk.ModTime(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil, path, nil
		}
		if err != nil {
			return nil, "", l.broken("read", path, err)
		}
	}
	return marked, "", nil
}

// makeLive sets the pending entries of some attributes live.
func (r *Record) makeLive(marked []Attribute) {
	for i, e := range r.Entries {
		if e.State == history.Pending && e.Ends == 0 && slices.Contains(marked, e.attribute()) {
			r.Entries[i].State = history.Live
		}
	}
}

// readLasting reads a record of an attribute's history, and makes lasting what this request may
// rest on: the mark of another key's record.
func (l *Ledger) readLasting(name string, a Attribute) (Record, bool, error) {
	r, marked, found, err := l.readMarked(name, &a)
	if err != nil || l.reading || !slices.Contains(marked, a) || l.known.held(name) {
		return r, found, err
	}
	path := l.indexEntry(a, name)
	at, err := l.disk.ModTime(path)
	if err == nil && !at.Equal(lasting) {
		if err = l.disk.Sync(path); err == nil {
			// Where the time can't be set the next one to rest on the mark syncs it again.
			_ = l.disk.SetModTime(path, lasting)
		}
	}
	if err = ignoreMissing(err); err != nil {
		return Record{}, false, l.broken("sync", path, err)
	}
	return r, found, nil
}
