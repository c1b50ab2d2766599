// Package store keeps nodes in a SQLite file, or in PostgreSQL where several machines share them.
//
// It guarantees what nodes.Store promises, on both engines alike: each method is one transaction.
// What a process writes, another sees as a whole or not at all, whenever one is killed. Writers
// queue up. All SQL on nodes is here. It decides nothing: pkg/nodes says what evidence does.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"aws-provider-executor/pkg/nodes"
)

// Store is an open store. It is safe for concurrent use, by goroutines and by processes.
type Store struct {
	db *sql.DB
	*dialect
	options Options
	// call, when not nil, is the one that this is the store of.
	call *audited
}

var _ nodes.Store = (*Store)(nil)

// Options say how a store is opened.
type Options struct {
	// Create makes the store where there is none.
	Create bool
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// NewID makes the ids of nodes and managers; random ones when nil.
	NewID func() string
}

// DefaultKeep is how long a new store keeps the changes of its nodes.
const DefaultKeep = 90 * 24 * time.Hour

// Keep is how long the changes of nodes are kept.
func (s *Store) Keep(ctx context.Context) (time.Duration, error) { return s.read().keep(ctx) }

func (q querier) keep(ctx context.Context) (d time.Duration, err error) {
	return d, q.row(ctx, "SELECT keep FROM node_store").Scan(&d)
}

// SetKeep says how long the changes of nodes are kept from now on. What is older goes at once.
func (s *Store) SetKeep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return fmt.Errorf("changes are kept for %s: want more than 0", d)
	}
	return s.write(ctx, func(w *writer) error {
		return w.exec(ctx, "UPDATE node_store SET keep = ?", int64(d))
	})
}

// Open opens the store at a place: a file, or a URL as postgres://HOST/DATABASE. Where there is no
// such file, and it is not to be made, the error is fs.ErrNotExist.
func Open(ctx context.Context, place string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = newID
	}
	s := &Store{dialect: onSQLite, options: o}
	var err error
	if isPostgres(place) {
		s.dialect = onPostgres
		s.db, err = openServer(ctx, place)
	} else {
		s.db, err = openFile(ctx, place, o.Create)
	}
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, s.db, s.dialect); err != nil {
		_ = s.db.Close()
		return nil, fmt.Errorf("cannot open the store of nodes: %w", err)
	}
	return s, nil
}

func isPostgres(place string) bool {
	return strings.HasPrefix(place, "postgres://") || strings.HasPrefix(place, "postgresql://")
}

// Close closes it.
func (s *Store) Close() error { return s.db.Close() }

// newID makes a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (s *Store) read() querier { return querier{s.dialect, s.db} }

// glance runs a function that reads all of what it reads as of one time.
func (s *Store) glance(ctx context.Context, do func(querier) error) error {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: s.isolation})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	return do(querier{s.dialect, tx})
}

// writer is a transaction that writes. There is one at a time.
type writer struct {
	querier
	store *Store
	now   time.Time
	// sets are the changes of sets that are not written yet.
	sets map[setKey]map[uint16]bool
	// touched are the ids of the nodes that were written, and logged counts their changes.
	touched []string
	logged  int
}

// write runs a function in a transaction that is the only one to write.
func (s *Store) write(ctx context.Context, do func(*writer) error) error {
	if s.call == nil {
		return s.transaction(ctx, do)
	}
	s.call.mu.Lock()
	defer s.call.mu.Unlock()
	was := s.call.entered
	err := s.transaction(ctx, func(w *writer) error {
		if err := do(w); err != nil {
			return err
		}
		return w.enter(ctx, s.call)
	})
	if err != nil {
		s.call.entered = was
	}
	return err
}

// transaction carries a function out as a whole or not at all.
func (s *Store) transaction(ctx context.Context, do func(*writer) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	statements := &prepared{tx: tx, known: map[string]*sql.Stmt{}}
	w := &writer{querier: querier{s.dialect, statements}, store: s, now: s.options.Now().UTC(),
		sets: map[setKey]map[uint16]bool{}}
	if s.lock != "" {
		if err := w.exec(ctx, s.lock); err != nil {
			return err
		}
	}
	if err := do(w); err != nil {
		return err
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	keep, err := w.keep(ctx)
	if err != nil {
		return err
	}
	old := nanos(w.now.Add(-keep))
	if err := w.exec(ctx, "DELETE FROM node_changes WHERE recorded_at < ?", old); err != nil {
		return err
	}
	return tx.Commit()
}

// nanos is a time as the tables have it.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func notFound(err error, what, name string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return &nodes.Missing{What: what, Name: name}
	}
	return err
}
