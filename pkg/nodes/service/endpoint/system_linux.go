package endpoint

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// peerUser is the user at the other end of a socket of the machine.
func peerUser(fd int) (int, error) {
	peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, err
	}
	return int(peer.Uid), nil
}

// changed is when a file, or who may read it, was changed last.
func changed(of *syscall.Stat_t) syscall.Timespec { return of.Ctim }
