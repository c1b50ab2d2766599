package executor

import (
	"cmp"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"
)

// planFacts tell the plan and the plan of its undo, if the environment asks for them. A dry-run
// that failed has none: execute would not carry it out. Nor has an execution that began nothing.
func (r *run) planFacts(state protocol.State) map[string]string {
	if !r.ObservePlan || r.plan == nil || state == protocol.Failed && !r.began() {
		return nil
	}
	facts := map[string]string{}
	r.tellChanges(facts, protocol.FactPlan, r.planned())
	if r.verb.Undo == "" {
		return facts
	}
	changes, err := r.wayBack()
	if err != nil {
		r.Log.Warn("the plan of the undo is not told", "error", err)
		return facts
	}
	r.tellChanges(facts, protocol.FactUndoPlan, changes)
	return facts
}

// tellChanges adds changes to the facts. What is too large to be told whole is left out.
func (r *run) tellChanges(facts map[string]string, name string, changes []protocol.Change) {
	text, err := protocol.EncodeChanges(changes)
	if err != nil {
		r.Log.Warn("a plan is not told", "fact", name, "error", err)
		return
	}
	facts[name] = text
}

// planned are the changes that the plan makes of what was read.
func (r *run) planned() []protocol.Change {
	var changes []protocol.Change
	if r.plan.Moot != "" || r.plan.Skip != "" {
		return nil
	}
	for i, t := range r.plan.Transitions {
		now := r.plan.Seen.Values[i]
		if now == t.To {
			continue
		}
		c := protocol.Change{Resource: t.Resource, Attribute: t.Attribute, From: now, To: t.To}
		if t.Via != now {
			c.Via = t.Via
		}
		changes = append(changes, withoutDrawn(t, c))
	}
	return changes
}

// withoutDrawn is a change as every plan of the request tells it.
func withoutDrawn(t action.Transition, c protocol.Change) protocol.Change {
	if t.Drawn == "" {
		return c
	}
	for _, value := range []*string{&c.From, &c.To, &c.Via} {
		*value = strings.ReplaceAll(*value, t.Drawn, "")
	}
	return c
}

// wayBack are the changes that the undo would make if it came next, by the history as the action
// leaves it. What came last goes first.
func (r *run) wayBack() ([]protocol.Change, error) {
	if r.plan.Moot != "" {
		return nil, nil
	}
	order := make([]int, len(r.entries))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(r.plan.Transitions[b].Stage, r.plan.Transitions[a].Stage)
	})
	var changes []protocol.Change
	for _, i := range order {
		t := r.plan.Transitions[i]
		if t.Lasting {
			continue
		}
		left, e := r.leaves(i)
		to, err := r.past.WayBack(at(t, left), e)
		if err != nil {
			return nil, err
		}
		if to != left {
			changes = append(changes, withoutDrawn(t,
				protocol.Change{Resource: t.Resource, Attribute: t.Attribute, From: left, To: to}))
		}
	}
	return changes, nil
}

// leaves returns the value that the action leaves, and its entry as it is then: as last read or, in
// a dry-run, as an execution without trouble would leave it.
func (r *run) leaves(i int) (value string, e history.Entry) {
	e = r.entries[i].Entry
	if r.wire.Mode == protocol.Execute {
		return r.seen.Values[i], e
	}
	e.State = history.Live
	return r.plan.Transitions[i].To, e
}
