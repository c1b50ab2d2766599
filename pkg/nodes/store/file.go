package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver named sqlite
)

const (
	// applicationID marks a SQLite file as a store of nodes.
	applicationID = 0x4e4f4445
	// patience is how long one process waits for another's write.
	patience = "_pragma=busy_timeout(15000)"
)

// absent is the error, fs.ErrNotExist, of a store that is not there.
type absent string

func (path absent) Error() string {
	return "there is no store of nodes " + string(path) +
		"; actionctl nodes managers create and actionctl nodes add make one"
}

func (absent) Is(target error) bool { return target == fs.ErrNotExist }

// openFile opens a store in a file, and makes it first where that is asked for.
func openFile(ctx context.Context, path string, create bool) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err = errors.Join(err, registerMatch()); err != nil {
		return nil, err
	}
	// SQLite keeps its log beside the name that it is given.
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	err = checkFile(path)
	if errors.Is(err, fs.ErrNotExist) && create {
		err = makeFile(ctx, path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, absent(path)
	case err != nil:
		return nil, fmt.Errorf("cannot open the store of nodes %s: %w", path, err)
	}
	db, err := connectFile(ctx, path, "mode=rw&_txlock=immediate&"+patience+
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)")
	if err != nil {
		return nil, fmt.Errorf("cannot open the store of nodes %s: %w", path, err)
	}
	return db, nil
}

func connectFile(ctx context.Context, path, query string) (*sql.DB, error) {
	u := url.URL{Scheme: "file", Path: path, RawQuery: query}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	// One connection: statements of one process queue up here, where that is cheap.
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "SELECT count(*) FROM sqlite_schema"); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// checkFile refuses what is not a store of nodes, before SQLite touches it.
func checkFile(path string) error {
	// To open a pipe would wait for somebody at its other end.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	header := make([]byte, 100)
	n, err := io.ReadFull(f, header)
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return errors.New("it is empty; what was there is lost, or it never was a store of nodes")
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	case n < len(header) || string(header[:16]) != "SQLite format 3\x00":
		return errors.New("it is no SQLite database")
	case binary.BigEndian.Uint32(header[68:]) != applicationID:
		return errors.New("it is a database of something else")
	}
	return nil
}

// makeFile makes an empty store for its owner alone. It comes to its name as a whole: another
// process sees all of it or nothing, and what is there already stays.
func makeFile(ctx context.Context, path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".nodes-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := f.Close(); err != nil {
		return err
	}
	db, err := connectFile(ctx, f.Name(), "_pragma=synchronous(FULL)")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID))
	if err == nil {
		err = migrate(ctx, db, onSQLite)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDirectory(dir)
}

func syncDirectory(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
