package ledger

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Disk is what the ledger needs of a file system. Each call is one step that a kill may come
// before or after.
type Disk interface {
	// MkdirAll makes a directory for the owner only.
	MkdirAll(dir string) error
	// Mkdir makes a directory for the owner only, in one that is there.
	Mkdir(dir string) error
	// ReadDir lists the names in a directory, in no particular order.
	ReadDir(dir string) ([]string, error)
	// ReadSome lists some hundreds of the names in a directory, from a place on that it returned
	// before. The first place is 0. It returns 0 after the last names.
	ReadSome(dir string, from int64) (names []string, next int64, err error)
	ReadFile(path string) ([]byte, error)
	// Create makes a file for the owner only, or gives it other bytes. They are on the disk after
	// Sync or SyncTree only. Before that a loss of power may leave any bytes in it.
	Create(path string, data []byte) error
	// Write makes a file for the owner only, and returns once its bytes are on the disk.
	Write(path string, data []byte) error
	// Rename renames a file or a directory. A directory takes the place of an empty one.
	Rename(from, to string) error
	// Remove removes a file or an empty directory.
	Remove(path string) error
	// ModTime is when the file was last written.
	ModTime(path string) (time.Time, error)
	// SetModTime sets when the file was last written. A loss of power may forget that.
	SetModTime(path string, at time.Time) error
	// Sync returns once the bytes of some files, and the names in some directories, are on the disk.
	Sync(paths ...string) error
	// SyncTree returns once all files and names below the directory are on the disk.
	SyncTree(dir string) error
	// TryLock takes a lock, until it is unlocked or the process ends. Locks are the places in one
	// file, which is there and stays. It fails with ErrHeld if another has the lock, be it in the
	// same process.
	TryLock(path string, place int64) (unlock func(), err error)
	// TryOldLock takes the lock that a file stands for, as programs before form 3 do. The file goes
	// when it is unlocked.
	TryOldLock(path string) (unlock func(), err error)
}

// ErrHeld means that another has a lock.
var ErrHeld = errors.New("held by another")

// OSDisk is the machine's file system.
type OSDisk struct{}

var _ Disk = OSDisk{}

// openFile opens a file or a directory, and makes a file for the owner only. It never waits: who
// opens a pipe that somebody put there would wait for its other end.
func openFile(path string, flags int) (*os.File, error) {
	return os.OpenFile(path, flags|syscall.O_NONBLOCK, 0o600)
}

// MkdirAll makes a directory.
func (OSDisk) MkdirAll(dir string) error {
	err := os.MkdirAll(dir, 0o700)
	for n := 0; errors.Is(err, fs.ErrExist) && n < 100; n++ {
		// It was there, and another process removed it before it was seen to be a directory.
		err = os.MkdirAll(dir, 0o700)
	}
	return err
}

// Mkdir makes a directory in another one.
func (OSDisk) Mkdir(dir string) error { return os.Mkdir(dir, 0o700) }

// ReadDir lists a directory.
func (OSDisk) ReadDir(dir string) ([]string, error) {
	d, err := openFile(dir, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

// ReadSome lists a part of a directory.
func (OSDisk) ReadSome(dir string, from int64) (names []string, next int64, err error) {
	d, err := openFile(dir, os.O_RDONLY)
	if err != nil {
		return nil, 0, err
	}
	defer d.Close()
	fd := int(d.Fd())
	if _, err := syscall.Seek(fd, from, io.SeekStart); err != nil {
		return nil, 0, &fs.PathError{Op: "seek", Path: dir, Err: err}
	}
	buf := make([]byte, 16<<10)
	n, err := syscall.ReadDirent(fd, buf)
	if err != nil {
		return nil, 0, &fs.PathError{Op: "readdirent", Path: dir, Err: err}
	}
	if n <= 0 {
		return nil, 0, nil
	}
	_, _, names = syscall.ParseDirent(buf[:n], -1, nil)
	next, err = syscall.Seek(fd, 0, io.SeekCurrent)
	return names, next, err
}

// ReadFile reads a file, and nothing that only looks like one.
func (OSDisk) ReadFile(path string) ([]byte, error) {
	f, err := openFile(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	if err != nil {
		return nil, err
	}
	data := make([]byte, info.Size())
	n, err := io.ReadFull(f, data)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return data[:n], err
}

// Create writes a file.
func (OSDisk) Create(path string, data []byte) error {
	f, err := openFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	if len(data) > 0 {
		_, err = f.Write(data)
	}
	return errors.Join(err, f.Close())
}

// Write writes a file and syncs it.
func (OSDisk) Write(path string, data []byte) error {
	f, err := openFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// Rename renames a file.
func (OSDisk) Rename(from, to string) error {
	// A directory may take the place of an empty one, which os.Rename refuses.
	err := syscall.Rename(from, to)
	for errors.Is(err, syscall.EINTR) {
		err = syscall.Rename(from, to)
	}
	if err != nil {
		return &fs.PathError{Op: "rename", Path: from, Err: err}
	}
	return nil
}

// Remove removes a file.
func (OSDisk) Remove(path string) error { return os.Remove(path) }

// ModTime reads a file's time.
func (OSDisk) ModTime(path string) (time.Time, error) {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

// SetModTime sets a file's time.
func (OSDisk) SetModTime(path string, at time.Time) error {
	return os.Chtimes(path, time.Time{}, at)
}

// Sync syncs files and directories, one by one if they are few, or else with all of the file
// system. A sync of each of thousands of new files would take minutes.
func (OSDisk) Sync(paths ...string) error {
	if len(paths) > manyFiles {
		return syncFileSystem(paths[0])
	}
	for _, path := range paths {
		if err := syncOne(path); err != nil {
			return err
		}
	}
	return nil
}

func syncOne(path string) error {
	f, err := openFile(path, os.O_RDONLY)
	if err != nil {
		return err
	}
	err = errors.Join(f.Sync(), f.Close())
	if errors.Is(err, fs.ErrInvalid) || errors.Is(err, syscall.EINVAL) {
		// A file system that can't sync a directory keeps names in order anyway.
		return nil
	}
	return err
}

// SyncTree syncs a directory and all below it.
func (d OSDisk) SyncTree(dir string) error {
	var paths []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	if err != nil {
		return err
	}
	return d.Sync(paths...)
}

// manyFiles is how many files Sync syncs one by one.
const manyFiles = 30

// TryLock locks a place in a file.
func (OSDisk) TryLock(path string, place int64) (unlock func(), err error) {
	return tryLock(path, place)
}

// TryOldLock locks a file, which it makes.
func (OSDisk) TryOldLock(path string) (unlock func(), err error) {
	f, err := lockedFile(path, os.O_CREATE, lockFile)
	if err != nil {
		return nil, err
	}
	return func() {
		// The name goes while the lock is still held: whoever waits for it sees that the name
		// is gone, and makes a new one.
		_ = os.Remove(path)
		_ = f.Close()
	}, nil
}

// lockedFile opens a file, and locks it.
func lockedFile(path string, flags int, lock func(*os.File) error) (*os.File, error) {
	f, err := openFile(path, os.O_RDWR|flags)
	if err != nil {
		return nil, err
	}
	if err = lock(f); err == nil {
		err = stillThere(f, path)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// lockFile locks a whole file. It fails with ErrHeld if another has the lock.
func lockFile(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return ErrHeld
	}
	return err
}

// stillThere fails with ErrHeld if a file has lost its name: others lock another one then.
func stillThere(f *os.File, path string) error {
	mine, err := f.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(mine, there) {
		return ErrHeld
	}
	return err
}
