package executor

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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
	key, ok := strings.CutSuffix(r.wire.IdempotencyKey, protocol.UndoKeySuffix)
	if !ok || len(r.Registry.Undoes(r.verb.Name)) == 0 {
		return ""
	}
	return key
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
	if !r.hasRecord {
		return release, nil
	}
	switch {
	case r.undoes() != "":
		// Another action's record under this key is not this undo's business.
		forward, _ := r.Registry.Lookup(r.record.Action)
		if r.hasRecord = forward.Undo == r.verb.Name; r.hasRecord {
			r.req.Recorded = r.recorded
		}
	case r.record.Digest != r.digest():
		release()
		return nil, action.Refuse(protocol.Conflict,
			"the idempotency key %s is in use for another request (%s of %s), which is not undone; undo that one first, or use another key",
			protocol.Quote(r.record.Key), r.record.Action, resources(r.record))
	default:
		r.req.Recorded = r.recorded
	}
	return release, nil
}

// recorded is what a plan may know of the record.
func (r *run) recorded(resource, attribute string) (from, to string, ok bool) {
	t, ok := r.record.Transition(resource, attribute)
	return t.From, t.To, ok
}

func resources(rec ledger.Record) string {
	names := make([]string, len(rec.Transitions))
	for i, t := range rec.Transitions {
		names[i] = t.Resource
	}
	return strings.Join(names, ", ")
}

// digest tells one request from another by what the verb declares; what a
// planner adds of its own changes nothing.
func (r *run) digest() string {
	text, err := json.Marshal([]any{r.verb.Name, r.req.Target, r.req.Parameters})
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// recordIntent puts the transitions on the disk. An undo has the record of its
// action to go by, and what it restores in its parameters.
func (r *run) recordIntent() error {
	if r.store == nil || r.verb.Undo == "" {
		return nil
	}
	r.newRecord(ledger.Intended)
	return r.store.Put(r.record)
}

// recordDone marks the action in force, or forgets the one that is undone. The record
// that is there already is enough to undo by, so a failure here is only logged.
func (r *run) recordDone() {
	if r.undoes() != "" && !r.plan.Leaves {
		r.forget()
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

func (r *run) newRecord(state ledger.State) {
	r.record = ledger.Record{
		Key: r.wire.IdempotencyKey, Action: r.verb.Name, Digest: r.digest(), State: state,
		Transitions: r.ledgerTransitions(),
	}
}

func (r *run) ledgerTransitions() []ledger.Transition {
	all := make([]ledger.Transition, len(r.plan.Transitions))
	for i, t := range r.plan.Transitions {
		all[i] = ledger.Transition{Resource: t.Resource, Attribute: t.Attribute, From: t.From, To: t.To}
	}
	return all
}

// forget frees the key: its action is undone, or certainly changed nothing.
func (r *run) forget() {
	if r.store == nil || (r.undoes() != "" && !r.hasRecord) {
		return
	}
	if err := r.store.Remove(r.recordKey()); err != nil {
		r.Log.Warn("the record stays although its action is undone", "key", r.recordKey(), "error", err)
	}
}

// holders names the other actions in force that need what this undo would take away.
func (r *run) holders() (string, error) {
	if r.store == nil || !r.plan.Restores || r.req.Bool(action.IgnoreHolders.Name) {
		return "", nil
	}
	records, err := r.store.Holders(r.recordKey(), r.ledgerTransitions())
	keys := map[string]bool{}
	for _, rec := range records {
		if rec.State != ledger.Released {
			keys[rec.Key] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(keys)), ", "), err
}
