package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// file is what can be told of a journal before SQLite touches it.
type file struct {
	ours, writable bool
	// walMode is set when writes go into a log beside the file; logged is how many bytes are in it,
	// and shared reports whether there is the index that its readers share.
	walMode bool
	logged  int64
	shared  bool
}

// look refuses what is no database, or not all of one.
func look(path string) (file, error) {
	// To open a pipe would wait for somebody at its other end.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return file{}, errors.New("it is not a regular file")
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	writable := err == nil
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		f, err = os.Open(path)
	}
	if err != nil {
		return file{}, err
	}
	defer f.Close()
	header, err := readHeader(f)
	if err != nil {
		return file{}, err
	}
	seen := file{
		ours:     binary.BigEndian.Uint32(header[68:]) == applicationID,
		writable: writable,
		walMode:  header[18] == 2,
	}
	if log, err := os.Stat(path + "-wal"); err == nil {
		seen.logged = log.Size()
	}
	if _, err := os.Stat(path + "-shm"); err == nil {
		seen.shared = true
	}
	info, err := f.Stat()
	if err != nil {
		return file{}, err
	}
	if n := names(path, info); n > 1 {
		return file{}, fmt.Errorf(
			"it has %d names (hard links), and what is written by one may be missed by another;"+
				" remove all but one: find -samefile tells them",
			n,
		)
	}
	// While there is a log the file may be on its way to what its header says.
	if whole := wholeSize(header); seen.logged == 0 && info.Size() < whole {
		return file{}, fmt.Errorf("it is truncated: %d of %d bytes are there", info.Size(), whole)
	}
	return seen, nil
}

// readHeader reads the first bytes of a database.
func readHeader(f io.Reader) ([]byte, error) {
	header := make([]byte, 100)
	switch n, err := io.ReadFull(f, header); {
	case n == 0 && errors.Is(err, io.EOF):
		return nil, errors.New("it is empty; what was there is lost, or it never was a journal")
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, err
	case n < len(header) || string(header[:16]) != "SQLite format 3\x00":
		return nil, errors.New("it is no SQLite database")
	}
	return header, nil
}

// creating begins the names of files that are on their way to be journals.
const creating = ".journal-"

// names counts the names by which a file may be opened. SQLite keeps a log beside the name that it
// is given, so that a file with two has two logs. One that a killed creation left is taken away.
func names(path string, info fs.FileInfo) int {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Nlink < 2 {
		return 1
	}
	count := int(stat.Nlink)
	// Where the directory can't be read, nothing is taken away.
	entries, _ := os.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		name := filepath.Join(filepath.Dir(path), e.Name())
		if !strings.HasPrefix(e.Name(), creating) || name == path {
			continue
		}
		if other, err := e.Info(); err == nil && os.SameFile(info, other) {
			_ = os.Remove(name)
			count--
		}
	}
	return count
}

// wholeSize is the size of a database by its header; 0 where that does not tell.
func wholeSize(header []byte) int64 {
	number := func(at int) int64 { return int64(binary.BigEndian.Uint32(header[at:])) }
	page := int64(binary.BigEndian.Uint16(header[16:]))
	if page == 1 {
		page = 1 << 16
	}
	if number(24) != number(92) {
		return 0
	}
	return page * number(28)
}
