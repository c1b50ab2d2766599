package plugin

import (
	"os"

	"golang.org/x/sys/unix"
)

// written is how much was written to a file and is not read.
func written(f *os.File) (int, error) {
	n, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCINQ)
	return n, os.NewSyscallError("ioctl", err)
}
