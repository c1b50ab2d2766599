package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strings"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

// Door carries out steps through the gate, for one event.
type Door struct {
	// Gate has the verbs of all providers, and holds the event.
	Gate *gate.Gate
	// Source is where the journal says that the plans are from.
	Source string
}

var _ Doer = (*Door)(nil)

// Do carries a step out, or finds that it was. What an earlier run did is read again: where it is
// not so any more, it is rolled back and done again.
func (g *Door) Do(ctx context.Context, s Step, begun int) Done {
	d := Done{Step: s.Name, Key: s.IdempotencyKey, Verdict: StepFailed}
	of := g.Gate
	if s.Timeout > 0 {
		// The claim holds for as long as the executor may take.
		longer := *of
		longer.Timeout = max(of.Timeout, s.Timeout+s.Timeout/5)
		of = &longer
	}
	a, err := enter(ctx, of, s.Plan, g.Source)
	if err != nil {
		return d.failed(err)
	}
	if a.Status == gate.Succeeded && a.Altered == "" {
		again, answer := d.stands(ctx, of, a)
		if !again {
			return answer
		}
		if a, err = takeBack(ctx, of, a, s.Plan, g.Source); err != nil {
			why := "it was done, and is not so any more (" + answer.Message + "): "
			d = d.failed(err)
			d.Message = why + d.Message
			return d
		}
	}
	return d.execute(ctx, of, a.ID, begun)
}

// execute has the gate execute an action, after the dry-run that its policy may ask for.
func (d Done) execute(ctx context.Context, of *gate.Gate, id int64, begun int) Done {
	ids := []int64{id}
	if of.Policy != nil && of.Policy.RequireEvidence {
		outcomes, err := of.DryRun(ctx, ids, gate.Options{})
		if err != nil {
			return d.failed(err)
		}
		if d = d.from(outcomes); d.Verdict != StepDone {
			return d
		}
	}
	outcomes, err := of.Execute(ctx, ids, gate.Options{Begun: begun})
	if err != nil {
		return d.failed(err)
	}
	return d.from(outcomes)
}

// stands reads whether what succeeded is still so. Again is set where it is not. What nothing takes
// back is over, and is not read.
func (d Done) stands(ctx context.Context, of *gate.Gate, a gate.Action) (again bool, _ Done) {
	so := d
	so.Verdict, so.Message, so.Facts = StepDone, a.ResultMessage, a.Observed
	verb, known := of.Registry.Resolve(a.Request(protocol.DryRun))
	if known && verb.Irreversible {
		return false, so
	}
	outcomes, err := of.DryRun(ctx, []int64{a.ID}, gate.Options{})
	if err != nil {
		return false, d.failed(err)
	}
	read := d.from(outcomes)
	switch {
	case read.Verdict == StepLater, read.Denied:
		return false, read
	case read.Verdict == StepDone && read.Facts[protocol.FactChanged] != "":
		// A dry-run that would do something does not tell whether anything is changed.
		return false, so
	}
	return true, read
}

// takeBack rolls back an action that is not so any more, and imports its plan again.
func takeBack(
	ctx context.Context, of *gate.Gate, a gate.Action, p gate.Plan, source string,
) (gate.Action, error) {
	outcomes, err := of.Rollback(ctx, []int64{a.ID}, gate.Options{})
	if err != nil {
		return a, err
	}
	if undone := (Done{}).from(outcomes); undone.Verdict != StepDone {
		err := errors.New("its undo: " + undone.Message)
		if undone.Verdict == StepFailed {
			err = &gate.Refusal{Reasons: []string{err.Error()}}
		}
		return a, err
	}
	if a, err = enter(ctx, of, p, source); err == nil && inForce(a) {
		err = &gate.Refusal{Reasons: []string{"it is still " + string(a.Status) + " after its undo"}}
	}
	return a, err
}

// enter finds the action of a plan in the journal, or imports it. One that is in force, or whose
// run was cut off, stays as it is.
func enter(ctx context.Context, g *gate.Gate, p gate.Plan, source string) (gate.Action, error) {
	if faults := g.Complete(&p); len(faults) > 0 {
		return gate.Action{}, &gate.Refusal{What: "import", Reasons: []string{faults.Error()}}
	}
	a, err := g.Store.Find(ctx, p.IdempotencyKey)
	switch {
	case err != nil && !errors.Is(err, gate.ErrNotFound):
		return a, err
	case err == nil && a.Digest() != p.Digest() && inForce(a):
		return a, &gate.Refusal{Reasons: []string{"the journal has " + protocol.Quote(a.IdempotencyKey) +
			" with another plan, which may have changed something; roll it back first"}}
	case err == nil && inForce(a):
		return a, nil
	}
	imported, err := g.Import(ctx, []gate.Plan{p}, source, true)
	if err != nil {
		return a, err
	}
	return imported[0].Action, nil
}

// inForce reports whether an action may have changed something.
func inForce(a gate.Action) bool {
	return a.MayHaveChanged || a.Status == gate.Succeeded || a.Status == gate.Running
}

// failed is a step that the gate could not look at. A refusal stays one.
func (d Done) failed(err error) Done {
	d.Verdict, d.Message = StepLater, err.Error()
	if gate.IsRefusal(err) {
		d.Verdict = StepFailed
	}
	return d
}

// from is how a step came out by what the gate says of its one action.
func (d Done) from(outcomes []gate.Outcome) Done {
	if len(outcomes) != 1 {
		d.Verdict, d.Message = StepLater, "the gate tells nothing of it"
		return d
	}
	o := outcomes[0]
	d.Message, d.Let = o.Message, o.Verdict != gate.Refused && o.Verdict != gate.NotReached
	if o.Result != nil {
		d.Facts = o.Result.Status.Observed
	}
	switch o.Verdict {
	case gate.Done:
		d.Verdict = StepDone
	case gate.Refused:
		d.Verdict = StepFailed
		if onlyClaimed(o.Reasons) {
			d.Verdict = StepLater
		}
		d.Denied = d.Verdict == StepFailed
	case gate.NotReached:
		d.Verdict = StepLater
	default:
		d.Verdict = StepFailed
		if mayHelp(o) {
			d.Verdict = StepLater
		}
		d.OutOfStock = d.Facts[protocol.FactFailureClass] == string(protocol.LimitExceeded)
	}
	return d
}

// onlyClaimed reports whether nothing is against an action but that another process is at work on
// it.
func onlyClaimed(reasons policy.Denial) bool {
	return len(reasons) > 0 && !slices.ContainsFunc(reasons, func(r policy.Reason) bool {
		return r.Field != "claim" && r.Field != "run"
	})
}

// mayHelp reports whether an action that failed may succeed when it is executed again: it was not
// started, nobody knows what became of it, or the executor says so.
func mayHelp(o gate.Outcome) bool {
	if o.Result == nil {
		return true
	}
	observed := o.Result.Status.Observed
	return observed[protocol.FactRetryable] == "true"
}

// inForce lists the actions under keys that begin so which have something to take back.
func (g *Door) inForce(
	ctx context.Context, keys string,
) (ids []int64, leftOut []gate.Outcome, err error) {
	there, err := g.under(ctx, keys)
	if err != nil || len(there) == 0 {
		return nil, nil, err
	}
	var only []string
	for _, a := range there {
		only = append(only, a.IdempotencyKey)
	}
	return g.Gate.InForce(ctx, gate.Query{Only: only})
}

// under lists the actions under keys that begin so.
func (g *Door) under(ctx context.Context, keys string) (all []gate.Action, err error) {
	there, err := g.Gate.Store.List(ctx, gate.Query{Keys: []string{keys + "*"}})
	for _, a := range there {
		// In a pattern a star of the group's own name stands for more.
		if strings.HasPrefix(a.IdempotencyKey, keys) {
			all = append(all, a)
		}
	}
	return all, err
}

// Note logs a decision on the event in the journal.
func (g *Door) Note(ctx context.Context, e Event, decision, reason string) error {
	return g.Gate.NoteLifecycle(ctx, KeysOf(e, e.Kind), decision, reason)
}

// Undo takes back all steps whose keys begin so, last first. One whose run was cut off is executed
// again before, which finds out what is so: an undo needs to know what was there before. What was
// not begun is rejected.
func (g *Door) Undo(ctx context.Context, keys string) ([]Done, error) {
	if err := g.settle(ctx, keys); err != nil {
		return nil, err
	}
	ids, leftOut, err := g.inForce(ctx, keys)
	if err != nil {
		return nil, err
	}
	var all []Done
	for _, o := range leftOut {
		all = append(all, undoneOf(o))
	}
	outcomes, err := g.Gate.Rollback(ctx, ids, gate.Options{KeepGoing: true})
	for _, o := range outcomes {
		all = append(all, undoneOf(o))
	}
	return all, err
}

// settle executes what was cut off, and rejects what was not begun.
func (g *Door) settle(ctx context.Context, keys string) error {
	there, err := g.under(ctx, keys)
	if err != nil {
		return err
	}
	var cut, open []int64
	for _, a := range there {
		switch {
		case a.Status == gate.Running || a.MayHaveChanged && a.Status == gate.Failed && !tellsPrior(a):
			cut = append(cut, a.ID)
		case a.Status == gate.Pending || a.Status == gate.Approved:
			open = append(open, a.ID)
		}
	}
	_, err = g.Gate.Reject(ctx, open, gate.Rejecting{By: g.Gate.Actor,
		Reason: "the launch that it was part of is undone"})
	if err != nil || len(cut) == 0 {
		return err
	}
	// How it comes out, its undo tells.
	_, err = g.Gate.Execute(ctx, cut, gate.Options{KeepGoing: true})
	return err
}

// tellsPrior reports whether an action told what was there before it.
func tellsPrior(a gate.Action) bool {
	for name := range a.Observed {
		if strings.HasPrefix(name, protocol.PriorPrefix) {
			return true
		}
	}
	return false
}

// undoneOf is how the undo of an action came out.
func undoneOf(o gate.Outcome) Done {
	key := o.Action.IdempotencyKey
	d := Done{Step: key[strings.LastIndexByte(key, '/')+1:], Key: key + protocol.UndoKeySuffix}
	return d.from([]gate.Outcome{o})
}
