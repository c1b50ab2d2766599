// Package journal keeps the gate's actions in one SQLite file: the core's table action_executions, the
// approvals, and an append-only log of events in which each one carries the hash of the one before.
//
// It guarantees that a write is whole or not there, with its event, whenever the process is killed; that a
// write decided on an older revision does not happen; that a byte changed in an event or in an action's
// row, and an event taken off the end, are found and named by Verify; and that the journal of a core,
// which has its table and not ours, opens read-only.
//
// The columns of action_executions are the core's and stay compatible. All SQL is here.
package journal

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver named sqlite

	"aws-provider-executor/pkg/gate"
)

// Journal is an open journal. It is safe for concurrent use, by goroutines and by processes.
type Journal struct {
	db       *sql.DB
	path     string
	readOnly bool
	// idColumn is what a core's table calls by number.
	idColumn string
}

var _ gate.Store = (*Journal)(nil)

//go:embed schema.sql
var schema string

const (
	// applicationID marks a SQLite file as ours.
	applicationID = 0x41435447
	version       = 1
)

// busyMillis is how long a write waits for another process's.
const busyMillis = "15000"

// Open opens the journal in a file, and makes it when there is none.
func Open(ctx context.Context, path string) (*Journal, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the journal: %w", err)
	}
	mark, err := readMark(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the journal %s: %w", path, err)
	}
	j := &Journal{path: path, idColumn: "id"}
	switch mark {
	case nothing:
		err = j.create(ctx)
	case another:
		err = j.openForeign(ctx)
	default:
		err = j.openOwn(ctx)
	}
	if err != nil {
		if j.db != nil {
			_ = j.db.Close()
		}
		return nil, fmt.Errorf("cannot open the journal %s: %w", path, err)
	}
	return j, nil
}

// Close closes it.
func (j *Journal) Close() error { return j.db.Close() }

// ReadOnly tells a core's journal, which is not written to.
func (j *Journal) ReadOnly() bool { return j.readOnly }

// Path is the file.
func (j *Journal) Path() string { return j.path }

type mark int

const (
	nothing mark = iota
	ours
	another
)

// readMark looks whose file it is before SQLite touches it.
func readMark(path string) (mark, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nothing, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	header := make([]byte, 100)
	n, err := io.ReadFull(f, header)
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return nothing, nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return 0, err
	case n < 100 || string(header[:16]) != "SQLite format 3\x00":
		return 0, errors.New("it is no SQLite database")
	case binary.BigEndian.Uint32(header[68:]) != applicationID:
		return another, nil
	}
	return ours, nil
}

func (j *Journal) connect(ctx context.Context, query string) error {
	u := url.URL{Scheme: "file", Path: j.path, RawQuery: query}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return err
	}
	// One connection: statements of one process queue up here, where that is cheap.
	db.SetMaxOpenConns(1)
	j.db = db
	return db.PingContext(ctx)
}

// create makes the file for its owner alone, in one transaction, so that another process sees all
// of it or nothing.
func (j *Journal) create(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(j.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(j.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := j.connect(ctx, "_txlock=exclusive&_pragma=busy_timeout("+busyMillis+")&_pragma=synchronous(FULL)"); err != nil {
		return err
	}
	if err := j.createTables(ctx); err != nil {
		return err
	}
	if err := j.db.Close(); err != nil {
		return err
	}
	return j.openOwn(ctx)
}

func (j *Journal) createTables(ctx context.Context) error {
	tx, err := j.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	var tables int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil || tables > 0 {
		return err
	}
	marks := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, version)
	if _, err := tx.ExecContext(ctx, schema+marks); err != nil {
		return err
	}
	return tx.Commit()
}

func (j *Journal) openOwn(ctx context.Context) error {
	err := j.connect(ctx, "_txlock=immediate&_pragma=busy_timeout("+busyMillis+")&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)")
	if err != nil {
		return err
	}
	var v int
	if err := j.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&v); err != nil {
		return err
	}
	if v != version {
		return fmt.Errorf("it is of version %d, and this program knows version %d", v, version)
	}
	return nil
}

// coreColumns are the core's, in its order.
const coreColumns = "idempotency_key, source, provider, provider_ref, action, target_json, parameters_json, undo_json, risk_level, " +
	"status, approved_by, approved_at, executed_at, result_message, error, created_at, updated_at, observed_json"

func (j *Journal) openForeign(ctx context.Context) error {
	j.readOnly = true
	if err := j.connect(ctx, "mode=ro&_pragma=busy_timeout("+busyMillis+")"); err != nil {
		return err
	}
	rows, err := j.db.QueryContext(ctx, "SELECT name, lower(type) FROM pragma_table_info('action_executions')")
	if err != nil {
		return err
	}
	defer rows.Close()
	types := map[string]string{}
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			return err
		}
		types[name] = kind
	}
	if err := rows.Err(); err != nil {
		return err
	}
	var missing []string
	for name := range strings.SplitSeq("id, "+coreColumns, ", ") {
		if _, ok := types[name]; !ok {
			missing = append(missing, name)
		}
	}
	switch {
	case len(types) == 0:
		return errors.New("it is a database of something else: it has no table action_executions")
	case len(missing) > 0:
		return fmt.Errorf("its table action_executions is not the core's: it lacks %s", strings.Join(missing, ", "))
	case !strings.HasPrefix(types["id"], "int"):
		j.idColumn = "rowid"
	}
	return nil
}
