package executor

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// would is the answer of a dry-run that found nothing against the plan. Unforeseen is what it
// could not read.
func (r *run) would(unforeseen []string) protocol.Result {
	said, gaps := "would "+r.plan.Words.Would, strings.Join(unforeseen, "; ")
	if gaps != "" {
		said += "; not foreseen: " + gaps
	}
	return r.result(protocol.Succeeded, said, r.facts(),
		map[string]string{protocol.FactUnforeseen: gaps})
}

// nothingToDo is the answer where nothing is to be changed, and reports whether that is so.
func (r *run) nothingToDo() (bool, protocol.Result) {
	switch {
	case r.plan.Moot != "":
		return true, r.unchanged("nothing to do: " + r.plan.Moot)
	case r.plan.Skip != "":
		return true, r.result(protocol.Skipped, r.plan.Skip, r.facts())
	case !r.isSo():
		return false, protocol.Result{}
	case r.takesBack():
		return true, r.notUndone()
	case r.changes():
		return true, r.unchanged(r.idle() + r.plan.Words.Did + ", in an earlier attempt under this key")
	}
	return true, r.unchanged("nothing to do: " + r.plan.Words.Already)
}

// idle begins the sentence of a dry-run that finds an earlier attempt's work done.
func (r *run) idle() string {
	if r.wire.Mode == protocol.DryRun {
		return "nothing to do: "
	}
	return ""
}

// unchanged is a success that needed no change.
func (r *run) unchanged(said string) protocol.Result {
	return r.result(protocol.Succeeded, said, r.facts(), r.changed())
}

// notUndone is the answer of an undo that has nothing to change.
func (r *run) notUndone() protocol.Result {
	backs := r.backs()
	holders, released, known := r.heldBy(), "", false
	idle, again := len(backs) > 0, len(backs) > 0
	for _, b := range backs {
		idle, again, known = idle && b.Idle, again && b.Again, known || b.Known
		if b.Released != "" {
			released = b.Released
		}
	}
	facts := map[string]string{protocol.FactReleased: released}
	said := "nothing to do: " + r.plan.Words.Already
	switch {
	case released != "":
		said = "nothing to do: a release ended the action (" + protocol.Quote(released) + ")"
	case len(holders) > 0:
		said = "nothing is changed: " + countOn(holders) +
			" on what is so now; the undo of the last one brings back what was there before"
		if known && r.wire.Mode == protocol.Execute {
			facts[protocol.FactWithdrawn] = "true"
		}
	case again:
		said = "nothing to do: the action is undone already"
	}
	if idle && released == "" {
		return r.result(protocol.Skipped, said, r.facts(), facts)
	}
	return r.result(protocol.Succeeded, said, r.facts(), facts, r.changed())
}

// maxNamed is how many actions a sentence names.
const maxNamed = 20

// countOn names the actions that count on a value.
func countOn(holders []string) string {
	var names []string
	for _, key := range holders[:min(len(holders), maxNamed)] {
		names = append(names, protocol.Quote(key))
	}
	if len(names) == 1 {
		return "the action " + names[0] + " counts"
	}
	if more := len(holders) - len(names); more > 0 {
		names = append(names, "and "+strconv.Itoa(more)+" more")
	}
	return "the actions " + strings.Join(names, ", ") + " count"
}

// backs are what the undo comes to, by attribute.
func (r *run) backs() []action.Back {
	var all []action.Back
	for _, t := range r.plan.Transitions {
		if t.Back != nil {
			all = append(all, *t.Back)
		}
	}
	return all
}

// heldBy are the keys of the actions that count on what the undo found, in order.
func (r *run) heldBy() []string {
	var keys []string
	for _, b := range r.backs() {
		keys = append(keys, b.HeldBy...)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// done is the answer once all was read to be so. An action that found a value on the way of
// another one changed something, even where that one came from what it led to.
func (r *run) done() protocol.Result {
	return r.result(protocol.Succeeded, r.plan.Words.Did, r.facts(),
		map[string]string{protocol.FactChanged: strconv.FormatBool(r.changes() || r.began())})
}

// holders are the keys of the actions that count on what the undo found, or on what it leads to.
func (r *run) holders() []string {
	keys := r.heldBy()
	for _, b := range r.backs() {
		keys = append(keys, b.Below...)
	}
	return keys
}

// failed keeps what was learnt before the failure.
func (r *run) failed(err error) protocol.Result {
	f := asFailure(err)
	return r.result(protocol.Failed, f.Message, r.facts(), f.Facts, map[string]string{
		protocol.FactFailureClass: string(f.Class),
		protocol.FactRetryable:    strconv.FormatBool(f.MayRetry()),
	})
}

func (r *run) changed() map[string]string {
	return map[string]string{protocol.FactChanged: strconv.FormatBool(r.changes())}
}

// facts are the verb's own, as far as there is a plan to tell them from.
func (r *run) facts() map[string]string {
	switch {
	case r.recordedOnly():
		return action.Merge(r.record.Facts,
			map[string]string{protocol.FactTargetAccount: r.record.Owner})
	case r.plan == nil:
		return nil
	}

	facts := r.plan.Facts(r.plan.Transitions, r.seen)
	unkept := r.OpenStore == nil || r.lost
	if r.wire.Mode == protocol.Execute && unkept && r.verb.Undo != "" && r.plan.Moot == "" {
		facts = action.Merge(facts, map[string]string{protocol.FactPriorFactsKept: "false"})
	}
	if r.plan.TargetGone {
		facts = action.Merge(facts, map[string]string{protocol.FactTargetGone: "true"})
	}
	if r.verb.Undo != "" && r.plan.Moot == "" {
		facts = action.Merge(facts, map[string]string{protocol.FactTargetAccount: r.owner()})
	}
	return action.Merge(facts, map[string]string{
		protocol.FactWarning: strings.Join(r.warnings, "; "),
		protocol.FactHeldBy:  protocol.KeyList(r.holders()),
		protocol.FactLedger:  r.unreadFact(),
	})
}

// unreadFact says that a dry-run goes on without prior facts.
func (r *run) unreadFact() string {
	if r.ledgerUnread {
		return protocol.LedgerUnread
	}
	return ""
}

func (r *run) result(
	state protocol.State, said string, facts ...map[string]string,
) protocol.Result {
	ignored := slices.Concat(r.wire.Ignored, r.req.Strays.Ignored)
	observed := action.Merge(append(facts, r.planFacts(state))...)
	observed[protocol.FactIgnoredKeys] = protocol.KeyList(ignored)
	maps.DeleteFunc(observed, func(_, v string) bool { return v == "" })
	all := []string{said}
	switch state {
	case protocol.Succeeded:
		all = append(append(all, r.dangers()...), r.warnings...)
	case protocol.Failed:
		all = append(all, r.warnings...)
	}
	if r.note != "" {
		all = append(all, r.note)
	}
	if doubts := r.req.Strays.Doubts; len(doubts) > 0 {
		all = append(all, "ignored: "+doubts.Error())
	}
	status := protocol.Say(state, strings.Join(all, "; "))
	status.Observed, status.UndoAvailable = observed, r.undoAvailable(state)
	return protocol.NewResult(status)
}

// dangers are what is dangerous about a success, for its sentence.
func (r *run) dangers() []string {
	var all []string
	if r.plan == nil {
		return nil
	}
	if r.plan.Dangers != nil {
		all = r.plan.Dangers(r.plan.Transitions, r.seen)
	}
	var robbed []string
	for _, t := range r.plan.Transitions {
		if t.Back != nil && t.From != t.To {
			robbed = append(robbed, t.Back.HeldBy...)
		}
	}
	if slices.Sort(robbed); len(robbed) > 0 {
		what := " on what it took away"
		if r.wire.Mode == protocol.DryRun {
			what = " on what it would take away"
		}
		all = append(all, countOn(slices.Compact(robbed))+what)
	}
	return all
}

// undoAvailable reports whether the undo verb has what it needs: an action that succeeded, or one
// that failed and may have changed something, in this attempt or in an earlier one.
func (r *run) undoAvailable(state protocol.State) bool {
	switch {
	case r.verb.Irreversible:
		return false
	case r.recordedOnly():
		return state == protocol.Failed && r.mayBeInForce()
	}
	return r.plan != nil && r.plan.Moot == "" && r.verb.Undo != "" &&
		r.wire.Mode == protocol.Execute &&
		(state == protocol.Succeeded || state == protocol.Failed && r.touched)
}
