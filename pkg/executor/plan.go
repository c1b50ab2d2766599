package executor

import (
	"slices"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// confirmPause lies between two readings that are to confirm each other: at once, both would come
// from before the same change.
const confirmPause = 100 * time.Millisecond

// makePlan plans. What is not expected is believed only when later readings say the same: that
// something is so already, that the value is neither the one recorded before nor the one after,
// drift. Readings that contradict each other are asked again until the time for planning is up.
func (r *run) makePlan() error {
	drifted := false
	for pause := confirmPause; ; pause = min(2*pause, lastPause) {
		p, err := r.verb.Plan(r.times.plan, r.reader, r.req)
		drift := err != nil && asFailure(err).Class == protocol.Drift
		switch {
		case drift && drifted:
			return err
		case err != nil && !drift:
			return r.absent(err)
		case drift:
			drifted = true
		default:
			// The facts of a plan that is refused here would say that the target is gone.
			if err := r.inItsAccount(p); err != nil {
				return err
			}
			r.plan, r.seen = p, p.Seen
			if sure, err := r.sure(); sure || err != nil {
				return err
			}
			if confirmed, err := r.confirm(); confirmed || err != nil {
				return err
			}
			r.Log.Warn("two readings differ, planning again",
				"first", p.Seen.Values, "second", r.seen.Values)
		}
		if !sleep(r.times.plan, pause) {
			return protocol.Refuse(protocol.Unavailable,
				"cannot tell what is so: the provider's answers contradict each other;"+
					" nothing was changed; try again")
		}
	}
}

// confirm reads on until what was read has stood for long enough, and reports whether it has.
func (r *run) confirm() (bool, error) {
	for end := time.Now().Add(r.patience()); ; {
		if !sleep(r.times.plan, confirmPause) {
			return false, r.outOfTime()
		}
		again, err := r.plan.Read(r.times.plan)
		if err != nil {
			return false, err
		}
		r.seen = again
		if !slices.Equal(again.Values, r.plan.Seen.Values) {
			return false, nil
		}
		if !time.Now().Before(end) {
			return true, nil
		}
	}
}

// staleFor is how long after a change readings from before it are to be reckoned with.
const staleFor = time.Minute

// recent reports whether readings from before a time are to be reckoned with. A time that lies far
// ahead is not recent: the clock was put back since, and nothing must wait until it is there again.
func recent(written time.Time) bool { return time.Since(written).Abs() < staleFor }

// patience is how long an unexpected reading has to stand. Where a fresh record says that the
// action was made and an undo reads that it was not, more likely the reading is old than the
// record wrong; and to believe it would be to forget the prior facts of a change that is there.
func (r *run) patience() time.Duration {
	if !r.takesBack() || !recent(r.earlier) {
		return 0
	}
	for i, t := range r.plan.Transitions {
		own, ok := r.req.Own(t.Resource, t.Attribute)
		now := r.plan.Seen.Values[i]
		if ok && own.From != own.To && now != own.To && !r.followed(own, now) {
			return r.briefly()
		}
	}
	return 0
}

// followed reports whether a later action than a recorded one led to a value. So a reading that
// shows the value is not from before the recorded one.
func (r *run) followed(own action.Recorded, value string) bool {
	all, err := r.history(own.Resource, own.Attribute)
	return err == nil && slices.ContainsFunc(all, func(e action.Recorded) bool {
		return e.To == value && max(e.Seq, e.Again) > max(own.Seq, own.Again)
	})
}

// briefly is how long a change is waited for that may only just show.
func (r *run) briefly() time.Duration { return min(3*time.Second, r.Timeout/8) }

// pending reports whether the transition still has to be made.
func (r *run) pending(i int) bool { return r.plan.Seen.Values[i] != r.plan.Transitions[i].To }

// isSo reports whether nothing has to be made.
func (r *run) isSo() bool {
	for i := range r.plan.Transitions {
		if r.pending(i) {
			return false
		}
	}
	return true
}

// someIsSo reports whether one of the transitions has not to be made.
func (r *run) someIsSo() bool {
	for i, t := range r.plan.Transitions {
		if !r.pending(i) && !t.Backup {
			return true
		}
	}
	return len(r.plan.Transitions) == 0
}

// sure reports whether the plan may rest on one reading. What is so already, and what nothing that
// is recorded explains, is believed only when it is read again.
func (r *run) sure() (bool, error) {
	p := r.plan
	switch {
	case p.Moot != "", (p.Skip != "" || p.TargetGone) && len(p.Transitions) == 0:
		return true, nil
	case r.someIsSo():
		return false, nil
	}
	for i, t := range p.Transitions {
		if t.Back != nil && t.Back.Confirm {
			return false, nil
		}
		if r.takesBack() || !r.pending(i) {
			continue
		}
		expected, err := r.past.Expects(at(t, p.Seen.Values[i]))
		if !expected || err != nil {
			return false, err
		}
	}
	return true, nil
}

// changes reports whether the world differs from before because of this key.
func (r *run) changes() bool {
	differs := func(t action.Transition) bool { return t.From != t.To }
	return r.changedBefore || slices.ContainsFunc(r.plan.Transitions, differs)
}
