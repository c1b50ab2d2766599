package journal

import (
	"context"
	"fmt"

	"aws-provider-executor/pkg/gate"
)

// Report is what Verify found.
type Report struct {
	Events  int64  `json:"events"`
	Actions int64  `json:"actions"`
	Head    string `json:"head"`
	// Faults names everything that is not as it was written; empty when all is.
	Faults []string `json:"faults"`
}

// maxFaults bounds a report: one flipped byte may show in many places.
const maxFaults = 50

// Verify checks the whole journal: SQLite's own structure, every event's hash and its link to the one before, that the
// log ends where it should, and every action's row against the event that wrote it. An error means
// that it could not be checked.
func (j *Journal) Verify(ctx context.Context) (Report, error) {
	v := verification{Journal: j, report: Report{Faults: []string{}}, rows: map[int64]writtenRow{}, approvals: map[approval]int{}}
	if err := v.structure(ctx); err != nil {
		return v.report, err
	}
	if j.readOnly {
		v.fault("the journal is a core's: it has no event log to verify")
		return v.report, nil
	}
	var at head
	if err := j.db.QueryRowContext(ctx, "SELECT seq, hash FROM journal_head").Scan(&at.seq, &at.hash); err != nil {
		v.fault("the head of the event log can't be read: %v", err)
	}
	v.chain(ctx, at)
	v.actions(ctx)
	v.approved(ctx)
	v.report.Head = at.hash
	return v.report, ctx.Err()
}

type verification struct {
	*Journal
	report Report
	last   head
	rows   map[int64]writtenRow
	// approvals counts those that the log tells of and that have not been found in the table.
	approvals map[approval]int
}

// approval is one row of the table of approvals.
type approval struct {
	action         int64
	by, at, digest string
}

// writtenRow is the last event that wrote an action's row, and the row's digest then.
type writtenRow struct {
	seq    int64
	digest string
}

func (v *verification) fault(format string, args ...any) {
	if len(v.report.Faults) < maxFaults {
		v.report.Faults = append(v.report.Faults, fmt.Sprintf(format, args...))
	}
}

func (v *verification) structure(ctx context.Context) error {
	rows, err := v.db.QueryContext(ctx, "PRAGMA integrity_check(10)")
	if err != nil {
		return fmt.Errorf("cannot read the journal: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return err
		}
		if line != "ok" {
			v.fault("the database is damaged: %s", line)
		}
	}
	return rows.Err()
}

// chain follows the log from its first event to its head.
func (v *verification) chain(ctx context.Context, end head) {
	// Past any index: what is in the table is what counts.
	err := v.eachStored(ctx, "SELECT seq, at, kind, action_id, idempotency_key, actor, data_json, prev_hash, hash FROM events NOT INDEXED ORDER BY seq", nil, func(s stored) error {
		v.event(s)
		return ctx.Err()
	})
	if err != nil {
		v.fault("event %d, the one after %d, can't be read: %v", v.last.seq+1, v.last.seq, err)
		return
	}
	switch {
	case end.seq > v.last.seq:
		v.fault("the tail is torn: the log ends with event %d, and events up to %d were written", v.last.seq, end.seq)
	case end.seq < v.last.seq || end.hash != v.last.hash:
		v.fault("the head of the log names event %d (%.12s…), and the log ends with event %d (%.12s…)", end.seq, end.hash, v.last.seq, v.last.hash)
	}
}

func (v *verification) event(s stored) {
	v.report.Events++
	what := fmt.Sprintf("event %d (%s of %q at %s)", s.seq, s.kind, s.key, s.at)
	if s.seq != v.last.seq+1 {
		v.fault("%s: event %d should come here: events are missing or were put in", what, v.last.seq+1)
	}
	if s.prev != v.last.hash {
		v.fault("%s does not follow from the one before: it was changed, or that one was", what)
	}
	switch sum, err := s.sum(); {
	case err != nil:
		v.fault("%s was changed: %v", what, err)
	case sum != s.hash:
		v.fault("%s was changed: its content does not have its hash", what)
	}
	v.last = head{s.seq, s.hash}
	e, err := s.event()
	if err != nil {
		return
	}
	if digest, ok := e.Data[rowKey].(string); ok {
		v.rows[s.action] = writtenRow{s.seq, digest}
	}
	if e.Kind == gate.EventApproved {
		by, _ := e.Data["by"].(string)
		digest, _ := e.Data["digest"].(string)
		v.approvals[approval{s.action, by, s.at, digest}]++
	}
}

// actions checks each row against the event that wrote it last.
func (v *verification) actions(ctx context.Context) {
	rows, err := v.db.QueryContext(ctx, v.selectActions()+"ORDER BY id")
	if err != nil {
		v.fault("the actions can't be read: %v", err)
		return
	}
	defer rows.Close()
	for rows.Next() {
		v.report.Actions++
		a, err := scanAction(rows)
		if err != nil {
			v.fault("%v", err)
		}
		written, ok := v.rows[a.ID]
		delete(v.rows, a.ID)
		digest, err := rowDigest(a)
		switch {
		case !ok:
			v.fault("action %d (%q): the log knows nothing of it", a.ID, a.IdempotencyKey)
		case err != nil || digest != written.digest:
			v.fault("action %d (%q) is not as event %d left it: its row was changed", a.ID, a.IdempotencyKey, written.seq)
		}
	}
	if err := rows.Err(); err != nil {
		v.fault("the actions can't be read: %v", err)
		return
	}
	for id, written := range v.rows {
		v.fault("action %d, which event %d wrote, is not there", id, written.seq)
	}
}

// approved checks the table of approvals against the log.
func (v *verification) approved(ctx context.Context) {
	rows, err := v.db.QueryContext(ctx, "SELECT action_id, approved_by, approved_at, digest FROM approvals ORDER BY id")
	if err != nil {
		v.fault("the approvals can't be read: %v", err)
		return
	}
	defer rows.Close()
	for rows.Next() {
		var a approval
		if err := rows.Scan(&a.action, &a.by, &a.at, &a.digest); err != nil {
			v.fault("the approvals can't be read: %v", err)
			return
		}
		v.approvals[a]--
	}
	if err := rows.Err(); err != nil {
		v.fault("the approvals can't be read: %v", err)
	}
	for a, n := range v.approvals {
		switch {
		case n > 0:
			v.fault("an approval of action %d by %q, which the log tells of, is not there", a.action, a.by)
		case n < 0:
			v.fault("an approval of action %d by %q is there, and the log knows nothing of it", a.action, a.by)
		}
	}
}
