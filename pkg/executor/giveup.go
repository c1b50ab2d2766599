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

// giveUp puts back what was moved in this stage, last first, after a transition that certainly
// was not made. What an earlier attempt under this key made of the stage is put back too, unless all of
// it was in force already: then what was there when this one began stays.
func (r *run) giveUp(stage, moved []int, now []string, existed bool, cause error) error {
	f := allFailures(cause)
	for _, i := range stage {
		// Moved before: by this run on the way to Via, or by an earlier attempt.
		if t := r.plan.Transitions[i]; !r.held && t.From != t.To && t.From != now[i] && !slices.Contains(moved, i) {
			moved = append(moved, i)
		}
	}
	slices.Sort(moved)
	var stuck []string
	for _, i := range slices.Backward(moved) {
		if err := r.revert(i, now[i]); err != nil {
			t, is := r.plan.Transitions[i], "is not"
			var unknown *action.Unknown
			if errors.As(err, &unknown) {
				is = "may not be"
			}
			stuck = append(stuck, fmt.Sprintf("the %s of %s %s back at %s (%s)", t.Attribute, t.Resource, is, t.From, err))
		}
	}
	switch {
	case len(stuck) > 0:
		f.Message += "; and " + strings.Join(stuck, "; ") + ": put it back by hand, or undo"
		return f
	case len(moved) > 0:
		f.Message += "; what was changed before it was put back"
	}
	if !r.held && !r.inForce(stage) {
		r.touched = false
		if r.verb.Undo != "" && (!existed || len(moved) > 0) {
			r.forget()
		}
	}
	return f
}

// inForce tells whether a stage before this one brought about more than a backup.
func (r *run) inForce(stage []int) bool {
	number := r.plan.Transitions[stage[0]].Stage
	return slices.ContainsFunc(r.plan.Transitions, func(t action.Transition) bool {
		return t.Stage < number && !t.Backup && t.From != t.To
	})
}

// revert gives one transition its From back. What it is at is what the last
// change was to make it: a reading now might be from before that.
func (r *run) revert(i int, at string) error {
	t := r.plan.Transitions[i]
	ctx := r.times.verify
	isBack := func(seen action.Seen) bool { return seen.Values[i] == t.From }
	err := t.Set(ctx, r.conn.Writer(), at, t.From)
	if err == nil {
		shown, readErr := r.await(ctx, 1, isBack)
		switch {
		case shown:
			return nil
		case readErr != nil:
			return fmt.Errorf("EC2 took it, but it could not be read back: %w", readErr)
		}
		return errors.New("EC2 took it and does not show it")
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
