package ledger

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
)

// Records of form 1 are migrated where they are used. A request migrates those that may have to do
// with a key or a resource, before it reads what there is: they and all that share a key or a
// resource with one of them, and so on. The order in a history is that of the times of writing. It
// can be told because all records of an attribute are migrated together. A sweep after an answer
// migrates some more.
//
// They are migrated under the lock of the store, in these steps:
//
//  1. The index entries are made, and the records, each beside its place. All of that is synced.
//  2. The records get their places. That is synced.
//  3. The records of form 1 are removed. That is synced, before anybody acts on the attributes.
//
// So a kill or a loss of power leaves a record of form 1 at least until all that were migrated with
// it have their places. A record that has its place counts, and not the one of form 1.

// oldRecords are the names of the records of form 1 that may be left. No name comes to them: older
// programs refuse the store.
type oldRecords struct {
	mu     sync.Mutex
	listed bool
	names  []string
}

// oldTouch says which records of form 1 are asked for: by the name of a key's record, or by the
// first digits of the hash of a resource. An empty part asks for none.
type oldTouch struct{ key, resource string }

// oldDigits is how many digits of the hash of a resource the name of a record of form 1 has.
const oldDigits = 8

// older migrates the records of form 1 that have to do with a key or a resource. A dry-run gets
// them as they would be, by their keys. It has to look for a migrated one of each key after that.
func (l *Ledger) older(ctx context.Context, t oldTouch) (map[string]Record, error) {
	if l.old == nil {
		return nil, nil
	}
	names, err := l.oldNames()
	if err != nil || !slices.ContainsFunc(names, t.touches) {
		return nil, err
	}
	if l.reading {
		return l.convertConnected(names, t)
	}
	unlock, err := await(ctx, func() (func(), error) { return l.tryLock(storePlace) })
	if errors.Is(err, ErrHeld) {
		return nil, Busy("the records of an older program in " + l.records())
	}
	if err != nil {
		return nil, l.broken("lock", l.lockPath(), err)
	}
	defer unlock()
	return nil, l.migrateConnected(names, t)
}

// convertConnected returns records of form 1 as they would be, by their keys.
func (l *Ledger) convertConnected(
	names []string, touched ...oldTouch,
) (map[string]Record, error) {
	files, _, err := l.connected(names, touched...)
	if err != nil {
		return nil, err
	}
	records := map[string]Record{}
	for _, r := range convert(latest(files)) {
		records[r.Key] = r
	}
	return records, nil
}

// migrateConnected migrates records of form 1. The caller has the lock of the store.
func (l *Ledger) migrateConnected(names []string, touched ...oldTouch) error {
	files, looked, err := l.connected(names, touched...)
	if err == nil {
		err = l.migrate(files)
	}
	if err == nil {
		l.old.drop(looked)
	}
	return err
}

// oldParts returns the parts of the name of a record of form 1: the name of the key's record, and
// the first digits of the hash of each resource.
func oldParts(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		more := yield(name[:nameLength])
		end := len(name) - len(recordEnding)
		for at := nameLength + 1; more && at < end; at += oldDigits + 1 {
			more = yield(name[at : at+oldDigits])
		}
	}
}

// touches reports whether a record of form 1 with a name may be one of those asked for.
func (t oldTouch) touches(name string) bool {
	return anyOf(oldParts(name), func(part string) bool { return part == t.key || part == t.resource })
}

// oldNames returns the names of the records of form 1 that may be left. They are listed once. It
// refuses a directory that holds anything else, as the older program did.
func (l *Ledger) oldNames() ([]string, error) {
	l.old.mu.Lock()
	defer l.old.mu.Unlock()
	if l.old.listed {
		return slices.Clone(l.old.names), nil
	}
	all, err := l.disk.ReadDir(l.records())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, l.broken("read", l.records(), err)
	}
	names := slices.DeleteFunc(all, func(name string) bool {
		return isTemporary(name) || isMarker(name)
	})
	for _, name := range names {
		if !isForm1Name(name) {
			return nil, l.broken("use", filepath.Join(l.records(), name),
				errors.New("it is no record of this ledger; move it away"))
		}
	}
	l.old.names, l.old.listed = names, true
	return slices.Clone(names), nil
}

// drop forgets names of records that are migrated.
func (o *oldRecords) drop(names map[string]bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.names = slices.DeleteFunc(o.names, func(name string) bool { return names[name] })
}

// connected reads the records of form 1 that are asked for, and all that share a key or a resource
// with one of them, by their names. It looked at those and at some that are gone.
func (l *Ledger) connected(
	names []string, touched ...oldTouch,
) (files map[string]form1, looked map[string]bool, err error) {
	files, looked = map[string]form1{}, map[string]bool{}
	parts := map[string]bool{}
	for _, t := range touched {
		parts[t.key], parts[t.resource] = true, true
	}
	isPart := func(part string) bool { return parts[part] }
	for grown := true; grown; {
		grown = false
		for _, name := range names {
			if looked[name] || !anyOf(oldParts(name), isPart) {
				continue
			}
			looked[name] = true
			r, found, err := l.readOneForm1(name)
			if err != nil {
				return nil, nil, err
			}
			if found {
				files[name] = r
			}
			for part := range oldParts(name) {
				grown = grown || !parts[part]
				parts[part] = true
			}
		}
	}
	return files, looked, nil
}

func anyOf[T any](all iter.Seq[T], is func(T) bool) bool {
	for one := range all {
		if is(one) {
			return true
		}
	}
	return false
}

// migrate gives records of form 1 their places in this form.
func (l *Ledger) migrate(files map[string]form1) error {
	if len(files) == 0 {
		return nil
	}
	var names []string
	var ready []string
	for _, r := range convert(latest(files)) {
		name := keyName(r.Key)
		_, found, err := l.readFile(name)
		if err != nil {
			return err
		}
		if found {
			// A kill came when it had its place already.
			continue
		}
		made, err := l.prepareMigrated(name, r)
		if err != nil {
			return err
		}
		names, ready = append(names, name), append(ready, made...)
	}
	if err := l.placeMigrated(names, ready); err != nil {
		return err
	}
	for name := range files {
		path := filepath.Join(l.records(), name)
		if err := ignoreMissing(l.disk.Remove(path)); err != nil {
			return l.broken("remove", path, err)
		}
	}
	if err := l.disk.Sync(l.records()); err != nil {
		return l.broken("sync", l.records(), err)
	}
	return nil
}

// prepareMigrated writes a record beside its place, and makes its index entries. It returns what is
// to be synced.
func (l *Ledger) prepareMigrated(name string, r Record) (made []string, err error) {
	dirs, err := l.index(r, Record{})
	if err != nil {
		return nil, err
	}
	path := l.temporaryPath(name)
	data, _, err := encode(r)
	if err == nil {
		err = l.disk.Create(path, data)
	}
	if err != nil {
		return nil, l.broken("write", path, err)
	}
	return append(dirs, path), nil
}

// placeMigrated gives records that were written their places, once what they need is on the disk.
func (l *Ledger) placeMigrated(names, ready []string) error {
	if len(names) == 0 {
		return nil
	}
	slices.Sort(ready)
	if err := l.disk.Sync(slices.Compact(ready)...); err != nil {
		return l.broken("sync", l.dir, err)
	}
	for _, name := range names {
		if err := l.disk.Rename(l.temporaryPath(name), l.recordPath(name)); err != nil {
			return l.broken("rename", l.temporaryPath(name), err)
		}
		l.known.forget(name)
	}
	if err := l.disk.Sync(l.keys()); err != nil {
		return l.broken("sync", l.keys(), err)
	}
	return nil
}

// oldBatch is how many records of form 1 a sweep migrates, beside those that share a key or a
// resource with them.
const oldBatch = 64

// sweepOld migrates some of the records of form 1 that are left. After the last one the store is
// ready. It is no reason to fail.
func (l *Ledger) sweepOld() {
	names, err := l.oldNames()
	if err != nil {
		return
	}
	unlock, err := l.tryLock(storePlace)
	if err != nil {
		return
	}
	defer unlock()
	if len(names) > 0 {
		// It begins anywhere, so that what can't be read is not in the way of all others.
		first := rand.IntN(len(names))
		turned := slices.Concat(names[first:], names[:first])
		some := turned[:min(oldBatch, len(turned))]
		if l.migrateConnected(names, touchAll(some)...) != nil {
			return
		}
		if names, err = l.oldNames(); err != nil || len(names) > 0 {
			return
		}
	}
	_ = l.settle()
}

// touchAll asks for records of form 1 by their names.
func touchAll(names []string) (all []oldTouch) {
	for _, name := range names {
		all = append(all, oldTouch{key: name[:nameLength]})
	}
	return all
}

// latest returns the records of form 1 in the order in which they were written. A kill may have
// left two of one key: the later counts.
func latest(files map[string]form1) []form1 {
	byKey := map[string]form1{}
	for _, r := range files {
		if before, twice := byKey[r.Key]; !twice || before.Revision < r.Revision {
			byKey[r.Key] = r
		}
	}
	return inOrder(slices.Collect(maps.Values(byKey)), compareForm1)
}
