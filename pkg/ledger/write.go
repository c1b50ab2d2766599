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
	old, found, err := l.read(keyName(r.Key))
	if err != nil {
		return err
	}
	r.Version, r.Revision, r.Written = version, old.Revision+1, l.now().UTC()
	data, err := encode(r)
	if err != nil {
		return l.broken("encode the record of", r.Key, err)
	}
	if err := l.index(r, old); err != nil {
		return err
	}
	if err := l.replace(keyName(r.Key), data); err != nil {
		return err
	}
	if !found {
		l.created.Add(1)
	}
	for _, a := range old.attributes() {
		if !r.has(a) {
			l.removeIndex(keyName(r.Key), l.indexPath(a))
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

// index makes the index entries that a record needs and its predecessor had not. They are on the
// disk before the record is.
func (l *Ledger) index(r, old Record) error {
	made := false
	for _, a := range r.attributes() {
		if old.has(a) {
			continue
		}
		made = true
		dir := l.indexPath(a)
		if err := l.makeIndex(dir, keyName(r.Key)); err != nil {
			return l.broken("write", filepath.Join(dir, keyName(r.Key)), err)
		}
		if err := l.disk.SyncDir(dir); err != nil {
			return l.broken("sync", dir, err)
		}
	}
	if !made {
		return nil
	}
	// A process that was killed may have made a directory without syncing its name.
	if err := l.disk.SyncDir(l.indexes()); err != nil {
		return l.broken("sync", l.indexes(), err)
	}
	return nil
}

// makeIndex makes an index entry. Another process may remove its directory, while that is empty.
func (l *Ledger) makeIndex(dir, name string) error {
	var err error
	for range 10 {
		err = l.disk.Create(filepath.Join(dir, name), nil)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := l.disk.MkdirAll(dir); err != nil {
			return err
		}
	}
	return err
}

// replace puts the bytes of a record in the place of those that were there before.
func (l *Ledger) replace(name string, data []byte) error {
	path := l.recordPath(name)
	temporary := filepath.Join(l.keys(), temporaryPrefix+name+recordEnding)
	if err := l.disk.Write(temporary, data); err != nil {
		_ = l.disk.Remove(temporary)
		return l.broken("write", temporary, err)
	}
	if err := l.disk.Rename(temporary, path); err != nil {
		_ = l.disk.Remove(temporary)
		return l.broken("rename", temporary, err)
	}
	if err := l.disk.SyncDir(l.keys()); err != nil {
		return l.broken("sync", l.keys(), err)
	}
	return nil
}

// Remove removes a key's record. One that has no record is free already.
func (l *Ledger) Remove(ctx context.Context, key string) error {
	if err := l.mayChange(); err != nil {
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
	if err := ignoreMissing(l.disk.Remove(path)); err != nil {
		return l.broken("remove", path, err)
	}
	l.removed.Add(1)
	// A record that comes back after a loss of power must find its index entries.
	if err := l.disk.SyncDir(l.keys()); err != nil {
		return l.broken("sync", l.keys(), err)
	}
	for _, a := range slices.Backward(r.attributes()) {
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

// Done writes a record of which only the outcome is new: what was pending is live. A loss of power
// may take that back to what Put wrote, until another record of the attribute is written.
func (l *Ledger) Done(ctx context.Context, r Record) error { return l.Put(ctx, r) }
