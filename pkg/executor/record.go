package executor

import (
	"maps"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/protocol"
)

// settle holds an action's plan against what is recorded. Each transition gets the From that
// counts: where the present value is the doing of an earlier attempt under this key, that is what
// the earlier attempt found.
func (r *run) settle() error {
	if r.takesBack() {
		return nil
	}
	r.entries = make([]ledger.Entry, len(r.plan.Transitions))
	for i := range r.plan.Transitions {
		t := &r.plan.Transitions[i]
		e, changed, err := r.past.Begin(at(*t, r.plan.Seen.Values[i]), t.To, t.Via)
		if err != nil {
			return err
		}
		if t.Adopted {
			e.From = t.From
		}
		r.changedBefore = r.changedBefore || changed
		// What is only on the way somewhere is put back to where the verb says that it came from.
		if t.From == r.plan.Seen.Values[i] {
			t.From = e.From
		}
		// An earlier attempt may have gone by a way that this one's guards leave out.
		t.Via = e.Via
		r.entries[i] = ledger.Entry{
			Entry: e, Resource: t.Resource, Attribute: t.Attribute, Backup: t.Backup,
		}
	}
	return nil
}

// at is a transition's attribute with its present value.
func at(t action.Transition, now string) action.At {
	return action.At{Resource: t.Resource, Attribute: t.Attribute, Now: now, Below: t.Below}
}

// mayBeInForce reports whether an earlier attempt under this key may have changed something.
func (r *run) mayBeInForce() bool {
	changed := func(own action.Recorded) bool { return own.From != own.To }
	return slices.ContainsFunc(r.past.Own, changed)
}

// recordIntent puts what is about to be changed on the disk, and what was there before.
func (r *run) recordIntent() error {
	if r.store == nil {
		return nil
	}
	if r.takesBack() {
		return r.recordUndoing()
	}
	r.enter(r.entries...)
	return r.store.Put(r.times.verify, r.record)
}

// recordDone marks what was read to be so. The record that is there already is enough to undo by,
// so a failure here is only logged.
func (r *run) recordDone() {
	if r.store == nil {
		return
	}
	if r.takesBack() {
		r.recordUndone()
		return
	}
	changed := false
	for i := range r.entries {
		if r.seen.Values[i] == r.plan.Transitions[i].To && r.entries[i].State != history.Live {
			r.entries[i].State, changed = history.Live, true
		}
	}
	if !changed {
		return
	}
	r.enter(r.entries...)
	if err := r.store.Done(r.times.verify, r.record); err != nil {
		r.Log.Warn("the record stays marked as pending", "error", err)
		r.checkKept()
	}
}

// checkKept tells where the record is lost that was written before the change: somebody removed it.
func (r *run) checkKept() {
	if _, found, err := r.store.Get(r.times.verify, r.record.Key); found && err == nil {
		return
	}
	r.lost = true
	r.warnings = append(r.warnings, "what was there before is recorded nowhere but in this result:"+
		" the record is gone from the state directory, or can't be read; keep the result to undo by")
}

// enter puts entries into the record, each in its place. An action's own attempt also brings the
// record up to the request.
func (r *run) enter(entries ...ledger.Entry) {
	if !r.takesBack() {
		r.record = ledger.Record{
			Key: r.past.Key, Action: r.verb.Name, Target: r.req.Target, Owner: r.owner(),
			Digest:  r.digest(),
			Facts:   priors(r.plan.Facts(r.plan.Transitions, r.seen)),
			Entries: r.record.Entries, Acted: time.Now().UTC(),
		}
	} else if r.record.Key == "" {
		r.record = ledger.Record{
			Key: r.past.Key, Action: r.recordedVerb(), Target: r.req.Target, Owner: r.owner(),
		}
	}
	all := slices.Clone(r.record.Entries)
	for _, e := range entries {
		i := slices.IndexFunc(all, func(old ledger.Entry) bool {
			return old.Resource == e.Resource && old.Attribute == e.Attribute && old.Seq == e.Seq
		})
		if i < 0 {
			all = append(all, e)
		} else {
			e.Backup = e.Backup || all[i].Backup
			all[i] = e
		}
	}
	r.record.Entries = all
}

// recordedVerb is the verb of a record that an undo makes: that of the action, where the key names
// one, or else its own.
func (r *run) recordedVerb() string {
	if r.undoes() == "" {
		return r.verb.Name
	}
	return r.Registry.Undoes(r.verb.Name)[0].Name
}

// byFacts reports whether an undo would change, or enter into a history, what is not recorded of
// its action.
func (r *run) byFacts() bool {
	if !r.takesBack() {
		return false
	}
	for i, t := range r.plan.Transitions {
		own := func(o action.Recorded) bool {
			return o.Resource == t.Resource && o.Attribute == t.Attribute
		}
		now := r.plan.Seen.Values[i]
		enters := t.Back != nil && len(t.Back.Outcome(now)) > 0
		if (now != t.To || enters) && !slices.ContainsFunc(r.past.Own, own) {
			return true
		}
	}
	return false
}

// recordUndoing puts an undo's aims on the disk.
func (r *run) recordUndoing() error {
	var entries []ledger.Entry
	for _, t := range r.plan.Transitions {
		if t.Back != nil {
			entries = append(entries, ledgerEntries(t.Back.Intent())...)
		}
	}
	if len(entries) == 0 {
		return nil
	}
	r.enter(entries...)
	return r.store.Put(r.times.verify, r.record)
}

// recordUndone marks the action undone, and forgets what no later answer rests on.
func (r *run) recordUndone() {
	if r.plan.KeepRecord {
		return
	}
	var entries []ledger.Entry
	for i, t := range r.plan.Transitions {
		if t.Back != nil {
			entries = append(entries, ledgerEntries(t.Back.Outcome(r.seen.Values[i]))...)
		}
	}
	var err error
	if r.undoes() != "" {
		entries, err = r.withdrawRest(entries)
	}
	if err == nil && len(entries) > 0 {
		r.enter(entries...)
		if err = r.keep(); err == nil {
			r.store.Tidy(r.times.verify, r.record.Key, r.record.Attributes()...)
		}
	}
	if err != nil {
		r.Log.Warn("the record stays although its action is undone", "key", r.past.Key, "error", err)
	}
}

// withdrawRest also withdraws what the action recorded beside what the plan is about: its change
// stays.
func (r *run) withdrawRest(done []ledger.Entry) ([]ledger.Entry, error) {
	all := done
	for _, e := range open(r.record) {
		covered := func(d ledger.Entry) bool {
			return d.Resource == e.Resource && d.Attribute == e.Attribute
		}
		if slices.ContainsFunc(done, covered) {
			continue
		}
		place, err := r.past.Next(e.Resource, e.Attribute)
		if err != nil {
			return nil, err
		}
		e.State, e.Undone, e.Aim = history.Withdrawn, place, e.To
		all = append(all, e)
	}
	return all, nil
}

// keep writes the record, or removes it where no later answer rests on any of it. It leaves out
// the record's earlier releases that no answer rests on: one key may end fence after fence.
func (r *run) keep() error {
	rests := false
	for _, a := range r.record.Attributes() {
		all, err := r.history(a.Resource, a.Name)
		if err != nil {
			return err
		}
		mine := func(e history.Entry) bool { return e.Key == r.record.Key }
		entries := slices.DeleteFunc(plain(all), mine)
		for _, e := range r.record.Entries {
			if e.Resource == a.Resource && e.Attribute == a.Name {
				e.Key, e.Fresh = r.record.Key, true
				entries = append(entries, e.Entry)
			}
		}
		needed := history.Needed(entries)
		rests = rests || history.Rests(entries, needed, r.record.Key) ||
			len(needed) == 0 && slices.ContainsFunc(history.Repeatable(entries), mine)
		r.leaveOut(a, history.Spent(entries, r.record.Key))
	}
	if rests {
		return r.store.Put(r.times.verify, r.record)
	}
	return r.store.Remove(r.times.verify, r.record.Key)
}

// leaveOut takes entries of one attribute out of the record.
func (r *run) leaveOut(a ledger.Attribute, spent []history.Entry) {
	if len(spent) == 0 {
		return
	}
	r.record.Entries = slices.DeleteFunc(slices.Clone(r.record.Entries), func(e ledger.Entry) bool {
		return e.Resource == a.Resource && e.Attribute == a.Name &&
			slices.ContainsFunc(spent, func(s history.Entry) bool { return s.Seq == e.Seq })
	})
}

func plain(all []action.Recorded) []history.Entry {
	entries := make([]history.Entry, len(all))
	for i, r := range all {
		entries[i] = r.Entry
	}
	return entries
}

func ledgerEntries(all []action.Recorded) []ledger.Entry {
	entries := make([]ledger.Entry, len(all))
	for i, r := range all {
		entries[i] = ledger.Entry{Entry: r.Entry, Resource: r.Resource, Attribute: r.Attribute}
	}
	return entries
}

// forget puts the record back as it was before this run, which certainly changed nothing. It
// removes the record if there was none.
func (r *run) forget(before *ledger.Record) {
	if r.record.Key == "" {
		return
	}
	var err error
	if before == nil {
		err = r.store.Remove(r.times.verify, r.record.Key)
	} else {
		err = r.store.Put(r.times.verify, *before)
	}
	if err != nil {
		r.Log.Warn("the record stays although nothing was changed", "key", r.record.Key, "error", err)
	}
}

// priors are the prior ones of some facts.
func priors(facts map[string]string) map[string]string {
	maps.DeleteFunc(facts, func(name, value string) bool {
		return value == "" || !strings.HasPrefix(name, protocol.PriorPrefix)
	})
	return facts
}

// recordedOnly reports whether this action is known by its record alone: what would be planned now,
// by a reading that could not be made or confirmed, says nothing of what was there before.
func (r *run) recordedOnly() bool { return len(r.past.Own) > 0 && !r.settled && !r.takesBack() }
