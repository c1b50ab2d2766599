package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/gate"
)

// Head names an event by its hash, and its place in the log where that is known.
type Head struct {
	// Journal is the journal's id; empty where it is not known.
	Journal string `json:"journal,omitempty"`
	// Seq is the event's number; 0 where it is not known.
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
}

// Head is the end of the log: what to keep elsewhere, so that nobody can take the log's end off, or
// put an older copy of the file in its place, unseen.
func (j *Journal) Head(ctx context.Context) (Head, error) {
	var e end
	err := j.read(ctx, func(v view) (err error) {
		e, err = v.end()
		return err
	})
	return Head{Journal: e.id, Seq: e.seq, Hash: e.hash}, err
}

// keptHead holds the log against a head that was kept elsewhere.
func (v *verification) keptHead(kept Head) error {
	const look = "SELECT seq FROM %s WHERE hash = ?"
	var seq int64
	row := v.QueryRowContext(v.ctx, fmt.Sprintf(look, v.journal.tables().events), kept.Hash)
	switch err := row.Scan(&seq); {
	case errors.Is(err, sql.ErrNoRows) && kept.Hash == v.journal.id && kept.Seq == 0:
	case errors.Is(err, sql.ErrNoRows):
		v.fault("the event that was kept (%.12s…) is not in the log: it is another journal, an older"+
			" copy of this one, or it was rewritten", kept.Hash)
	case err != nil:
		return err
	case kept.Seq != 0 && kept.Seq != seq:
		v.fault("the event that was kept (%.12s…) is event %d in the log, and was event %d",
			kept.Hash, seq, kept.Seq)
	}
	return nil
}

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

// Verify checks the whole journal, in one state of it: SQLite's own structure, the tables and
// triggers, every event's hash and its link to the one before, that the log ends where it should,
// and every action's row against the event that wrote it. An error means that it could not be
// checked.
//
// Heads that were kept elsewhere must be in the log.
func (j *Journal) Verify(ctx context.Context, kept ...Head) (Report, error) {
	report := Report{Faults: []string{}}
	err := j.read(ctx, func(seen view) error {
		v := verification{
			view:      seen,
			report:    &report,
			written:   map[int64]writtenRow{},
			approvals: map[approval]int{},
		}
		for _, h := range kept {
			if err := v.keptHead(h); err != nil {
				return err
			}
		}
		return v.run()
	})
	return report, err
}

func (v *verification) run() error {
	if err := v.structure(); err != nil {
		return err
	}
	if v.journal.foreign {
		v.fault("the journal is a core's: it has no event log to verify")
		return nil
	}
	if err := v.schema(); err != nil {
		return err
	}
	at, err := v.end()
	if err != nil {
		v.fault("the head of the event log can't be read: %v", err)
	}
	v.last.hash = at.id
	v.chain(at.head)
	v.actions()
	v.approved()
	v.report.Head = at.hash
	return v.ctx.Err()
}

type verification struct {
	view
	report *Report
	last   head
	// written is what the log says of the rows that have not been found.
	written map[int64]writtenRow
	// approvals counts those that the log tells of and that have not been found in the table.
	approvals map[approval]int
}

// approval is one row of the table of approvals.
type approval struct {
	action         int64
	by, at, digest string
}

func (v *verification) fault(format string, args ...any) {
	if len(v.report.Faults) < maxFaults {
		v.report.Faults = append(v.report.Faults, fmt.Sprintf(format, args...))
	}
}

func (v *verification) structure() error {
	rows, err := v.QueryContext(v.ctx, "PRAGMA integrity_check(10)")
	if err != nil {
		return err
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

// schema finds what was taken off the tables, or put in: a trigger may undo a write as soon as it
// is made. What another program has beside them is its own.
func (v *verification) schema() error {
	want, err := wantedSchema(v.ctx)
	if err != nil {
		return err
	}
	have, err := schemaOf(v.ctx, v)
	if err != nil {
		v.fault("the tables can't be read: %v", err)
	}
	if v.journal.version != version {
		// It could not be brought to this one, whose tables are others.
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		switch part, ok := have[name]; {
		case !ok:
			v.fault("the %s is not there", name)
		case !part.is(want[name]):
			v.fault("the %s was changed", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if _, ok := want[name]; !ok && !have[name].isAnothers() {
			v.fault("the %s was put in", name)
		}
	}
	return nil
}

// part is a table, an index, a trigger or a view, and what it belongs to.
type part struct{ kind, name, table, text string }

// is reports whether a part is as it was made. A core may add columns to its own table.
func (p part) is(want part) bool {
	grown := strings.TrimSuffix(want.text, ")") + ", "
	isCores := p.kind == "table" && p.name == coreTable
	return p.text == want.text || isCores && strings.HasPrefix(p.text, grown)
}

// isAnothers reports whether a part is of no concern here: it is on another program's table, or an
// index on the one that is the core's.
func (p part) isAnothers() bool {
	// To SQLite a name is the same in capitals, and a trigger keeps its table's as it was written.
	table, name := strings.ToLower(p.table), strings.ToLower(p.name)
	ofOurs := strings.HasPrefix(table, prefix) || strings.HasPrefix(name, prefix)
	return !ofOurs && (table != coreTable || p.kind == "index")
}

// chain follows the log from its first event to its head.
func (v *verification) chain(end head) {
	err := v.stored("ORDER BY seq", nil, func(s stored) error {
		v.event(s)
		return v.ctx.Err()
	})
	if err != nil {
		v.fault("event %d, the one after %d, can't be read: %v", v.last.seq+1, v.last.seq, err)
		return
	}
	switch {
	case end.seq > v.last.seq:
		v.fault(
			"the tail is torn: the log ends with event %d, and events up to %d were written",
			v.last.seq,
			end.seq,
		)
	case end.seq < v.last.seq || end.hash != v.last.hash:
		v.fault(
			"the head of the log names event %d (%.12s…), and the log ends with event %d (%.12s…)",
			end.seq,
			end.hash,
			v.last.seq,
			v.last.hash,
		)
	}
}

func (v *verification) event(s stored) {
	v.report.Events++
	what := fmt.Sprintf("event %d (%s of %q at %s)", s.seq, s.kind, s.key, s.at)
	if s.seq != v.last.seq+1 {
		v.fault("%s: event %d should come here: events are missing or were put in", what, v.last.seq+1)
	}
	// A journal of an earlier version began with nothing, and has its id from its first event.
	isFirst := s.seq == 1 && s.prev == "" && s.hash == v.last.hash
	if s.prev != v.last.hash && !isFirst {
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
		v.written[s.action] = writtenRow{s.seq, digest}
	}
	if e.Kind == gate.EventApproved {
		by, _ := e.Data["by"].(string)
		digest, _ := e.Data["digest"].(string)
		v.approvals[approval{s.action, by, s.at, digest}]++
	}
}

// actions checks each row against the event that wrote it last.
func (v *verification) actions() {
	err := v.rows("ORDER BY id", nil, func(r row) error {
		v.report.Actions++
		id, key := r.id(), textOf(r.values[coreAt])
		written, ok := v.written[id]
		delete(v.written, id)
		digest, err := r.digest()
		switch {
		case !ok:
			v.fault("action %d (%q): the log knows nothing of it", id, key)
		case err != nil || digest != written.digest:
			v.fault("action %d (%q) is not as event %d left it: its row was changed", id, key, written.seq)
		}
		return nil
	})
	if err != nil {
		v.fault("the actions can't be read: %v", err)
		return
	}
	for id, written := range v.written {
		v.fault("action %d, which event %d wrote, is not there", id, written.seq)
	}
}

// approved checks the table of approvals against the log.
func (v *verification) approved() {
	rows, err := v.QueryContext(v.ctx, "SELECT action_id, approved_by, approved_at, digest FROM "+
		v.journal.tables().approvals+" ORDER BY id")
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
			v.fault(
				"an approval of action %d by %q is there, and the log knows nothing of it",
				a.action,
				a.by,
			)
		}
	}
}
