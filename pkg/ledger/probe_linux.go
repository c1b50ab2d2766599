package ledger

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// writeUnnamed writes and syncs a block of a file without a name in a directory.
func writeUnnamed(dir string) error {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	switch {
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENOENT):
		// The last two are what kernels and file systems say that do not know such files.
		return ErrNotTried
	case err != nil:
		return err
	}
	f := os.NewFile(uintptr(fd), dir)
	_, err = f.Write(make([]byte, block))
	return errors.Join(err, f.Sync(), f.Close())
}
