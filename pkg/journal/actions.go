package journal

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/policy"
)

// timeForm keeps times in order as texts.
const timeForm = "2006-01-02T15:04:05.000000000Z"

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeForm)
}

func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339Nano, s)
}

// encode is the canonical JSON of maps, lists and strings: sorted keys, no blanks, no more escapes than needed.
func encode(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

const stateColumns = "name, description, mode, digest, imported_at, revision, claim_purpose, claim_by, claim_at, claim_until, claim_from"

// selectActions is the beginning of every query for actions.
func (j *Journal) selectActions() string {
	if j.readOnly {
		return "SELECT " + j.idColumn + ", " + coreColumns + ", '', '', '', '', '', 0, '', '', '', '', '' FROM action_executions "
	}
	return "SELECT id, " + coreColumns + ", " + stateColumns + " FROM action_executions JOIN action_state ON action_id = id "
}

// Get finds an action by its id.
func (j *Journal) Get(ctx context.Context, id int64) (gate.Action, error) {
	return j.one(ctx, "WHERE "+j.idColumn+" = ?", id)
}

// Find finds an action by its idempotency key.
func (j *Journal) Find(ctx context.Context, key string) (gate.Action, error) {
	return j.one(ctx, "WHERE idempotency_key = ?", key)
}

func (j *Journal) one(ctx context.Context, where string, args ...any) (gate.Action, error) {
	all, err := j.actions(ctx, where, args...)
	if err != nil {
		return gate.Action{}, err
	}
	if len(all) == 0 {
		return gate.Action{}, gate.ErrNotFound
	}
	return all[0], nil
}

// List finds actions.
func (j *Journal) List(ctx context.Context, q gate.Query) ([]gate.Action, error) {
	where, args := "WHERE 1", []any{}
	if q.Status != "" {
		where, args = where+" AND status = ?", append(args, string(q.Status))
	}
	order, beyond := " ORDER BY "+j.idColumn, " > "
	if q.Newest {
		order, beyond = order+" DESC", " < "
	}
	if q.After != 0 {
		where, args = where+" AND "+j.idColumn+beyond+"?", append(args, q.After)
	}
	if q.Limit > 0 {
		order, args = order+" LIMIT ?", append(args, q.Limit)
	}
	return j.actions(ctx, where+order, args...)
}

func (j *Journal) actions(ctx context.Context, rest string, args ...any) ([]gate.Action, error) {
	rows, err := j.db.QueryContext(ctx, j.selectActions()+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot read the journal: %w", err)
	}
	defer rows.Close()
	var all []gate.Action
	for rows.Next() {
		a, err := scanAction(rows)
		if err != nil {
			return nil, fmt.Errorf("cannot read the journal: %w", err)
		}
		all = append(all, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("cannot read the journal: %w", err)
	}
	return all, nil
}

// text takes whatever type a core gave a column.
type text string

func (t *text) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*t = ""
	case string:
		*t = text(v)
	case []byte:
		*t = text(v)
	case int64:
		*t = text(strconv.FormatInt(v, 10))
	case time.Time:
		*t = text(formatTime(v))
	default:
		return fmt.Errorf("a column has a value of type %T", v)
	}
	return nil
}

// time reads a time, also as the seconds since 1970.
func (t text) time() (time.Time, error) {
	if seconds, err := strconv.ParseInt(string(t), 10, 64); err == nil {
		return time.Unix(seconds, 0).UTC(), nil
	}
	return parseTime(string(t))
}

func scanAction(rows *sql.Rows) (gate.Action, error) {
	var a gate.Action
	var key, source, provider, ref, verb, target, parameters, undo, risk, status, by, approved, executed, message, failure, created, updated, observed text
	var name, description, mode, digest, imported, purpose, claimBy, claimAt, claimUntil, claimFrom text
	err := rows.Scan(&a.ID, &key, &source, &provider, &ref, &verb, &target, &parameters, &undo, &risk, &status, &by, &approved, &executed,
		&message, &failure, &created, &updated, &observed,
		&name, &description, &mode, &digest, &imported, &a.Revision, &purpose, &claimBy, &claimAt, &claimUntil, &claimFrom)
	if err != nil {
		return a, err
	}
	a.IdempotencyKey, a.Source, a.Provider, a.ProviderRef, a.Plan.Action = string(key), string(source), string(provider), string(ref), string(verb)
	a.RiskLevel, a.Status, a.ApprovedBy, a.ResultMessage, a.Error = string(risk), gate.Status(status), string(by), string(message), string(failure)
	a.Name, a.Description, a.Mode, a.Recorded = string(name), string(description), string(mode), string(digest)
	var errs []error
	decode := func(column string, t text, to any) {
		if t == "" || t == "null" {
			return
		}
		if err := json.Unmarshal([]byte(t), to); err != nil {
			errs = append(errs, fmt.Errorf("%s of action %d: %w", column, a.ID, err))
		}
	}
	moment := func(column string, t text, to *time.Time) {
		var err error
		if *to, err = t.time(); err != nil {
			errs = append(errs, fmt.Errorf("%s of action %d: %w", column, a.ID, err))
		}
	}
	decode("target_json", target, &a.Target)
	decode("parameters_json", parameters, &a.Parameters)
	decode("observed_json", observed, &a.Observed)
	decode("undo_json", undo, &a.Undo)
	if a.Undo != nil && a.Undo.Action == "" {
		a.Undo = nil
	}
	moment("approved_at", approved, &a.ApprovedAt)
	moment("executed_at", executed, &a.ExecutedAt)
	moment("created_at", created, &a.CreatedAt)
	moment("updated_at", updated, &a.UpdatedAt)
	moment("imported_at", imported, &a.Imported)
	if purpose != "" {
		a.Claim = &gate.Claim{Purpose: gate.Purpose(purpose), By: string(claimBy), From: gate.Status(claimFrom)}
		moment("claim_at", claimAt, &a.Claim.At)
		moment("claim_until", claimUntil, &a.Claim.Until)
	}
	return a, errors.Join(errs...)
}

// Approvals lists an action's, in their order.
func (j *Journal) Approvals(ctx context.Context, id int64) ([]policy.Approval, error) {
	if j.readOnly {
		return nil, nil
	}
	rows, err := j.db.QueryContext(ctx, "SELECT approved_by, approved_at, digest FROM approvals WHERE action_id = ? ORDER BY id", id)
	if err != nil {
		return nil, fmt.Errorf("cannot read the journal: %w", err)
	}
	defer rows.Close()
	var all []policy.Approval
	for rows.Next() {
		var p policy.Approval
		var at string
		if err := rows.Scan(&p.By, &at, &p.Digest); err != nil {
			return nil, fmt.Errorf("cannot read the journal: %w", err)
		}
		if p.At, err = parseTime(at); err != nil {
			return nil, fmt.Errorf("cannot read the journal: an approval of action %d: %w", id, err)
		}
		all = append(all, p)
	}
	return all, rows.Err()
}

// Apply makes the changes, or none of them.
func (j *Journal) Apply(ctx context.Context, changes ...gate.Change) ([]gate.Action, error) {
	actions := make([]gate.Action, len(changes))
	err := j.write(ctx, func(w *writer) error {
		for i, c := range changes {
			a, err := w.put(c.Action, c.Event.At)
			if err != nil {
				return err
			}
			actions[i] = a
			if p := c.Approval; p != nil {
				if _, err := w.exec("INSERT INTO approvals (action_id, approved_by, approved_at, digest) VALUES (?, ?, ?, ?)", a.ID, p.By, formatTime(p.At), p.Digest); err != nil {
					return err
				}
			}
			if err := w.logRow(a, c.Event); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return actions, nil
}

// writer is one transaction.
type writer struct {
	ctx        context.Context
	tx         *sql.Tx
	statements map[string]*sql.Stmt
	head       head
}

// write runs one transaction, which ends with the head of the log.
func (j *Journal) write(ctx context.Context, do func(*writer) error) error {
	if j.readOnly {
		return gate.ErrReadOnly
	}
	tx, err := j.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("cannot write the journal: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	w := &writer{ctx: ctx, tx: tx, statements: map[string]*sql.Stmt{}}
	err = tx.QueryRowContext(ctx, "SELECT seq, hash FROM journal_head").Scan(&w.head.seq, &w.head.hash)
	if err == nil {
		err = do(w)
	}
	if err == nil {
		_, err = w.exec("UPDATE journal_head SET seq = ?, hash = ?", w.head.seq, w.head.hash)
	}
	if err == nil {
		err = tx.Commit()
	}
	switch {
	case err == nil, errors.Is(err, gate.ErrChanged):
		return err
	}
	return fmt.Errorf("cannot write the journal: %w", err)
}

func (w *writer) exec(query string, args ...any) (sql.Result, error) {
	s := w.statements[query]
	if s == nil {
		var err error
		if s, err = w.tx.PrepareContext(w.ctx, query); err != nil {
			return nil, err
		}
		w.statements[query] = s
	}
	return s.ExecContext(w.ctx, args...)
}

const (
	insertAction = "INSERT INTO action_executions (" + coreColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	insertState  = "INSERT INTO action_state (" + stateColumns + ", action_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	updateAction = "UPDATE action_executions SET (" + coreColumns + ") = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ?"
	updateState  = "UPDATE action_state SET (" + stateColumns + ") = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE action_id = ? AND revision = ?"
)

// put writes an action on the revision it has.
func (w *writer) put(a gate.Action, at time.Time) (gate.Action, error) {
	before := a.Revision
	a.Revision++
	a.UpdatedAt = at.UTC()
	if a.ID == 0 {
		a.CreatedAt = a.UpdatedAt
	}
	core, err := coreValues(a)
	if err != nil {
		return a, err
	}
	if a.ID == 0 {
		done, err := w.exec(insertAction, core...)
		if isDuplicate(err) {
			return a, gate.ErrChanged
		}
		if err != nil {
			return a, err
		}
		if a.ID, err = done.LastInsertId(); err != nil {
			return a, err
		}
		_, err = w.exec(insertState, append(stateValues(a), a.ID)...)
		return a, err
	}
	done, err := w.exec(updateState, append(stateValues(a), a.ID, before)...)
	if err != nil {
		return a, err
	}
	if n, err := done.RowsAffected(); err != nil || n != 1 {
		return a, errors.Join(gate.ErrChanged, err)
	}
	_, err = w.exec(updateAction, append(core, a.ID)...)
	return a, err
}

func coreValues(a gate.Action) ([]any, error) {
	texts := make([]string, 4)
	for i, v := range []any{a.Target, a.Parameters, a.Undo, a.Observed} {
		var err error
		if texts[i], err = encode(v); err != nil {
			return nil, err
		}
		if texts[i] == "null" {
			texts[i] = "{}"
		}
	}
	return []any{a.IdempotencyKey, a.Source, a.Provider, a.ProviderRef, a.Plan.Action, texts[0], texts[1], texts[2], a.RiskLevel,
		string(a.Status), a.ApprovedBy, formatTime(a.ApprovedAt), formatTime(a.ExecutedAt), a.ResultMessage, a.Error,
		formatTime(a.CreatedAt), formatTime(a.UpdatedAt), texts[3]}, nil
}

func stateValues(a gate.Action) []any {
	c := gate.Claim{}
	if a.Claim != nil {
		c = *a.Claim
	}
	return []any{a.Name, a.Description, a.Mode, a.Recorded, formatTime(a.Imported), a.Revision,
		string(c.Purpose), c.By, formatTime(c.At), formatTime(c.Until), string(c.From)}
}

func isDuplicate(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE
}
