package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

// Adoptable lists the actions of a core's journal that have something to roll back, as Adopt takes
// them. It tells of each other one that may have changed something why it is left out.
func (g *Gate) Adoptable(
	ctx context.Context, core Store,
) (adoptable []Action, leftOut []Outcome, err error) {
	there := *g
	there.Store = core
	ids, leftOut, err := there.InForce(ctx, Query{})
	if err != nil {
		return nil, nil, err
	}
	for _, id := range ids {
		a, err := core.Get(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		a = g.withUndo(a)
		if reasons := g.mayAdopt(a); len(reasons) > 0 {
			leftOut = append(leftOut, refusedAdoption(a, reasons))
			continue
		}
		adoptable = append(adoptable, a)
	}
	return adoptable, leftOut, nil
}

// mayAdopt says why an action of a core can't be rolled back from here.
func (g *Gate) mayAdopt(a Action) policy.Denial {
	if a.Provider != g.Provider {
		return against("provider", "it is %s, and only %s is taken",
			protocol.Quote(a.Provider), protocol.Quote(g.Provider))
	}
	var reasons policy.Denial
	if at := a.Unreadable["executedAt"]; at != "" {
		reasons = against("executedAt",
			"when it was executed can't be read (%s), and so not what came after it",
			protocol.Quote(at))
	}
	r := a.undoRequest(protocol.Execute)
	faults := protocol.Validate(r)
	verb, known := g.Registry.Resolve(r)
	if !known {
		return append(reasons, against("undo", "%s is no action here", protocol.Quote(r.Action))...)
	}
	_, more := g.Registry.Check(verb, r)
	for _, f := range append(faults, more...) {
		path := strings.TrimPrefix(f.Path, "spec.")
		reasons = append(reasons, policy.Reason{Field: "undo", Text: path + ": " + f.Reason})
	}
	return reasons
}

func refusedAdoption(a Action, reasons policy.Denial) Outcome {
	return Outcome{
		Action: a, Verdict: Refused, Message: "not taken: " + reasons.Error(), Reasons: reasons,
	}
}

// Adopt takes actions that a core's journal has in force into this one, where they can be rolled
// back. Their facts are what the core has; nobody approved them here. A key that is there already
// stays as it is, and is told where it is another plan's. The core's journal is not written to.
func (g *Gate) Adopt(ctx context.Context, actions []Action, source string) ([]Outcome, error) {
	return g.untilUnchanged(func() ([]Outcome, error) { return g.adoptOnce(ctx, actions, source) })
}

// untilUnchanged writes to the journal, again where another process was faster.
func (g *Gate) untilUnchanged(write func() ([]Outcome, error)) ([]Outcome, error) {
	if g.Store.ReadOnly() {
		return nil, ErrReadOnly
	}
	for range attempts {
		outcomes, err := write()
		if !errors.Is(err, ErrChanged) {
			return outcomes, err
		}
	}
	return nil, ErrChanged
}

// CloseUndone closes the actions taken from a core's journal that the core has rolled back itself
// since: to undo them again might take away what came after. What was executed here since it was
// taken stays as it is.
func (g *Gate) CloseUndone(ctx context.Context, core Store, source string) ([]Outcome, error) {
	undone, err := core.List(ctx, Query{Statuses: []Status{RolledBack}})
	if err != nil || len(undone) == 0 {
		return nil, err
	}
	return g.untilUnchanged(func() ([]Outcome, error) { return g.closeOnce(ctx, undone, source) })
}

func (g *Gate) closeOnce(ctx context.Context, undone []Action, source string) ([]Outcome, error) {
	var changes []Change
	for _, u := range undone {
		a, err := g.Store.Find(ctx, u.IdempotencyKey)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		taken, err := g.isOnlyTaken(ctx, a)
		if err != nil {
			return nil, err
		}
		if !taken || a.Digest() != g.withUndo(u).Digest() {
			continue
		}
		a.Status, a.Error, a.MayHaveChanged = RolledBack, "", false
		a.ResultMessage = "the core rolled it back itself"
		data := map[string]any{"source": source, "message": a.ResultMessage, "became": string(a.Status)}
		changes = append(changes, Change{Action: a, Event: g.event(EventRolledBack, a, data)})
	}
	closed, err := g.Store.Apply(ctx, changes...)
	outcomes := make([]Outcome, len(closed))
	for i, a := range closed {
		outcomes[i] = Outcome{Action: a, Verdict: Done, Message: a.ResultMessage}
	}
	return outcomes, err
}

// isOnlyTaken reports whether an action in force was taken from a core's journal, and nobody has
// executed it here or is at work on it.
func (g *Gate) isOnlyTaken(ctx context.Context, a Action) (bool, error) {
	if !a.MayHaveChanged || a.Claim != nil || len(intact(a)) > 0 {
		return false, nil
	}
	history, err := g.Store.History(ctx, a.ID)
	if err != nil || len(history) == 0 || history[0].Kind != EventAdopted {
		return false, err
	}
	isExecution := func(e Event) bool { return e.Kind == EventClaimed }
	return !slices.ContainsFunc(history, isExecution), nil
}

func (g *Gate) adoptOnce(ctx context.Context, actions []Action, source string) ([]Outcome, error) {
	outcomes := make([]Outcome, len(actions))
	var changes []Change
	var changed []int
	for i, a := range actions {
		there, err := g.Store.Find(ctx, a.IdempotencyKey)
		switch {
		case errors.Is(err, ErrNotFound):
			changes, changed = append(changes, g.adoption(a, source)), append(changed, i)
		case err != nil:
			return nil, err
		case len(intact(there)) > 0:
			outcomes[i] = refusedAdoption(there, intact(there))
		case there.Digest() != a.Digest():
			outcomes[i] = refusedAdoption(there,
				against("idempotencyKey", "the key is there already, with another plan"))
		default:
			outcomes[i] = Outcome{Action: there, Verdict: Done, Message: "there already"}
		}
	}
	taken, err := g.Store.Apply(ctx, changes...)
	if err != nil {
		return nil, err
	}
	for n, i := range changed {
		outcomes[i] = Outcome{Action: taken[n], Verdict: Done, Message: "taken, to be rolled back"}
	}
	return outcomes, nil
}

// adoption is the write that takes an action of a core.
func (g *Gate) adoption(a Action, source string) Change {
	taken := Action{
		Source: a.Source, Plan: a.Plan, Status: a.Status,
		ApprovedBy: a.ApprovedBy, ApprovedAt: a.ApprovedAt,
		ExecutedAt: a.ExecutedAt, ResultMessage: a.ResultMessage, Error: a.Error,
		Observed: a.Observed, MayHaveChanged: true, Imported: g.Now(),
	}
	data := map[string]any{
		"digest": taken.Digest(), "source": source, "idThere": fmt.Sprint(a.ID),
		"status": string(a.Status), "action": a.Plan.Action, "target": a.Target,
		"observed": full(a.Observed),
	}
	return Change{Action: taken, Event: g.event(EventAdopted, taken, data)}
}
