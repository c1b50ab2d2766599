package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// apply makes the pending transitions, stage by stage, and reads each stage
// back. A nil error means that all of them were read to be so, but for those that may fail.
func (r *run) apply() error {
	existed := r.hasRecord
	r.made = make([]bool, len(r.plan.Transitions))
	for i := range r.made {
		r.made[i] = !r.pending(i)
	}
	for _, stage := range r.stages() {
		if !slices.ContainsFunc(stage, r.pending) {
			continue
		}
		if err := r.applyStage(stage, existed); err != nil {
			return err
		}
	}
	return nil
}

// stages groups the transitions' indexes.
func (r *run) stages() [][]int {
	byStage := map[int][]int{}
	var numbers []int
	for i, t := range r.plan.Transitions {
		if byStage[t.Stage] == nil {
			numbers = append(numbers, t.Stage)
		}
		byStage[t.Stage] = append(byStage[t.Stage], i)
	}
	slices.Sort(numbers)
	stages := make([][]int, len(numbers))
	for i, n := range numbers {
		stages[i] = byStage[n]
	}
	return stages
}

// applyStage makes one stage, through the values on the way where there are some.
func (r *run) applyStage(stage []int, existed bool) error {
	now := slices.Clone(r.plan.Seen.Values)
	via := func(i int) string { return r.plan.Transitions[i].Via }
	to := func(i int) string { return r.plan.Transitions[i].To }
	detour := slices.DeleteFunc(slices.Clone(stage), func(i int) bool {
		return !r.pending(i) || via(i) == "" || via(i) == now[i]
	})
	if err := r.move(stage, detour, now, via, existed); err != nil {
		return err
	}
	pending := slices.DeleteFunc(slices.Clone(stage), func(i int) bool { return !r.pending(i) })
	return r.move(stage, pending, now, to, existed)
}

// move makes some transitions of a stage together, from the values that are now to others, reads
// them back, and updates what is now.
func (r *run) move(stage, which []int, now []string, to func(int) string, existed bool) error {
	if len(which) == 0 {
		return nil
	}
	switch {
	case r.times.up() && r.allMayFail(which):
		for _, i := range which {
			r.warn(r.plan.Transitions[i], action.Refuse(protocol.Timeout, "the time for it was up"))
		}
		return nil
	case r.times.up():
		return r.giveUp(stage, nil, now, existed, r.outOfTime())
	}
	if err := r.heedLeaseAgain(existed); err != nil {
		return err
	}
	ctx := r.whileLeased()
	r.began, r.touched = true, true
	errs := r.setAll(ctx, which, now, to)
	var moved, lost, stopped []int
	var refused error
	var unknown error
	for _, i := range which {
		var certain *protocol.Failure
		switch t := r.plan.Transitions[i]; {
		case errs[i] == nil:
			moved = append(moved, i)
		case errors.As(errs[i], &certain) && t.MayFail:
			r.warn(t, certain)
		case errors.As(errs[i], &certain):
			refused, stopped = errors.Join(refused, certain), append(stopped, i)
		default:
			r.Log.Warn("the outcome of a change is unknown, reading back", "call", t.Call, "resource", t.Resource, "error", errs[i])
			moved, lost, unknown = append(moved, i), append(lost, i), errs[i]
		}
	}
	for _, i := range moved {
		now[i] = to(i)
	}
	if refused != nil && r.foundDone(refused, stopped, to, existed) {
		moved, refused = append(moved, stopped...), nil
	}
	if refused != nil {
		// What was sent without an answer may still come: the record stays, as an earlier attempt's does.
		return r.giveUp(stage, moved, now, existed || len(lost) > 0, refused)
	}
	return r.verify(moved, lost, unknown, to)
}

// foundDone tells whether what was refused is so: an earlier attempt made it, and the reading that it was planned
// by was from before that.
func (r *run) foundDone(refused error, which []int, to func(int) string, existed bool) bool {
	class := allFailures(refused).Class
	if !existed && r.verb.Undo != "" || class != protocol.Conflict && class != protocol.NotFound {
		return false
	}
	ctx, cancel := context.WithTimeout(r.times.verify, lastPause)
	defer cancel()
	shown, _ := r.await(ctx, 2, func(seen action.Seen) bool {
		return !slices.ContainsFunc(which, func(i int) bool { return seen.Values[i] != to(i) })
	})
	return shown
}

// stands tells whether a reading shows what was moved where it was moved to, and all that was so
// before where it was.
func (r *run) stands(seen action.Seen, moved []int, to func(int) string) bool {
	return !slices.ContainsFunc(moved, func(i int) bool { return seen.Values[i] != to(i) }) && len(r.undone(seen)) == 0
}

// undone are the transitions that were read to be so, and are not in a later reading.
func (r *run) undone(seen action.Seen) []int {
	var undone []int
	for i, t := range r.plan.Transitions {
		if r.made[i] && !t.MayFail && seen.Values[i] != t.To {
			undone = append(undone, i)
		}
	}
	return undone
}

// setAll sends the changes of one stage at once: none of them rests on another.
func (r *run) setAll(ctx context.Context, which []int, now []string, to func(int) string) map[int]error {
	writer := r.conn.Writer()
	errs := map[int]error{}
	var all sync.WaitGroup
	var mu sync.Mutex
	for _, i := range which {
		t := r.plan.Transitions[i]
		r.Log.Info("changing", "call", t.Call, "resource", t.Resource, "attribute", t.Attribute, "from", now[i], "to", to(i))
		set := func() {
			err := t.Set(ctx, writer, now[i], to(i))
			mu.Lock()
			defer mu.Unlock()
			errs[i] = err
		}
		if len(which) == 1 {
			set()
			break
		}
		all.Go(set)
	}
	all.Wait()
	return errs
}

// mayFailPatience is how long a change that may fail is waited for.
const mayFailPatience = 3 * time.Second

// verify reads back until every moved transition shows, beside all that was made before. One of those
// whose answer was lost is believed after two readings.
func (r *run) verify(moved, lost []int, unknown error, to func(int) string) error {
	if len(moved) == 0 {
		return nil
	}
	needed := 1
	if len(lost) > 0 {
		needed = 2
	}
	ctx, cancel := r.verifyTime()
	defer cancel()
	mayFail := r.allMayFail(moved)
	if mayFail {
		// What may fail must not take the time that the rest needs.
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, mayFailPatience)
		defer stop()
	}
	shown, err := r.await(ctx, needed, func(seen action.Seen) bool { return r.stands(seen, moved, to) })
	if shown {
		for _, i := range moved {
			r.made[i] = to(i) == r.plan.Transitions[i].To
		}
		return nil
	}
	undone := r.undone(r.seen)
	switch {
	case mayFail && len(undone) == 0:
		for _, i := range moved {
			if t := r.plan.Transitions[i]; r.seen.Values[i] != to(i) {
				r.warn(t, action.Refuse(protocol.Unverified, "it does not show"))
			}
		}
		return nil
	case mayFail:
		return r.unverified("what was made before does not stand", undone, to)
	case len(lost) > 0:
		return r.ambiguous(lost, unknown, err, to)
	case err != nil:
		return action.Refuse(protocol.Ambiguous, "EC2 took the change, but it could not be read back (%s); try again under the same key, which finds out", err)
	}
	return r.unverified("EC2 took the change and does not show it", append(undone, moved...), to)
}

// unverified says what is not as it should be, the made ones at To and the moved ones where they were moved to.
func (r *run) unverified(what string, which []int, to func(int) string) error {
	return action.Refuse(protocol.Unverified, "%s: %s; look at it, then try again under the same key", what, r.differences(which, to))
}

// allMayFail tells that the action can go on without any of these.
func (r *run) allMayFail(which []int) bool {
	return !slices.ContainsFunc(which, func(i int) bool { return !r.plan.Transitions[i].MayFail })
}

func (r *run) ambiguous(lost []int, unknown, unread error, to func(int) string) error {
	now := "EC2 still shows: " + r.differences(lost, to)
	if unread != nil {
		now = "it can't be read (" + unread.Error() + ")"
	}
	f := action.Refuse(protocol.Ambiguous,
		"whether the change was made could not be found out: the answer was lost (%s), and %s; try again under the same key, which finds out", unknown, now)
	var u *action.Unknown
	if errors.As(unknown, &u) {
		f.Facts = u.Cause.Facts
	}
	return f
}

// differences tells what is not as it should be.
func (r *run) differences(which []int, to func(int) string) string {
	var all []string
	for _, i := range which {
		t, now, want := r.plan.Transitions[i], r.seen.Values[i], to(i)
		if r.made[i] {
			want = t.To
		}
		if now != want {
			all = append(all, fmt.Sprintf("the %s of %s is %s, not %s", t.Attribute, t.Resource, now, want)+atVia(t, now))
		}
	}
	if len(all) == 0 {
		return "what was expected, but not twice in a row"
	}
	return strings.Join(all, "; ")
}

// atVia says what it means that a value is still the one on the way.
func atVia(t action.Transition, now string) string {
	if t.AtVia == "" || now != t.Via {
		return ""
	}
	return ", which leaves it " + t.AtVia
}

// warn adds a warning to the result.
func (r *run) warn(t action.Transition, f *protocol.Failure) {
	r.Log.Warn("going on without a change", "call", t.Call, "resource", t.Resource, "attribute", t.Attribute, "error", f.Message)
	r.warnings = append(r.warnings, fmt.Sprintf("the %s of %s was not changed: %s", t.Attribute, t.Resource, f.Message))
}
