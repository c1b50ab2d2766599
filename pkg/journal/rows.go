package journal

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/protocol"
)

// stateColumns1 are those of version 1; versions 2, 4 and 6 added one each.
const (
	stateColumns1 = "name, description, mode, digest, imported_at, revision, " +
		"claim_purpose, claim_by, claim_at, claim_until, claim_from"
	stateColumns2 = stateColumns1 + ", may_have_changed"
	stateColumns4 = stateColumns2 + ", claim_process"
	stateColumns  = stateColumns4 + ", selected"
)

// statesOf are the values of all of stateColumns in a journal of a version.
func statesOf(version int) string {
	switch version {
	case 1:
		return stateColumns1 + ", 0, '', ''"
	case 2, 3:
		return stateColumns2 + ", '', ''"
	case 4, 5:
		return stateColumns4 + ", ''"
	}
	return stateColumns
}

// Where a row's values are: its id, the core's columns, ours.
const (
	coreAt     = 1
	stateAt    = coreAt + 18
	revisionAt = stateAt + 5
	markAt     = stateAt + 11
	processAt  = markAt + 1
	selectedAt = processAt + 1
	rowLength  = selectedAt + 1
)

// row is an action's row as it lies in the file.
type row struct {
	values [rowLength]any
	// unmarked is set where the file has no mark of what may have been changed.
	unmarked bool
}

// rowColumns are the columns of a row, and the tables that they are in.
func (j *Journal) rowColumns() (columns, from string) {
	if j.foreign {
		const none = "'', '', '', '', '', 0, '', '', '', '', '', 0, '', ''"
		return j.idColumn + ", " + coreColumns + ", " + none, coreTable + " "
	}
	// A row of the core's table without one of ours is not to be overlooked.
	return "id, " + coreColumns + ", " + statesOf(j.version),
		coreTable + " LEFT JOIN " + j.tables().states + " ON action_id = id "
}

// rows reads rows.
func (v view) rows(rest string, args []any, do func(row) error) error {
	columns, from := v.journal.rowColumns()
	found, err := v.QueryContext(v.ctx, "SELECT "+columns+" FROM "+from+rest, args...)
	if err != nil {
		return err
	}
	defer found.Close()
	for found.Next() {
		r := row{unmarked: v.journal.foreign || v.journal.version == 1}
		var to [rowLength]any
		for i := range to {
			to[i] = &r.values[i]
		}
		if err := found.Scan(to[:]...); err != nil {
			return err
		}
		if err := do(r); err != nil {
			return err
		}
	}
	return found.Err()
}

// row reads one row.
func (v view) row(where string, arg any) (row, error) {
	var all []row
	err := v.rows(where, []any{arg}, func(r row) error {
		all = append(all, r)
		return nil
	})
	if err == nil && len(all) == 0 {
		err = gate.ErrNotFound
	}
	if err != nil {
		return row{}, err
	}
	return all[0], nil
}

func (r row) id() int64 {
	id, _ := r.values[0].(int64)
	return id
}

// digest is that of the row's values as they lie in the file, their types included.
func (r row) digest() (string, error) { return digestOf(r.values) }

func digestOf(values [rowLength]any) (string, error) {
	for i, v := range values {
		if b, ok := v.([]byte); ok {
			values[i] = map[string]any{"blob": b}
		}
	}
	return rowDigest(values[:])
}

// action reads the row. What can't be read is told in Unreadable.
func (r row) action() gate.Action {
	a := gate.Action{ID: r.id(), Unreadable: map[string]string{}}
	texts := make([]text, len(r.values))
	for i, v := range r.values {
		texts[i] = textOf(v)
	}
	for i, to := range []*string{&a.IdempotencyKey, &a.Source, &a.Provider, &a.ProviderRef,
		&a.Plan.Action} {
		*to = string(texts[coreAt+i])
	}
	core, state := texts[coreAt:], texts[stateAt:]
	a.RiskLevel, a.Status, a.ApprovedBy = string(core[8]), gate.Status(core[9]), string(core[10])
	a.ResultMessage, a.Error = string(core[13]), string(core[14])
	object(&a, "target", core[5], &a.Target)
	object(&a, "parameters", core[6], &a.Parameters)
	object(&a, "undo", core[7], &a.Undo)
	object(&a, "observed", core[17], &a.Observed)
	if a.Undo != nil && a.Undo.Action == "" {
		a.Undo = nil
	}
	a.ApprovedAt = core[11].time(&a, "approvedAt")
	a.ExecutedAt = core[12].time(&a, "executedAt")
	a.CreatedAt = core[15].time(&a, "createdAt")
	a.UpdatedAt = core[16].time(&a, "updatedAt")

	a.Name, a.Description, a.Mode = string(state[0]), string(state[1]), string(state[2])
	a.Imported = state[4].time(&a, "importedAt")
	a.Revision, _ = r.values[revisionAt].(int64)
	if state[6] != "" {
		a.Claim = &gate.Claim{
			Purpose: gate.Purpose(state[6]),
			By:      string(state[7]),
			From:    gate.Status(state[10]),
		}
		a.Claim.At = state[8].time(&a, "claimAt")
		a.Claim.Until = state[9].time(&a, "claimUntil")
		object(&a, "claimProcess", state[12], &a.Claim.Process)
	}
	object(&a, "selected", state[13], &a.Selected)
	a.MayHaveChanged = r.values[markAt] != int64(0)
	if r.unmarked {
		a.MayHaveChanged = a.SeemsToHaveChanged()
	}
	if len(a.Unreadable) == 0 {
		a.Unreadable = nil
	}
	return a
}

// object reads a column that holds a JSON object.
func object[T any](a *gate.Action, name string, t text, to *T) {
	if t == "" || t == "null" {
		return
	}
	var v T
	// What is canonical can be read in one way only.
	read := json.Unmarshal
	if !isCanonical(string(t)) {
		read = protocol.UnmarshalJSON
	}
	if err := read([]byte(t), &v); err != nil {
		a.Unreadable[name] = string(t)
		return
	}
	*to = v
}

// text is a value of whatever type a core gave a column.
type text string

func textOf(v any) text {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return text(v)
	case []byte:
		return text(v)
	case time.Time:
		return text(formatTime(v))
	case float64:
		return text(strconv.FormatFloat(v, 'f', -1, 64))
	}
	return text(fmt.Sprint(v))
}

// digested is an action's row, and the digest of what is in it.
type digested struct {
	id     int64
	key    text
	digest string
	err    error
}

func digest(r row) digested {
	d := digested{id: r.id(), key: textOf(r.values[coreAt])}
	d.digest, d.err = r.digest()
	return d
}

// altered says how a row is not as the log left it.
func (v view) altered(d digested) (string, error) {
	named := fmt.Sprintf("the row of action %d", d.id)
	written, err := v.lastWrite(d.id)
	switch {
	case errors.Is(err, gate.ErrAltered):
		return err.Error(), nil
	case errors.Is(err, sql.ErrNoRows):
		return named + " was put in: the log knows nothing of it", nil
	case err != nil:
		return "", err
	case d.err != nil || d.digest != written.digest:
		return fmt.Sprintf("%s was changed: it is not as event %d left it", named, written.seq), nil
	}
	return "", nil
}

// lost finds the actions that only the log tells of.
func (v view) lost(do func(id int64)) error {
	found, err := v.QueryContext(v.ctx, "SELECT DISTINCT action_id FROM "+v.journal.tables().events+
		" WHERE action_id <> 0 AND action_id NOT IN (SELECT id FROM action_executions) ORDER BY "+
		"action_id")
	if err != nil {
		return err
	}
	defer found.Close()
	for found.Next() {
		var id int64
		if err := found.Scan(&id); err != nil {
			return err
		}
		do(id)
	}
	return found.Err()
}
