package lifecycle

import (
	"context"
	"errors"
	"strings"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/protocol"
)

// Rehearsed is the outcome of an event that was only looked at.
const Rehearsed Outcome = "dry-run"

// Would is the verdict of a step that was only looked at: it would be done.
const Would Verdict = "would"

// Rehearse tells all that Handle would do now, and changes nothing. A step that builds on what an
// earlier one makes may be told as one that fails: it is not there yet.
func (h *Handler) Rehearse(ctx context.Context, e Event) Result {
	g, refusal := h.mine(&e)
	result := Result{Event: e, Outcome: Rehearsed}
	switch {
	case refusal != "":
		result.Outcome, result.Reason = Refused, refusal
		return result
	case e.Kind == Told:
		result.Reason = "it asks for nothing"
		return result
	}
	postponed := func(err error) Result {
		result.Outcome, result.Reason = Postponed, err.Error()
		return result
	}
	cloud, err := h.Open(ctx, e.Region)
	if err != nil {
		return postponed(err)
	}
	r := &run{Handler: h, event: e, group: g, cloud: cloud, doer: h.Doer(e), result: result,
		facts: map[string]map[string]string{},
		known: known{kind: e.Kind, undoExpired: g.ExpiredHook == UndoExpired}}
	if r.record, err = h.Records.Read(ctx, e); err != nil {
		return postponed(err)
	}
	r.known = r.known.reads(r.record)
	if r.look(ctx) != done {
		return postponed(errorOf(r.reason))
	}
	return r.rehearse(ctx, postponed)
}

// rehearse tells what follows from where the instance stands.
func (r *run) rehearse(ctx context.Context, postponed func(error) Result) Result {
	k := r.known
	k.claimed, k.retired, k.asked = true, true, true
	next := k.move()
	switch next {
	case begin, step:
		for _, s := range r.steps {
			r.rehearseStep(ctx, s)
		}
		r.rehearseEnd(ctx, "CONTINUE")
		r.rehearseProtection(ctx)
	case undo, giveUp:
		made, err := r.made(ctx)
		if err != nil {
			return postponed(err)
		}
		undone, err := r.doer.RehearseUndo(ctx, KeysOf(r.event, Launch), made)
		if err != nil {
			return postponed(err)
		}
		r.result.Undone = undone
		r.result.Reason = r.why()
		result := "ABANDON"
		if r.event.Kind != Launch {
			r.result.Reason, result = "", "CONTINUE"
		}
		r.rehearseEnd(ctx, result)
	case stop:
		r.result.Outcome, r.result.Reason = Postponed, r.reason
	case sayContinue:
		r.rehearseEnd(ctx, "CONTINUE")
		r.rehearseProtection(ctx)
	case sayAbandon:
		r.rehearseEnd(ctx, "ABANDON")
	default:
		r.result.Reason = "there is nothing more to do"
	}
	return r.result
}

// rehearseStep tells what a step of the launch would do.
func (r *run) rehearseStep(ctx context.Context, s runStep) {
	if s.action == nil {
		r.result.Steps = append(r.result.Steps, Done{Step: s.name, Verdict: Would,
			Message: "would be written in the table of members"})
		return
	}
	action := s.action()
	d := r.doer.Rehearse(ctx, action)
	d.Optional = d.Verdict == StepFailed && !action.Required
	r.rehearsed(d)
}

// rehearseEnd tells how the hook would be told, where it waits.
func (r *run) rehearseEnd(ctx context.Context, result string) {
	if r.known.stand == Waiting && (r.event.Kind == Launch || r.event.Kind == Terminate) {
		r.rehearsed(r.doer.Rehearse(ctx, r.group.completion(r.event, result)))
	}
}

// rehearseProtection tells of the protection from scale-in. Auto Scaling gives it in service only,
// so of what the executor says now a refusal by a policy alone counts.
func (r *run) rehearseProtection(ctx context.Context) {
	if r.group.Protection == ProtectNever {
		return
	}
	d := r.doer.Rehearse(ctx, planner{r.group, r.event, r.instance}.protection())
	if !d.Denied {
		d.Verdict, d.Message = Would, "would be set once the instance is in service"
		if r.group.Protection == ProtectPrimary {
			d.Message += ", if it is the primary"
		}
	}
	r.rehearsed(d)
}

// rehearsed keeps how a step would come out. An event is refused that needs what a policy forbids.
func (r *run) rehearsed(d Done) {
	r.result.Steps = append(r.result.Steps, d)
	if d.Denied && !d.Optional && r.result.Outcome == Rehearsed {
		r.result.Outcome, r.result.Reason = Refused, d.Step+": "+d.Message
	}
}

type errorOf string

func (e errorOf) Error() string { return string(e) }

// Rehearse asks what a step would do now.
func (g *Door) Rehearse(ctx context.Context, s Step) Done {
	d := Done{Step: s.Name, Key: s.IdempotencyKey}
	if faults := g.Gate.Complete(&s.Plan); len(faults) > 0 {
		// The gate would not let it in.
		d.Verdict, d.Message, d.Denied = StepFailed, faults.Error(), true
		return d
	}
	o, err := g.Gate.Direct(ctx, s.Request(protocol.DryRun), 0)
	if err != nil {
		return d.failed(err)
	}
	return d.would([]gate.Outcome{o})
}

// would is from for what was only asked.
func (d Done) would(outcomes []gate.Outcome) Done {
	if d = d.from(outcomes); d.Verdict == StepDone {
		d.Verdict = Would
	}
	return d
}

// RehearseUndo asks what the undo of all steps whose keys begin so would do now, and the undo of
// what was made and the journal does not know.
func (g *Door) RehearseUndo(ctx context.Context, keys string, made []Made) ([]Done, error) {
	ids, leftOut, err := g.inForce(ctx, keys)
	if err != nil {
		return nil, err
	}
	outcomes, err := g.Gate.RollbackDryRun(ctx, ids, gate.Options{KeepGoing: true})
	var all []Done
	for _, o := range append(leftOut, outcomes...) {
		d := undoneOf(o)
		if d.Verdict == StepDone {
			d.Verdict = Would
		}
		all = append(all, d)
	}
	for _, m := range made {
		if err != nil {
			return all, err
		}
		switch _, unknown := g.Gate.Store.Find(ctx, m.IdempotencyKey); {
		case errors.Is(unknown, gate.ErrNotFound):
			all = append(all, g.rehearseUndoOf(ctx, m))
		case unknown != nil:
			err = unknown
		}
	}
	return all, err
}

// rehearseUndoOf asks what the undo of something would do that the journal does not know.
func (g *Door) rehearseUndoOf(ctx context.Context, m Made) Done {
	key := m.IdempotencyKey
	d := Done{Step: key[strings.LastIndexByte(key, '/')+1:], Key: key + protocol.UndoKeySuffix}
	o, err := g.Gate.Direct(ctx,
		protocol.UndoOf(m.Request(protocol.DryRun), m.Undo.Action, m.Facts, nil), 0)
	if err != nil {
		return d.failed(err)
	}
	return d.would([]gate.Outcome{o})
}
