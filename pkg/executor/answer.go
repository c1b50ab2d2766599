package executor

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// would is the answer of a dry-run that found nothing against the plan. Unforeseen is what it could not
// read.
func (r *run) would(unforeseen []string) protocol.Result {
	said, gaps := "would "+r.plan.Words.Would, strings.Join(unforeseen, "; ")
	if gaps != "" {
		said += "; not foreseen: " + gaps
	}
	return r.result(protocol.Succeeded, said, r.facts(), map[string]string{protocol.FactUnforeseen: gaps})
}

func (r *run) nothingToDo() protocol.Result {
	message := "nothing to do: " + r.plan.Words.Already
	if r.changes() {
		message = r.plan.Words.Did + ", in an earlier attempt under this key"
	}
	return r.result(protocol.Succeeded, message, r.facts(), r.changed())
}

func (r *run) done() protocol.Result {
	return r.result(protocol.Succeeded, r.plan.Words.Did, r.facts(), r.changed())
}

// moot is the answer where there is nothing to change, to record or to undo.
func (r *run) moot() protocol.Result {
	return r.result(protocol.Succeeded, "nothing to do: "+r.plan.Moot, r.facts(), r.changed())
}

func (r *run) skipped(why string) protocol.Result {
	return r.result(protocol.Skipped, why, r.facts())
}

func (r *run) heldBy(keys string) protocol.Result {
	return r.result(protocol.Skipped,
		"not undone: another action in force needs the same ("+keys+"); undo that one first, or use ignoreHolders=true",
		r.facts(), map[string]string{protocol.FactHeldBy: keys})
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
		return r.record.Facts
	case r.plan == nil:
		return nil
	}
	facts := r.plan.Facts(r.plan.Transitions, r.seen)
	if r.wire.Mode == protocol.Execute && r.OpenStore == nil && r.verb.Undo != "" &&
		r.plan.Moot == "" {
		facts = action.Merge(facts, map[string]string{protocol.FactPriorFactsKept: "false"})
	}
	if r.plan.TargetGone {
		facts = action.Merge(facts, map[string]string{protocol.FactTargetGone: "true"})
	}
	return action.Merge(facts, map[string]string{protocol.FactWarning: strings.Join(r.warnings, "; ")})
}

func (r *run) result(state protocol.State, said string, facts ...map[string]string) protocol.Result {
	ignored := slices.Concat(r.wire.Ignored, r.req.Strays.Ignored)
	observed := action.Merge(append(facts, map[string]string{protocol.FactIgnoredKeys: protocol.KeyList(ignored)})...)
	maps.DeleteFunc(observed, func(_, v string) bool { return v == "" })
	all := []string{said}
	switch state {
	case protocol.Succeeded:
		all = append(all, r.dangers()...)
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
	if r.plan.Dangers != nil {
		all = r.plan.Dangers(r.plan.Transitions, r.seen)
	}
	if r.overruled != "" && r.began {
		all = append(all, "other actions in force needed what it took away ("+r.overruled+")")
	}
	return append(all, r.warnings...)
}

// undoAvailable tells whether the undo verb has what it needs: an action that
// succeeded, or one that failed and may have changed something, in this attempt or in an earlier one.
func (r *run) undoAvailable(state protocol.State) bool {
	if r.recordedOnly() {
		return state == protocol.Failed && r.mayBeInForce()
	}
	return r.plan != nil && r.plan.Moot == "" && r.verb.Undo != "" &&
		r.wire.Mode == protocol.Execute &&
		(state == protocol.Succeeded || state == protocol.Failed && r.touched)
}
