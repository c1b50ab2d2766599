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
	if r.verb.Undo == "" && (f.Class == protocol.Conflict || f.Class == protocol.NotFound) {
		// What EC2 showed led to a change that it refuses: one of the two is old.
		again := true
		f.Retryable = &again
	}
	for _, i := range stage {
		// Moved before: by this run on the way to Via, or by an earlier attempt.
		here := now[i] != r.plan.Seen.Values[i]
		if t := r.plan.Transitions[i]; (here || !r.held) && t.From != t.To && t.From != now[i] && !slices.Contains(moved, i) {
			moved = append(moved, i)
		}
	}
	slices.Sort(moved)
	var stuck []string
	for _, i := range slices.Backward(moved) {
		if err := r.revert(r.times.verify, i, now[i]); err != nil {
			t, is := r.plan.Transitions[i], "is not"
			var unknown *action.Unknown
			if errors.As(err, &unknown) {
				is = "may not be"
			}
			stuck = append(stuck, fmt.Sprintf("the %s of %s %s back at %s (%s)", t.Attribute, t.Resource, is, t.From, err)+atVia(t, r.seen.Values[i]))
		}
	}
	switch {
	case len(stuck) > 0:
		f.Message += "; and " + strings.Join(stuck, "; ") + ": put it back by hand, or undo"
		return f
	case len(moved) > 0:
		f.Message += "; what was changed before it was put back"
	}
	switch {
	case r.held || r.inForce(stage):
	case existed && !r.showsNothing():
		// What an earlier attempt sent may be there, or still come.
	default:
		r.touched = false
		if r.verb.Undo != "" {
			r.takeBack(r.plan.Transitions[stage[0]].Stage)
			r.forget()
		}
	}
	return f
}

// takeBack takes back the backups of earlier stages, once all else is read to be as it was.
func (r *run) takeBack(before int) {
	for i, t := range r.plan.Transitions {
		if !t.Backup && r.seen.Values[i] != t.From {
			return
		}
	}
	for i, t := range slices.Backward(r.plan.Transitions) {
		if !t.Backup || t.Stage >= before || t.From == t.To || r.seen.Values[i] != t.To {
			continue
		}
		ctx, cancel := context.WithTimeout(r.times.verify, mayFailPatience)
		err := r.revert(ctx, i, t.To)
		cancel()
		if err != nil {
			r.Log.Warn("cannot take back a backup", "resource", t.Resource, "attribute", t.Attribute, "error", err)
			r.warnings = append(r.warnings, fmt.Sprintf("the %s of %s is left: %s", t.Attribute, t.Resource, err))
		}
	}
}

// showsNothing tells whether an earlier attempt changed nothing: it was long enough ago for its change to show, and
// does not.
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

// inForce tells whether a stage before this one brought about more than a backup.
func (r *run) inForce(stage []int) bool {
	number := r.plan.Transitions[stage[0]].Stage
	return slices.ContainsFunc(r.plan.Transitions, func(t action.Transition) bool {
		return t.Stage < number && !t.Backup && t.From != t.To
	})
}

// revert gives one transition its From back. What it is at is what the last
// change was to make it: a reading now might be from before that.
func (r *run) revert(ctx context.Context, i int, at string) error {
	t := r.plan.Transitions[i]
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
