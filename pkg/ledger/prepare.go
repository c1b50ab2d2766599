package ledger

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A store is ready when these names are there: keys, attributes, lock, and one of two markers in
// records. One marker says that records of form 1 may be left beside it, the other that none are.
//
// Until then the store is in one of these states, each of which a kill may leave:
//
//   - No keys: the records of form 1, if any, are all that there is.
//   - Keys, and a marker of form 2 or of this form: the records in keys count.
//   - Keys without a marker: somebody moved the marker away, and an older program may have
//     written records of form 1 since.
//   - Keys without attributes: somebody removed the index, to have it made anew.

// The markers lie where a program that knows form 1 only keeps its records. That program refuses
// a directory that holds any other name, and prints the name. One that knows form 2 does the same
// where its own marker is missing.
const (
	marker    = "this-ledger-has-form-3-and-needs-a-newer-program"
	migrating = "this-ledger-is-being-migrated-to-form-3-by-a-newer-program"
	// The markers of form 2.
	marker2    = "this-ledger-has-form-2-and-needs-a-newer-program"
	migrating2 = "this-ledger-is-being-migrated-to-form-2-by-a-newer-program"
)

// isMarker reports whether a name is that of a marker.
func isMarker(name string) bool {
	return slices.Contains([]string{marker, migrating, marker2, migrating2}, name)
}

// prepareWait is how long Open waits for other processes, if the store is not ready.
var prepareWait = 2 * time.Second

func (l *Ledger) records() string { return filepath.Join(l.dir, "records") }

// markerPath returns the path of a marker.
func (l *Ledger) markerPath(marker string) string { return filepath.Join(l.records(), marker) }

// oldLocks is where older programs make a file for each lock. Here it is a file itself. So an older
// program gets no lock, even one that looked for the marker before that was there. Whoever prepares
// the store locks a place in it.
func (l *Ledger) oldLocks() string { return filepath.Join(l.dir, "locks") }

// asidePrefix begins the names of the directories of older programs' locks, once they were moved
// aside. The locks that such a program holds stay held.
const asidePrefix = "older-locks-"

// building is where attributes are made anew before they get their place.
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

// either reports whether one of two markers is there.
func (l *Ledger) either(one, other string) (bool, error) {
	there, err := l.exists(l.markerPath(one))
	if err != nil || there {
		return there, err
	}
	return l.exists(l.markerPath(other))
}

// ready reports whether the store needs no preparation. Records of form 1 may be left.
func (l *Ledger) ready() (bool, error) {
	final, err := l.exists(l.markerPath(marker))
	if err != nil {
		return false, err
	}
	if !final {
		moving, err := l.exists(l.markerPath(migrating))
		if err != nil || !moving {
			return false, err
		}
		l.old = &oldRecords{}
	}
	return l.exists(l.keys(), l.indexes(), l.lockPath())
}

// prepare makes a store ready, alone. A kill at any step leaves a store that can be prepared.
func (l *Ledger) prepare(ctx context.Context) error {
	// What is refused for good is refused before anything is changed.
	if _, err := l.keyed(); err != nil {
		return err
	}
	if err := l.barOldLocks(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, prepareWait)
	defer cancel()
	unlock, err := l.lockStore(ctx)
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
	final, err := l.exists(l.markerPath(marker))
	if err != nil {
		return err
	}
	if final {
		// Somebody took a part of the store away.
		return l.makeStore(ctx, hasKeys)
	}
	left, err := l.mayHoldForm1()
	if err != nil {
		return err
	}
	// From here on an older program that starts refuses. One that is at work is waited for.
	if err := l.mark(); err != nil {
		return err
	}
	if err := l.quiet(ctx); err != nil {
		return err
	}
	if err := l.makeStore(ctx, hasKeys); err != nil {
		return err
	}
	if l.old = nil; left {
		l.old = &oldRecords{}
		return nil
	}
	return l.settle()
}

// lockStore takes the lock by which programs keep each other from preparing the store.
func (l *Ledger) lockStore(ctx context.Context) (unlock func(), err error) {
	unlock, err = await(ctx, func() (func(), error) {
		return l.disk.TryLock(l.oldLocks(), storePlace)
	})
	switch {
	case errors.Is(err, ErrHeld):
		return nil, Busy("the directory " + l.dir)
	case err != nil:
		return nil, l.broken("lock", l.oldLocks(), err)
	}
	return unlock, nil
}

// barOldLocks puts a file in the place of the directory that older programs make their locks in. It
// moves that directory aside, and again if an older program makes another one meanwhile.
func (l *Ledger) barOldLocks() error {
	if err := l.makeDir(l.dir); err != nil {
		return err
	}
	const tries = 100
	var err error
	for n := range tries {
		if err = l.disk.Create(l.oldLocks(), nil); !errors.Is(err, syscall.EISDIR) {
			break
		}
		// A directory gets the place of an empty one, and a file does not. So what another process
		// has put there is never moved.
		aside := filepath.Join(l.dir, asidePrefix+strconv.Itoa(n))
		if err := l.makeDir(aside); err != nil {
			return err
		}
		err := l.disk.Rename(l.oldLocks(), aside)
		if err != nil && !isInTheWay(err) && !errors.Is(err, fs.ErrNotExist) {
			return l.broken("rename", l.oldLocks(), err)
		}
	}
	if err != nil {
		return l.broken("create", l.oldLocks(), err)
	}
	return nil
}

// isInTheWay reports whether a directory could not be renamed since its new name is in use, or
// since it is a file by now.
func isInTheWay(err error) bool {
	return errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST) ||
		errors.Is(err, syscall.EISDIR)
}

func (l *Ledger) makeDir(dir string) error {
	if err := l.disk.MkdirAll(dir); err != nil {
		return l.broken("create", dir, err)
	}
	return nil
}

// keyed reports whether there are keys. It refuses a store that has lost them, and one where an
// older program may have written beside them.
func (l *Ledger) keyed() (bool, error) {
	// The final marker and the lock come after the keys. So they are looked for before them.
	final, err := l.either(marker, marker2)
	if err != nil {
		return false, err
	}
	locked, err := l.exists(l.lockPath())
	if err != nil {
		return false, err
	}
	hasKeys, err := l.exists(l.keys())
	if err != nil {
		return false, err
	}
	moving, err := l.either(migrating, migrating2)
	switch {
	case err != nil:
		return false, err
	case !hasKeys:
		return false, l.neverHadKeys(final || locked, moving)
	case final || moving:
		return true, nil
	}
	return true, l.noneBeside()
}

// neverHadKeys refuses a store that has lost its keys. Other names of it tell that it had some, or
// else its index.
func (l *Ledger) neverHadKeys(lost, moving bool) error {
	if !lost && !moving {
		// A migration to form 2 made the index before the keys. Else the keys come first: where
		// they have come since, another process has just made the store.
		indexed, err := l.holdsAny(l.indexes())
		if err != nil {
			return err
		}
		come, err := l.exists(l.keys())
		if err != nil {
			return err
		}
		lost = indexed && !come
	}
	if !lost {
		return nil
	}
	return l.broken("use", l.keys(), errors.New(
		"the directory is missing, and all records with it; restore it from a backup; or, to"+
			" begin anew and lose all undos, move the whole directory away"))
}

// noneBeside refuses records of form 1 that an older program wrote beside those of a newer form.
func (l *Ledger) noneBeside() error {
	l.old = &oldRecords{}
	defer func() { l.old = nil }()
	names, err := l.oldNames()
	if err == nil && len(names) > 0 {
		err = l.broken("use", filepath.Join(l.records(), slices.Min(names)), errors.New(
			"an older program wrote it beside records of a newer form;"+
				" have that program undo its action, or move it away once you have its prior facts"))
	}
	return err
}

// holdsAny reports whether a directory is there and holds anything.
func (l *Ledger) holdsAny(dir string) (bool, error) {
	names, _, err := l.disk.ReadSome(dir, 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, l.broken("read", dir, err)
	}
	return len(names) > 0, nil
}

// mayHoldForm1 reports whether records of form 1 may be there. It does not look at all names.
func (l *Ledger) mayHoldForm1() (bool, error) {
	names, next, err := l.disk.ReadSome(l.records(), 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, l.broken("read", l.records(), err)
	}
	if slices.ContainsFunc(names, func(name string) bool { return !isMarker(name) }) {
		return true, nil
	}
	if next != 0 {
		names, _, err = l.disk.ReadSome(l.records(), next)
	}
	return len(names) > 0 && err == nil, nil
}

// mark puts the marker of a migration on the disk, in the place of those of form 2.
func (l *Ledger) mark() error {
	path := l.markerPath(migrating)
	if err := l.disk.Write(path, nil); err != nil {
		return l.broken("write", path, err)
	}
	if err := l.syncMarkers(); err != nil {
		return err
	}
	for _, old := range []string{marker2, migrating2} {
		if err := ignoreMissing(l.disk.Remove(l.markerPath(old))); err != nil {
			return l.broken("remove", l.markerPath(old), err)
		}
	}
	return l.syncMarkers()
}

func (l *Ledger) syncMarkers() error {
	for _, dir := range []string{l.records(), l.dir} {
		if err := l.disk.Sync(dir); err != nil {
			return l.broken("sync", dir, err)
		}
	}
	return nil
}

// quiet waits until no older program has a lock. None gets one any more.
func (l *Ledger) quiet(ctx context.Context) error {
	names, err := l.disk.ReadDir(l.dir)
	if err != nil {
		return l.broken("read", l.dir, err)
	}
	for _, name := range names {
		if !strings.HasPrefix(name, asidePrefix) {
			continue
		}
		dir := filepath.Join(l.dir, name)
		files, err := l.disk.ReadDir(dir)
		if err != nil {
			return l.broken("read", dir, err)
		}
		for _, file := range files {
			if err := l.awaitOldLock(ctx, filepath.Join(dir, file)); err != nil {
				return err
			}
		}
		if err := l.removeTree(dir); err != nil {
			return err
		}
	}
	return nil
}

// awaitOldLock waits until no older program has the lock that a file stands for.
func (l *Ledger) awaitOldLock(ctx context.Context, path string) error {
	unlock, err := await(ctx, func() (func(), error) { return l.disk.TryOldLock(path) })
	switch {
	case errors.Is(err, ErrHeld):
		return Busy("a lock of an older program, " + path)
	case err != nil:
		return l.broken("lock", path, err)
	}
	unlock()
	return nil
}

// makeStore makes the directories that are missing, and then the file of the locks.
func (l *Ledger) makeStore(ctx context.Context, hasKeys bool) error {
	if hasKeys {
		if err := l.restoreIndex(ctx); err != nil {
			return err
		}
	}
	for _, dir := range []string{l.indexes(), l.keys()} {
		if err := l.makeDir(dir); err != nil {
			return err
		}
		if err := l.disk.Sync(l.dir); err != nil {
			return l.broken("sync", l.dir, err)
		}
	}
	if err := l.syncParents(); err != nil {
		return err
	}
	if err := l.disk.Create(l.lockPath(), nil); err != nil {
		return l.broken("create", l.lockPath(), err)
	}
	if err := l.disk.Sync(l.dir); err != nil {
		return l.broken("sync", l.dir, err)
	}
	return nil
}

// restoreIndex makes the index of all records, if there is none.
func (l *Ledger) restoreIndex(ctx context.Context) error {
	if there, err := l.exists(l.indexes()); err != nil || there {
		return err
	}
	records, err := l.all(ctx)
	if err != nil {
		return err
	}
	b := &Ledger{dir: l.building(), disk: l.disk, now: l.now}
	if err := l.removeTree(b.dir); err != nil {
		return err
	}
	if err := l.makeDir(b.indexes()); err != nil {
		return err
	}
	for _, r := range records {
		for _, a := range r.Attributes() {
			if err := b.makeIndex(b.indexPath(a), keyName(r.Key)); err != nil {
				return l.broken("write", b.indexEntry(a, keyName(r.Key)), err)
			}
		}
	}
	if err := l.disk.SyncTree(b.dir); err != nil {
		return l.broken("sync", b.dir, err)
	}
	if err := l.disk.Rename(b.indexes(), l.indexes()); err != nil {
		return l.broken("create", l.indexes(), err)
	}
	return nil
}

// all returns all records, as their own files have them.
func (l *Ledger) all(ctx context.Context) ([]Record, error) {
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
		if ctx.Err() != nil {
			return nil, Busy("the index in " + l.dir)
		}
		r, ok, err := l.readFile(name)
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, r)
		}
	}
	return all, nil
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

// settle ends a migration, once no record of form 1 is left: what a kill left of it goes, and the
// final marker is set.
func (l *Ledger) settle() error {
	if err := l.removeTree(l.building()); err != nil {
		return err
	}
	names, err := l.disk.ReadDir(l.records())
	if err != nil {
		return l.broken("read", l.records(), err)
	}
	for _, name := range names {
		if !isTemporary(name) {
			continue
		}
		path := filepath.Join(l.records(), name)
		if err := ignoreMissing(l.disk.Remove(path)); err != nil {
			return l.broken("remove", path, err)
		}
	}
	err = l.disk.Rename(l.markerPath(migrating), l.markerPath(marker))
	if err := ignoreMissing(err); err != nil {
		return l.broken("write", l.markerPath(marker), err)
	}
	return l.syncMarkers()
}

// syncParents puts the directories on the disk that the store is in. A record lasts no longer.
func (l *Ledger) syncParents() error {
	for d := l.dir; d != filepath.Dir(d); {
		d = filepath.Dir(d)
		err := l.disk.Sync(d)
		// A directory that can't be opened or written was not made here.
		if err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EROFS) {
			return l.broken("sync", d, err)
		}
	}
	return nil
}

// readUnready prepares to read a store that is not ready, as it is once it is prepared.
func (l *Ledger) readUnready(ctx context.Context) error {
	hasKeys, err := l.keyed()
	if err != nil {
		return err
	}
	l.old = &oldRecords{}
	if !hasKeys {
		return nil
	}
	if indexed, err := l.exists(l.indexes()); err != nil || indexed {
		return err
	}
	records, err := l.all(ctx)
	if err != nil {
		return err
	}
	names, err := l.oldNames()
	if err != nil {
		return err
	}
	if l.held, err = l.convertConnected(names, touchAll(names)...); err != nil {
		return err
	}
	for _, r := range records {
		l.held[r.Key] = r
	}
	return nil
}
