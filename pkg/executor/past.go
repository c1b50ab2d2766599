package executor

import (
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
)

// takesBack reports whether the request's verb is one that takes actions back.
func (r *run) takesBack() bool { return r.verb.TakesBack() }

// named is the key of the action that the request's own key names: the request's, or the one
// that it takes back.
func (r *run) named() string {
	if key, ok := r.Registry.Undone(r.verb, r.wire.IdempotencyKey); ok {
		return key
	}
	return r.wire.IdempotencyKey
}

// undoes is the key of the action that this request takes back. It is empty if the request is an
// action or a release.
func (r *run) undoes() string {
	if !r.takesBack() || r.past.Key == r.wire.IdempotencyKey {
		return ""
	}
	return r.past.Key
}

// learn reads what is recorded under a key, and lets the plan know it.
func (r *run) learn(key string) error {
	record, found, err := r.store.Get(r.times.verify, key)
	if err != nil {
		return err
	}
	if found && r.takesBack() {
		if err := r.undoneBy(record); err != nil {
			return err
		}
	}
	r.record, r.before = record, nil
	if found {
		r.before, r.earlier = &record, record.Acted
	}
	r.past.Key, r.past.Own = key, r.own()
	if len(r.past.Own) == 0 {
		return nil
	}
	if r.takesBack() && key != r.wire.IdempotencyKey {
		r.req.Recent = recent(record.Acted)
		r.req.Elsewhere = r.elsewhere()
		return nil
	}
	if r.takesBack() || !r.sameRequest(record) {
		// What was before another request is no fact of this one.
		r.past.Own = nil
		rest := "is not undone; undo that one first, or use another key"
		if forward, _ := r.Registry.Lookup(record.Action); forward.Irreversible {
			rest = "nothing takes back; use another key"
		}
		return protocol.Refuse(protocol.Conflict,
			"the idempotency key %s is in use for another request (%s of %s), which %s",
			protocol.Quote(key), record.Action, resources(record), rest)
	}
	return nil
}

// undoneBy refuses an undo by another verb than the one that undoes the recorded action.
func (r *run) undoneBy(record ledger.Record) error {
	forward, _ := r.Registry.Lookup(record.Action)
	switch {
	case len(open(record)) == 0:
		return nil
	case forward.Irreversible:
		return protocol.Refuse(protocol.Conflict,
			"under the key %s %s was carried out, and nothing takes that back; nothing was changed",
			protocol.Quote(record.Key), record.Action)
	case forward.Undo == "" || forward.Undo == r.verb.Name:
		return nil
	}
	return protocol.Refuse(protocol.Conflict,
		"under the key %s %s is in force, of %s, and %s does not undo that; undo it with %s;"+
			" nothing was changed",
		protocol.Quote(record.Key), record.Action, resources(record), r.verb.Name, forward.Undo)
}

// own are the entries of the record that are not withdrawn.
func (r *run) own() []action.Recorded {
	var own []action.Recorded
	for _, e := range open(r.record) {
		own = append(own, recorded(r.record, e))
	}
	return own
}

// open are the entries of a record that are not withdrawn, and no releases.
func open(record ledger.Record) []ledger.Entry {
	return slices.DeleteFunc(slices.Clone(record.Entries), func(e ledger.Entry) bool {
		return e.State == history.Withdrawn || e.Ends != 0
	})
}

// recorded is an entry as a plan may know it.
func recorded(record ledger.Record, e ledger.Entry) action.Recorded {
	e.Key, e.Fresh = record.Key, recent(record.Written)
	return action.Recorded{
		Entry: e.Entry, Resource: e.Resource, Attribute: e.Attribute,
		Action: record.Action, Target: record.Target, Facts: record.Facts, Acted: record.Acted,
	}
}

// history reads what is recorded of an attribute, by whatever key. It is read once.
func (r *run) history(resource, attribute string) ([]action.Recorded, error) {
	at := ledger.Attribute{Resource: resource, Name: attribute}
	if all, ok := r.histories[at]; ok {
		return all, nil
	}
	records, err := r.store.History(r.times.verify, resource, attribute)
	if err != nil {
		return nil, r.unread(err)
	}
	var all []action.Recorded
	for _, record := range records {
		for _, e := range record.Entries {
			if e.Resource == resource && e.Attribute == attribute {
				all = append(all, recorded(record, e))
			}
		}
	}
	r.histories[at] = all
	return all, nil
}

// unread is the error of what could not be read. A dry-run goes on without, and says so.
func (r *run) unread(err error) error {
	if r.wire.Mode != protocol.DryRun {
		return err
	}
	r.Log.Warn("the dry-run does without prior facts", "error", err)
	r.ledgerUnread = true
	return nil
}

// match finds the one action in force whose facts and target the request gives, for an undo under
// a key that names none.
func (r *run) match(entries []action.Recorded) error {
	var keys []string
	for _, e := range entries {
		if r.fits(e) && !slices.Contains(keys, e.Key) {
			keys = append(keys, e.Key)
		}
	}
	if len(keys) > 1 {
		keys = r.byAddress(keys, entries)
	}
	switch len(keys) {
	case 0:
		return nil
	case 1:
		return r.adopt(keys[0])
	}
	slices.Sort(keys)
	for i, key := range keys {
		keys[i] = protocol.Quote(key + protocol.UndoKeySuffix)
	}
	return protocol.Refuse(protocol.Conflict,
		"several actions in force reported these facts; nothing was changed;"+
			" undo each under its own key: %s",
		strings.Join(keys, ", "))
}

// fits reports whether the request's facts and target are those of a recorded action in force.
func (r *run) fits(e action.Recorded) bool {
	forward, _ := r.Registry.Lookup(e.Action)
	inForce := e.State == history.Live || e.State == history.Pending
	if !inForce || forward.Undo != r.verb.Name {
		return false
	}
	for _, f := range r.verb.Target {
		if f.Decides && e.Target[f.Name] != r.req.Target[f.Name] {
			return false
		}
	}
	given, told := r.priorParameters(r.req.Parameters), r.priorParameters(e.Facts)
	if len(given) != len(told) {
		return false
	}
	for name, value := range told {
		if given[name] != value {
			return false
		}
	}
	return true
}

// priorParameters are the prior facts among some that the request's verb takes.
func (r *run) priorParameters(facts map[string]string) map[string]string {
	prior := map[string]string{}
	for name, value := range facts {
		takes := func(f action.Field) bool { return f.Matches(name) }
		known := value != "" && slices.ContainsFunc(r.verb.Parameters, takes)
		if known && strings.HasPrefix(name, protocol.PriorPrefix) {
			prior[name] = value
		}
	}
	return prior
}

// byAddress keeps the keys of the actions that were for the request's address, if it names one.
func (r *run) byAddress(keys []string, entries []action.Recorded) []string {
	const field = "address"
	if r.req.Target[field] == "" {
		return keys
	}
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		return !slices.ContainsFunc(entries, func(e action.Recorded) bool {
			return e.Key == key && e.Target[field] == r.req.Target[field]
		})
	})
}

// adopt makes the request the undo of the action under a key.
func (r *run) adopt(key string) error {
	if r.wire.Mode == protocol.Execute {
		release, err := r.store.LockKey(r.times.plan, key)
		if err != nil {
			return err
		}
		r.locks = append(r.locks, release)
	}
	r.past.Match, r.req.Undoes = nil, true
	return r.learn(key)
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

// openStore opens the records and looks up the key. An execution takes the locks of the key and
// of what is acted on first.
func (r *run) openStore() error {
	r.past = &action.Past{Key: r.named()}
	r.req.Past, r.histories = r.past, map[ledger.Attribute][]action.Recorded{}
	if r.OpenStore == nil {
		return nil
	}
	var err error
	if r.store, err = r.OpenStore(r.times.plan, r.wire.Mode == protocol.DryRun); err != nil {
		return r.unread(err)
	}
	r.past.History, r.past.Match = r.history, r.match
	if r.wire.Mode == protocol.DryRun {
		if err = r.learn(r.past.Key); err != nil && asFailure(err).Class == protocol.StateStore {
			return r.unread(err)
		}
		return err
	}
	release, err := r.store.Lock(r.times.plan, r.past.Key, exclusive(r.verb, r.req)...)
	if err != nil {
		return err
	}
	r.locks = append(r.locks, release)
	return r.learn(r.past.Key)
}

// exclusive are the things that no two requests may act on at the same time.
func exclusive(verb action.Verb, req action.Request) []string {
	var things []string
	for _, f := range verb.Target {
		if value := req.Target[f.Name]; f.Exclusive && value != "" {
			things = append(things, value)
		}
	}
	return things
}

// closeStore gives the locks back. After an execution the store looks after itself for a moment. A
// store that is slow to take them back does not keep the answer beyond its time.
func (r *run) closeStore() {
	if len(r.locks) == 0 {
		return
	}
	given := make(chan struct{})
	go func() {
		defer close(given)
		for _, release := range slices.Backward(r.locks) {
			release()
		}
	}()
	select {
	case <-given:
	case <-r.times.verify.Done():
		late := time.NewTimer(plugin.Margin(r.Timeout) / 2)
		defer late.Stop()
		select {
		case <-given:
		case <-late.C:
			r.Log.Warn("the locks could not be given back in time", "key", r.past.Key)
			return
		}
	}
	r.store.Sweep(r.times.verify)
}

// resources names what a record's action acted on.
func resources(record ledger.Record) string {
	var names []string
	for _, e := range open(record) {
		if !slices.Contains(names, e.Resource) {
			names = append(names, e.Resource)
		}
	}
	return strings.Join(names, ", ")
}
