package gate

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

// Rollback undoes actions, in the reverse order of their execution.
func (g *Gate) Rollback(ctx context.Context, ids []int64, opt Options) ([]Outcome, error) {
	if g.Store.ReadOnly() {
		return nil, ErrReadOnly
	}
	ids, err := g.lastFirst(context.WithoutCancel(ctx), ids)
	if err != nil {
		return nil, err
	}
	if !opt.KeepGoing {
		if refused, err := g.foresee(ctx, ids, g.mayRollBack, "rollback"); err != nil ||
			len(refused) > 0 {
			return refused, err
		}
	}
	opt.Parallel = 1
	return g.run(ctx, ids, opt, g.rollBack)
}

// RollbackDryRun asks the executor what undoing would do now, and changes nothing.
func (g *Gate) RollbackDryRun(ctx context.Context, ids []int64, opt Options) ([]Outcome, error) {
	ids, err := g.lastFirst(ctx, ids)
	if err != nil {
		return nil, err
	}
	opt.Parallel = 1
	return g.run(ctx, ids, opt, func(ctx context.Context, a Action, _ int) (Outcome, error) {
		a = g.withUndo(a)
		reasons, err := g.undoable(ctx, a)
		if err != nil {
			return Outcome{}, err
		}
		if g.Policy == nil {
			reasons = append(reasons, noPolicy()...)
		} else if a.Undo != nil {
			reasons = append(reasons, g.Policy.Subject(g.undoSubject(a))...)
			reasons = append(reasons, g.pinned(ctx, a.Provider)...)
		}
		if len(reasons) > 0 {
			return g.deny(ctx, a, "rollback dry-run", reasons)
		}
		return g.dryRun(ctx, a, EventRollbackDryRun, a.undoRequest(protocol.DryRun))
	})
}

// UndoRequests prepares the requests that would undo actions, last executed first. It needs no
// policy and asks nobody.
func (g *Gate) UndoRequests(
	ctx context.Context,
	ids []int64,
	mode protocol.Mode,
) ([]protocol.Request, error) {
	ids, err := g.lastFirst(ctx, ids)
	if err != nil {
		return nil, err
	}
	var requests []protocol.Request
	var reasons []string
	for _, id := range ids {
		a, err := g.Store.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		a = g.withUndo(a)
		against, err := g.undoable(ctx, a)
		if err != nil {
			return nil, err
		}
		if len(against) > 0 {
			reasons = append(reasons, protocol.Quote(a.IdempotencyKey)+": "+against.Error())
			continue
		}
		requests = append(requests, a.undoRequest(mode))
	}
	if len(reasons) > 0 {
		return nil, &Refusal{What: "undo", Reasons: reasons}
	}
	return requests, nil
}

// InForce lists the actions that the query asks for and that have something to roll back. It tells
// of each that may have changed something and is left out why it is. Of one that is not as the log
// left it nobody knows.
func (g *Gate) InForce(ctx context.Context, q Query) (ids []int64, leftOut []Outcome, err error) {
	q.Checked = true
	all, err := g.Store.List(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range all {
		var reasons policy.Denial
		switch {
		case a.MayHaveChanged || a.Status == Running:
			a = g.withUndo(a)
			reasons, err = g.undoable(ctx, a)
		case a.Altered != "":
			reasons = intact(a)
		case !slices.Contains(Statuses(), a.Status):
			reasons, err = g.undoable(ctx, a)
		default:
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if len(reasons) == 0 {
			ids = append(ids, a.ID)
			continue
		}
		o, err := g.deny(ctx, a, "rollback", reasons)
		if err != nil {
			return nil, nil, err
		}
		leftOut = append(leftOut, o)
	}
	return ids, leftOut, nil
}

// withUndo adds the undo that the verb itself names: another program's journal may leave it out.
func (g *Gate) withUndo(a Action) Action {
	if verb, ok := g.Registry.Resolve(a.Request(protocol.Execute)); ok && a.Undo == nil &&
		verb.Undo != "" {
		a.Undo = &Undo{Action: verb.Undo}
	}
	return a
}

// LastFirst puts actions in the order in which Rollback undoes them.
func (g *Gate) LastFirst(ctx context.Context, ids []int64) ([]int64, error) {
	return g.lastFirst(ctx, ids)
}

// lastFirst puts actions in the reverse order of their execution: by the log, since a clock may
// have been set back; where there is none, as in a core's journal, by the time.
func (g *Gate) lastFirst(ctx context.Context, ids []int64) ([]int64, error) {
	type run struct {
		Action
		last int64
	}
	runs := make([]run, len(ids))
	var unknown []string
	for i, id := range ids {
		a, err := g.Store.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		runs[i] = run{a, g.lastRun(ctx, id)}
		if at := a.Unreadable["executedAt"]; at != "" && runs[i].last == 0 {
			unknown = append(
				unknown,
				protocol.Quote(
					a.IdempotencyKey,
				)+": when it was executed can't be read ("+protocol.Quote(
					at,
				)+"): name it alone",
			)
		}
	}
	if len(unknown) > 0 && len(ids) > 1 {
		return nil, &Refusal{
			What:    "undoing several in the reverse order of their execution",
			Reasons: unknown,
		}
	}
	slices.SortStableFunc(runs, func(a, b run) int {
		return cmp.Or(
			cmp.Compare(b.last, a.last),
			b.ExecutedAt.Compare(a.ExecutedAt),
			cmp.Compare(b.ID, a.ID),
		)
	})
	ordered := make([]int64, len(ids))
	for i, r := range runs {
		ordered[i] = r.ID
	}
	return slices.Compact(ordered), nil
}

// lastRun is the number of the latest event of an action's execution; 0 when the log tells of none.
// An event that can't be read keeps nothing from being undone: whether the action is as the log
// left it is looked at by itself.
func (g *Gate) lastRun(ctx context.Context, id int64) (last int64) {
	for _, kind := range []EventKind{EventClaimed, EventResult, EventNoResult} {
		events, err := g.Store.Events(ctx, EventQuery{ActionID: id, Kind: kind, Newest: true, Limit: 1})
		if err == nil && len(events) > 0 {
			last = max(last, events[0].Seq)
		}
	}
	return last
}

// undoable says why an action can't be undone, or why there is nothing to undo. Of one whose run
// was cut off nobody knows what it changed: the undo finds out.
func (g *Gate) undoable(ctx context.Context, a Action) (policy.Denial, error) {
	busy, err := g.atWork(ctx, a)
	if err != nil {
		return nil, err
	}
	reasons := append(intact(a), busy...)
	switch {
	case a.Status == Running && (a.Claim == nil || len(busy) > 0):
		reasons = append(reasons, against("status", "it is running; wait for its end")...)
	case a.Status == Running:
	case a.MayHaveChanged:
	case !slices.Contains(Statuses(), a.Status):
		reasons = append(
			reasons,
			against(
				"status",
				"it is %s, which only the program that wrote it can explain",
				protocol.Quote(string(a.Status)),
			)...)
	case a.Status == Failed:
		reasons = append(reasons, against("status", "it failed and changed nothing")...)
	default:
		reasons = append(
			reasons,
			against("status", "it is %s: there is nothing to roll back", a.Status)...)
	}
	if a.Undo == nil {
		reasons = append(reasons, against("undo", "%s can't be undone", a.Plan.Action)...)
	}
	return reasons, nil
}

// mayRollBack decides whether an action may be undone now.
func (g *Gate) mayRollBack(ctx context.Context, a Action, begun int) (policy.Denial, error) {
	reasons, err := g.undoable(ctx, a)
	if err != nil {
		return nil, err
	}
	switch {
	case g.Policy == nil:
		return append(reasons, noPolicy()...), nil
	case a.Undo == nil:
		return reasons, nil
	}
	return slices.Concat(
		reasons,
		g.Policy.Subject(g.undoSubject(a)),
		g.Policy.Execution(g.Now(), begun),
		g.pinned(ctx, a.Provider),
	), nil
}

func (g *Gate) rollBack(ctx context.Context, a Action, begun int) (Outcome, error) {
	lasting := context.WithoutCancel(ctx)
	h, _, err := g.history(lasting, a)
	if err != nil {
		return notBegun(ctx, a), err
	}
	held, reasons, err := g.claim(lasting, a, begun, ToRollBack, g.mayRollBack)
	if err != nil {
		return notBegun(ctx, a), err
	}
	if len(reasons) > 0 {
		return g.deny(lasting, held.Action, "rollback", reasons)
	}
	request := held.undoRequest(protocol.Execute)
	request.Approvals = carried(h.Approvals)
	result, err := g.runClaimed(ctx, held, request)
	o, err := g.recordRollback(lasting, held.Action, result, err)
	return asInterrupted(ctx, o), err
}

// recordRollback writes down what became of an undo. The facts of the action stay. An undo that
// found other actions to count on the value is done with: the last of them restores it.
func (g *Gate) recordRollback(
	ctx context.Context,
	a Action,
	result protocol.Result,
	runErr error,
) (Outcome, error) {
	claimed := a
	a.Claim = nil
	o := outcome(a, result)
	data := resultData(protocol.Execute, a.Digest(), result)
	var kind EventKind
	var notStarted *NotStarted
	switch {
	case runErr != nil:
		what := "rollback: no result: " + runErr.Error() + "; whether anything was changed is not " +
			"known: roll it back again, which finds out"
		if errors.As(runErr, &notStarted) {
			what = "rollback: " + runErr.Error()
		}
		if !errors.Is(runErr, context.Canceled) || notStarted == nil {
			a.Error = what
		}
		o = Outcome{Verdict: Unsuccessful, Message: what, NotStarted: notStarted != nil}
		kind, data = EventRollbackFailed, map[string]any{"error": runErr.Error()}
	case len(o.Reasons) > 0:
		kind, data["what"], data["reasons"] = EventDenied, "rollback", texts(o.Reasons)
	case result.Status.Status == protocol.Failed:
		a.Error = "rollback: " + o.Message
		kind = EventRollbackFailed
	default:
		a.Status, a.Error, a.MayHaveChanged = RolledBack, "", false
		a.ResultMessage = strings.TrimSpace("rolled back: " + result.Status.Message)
		if result.Status.Status == protocol.Skipped {
			a.ResultMessage = "rolled back, nothing to restore: " + result.Status.Message
		}
		o.Message = a.ResultMessage
		kind = EventRolledBack
	}
	data["became"] = string(a.Status)
	return g.finish(ctx, claimed, a, kind, data, o)
}
