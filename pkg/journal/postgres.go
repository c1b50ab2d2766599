package journal

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"aws-provider-executor/pkg/gate"
)

//go:embed schema_postgres.sql
var serverSchema string

// postgresEngine keeps a journal in a database of PostgreSQL. A write locks the head of the log
// first, so that one gate at a time goes on with it, and a claim is decided by the row's revision.
type postgresEngine struct{}

var _ engine = postgresEngine{}

// OnServer reports whether a journal is named by the URL of a database.
func OnServer(name string) bool {
	return strings.HasPrefix(name, "postgres://") || strings.HasPrefix(name, "postgresql://")
}

// openPatience is how long is waited at first for a server that is not there.
const openPatience = 5 * time.Second

// connections is how many one gate has at most.
const connections = 8

// What a session has where its URL does not say otherwise. A gate that stands still in the middle
// of a write holds up the others no longer than standstill.
const (
	connectTimeout = 5 * time.Second
	lockTimeout    = "15s"
	standstill     = "30s"
)

func openOnServer(ctx context.Context, name string, create bool) (*Journal, error) {
	shown, config, err := serverConfig(name)
	if err != nil {
		return nil, err
	}
	j := &Journal{
		path: shown, idColumn: "id", version: version,
		engine: postgresEngine{}, patience: openPatience,
	}
	j.db = stdlib.OpenDB(*config, stdlib.OptionAfterConnect(keepWrites))
	j.db.SetMaxOpenConns(connections)
	j.db.SetMaxIdleConns(connections)
	err = j.patiently(ctx, func() error { return j.openTables(ctx, create) })
	if err == nil {
		j.patience = patience
		return j, nil
	}
	_ = j.db.Close()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, absent("in " + shown)
	}
	return nil, fmt.Errorf("cannot open the journal %s: %w", shown, err)
}

// serverConfig reads a URL, and returns it without what is secret in it. What is wrong with one is
// not told in its own words: there may be a password in it.
func serverConfig(name string) (shown string, config *pgx.ConnConfig, err error) {
	u, err := url.Parse(name)
	if err == nil {
		config, err = pgx.ParseConfig(name)
	}
	if err != nil {
		return "", nil, errors.New("the journal's URL can't be read (it is not shown, since a" +
			" password may be in it): want postgres://USER@HOST:PORT/DATABASE, with the password in" +
			" PGPASSFILE, and /, @, : and % in a name or password as %2F, %40, %3A and %25")
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	q := u.Query()
	for parameter := range q {
		if strings.Contains(strings.ToLower(parameter), "password") {
			q.Del(parameter)
		}
	}
	u.RawQuery = q.Encode()
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	for parameter, value := range map[string]string{
		"application_name": "actionctl", "lock_timeout": lockTimeout,
		"idle_in_transaction_session_timeout": standstill,
	} {
		if config.RuntimeParams[parameter] == "" {
			config.RuntimeParams[parameter] = value
		}
	}
	return u.String(), config, nil
}

// Secrets are the parts of a journal's name that hold a password, each beside what to show instead.
// A file's name has none.
func Secrets(name string) (all []string) {
	if !OnServer(name) {
		return nil
	}
	_, rest, _ := strings.Cut(name, "://")
	authority, _, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, password, _ := strings.Cut(authority[:at], ":")
		if password != "" {
			all = append(all, user+":"+password+"@", user+"@")
		}
	}
	_, query, _ := strings.Cut(rest, "?")
	for part := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(part, "=")
		if strings.Contains(strings.ToLower(key), "password") && value != "" {
			all = append(all, part, key+"=")
		}
	}
	return all
}

// keepWrites has a session keep what it was told as done, where the server would not.
func keepWrites(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, "SELECT set_config('synchronous_commit', 'on', false) "+
		"WHERE current_setting('synchronous_commit') = 'off'")
	return err
}

// openTables finds our tables, and makes them where there are none and it is asked to.
func (j *Journal) openTables(ctx context.Context, create bool) error {
	there, err := j.hasTables(ctx, j.db)
	if err == nil && !there {
		if !create {
			return fs.ErrNotExist
		}
		err = j.createOnServer(ctx)
	}
	if err != nil {
		return err
	}
	if err := j.db.QueryRowContext(ctx, "SELECT pg_is_in_recovery() OR "+
		"current_setting('transaction_read_only') = 'on' OR "+
		"NOT has_table_privilege('actionctl_events', 'INSERT') OR "+
		"NOT has_table_privilege('actionctl_journal', 'UPDATE')").Scan(&j.readOnly); err != nil {
		return err
	}
	err = j.db.QueryRowContext(ctx, "SELECT version FROM "+ours.head).Scan(&j.version)
	if errors.Is(err, sql.ErrNoRows) {
		// What is missing is for Verify to tell.
		j.version, err = version, nil
	}
	switch {
	case err != nil:
		return err
	case j.version < firstOnServer || j.version > version:
		return fmt.Errorf("it is of version %d, and this program knows version %d", j.version, version)
	case j.version < version && !j.readOnly:
		if err := j.widenOnServer(ctx); err != nil {
			return fmt.Errorf("cannot bring it from version %d to %d: %w", j.version, version, err)
		}
	}
	return j.findID(ctx)
}

// firstOnServer is the first version of which there are journals on servers.
const firstOnServer = 5

// widenOnServer brings the column that version 6 added, in one transaction. The rows and the log
// stay as they are.
func (j *Journal) widenOnServer(ctx context.Context) error {
	return asWriting(j.transact(ctx, func(w *writer) error {
		head := w.tx.QueryRowContext(w.ctx, "SELECT version FROM "+ours.head+" FOR UPDATE")
		if err := head.Scan(&j.version); err != nil || j.version == version {
			return err // another process was faster
		}
		if err := w.findHead(); err != nil {
			return err
		}
		if err := w.nobodyIsAtWork(time.Now()); err != nil {
			return err
		}
		for _, statement := range []string{
			"ALTER TABLE " + ours.states +
				` ADD COLUMN selected text COLLATE "C" NOT NULL DEFAULT ''`,
			"ALTER TABLE " + ours.states + " ALTER COLUMN selected DROP DEFAULT",
			fmt.Sprintf("UPDATE %s SET version = %d", ours.head, version),
		} {
			if _, err := w.tx.ExecContext(w.ctx, statement); err != nil {
				return err
			}
		}
		j.version = version
		return nil
	}, nil))
}

// hasTables reports whether our tables are there. It looks into the catalog itself: a session may
// remember that a name meant nothing.
func (j *Journal) hasTables(ctx context.Context, q querier) (there bool, err error) {
	var ourTables, coresTable bool
	err = q.QueryRowContext(ctx, "SELECT coalesce(bool_or(relname = 'actionctl_journal'), false), "+
		"coalesce(bool_or(relname = 'action_executions'), false) FROM pg_class "+
		"JOIN pg_namespace n ON n.oid = relnamespace "+
		"WHERE nspname = ANY (current_schemas(false))").Scan(&ourTables, &coresTable)
	if err == nil && coresTable && !ourTables {
		err = errors.New("it has a table action_executions that is not this program's:" +
			" name a database or a schema (?search_path=…) of its own")
	}
	return ourTables, err
}

// oneCreates is the lock by which one process makes the tables.
const oneCreates = applicationID

func (j *Journal) createOnServer(ctx context.Context) error {
	tx, err := j.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", oneCreates); err != nil {
		return err
	}
	if there, err := j.hasTables(ctx, tx); there || err != nil {
		return err
	}
	id := newID()
	begin := fmt.Sprintf("INSERT INTO %s (one, version, id, seq, hash) VALUES (1, %d, '%s', 0, '%s')",
		ours.head, version, id, id)
	for _, statement := range append(serverStatements(), begin) {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// serverStatements are the statements of the schema. A function's body ends within its line.
func serverStatements() []string {
	statements := strings.Split(serverSchema, ";\n")
	return slices.DeleteFunc(statements, func(s string) bool { return strings.TrimSpace(s) == "" })
}

// saidOnServer keeps what say found.
var saidOnServer sync.Map

// say numbers the values, and leaves out what SQLite is told to do where a row can't be inserted: a
// statement that fails leaves nothing here. No text of a statement of ours has a question mark.
func (postgresEngine) say(query string) string {
	if said, ok := saidOnServer.Load(query); ok {
		return said.(string)
	}
	var b strings.Builder
	number := 0
	plain := strings.Replace(query, orFail, "INSERT ", 1)
	for part := range strings.SplitAfterSeq(plain, "?") {
		text, isValue := strings.CutSuffix(part, "?")
		b.WriteString(text)
		if isValue {
			number++
			b.WriteString("$" + strconv.Itoa(number))
		}
	}
	saidOnServer.Store(query, b.String())
	return b.String()
}

func (postgresEngine) reading() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
}

func (postgresEngine) lock() string { return " FOR UPDATE" }

func (postgresEngine) digests(v view, rest string, args []any, do func(digested) error) error {
	return eachInOrder(func(emit func(row)) error {
		return v.rows(rest, args, func(r row) error { emit(r); return v.ctx.Err() })
	}, digest, do)
}

func (postgresEngine) checks(v view, rest string, do func(checked) error) error {
	return eachInOrder(func(emit func(stored)) error {
		return v.events("NULL", rest, nil, func(s stored) error { emit(s); return v.ctx.Err() })
	}, check, do)
}

// clean takes out what a text of PostgreSQL can't have.
func (postgresEngine) clean(values []any) {
	for i, v := range values {
		if s, ok := v.(string); ok {
			values[i] = strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
		}
	}
}

// The classes and codes of PostgreSQL's errors that are looked at.
const (
	codeDuplicate     = "23505"
	codeSerialization = "40001"
	codeDeadlock      = "40P01"
	codeTooMany       = "53300"
	codeIdleTooLong   = "25P03"
	codeReadOnly      = "25006"
	classConnection   = "08"
	classIntervention = "57P"
)

func (postgresEngine) isDuplicate(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == codeDuplicate
}

// passes tells a server that is away, and one that asks for another try. A login or a database that
// is refused stays so.
func (postgresEngine) passes(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, gate.ErrChanged) {
		return false
	}
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return slices.Contains([]string{codeSerialization, codeDeadlock, codeTooMany, codeIdleTooLong},
			e.Code) || strings.HasPrefix(e.Code, classConnection) ||
			strings.HasPrefix(e.Code, classIntervention)
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, sqldriver.ErrBadConn) ||
		errors.Is(err, pgconn.ErrConnClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, sql.ErrConnDone) || pgconn.Timeout(err) || pgconn.SafeToRetry(err)
}

// lasts is so: a transaction that was told as done is in the server's own log.
func (postgresEngine) lasts() bool                           { return true }
func (postgresEngine) flush(context.Context, *Journal) error { return nil }

// structure is for the server's own tools: pg_amcheck, and checksums of its pages.
func (postgresEngine) structure(*verification) error { return nil }

// form tells every column, trigger, rule and index of our tables in a line.
func (postgresEngine) form(v *verification) error {
	have, err := formOnServer(v.view)
	if err != nil {
		return err
	}
	want := wantedOnServer()
	for _, line := range want {
		if !slices.Contains(have, line) {
			v.fault("the %s is not there, or was changed", line)
		}
	}
	for _, line := range have {
		if !slices.Contains(want, line) {
			v.fault("the %s was put in", line)
		}
	}
	return nil
}

//go:embed form_postgres.sql
var askForForm string

//go:embed form_postgres.txt
var wantedForm string

func wantedOnServer() []string { return strings.Split(strings.TrimSpace(wantedForm), "\n") }

func formOnServer(v view) (lines []string, err error) {
	rows, err := v.QueryContext(v.ctx, askForForm)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, rows.Err()
}
