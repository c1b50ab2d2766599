package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"aws-provider-executor/pkg/gate"
)

// tables are the names of ours, beside the core's action_executions.
type tables struct{ states, approvals, events, head string }

const (
	// coreTable is the one that a core has, too.
	coreTable = "action_executions"
	// prefix begins the name of everything else that is ours. No core has such names.
	prefix = "actionctl_"
)

var (
	// ours are the names since version 3.
	ours = tables{
		states: prefix + "states", approvals: prefix + "approvals",
		events: prefix + "events", head: prefix + "journal",
	}
	// before3 are the names until version 2. A core has a table events, too.
	before3 = tables{
		states: "action_state", approvals: "approvals", events: "events", head: "journal_head",
	}
)

// tablesOf are the names in a journal of a version.
func tablesOf(version int) tables {
	if version < 3 {
		return before3
	}
	return ours
}

func (j *Journal) tables() tables { return tablesOf(j.version) }

// hasTable reports whether there is a table of that name.
func hasTable(ctx context.Context, q querier, name string) (bool, error) {
	const tablesOfThatName = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?"
	var n int
	err := q.QueryRowContext(ctx, tablesOfThatName, name).Scan(&n)
	return n > 0, err
}

// findVersion is the version of our tables in a file. Since version 3 they say it themselves:
// another program may have a use of its own for SQLite's user_version.
func findVersion(ctx context.Context, q querier) (found int, err error) {
	said, err := hasTable(ctx, q, ours.head)
	if err != nil {
		return 0, err
	}
	if said {
		err = q.QueryRowContext(ctx, "SELECT version FROM "+ours.head).Scan(&found)
		if errors.Is(err, sql.ErrNoRows) {
			// What is missing is for Verify to tell.
			return version, nil
		}
		if err == nil && found < 3 {
			err = fmt.Errorf("%w: %s says that it is of version %d",
				gate.ErrAltered, ours.head, found)
		}
		return found, err
	}
	err = q.QueryRowContext(ctx, "PRAGMA user_version").Scan(&found)
	if err == nil && found > 2 {
		err = fmt.Errorf("it is of version %d, and its table %s is not there", found, ours.head)
	}
	return found, err
}
