// Package journal keeps the gate's actions in one SQLite file, or in a database of PostgreSQL that
// several gates share: the core's table action_executions, the approvals, and an append-only log of
// events in which each one carries the hash of the one before. A core that opens the file may add
// tables of its own beside them.
//
// It guarantees that a write is whole or not there, with its event, whenever the process is killed;
// that a write decided on an older revision, or on a row that is not as the log left it, does not
// happen; that a byte changed in an event or in an action's row, and an event taken off the end,
// are found and named by Verify; and that the journal of a core, which has its table and not ours,
// opens read-only, as does ours for a user who may not write it.
//
// Times are those of the process that writes, and order nothing: the log's numbers do, which are
// given under a lock.
//
// The columns of action_executions are the core's and stay compatible. All SQL is here.
package journal

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	sqldriver "database/sql/driver"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"aws-provider-executor/pkg/gate"
)

// Journal is an open journal. It is safe for concurrent use, by goroutines and by processes.
type Journal struct {
	db   *sql.DB
	path string
	// foreign is a core's, which has its table and not ours.
	foreign, readOnly bool
	// version is that of our tables in the file.
	version int
	// id is the journal's own; empty in a core's and in one of an earlier version.
	id string
	// idColumn is what a core's table calls by number.
	idColumn string
	queue    queue
	engine   engine
	// patience is how long is waited for what may go well in a while.
	patience time.Duration
}

var _ gate.Store = (*Journal)(nil)

//go:embed schema.sql
var schema string

const (
	// applicationID marks a SQLite file as ours.
	applicationID = 0x41435447
	version       = 6
)

// driver is SQLite's, but in tests of what fails.
var driver sqldriver.Driver = newDriver()

// busyTimeout is how long one process waits for another's write.
const busyTimeout = 15 * time.Second

// waiting has a connection wait so long.
var waiting = fmt.Sprintf("_pragma=busy_timeout(%d)", busyTimeout.Milliseconds())

// Open opens the journal in a file, or in the database that a URL names. When there is none the
// error is fs.ErrNotExist.
func Open(ctx context.Context, path string) (*Journal, error) {
	if OnServer(path) {
		return openOnServer(ctx, path, false)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the journal: %w", err)
	}
	// What is beside it, its log above all, is beside where a link leads.
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	j := &Journal{path: path, idColumn: "id", version: version, engine: sqliteEngine{}}
	if err := j.open(ctx); err != nil {
		if j.db != nil {
			_ = j.db.Close()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil, absent(path)
		}
		return nil, fmt.Errorf("cannot open the journal %s: %w", path, err)
	}
	return j, nil
}

// absent is the error, fs.ErrNotExist, of a journal that is not there.
type absent string

func (path absent) Error() string {
	return "there is no journal " + string(path) +
		", and only import, smoke and lab teardown make one"
}

func (absent) Is(target error) bool { return target == fs.ErrNotExist }

// OpenOrCreate opens the journal in a file or a database, and makes it when there is none.
func OpenOrCreate(ctx context.Context, path string) (*Journal, error) {
	if OnServer(path) {
		return openOnServer(ctx, path, true)
	}
	j, err := Open(ctx, path)
	if !errors.Is(err, fs.ErrNotExist) {
		return j, err
	}
	if path, err = filepath.Abs(path); err == nil {
		err = create(ctx, path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make the journal %s: %w", path, err)
	}
	return Open(ctx, path)
}

// Close closes it.
func (j *Journal) Close() error { return j.db.Close() }

// ReadOnly tells a core's journal, which is not written to, and one that can't be.
func (j *Journal) ReadOnly() bool { return j.readOnly }

// IsACores reports whether it is a core's, which has its table and not ours.
func (j *Journal) IsACores() bool { return j.foreign }

// ID is the journal's own: no other journal has it, and a copy has the same. It is empty in a
// core's, and in one of an earlier version that can't be written.
func (j *Journal) ID() string { return j.id }

// Path is the file, or the URL without what is secret in it.
func (j *Journal) Path() string { return j.path }

func (j *Journal) open(ctx context.Context) error {
	f, err := look(j.path)
	if err == nil && !f.ours {
		f.ours, err = j.lookInside(ctx, f)
	}
	switch {
	case err != nil:
		return err
	case !f.ours:
		j.foreign = true
		return j.checkForeign(ctx)
	case f.writable:
		err = j.connect(
			ctx,
			"mode=rw&_txlock=immediate&"+waiting+
				"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)",
		)
	}
	if !f.writable || isUnwritable(err) {
		err = j.connectReading(ctx, f)
	}
	if err != nil {
		return err
	}
	return j.checkVersion(ctx)
}

// lookInside reports whether a file without our mark has our tables: another program may have set
// its own. It leaves what is not ours open for reading.
func (j *Journal) lookInside(ctx context.Context, f file) (ours bool, err error) {
	if err := j.connectReading(ctx, f); err != nil {
		return false, err
	}
	ours, err = hasTable(ctx, j.db, tablesOf(version).head)
	if err != nil || !ours {
		return false, err
	}
	j.readOnly = false
	return true, j.db.Close()
}

func (j *Journal) connect(ctx context.Context, query string) error {
	db, err := connect(ctx, j.path, query)
	if err != nil {
		return err
	}
	j.db = db
	return nil
}

func connect(ctx context.Context, path, query string) (*sql.DB, error) {
	u := url.URL{Scheme: "file", Path: path, RawQuery: query}
	db := sql.OpenDB(connector{driver, u.String()})
	// One connection: statements of one process queue up here, where that is cheap.
	db.SetMaxOpenConns(1)
	// The first look into the file is what fails where it can't be read.
	if _, err := db.ExecContext(ctx, "SELECT count(*) FROM sqlite_schema"); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

// connectReading opens the file such that nothing is made beside it. SQLite reads a file in WAL
// mode by way of two files beside it; where they are not there, or this user may not use them, and
// there is nothing in the write-ahead log, the file by itself is everything. What is in the log
// can't be read without them.
func (j *Journal) connectReading(ctx context.Context, f file) error {
	j.readOnly = true
	alone, shared := "mode=ro&immutable=1", "mode=ro&"+waiting
	if f.walMode && f.logged == 0 && !f.shared {
		return j.connect(ctx, alone)
	}
	err := j.connect(ctx, shared)
	switch {
	case err != nil && f.walMode && f.logged == 0:
		return j.connect(ctx, alone)
	case err != nil && f.walMode:
		return fmt.Errorf(
			"its latest writes are in %s-wal, which can be read only by who may write beside it: %w",
			filepath.Base(j.path),
			err,
		)
	}
	return err
}

// isUnwritable tells the answers of SQLite to who may read a file, and not write it or beside it,
// or for whom there is no room to.
func isUnwritable(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	class := e.Code() & 0xff
	return e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE || class == sqlite3.SQLITE_READONLY ||
		class == sqlite3.SQLITE_CANTOPEN
}

// create makes the file for its owner alone. It comes to its name as a whole, so that another
// process sees all of it or nothing, and what is there already stays.
func create(ctx context.Context, path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, creating+"*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := f.Close(); err != nil {
		return err
	}
	if err := createTables(ctx, f.Name()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

func createTables(ctx context.Context, path string) error {
	db, err := connect(ctx, path, "_pragma=synchronous(FULL)")
	if err != nil {
		return err
	}
	marks := fmt.Sprintf(
		"PRAGMA application_id = %d; PRAGMA user_version = %d;",
		applicationID,
		version,
	)
	id := newID()
	begin := fmt.Sprintf("INSERT INTO %s (one, version, id, seq, hash) "+
		"VALUES (1, %d, '%s', 0, '%s');", ours.head, version, id, id)
	_, err = db.ExecContext(ctx, "BEGIN;"+schema+begin+marks+"COMMIT; PRAGMA journal_mode = WAL")
	return errors.Join(err, db.Close())
}

// newID makes the id of a journal, which no other has.
func newID() string {
	id := make([]byte, sha256.Size)
	_, _ = rand.Read(id) // never fails
	return hex.EncodeToString(id)
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (j *Journal) checkVersion(ctx context.Context) error {
	var found int
	// Another process may bring it to this version meanwhile.
	err := j.readOnce(ctx, func(v view) (err error) {
		found, err = findVersion(ctx, v)
		return err
	})
	if err != nil {
		return err
	}
	j.version = found
	switch {
	case found == version:
		return j.findID(ctx)
	case found < 1 || found > version:
		return fmt.Errorf("it is of version %d, and this program knows version %d", j.version, version)
	case j.readOnly:
		return j.findID(ctx)
	}
	if err := j.migrate(ctx); err != nil {
		return fmt.Errorf("cannot bring it from version %d to %d: %w", found, version, err)
	}
	return j.findID(ctx)
}

func (j *Journal) findID(ctx context.Context) error {
	e, err := (view{ctx: ctx, querier: spoken{j.db, j.engine}, journal: j}).end()
	if errors.Is(err, sql.ErrNoRows) {
		// What is missing is for Verify to tell.
		return nil
	}
	j.id = e.id
	return err
}

// Flush brings what was written to where it lasts by itself. A file has a log beside it, which may
// be lost alone, as by who copies or tidies; Flush waits for others that read, write or do the
// same, for a while. On a server a write lasts when it is told as done.
func (j *Journal) Flush(ctx context.Context) error {
	if j.engine.lasts() {
		return nil
	}
	return j.finish(j.queue.join(ctx, nil))
}

// coreColumns are the core's, in its order.
const coreColumns = "idempotency_key, source, provider, provider_ref, action, target_json, " +
	"parameters_json, undo_json, risk_level, " +
	"status, approved_by, approved_at, executed_at, result_message, error, created_at, " +
	"updated_at, observed_json"

func (j *Journal) checkForeign(ctx context.Context) error {
	rows, err := j.db.QueryContext(
		ctx,
		"SELECT name, lower(type) FROM pragma_table_info('action_executions')",
	)
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
		return fmt.Errorf(
			"its table action_executions is not the core's: it lacks %s",
			strings.Join(missing, ", "),
		)
	case !strings.Contains(types["id"], "int"):
		j.idColumn = "rowid"
	}
	return nil
}
