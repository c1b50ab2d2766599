package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/wildcard"
)

// dialect is what differs between the two engines. All else is the same SQL.
type dialect struct {
	name string
	// words replace those of the migrations.
	words *strings.Replacer
	// numbered is set where parameters are $1, $2 and not ?.
	numbered bool
	// lock, when not empty, makes a transaction the only one that writes.
	lock string
	// isolation is that of a transaction which reads as of one time.
	isolation sql.IsolationLevel
	// appendOnly has the audit log refuse changes. mayPrune lets entries go up to the number to which
	// the store says that they may.
	appendOnly, mayPrune []string
	// gather has the numbers of rows in one text, and member is true for those of a list that is an
	// argument, between listBegin and listEnd.
	gather, member, listBegin, listEnd string
	// match adds that a pattern with a wildcard matches a column.
	match func(w *where, column, pattern string, tokens []wildcard.Token)
}

// writeLock is the number of the lock that writers of nodes take in PostgreSQL.
const writeLock = 0x4e4f444553

var onSQLite = &dialect{
	name: "SQLite",
	words: strings.NewReplacer("SERIAL_KEY", "INTEGER PRIMARY KEY AUTOINCREMENT",
		"WITHOUT_ROWID", "WITHOUT ROWID"),
	gather: "coalesce(group_concat(n.seq), '')",
	member: "n.seq IN (SELECT value FROM json_each(?))", listBegin: "[", listEnd: "]",
	match: matchSQLite,
	appendOnly: []string{
		"CREATE TRIGGER node_audit_is_not_changed BEFORE UPDATE ON node_audit " +
			"BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
		"CREATE TRIGGER node_audit_is_not_deleted BEFORE DELETE ON node_audit " +
			"BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
	},
	mayPrune: []string{
		"DROP TRIGGER node_audit_is_not_deleted",
		"CREATE TRIGGER node_audit_is_not_deleted BEFORE DELETE ON node_audit " +
			"WHEN OLD.seq > (SELECT audit_pruned FROM node_store) " +
			"BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
	},
}

var onPostgres = &dialect{
	name: "PostgreSQL",
	words: strings.NewReplacer("SERIAL_KEY", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
		" WITHOUT_ROWID", "", "BLOB", "BYTEA", "TEXT", `TEXT COLLATE "C"`, "INTEGER", "BIGINT"),
	numbered: true, isolation: sql.LevelRepeatableRead,
	lock:   "SELECT pg_advisory_xact_lock(" + strconv.Itoa(writeLock) + ")",
	gather: "coalesce(string_agg(n.seq::text, ','), '')",
	member: "n.seq = ANY (?::text::bigint[])", listBegin: "{", listEnd: "}",
	match: matchPostgres,
	appendOnly: []string{
		"CREATE FUNCTION node_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS " +
			"$$BEGIN RAISE EXCEPTION 'the audit log is append-only'; END$$",
		"CREATE TRIGGER node_audit_is_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON node_audit " +
			"FOR EACH STATEMENT EXECUTE FUNCTION node_audit_refuse()",
	},
	mayPrune: []string{
		"DROP TRIGGER node_audit_is_not_changed ON node_audit",
		"CREATE TRIGGER node_audit_is_not_changed BEFORE UPDATE OR TRUNCATE ON node_audit " +
			"FOR EACH STATEMENT EXECUTE FUNCTION node_audit_refuse()",
		"CREATE FUNCTION node_audit_refuse_late() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN " +
			"IF OLD.seq > (SELECT audit_pruned FROM node_store) THEN " +
			"RAISE EXCEPTION 'the audit log is append-only'; END IF; RETURN OLD; END$$",
		"CREATE TRIGGER node_audit_is_not_deleted BEFORE DELETE ON node_audit " +
			"FOR EACH ROW EXECUTE FUNCTION node_audit_refuse_late()",
	},
}

// bind writes the parameters of a query as the engine has them. No query of ours has a ? in a text.
func (d *dialect) bind(query string) string {
	if !d.numbered {
		return query
	}
	var b strings.Builder
	n := 0
	for {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		n++
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}

// querier is a database or a transaction, that speaks a dialect.
type querier struct {
	*dialect
	on interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}
}

func (q querier) exec(ctx context.Context, query string, args ...any) error {
	_, err := q.on.ExecContext(ctx, q.bind(query), args...)
	return err
}

func (q querier) row(ctx context.Context, query string, args ...any) *sql.Row {
	return q.on.QueryRowContext(ctx, q.bind(query), args...)
}

// each calls a function for each row of an answer.
func (q querier) each(
	ctx context.Context, scan func(*sql.Rows) error, query string, args ...any,
) error {
	rows, err := q.on.QueryContext(ctx, q.bind(query), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// marks are the parameters of a list of n values.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// prepared is a transaction that prepares each statement once. A scan of a region says the same few
// ones for each node.
type prepared struct {
	tx    *sql.Tx
	known map[string]*sql.Stmt
}

func (p *prepared) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := p.known[query]; s != nil {
		return s, nil
	}
	s, err := p.tx.PrepareContext(ctx, query)
	if err == nil {
		p.known[query] = s
	}
	return s, err
}

func (p *prepared) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := p.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

func (p *prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := p.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

func (p *prepared) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s, err := p.statement(ctx, query)
	if err != nil {
		// The transaction itself tells what is wrong with the query.
		return p.tx.QueryRowContext(ctx, query, args...)
	}
	return s.QueryRowContext(ctx, args...)
}
