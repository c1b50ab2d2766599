package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/protocol"
)

// giveUp puts back what was moved in a stage, last first, after a change of it that certainly was
// not made, and says what became of all.
func (r *run) giveUp(s step, cause error) error {
	f := allFailures(cause)
	if r.takesBack() && f.Class == protocol.Conflict {
		// What the provider showed led to a change that it refuses: one of the two is old.
		again := true
		f.Retryable = &again
	}
	var stuck []string
	back := 0
	for i, m := range slices.Backward(r.moves) {
		if m.Stage != s.stage || !r.toPutBack(m, i) {
			continue
		}
		back++
		if err := r.revert(r.times.verify, i, m.now); err != nil {
			stuck = append(stuck, r.stuck(m, i, err))
		}
	}
	switch {
	case len(stuck) > 0:
		f.Message += "; and " + strings.Join(stuck, "; ") + ": put it back by hand, or undo"
		return f
	case back > 0:
		f.Message += "; what was changed before it was put back"
	}
	r.recordFailed(s)
	return f
}

// toPutBack reports whether a transition is to be put back when its stage fails: what this run
// moved, and what an earlier attempt under this key made of it and did not bring to its end. What
// was in force when this run began stays.
func (r *run) toPutBack(m move, i int) bool {
	if r.verb.Irreversible {
		return false
	}
	changed := m.From != m.To && m.now != m.From
	return changed && (m.now != r.plan.Seen.Values[i] || !r.wasInForce(m.Transition))
}

// wasInForce reports whether what a transition leads to was in force before this run.
func (r *run) wasInForce(t *action.Transition) bool {
	own, ok := r.req.Own(t.Resource, t.Attribute)
	return ok && own.State == history.Live
}

// recordFailed brings the record to what is so after a stage failed and was put back.
//
//	what may be there or still come              the record
//	a change of this run without an answer       stays
//	what an earlier stage brought about          stays
//	nothing, and no earlier attempt              goes
//	what an earlier attempt had in force         is as this run found it
//	what an earlier attempt sent a moment ago    is as this run found it
//	nothing of an earlier attempt                goes
func (r *run) recordFailed(s step) {
	_, lost := r.moved(s)
	own := r.past.Own
	live := func(e action.Recorded) bool { return e.State == history.Live }
	switch {
	case len(lost) > 0, r.inForce(s.stage):
	case r.takesBack(), slices.ContainsFunc(own, live), len(own) > 0 && !r.showsNothing():
		r.forget(r.before)
	default:
		r.touched = false
		r.takeBackups()
		r.forget(withoutOpen(r.before))
	}
}

// withoutOpen is a record with the entries alone that are undone. It is nil if there are none.
func withoutOpen(record *ledger.Record) *ledger.Record {
	if record == nil {
		return nil
	}
	kept := *record
	kept.Entries = slices.DeleteFunc(slices.Clone(record.Entries), func(e ledger.Entry) bool {
		return e.State != history.Withdrawn
	})
	if len(kept.Entries) == 0 {
		return nil
	}
	return &kept
}

// stuck says what could not be put back.
func (r *run) stuck(m move, i int, err error) string {
	is := "is not"
	var unknown *action.Unknown
	if errors.As(err, &unknown) {
		is = "may not be"
	}
	return fmt.Sprintf("the %s of %s %s back at %s (%s)", m.Attribute, m.Resource, is, m.From, err) +
		atVia(*m.Transition, r.seen.Values[i])
}

// takeBackups takes back the backups that were made, once all else is read to be as it was.
func (r *run) takeBackups() {
	for i, t := range r.plan.Transitions {
		if !t.Backup && r.seen.Values[i] != t.From {
			return
		}
	}
	for i, t := range slices.Backward(r.plan.Transitions) {
		if !t.Backup || t.From == t.To || r.seen.Values[i] != t.To {
			continue
		}
		ctx, cancel := context.WithTimeout(r.times.verify, mayFailPatience)
		err := r.revert(ctx, i, t.To)
		cancel()
		if err != nil {
			r.Log.Warn("cannot take back a backup",
				"resource", t.Resource, "attribute", t.Attribute, "error", err)
			r.warnings = append(r.warnings,
				fmt.Sprintf("the %s of %s is left: %s", t.Attribute, t.Resource, err))
		}
	}
}

// showsNothing reports whether an earlier attempt changed nothing: it was long enough ago for its
// change to show, and does not.
func (r *run) showsNothing() bool {
	if r.earlier.IsZero() || recent(r.earlier) {
		return false
	}
	ctx, cancel := context.WithTimeout(r.times.verify, lastPause)
	defer cancel()
	shown, _ := r.await(ctx, 2, func(seen action.Seen) bool {
		for i, t := range r.plan.Transitions {
			if !t.Backup && seen.Values[i] != t.From {
				return false
			}
		}
		return true
	})
	return shown
}

// inForce reports whether a stage before this one brought about more than a backup.
func (r *run) inForce(stage int) bool {
	return slices.ContainsFunc(r.plan.Transitions, func(t action.Transition) bool {
		return t.Stage < stage && !t.Backup && t.From != t.To
	})
}

// revert gives one transition its From back. What it is at is what the last
// change was to make it: a reading now might be from before that.
func (r *run) revert(ctx context.Context, i int, at string) error {
	t := &r.plan.Transitions[i]
	isBack := func(seen action.Seen) bool { return seen.Values[i] == t.From }
	err := r.set(ctx, r.conn.Writer(), t,
		action.Change{Resource: t.Resource, Attribute: t.Attribute, From: at, To: t.From})[0]
	if err == nil {
		shown, readErr := r.await(ctx, 1, isBack)
		switch {
		case shown:
			return nil
		case readErr != nil:
			return fmt.Errorf("the provider took it, but it could not be read back: %w", readErr)
		}
		return errors.New("the provider took it and does not show it")
	}
	var certain *protocol.Failure
	if errors.As(err, &certain) {
		// Refused, perhaps because it is back already: that shows soon.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lastPause)
		defer cancel()
	}
	if shown, _ := r.await(ctx, 2, isBack); shown {
		return nil
	}
	return err
}

// allFailures makes one failure of several: the first one's class, every one's message.
func allFailures(err error) *protocol.Failure {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		f := *asFailure(err)
		return &f
	}
	var all *protocol.Failure
	for _, e := range joined.Unwrap() {
		f := allFailures(e)
		if all == nil {
			all = f
			continue
		}
		all.Message += "; " + f.Message
	}
	return all
}
