package ledger

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"aws-provider-executor/pkg/protocol"
)

// Lock makes this request the only one that acts under the key and on the named things. It
// waits for its turn until the context ends, and then fails with conflict, retryable. The
// kernel frees the locks of a process that dies.
func (l *Ledger) Lock(
	ctx context.Context, key string, things ...string,
) (release func(), err error) {
	wanted := []lock{{"the key " + key, keyPlace(keyName(key))}}
	for _, thing := range things {
		wanted = append(wanted, lock{thing, placeOf(hash(thing))})
	}
	unlock, err := l.lock(ctx, wanted)
	if err != nil {
		return nil, err
	}
	l.known.hold(keyName(key))
	return func() {
		l.known.release(keyName(key))
		unlock()
	}, nil
}

// LockKey takes the lock of one more key: that of an action that was found by its facts. It
// waits as Lock does. It must not be a key that this request has already.
func (l *Ledger) LockKey(ctx context.Context, key string) (release func(), err error) {
	return l.Lock(ctx, key)
}

// Holding returns the context as it is: the locks of a process last as long as it does.
func (l *Ledger) Holding(ctx context.Context) (context.Context, context.CancelFunc) {
	return ctx, func() {}
}

// lock is a lock: what it is of, for people, and its place in the file of locks.
type lock struct {
	of    string
	place int64
}

// storePlace is the place of the lock on the migration of older records.
const storePlace = 0

// placeOf returns the place of a lock from the hash of what it is of.
func placeOf(sum string) int64 {
	const digits = 15 // of which a place beyond any file is made
	place, _ := strconv.ParseInt(sum[:digits], 16, 64)
	return place + 1
}

// keyPlace returns the place of the lock of a key, from the name of its record.
func keyPlace(name string) int64 { return placeOf(hash("key " + name)) }

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
	// One order for all, so that no two requests wait for each other.
	slices.SortFunc(wanted, func(a, b lock) int { return cmp.Compare(a.place, b.place) })
	wanted = slices.CompactFunc(wanted, func(a, b lock) bool { return a.place == b.place })
	for _, one := range wanted {
		unlock, err := await(ctx, func() (func(), error) { return l.tryLock(one.place) })
		if err == nil {
			held = append(held, unlock)
			continue
		}
		release()
		if errors.Is(err, ErrHeld) {
			return nil, Busy(one.of)
		}
		return nil, l.broken("lock", l.lockPath(), err)
	}
	return release, nil
}

// Busy is the answer where another process has what is wanted.
func Busy(of string) error {
	again := true
	failure := protocol.Refuse(protocol.Conflict,
		"another executor process has %s and did not finish in time; nothing was changed; try again",
		protocol.Quote(of))
	failure.Retryable = &again
	return failure
}

// await takes a lock. It fails with ErrHeld if another has it until the context ends.
func await(ctx context.Context, try func() (func(), error)) (unlock func(), err error) {
	for wait := 2 * time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		unlock, err := try()
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

// tryLock takes the lock with a place, or fails with ErrHeld.
func (l *Ledger) tryLock(place int64) (unlock func(), err error) {
	return l.disk.TryLock(l.lockPath(), place)
}
