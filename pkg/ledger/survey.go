package ledger

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"time"

	"aws-provider-executor/pkg/history"
)

// Survey is what all records together hold.
type Survey struct {
	// Actions counts the records by action, then by state: pending, undoing, live, withdrawn or
	// released. A record with entries of several states counts under the first of these.
	Actions map[string]map[string]int
	// Bytes is the size of all records.
	Bytes int64
	// Unreadable is how many records are torn or foreign.
	Unreadable int
	// OldestPending is when the oldest record was written that is pending or undoing, zero for none.
	OldestPending time.Time
}

// Survey reads every record, so it takes as long as there are many. It takes no locks: a record
// that is written meanwhile counts as it was or as it is.
func (l *Ledger) Survey(ctx context.Context) (Survey, error) {
	s := Survey{Actions: map[string]map[string]int{}}
	if l.held != nil {
		for r := range maps.Values(l.held) {
			s.add(r)
		}
		return s, nil
	}
	if err := l.surveyOld(&s); err != nil {
		return s, err
	}
	for place := int64(0); ; {
		names, next, err := l.disk.ReadSome(l.keys(), place)
		if errors.Is(err, fs.ErrNotExist) {
			return s, nil
		}
		if err != nil {
			return s, l.broken("read", l.keys(), err)
		}
		for _, file := range names {
			if err := ctx.Err(); err != nil {
				return s, err
			}
			l.survey(&s, file)
		}
		if place = next; place == 0 {
			return s, nil
		}
	}
}

// surveyOld adds the records of form 1 that are left.
func (l *Ledger) surveyOld(s *Survey) error {
	if l.old == nil {
		return nil
	}
	names, err := l.oldNames()
	if err != nil {
		return err
	}
	records, err := l.convertConnected(names, touchAll(names)...)
	if err != nil {
		return err
	}
	for key, r := range records {
		migrated, err := l.exists(l.recordPath(keyName(key)))
		if err != nil {
			return err
		}
		if !migrated {
			s.add(r)
		}
	}
	return nil
}

// survey adds the record of a file, if the file is one.
func (l *Ledger) survey(s *Survey, file string) {
	name, is := recordName(file)
	if !is {
		return
	}
	data, err := l.disk.ReadFile(l.recordPath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	r, readable := Record{}, err == nil
	if readable {
		r, err = decode(data)
		readable = err == nil && keyName(r.Key) == name
	}
	if readable {
		marked, _, err := l.marks(r, nil)
		readable = err == nil
		r.makeLive(marked)
	}
	s.Bytes += int64(len(data))
	if !readable {
		s.Unreadable++
		return
	}
	s.add(r)
}

// add counts a record.
func (s *Survey) add(r Record) {
	state := r.state()
	if s.Actions[r.Action] == nil {
		s.Actions[r.Action] = map[string]int{}
	}
	s.Actions[r.Action][state]++
	unsettled := state == string(history.Pending) || state == string(history.Undoing)
	if unsettled && (s.OldestPending.IsZero() || r.Written.Before(s.OldestPending)) {
		s.OldestPending = r.Written
	}
}

// released is the state of a record that ends a history.
const released = "released"

// state is the state of a record: that of its entries which matters most.
func (r Record) state() string {
	has := map[history.State]bool{}
	for _, e := range r.Entries {
		if e.Ends != 0 {
			return released
		}
		has[e.State] = true
	}
	for _, state := range []history.State{history.Pending, history.Undoing, history.Live} {
		if has[state] {
			return string(state)
		}
	}
	return string(history.Withdrawn)
}
