package ledger

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
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
	// sweepNames is how many records at most wait for their age, and how many index entries at
	// most a sweep looks at.
	sweepNames = 256
	// temporaryAge is more than any run takes to rename what it wrote.
	temporaryAge = time.Hour
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

// sweepIfDue sweeps a part of the store once a day. It is no reason to fail.
func (l *Ledger) sweepIfDue() {
	at, err := l.disk.ModTime(l.stamp())
	age := l.now().Sub(at)
	never := errors.Is(err, fs.ErrNotExist)
	if !never && (err != nil || 0 <= age && age < sweepEvery) {
		return
	}
	var last leftover
	if data, err := l.disk.ReadFile(l.stamp()); err == nil && json.Unmarshal(data, &last) != nil {
		last = leftover{}
	}
	keys, nextKey := l.some(l.keys(), last.Keys)
	dirs, nextDir := l.some(l.indexes(), last.Attributes)
	j := l.newJudge()
	old, aged, unneeded := l.countOld(j, keys, last.Old)
	data, err := json.Marshal(leftover{nextKey, nextDir, old})
	if err != nil || l.disk.Write(l.stamp(), data) != nil {
		return
	}
	j.drop(unneeded, "")
	for _, r := range aged {
		if j.onlyReleases(r) {
			j.remove(r, "")
		}
	}
	l.sweepTemporaries(keys)
	l.sweepIndexes(dirs)
}

// some lists a part of a directory, and begins anew after the last part.
func (l *Ledger) some(dir string, from int64) (names []string, next int64) {
	names, next, err := l.disk.ReadSome(dir, from)
	if (err != nil || len(names) == 0) && from != 0 {
		names, next, err = l.disk.ReadSome(dir, 0)
	}
	if err != nil {
		return nil, 0
	}
	return names, next
}

// countOld counts how many sweeps, this one among them, have found which record too old. It also
// returns those found often enough, and those that are not needed.
func (l *Ledger) countOld(
	j *judge, names []string, before map[string]int,
) (old map[string]int, aged, unneeded []Record) {
	old = map[string]int{}
	look := func(name string) {
		r, ok, err := l.read(name)
		switch {
		case err != nil || !ok:
		case !j.needs(r):
			unneeded = append(unneeded, r)
		case l.now().Sub(r.Written) > MaxAge && j.onlyReleases(r):
			if old[name] = before[name] + 1; old[name] >= oldSweeps {
				aged = append(aged, r)
			}
		}
	}
	for name := range before {
		if isName(name) {
			look(name)
		}
	}
	for _, file := range names {
		name, is := recordName(file)
		if _, counted := before[name]; is && !counted && len(old) < sweepNames {
			look(name)
		}
	}
	return old, aged, unneeded
}

// sweepTemporaries removes the files that a kill left on their way.
func (l *Ledger) sweepTemporaries(names []string) {
	for _, name := range names {
		if !isTemporary(name) {
			continue
		}
		path := filepath.Join(l.keys(), name)
		if at, err := l.disk.ModTime(path); err == nil && l.now().Sub(at) > temporaryAge {
			_ = l.disk.Remove(path)
		}
	}
}

// sweepIndexes removes the index entries that lead to no record.
func (l *Ledger) sweepIndexes(dirs []string) {
	left := sweepNames
	for _, dir := range dirs {
		names, _ := l.some(filepath.Join(l.indexes(), dir), 0)
		for _, name := range names {
			if left--; left < 0 {
				return
			}
			_, err := l.disk.ModTime(l.recordPath(name))
			if isName(name) && errors.Is(err, fs.ErrNotExist) {
				l.removeStray(dir, name, "")
			}
		}
		if len(names) == 0 && isName(dir) {
			_ = l.disk.Remove(filepath.Join(l.indexes(), dir))
		}
	}
}
