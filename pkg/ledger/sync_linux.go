package ledger

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncFileSystem returns once all of the file system that holds a directory is on the disk.
func syncFileSystem(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(os.NewSyscallError("syncfs", unix.Syncfs(int(d.Fd()))), d.Close())
}
