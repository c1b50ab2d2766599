package smoke

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/view"
)

// Teardown stops what of a lab still runs, by approved actions.
type Teardown struct {
	Plans []gate.Plan
	// Names are what people call the instances.
	Names map[string]string
	// By approves. Ask asks a person first; nil takes every answer for yes.
	By   string
	Gate *gate.Gate
	Ask  Asker
	// Patience is how long the provider is given to finish what it is at.
	Patience time.Duration
	Wait     func(context.Context, time.Duration) error
}

// Run describes what it would do, has it approved, and does it. The outcomes are those of each
// action. Whatever ended it, what was not carried out is rejected.
func (t Teardown) Run(ctx context.Context) ([]gate.Outcome, error) {
	r := &run{Config: Config{
		Plans: t.Plans, By: t.By, Gate: t.Gate, Ask: t.Ask, Patience: t.Patience, Wait: t.Wait,
		Source: "lab teardown",
	}, names: t.Names}
	outcomes, err := t.run(ctx, r)
	why := err
	if slices.ContainsFunc(outcomes, func(o gate.Outcome) bool { return o.Verdict != gate.Done }) {
		why = errors.Join(err, errors.New("not all went well"))
	}
	if errors.Is(err, ErrDeclined) {
		err = &gate.Refusal{What: "teardown", Reasons: []string{err.Error() + "; nothing was changed"}}
	}
	for _, left := range r.withdraw(ctx, why) {
		err = errors.Join(err, errors.New(left))
	}
	return outcomes, err
}

func (t Teardown) run(ctx context.Context, r *run) ([]gate.Outcome, error) {
	var err error
	if r.ids, err = r.importPlans(ctx, t.Plans); err != nil {
		return nil, err
	}
	outcomes, err := t.Gate.DryRun(ctx, r.ids, gate.Options{KeepGoing: true})
	if err != nil {
		return nil, err
	}
	var cards []view.Card
	for _, o := range outcomes {
		if o.Verdict != gate.Done || o.Result == nil {
			return outcomes, nil
		}
		plan, undo, err := told(o.Result.Status.Observed)
		if err != nil {
			return outcomes, fmt.Errorf("of %s: %w", protocol.Quote(o.Action.IdempotencyKey), err)
		}
		cards = append(cards, r.card(o, plan, undo))
	}
	if err := r.decide(ctx, r.ids, "Stop these?", cards); err != nil {
		return nil, err
	}
	return r.carryOut(ctx, r.ids)
}

// carryOut executes actions whatever becomes of each, until all are done or what is left can't be
// waited for. Those that are done come first.
func (r *run) carryOut(ctx context.Context, ids []int64) ([]gate.Outcome, error) {
	var done []gate.Outcome
	for end := time.Now().Add(r.Patience); ; {
		outcomes, err := r.Gate.Execute(ctx, ids, gate.Options{KeepGoing: true})
		if err != nil {
			return append(done, outcomes...), err
		}
		var rest []gate.Outcome
		under := true
		ids = nil
		for _, o := range outcomes {
			if o.Verdict == gate.Done {
				done = append(done, o)
				continue
			}
			rest, ids, under = append(rest, o), append(ids, o.Action.ID), under && isUnderWay(o)
		}
		if len(rest) == 0 || !under || time.Now().After(end) || r.Wait(ctx, pause) != nil {
			return append(done, rest...), nil
		}
	}
}
