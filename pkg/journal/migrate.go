package journal

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"aws-provider-executor/pkg/gate"
)

// migrate brings a journal of version 1 to this one, in one transaction. Version 1 had no mark of what may have been
// changed: the rows that should bear it get it, with an event. A row that is not as the log left it
// stays as it is, to be found.
func (j *Journal) migrate(ctx context.Context) error {
	form, err := wantedSchema(ctx)
	if err != nil {
		return err
	}
	err = j.write(ctx, func(w *writer) error {
		v := view{ctx, w.tx, j}
		if err := v.QueryRowContext(ctx, "PRAGMA user_version").Scan(&j.version); err != nil || j.version == version {
			return err // another process was faster
		}
		marked, err := v.unmarked()
		if err != nil {
			return err
		}
		_, err = w.tx.ExecContext(ctx, "ALTER TABLE action_state RENAME TO before;"+form["table action_state"]+
			"; INSERT INTO action_state SELECT *, 0 FROM before; DROP TABLE before; DROP INDEX events_by_action;"+
			form["index events_by_action"]+fmt.Sprintf("; PRAGMA user_version = %d", version))
		if err != nil {
			return err
		}
		j.version = version
		for _, a := range marked {
			e := gate.Event{At: time.Now(), Kind: gate.EventMigrated, Actor: "actionctl", Data: map[string]any{"mayHaveChanged": "true"}}
			if a, err = w.put(a, a.UpdatedAt); err == nil {
				err = w.logRow(a, e)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return err
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
		altered, alteredErr := v.altered(r)
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
func wantedSchema(ctx context.Context) (map[string]string, error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, err
	}
	return schemaOf(ctx, db)
}

func schemaOf(ctx context.Context, q querier) (map[string]string, error) {
	rows, err := q.QueryContext(ctx, "SELECT type, name, coalesce(sql, '') FROM sqlite_schema")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	parts := map[string]string{}
	for rows.Next() {
		var kind, name, text string
		if err := rows.Scan(&kind, &name, &text); err != nil {
			return nil, err
		}
		parts[kind+" "+name] = text
	}
	return parts, rows.Err()
}
