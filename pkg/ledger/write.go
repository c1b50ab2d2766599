package ledger

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"aws-provider-executor/pkg/protocol"
)

// Put writes a key's record. When it returns nil, the record survives a kill and a loss of
// power.
func (l *Ledger) Put(ctx context.Context, r Record) error {
	if err := l.mayChange(); err != nil {
		return err
	}
	name := keyName(r.Key)
	old, found, err := l.read(name)
	if err != nil {
		return err
	}
	for _, a := range r.Attributes() {
		if old.Has(a) {
			continue
		}
		if _, err := l.older(ctx, oldTouch{resource: hash(a.Resource)[:oldDigits]}); err != nil {
			return err
		}
	}
	r.Version, r.Revision, r.Written = version, old.Revision+1, l.now().UTC()
	data, sum, err := encode(r)
	if err != nil {
		return l.broken("encode the record of", r.Key, err)
	}
	l.known.forget(name)
	if err := l.replace(name, data, r, old); err != nil {
		return err
	}
	r.Sum = sum
	l.known.set(name, r, true)
	if !found {
		l.created.Add(1)
	}
	for _, a := range old.Attributes() {
		if !r.Has(a) {
			l.removeIndex(name, l.indexPath(a))
		}
	}
	return nil
}

func (l *Ledger) mayChange() error {
	if !l.reading {
		return nil
	}
	return protocol.Refuse(protocol.Internal, "the ledger was opened for reading; nothing was changed")
}

// index makes the index entries that a record needs and its predecessor had not. It returns the
// directories to sync before the record gets its place.
func (l *Ledger) index(r, old Record) (dirs []string, err error) {
	for _, a := range r.Attributes() {
		if old.Has(a) {
			continue
		}
		dir := l.indexPath(a)
		if err := l.makeIndex(dir, keyName(r.Key)); err != nil {
			return nil, l.broken("write", l.indexEntry(a, keyName(r.Key)), err)
		}
		dirs = append(dirs, dir)
	}
	if len(dirs) > 0 {
		// A process that was killed may have made a directory without syncing its name.
		dirs = append(dirs, l.indexes())
	}
	return dirs, nil
}

// makeIndex makes an index entry. Another process may remove its directory, while that is empty.
func (l *Ledger) makeIndex(dir, name string) error {
	var err error
	for range 10 {
		err = l.disk.Create(filepath.Join(dir, name), nil)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		// The index itself is not made anew: without its keys it would pass for a store that lost them.
		if err := l.disk.Mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return err
}

// replace puts the bytes of a record in the place of those that were there before. All that leads
// to the record is on the disk before that. It is made before the first sync, so that a file system
// that syncs several changes at once does so.
func (l *Ledger) replace(name string, data []byte, r, old Record) error {
	dirs, err := l.index(r, old)
	if err != nil {
		return err
	}
	path := l.recordPath(name)
	temporary := l.temporaryPath(name)
	if err := l.disk.Write(temporary, data); err != nil {
		_ = l.disk.Remove(temporary)
		return l.broken("write", temporary, err)
	}
	for _, dir := range dirs {
		if err := l.disk.Sync(dir); err != nil {
			_ = l.disk.Remove(temporary)
			return l.broken("sync", dir, err)
		}
	}
	if err := l.disk.Rename(temporary, path); err != nil {
		_ = l.disk.Remove(temporary)
		return l.broken("rename", temporary, err)
	}
	if err := l.disk.Sync(l.keys()); err != nil {
		return l.broken("sync", l.keys(), err)
	}
	return nil
}

// temporaryPath is where the record with a name is written before it gets its place.
func (l *Ledger) temporaryPath(name string) string {
	return filepath.Join(l.keys(), temporaryPrefix+name+recordEnding)
}

// Remove removes a key's record. One that has no record is free already.
func (l *Ledger) Remove(ctx context.Context, key string) error {
	if err := l.mayChange(); err != nil {
		return err
	}
	if _, err := l.older(ctx, oldTouch{key: keyName(key)}); err != nil {
		return err
	}
	r, ok, err := l.read(keyName(key))
	if err != nil || !ok {
		return err
	}
	return l.remove(r)
}

// remove removes a record, and then its index entries. An index entry that stays is ignored.
func (l *Ledger) remove(r Record) error {
	path := l.recordPath(keyName(r.Key))
	l.known.forget(keyName(r.Key))
	if err := ignoreMissing(l.disk.Remove(path)); err != nil {
		return l.broken("remove", path, err)
	}
	l.removed.Add(1)
	// A record that comes back after a loss of power must find its index entries.
	if err := l.disk.Sync(l.keys()); err != nil {
		return l.broken("sync", l.keys(), err)
	}
	l.known.set(keyName(r.Key), Record{}, false)
	for _, a := range slices.Backward(r.Attributes()) {
		l.removeIndex(keyName(r.Key), l.indexPath(a))
	}
	return nil
}

// removeIndex removes an index entry and, when that was the last one, its directory.
func (l *Ledger) removeIndex(name, dir string) {
	if l.disk.Remove(filepath.Join(dir, name)) == nil {
		_ = l.disk.Remove(dir)
	}
}
