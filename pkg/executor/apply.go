package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// apply makes the pending transitions, in order, and reads back. A nil error means that all of them
// were read to be so.
func (r *run) apply() error {
	writer := r.conn.Writer()
	existed := r.hasRecord
	var applied []int
	for i, t := range r.plan.Transitions {
		if !r.pending(i) {
			continue
		}
		if r.times.up() {
			return r.giveUp(writer, applied, existed, r.outOfTime())
		}
		r.Log.Info("changing", "call", t.Call, "resource", t.Resource, "attribute", t.Attribute, "from", t.From, "to", t.To)
		r.touched = true
		err := t.Set(r.times.change, writer, t.From, t.To)
		var certain *protocol.Failure
		switch {
		case err == nil:
			applied = append(applied, i)
		case errors.As(err, &certain):
			return r.giveUp(writer, applied, existed, certain)
		default:
			r.Log.Warn("the outcome of a change is unknown, reading back", "call", t.Call, "resource", t.Resource, "error", err)
			// The next change may rest on this one.
			if err := r.findOut(i, err); err != nil {
				return err
			}
			applied = append(applied, i)
		}
	}
	return r.verify()
}

// verify reads back until every transition shows.
func (r *run) verify() error {
	want := make([]string, len(r.plan.Transitions))
	for i, t := range r.plan.Transitions {
		want[i] = t.To
	}
	shown, err := r.await(r.times.verify, 1, func(seen action.Seen) bool { return slices.Equal(seen.Values, want) })
	switch {
	case shown:
		return nil
	case err != nil:
		return action.Refuse(protocol.Ambiguous, "EC2 took the change, but it could not be read back (%s); try again under the same key, which finds out", err)
	}
	return action.Refuse(protocol.Unverified, "EC2 took the change and does not show it: %s; look at it, then try again under the same key", r.differences())
}

// findOut reads back whether transition i, whose answer was lost, was made.
func (r *run) findOut(i int, lost error) error {
	t := r.plan.Transitions[i]
	shown, err := r.await(r.times.verify, 2, func(seen action.Seen) bool { return seen.Values[i] == t.To })
	if shown {
		return nil
	}
	now := "still shows " + r.seen.Values[i]
	if err != nil {
		now = "can't be read (" + err.Error() + ")"
	}
	f := action.Refuse(protocol.Ambiguous,
		"whether the %s of %s became %s could not be found out: the answer was lost (%s), and it %s; try again under the same key, which finds out",
		t.Attribute, t.Resource, t.To, lost, now)
	var unknown *action.Unknown
	if errors.As(lost, &unknown) {
		f.Facts = unknown.Cause.Facts
	}
	return f
}

// differences tells what is not as it should be.
func (r *run) differences() string {
	var all []string
	for i, t := range r.plan.Transitions {
		if now := r.seen.Values[i]; now != t.To {
			all = append(all, fmt.Sprintf("the %s of %s is %s, not %s", t.Attribute, t.Resource, now, t.To))
		}
	}
	return strings.Join(all, "; ")
}

// giveUp puts back what was applied, last first, after a transition that
// certainly was not made.
func (r *run) giveUp(writer any, applied []int, existed bool, cause error) error {
	f := asFailure(cause)
	for i, t := range r.plan.Transitions {
		if !r.pending(i) && t.From != t.To {
			// An earlier attempt under this key made it.
			applied = append([]int{i}, applied...)
		}
	}
	if len(applied) == 0 {
		r.touched = false
		if !existed && r.verb.Undo != "" {
			r.forget()
		}
		return f
	}
	var stuck []string
	for _, i := range slices.Backward(applied) {
		if err := r.revert(writer, i); err != nil {
			t := r.plan.Transitions[i]
			stuck = append(stuck, fmt.Sprintf("the %s of %s is not back at %s (%s)", t.Attribute, t.Resource, t.From, err))
		}
	}
	told := *f
	if len(stuck) > 0 {
		told.Message += "; and " + strings.Join(stuck, "; ") + ": put it back by hand, or undo"
		return &told
	}
	told.Message += "; what was changed before it was put back"
	r.touched = false
	if r.verb.Undo != "" {
		r.forget()
	}
	return &told
}

func (r *run) revert(writer any, i int) error {
	t := r.plan.Transitions[i]
	ctx := r.times.verify
	err := t.Set(ctx, writer, t.To, t.From)
	var certain *protocol.Failure
	if errors.As(err, &certain) {
		return err
	}
	needed := 1
	if err != nil {
		needed = 2
	}
	shown, readErr := r.await(ctx, needed, func(seen action.Seen) bool { return seen.Values[i] == t.From })
	if shown {
		return nil
	}
	return errors.Join(err, readErr, context.Cause(ctx))
}
