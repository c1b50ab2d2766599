package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/gate"
)

// migrate brings a journal of an earlier version to this one, in one transaction. The log goes
// with it event by event, and ends with the same hash.
//
// Until version 2 the tables had names of which a core uses one. Version 1 had no mark of what
// may have been changed. The rows that should bear it get it, with an event. Version 3 had no id
// of the journal, and no process of a claim. Version 5 had no selection that a plan is one of. A
// row that is not as the log left it stays as it is, to be found.
func (j *Journal) migrate(ctx context.Context) error {
	form, err := wantedSchema(ctx)
	if err != nil {
		return err
	}
	return asWriting(j.transact(ctx, func(w *writer) error {
		if j.version, err = findVersion(ctx, w.tx); err != nil || j.version == version {
			return err // another process was faster
		}
		if err := w.findHead(); err != nil {
			return err
		}
		if err := w.nobodyIsAtWork(time.Now()); err != nil {
			return err
		}
		var marked []gate.Action
		if j.version == 1 {
			if marked, err = w.view().unmarked(); err != nil {
				return err
			}
		}
		if err := w.moveTables(form, j.version); err != nil {
			return err
		}
		from := j.version
		j.version = version
		if from < 4 {
			if err := w.nameJournal(); err != nil {
				return err
			}
		}
		for _, a := range marked {
			e := gate.Event{
				At: time.Now(), Kind: gate.EventMigrated, Actor: "actionctl",
				Data: map[string]any{"mayHaveChanged": "true"},
			}
			a, values, err := w.put(a, a.UpdatedAt)
			if err == nil {
				e, err = eventOfRow(a, values, e)
			}
			if err == nil {
				err = w.log(e)
			}
			if err != nil {
				return err
			}
		}
		return w.saveHead()
	}, nil))
}

// longestClaim is how far ahead the end of a claim is believed: beyond it a clock was wrong.
const longestClaim = time.Hour

// nobodyIsAtWork refuses while a program of the earlier version holds a claim. It could not write
// down what became of it in tables that are moved.
func (w *writer) nobodyIsAtWork(now time.Time) error {
	var by, until string
	claims := "SELECT claim_by, claim_until FROM " + w.journal.tables().states +
		" WHERE claim_by <> '' AND claim_until > ? AND claim_until < ? ORDER BY claim_until DESC LIMIT 1"
	row := w.view().QueryRowContext(w.ctx, claims, formatTime(now), formatTime(now.Add(longestClaim)))
	switch err := row.Scan(&by, &until); {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%s, an earlier actionctl, is at work in it; try again after %s", by, until)
}

// moveTables makes the tables of this version, and moves into them what is in those of an earlier
// one. Tables that are as they were stay where they are.
func (w *writer) moveTables(form map[string]part, from int) error {
	var statements []string
	switch from {
	case 4:
		statements = append(widenStates(form), form["index "+countingIndex].text)
	case 5:
		statements = widenStates(form)
	case 3:
		statements = movingStates(form)
	default:
		statements = movingAll(form, from)
	}
	statements = append(statements, fmt.Sprintf("PRAGMA user_version = %d", version))
	for _, s := range statements {
		if _, err := w.tx.ExecContext(w.ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// widenStates brings the column that version 6 added.
func widenStates(form map[string]part) []string {
	const old = prefix + "before_6_states"
	return []string{
		"ALTER TABLE " + ours.states + " RENAME TO " + old,
		form["table "+ours.states].text,
		moving(ours.states, "action_id, "+stateColumns, "action_id, "+statesOf(5), old),
		"DROP TABLE " + old,
		fmt.Sprintf("UPDATE %s SET version = %d", ours.head, version),
	}
}

// countingIndex is what version 5 brought.
const countingIndex = prefix + "actions_by_verb"

// movingStates moves what version 4 changed of version 3.
func movingStates(form map[string]part) []string {
	old := tablesOf(3)
	old.states, old.head = before4+old.states, before4+old.head
	return append([]string{
		"ALTER TABLE " + ours.states + " RENAME TO " + old.states,
		"ALTER TABLE " + ours.head + " RENAME TO " + old.head,
		form["table "+ours.states].text,
		form["table "+ours.head].text,
		form["index "+countingIndex].text,
	}, movingStatesAndHead(old, 3)...)
}

// movingAll moves every table from its old name.
func movingAll(form map[string]part, from int) []string {
	const approvals = "id, action_id, approved_by, approved_at, digest"
	old := tablesOf(from)
	return append(append(makingOf(form),
		"DROP INDEX IF EXISTS action_executions_by_status",
		moving(ours.approvals, approvals, approvals, old.approvals+" ORDER BY id"),
		moving(ours.events, eventColumns, eventColumns, old.events+" ORDER BY seq"),
		"DROP TABLE "+old.approvals,
		"DROP TABLE "+old.events,
	), movingStatesAndHead(old, from)...)
}

func movingStatesAndHead(old tables, from int) []string {
	return []string{
		moving(ours.states, "action_id, "+stateColumns, "action_id, "+statesOf(from), old.states),
		moving(ours.head, "version, id, one, seq, hash",
			fmt.Sprint(version)+", '', one, seq, hash", old.head),
		"DROP TABLE " + old.states,
		"DROP TABLE " + old.head,
	}
}

func moving(to, columns, values, from string) string {
	return "INSERT INTO " + to + " (" + columns + ") SELECT " + values + " FROM " + from
}

// before4 begins the names of tables of version 3 on their way.
const before4 = prefix + "before_4_"

// nameJournal gives a journal of an earlier version its id: its first event's hash, to which the
// whole log leads back. One without events gets a new one, which its first event will follow.
func (w *writer) nameJournal() error {
	var id string
	row := w.tx.QueryRowContext(w.ctx, "SELECT hash FROM "+ours.events+" WHERE seq = 1")
	err := row.Scan(&id)
	if errors.Is(err, sql.ErrNoRows) && w.head.seq == 0 {
		id, err = newID(), nil
		w.head.hash = id
	}
	if err == nil {
		_, err = w.exec("UPDATE "+ours.head+" SET id = ?", id)
	}
	return err
}

// makingOf are the statements that make everything of ours, the tables first.
func makingOf(form map[string]part) []string {
	parts := slices.SortedFunc(maps.Values(form), func(a, b part) int {
		// "table" comes after "index" and "trigger" by its letters alone.
		rank := func(p part) int { return strings.Index("table index trigger", p.kind) }
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a.name, b.name)
	})
	var all []string
	for _, p := range parts {
		if strings.HasPrefix(p.name, prefix) {
			all = append(all, p.text)
		}
	}
	return all
}

// unmarked are the actions that should bear the mark and do not.
func (v view) unmarked() ([]gate.Action, error) {
	var rows []row
	err := v.rows("ORDER BY id", nil, func(r row) error {
		if r.action().MayHaveChanged {
			rows = append(rows, r)
		}
		return nil
	})
	var actions []gate.Action
	for _, r := range rows {
		altered, alteredErr := v.altered(digest(r))
		if err == nil {
			err = alteredErr
		}
		if altered == "" {
			actions = append(actions, r.action())
		}
	}
	return actions, err
}

// wantedSchema is what a journal is made of, by kind and name, as SQLite keeps it.
func wantedSchema(ctx context.Context) (map[string]part, error) {
	db := sql.OpenDB(connector{driver, ":memory:"})
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, err
	}
	return schemaOf(ctx, db)
}

func schemaOf(ctx context.Context, q querier) (map[string]part, error) {
	const everything = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema"
	rows, err := q.QueryContext(ctx, everything)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	parts := map[string]part{}
	for rows.Next() {
		var p part
		if err := rows.Scan(&p.kind, &p.name, &p.table, &p.text); err != nil {
			return nil, err
		}
		parts[p.kind+" "+p.name] = p
	}
	return parts, rows.Err()
}
