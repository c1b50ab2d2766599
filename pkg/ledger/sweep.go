package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// MaxAge is how long a record is kept at least that holds only a release.
	MaxAge = 400 * 24 * time.Hour
	// sweepEvery is how often a part of the store is swept.
	sweepEvery = 24 * time.Hour
	// oldSweeps is how many sweeps find a record too old before it goes. A clock that was wrong,
	// when it was written or since, is put right before that.
	oldSweeps = 30
	// sweepNames is how many records a sweep looks at at most, and how many index entries. Those
	// records come first that wait for their age.
	sweepNames = 256
	// sweepTime is after which time a sweep begins nothing more.
	sweepTime = 100 * time.Millisecond
)

// leftover is what one sweep leaves to the next. It is kept in the stamp.
type leftover struct {
	// Keys and Attributes are the places in the directories where the next sweep goes on.
	Keys       int64 `json:"keys"`
	Attributes int64 `json:"attributes"`
	// Old counts, by the name of a record, the sweeps that found it too old.
	Old map[string]int `json:"old"`
}

// stamp is the file whose time is that of the last sweep. If it can't be read, sweeping and
// counting begin anew.
func (l *Ledger) stamp() string { return filepath.Join(l.dir, "swept") }

// Sweep looks after the store once the answer is known, and the locks of the request are given
// back. It migrates some of what an older program left, or else, once a day, sweeps a part of the
// store. It takes a short time, however much there is. It is no reason to fail.
func (l *Ledger) Sweep(ctx context.Context) {
	switch {
	case l.reading:
	case l.old != nil:
		l.sweepOld()
	case l.due():
		s := &sweep{
			Ledger: l, judge: l.newJudge(ctx), end: l.now().Add(sweepTime),
			records: sweepNames, entries: sweepNames,
		}
		s.run()
	}
}

// due reports whether the last sweep was long enough ago.
func (l *Ledger) due() bool {
	at, err := l.disk.ModTime(l.stamp())
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	age := l.now().Sub(at)
	return age < 0 || age >= sweepEvery
}

// sweep is one sweep of a part of the store.
type sweep struct {
	*Ledger
	judge *judge
	// end is when the time for it is up.
	end time.Time
	// records and entries are how many records and index entries it may still look at.
	records, entries int
}

// may takes one from what is left to look at. It reports whether there was one, and time.
func (s *sweep) may(left *int) bool {
	if *left == 0 || !s.now().Before(s.end) {
		return false
	}
	*left--
	return true
}

func (s *sweep) run() {
	var last leftover
	if data, err := s.disk.ReadFile(s.stamp()); err == nil && json.Unmarshal(data, &last) != nil {
		last = leftover{}
	}
	keys, nextKey := s.some(s.keys(), last.Keys)
	dirs, nextDir := s.some(s.indexes(), last.Attributes)
	old, aged, unneeded := s.countOld(keys, last.Old)
	data, err := json.Marshal(leftover{nextKey, nextDir, old})
	if err != nil || s.disk.Write(s.stamp(), data) != nil {
		return
	}
	s.judge.drop(unneeded, "")
	for _, r := range aged {
		if s.judge.onlyReleases(r) {
			s.judge.remove(r, "")
		}
	}
	s.sweepTemporaries(keys)
	s.sweepIndexes(dirs)
}

// some lists a part of a directory, and begins anew after the last part. The names are turned, so
// that in time each is among the first.
func (s *sweep) some(dir string, from int64) (names []string, next int64) {
	names, next, err := s.disk.ReadSome(dir, from)
	if (err != nil || len(names) == 0) && from != 0 {
		names, next, err = s.disk.ReadSome(dir, 0)
	}
	if err != nil || len(names) == 0 {
		return nil, 0
	}
	first := rand.IntN(len(names))
	return slices.Concat(names[first:], names[:first]), next
}

// countOld counts how many sweeps, this one among them, have found which record too old. It also
// returns those found often enough, and those that are not needed.
func (s *sweep) countOld(
	names []string, before map[string]int,
) (old map[string]int, aged, unneeded []Record) {
	old = map[string]int{}
	look := func(name string) {
		r, ok, err := s.read(name)
		switch {
		case err != nil || !ok:
		case !s.judge.needs(r):
			unneeded = append(unneeded, r)
		case s.now().Sub(r.Written) > MaxAge && s.judge.onlyReleases(r):
			if old[name] = before[name] + 1; old[name] >= oldSweeps {
				aged = append(aged, r)
			}
		}
	}
	for name, times := range before {
		switch {
		case !isName(name):
		case s.may(&s.records):
			look(name)
		default:
			old[name] = times
		}
	}
	for _, file := range names {
		name, is := recordName(file)
		_, counted := before[name]
		if is && !counted && s.may(&s.records) {
			look(name)
		}
	}
	return old, aged, unneeded
}

// sweepTemporaries removes the files that a kill left on their way. Nobody writes one whose key is
// not locked.
func (s *sweep) sweepTemporaries(files []string) {
	for _, file := range files {
		if !isTemporary(file) {
			continue
		}
		name, _ := recordName(strings.TrimPrefix(file, temporaryPrefix))
		if unlock, err := s.tryLock(keyPlace(name)); err == nil {
			_ = s.disk.Remove(filepath.Join(s.keys(), file))
			unlock()
		}
	}
}

// sweepIndexes removes the index entries that lead to no record.
func (s *sweep) sweepIndexes(dirs []string) {
	for _, dir := range dirs {
		names, _ := s.some(filepath.Join(s.indexes(), dir), 0)
		for _, name := range names {
			if !s.may(&s.entries) {
				return
			}
			_, err := s.disk.ModTime(s.recordPath(name))
			if isName(name) && errors.Is(err, fs.ErrNotExist) {
				s.removeStray(dir, name, "")
			}
		}
		if len(names) == 0 && isName(dir) {
			_ = s.disk.Remove(filepath.Join(s.indexes(), dir))
		}
	}
}
