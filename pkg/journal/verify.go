package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

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

// find finds the event of a head that was kept elsewhere, and tells where it is not in the log.
func (v *verification) find(kept Head) (seq int64, found bool, err error) {
	if kept.Seq != 0 {
		const there = "SELECT seq FROM %s WHERE seq = ? AND hash = ?"
		err = v.QueryRowContext(
			v.ctx, fmt.Sprintf(there, v.journal.tables().events), kept.Seq, kept.Hash).Scan(&seq)
		if !errors.Is(err, sql.ErrNoRows) {
			return seq, err == nil, err
		}
	}
	// The latest are looked at first: a head is kept for the time that comes.
	const look = "SELECT seq FROM %s WHERE hash = ? ORDER BY seq DESC LIMIT 1"
	row := v.QueryRowContext(v.ctx, fmt.Sprintf(look, v.journal.tables().events), kept.Hash)
	switch err := row.Scan(&seq); {
	case errors.Is(err, sql.ErrNoRows) && kept.Hash == v.journal.id && kept.Seq == 0:
		return 0, true, nil
	case errors.Is(err, sql.ErrNoRows):
		v.fault("the event that was kept (%.12s…) is not in the log: it is another journal, an older"+
			" copy of this one, or it was rewritten", kept.Hash)
		return 0, false, nil
	case err != nil:
		return 0, false, err
	case kept.Seq != 0 && kept.Seq != seq:
		v.fault("the event that was kept (%.12s…) is event %d in the log, and was event %d",
			kept.Hash, seq, kept.Seq)
		return 0, false, nil
	}
	return seq, true, nil
}

// Report is what Verify found.
type Report struct {
	Events  int64 `json:"events"`
	Actions int64 `json:"actions"`
	// From is the event behind which it was looked; 0 where the whole journal was.
	From int64  `json:"from,omitempty"`
	Head string `json:"head"`
	// Faults names everything that is not as it was written; empty when all is.
	Faults []string `json:"faults"`
}

// maxFaults bounds a report: one flipped byte may show in many places.
const maxFaults = 50

// Verification says what to verify.
type Verification struct {
	// Kept are heads that were kept elsewhere: they must be in the log.
	Kept []Head
	// From, when not nil, is a head up to which the journal is known to be as it was written: only
	// what came after is looked at. It must be in the log.
	From *Head
	// Progress, when not nil, is told now and then how many events and rows have been looked at, and
	// of how many.
	Progress func(done, of int64)
}

// Verify checks the whole journal, in one state of it: SQLite's own structure, the tables and
// triggers, every event's hash and its link to the one before, that the log ends where it should,
// and every action's row against the event that wrote it. An error means that it could not be
// checked.
//
// Heads that were kept elsewhere must be in the log.
func (j *Journal) Verify(ctx context.Context, kept ...Head) (Report, error) {
	return j.VerifyWith(ctx, Verification{Kept: kept})
}

// VerifyWith is Verify as it is told to. From a head on it checks the events after it, each one's
// hash and its link to the one before, that the log ends where it should, and the rows that those
// events wrote. A row that no event after the head wrote, and the file's own structure, are for a
// verification of the whole journal.
func (j *Journal) VerifyWith(ctx context.Context, how Verification) (Report, error) {
	var report Report
	err := j.read(ctx, func(seen view) error {
		report = Report{Faults: []string{}}
		v := verification{
			view:      seen,
			report:    &report,
			progress:  how.Progress,
			written:   map[int64]writtenRow{},
			approvals: map[approval]int{},
		}
		for _, h := range how.Kept {
			if _, _, err := v.find(h); err != nil {
				return err
			}
		}
		return v.run(how.From)
	})
	return report, err
}

func (v *verification) run(from *Head) error {
	if from == nil {
		if err := v.journal.engine.structure(v); err != nil {
			return err
		}
	}
	if v.journal.foreign {
		v.fault("the journal is a core's: it has no event log to verify")
		return nil
	}
	if err := v.journal.engine.form(v); err != nil {
		return err
	}
	at, err := v.end()
	if err != nil {
		v.fault("the head of the event log can't be read: %v", err)
	}
	v.report.Head, v.last.hash = at.hash, at.id
	if from != nil {
		return v.tail(*from, at.head)
	}
	v.expect(at.seq)
	v.chain(at.head)
	if v.actions("ORDER BY id", nil) {
		v.missing()
	}
	if v.approved("ORDER BY id", nil) {
		v.compareApprovals()
	}
	return v.ctx.Err()
}

// tail checks what came after a head.
func (v *verification) tail(from Head, at head) error {
	seq, found, err := v.find(from)
	if err != nil || !found {
		return err
	}
	v.report.From = seq
	v.last = head{seq, from.Hash}
	v.expect(at.seq - seq)
	v.chain(at)
	ids := slices.Sorted(maps.Keys(v.written))
	for page := range slices.Chunk(ids, idsAtOnce) {
		args := make([]any, len(page))
		for i, id := range page {
			args[i] = id
		}
		of := " IN (" + marks(len(page)) + ")"
		if err := v.earlierApprovals("WHERE action_id"+of, args, seq); err != nil {
			return err
		}
		if !v.actions("WHERE id"+of+" ORDER BY id", args) ||
			!v.approved("WHERE action_id"+of+" ORDER BY id", args) {
			return v.ctx.Err()
		}
	}
	v.missing()
	v.compareApprovals()
	return v.ctx.Err()
}

// earlierApprovals counts those that the log tells of up to an event.
func (v *verification) earlierApprovals(where string, args []any, until int64) error {
	where += fmt.Sprintf(" AND kind = '%s' AND seq <= %d", gate.EventApproved, until)
	return v.events("NULL", where, args, func(s stored) error {
		if c := check(s); c.approval != nil {
			v.approvals[*c.approval]++
		}
		return nil
	})
}

// idsAtOnce is how many rows one query asks for by their ids.
const idsAtOnce = 256

// marks are n question marks.
func marks(n int) string { return strings.Repeat("?, ", n-1) + "?" }

// expect tells how much there is to look at: each event, and about as many rows as they can have
// written.
func (v *verification) expect(events int64) {
	v.of = 2 * events
	v.step(0)
}

// toldEvery is how often progress is told.
const toldEvery = 4096

// step tells the progress.
func (v *verification) step(n int64) {
	v.done += n
	if v.progress != nil && (v.done%toldEvery == 0 || n == 0) {
		v.progress(min(v.done, v.of), v.of)
	}
}

type verification struct {
	view
	report *Report
	last   head
	// progress is told of done and of; it may be nil.
	progress func(done, of int64)
	done, of int64
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

// chain follows the log from the last event that is known to its head. The events are hashed many
// at once, and linked one after the other.
func (v *verification) chain(end head) {
	where := "ORDER BY seq"
	if v.last.seq > 0 {
		where = fmt.Sprintf("WHERE seq > %d ORDER BY seq", v.last.seq)
	}
	err := v.journal.engine.checks(v.view, where, func(c checked) error {
		v.link(c)
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

// checked is an event, and what can be said of it without those before it.
type checked struct {
	stored
	sum string
	// err says why it has no sum.
	err error
	// row is the digest of the row that it wrote.
	row   string
	wrote bool
	// approval is what it tells, where it is one.
	approval *approval
}

func check(s stored) checked {
	c := checked{stored: s}
	c.sum, c.err = s.sum()
	if _, err := time.Parse(timeForm, s.at); err != nil {
		return c
	}
	if c.row, c.wrote = member(s.data, rowKey); c.wrote && s.kind != string(gate.EventApproved) {
		return c
	}
	e, err := s.event()
	if err != nil {
		return c
	}
	c.row, c.wrote = e.Data[rowKey].(string)
	if e.Kind == gate.EventApproved {
		c.approval = approvalIn(s.action, s.at, s.data)
	}
	return c
}

// approvalIn is the approval that an event tells of.
func approvalIn(action int64, at, data string) *approval {
	a := &approval{action: action, at: at}
	by, plain := member(data, "by")
	digest, too := member(data, "digest")
	if a.by, a.digest = by, digest; plain && too {
		return a
	}
	// A text with an escape has to be read. What is not there is empty.
	var said map[string]any
	_ = json.Unmarshal([]byte(data), &said)
	a.by, _ = said["by"].(string)
	a.digest, _ = said["digest"].(string)
	return a
}

// named is how an event is told.
func (v *verification) named(c checked) string {
	if c.kind == "" {
		// Nothing was wrong with it by itself, so that no more was read of it.
		_ = v.events("NULL", "WHERE seq = ?", []any{c.seq}, func(s stored) error {
			c.stored = s
			return nil
		})
	}
	return fmt.Sprintf("event %d (%s of %q at %s)", c.seq, c.kind, c.key, c.at)
}

// link holds an event against the one before.
func (v *verification) link(c checked) {
	v.report.Events++
	v.step(1)
	told := func(format string, args ...any) {
		v.fault("%s"+format, append([]any{v.named(c)}, args...)...)
	}
	if c.seq != v.last.seq+1 {
		told(": event %d should come here: events are missing or were put in", v.last.seq+1)
	}
	// A journal of an earlier version began with nothing, and has its id from its first event.
	isFirst := c.seq == 1 && c.prev == "" && c.hash == v.last.hash
	if c.prev != v.last.hash && !isFirst {
		told(" does not follow from the one before: it was changed, or that one was")
	}
	switch {
	case c.err != nil:
		told(" was changed: %v", c.err)
	case c.sum != c.hash:
		told(" was changed: its content does not have its hash")
	}
	v.last = head{c.seq, c.hash}
	if c.wrote {
		v.written[c.action] = writtenRow{c.seq, c.row}
	}
	if c.approval != nil {
		v.approvals[*c.approval]++
	}
}

// actions checks rows, each against the event that wrote it last. It reports whether they could be
// read.
func (v *verification) actions(where string, args []any) bool {
	err := v.journal.engine.digests(v.view, where, args, func(d digested) error {
		v.compare(d)
		return v.ctx.Err()
	})
	if err != nil {
		v.fault("the actions can't be read: %v", err)
	}
	return err == nil
}

// compare holds a row against the event that wrote it last.
func (v *verification) compare(d digested) {
	v.report.Actions++
	v.step(1)
	written, ok := v.written[d.id]
	delete(v.written, d.id)
	switch {
	case !ok:
		v.fault("action %d (%q): the log knows nothing of it", d.id, d.key)
	case d.err != nil || d.digest != written.digest:
		v.fault("action %d (%q) is not as event %d left it: its row was changed",
			d.id, d.key, written.seq)
	}
}

// missing tells the rows that the log tells of and that were not found.
func (v *verification) missing() {
	for _, id := range slices.Sorted(maps.Keys(v.written)) {
		v.fault("action %d, which event %d wrote, is not there", id, v.written[id].seq)
	}
}

// approved looks for the approvals that the log tells of in their table. It reports whether that
// could be read.
func (v *verification) approved(where string, args []any) bool {
	err := v.eachApproval(where, args, func(a approval) { v.approvals[a]-- })
	if err != nil {
		v.fault("the approvals can't be read: %v", err)
	}
	return err == nil
}

func (v *verification) eachApproval(where string, args []any, do func(approval)) error {
	rows, err := v.QueryContext(v.ctx, "SELECT action_id, approved_by, approved_at, digest FROM "+
		v.journal.tables().approvals+" "+where, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var action, by, at, digest any
		if err := rows.Scan(&action, &by, &at, &digest); err != nil {
			return err
		}
		a, is := approvalOf(action, by, at, digest)
		if !is {
			v.fault("an approval of action %s by %q: %v", textOf(action), textOf(by), errOtherKinds)
		}
		do(a)
	}
	return rows.Err()
}

// approvalOf is the approval of these values, and reports whether they are of its kinds.
func approvalOf(action, by, at, digest any) (a approval, is bool) {
	var are [4]bool
	a.action, are[0] = action.(int64)
	a.by, are[1] = by.(string)
	a.at, are[2] = at.(string)
	a.digest, are[3] = digest.(string)
	return a, are == [4]bool{true, true, true, true}
}

// compareApprovals tells those that only the log or only their table has.
func (v *verification) compareApprovals() {
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
