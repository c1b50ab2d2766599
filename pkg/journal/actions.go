package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/policy"
)

// Get finds an action by its id.
func (j *Journal) Get(ctx context.Context, id int64) (gate.Action, error) {
	return j.one(ctx, "WHERE "+j.idColumn+" = ?", id)
}

// Find finds an action by its idempotency key.
func (j *Journal) Find(ctx context.Context, key string) (gate.Action, error) {
	return j.one(ctx, "WHERE idempotency_key = ?", key)
}

// one reads one action, and holds it against the log.
func (j *Journal) one(ctx context.Context, where string, arg any) (gate.Action, error) {
	var a gate.Action
	err := j.read(ctx, func(v view) error {
		r, err := v.row(where, arg)
		if err != nil {
			return err
		}
		a = r.action()
		if !j.foreign {
			a.Altered, err = v.altered(digest(r))
		}
		return err
	})
	return a, err
}

// List finds actions.
func (j *Journal) List(ctx context.Context, q gate.Query) (all []gate.Action, err error) {
	checked := q.Checked && !j.foreign
	err = j.read(ctx, func(v view) (err error) {
		var digests []digested
		all = nil
		err = v.pages(q, func(r row, a gate.Action) {
			if all = append(all, a); checked {
				digests = append(digests, digest(r))
			}
		})
		for i := 0; i < len(digests) && err == nil; i++ {
			all[i].Altered, err = v.altered(digests[i])
		}
		if err == nil && checked && len(q.Only) == 0 {
			err = v.lost(func(id int64) {
				all = append(
					all,
					gate.Action{
						ID:      id,
						Altered: fmt.Sprintf("the row of action %d was taken out, and the log tells of it", id),
					},
				)
			})
		}
		return err
	})
	return all, err
}

// leastPage is how many rows are asked for at least where some may not be what is asked for.
const leastPage = 100

// pages reads the actions that a query asks for, so many at a time that what is not asked for is
// not fetched.
func (v view) pages(q gate.Query, do func(row, gate.Action)) error {
	for found := 0; ; {
		where, args := v.journal.where(q)
		page := 0
		if q.Limit > 0 {
			page = max(q.Limit, leastPage)
			where += fmt.Sprintf(" LIMIT %d", page)
		}
		read := 0
		err := v.rows(where, args, func(r row) error {
			read++
			a := r.action()
			q.After = a.ID
			if q.Matches(a) && (q.Limit == 0 || found < q.Limit) {
				found++
				do(r, a)
			}
			return nil
		})
		if err != nil || page == 0 || read < page || found == q.Limit || q.After == 0 {
			return err
		}
	}
}

// Approvals lists those of an action that the log tells of, in their order.
func (j *Journal) Approvals(ctx context.Context, id int64) ([]policy.Approval, error) {
	if j.foreign {
		return nil, nil
	}
	var all []policy.Approval
	err := j.read(ctx, func(v view) error {
		all = nil
		return v.vouched(
			"WHERE action_id = ? AND kind = ? ORDER BY seq",
			[]any{id, string(gate.EventApproved)},
			func(e gate.Event) error {
				all = append(all, gate.ApprovalIn(e))
				return nil
			},
		)
	})
	return all, err
}

// Apply makes the changes, or none of them.
func (j *Journal) Apply(ctx context.Context, changes ...gate.Change) ([]gate.Action, error) {
	actions := make([]gate.Action, len(changes))
	err := j.ApplyEach(ctx, len(changes),
		func(i int) gate.Change { return changes[i] },
		func(i int, a gate.Action) { actions[i] = a },
	)
	if err != nil {
		return nil, err
	}
	return actions, nil
}

// ApplyEach makes many changes, or none of them.
func (j *Journal) ApplyEach(
	ctx context.Context, n int, change func(int) gate.Change, made func(int, gate.Action),
) error {
	return j.write(ctx, func(w *writer) error { return w.applyEach(n, change, made) })
}

const insertApproval = "INSERT INTO " + prefix +
	"approvals (action_id, approved_by, approved_at, digest) VALUES (?, ?, ?, ?)"

func (w *writer) applyEach(
	n int, change func(int) gate.Change, made func(int, gate.Action),
) error {
	// The new ones before the place at are inserted together.
	var waiting []gate.Change
	insert := func(at int) error {
		place := at - len(waiting)
		err := w.insert(waiting, func(a gate.Action) {
			made(place, a)
			place++
		})
		waiting = waiting[:0]
		return err
	}
	for i := range n {
		// Many take a while.
		if err := w.wanted.Err(); err != nil {
			return err
		}
		c := change(i)
		if !isNew(c) || len(waiting) == insertSizes[0] {
			if err := insert(i); err != nil {
				return err
			}
		}
		if isNew(c) {
			waiting = append(waiting, c)
		} else {
			a, err := w.apply(c)
			if err != nil {
				return err
			}
			made(i, a)
		}
		gate.Step(w.wanted)
	}
	return insert(n)
}

// apply makes one change.
func (w *writer) apply(c gate.Change) (gate.Action, error) {
	for _, e := range c.Before {
		if err := w.log(e); err != nil {
			return gate.Action{}, err
		}
	}
	a, values, err := w.written(c)
	if err != nil {
		return gate.Action{}, err
	}
	if p := c.Approval; p != nil {
		_, err := w.exec(insertApproval, a.ID, p.By, formatTime(p.At), p.Digest)
		if err != nil {
			return gate.Action{}, err
		}
	}
	e, err := eventOfRow(a, values, c.Event)
	if err != nil {
		return gate.Action{}, err
	}
	return a, w.log(e)
}

// written writes a change's action, which may be new.
func (w *writer) written(c gate.Change) (gate.Action, []any, error) {
	if c.Action.ID != 0 {
		return w.put(c.Action, c.Event.At)
	}
	rows, err := w.insertRows([]gate.Change{c})
	if err != nil {
		return c.Action, nil, err
	}
	return rows[0].Action, rows[0].values, nil
}

// findHead finds where the log goes on. Nothing is decided on a log that does not end where it
// should: what was done may be what is missing.
func (w *writer) findHead() error {
	t := w.journal.tables()
	end, err := w.view().lockedEnd()
	// A log without an event ends with what the first one follows.
	last := head{hash: end.id}
	if w.head = end.head; err == nil {
		err = w.view().QueryRowContext(w.ctx,
			"SELECT seq, hash FROM "+t.events+" ORDER BY seq DESC LIMIT 1").Scan(&last.seq, &last.hash)
	} else if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%w: the log has no head; journal --verify tells more", gate.ErrAltered)
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if last != w.head {
		return fmt.Errorf(
			"%w: the log ends with event %d, and event %d was written last; journal --verify tells more",
			gate.ErrAltered,
			last.seq,
			w.head.seq,
		)
	}
	return nil
}

func (w *writer) saveHead() error {
	_, err := w.exec("UPDATE "+ours.head+" SET seq = ?, hash = ?", w.head.seq, w.head.hash)
	return err
}

func (w *writer) exec(query string, args ...any) (sql.Result, error) {
	return w.tx.ExecContext(w.ctx, w.journal.engine.say(query), args...)
}

// view is what the transaction sees.
func (w *writer) view() view {
	return view{w.ctx, spoken{w.tx, w.journal.engine}, w.journal, w.head}
}

var (
	updateAction = "UPDATE action_executions SET (" + coreColumns + ") = (?, ?, ?, ?, ?, ?, ?, ?, " +
		"?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ?"
	updateState = "UPDATE " + ours.states + " SET (" + stateColumns + ") = (?, ?, ?, ?, ?, ?, ?, " +
		"?, ?, ?, ?, ?, ?, ?) WHERE action_id = ? AND revision = ?"
)

// put writes an action on the revision it has, where its row is as the log left it. It returns the
// values of the row, too.
func (w *writer) put(a gate.Action, at time.Time) (gate.Action, []any, error) {
	if err := w.checkRow(a.ID); err != nil {
		return a, nil, err
	}
	before := a.Revision
	a.Revision++
	a.UpdatedAt = at.UTC()
	values, err := valuesOf(a)
	if err != nil {
		return a, nil, err
	}
	w.journal.engine.clean(values)
	core, state := values[coreAt:stateAt:stateAt], values[stateAt:rowLength:rowLength]
	done, err := w.exec(updateState, append(state, a.ID, before)...)
	if err != nil {
		return a, nil, err
	}
	if n, err := done.RowsAffected(); err != nil || n != 1 {
		return a, nil, errors.Join(gate.ErrChanged, err)
	}
	_, err = w.exec(updateAction, append(core, a.ID)...)
	return a, values, err
}

// checkRow refuses to write over a row that was changed behind the log's back: that would vouch for
// it.
func (w *writer) checkRow(id int64) error {
	v := w.view()
	r, err := v.row("WHERE id = ?", id)
	if err != nil {
		return err
	}
	altered, err := v.altered(digest(r))
	if err == nil && altered != "" {
		err = fmt.Errorf("%w: %s", gate.ErrAltered, altered)
	}
	return err
}

// valuesOf are the values of an action's row, in the order of a row.
func valuesOf(a gate.Action) ([]any, error) {
	undo, err := encodeUndo(a.Undo)
	if err != nil {
		return nil, err
	}
	c := gate.Claim{}
	if a.Claim != nil {
		c = *a.Claim
	}
	mark := int64(0)
	if a.MayHaveChanged {
		mark = 1
	}
	process, selected := "", ""
	if c.Process != (gate.Process{}) {
		// A struct of texts and a number has no value that JSON lacks.
		process, _ = encode(c.Process)
	}
	if a.Selected != nil {
		// Texts have no value that JSON lacks.
		selected, _ = encode(a.Selected)
	}
	return []any{
		a.ID,
		a.IdempotencyKey, a.Source, a.Provider, a.ProviderRef, a.Plan.Action,
		encodeObject(a.Target), encodeObject(a.Parameters), undo, a.RiskLevel,
		string(a.Status), a.ApprovedBy, formatTime(a.ApprovedAt), formatTime(a.ExecutedAt),
		a.ResultMessage, a.Error, formatTime(a.CreatedAt), formatTime(a.UpdatedAt),
		encodeObject(a.Observed),
		a.Name, a.Description, a.Mode, a.Digest(), formatTime(a.Imported), a.Revision,
		string(c.Purpose), c.By, formatTime(c.At), formatTime(c.Until), string(c.From), mark, process,
		selected,
	}, nil
}

// encodeObject makes absent and empty the same.
func encodeObject(m map[string]string) string {
	if len(m) == 0 {
		return "{}"
	}
	// A map of texts has no value that JSON lacks.
	text, _ := encode(m)
	return text
}

func encodeUndo(u *gate.Undo) (string, error) {
	switch {
	case u == nil:
		return "{}", nil
	case len(u.Parameters) == 0:
		return string(append(appendString([]byte(`{"action":`), u.Action), '}')), nil
	}
	return encode(u)
}
