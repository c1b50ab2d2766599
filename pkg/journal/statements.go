package journal

import (
	"context"
	sqldriver "database/sql/driver"
	"strings"
)

// connector opens connections that prepare each statement once. A gate asks the same few things
// for every action, and to have SQLite read a statement takes longer than to run it.
type connector struct {
	driver sqldriver.Driver
	name   string
}

func (c connector) Connect(context.Context) (sqldriver.Conn, error) {
	opened, err := c.driver.Open(c.name)
	if err != nil {
		return nil, err
	}
	return &connection{conn: opened.(conn), prepared: map[string]sqldriver.Stmt{}}, nil
}

func (c connector) Driver() sqldriver.Driver { return c.driver }

// conn is what is used of a connection.
type conn interface {
	sqldriver.Conn
	sqldriver.ConnBeginTx
	sqldriver.ConnPrepareContext
	sqldriver.ExecerContext
	sqldriver.QueryerContext
	sqldriver.SessionResetter
	sqldriver.Validator
}

// statement is what is used of a prepared statement.
type statement interface {
	sqldriver.Stmt
	sqldriver.StmtExecContext
	sqldriver.StmtQueryContext
}

// connection keeps its statements. One that is in use is not among them.
type connection struct {
	conn
	prepared map[string]sqldriver.Stmt
}

// maxPrepared bounds the statements that are kept: queries with many parts have many forms.
const maxPrepared = 64

// take prepares a statement, or takes it from those that are kept.
func (c *connection) take(ctx context.Context, query string) (statement, error) {
	if s, ok := c.prepared[query]; ok {
		delete(c.prepared, query)
		return s.(statement), nil
	}
	s, err := c.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.(statement), nil
}

func (c *connection) keep(query string, s sqldriver.Stmt) error {
	if _, there := c.prepared[query]; there || len(c.prepared) >= maxPrepared {
		return s.Close()
	}
	c.prepared[query] = s
	return nil
}

// isRunOnce reports whether a text may be several statements, which can't be prepared as one, or is
// nothing that is asked again and again.
func isRunOnce(query string) bool {
	verb, _, _ := strings.Cut(query, " ")
	return strings.Contains(query, ";") || verb != "SELECT" && verb != "INSERT" && verb != "UPDATE"
}

// ExecContext runs a statement.
func (c *connection) ExecContext(
	ctx context.Context, query string, args []sqldriver.NamedValue,
) (sqldriver.Result, error) {
	if isRunOnce(query) {
		return c.conn.ExecContext(ctx, query, args)
	}
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	done, err := s.ExecContext(ctx, args)
	if err != nil {
		// What failed may be of a form that the tables no longer have.
		_ = s.Close()
		return nil, err
	}
	return done, c.keep(query, s)
}

// QueryContext runs a statement that returns rows.
func (c *connection) QueryContext(
	ctx context.Context, query string, args []sqldriver.NamedValue,
) (sqldriver.Rows, error) {
	if isRunOnce(query) {
		return c.conn.QueryContext(ctx, query, args)
	}
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	found, err := s.QueryContext(ctx, args)
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return &rowsOf{Rows: found, query: query, statement: s, of: c}, nil
}

// Close closes the statements, too.
func (c *connection) Close() error {
	for _, s := range c.prepared {
		_ = s.Close()
	}
	return c.conn.Close()
}

// rowsOf are the rows of a statement that is kept when they have been read.
type rowsOf struct {
	sqldriver.Rows
	query     string
	statement sqldriver.Stmt
	of        *connection
}

// Close gives the statement back.
func (r *rowsOf) Close() error {
	if err := r.Rows.Close(); err != nil {
		_ = r.statement.Close()
		return err
	}
	return r.of.keep(r.query, r.statement)
}
