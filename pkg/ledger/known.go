package ledger

import (
	"slices"
	"sync"
)

// known are the records of the keys whose locks this process has. Nobody else writes them, so each
// is read once.
type known struct {
	mu sync.Mutex
	// byName has a nil for a key that is locked, and was not read yet.
	byName map[string]*knownRecord
}

// knownRecord is a record, or that there is none.
type knownRecord struct {
	record Record
	found  bool
}

// hold begins to remember the record with a name: its key is locked.
func (k *known) hold(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byName == nil {
		k.byName = map[string]*knownRecord{}
	}
	k.byName[name] = nil
}

// release ends that.
func (k *known) release(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.byName, name)
}

// held reports whether the key of the record with a name is locked.
func (k *known) held(name string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, held := k.byName[name]
	return held
}

// get returns a record, and whether there is one. It returns ok as false if that is not known.
func (k *known) get(name string) (r Record, found, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.byName[name]
	if n == nil {
		return Record{}, false, false
	}
	r = n.record
	r.Entries = slices.Clone(r.Entries)
	return r, n.found, true
}

// set remembers a record, or that there is none, if its key is locked.
func (k *known) set(name string, r Record, found bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, held := k.byName[name]; held {
		r.Entries = slices.Clone(r.Entries)
		k.byName[name] = &knownRecord{r, found}
	}
}

// forget has a record read anew.
func (k *known) forget(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, held := k.byName[name]; held {
		k.byName[name] = nil
	}
}
