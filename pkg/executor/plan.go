package executor

import (
	"cmp"
	"slices"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/protocol"
)

// confirmPause lies between two readings that are to confirm each other: at once, both would come
// from before the same change.
const confirmPause = 100 * time.Millisecond

// makePlan plans. What is not expected is believed only when later readings say the same: that something
// is so already, that the value is neither the one recorded before nor the one after, drift. Readings
// that contradict each other are asked again until the time for planning is up.
func (r *run) makePlan() error {
	drifted := false
	for pause := confirmPause; ; pause = min(2*pause, lastPause) {
		p, err := r.verb.Plan(r.times.plan, r.reader, r.req)
		drift := err != nil && asFailure(err).Class == protocol.Drift
		switch {
		case drift && drifted:
			return r.overtaken(err)
		case err != nil && !drift:
			return err
		case drift:
			drifted = true
		default:
			r.plan, r.seen = p, p.Seen
			if p.Skip != "" || p.Moot != "" || nothingLeft(p) || !r.someIsSo() && !r.isNeither() {
				return nil
			}
			if confirmed, err := r.confirm(); confirmed || err != nil {
				return err
			}
			r.Log.Warn("two readings differ, planning again", "first", p.Seen.Values, "second", r.seen.Values)
		}
		if !sleep(r.times.plan, pause) {
			return action.Refuse(protocol.Unavailable, "cannot tell what is so: EC2's answers contradict each other; nothing was changed; try again")
		}
	}
}

// overtaken is the drift that an undo found, or nil, with a plan to leave it, where other undos took away all that its
// action brought about and no record is left of one that began there, whose undo would bring it back.
func (r *run) overtaken(drift error) error {
	if r.undoes() == "" || !r.mayBeInForce() {
		return drift
	}
	for _, own := range r.record.Transitions {
		if own.From == own.To || own.Backup {
			continue
		}
		others, err := r.store.Others(r.recordKey(), own.Resource)
		if err != nil {
			return err
		}
		after := slices.ContainsFunc(others, func(o ledger.Record) bool {
			t, ok := o.Transition(own.Resource, own.Attribute)
			return ok && t.From == own.To && t.From != t.To
		})
		if !own.Gone || after {
			return drift
		}
	}
	r.plan = &action.Plan{
		Skip:  "another undo has taken away since what the action brought about: nothing of it is left to undo",
		Facts: func([]action.Transition, action.Seen) map[string]string { return nil },
	}
	return nil
}

// confirm reads on until what was read has stood for long enough, and tells whether it has.
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

// patience is how long an unexpected reading has to stand. Where a fresh record says that the action
// was made and an undo reads that it was not, more likely the reading is old than the record wrong; and
// to believe it would be to forget the prior facts of a change that is there.
func (r *run) patience() time.Duration {
	if r.undoes() == "" || !r.hasRecord || !recent(r.record.Written) {
		return 0
	}
	for i, t := range r.plan.Transitions {
		recorded, ok := r.record.Transition(t.Resource, t.Attribute)
		if ok && recorded.From != recorded.To && r.plan.Seen.Values[i] != recorded.To {
			return r.briefly()
		}
	}
	return 0
}

// briefly is how long a change is waited for that may only just show.
func (r *run) briefly() time.Duration { return min(3*time.Second, r.Timeout/8) }

// pending tells whether the transition still has to be made.
func (r *run) pending(i int) bool { return r.plan.Seen.Values[i] != r.plan.Transitions[i].To }

// isSo tells whether nothing has to be made.
func (r *run) isSo() bool {
	for i := range r.plan.Transitions {
		if r.pending(i) {
			return false
		}
	}
	return true
}

// someIsSo tells whether one of the transitions has not to be made.
func (r *run) someIsSo() bool {
	for i, t := range r.plan.Transitions {
		if !r.pending(i) && !t.Backup {
			return true
		}
	}
	return len(r.plan.Transitions) == 0
}

// isNeither tells whether a value is neither what the key's record says was before nor what it was to be.
func (r *run) isNeither() bool {
	if r.undoes() != "" {
		return false
	}
	for i, t := range r.plan.Transitions {
		now := r.plan.Seen.Values[i]
		if recorded, ok := r.record.Transition(t.Resource, t.Attribute); ok && r.pending(i) && now != recorded.From {
			return true
		}
	}
	return false
}

// settle holds the plan against the key's record. An action's transitions get the From that counts: where
// the present value is our own To already, that is what an earlier attempt under this key recorded. The
// first prior wins.
func (r *run) settle() error {
	if r.undoes() != "" {
		return r.agree()
	}
	r.touched = r.mayBeInForce()
	for i := range r.plan.Transitions {
		t := &r.plan.Transitions[i]
		recorded, ok := r.record.Transition(t.Resource, t.Attribute)
		if !r.hasRecord || !ok {
			continue
		}
		now := r.plan.Seen.Values[i]
		// An earlier attempt may have gone by a way that this one's guards leave out.
		via := cmp.Or(recorded.Via, t.Via)
		if recorded.To == t.To && (now == t.To || via != "" && now == via) {
			t.From, t.Via = recorded.From, via
		}
	}
	return nil
}

// nothingLeft reports whether the target is gone and nothing but backups is left to be undone. Its
// verb has held the record against the target.
func nothingLeft(p *action.Plan) bool {
	return p.TargetGone && !slices.ContainsFunc(p.Transitions, func(t action.Transition) bool { return !t.Backup })
}

// agree refuses an undo that can't be that of the action in the record: it would restore something
// else, or nothing of what the action changed.
func (r *run) agree() error {
	if !r.hasRecord || r.plan.Leaves || nothingLeft(r.plan) {
		return nil
	}
	same, known := false, len(r.plan.Transitions) == 0
	for _, t := range r.plan.Transitions {
		recorded, ok := r.record.Transition(t.Resource, t.Attribute)
		if ok && !t.Vouched && recorded.From != t.To {
			return contradiction(recorded, "make it "+t.To)
		}
		same, known = same || ok && !t.Backup, known || ok
	}
	for _, recorded := range r.record.Transitions {
		if !same && recorded.From != recorded.To && !recorded.Backup && !recorded.Gone {
			return contradiction(recorded, "leave it as it is")
		}
	}
	if !known {
		return action.Refuse(protocol.Conflict,
			"the action under the key %s was %s of %s, and the request would change something else; nothing was changed; undo with the target and the facts that the action reported",
			protocol.Quote(r.record.Key), r.record.Action, resources(r.record))
	}
	return nil
}

func contradiction(recorded ledger.Transition, would string) error {
	return action.Refuse(protocol.Conflict,
		"before the action the %s of %s was %s, as recorded then, and the request would %s; nothing was changed; undo with the target and the facts that the action reported",
		recorded.Attribute, recorded.Resource, recorded.From, would).With("recorded", recorded.From)
}

// mayBeInForce tells whether an earlier attempt under this key may have changed something.
func (r *run) mayBeInForce() bool {
	return r.hasRecord && slices.ContainsFunc(r.record.Transitions, func(t ledger.Transition) bool { return t.From != t.To })
}

// changes tells whether the world differs from before because of this key.
func (r *run) changes() bool {
	return slices.ContainsFunc(r.plan.Transitions, func(t action.Transition) bool { return t.From != t.To })
}
