package ledger

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"time"
)

const (
	// MaxAge is how long a record is kept at least that nobody undid.
	MaxAge = 400 * 24 * time.Hour
	// sweepEvery is how often Open looks for what to sweep.
	sweepEvery = 24 * time.Hour
	// oldSweeps is how many sweeps find a record too old before it goes: a clock that was wrong, when it was
	// written or since, is put right before that.
	oldSweeps = 30
	// temporaryAge is more than any run takes to rename what it wrote.
	temporaryAge = time.Hour
)

// sweepIfDue sweeps once a day. It is no reason to fail: what it can't remove stays.
func (l *Ledger) sweepIfDue() {
	if at, err := l.disk.ModTime(l.stamp()); err == nil {
		if age := l.now().Sub(at); 0 <= age && age < sweepEvery {
			return
		}
	}
	names, err := l.disk.ReadDir(l.records())
	if err != nil {
		return
	}
	found := l.countOld(names)
	data, err := json.Marshal(found)
	if err != nil || l.disk.Write(l.stamp(), data) != nil {
		return
	}
	l.sweep(names, found)
}

// stamp is the file whose time is that of the last sweep. It holds how many sweeps have found which record too
// old; one that can't be read holds nothing, and the count begins anew.
func (l *Ledger) stamp() string { return filepath.Join(l.dir, "swept") }

// countOld tells how many sweeps, this one among them, have found which record too old.
func (l *Ledger) countOld(names []string) map[string]int {
	before := map[string]int{}
	if data, err := l.disk.ReadFile(l.stamp()); err == nil && json.Unmarshal(data, &before) != nil {
		clear(before)
	}
	now := map[string]int{}
	for _, name := range names {
		if !isRecordName(name) {
			continue
		}
		if r, err := l.read(name); err == nil && r != nil && l.old(*r) {
			now[name] = before[name] + 1
		}
	}
	return now
}

// sweep removes what no one will ask for: records that were found too old often enough, and
// temporary files that a kill left. A record that can't be read stays.
func (l *Ledger) sweep(names []string, found map[string]int) {
	for _, name := range names {
		path := filepath.Join(l.records(), name)
		switch {
		case strings.HasPrefix(name, temporaryPrefix):
			if at, err := l.disk.ModTime(path); err == nil && l.now().Sub(at) > temporaryAge {
				_ = l.disk.Remove(path)
			}
		case found[name] >= oldSweeps:
			if r, err := l.read(name); err == nil && r != nil {
				l.sweepRecord(name, r.Key)
			}
		}
	}
}

func (l *Ledger) old(r Record) bool { return l.now().Sub(r.Written) > MaxAge }

// sweepRecord looks once more with the key's lock held: its record may have been
// written anew meanwhile. A key that is in use is left to the next sweep.
func (l *Ledger) sweepRecord(name, key string) {
	lock, err := tryLock(l.lockPath(keyLock(key)))
	if err != nil {
		return
	}
	defer unlock(lock)
	if r, err := l.read(name); err == nil && r != nil && l.old(*r) {
		_ = l.disk.Remove(filepath.Join(l.records(), name))
	}
}
