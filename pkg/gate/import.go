package gate

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	return g.Importing(PlansOf(plans), source, requeue).all(ctx)
}

// Importing is Import of plans that may be very many, step by step. It uses the plans up: the
// caller does not look at them any more.
func (g *Gate) Importing(plans *Plans, source string, requeue bool) *Importing {
	return &Importing{gate: g, source: source, requeue: requeue, plans: plans}
}

// Importing is an import: how it is asked for, and what it comes to.
type Importing struct {
	gate    *Gate
	source  string
	requeue bool
	// run is the process whose run the plans are part of, or nil.
	run *Process
	// plans are those to be checked, nil once they were. The good ones are completed then, and places
	// are those that they had among all; wrong is what is wrong with the others.
	plans  *Plans
	good   Plans
	places []int
	wrong  []string

	reasons   []string
	decisions []decision
	// before are the events that are logged before a decision's, by its place.
	before map[int][]Event
	// selections are those of the plans, by their digests.
	selections map[string]*importedSelection
}

// decision is what becomes of a plan. Of very many plans it has to be small.
type decision struct {
	// plan is the plan's place among the good ones.
	plan int
	// there is the action that has the key, as it is to be; nil where there is none.
	there *Action
	// kind is empty where nothing is changed.
	kind EventKind
	at   time.Time

	// What the journal gave the action as it was written.
	id, revision     int64
	created, updated time.Time
}

// Check refuses what is wrong with the plans whatever is in the journal. It looks once.
func (im *Importing) Check(ctx context.Context) error {
	if im.plans != nil {
		im.check(ctx)
		im.plans, im.wrong = nil, im.reasons
	}
	if len(im.wrong) == 0 {
		return nil
	}
	return im.refusal()
}

// Do imports until nobody else writes in between.
func (im *Importing) Do(ctx context.Context) error {
	if im.gate.Store.ReadOnly() {
		return ErrReadOnly
	}
	err := ErrChanged
	for n := 0; n < attempts && errors.Is(err, ErrChanged); n++ {
		err = im.once(ctx)
	}
	if err != nil && !IsRefusal(err) {
		im.decisions = nil
	}
	return err
}

// Outcomes are what became of the plans, in their order; after a refusal, what would have become of
// those that are not refused. They are made as they are asked for.
func (im *Importing) Outcomes(yield func(Outcome) bool) {
	messages := map[EventKind]string{
		"": "there already", EventImported: "imported", EventRequeued: "requeued",
	}
	for _, d := range im.decisions {
		a := im.action(d)
		if d.revision > 0 {
			a.ID, a.Revision, a.CreatedAt, a.UpdatedAt = d.id, d.revision, d.created, d.updated
		}
		if !yield(Outcome{Action: a, Verdict: Done, Message: messages[d.kind]}) {
			return
		}
	}
}

// all imports, and returns all outcomes.
func (im *Importing) all(ctx context.Context) ([]Outcome, error) {
	err := im.Do(ctx)
	return slices.Collect(im.Outcomes), err
}

// once imports, or says that somebody else wrote in between.
func (im *Importing) once(ctx context.Context) error {
	// What is refused whatever is in the journal is told with the rest.
	_ = im.Check(ctx)
	im.reasons, im.before = slices.Clone(im.wrong), map[int][]Event{}
	im.decisions = make([]decision, 0, im.good.Len())
	if err := im.checkSelections(ctx); err != nil {
		return err
	}
	for from := 0; from < im.good.Len(); from += foundAtOnce {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := im.addAll(ctx, from, min(from+foundAtOnce, im.good.Len())); err != nil {
			return err
		}
	}
	if len(im.reasons) > 0 {
		return im.gate.RefuseImport(ctx, im.source, im.refusal())
	}
	return im.apply(ctx)
}

// apply writes what was decided.
func (im *Importing) apply(ctx context.Context) error {
	var changed []int
	for i, d := range im.decisions {
		if d.kind != "" {
			changed = append(changed, i)
		}
	}
	return im.gate.Store.ApplyEach(ctx, len(changed),
		func(n int) Change { return im.change(changed[n]) },
		func(n int, a Action) {
			d := &im.decisions[changed[n]]
			d.id, d.revision, d.created, d.updated = a.ID, a.Revision, a.CreatedAt, a.UpdatedAt
		},
	)
}

// CheckPlans refuses what Import would refuse whatever is in the journal.
func (g *Gate) CheckPlans(plans []Plan) error {
	return g.Importing(PlansOf(plans), "", false).Check(context.Background())
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

func (im *Importing) refuse(format string, args ...any) {
	im.reasons = append(im.reasons, fmt.Sprintf(format, args...))
}

func (im *Importing) refusal() *Refusal { return &Refusal{What: "import", Reasons: im.reasons} }

// check refuses what is wrong with the plans, and completes the others.
func (im *Importing) check(ctx context.Context) {
	names := map[string]bool{}
	seen := make(map[string]int, im.plans.Len())
	for i := range im.plans.Len() {
		Step(ctx)
		p := im.plans.At(i)
		names[p.Provider] = true
		if faults := im.gate.complete(&p); len(faults) > 0 {
			im.refuse("%s: %s", called(i, p.IdempotencyKey), strings.Join(faults, "; "))
			continue
		}
		if reasons := im.gate.notAsSelected(ctx, p); len(reasons) > 0 {
			im.refuse("%s: %s", called(i, p.IdempotencyKey), reasons.Error())
			continue
		}
		if first, twice := seen[p.IdempotencyKey]; twice {
			im.refuse("%s: the key is that of plan %d too", called(i, p.IdempotencyKey), first+1)
			continue
		}
		seen[p.IdempotencyKey] = i
		p.Lines = nil
		im.good.Add(p)
		im.places = append(im.places, i)
	}
	if len(names) > 1 {
		im.reasons = slices.Insert(im.reasons, 0, fmt.Sprintf(
			"plans of several providers (%s); import each provider's on its own",
			strings.Join(slices.Sorted(maps.Keys(names)), ", ")))
	}
}

// called is how a plan is named where it is refused: by its place among the others, from 1.
func called(i int, key string) string {
	return fmt.Sprintf("plan %d (%s)", i+1, protocol.Quote(key))
}

// called is how a good plan is named where it is refused.
func (im *Importing) called(plan int) string {
	return called(im.places[plan], im.good.Key(plan))
}

// foundAtOnce is how many keys are looked for at once.
const foundAtOnce = 256

// addAll decides on the plans from one place to before another.
func (im *Importing) addAll(ctx context.Context, from, to int) error {
	q := Query{Checked: true}
	for i := from; i < to; i++ {
		q.Only = append(q.Only, im.good.Key(i))
	}
	found, err := im.gate.Store.List(ctx, q)
	if err != nil {
		return err
	}
	there := make(map[string]*Action, len(found))
	for i := range found {
		there[found[i].IdempotencyKey] = &found[i]
	}
	for i := from; i < to; i++ {
		Step(ctx)
		a, ok := there[im.good.Key(i)]
		if !ok {
			im.decide(i, nil, EventImported)
		} else if err := im.add(ctx, i, a); err != nil {
			return err
		}
	}
	return nil
}

// add decides on a plan whose key is there.
func (im *Importing) add(ctx context.Context, plan int, there *Action) error {
	switch {
	case len(intact(*there)) > 0:
		im.refuse("%s: action %d: %s", im.called(plan), there.ID, intact(*there).Error())
	case im.requeue:
		busy, err := im.gate.atWork(ctx, *there)
		if err != nil {
			return err
		}
		im.again(there, plan, busy)
	case there.Digest() != im.good.At(plan).Digest():
		im.refuse(
			"%s: the key is there already, as action %d (%s), with another plan; --requeue replaces it",
			im.called(plan),
			there.ID,
			there.Status,
		)
	default:
		im.decide(plan, there, "")
	}
	return nil
}

// again puts an action back to pending.
func (im *Importing) again(there *Action, plan int, busy policy.Denial) {
	refuse := func(format string, args ...any) {
		im.refuse("%s: action %d "+format, append([]any{im.called(plan), there.ID}, args...)...)
	}
	p := im.good.At(plan)
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
	there.Plan, there.Source = p, im.source
	there.ApprovedBy, there.ApprovedAt = "", time.Time{}
	im.decide(plan, there, EventRequeued)
}

// decide notes what becomes of a plan.
func (im *Importing) decide(plan int, there *Action, kind EventKind) {
	if kind != "" {
		if events := im.selectedFirst(im.good.Selected(plan)); len(events) > 0 {
			im.before[len(im.decisions)] = events
		}
	}
	im.decisions = append(im.decisions, decision{plan: plan, there: there, kind: kind,
		at: im.gate.Now()})
}

// action is the action that a decision makes, without what the journal gives it.
func (im *Importing) action(d decision) Action {
	var a Action
	if d.there != nil {
		a = *d.there
	} else {
		a = Action{Source: im.source, Plan: im.good.At(d.plan), Status: Pending}
	}
	if d.kind != "" {
		a.Imported = d.at
	}
	return a
}

// change is the write that a decision takes.
func (im *Importing) change(at int) Change {
	d := im.decisions[at]
	a := im.action(d)
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
	event := im.gate.event(d.kind, a, data)
	event.At = d.at
	return Change{Action: a, Event: event, Before: im.before[at]}
}
