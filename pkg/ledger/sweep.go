package ledger

import (
	"path/filepath"
	"strings"
	"time"
)

const (
	// MaxAge is how long a record is kept that nobody undid.
	MaxAge = 400 * 24 * time.Hour
	// sweepEvery is how often Open looks for what to sweep.
	sweepEvery = 24 * time.Hour
	// temporaryAge is more than any run takes to rename what it wrote.
	temporaryAge = time.Hour
)

// sweepIfDue sweeps once a day. It is no reason to fail: what it can't remove stays.
func (l *Ledger) sweepIfDue() {
	if at, err := l.disk.ModTime(l.stamp()); err == nil && l.now().Sub(at) < sweepEvery {
		return
	}
	if l.disk.Write(l.stamp(), nil) == nil {
		l.sweep()
	}
}

// stamp is the file whose time is that of the last sweep.
func (l *Ledger) stamp() string { return filepath.Join(l.dir, "swept") }

// sweep removes what no one will ask for: records older than MaxAge, and
// temporary files that a kill left. A record that can't be read stays.
func (l *Ledger) sweep() {
	names, err := l.disk.ReadDir(l.records())
	if err != nil {
		return
	}
	for _, name := range names {
		path := filepath.Join(l.records(), name)
		switch {
		case strings.HasPrefix(name, temporaryPrefix):
			if at, err := l.disk.ModTime(path); err == nil && l.now().Sub(at) > temporaryAge {
				_ = l.disk.Remove(path)
			}
		case isRecordName(name):
			if r, err := l.read(name); err == nil && r != nil && l.old(*r) {
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
