package ledger

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/protocol"
)

// Lock makes this process the only one that acts under the key and on the named things. It
// waits for its turn until the context ends, and then fails with conflict, retryable. The
// kernel frees the locks of a process that dies.
func (l *Ledger) Lock(
	ctx context.Context, key string, things ...string,
) (release func(), err error) {
	wanted := []lock{{"the key " + key, keyLock(keyName(key))}}
	for _, thing := range things {
		wanted = append(wanted, lock{thing, hash(thing)[:nameLength]})
	}
	return l.lock(ctx, wanted)
}

// LockKey takes the lock of one more key: that of an action that was found by its facts. It
// waits as Lock does. It must not be a key that this process has already.
func (l *Ledger) LockKey(ctx context.Context, key string) (release func(), err error) {
	return l.Lock(ctx, key)
}

// lock is a lock: what it is of, for people, and the name of its file.
type lock struct{ of, file string }

// keyLock returns the name of the lock file of a key, from the name of its record.
func keyLock(name string) string { return "key-" + name }

func (l *Ledger) lock(ctx context.Context, wanted []lock) (release func(), err error) {
	var held []func()
	release = func() {
		for _, unlock := range held {
			unlock()
		}
	}
	if l.reading {
		return release, nil
	}
	// One order for all, so that no two processes wait for each other.
	slices.SortFunc(wanted, func(a, b lock) int { return strings.Compare(a.file, b.file) })
	for _, one := range slices.Compact(wanted) {
		unlock, err := l.await(ctx, one.file)
		if err == nil {
			held = append(held, unlock)
			continue
		}
		release()
		if errors.Is(err, ErrHeld) {
			return nil, busy(one.of)
		}
		return nil, l.broken("lock", l.locks(), err)
	}
	return release, nil
}

// busy is the answer where another process has what is wanted.
func busy(of string) error {
	again := true
	failure := protocol.Refuse(protocol.Conflict,
		"another executor process has %s and did not finish in time; nothing was changed; try again",
		protocol.Quote(of))
	failure.Retryable = &again
	return failure
}

// await takes the lock with a file name. It fails with ErrHeld if another process has it until
// the context ends.
func (l *Ledger) await(ctx context.Context, file string) (unlock func(), err error) {
	for wait := 2 * time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		unlock, err := l.tryLock(file)
		if !errors.Is(err, ErrHeld) {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, ErrHeld
		case <-time.After(wait):
		}
	}
}

// tryLock takes the lock with a file name, or fails with ErrHeld. The directory of the locks is
// made anew if somebody removed it.
func (l *Ledger) tryLock(file string) (unlock func(), err error) {
	path := filepath.Join(l.locks(), file)
	unlock, err = l.disk.TryLock(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := l.disk.MkdirAll(l.locks()); err != nil {
			return nil, err
		}
		unlock, err = l.disk.TryLock(path)
	}
	return unlock, err
}
