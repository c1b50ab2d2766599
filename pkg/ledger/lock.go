package ledger

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// Lock makes this process the only one that acts under the key and on the named
// things, and waits for its turn until the context ends: then it fails with
// conflict, retryable. The kernel frees the locks of a process that dies.
func (l *Ledger) Lock(ctx context.Context, key string, things ...string) (release func(), err error) {
	names := append([]string{keyLock(key)}, things...)
	// One order for all, so that no two processes wait for each other.
	slices.Sort(names)
	var held []*os.File
	release = func() {
		for _, f := range held {
			unlock(f)
		}
	}
	for _, name := range slices.Compact(names) {
		f, err := lockOne(ctx, l.lockPath(name))
		if err != nil {
			release()
			if errors.Is(err, errHeld) {
				again := true
				failure := action.Refuse(protocol.Conflict, "another executor process has %s and did not finish in time; nothing was changed; try again", protocol.Quote(name))
				failure.Retryable = &again
				return nil, failure
			}
			return nil, l.broken("lock", l.locks(), err)
		}
		held = append(held, f)
	}
	return release, nil
}

func keyLock(key string) string { return "the key " + key }

// unlock removes the name while the lock is still held: whoever waits for it
// sees that the name is gone and makes a new one.
func unlock(f *os.File) {
	_ = os.Remove(f.Name())
	_ = f.Close()
}

func (l *Ledger) lockPath(name string) string { return filepath.Join(l.locks(), hash(name)[:32]) }

var errHeld = errors.New("held by another process")

func lockOne(ctx context.Context, path string) (*os.File, error) {
	for wait := 2 * time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		f, err := tryLock(path)
		if !errors.Is(err, errHeld) {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, errHeld
		case <-time.After(wait):
		}
	}
}

// tryLock fails with errHeld when another has the lock, or had it and took its
// name away.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
			return nil, errHeld
		}
		return nil, err
	}
	mine, err1 := f.Stat()
	there, err2 := os.Stat(path)
	if err1 != nil || err2 != nil || !os.SameFile(mine, there) {
		_ = f.Close()
		if err2 != nil && !errors.Is(err2, fs.ErrNotExist) {
			return nil, err2
		}
		return nil, errHeld
	}
	return f, nil
}
