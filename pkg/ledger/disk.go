package ledger

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// Disk is what the ledger needs of a file system. Each call is one step that a kill may come before or after.
type Disk interface {
	// MkdirAll makes a directory for the owner only.
	MkdirAll(dir string) error
	// ReadDir lists the names in a directory, sorted.
	ReadDir(dir string) ([]string, error)
	ReadFile(path string) ([]byte, error)
	// Write makes a file for the owner only, and returns once its bytes are on the disk.
	Write(path string, data []byte) error
	Rename(from, to string) error
	Remove(path string) error
	// ModTime is when the file was last written.
	ModTime(path string) (time.Time, error)
	// SyncDir returns once the directory's names are on the disk.
	SyncDir(dir string) error
}

// OSDisk is the machine's file system.
type OSDisk struct{}

var _ Disk = OSDisk{}

// MkdirAll makes a directory.
func (OSDisk) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o700) }

// ReadDir lists a directory.
func (OSDisk) ReadDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

// ReadFile reads a file, and nothing that only looks like one: a pipe would be waited for, without end.
func (OSDisk) ReadFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
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

// Write writes a file and syncs it.
func (OSDisk) Write(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// Rename renames a file.
func (OSDisk) Rename(from, to string) error { return os.Rename(from, to) }

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

// SyncDir syncs a directory.
func (OSDisk) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, fs.ErrInvalid) {
		// A file system that can't sync a directory keeps names in order anyway.
		err = nil
	}
	return errors.Join(err, d.Close())
}
