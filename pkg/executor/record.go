package executor

import (
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/protocol"
)

// undoes is the key of the action that this request takes back; empty when the
// request is an action of its own.
func (r *run) undoes() string {
	key, _ := r.Registry.Undone(r.verb, r.wire.IdempotencyKey)
	return key
}

// answered reports whether the parameters have a fact that the action, which this request takes
// back, tells of its effect. Prior facts alone might be written by hand.
func (r *run) answered() bool {
	for _, forward := range r.Registry.Undoes(r.verb.Name) {
		for _, f := range forward.Facts {
			if strings.HasPrefix(f.Name, protocol.PriorPrefix) {
				continue
			}
			for key, value := range r.wire.Parameters {
				if value != "" && f.Matches(key) {
					return true
				}
			}
		}
	}
	return false
}

// recordKey is the key that the record is kept under.
func (r *run) recordKey() string {
	if key := r.undoes(); key != "" {
		return key
	}
	return r.wire.IdempotencyKey
}

// openStore takes the locks of the key and of what is acted on, and looks up
// the key.
func (r *run) openStore() (release func(), err error) {
	release = func() {}
	if r.OpenStore == nil {
		return release, nil
	}
	if r.store, err = r.OpenStore(); err != nil {
		return nil, err
	}
	var things []string
	for _, f := range r.verb.Target {
		if value := r.req.Target[f.Name]; f.Exclusive && value != "" {
			things = append(things, value)
		}
	}
	if release, err = r.store.Lock(r.times.plan, r.recordKey(), things...); err != nil {
		return nil, err
	}
	if r.record, r.hasRecord, err = r.store.Get(r.recordKey()); err != nil {
		release()
		return nil, err
	}
	r.req.Records, r.req.HasRecord, r.earlier = records{r}, r.hasRecord, r.record.Written
	if !r.hasRecord {
		r.req.Orphan = r.undoes() != ""
		return release, nil
	}
	switch {
	case r.undoes() != "":
		r.req.Recent = recent(r.record.Written)
		r.req.Elsewhere = r.elsewhere()
		if forward, ok := r.Registry.Lookup(r.record.Action); ok && forward.Undo != r.verb.Name {
			release()
			return nil, action.Refuse(protocol.Conflict,
				"under the key %s %s is in force, of %s, and %s does not undo that; undo it with %s; nothing was changed",
				protocol.Quote(r.record.Key), r.record.Action, resources(r.record), r.verb.Name, forward.Undo)
		}
	case !r.sameRequest(r.record):
		// What was before another request is no fact of this one.
		r.hasRecord = false
		release()
		return nil, action.Refuse(protocol.Conflict,
			"the idempotency key %s is in use for another request (%s of %s), which is not undone; undo that one first, or use another key",
			protocol.Quote(r.record.Key), r.record.Action, resources(r.record))
	default:
		r.dropGone()
	}
	return release, nil
}

// dropGone leaves out of the record, for an attempt after the first, what somebody else's undo took away since: if it is
// so now, then by another's doing, and what was before that is not what was before this action.
func (r *run) dropGone() {
	live := slices.DeleteFunc(slices.Clone(r.record.Transitions), func(t ledger.Transition) bool { return t.Gone })
	if len(live) == len(r.record.Transitions) {
		return
	}
	found := r.record
	r.record.Transitions = live
	if r.hasRecord = r.mayBeInForce(); !r.hasRecord {
		r.gone = &found
	}
	r.req.HasRecord = r.hasRecord
}

// records are what a plan may know of the ledger.
type records struct{ *run }

func (r records) Own(resource, attribute string) (action.Recorded, bool) {
	if !r.hasRecord {
		return action.Recorded{}, false
	}
	t, ok := r.record.Transition(resource, attribute)
	return recorded(r.record, t), ok
}

func (r records) All() []action.Recorded {
	if !r.hasRecord {
		return nil
	}
	all := make([]action.Recorded, len(r.record.Transitions))
	for i, t := range r.record.Transitions {
		all[i] = recorded(r.record, t)
	}
	return all
}

// recorded is a transition of a record, as a plan may know it.
func recorded(rec ledger.Record, t ledger.Transition) action.Recorded {
	return action.Recorded{
		Key: rec.Key, Resource: t.Resource, Attribute: t.Attribute, From: t.From, To: t.To, Via: t.Via,
		Gone: t.Gone, Pending: rec.State == ledger.Intended, Facts: rec.Facts,
	}
}

func (r records) Others(resource, attribute string) ([]action.Recorded, error) {
	others, err := r.store.Others(r.recordKey(), resource)
	if err != nil {
		return nil, err
	}
	var all []action.Recorded
	for _, o := range others {
		if t, ok := o.Transition(resource, attribute); ok {
			all = append(all, recorded(o, t))
		}
	}
	return all, nil
}

func resources(rec ledger.Record) string {
	names := make([]string, len(rec.Transitions))
	for i, t := range rec.Transitions {
		names[i] = t.Resource
	}
	return strings.Join(names, ", ")
}

// recordIntent puts the transitions on the disk. An undo has the record of its
// action to go by, and what it restores in its parameters.
func (r *run) recordIntent() error {
	if r.store == nil || r.verb.Undo == "" {
		return nil
	}
	state, planned := ledger.Intended, r.ledgerTransitions()
	r.held = r.hasRecord && r.record.State != ledger.Intended &&
		!slices.ContainsFunc(r.record.Transitions, func(t ledger.Transition) bool { return !slices.Contains(planned, t) })
	if r.held && len(planned) == len(r.record.Transitions) {
		state = ledger.InForce
	}
	r.newRecord(state)
	return r.store.Put(r.record)
}

// recordDone marks the action in force, or forgets the one that is undone. The record
// that is there already is enough to undo by, so a failure here is only logged.
func (r *run) recordDone() {
	if r.undoes() != "" && !r.plan.Leaves {
		r.forget()
	}
	// An undo without an action that found nothing to do has looked at its own target only: elsewhere it may stand.
	if r.store != nil && r.verb.Undo == "" && (r.began || r.plan.Restores) {
		r.releaseOthers()
	}
	if r.store == nil || r.verb.Undo == "" {
		return
	}
	r.newRecord(ledger.InForce)
	if err := r.store.Put(r.record); err != nil {
		r.Log.Warn("the record stays marked as intended", "error", err)
	}
}

// recordReleased marks an action whose undo was put off: it keeps its prior facts, and needs nothing
// any more. Else two that both changed one thing would wait for each other for ever.
func (r *run) recordReleased() {
	if !r.hasRecord || r.record.State == ledger.Released {
		return
	}
	r.record.State = ledger.Released
	if err := r.store.Put(r.record); err != nil {
		r.Log.Warn("the record stays in force although its undo was asked for", "error", err)
	}
}

// releaseOthers marks the actions whose state an undo took away, or found gone, because it was told to or has a
// key of its own: they hold nothing any more, and keep their prior facts.
func (r *run) releaseOthers() {
	others, err := r.store.Others(r.recordKey(), r.resources()...)
	if err != nil {
		r.Log.Warn("cannot tell which other actions this undid", "error", err)
	}
	for _, o := range others {
		taken := false
		for i, theirs := range o.Transitions {
			gone := r.tookAway(theirs)
			taken = taken || gone && !theirs.Gone
			o.Transitions[i].Gone = theirs.Gone || gone
		}
		if !taken {
			continue
		}
		o.State = ledger.Released
		if err := r.store.Put(o); err != nil {
			r.Log.Warn("the record of an action stays in force although this undid it", "key", o.Key, "error", err)
		}
	}
}

// tookAway tells whether what another action's transition led to is not so any more by this undo. Back before all of
// them, what one made of another's doing is gone even where it is the same. What may fail, and did, is still there.
func (r *run) tookAway(theirs ledger.Transition) bool {
	for i, t := range r.plan.Transitions {
		if t.Resource == theirs.Resource && t.Attribute == theirs.Attribute && r.seen.Values[i] == t.To {
			return t.To != theirs.To || t.Vouched && !r.plan.Restores && theirs.From != theirs.To
		}
	}
	return false
}

// resources are those of the plan.
func (r *run) resources() []string {
	names := make([]string, len(r.plan.Transitions))
	for i, t := range r.plan.Transitions {
		names[i] = t.Resource
	}
	return names
}

func (r *run) newRecord(state ledger.State) {
	r.record = ledger.Record{
		Key: r.wire.IdempotencyKey, Action: r.verb.Name, Digest: r.digest(), State: state,
		Transitions: r.ledgerTransitions(), Facts: priors(r.plan.Facts(r.plan.Transitions, r.seen)),
	}
}

// priors are the prior ones of some facts.
func priors(facts map[string]string) map[string]string {
	maps.DeleteFunc(facts, func(name, value string) bool { return value == "" || !strings.HasPrefix(name, protocol.PriorPrefix) })
	return facts
}

// recordedOnly tells that this action is known by its record alone: what would be planned now, by a reading that
// could not be made or confirmed, says nothing of what was there before.
func (r *run) recordedOnly() bool { return r.hasRecord && !r.settled && r.undoes() == "" }

func (r *run) ledgerTransitions() []ledger.Transition {
	all := make([]ledger.Transition, len(r.plan.Transitions))
	for i, t := range r.plan.Transitions {
		all[i] = ledger.Transition{Resource: t.Resource, Attribute: t.Attribute, From: t.From, To: t.To, Via: t.Via, Backup: t.Backup}
	}
	return all
}

// forget frees the key: its action is undone, or certainly changed nothing. What an earlier attempt recorded that
// somebody else undid is there again then, for its own undo.
func (r *run) forget() {
	if r.store == nil || (r.undoes() != "" && !r.hasRecord) {
		return
	}
	if r.gone != nil {
		if err := r.store.Put(*r.gone); err != nil {
			r.Log.Warn("the record stays that of this attempt, which changed nothing", "key", r.recordKey(), "error", err)
		}
		return
	}
	if err := r.store.Remove(r.recordKey()); err != nil {
		r.Log.Warn("the record stays although its action is undone", "key", r.recordKey(), "error", err)
	}
}

// holders names the other actions in force that need what this undo would take away. An undo that no record is of, and
// that goes back before all of them, takes it from them all.
func (r *run) holders() (string, error) {
	if r.store == nil || nothingLeft(r.plan) || !r.plan.Restores && (r.undoes() == "" || !r.hasRecord) {
		return "", nil
	}
	others, err := r.store.Others(r.recordKey(), r.resources()...)
	var keys []string
	for _, o := range others {
		if r.isHeldBy(o) {
			keys = append(keys, o.Key)
		}
	}
	slices.Sort(keys)
	return strings.Join(keys, ", "), err
}

// isHeldBy tells whether another action needs what this undo would take away: it brought it about or found it so,
// and nothing else of what it brought about is otherwise, as after its undo by somebody else. What goes back before
// earlier actions takes away what was only begun.
func (r *run) isHeldBy(other ledger.Record) bool {
	needs := false
	for i, t := range r.plan.Transitions {
		theirs, ok := other.Transition(t.Resource, t.Attribute)
		if !ok {
			continue
		}
		if now := r.plan.Seen.Values[i]; now != theirs.To && (theirs.Via == "" || now != theirs.Via) {
			return false
		}
		needs = needs || theirs.To == t.From && t.From != t.To
	}
	return needs && (other.State == ledger.InForce || other.State == ledger.Intended && r.plan.Restores)
}
