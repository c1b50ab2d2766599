package metrics

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// disk is what a textfile asks of a directory. Tests put one in its place that fails or ends.
type disk interface {
	// lock takes the lock that a file stands for, or fails with errHeld.
	lock(path string) (unlock func(), err error)
	// read reads a file whole. It fails with fs.ErrNotExist if there is none.
	read(path string) (string, error)
	// write makes a file, which must not be there.
	write(path, text string) error
	rename(from, to string) error
	remove(path string) error
	// list names the files of a directory that fit a pattern, with their times.
	list(dir, pattern string) ([]file, error)
}

type file struct {
	name    string
	changed time.Time
}

// errHeld means that another process has the lock.
var errHeld = errors.New("another process has the lock")

// maxFile is the largest file that is read. All series at their greatest number need less.
const maxFile = 16 << 20

// osDisk is the machine's file system.
type osDisk struct{}

// open opens a regular file. Whoever can write the directory may have put anything there: a
// link is not followed, and a pipe is not waited for.
func open(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (osDisk) lock(path string) (unlock func(), err error) {
	// Reading is enough for a lock, and whoever may not write the file may take it.
	f, err := open(path, os.O_RDONLY|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK), errors.Is(err, syscall.EINTR):
		_ = f.Close()
		return nil, errHeld
	case err != nil:
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

func (osDisk) read(path string) (string, error) {
	f, err := open(path, os.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return string(data), err
}

func (osDisk) write(path, text string) error {
	f, err := open(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	// The collector runs as somebody else, whatever mask this process has.
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }

func (osDisk) remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (osDisk) list(dir, pattern string) ([]file, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []file
	for _, e := range entries {
		if fits, _ := filepath.Match(pattern, e.Name()); !fits {
			continue
		}
		if info, err := e.Info(); err == nil {
			files = append(files, file{e.Name(), info.ModTime()})
		}
	}
	return files, nil
}
