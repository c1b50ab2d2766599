package journal

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// engine is what differs between a file and a server.
type engine interface {
	// say turns a statement, in which ? stands for a value, into the engine's form.
	say(query string) string
	// reading are the options of a transaction that sees one state and writes nothing.
	reading() *sql.TxOptions
	// lock ends the query for the end of the log by which one writer at a time goes on.
	lock() string
	// clean makes of texts what the engine can keep.
	clean(values []any)
	// isDuplicate reports whether a key is there already.
	isDuplicate(err error) bool
	// passes reports whether what failed may go well in a while: nothing of it was done.
	passes(err error) bool
	// lasts reports whether what was written lasts by itself, so that there is nothing to flush.
	lasts() bool
	// flush is Journal.Flush.
	flush(ctx context.Context, j *Journal) error
	// digests reads rows, each with its digest only, in their order.
	digests(v view, rest string, args []any, do func(digested) error) error
	// checks reads events, each with what can be said of it without those before it, in their order.
	// Of one in which nothing is wrong it may be no more than that.
	checks(v view, rest string, do func(checked) error) error
	// structure checks what the engine itself knows of its files.
	structure(v *verification) error
	// form finds what was taken off the tables, or put in: a trigger may undo a write as soon as it
	// is made. What another program has beside them is its own.
	form(v *verification) error
}

// sqliteEngine keeps a journal in a file.
type sqliteEngine struct{}

var _ engine = sqliteEngine{}

func (sqliteEngine) say(query string) string { return query }
func (sqliteEngine) reading() *sql.TxOptions { return &sql.TxOptions{ReadOnly: true} }

// lock is not needed: a transaction that writes is alone from its begin.
func (sqliteEngine) lock() string      { return "" }
func (sqliteEngine) clean([]any)       {}
func (sqliteEngine) passes(error) bool { return false }

func (sqliteEngine) isDuplicate(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE
}

func (sqliteEngine) lasts() bool { return false }

// flushPatience is how long a flush waits for others, flushBusy how long one try of it does, and
// flushPause how long is between two.
const (
	flushPatience = 2 * time.Second
	flushBusy     = 50 * time.Millisecond
	flushPause    = 5 * time.Millisecond
)

func (sqliteEngine) flush(ctx context.Context, j *Journal) error {
	wanted := ctx
	ctx, cancel := context.WithTimeout(ctx, flushPatience)
	defer cancel()
	c, err := j.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("cannot bring the journal's log into its file: %w", err)
	}
	defer c.Close()
	// SQLite waits for readers as long as for a writer, and nothing ends that: what is written
	// meanwhile would wait too, and its executors start too late.
	defer setBusyTimeout(c, busyTimeout)
	setBusyTimeout(c, flushBusy)
	for mode := "PASSIVE"; ; mode = "FULL" {
		var busy, logged, moved int
		row := c.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")")
		if err := row.Scan(&busy, &logged, &moved); err != nil && ctx.Err() == nil {
			return fmt.Errorf("cannot bring the journal's log into its file: %w", err)
		} else if err == nil && busy == 0 && logged == moved {
			return nil
		}
		select {
		case <-wanted.Done():
			return fmt.Errorf("cannot bring the journal's log into its file: %w", wanted.Err())
		case <-ctx.Done():
			return errors.New("cannot bring the journal's log into its file: another process reads it")
		case <-time.After(flushPause):
		}
	}
}

// setBusyTimeout has a connection wait so long for other processes, or be used no more.
func setBusyTimeout(c *sql.Conn, wait time.Duration) {
	_, err := c.ExecContext(context.Background(),
		fmt.Sprintf("PRAGMA busy_timeout = %d", wait.Milliseconds()))
	if err != nil {
		_ = c.Raw(func(any) error { return sqldriver.ErrBadConn })
	}
}

func (sqliteEngine) structure(v *verification) error {
	rows, err := v.QueryContext(v.ctx, "PRAGMA integrity_check(10)")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return err
		}
		if line != "ok" {
			v.fault("the database is damaged: %s", line)
		}
	}
	return rows.Err()
}

func (sqliteEngine) form(v *verification) error {
	want, err := wantedSchema(v.ctx)
	if err != nil {
		return err
	}
	have, err := schemaOf(v.ctx, v)
	if err != nil {
		v.fault("the tables can't be read: %v", err)
	}
	if v.journal.version != version {
		// It could not be brought to this one, whose tables are others.
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		switch part, ok := have[name]; {
		case !ok:
			v.fault("the %s is not there", name)
		case !part.is(want[name]):
			v.fault("the %s was changed", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if _, ok := want[name]; !ok && !have[name].isAnothers() {
			v.fault("the %s was put in", name)
		}
	}
	return nil
}

// part is a table, an index, a trigger or a view, and what it belongs to.
type part struct{ kind, name, table, text string }

// is reports whether a part is as it was made. A core may add columns to its own table.
func (p part) is(want part) bool {
	grown := strings.TrimSuffix(want.text, ")") + ", "
	isCores := p.kind == "table" && p.name == coreTable
	return p.text == want.text || isCores && strings.HasPrefix(p.text, grown)
}

// isAnothers reports whether a part is of no concern here: it is on another program's table, or an
// index on the one that is the core's.
func (p part) isAnothers() bool {
	// To SQLite a name is the same in capitals, and a trigger keeps its table's as it was written.
	table, name := strings.ToLower(p.table), strings.ToLower(p.name)
	ofOurs := strings.HasPrefix(table, prefix) || strings.HasPrefix(name, prefix)
	return !ofOurs && (table != coreTable || p.kind == "index")
}
