package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"strings"

	"aws-provider-executor/pkg/nodes"
)

//go:embed migrations/*.sql
var migrations embed.FS

// version is that of the tables.
const version = 3

// migrate brings the tables of a database to this version. Each step is a transaction: a kill
// leaves the version before or the one after.
func migrate(ctx context.Context, db *sql.DB, d *dialect) error {
	// Most often there is nothing to do, and who only reads need not wait for who writes.
	var found int
	row := querier{d, db}.row(ctx, "SELECT version FROM node_store")
	if err := row.Scan(&found); err == nil && found == version {
		return nil
	}
	for {
		done, err := migrateStep(ctx, db, d)
		if err != nil || done {
			return err
		}
	}
}

func migrateStep(ctx context.Context, db *sql.DB, d *dialect) (done bool, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback() }()
	q := querier{d, tx}
	if d.lock != "" {
		if err := q.exec(ctx, d.lock); err != nil {
			return false, err
		}
	}
	const head = "CREATE TABLE IF NOT EXISTS node_store (one INTEGER PRIMARY KEY CHECK (one = 1), " +
		"version INTEGER NOT NULL, keep BIGINT NOT NULL)"
	if err := q.exec(ctx, head); err != nil {
		return false, err
	}
	var found int
	err = q.row(ctx, "SELECT version FROM node_store").Scan(&found)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return false, err
	case found > version:
		return false, fmt.Errorf("it is of version %d, and this program knows version %d", found, version)
	case found == version:
		return true, nil
	}
	if err := q.step(ctx, found+1); err != nil {
		return false, fmt.Errorf("cannot bring it from version %d to %d: %w", found, found+1, err)
	}
	return false, tx.Commit()
}

// step carries out one migration.
func (q querier) step(ctx context.Context, to int) error {
	text, err := migrations.ReadFile(fmt.Sprintf("migrations/%04d.sql", to))
	if err != nil {
		return err
	}
	var code strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "--") {
			code.WriteString(line)
		}
	}
	for statement := range strings.SplitSeq(q.words.Replace(code.String()), ";") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if err := q.exec(ctx, statement); err != nil {
			return err
		}
	}
	for _, statement := range map[int][]string{2: q.appendOnly, 3: q.mayPrune}[to] {
		if err := q.exec(ctx, statement); err != nil {
			return err
		}
	}
	if to == 1 {
		manual := nodes.Manager{
			ID: nodes.ManualManager, Name: nodes.ManualManager, Type: nodes.ManagerOfManual,
			Access: nodes.Access{Kind: nodes.AccessAmbient},
		}
		if err := q.insertManager(ctx, manual); err != nil {
			return err
		}
	}
	return q.exec(ctx, "INSERT INTO node_store (one, version, keep) VALUES (1, ?, ?) "+
		"ON CONFLICT (one) DO UPDATE SET version = excluded.version", to, int64(DefaultKeep))
}
