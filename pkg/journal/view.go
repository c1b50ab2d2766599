package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"aws-provider-executor/pkg/gate"
)

// view is what one transaction sees.
type view struct {
	ctx context.Context
	querier
	journal *Journal
	// last is the end of the log where the transaction has not written it down yet.
	last head
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// spoken asks in the engine's own form.
type spoken struct {
	querier
	engine engine
}

func (s spoken) QueryContext(
	ctx context.Context, query string, args ...any,
) (*sql.Rows, error) {
	return s.querier.QueryContext(ctx, s.engine.say(query), args...)
}

func (s spoken) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return s.querier.QueryRowContext(ctx, s.engine.say(query), args...)
}

// read looks at one state of the journal, whatever is written meanwhile. It looks again where the
// engine had to give up for a reason that goes by: look begins anew each time.
func (j *Journal) read(ctx context.Context, look func(view) error) error {
	err := j.patiently(ctx, func() error { return j.readOnce(ctx, look) })
	if err == nil || errors.Is(err, gate.ErrNotFound) || errors.Is(err, gate.ErrAltered) {
		return err
	}
	return fmt.Errorf("cannot read the journal: %w", err)
}

func (j *Journal) readOnce(ctx context.Context, look func(view) error) error {
	tx, err := j.db.BeginTx(ctx, j.engine.reading())
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	return look(view{ctx: ctx, querier: spoken{tx, j.engine}, journal: j})
}

// stored reads events as they lie in the file, each with what follows it.
func (v view) stored(where string, args []any, do func(stored) error) error {
	t := v.journal.tables()
	return v.events("coalesce((SELECT prev_hash FROM "+t.events+" n WHERE n.seq = e.seq + 1), "+
		"(SELECT hash FROM "+t.head+" h WHERE h.seq = e.seq))", where, args, do)
}

// events reads events as they lie in the file, and what next asks for.
func (v view) events(next, where string, args []any, do func(stored) error) error {
	rows, err := v.QueryContext(v.ctx, "SELECT "+eventColumns+", "+next+" FROM "+
		v.journal.tables().events+" e "+where, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var s stored
		if err := rows.Scan(&s.seq, &s.at, &s.kind, &s.action, &s.key, &s.actor, &s.data, &s.prev,
			&s.hash, &s.next); err != nil {
			return err
		}
		if err := do(s); err != nil {
			return err
		}
	}
	return rows.Err()
}

// vouched reads events, and refuses one that does not have its hash, or that what follows does not
// follow from.
func (v view) vouched(where string, args []any, do func(gate.Event) error) error {
	return v.vouchedFor(where, args, func(s stored) error {
		e, err := s.event()
		if err != nil {
			return fmt.Errorf("%w: %w", gate.ErrAltered, err)
		}
		return do(e)
	})
}

// vouchedFor is vouched, with the events as they lie in the file.
func (v view) vouchedFor(where string, args []any, do func(stored) error) error {
	return v.stored(where, args, func(s stored) error {
		switch sum, err := s.sum(); {
		case err != nil || sum != s.hash:
			return fmt.Errorf("%w: event %d was changed", gate.ErrAltered, s.seq)
		case s.next.String != s.hash && v.last != (head{s.seq, s.hash}):
			return fmt.Errorf("%w: what follows event %d does not follow from it", gate.ErrAltered, s.seq)
		}
		return do(s)
	})
}

// writtenRow is the last event that wrote an action's row, and the row's digest then.
type writtenRow struct {
	seq    int64
	digest string
}

// lastWrite finds what the log says of a row; sql.ErrNoRows when that is nothing.
func (v view) lastWrite(id int64) (writtenRow, error) {
	found := errors.New("found")
	var w writtenRow
	err := v.vouchedFor("WHERE action_id = ? ORDER BY seq DESC", []any{id}, func(s stored) error {
		digest, ok := member(s.data, rowKey)
		if _, err := time.Parse(timeForm, s.at); err != nil || !ok {
			e, err := s.event()
			if err != nil {
				return fmt.Errorf("%w: %w", gate.ErrAltered, err)
			}
			if digest, ok = e.Data[rowKey].(string); !ok {
				return nil
			}
		}
		w = writtenRow{s.seq, digest}
		return found
	})
	switch {
	case errors.Is(err, found):
		return w, nil
	case err == nil:
		err = sql.ErrNoRows
	}
	return w, err
}
