package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

// Import takes plans into the journal, all or none. A key is there once: the same plan again
// changes nothing. With requeue, an action that is not running and not in force goes back to
// pending, with the plan as it is now and its facts kept; it has to be approved anew. What failed
// and may have changed something stays so, and keeps its plan.
//
// With a refusal it returns what would have become of the plans that are not refused.
func (g *Gate) Import(
	ctx context.Context,
	plans []Plan,
	source string,
	requeue bool,
) ([]Outcome, error) {
	return g.importAll(ctx, plans, importing{Gate: g, source: source, requeue: requeue})
}

// importAll imports until nobody else writes in between.
func (g *Gate) importAll(ctx context.Context, plans []Plan, im importing) ([]Outcome, error) {
	if g.Store.ReadOnly() {
		return nil, ErrReadOnly
	}
	for range attempts {
		outcomes, err := im.once(ctx, plans)
		if !errors.Is(err, ErrChanged) {
			return outcomes, err
		}
	}
	return nil, ErrChanged
}

// once imports, or says that somebody else wrote in between.
func (im importing) once(ctx context.Context, plans []Plan) ([]Outcome, error) {
	good := im.check(ctx, plans)
	if err := im.checkSelections(ctx, good); err != nil {
		return nil, err
	}
	for some := range slices.Chunk(good, foundAtOnce) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := im.addAll(ctx, some); err != nil {
			return nil, err
		}
	}
	if len(im.reasons) > 0 {
		return im.outcomes, im.RefuseImport(ctx, im.source, im.refusal())
	}
	actions, err := im.Store.Apply(ctx, im.changes...)
	if err != nil {
		return nil, err
	}
	for i, j := range im.changed {
		im.outcomes[j].Action = actions[i]
	}
	return im.outcomes, nil
}

// CheckPlans refuses what Import would refuse whatever is in the journal.
func (g *Gate) CheckPlans(plans []Plan) error {
	im := importing{Gate: g}
	im.check(context.Background(), plans)
	if len(im.reasons) == 0 {
		return nil
	}
	return im.refusal()
}

// RefuseImport logs that a document was refused, and returns the refusal.
func (g *Gate) RefuseImport(ctx context.Context, source string, refusal *Refusal) error {
	if g.Store.ReadOnly() {
		return refusal
	}
	err := g.Store.Note(
		ctx,
		g.event(
			EventDenied,
			Action{},
			map[string]any{"what": "import", "source": source, "reasons": refusal.Reasons},
		),
	)
	return errors.Join(refusal, err)
}

// importing is an import: how it is asked for, and what it comes to.
type importing struct {
	*Gate
	source  string
	requeue bool
	// run is the process whose run the plans are part of, or nil.
	run      *Process
	reasons  []string
	outcomes []Outcome
	changes  []Change
	// changed says which outcome each change belongs to.
	changed []int
	// selections are those of the plans, by their digests.
	selections map[string]*importedSelection
}

func (im *importing) refuse(format string, args ...any) {
	im.reasons = append(im.reasons, fmt.Sprintf(format, args...))
}

func (im *importing) refusal() *Refusal { return &Refusal{What: "import", Reasons: im.reasons} }

// check refuses what is wrong with the plans, and returns the others, completed.
func (im *importing) check(ctx context.Context, plans []Plan) []numbered {
	if names := providers(plans); len(names) > 1 {
		im.refuse(
			"plans of several providers (%s); import each provider's on its own",
			strings.Join(names, ", "),
		)
	}
	var good []numbered
	seen := map[string]int{}
	for i, plan := range plans {
		Step(ctx)
		p := numbered{plan, i + 1}
		if faults := im.complete(&p.Plan); len(faults) > 0 {
			im.refuse("%s: %s", p.called(), strings.Join(faults, "; "))
			continue
		}
		if reasons := im.notAsSelected(ctx, p.Plan); len(reasons) > 0 {
			im.refuse("%s: %s", p.called(), reasons.Error())
			continue
		}
		if first, twice := seen[p.IdempotencyKey]; twice {
			im.refuse("%s: the key is that of plan %d too", p.called(), first)
			continue
		}
		seen[p.IdempotencyKey] = p.number
		p.Lines = nil
		good = append(good, p)
	}
	return good
}

// numbered is a plan and its place among the others, from 1.
type numbered struct {
	Plan
	number int
}

// called is how a plan is named where it is refused.
func (p numbered) called() string {
	return fmt.Sprintf("plan %d (%s)", p.number, protocol.Quote(p.IdempotencyKey))
}

// foundAtOnce is how many keys are looked for at once.
const foundAtOnce = 256

// addAll decides on several plans.
func (im *importing) addAll(ctx context.Context, plans []numbered) error {
	q := Query{Checked: true}
	for _, p := range plans {
		q.Only = append(q.Only, p.IdempotencyKey)
	}
	found, err := im.Store.List(ctx, q)
	if err != nil {
		return err
	}
	there := make(map[string]Action, len(found))
	for _, a := range found {
		there[a.IdempotencyKey] = a
	}
	for _, p := range plans {
		Step(ctx)
		a, ok := there[p.IdempotencyKey]
		if !ok {
			im.change(Action{Source: im.source, Plan: p.Plan, Status: Pending}, EventImported, "imported")
		} else if err := im.add(ctx, p, a); err != nil {
			return err
		}
	}
	return nil
}

// add decides on a plan whose key is there.
func (im *importing) add(ctx context.Context, p numbered, there Action) error {
	switch {
	case len(intact(there)) > 0:
		im.refuse("%s: action %d: %s", p.called(), there.ID, intact(there).Error())
	case im.requeue:
		busy, err := im.atWork(ctx, there)
		if err != nil {
			return err
		}
		im.again(there, p, busy)
	case there.Digest() != p.Digest():
		im.refuse(
			"%s: the key is there already, as action %d (%s), with another plan; --requeue replaces it",
			p.called(),
			there.ID,
			there.Status,
		)
	default:
		im.outcomes = append(im.outcomes, Outcome{Action: there, Verdict: Done, Message: "there already"})
	}
	return nil
}

// again puts an action back to pending.
func (im *importing) again(there Action, p numbered, busy policy.Denial) {
	refuse := func(format string, args ...any) {
		im.refuse("%s: action %d "+format, append([]any{p.called(), there.ID}, args...)...)
	}
	switch {
	case len(busy) > 0:
		refuse("is claimed: %s", busy.Error())
		return
	case there.Claim != nil:
		refuse(
			"was left in the middle (%s): do that again, which finds out what is so, or roll it back",
			there.Claim.Purpose,
		)
		return
	case there.Status == Succeeded:
		refuse("has succeeded and is in force; roll it back first")
		return
	case there.MayHaveChanged && there.Digest() != p.Digest():
		refuse("may have changed something, and this is another plan: roll it back first")
		return
	case !there.MayHaveChanged:
		there.Status = Pending
	}
	there.Plan, there.Source = p.Plan, im.source
	there.ApprovedBy, there.ApprovedAt = "", time.Time{}
	im.change(there, EventRequeued, "requeued")
}

func (im *importing) change(a Action, kind EventKind, message string) {
	a.Imported = im.Now()
	data := map[string]any{
		"digest": a.Digest(),
		"source": im.source,
		"action": a.Plan.Action,
		"target": a.Target,
	}
	for name, text := range map[string]string{"name": a.Name, "description": a.Description,
		"mode": a.Mode, "riskLevel": a.RiskLevel} {
		if text != "" {
			data[name] = text
		}
	}
	if im.run != nil {
		data["run"] = im.run.data()
	}
	im.changed = append(im.changed, len(im.outcomes))
	im.outcomes = append(im.outcomes, Outcome{Action: a, Verdict: Done, Message: message})
	im.changes = append(im.changes, Change{
		Action: a, Event: im.event(kind, a, data), Before: im.selectedFirst(a.Plan),
	})
}
