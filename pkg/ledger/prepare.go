package ledger

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"
)

// A store is ready when three names are there: keys, attributes, and the final marker in records.
// Until then it is in one of these states, each of which a kill may leave:
//
//   - No keys: the records of form 1, if any, are the truth. What is in building is not.
//   - Keys, and the marker of a migration: the keys are the truth. Records of form 1 may be left.
//   - Keys without a marker: somebody moved the marker away, and an older program may have
//     written records of form 1 since.
//   - Keys without attributes: somebody removed the index, to have it made anew.

// The markers lie where a program that knows form 1 only keeps its records. That program refuses
// a directory that holds any other name, and prints the name.
const (
	marker    = "this-ledger-has-form-2-and-needs-a-newer-program"
	migrating = "this-ledger-is-being-migrated-to-form-2-by-a-newer-program"
)

// storeLock is the file of the lock on the whole store. It is taken only to prepare the store.
const storeLock = "store"

// prepareWait is how long Open waits for other processes, if the store is not ready.
var prepareWait = 2 * time.Second

func (l *Ledger) records() string       { return filepath.Join(l.dir, "records") }
func (l *Ledger) markerPath() string    { return filepath.Join(l.records(), marker) }
func (l *Ledger) migratingPath() string { return filepath.Join(l.records(), migrating) }

// building is where keys and attributes are made before they get their places.
func (l *Ledger) building() string { return filepath.Join(l.dir, "building") }

// exists reports whether all of some paths are there.
func (l *Ledger) exists(paths ...string) (bool, error) {
	for _, path := range paths {
		_, err := l.disk.ModTime(path)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, l.broken("read", path, err)
		}
	}
	return true, nil
}

// ready reports whether the store needs no preparation.
func (l *Ledger) ready() (bool, error) {
	return l.exists(l.markerPath(), l.keys(), l.indexes())
}

// prepare makes a store ready, alone. A kill at any step leaves a store that can be prepared.
func (l *Ledger) prepare(ctx context.Context) error {
	if err := l.makeDir(l.locks()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, prepareWait)
	defer cancel()
	unlock, err := l.lock(ctx, []lock{{"the directory " + l.dir, storeLock}})
	if err != nil {
		return err
	}
	defer unlock()
	if ready, err := l.ready(); err != nil || ready {
		return err
	}
	if err := l.makeDir(l.records()); err != nil {
		return err
	}
	hasKeys, err := l.keyed()
	if err != nil {
		return err
	}
	if !hasKeys {
		err = l.migrate(ctx)
	} else {
		err = l.restoreIndex(ctx)
	}
	if err != nil {
		return err
	}
	return l.settle()
}

func (l *Ledger) makeDir(dir string) error {
	if err := l.disk.MkdirAll(dir); err != nil {
		return l.broken("create", dir, err)
	}
	return nil
}

// keyed reports whether the keys are the truth. It refuses a store that has lost its keys, and
// one where an older program may have written beside the keys.
func (l *Ledger) keyed() (bool, error) {
	// The marker comes after the keys. So it is looked for before them.
	marked, err := l.exists(l.markerPath())
	if err != nil {
		return false, err
	}
	hasKeys, err := l.exists(l.keys())
	if err != nil {
		return false, err
	}
	if !hasKeys && marked {
		return false, l.broken("use", l.keys(), errors.New(
			"the directory is missing, and all records with it; restore it from a backup"))
	}
	moving, err := l.exists(l.migratingPath())
	if err != nil || !hasKeys || marked || moving {
		return hasKeys, err
	}
	old, err := l.readForm1()
	if err == nil && len(old) > 0 {
		err = l.broken("use", filepath.Join(l.records(), old[0].fileName()), errors.New(
			"an older program wrote it beside records of form 2;"+
				" have that program undo its action, or move it away once you have its prior facts"))
	}
	return hasKeys, err
}

// migrate makes the keys and attributes of a store from what an older program left. That is
// nothing for a new store.
func (l *Ledger) migrate(ctx context.Context) error {
	// What can't be read is refused before anything is changed.
	if _, err := l.readForm1(); err != nil {
		return err
	}
	// From here on an older program that starts refuses. One that is at work is waited for.
	if err := l.mark(); err != nil {
		return err
	}
	if err := l.quiet(ctx); err != nil {
		return err
	}
	old, err := l.readForm1()
	if err != nil {
		return err
	}
	if err := l.build(convert(old), true); err != nil {
		return err
	}
	// A kill may have left attributes. Without keys they lead to nothing.
	if err := l.removeTree(l.indexes()); err != nil {
		return err
	}
	if err := l.install(l.indexes()); err != nil {
		return err
	}
	return l.install(l.keys())
}

// mark puts the marker of a migration on the disk.
func (l *Ledger) mark() error {
	if err := l.disk.Write(l.migratingPath(), nil); err != nil {
		return l.broken("write", l.migratingPath(), err)
	}
	for _, dir := range []string{l.records(), l.dir} {
		if err := l.disk.SyncDir(dir); err != nil {
			return l.broken("sync", dir, err)
		}
	}
	return nil
}

// quiet waits until no other process has a lock. Those that start now wait for the store, or
// refuse it.
func (l *Ledger) quiet(ctx context.Context) error {
	files, err := l.disk.ReadDir(l.locks())
	if err != nil {
		return l.broken("read", l.locks(), err)
	}
	for _, file := range files {
		if file == storeLock {
			continue
		}
		unlock, err := l.await(ctx, file)
		switch {
		case errors.Is(err, ErrHeld):
			return busy("a lock in " + l.locks())
		case err != nil:
			return l.broken("lock", filepath.Join(l.locks(), file), err)
		}
		unlock()
	}
	return nil
}

// restoreIndex makes the index of all records, if there is none.
func (l *Ledger) restoreIndex(ctx context.Context) error {
	if there, err := l.exists(l.indexes()); err != nil || there {
		return err
	}
	if err := l.quiet(ctx); err != nil {
		return err
	}
	records, err := l.all()
	if err != nil {
		return err
	}
	if err := l.build(records, false); err != nil {
		return err
	}
	return l.install(l.indexes())
}

// all returns all records.
func (l *Ledger) all() ([]Record, error) {
	files, err := l.disk.ReadDir(l.keys())
	if err != nil {
		return nil, l.broken("read", l.keys(), err)
	}
	var all []Record
	for _, file := range files {
		name, is := recordName(file)
		if !is {
			continue
		}
		r, ok, err := l.read(name)
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, r)
		}
	}
	return all, nil
}

// build makes the attributes of some records, and their keys too if wanted, beside those in use.
// All of it is on the disk when it returns.
func (l *Ledger) build(records []Record, keys bool) error {
	b := &Ledger{dir: l.building(), disk: l.disk, now: l.now}
	if err := l.removeTree(b.dir); err != nil {
		return err
	}
	for _, dir := range []string{b.keys(), b.indexes()} {
		if err := l.makeDir(dir); err != nil {
			return err
		}
	}
	for _, r := range records {
		name := keyName(r.Key)
		for _, a := range r.attributes() {
			if err := b.makeIndex(b.indexPath(a), name); err != nil {
				return l.broken("write", filepath.Join(b.indexPath(a), name), err)
			}
		}
		if !keys {
			continue
		}
		data, err := encode(r)
		if err == nil {
			err = l.disk.Create(b.recordPath(name), data)
		}
		if err != nil {
			return l.broken("write", b.recordPath(name), err)
		}
	}
	if err := l.disk.SyncTree(b.dir); err != nil {
		return l.broken("sync", b.dir, err)
	}
	return nil
}

// install gives a directory that was built its place.
func (l *Ledger) install(dir string) error {
	if err := l.disk.Rename(filepath.Join(l.building(), filepath.Base(dir)), dir); err != nil {
		return l.broken("create", dir, err)
	}
	if err := l.disk.SyncDir(l.dir); err != nil {
		return l.broken("sync", l.dir, err)
	}
	return nil
}

// removeTree removes a directory and all below it, if it is there.
func (l *Ledger) removeTree(path string) error {
	first := ignoreMissing(l.disk.Remove(path))
	if first == nil {
		return nil
	}
	names, err := l.disk.ReadDir(path)
	if err != nil {
		return l.broken("remove", path, first)
	}
	for _, name := range names {
		if err := l.removeTree(filepath.Join(path, name)); err != nil {
			return err
		}
	}
	if err := ignoreMissing(l.disk.Remove(path)); err != nil {
		return l.broken("remove", path, err)
	}
	return nil
}

// settle ends a preparation: the records of form 1 go, and then the final marker is set.
func (l *Ledger) settle() error {
	if err := l.syncParents(); err != nil {
		return err
	}
	if err := l.removeTree(l.building()); err != nil {
		return err
	}
	marked, err := l.exists(l.markerPath())
	if err != nil || marked {
		return err
	}
	if err := l.removeForm1(); err != nil {
		return err
	}
	return l.markReady()
}

// syncParents puts the directories on the disk that the store is in. A record lasts no longer.
func (l *Ledger) syncParents() error {
	for d := l.dir; d != filepath.Dir(d); {
		d = filepath.Dir(d)
		err := l.disk.SyncDir(d)
		// A directory that can't be opened or written was not made here.
		if err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EROFS) {
			return l.broken("sync", d, err)
		}
	}
	return nil
}

// markReady puts the final marker in the place of the marker of a migration.
func (l *Ledger) markReady() error {
	err := l.disk.Rename(l.migratingPath(), l.markerPath())
	if errors.Is(err, fs.ErrNotExist) {
		err = l.disk.Write(l.markerPath(), nil)
	}
	if err != nil {
		return l.broken("write", l.markerPath(), err)
	}
	for _, dir := range []string{l.records(), l.dir} {
		if err := l.disk.SyncDir(dir); err != nil {
			return l.broken("sync", dir, err)
		}
	}
	return nil
}

// hold reads the records of a store that is not ready, as they are once it is prepared.
func (l *Ledger) hold() error {
	hasKeys, err := l.keyed()
	if err != nil {
		return err
	}
	var records []Record
	if !hasKeys {
		old, err := l.readForm1()
		if err != nil {
			return err
		}
		// Another process may have migrated meanwhile, and removed what was to be read.
		if hasKeys, err = l.exists(l.keys()); err != nil {
			return err
		}
		records = convert(old)
	}
	if hasKeys {
		if records, err = l.all(); err != nil {
			return err
		}
	}
	l.held = make(map[string]Record, len(records))
	for _, r := range records {
		l.held[r.Key] = r
	}
	return nil
}
