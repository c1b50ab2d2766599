package executor

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// progress says how far a transition has come. Zero is as it was read.
type progress int

const (
	// sent is a change that is on its way, or whose answer was lost.
	sent progress = iota + 1
	// refused is a change that certainly was not made.
	refused
	// taken is a change that the provider took, and that is not read back yet.
	taken
	// made is read to be To.
	made
)

// move is a transition on its way.
type move struct {
	*action.Transition
	// now is where the last change that was not refused was to leave it.
	now string
	progress
}

// step is what is changed together: transitions of one stage, each to a value.
type step struct {
	stage int
	// which are the transitions, in order, and to where each is led.
	which []int
	to    map[int]string
}

// apply makes the pending transitions, step by step, and reads each step back. A nil error means
// that all of them were read to be so, but for those that may fail.
func (r *run) apply() error {
	r.beginMoves()
	for _, s := range r.steps() {
		if err := r.take(s); err != nil {
			return err
		}
	}
	return nil
}

// beginMoves takes the plan's transitions as they were read.
func (r *run) beginMoves() {
	r.moves = make([]move, len(r.plan.Transitions))
	for i := range r.moves {
		r.moves[i] = move{Transition: &r.plan.Transitions[i], now: r.plan.Seen.Values[i]}
		if !r.pending(i) {
			r.moves[i].progress = made
		}
	}
}

// began reports whether a change may have left: of what was pending, something is not as it was
// read.
func (r *run) began() bool {
	for i, m := range r.moves {
		if r.pending(i) && m.progress != 0 {
			return true
		}
	}
	return false
}

// steps are the plan's stages, in order. Where a value is passed by on the way, that is a step of
// its own.
func (r *run) steps() []step {
	var steps []step
	for _, stage := range r.stages() {
		detour := step{stage: stage, to: map[int]string{}}
		arrival := step{stage: stage, to: map[int]string{}}
		for i, m := range r.moves {
			if m.Stage != stage || !r.pending(i) {
				continue
			}
			if m.Via != "" && m.Via != m.now && !m.Passes {
				detour.which, detour.to[i] = append(detour.which, i), m.Via
			}
			arrival.which, arrival.to[i] = append(arrival.which, i), m.To
		}
		steps = append(steps, detour, arrival)
	}
	return slices.DeleteFunc(steps, func(s step) bool { return len(s.which) == 0 })
}

// stages are the numbers of the plan's stages, in order.
func (r *run) stages() []int {
	var stages []int
	for _, m := range r.moves {
		stages = append(stages, m.Stage)
	}
	slices.Sort(stages)
	return slices.Compact(stages)
}

// take sends the changes of one step, and reads them back.
func (r *run) take(s step) error {
	switch {
	case r.times.up() && r.allMayFail(s.which):
		for _, i := range s.which {
			r.warn(r.moves[i], protocol.Refuse(protocol.Timeout, "the time for it was up"))
		}
		return nil
	case r.times.up():
		return r.giveUp(s, r.outOfTime())
	}
	if err := r.heedLeaseAgain(); err != nil {
		return err
	}
	failed, unknown := r.send(s)
	if failed != nil && !r.foundDone(failed, s) {
		return r.giveUp(s, failed)
	}
	if r.echoed(s) {
		return nil
	}
	return r.verify(s, unknown)
}

// echoed reports whether the provider's answers showed all that a step was to lead to.
func (r *run) echoed(s step) bool {
	return !slices.ContainsFunc(s.which, func(i int) bool {
		m := r.moves[i]
		return m.progress != taken || !m.Echoed || s.to[i] != m.Via
	})
}

// send makes the changes of one step. Failed tells of those that were certainly not made, unknown
// is the last of those whose answer was lost.
func (r *run) send(s step) (failed, unknown error) {
	ctx := r.whileLeased()
	r.touched = true
	for _, i := range s.which {
		r.moves[i].progress = sent
	}
	errs := r.setAll(ctx, s)
	told := map[*protocol.Failure]bool{}
	for _, i := range s.which {
		var certain *protocol.Failure
		m := &r.moves[i]
		switch {
		case errs[i] == nil:
			m.now, m.progress = s.to[i], taken
		case errors.As(errs[i], &certain):
			m.progress = refused
			switch {
			case m.MayFail:
				r.warn(*m, certain)
			case !told[certain]:
				failed, told[certain] = errors.Join(failed, certain), true
			}
		default:
			r.Log.Warn("the outcome of a change is unknown, reading back",
				"call", m.Call, "resource", m.Resource, "error", errs[i])
			m.now, unknown = s.to[i], errs[i]
		}
	}
	return failed, unknown
}

// foundDone reports whether what was refused is so: an earlier attempt made it, and the reading
// that it was planned by was from before that.
func (r *run) foundDone(failed error, s step) bool {
	class := allFailures(failed).Class
	may := class == protocol.Conflict || class == protocol.NotFound
	if !may || len(r.past.Own) == 0 && !r.takesBack() {
		return false
	}
	var which []int
	for _, i := range s.which {
		if m := r.moves[i]; m.now != s.to[i] && !m.MayFail {
			which = append(which, i)
		}
	}
	ctx, cancel := context.WithTimeout(r.times.verify, lastPause)
	defer cancel()
	shown, _ := r.await(ctx, 2, func(seen action.Seen) bool {
		return !slices.ContainsFunc(which, func(i int) bool { return seen.Values[i] != s.to[i] })
	})
	for _, i := range which {
		if shown {
			r.moves[i].now, r.moves[i].progress = s.to[i], taken
		}
	}
	return shown
}

// moved are the transitions of a step that were not refused, and lost those of them whose answer
// was lost.
func (r *run) moved(s step) (moved, lost []int) {
	for _, i := range s.which {
		if r.moves[i].now != s.to[i] {
			continue
		}
		moved = append(moved, i)
		if r.moves[i].progress == sent {
			lost = append(lost, i)
		}
	}
	return moved, lost
}

// undone are the transitions that were read to be so, and are not in a later reading.
func (r *run) undone(seen action.Seen) []int {
	var undone []int
	for i, m := range r.moves {
		if m.progress == made && !m.MayFail && seen.Values[i] != m.To {
			undone = append(undone, i)
		}
	}
	return undone
}

// calls are the transitions of a step that are changed together, in order.
func (r *run) calls(s step) [][]int {
	var calls [][]int
	place := map[*action.Together]int{}
	for _, i := range s.which {
		with := r.moves[i].Together
		at, begun := place[with]
		if with == nil || !begun {
			at, place[with] = len(calls), len(calls)
			calls = append(calls, nil)
		}
		calls[at] = append(calls[at], i)
	}
	return calls
}

// setTogether makes changes that go together.
func (r *run) setTogether(ctx context.Context, writer any, s step, which []int) []error {
	changes := make([]action.Change, len(which))
	for n, i := range which {
		m := r.moves[i]
		changes[n] = action.Change{
			Resource: m.Resource, Attribute: m.Attribute, From: m.now, To: s.to[i],
		}
	}
	return r.set(ctx, writer, r.moves[which[0]].Transition, changes...)
}

// setAll sends the changes of one step at once: none of them rests on another. A panic of one is
// this goroutine's, once all are sent.
func (r *run) setAll(ctx context.Context, s step) map[int]error {
	writer := r.conn.Writer()
	errs := map[int]error{}
	var all sync.WaitGroup
	var mu sync.Mutex
	var panicked any
	calls := r.calls(s)
	for _, which := range calls {
		for _, i := range which {
			m := r.moves[i]
			r.Log.Info("changing", "call", m.Call, "resource", m.Resource, "attribute", m.Attribute,
				"from", m.now, "to", s.to[i])
		}
		set := func() {
			made := r.setTogether(ctx, writer, s, which)
			mu.Lock()
			defer mu.Unlock()
			for n, i := range which {
				errs[i] = made[n]
			}
		}
		if len(calls) == 1 {
			set()
			break
		}
		all.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					r.Log.Error("panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()))
					mu.Lock()
					defer mu.Unlock()
					panicked = p
				}
			}()
			set()
		})
	}
	all.Wait()
	if panicked != nil {
		panic(panicked)
	}
	return errs
}

// set makes changes of a transition and of those that go with it, while the locks of the request
// are its own.
func (r *run) set(
	ctx context.Context, writer any, t *action.Transition, changes ...action.Change,
) []error {
	ctx, cancel := r.holding(ctx)
	defer cancel()
	var lost *protocol.Failure
	if errors.As(context.Cause(ctx), &lost) {
		return slices.Repeat([]error{lost}, len(changes))
	}
	if t.Together != nil {
		return t.Together.Set(ctx, writer, changes)
	}
	return []error{t.Set(ctx, writer, changes[0].From, changes[0].To)}
}

// holding is a context that ends when another request may have a lock of this one.
func (r *run) holding(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.store == nil {
		return ctx, func() {}
	}
	return r.store.Holding(ctx)
}

// mayFailPatience is how long a change that may fail is waited for.
const mayFailPatience = 3 * time.Second

// verify reads back until every moved transition of a step shows, beside all that was made before.
// One of those whose answer was lost is believed after two readings.
func (r *run) verify(s step, unknown error) error {
	moved, lost := r.moved(s)
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
	shown, err := r.await(ctx, needed, func(seen action.Seen) bool {
		differs := func(i int) bool { return seen.Values[i] != s.to[i] }
		return !slices.ContainsFunc(moved, differs) && len(r.undone(seen)) == 0
	})
	if shown {
		for _, i := range moved {
			if s.to[i] == r.moves[i].To {
				r.moves[i].progress = made
			}
		}
		return nil
	}
	return r.notShown(s, moved, lost, unknown, err)
}

// notShown says what a step left that does not show.
func (r *run) notShown(s step, moved, lost []int, unknown, unread error) error {
	undone := r.undone(r.seen)
	if unread == nil && len(undone) == 0 && r.allPassing(moved, s) {
		if err := r.judged(); err != nil {
			return err
		}
	}
	switch mayFail := r.allMayFail(moved); {
	case mayFail && len(undone) == 0:
		for _, i := range moved {
			if r.seen.Values[i] != s.to[i] {
				r.warn(r.moves[i], protocol.Refuse(protocol.Unverified, "it does not show"))
			}
		}
		return nil
	case mayFail:
		return r.unverified("what was made before does not stand", undone, s)
	case len(lost) > 0:
		return r.ambiguous(lost, unknown, unread, s)
	case unread != nil:
		return protocol.Refuse(protocol.Ambiguous,
			"the provider took the change, but it could not be read back (%s);"+
				" try again under the same key, which finds out", unread)
	}
	which := append(undone, moved...)
	if len(undone) == 0 && r.allPassing(moved, s) {
		return protocol.Refuse(protocol.Unverified,
			"the provider took the change and is still at it: %s; try again under the same key, "+
				"which waits on", r.differences(which, s))
	}
	return r.unverified("the provider took the change and does not show it", which, s)
}

// allPassing reports whether the provider is on its way with everything that does not show yet.
func (r *run) allPassing(which []int, s step) bool {
	return !slices.ContainsFunc(which, func(i int) bool {
		m, now := r.moves[i], r.seen.Values[i]
		return now != s.to[i] && (!m.Passes || now != m.Via)
	})
}

// unverified says what is not as it should be, the made ones at To and the moved ones where they
// were moved to.
func (r *run) unverified(what string, which []int, s step) error {
	return protocol.Refuse(protocol.Unverified,
		"%s: %s; look at it, then try again under the same key", what, r.differences(which, s))
}

// allMayFail reports whether the action can go on without any of these.
func (r *run) allMayFail(which []int) bool {
	return !slices.ContainsFunc(which, func(i int) bool { return !r.plan.Transitions[i].MayFail })
}

func (r *run) ambiguous(lost []int, unknown, unread error, s step) error {
	now := "it still shows: " + r.differences(lost, s)
	if unread != nil {
		now = "it can't be read (" + unread.Error() + ")"
	}
	f := protocol.Refuse(protocol.Ambiguous,
		"whether the change was made could not be found out: the answer was lost (%s), and %s;"+
			" try again under the same key, which finds out", unknown, now)
	var u *action.Unknown
	if errors.As(unknown, &u) {
		f.Facts = u.Cause.Facts
	}
	return f
}

// differences tells what is not as it should be: the made ones at To, others where the step was to
// lead them.
func (r *run) differences(which []int, s step) string {
	var all []string
	for _, i := range which {
		m, now, want := r.moves[i], r.seen.Values[i], s.to[i]
		if m.progress == made {
			want = m.To
		}
		if now != want {
			all = append(all, fmt.Sprintf("the %s of %s is %s, not %s", m.Attribute, m.Resource, now, want)+
				atVia(*m.Transition, now))
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
func (r *run) warn(m move, f *protocol.Failure) {
	r.Log.Warn("going on without a change", "call", m.Call, "resource", m.Resource,
		"attribute", m.Attribute, "error", f.Message)
	r.warnings = append(r.warnings,
		fmt.Sprintf("the %s of %s was not changed: %s", m.Attribute, m.Resource, f.Message))
}
