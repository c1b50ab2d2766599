package endpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// longestSocket is how many bytes the path of a socket may have in the kernel.
const longestSocket = 107

// socketPath is the path in an address as unix:/PATH.
func socketPath(address string) (string, bool) { return strings.CutPrefix(address, "unix:") }

func checkSocketPath(path string) error {
	switch {
	case !filepath.IsAbs(path):
		return fmt.Errorf("the socket %q is no absolute path: write unix:/PATH", path)
	case len(path) > longestSocket:
		return fmt.Errorf("the socket's path has %d bytes, at most %d fit: %s", len(path), longestSocket,
			path)
	}
	return nil
}

// socket is a unix socket that this process alone serves.
type socket struct {
	net.Listener
	lock *os.File
}

// bind makes a socket for its owner alone, in a folder that is its owner's. What a server left that
// is gone is taken away; one that still serves is not.
func bind(ctx context.Context, path string) (*socket, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := checkFolder(dir); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("another server serves at unix:%s", path)
	}
	s := &socket{lock: lock}
	if err := removeStale(path); err != nil {
		s.release()
		return nil, err
	}
	if s.Listener, err = (&net.ListenConfig{}).Listen(ctx, "unix", path); err != nil {
		s.release()
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = s.Close()
		s.release()
		return nil, err
	}
	return s, nil
}

// checkFolder refuses a folder into which others can write: they could put a socket of theirs
// there.
func checkFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	var stat unix.Stat_t
	if err := unix.Stat(dir, &stat); err != nil {
		return err
	}
	if !ownOrRoot(int(stat.Uid)) || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("others can write into the folder %s: have the socket in one of its own "+
			"(mode 0700)", dir)
	}
	return nil
}

// removeStale takes away a socket, and nothing else.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there, and is no socket", path)
	}
	return os.Remove(path)
}

// release lets another server have the socket.
func (s *socket) release() { _ = s.lock.Close() }
