package ledger

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// tryLock locks one byte of a file, be there one or not. The lock is the open file's, so it also
// keeps out other requests of the same process.
func tryLock(path string, place int64) (unlock func(), err error) {
	f, err := lockedFile(path, 0, func(f *os.File) error {
		lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: place, Len: 1}
		err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.EINTR) {
			return ErrHeld
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}
