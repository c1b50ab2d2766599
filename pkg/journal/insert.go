package journal

import (
	"fmt"
	"strings"

	"aws-provider-executor/pkg/gate"
)

// insertSizes are how many rows one statement inserts: one of several costs little more than one of
// one. One of many costs more again, since SQLite's driver looks for each value among all.
var insertSizes = []int{8, 1}

// inserting is a statement that inserts rows, by how many.
type inserting map[int]string

// orFail begins an insertion. Who inserts undoes all where one row fails. So SQLite need not be
// able to undo a statement by itself, for which it would write down every page before.
const orFail = "INSERT OR FAIL "

// insertInto makes the statements that insert rows of some columns.
func insertInto(table, columns, end string) inserting {
	row := "(" + marks(strings.Count(columns, ",")+1) + ")"
	all := inserting{}
	for _, n := range insertSizes {
		all[n] = orFail + "INTO " + table + " (" + columns + ") VALUES " +
			strings.Repeat(row+", ", n-1) + row + end
	}
	return all
}

var (
	insertActions = insertInto(coreTable, coreColumns, " RETURNING id, idempotency_key")
	insertStates  = insertInto(ours.states, stateColumns+", action_id", "")
	insertEvents  = insertInto(ours.events, eventColumns, "")
)

// inSizes tells the parts of so many rows that one statement inserts each.
func inSizes(n int, do func(from, to int) error) error {
	from := 0
	for _, size := range insertSizes {
		for ; n-from >= size; from += size {
			if err := do(from, from+size); err != nil {
				return err
			}
		}
	}
	return nil
}

// newRow is a row that was inserted.
type newRow struct {
	gate.Action
	values []any
}

// isNew reports whether a change is nothing but a new action, which is inserted with others.
func isNew(c gate.Change) bool {
	return c.Action.ID == 0 && c.Approval == nil && len(c.Before) == 0
}

// insert makes new actions, each with its event.
func (w *writer) insert(changes []gate.Change, made func(gate.Action)) error {
	return inSizes(len(changes), func(from, to int) error {
		rows, err := w.insertRows(changes[from:to])
		if err != nil {
			return err
		}
		events := make([]gate.Event, len(rows))
		for i, r := range rows {
			if events[i], err = eventOfRow(r.Action, r.values, changes[from+i].Event); err != nil {
				return err
			}
		}
		if err := w.logAll(events); err != nil {
			return err
		}
		for _, r := range rows {
			made(r.Action)
		}
		return nil
	})
}

// insertRows makes the rows of new actions: as many as one statement inserts.
func (w *writer) insertRows(changes []gate.Change) ([]newRow, error) {
	rows := make([]newRow, len(changes))
	args := make([]any, 0, len(changes)*(stateAt-coreAt))
	places := make(map[string]int, len(changes))
	for i, c := range changes {
		a := c.Action
		a.Revision++
		a.UpdatedAt = c.Event.At.UTC()
		a.CreatedAt = a.UpdatedAt
		values, err := valuesOf(a)
		if err != nil {
			return nil, err
		}
		w.journal.engine.clean(values)
		rows[i] = newRow{a, values}
		args = append(args, values[coreAt:stateAt]...)
		key, _ := values[coreAt].(string)
		places[key] = i
	}
	// A key that is there already is told as one that came meanwhile.
	if len(places) < len(rows) {
		return nil, gate.ErrChanged
	}
	if err := w.giveIDs(rows, places, args); err != nil {
		return nil, err
	}
	args = args[:0]
	for _, r := range rows {
		args = append(append(args, r.values[stateAt:rowLength]...), r.ID)
	}
	_, err := w.exec(insertStates[len(rows)], args...)
	return rows, err
}

// giveIDs inserts the core's part of rows, and notes the ids that they are given.
func (w *writer) giveIDs(rows []newRow, places map[string]int, args []any) error {
	given, err := w.view().QueryContext(w.ctx, insertActions[len(rows)], args...)
	if err != nil {
		return w.asDuplicate(err)
	}
	defer given.Close()
	n := 0
	for ; given.Next(); n++ {
		var id int64
		var key string
		if err := given.Scan(&id, &key); err != nil {
			return err
		}
		i, ours := places[key]
		if !ours || rows[i].ID != 0 {
			return fmt.Errorf("the key %q was written as another one", key)
		}
		rows[i].ID, rows[i].values[0] = id, id
	}
	if err := given.Err(); err != nil {
		return w.asDuplicate(err)
	}
	if n != len(rows) {
		return fmt.Errorf("%d of %d rows were written", n, len(rows))
	}
	return nil
}

// asDuplicate is the error of an insertion, told as a change by another where the key is there.
func (w *writer) asDuplicate(err error) error {
	if w.journal.engine.isDuplicate(err) {
		return gate.ErrChanged
	}
	return err
}
