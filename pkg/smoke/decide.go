package smoke

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/view"
)

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// prepareFallback has what is done without a decision approved together with the run, and asks the
// executor whether it could be carried out. It refuses to begin where that is not so.
func (r *run) prepareFallback(ctx context.Context) (string, error) {
	var err error
	if r.fallback, err = r.importPlans(ctx, r.Fallback); err != nil {
		return "", err
	}
	var instances []string
	for _, p := range r.Fallback {
		instances = append(instances, p.Target["instanceRef"])
		if err := r.areTheLabs(ctx, p.Target["region"], []string{p.Target["instanceRef"]}); err != nil {
			return "", err
		}
	}
	outcomes, err := r.Gate.DryRun(ctx, r.fallback, gate.Options{KeepGoing: true})
	if err != nil {
		return "", err
	}
	var cards []view.Card
	for _, o := range outcomes {
		if o.Verdict != gate.Done || o.Result == nil {
			return "", errors.New(o.Message)
		}
		plan, undo, err := told(o.Result.Status.Observed)
		if err != nil {
			return "", stop(StopNoUndo, "of %s: %v", protocol.Quote(o.Action.IdempotencyKey), err)
		}
		cards = append(cards, r.card(o, plan, undo))
	}
	question := fmt.Sprintf("If nobody decides within %s, stop %s?", r.MaxDecisionWait,
		strings.Join(instances, ", "))
	if err := r.decide(ctx, r.fallback, question, cards); err != nil {
		return "", err
	}
	return fmt.Sprintf("after %s without a decision: stop %s; approved by %s", r.MaxDecisionWait,
		strings.Join(instances, ", "), r.approvers(ctx, r.fallback)), nil
}

// approvers are those who approved, each with what that rests on.
func (r *run) approvers(ctx context.Context, ids []int64) string {
	var all []string
	for _, id := range ids {
		a, err := r.Gate.Store.Get(ctx, id)
		if err == nil && a.ApprovedBy != "" && !slices.Contains(all, a.ApprovedBy) {
			all = append(all, a.ApprovedBy)
		}
	}
	if len(all) == 0 {
		// No policy asks for an approval, so nobody's is kept in the row.
		return policy.Approval{By: r.By}.Named()
	}
	return strings.Join(all, ", ")
}

// signedFor is for how long a signed approval holds beyond the waiting. The undo's has no end.
const signedFor = 24 * time.Hour

// approve has the plan approved, by as many people as the policy asks for.
func (r *run) approve(ctx context.Context) (string, error) {
	if err := r.decide(ctx, r.ids, "Carry this out, and roll it back?", r.cards); err != nil {
		return "", err
	}
	return "by " + r.approvers(ctx, r.ids), nil
}

// decide asks a person, notes the yes, and waits for the others that the policy asks for.
func (r *run) decide(
	ctx context.Context, ids []int64, question string, shown []view.Card,
) error {
	ctx, cancel := r.waiting(ctx)
	defer cancel()
	if err := r.ask(ctx, question, shown); err != nil {
		return err
	}
	outcomes, err := r.Gate.ApproveWith(ctx, ids, gate.Approving{
		By: r.By, Sign: r.Sign, Holds: signedFor + r.MaxDecisionWait,
	})
	if err != nil {
		return err
	}
	for _, o := range outcomes {
		if o.Verdict != gate.Done {
			return errors.New(o.Message)
		}
	}
	for {
		missing, err := r.unapproved(ctx, ids)
		if err != nil || len(missing) == 0 {
			return err
		}
		if err := r.Wait(ctx, pause); err != nil {
			return fmt.Errorf("%s waits for another person's approval: %w", names(missing), ended(ctx))
		}
	}
}

// unapproved are the actions that still wait for somebody. One that is neither is refused.
func (r *run) unapproved(ctx context.Context, ids []int64) ([]int64, error) {
	var missing []int64
	for _, id := range ids {
		a, err := r.Gate.Store.Get(context.WithoutCancel(ctx), id)
		switch {
		case err != nil:
			return nil, err
		case a.Status == gate.Pending:
			missing = append(missing, id)
		case a.Status != gate.Approved:
			return nil, fmt.Errorf("the action %d became %s while it waited: %w", id, a.Status,
				ErrDeclined)
		}
	}
	return missing, nil
}

// waiting bounds a context by the time that a person is waited for.
func (r *run) waiting(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.MaxDecisionWait <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, r.MaxDecisionWait, ErrNoDecision)
}

// ended is why a waiting ended.
func ended(ctx context.Context) error { return context.Cause(ctx) }

func (r *run) ask(ctx context.Context, question string, shown []view.Card) error {
	if r.Ask == nil {
		return nil
	}
	yes, err := r.Ask(ctx, question, shown)
	switch {
	case ctx.Err() != nil:
		return ended(ctx)
	case err != nil:
		return err
	case !yes:
		return ErrDeclined
	}
	return nil
}

// hold waits for a person to say that the rollback may begin.
func (r *run) hold(ctx context.Context) (string, error) {
	ctx, cancel := r.waiting(ctx)
	defer cancel()
	err := r.ask(ctx, "It is in force. Roll it back now?", nil)
	if errors.Is(err, ErrDeclined) {
		// There is no other end of a run.
		return "told to stay, and rolled back all the same: a run leaves nothing in force", nil
	}
	if err != nil {
		return "", err
	}
	return "told to roll back", nil
}

// undecided takes the fallback where nobody decided.
func (r *run) undecided(ctx context.Context, err error) error {
	if !errors.Is(err, ErrNoDecision) || len(r.fallback) == 0 {
		return err
	}
	if missing, unread := r.unapproved(ctx, r.fallback); unread != nil || len(missing) > 0 {
		// The fallback itself is what nobody decided on.
		return err
	}
	ids := r.fallback
	r.fallback = nil
	stopped := r.take(ctx, []step{{StepFallback + "-taken",
		func(ctx context.Context) (string, error) { return r.fallBack(ctx, ids) }}})
	return errors.Join(err, stopped)
}

// fallBack stops the lab's instances.
func (r *run) fallBack(ctx context.Context, ids []int64) (string, error) {
	r.out.FellBack = true
	r.out.Next = append(r.out.Next,
		"actionctl rollback"+list(ids)+"   # starts the instances again")
	outcomes, err := r.carryOut(ctx, ids)
	for _, o := range outcomes {
		if err == nil && o.Verdict != gate.Done {
			err = errors.New(o.Message)
		}
	}
	if err != nil {
		r.out.Left = append(r.out.Left, "the lab may still run: "+err.Error())
		r.out.Next = append(r.out.Next, "actionctl lab cost --tag "+r.Lab.String())
		return "", err
	}
	return "nobody decided: the lab's instances are stopped", nil
}

func list(ids []int64) string {
	var b strings.Builder
	for _, id := range ids {
		fmt.Fprint(&b, " ", id)
	}
	return b.String()
}

// withdraw rejects what was imported and not carried out: nobody is to approve or to execute it
// later. It returns what may stand all the same.
func (r *run) withdraw(ctx context.Context, why error) (left []string) {
	said := briefly(why)
	if ctx.Err() != nil {
		said = "it was interrupted"
	}
	ctx = context.WithoutCancel(ctx)
	for _, id := range r.imported {
		a, err := r.Gate.Store.Get(ctx, id)
		open := a.Status == gate.Pending || a.Status == gate.Approved
		if err == nil && open && !a.MayHaveChanged {
			err = r.reject(ctx, id, "the run ended without it: "+said)
		}
		if err != nil {
			left = append(left, fmt.Sprintf("the action %d may still be approved and executed: %v",
				id, err))
		}
	}
	return left
}

// reject has an action end as rejected.
func (r *run) reject(ctx context.Context, id int64, reason string) error {
	outcomes, err := r.Gate.Reject(ctx, []int64{id},
		gate.Rejecting{By: r.Gate.Actor, Reason: reason})
	if err == nil && outcomes[0].Verdict != gate.Done {
		err = errors.New(outcomes[0].Message)
	}
	return err
}

// briefly is why a run ended, in words of this program alone: the journal keeps it for good.
func briefly(err error) string {
	var s *Stopped
	switch {
	case err == nil:
		return "it was not needed"
	case errors.As(err, &s):
		return "hard stop " + s.Name
	case errors.Is(err, ErrDeclined):
		return ErrDeclined.Error()
	case errors.Is(err, ErrNoDecision):
		return ErrNoDecision.Error()
	}
	return "a step of it failed"
}
