package gate

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

// Options say how several actions are gone through.
type Options struct {
	// KeepGoing goes on after a failure or a refusal.
	KeepGoing bool
	// Parallel is how many run at once; less than 1 is 1, which keeps their order.
	Parallel int
	// Waves are how many actions each wave has, in their order. A wave begins when all of the one
	// before it has ended well. Nil is one wave.
	Waves []int
	// Begins, when not nil, is told each wave that begins, from 0.
	Begins func(wave int)
	// Begun is how many actions the same run has let through before.
	Begun int
}

// begins is the wave that an action is the first of, by its place; -1 if it is the first of none.
func (o Options) begins(place int) int {
	for wave, n := range o.Waves {
		if place == 0 {
			return wave
		}
		if place -= n; place < 0 {
			break
		}
	}
	return -1
}

// waitBefore waits for what is under way before a wave.
func (o Options) waitBefore(wave int, underWay *sync.WaitGroup) {
	if wave >= 0 {
		underWay.Wait()
	}
}

// tell says that a wave begins.
func (o Options) tell(wave int, stopped bool) {
	if wave >= 0 && !stopped && o.Begins != nil {
		o.Begins(wave)
	}
}

// Execute runs actions. Unless told to keep going, it begins nothing when one of them would be
// refused anyway, and nothing more after the first that fails.
func (g *Gate) Execute(ctx context.Context, ids []int64, opt Options) ([]Outcome, error) {
	if g.Store.ReadOnly() {
		return nil, ErrReadOnly
	}
	if !opt.KeepGoing {
		if refused, err := g.foresee(ctx, ids, g.mayExecute, "execution"); err != nil ||
			len(refused) > 0 {
			return refused, err
		}
	}
	return g.run(ctx, ids, opt, g.execute)
}

// AllApproved lists the actions that Execute takes when it is asked for all that are approved, of
// those that the query asks for.
func (g *Gate) AllApproved(
	ctx context.Context, q Query,
) (ids []int64, leftOut []Outcome, err error) {
	q.Statuses = []Status{Approved}
	actions, err := g.Store.List(ctx, q)
	for _, a := range actions {
		ids = append(ids, a.ID)
	}
	return ids, nil, err
}

// foresee finds every action that would be refused whatever comes before it.
func (g *Gate) foresee(
	ctx context.Context,
	ids []int64,
	may func(context.Context, Action, int) (policy.Denial, error),
	what string,
) ([]Outcome, error) {
	var refused, rest []Outcome
	stop := ctx
	ctx = context.WithoutCancel(ctx)
	for _, id := range ids {
		if stop.Err() != nil {
			// What follows begins nothing then, and says so of each.
			return nil, nil
		}
		a, err := g.Store.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		reasons, err := may(ctx, a, 0)
		if err != nil {
			return nil, err
		}
		if len(reasons) == 0 {
			rest = append(
				rest,
				Outcome{Action: a, Verdict: NotReached, Message: "not begun, because another was refused"},
			)
			continue
		}
		o, err := g.deny(ctx, a, what, reasons)
		if err != nil {
			return nil, err
		}
		g.tell(o)
		refused = append(refused, o)
	}
	if len(refused) == 0 {
		return nil, nil
	}
	return append(refused, rest...), nil
}

// run goes through actions; begun is how many of them have been let through before.
func (g *Gate) run(
	ctx context.Context,
	ids []int64,
	opt Options,
	one func(ctx context.Context, a Action, begun int) (Outcome, error),
) ([]Outcome, error) {
	var (
		mu       sync.Mutex
		wait     sync.WaitGroup
		begun    = opt.Begun
		stop     bool
		failure  error
		outcomes = make([]Outcome, len(ids))
		slots    = make(chan struct{}, max(1, opt.Parallel))
	)
	if r, ok := g.Run.(ManyRunner); ok && len(ids) > 1 {
		r.ExpectMany()
	}
	for i, id := range ids {
		wave := opt.begins(i)
		opt.waitBefore(wave, &wait)
		slots <- struct{}{}
		mu.Lock()
		stopped, number := stop || ctx.Err() != nil, begun
		if !stopped {
			begun++
		}
		mu.Unlock()
		opt.tell(wave, stopped)
		wait.Go(func() {
			defer func() { <-slots }()
			o, err := g.runOne(ctx, id, stopped, number, one)
			mu.Lock()
			defer mu.Unlock()
			switch outcomes[i] = o; {
			case err != nil:
				failure, stop = err, true
			case !stopped:
				if o.Verdict == Refused || o.Verdict == NotReached {
					begun--
				}
				stop = stop || o.Verdict != Done && !opt.KeepGoing
				g.tell(o)
			}
		})
	}
	wait.Wait()
	return slices.DeleteFunc(outcomes, func(o Outcome) bool { return o.Action.ID == 0 }), failure
}

// runOne finds an action, and does what is to be done with it unless that was stopped.
func (g *Gate) runOne(
	ctx context.Context, id int64, stopped bool, begun int,
	one func(ctx context.Context, a Action, begun int) (Outcome, error),
) (Outcome, error) {
	a, err := g.Store.Get(context.WithoutCancel(ctx), id)
	if err != nil || stopped {
		return notBegun(ctx, a), err
	}
	o, err := one(ctx, a, begun)
	if err == nil {
		return o, nil
	}
	reached := o.Verdict != NotReached
	if o = notBegun(ctx, a); reached {
		// It may have run, and that could not be written down.
		o.Verdict, o.Message = Unsuccessful, err.Error()
	}
	return o, err
}

// notBegun is the outcome of an action that nothing was started for.
func notBegun(ctx context.Context, a Action) Outcome {
	o := Outcome{Action: a, Verdict: NotReached, Message: "not begun, because of what came before it"}
	if ctx.Err() != nil {
		o.Message = "not begun: interrupted before it"
	}
	return o
}

// mayExecute decides whether an action may run now; begun is how many this run let through before.
func (g *Gate) mayExecute(ctx context.Context, a Action, begun int) (policy.Denial, error) {
	_, reasons, err := g.judge(ctx, a, begun)
	return reasons, err
}

// judge is mayExecute, and returns what was judged of the log.
func (g *Gate) judge(
	ctx context.Context, a Action, begun int,
) (h policy.History, reasons policy.Denial, err error) {
	now := g.Now()
	switch a.Status {
	case Pending, Approved, Failed, Skipped, Running:
	case Succeeded:
		reasons = against("status", "it has succeeded already; nothing runs twice")
	default:
		reasons = against("status", "it is %s; import its plan again with --requeue", a.Status)
	}
	busy, err := g.atWork(ctx, a)
	if err != nil {
		return h, nil, err
	}
	reasons = append(reasons, busy...)
	if a.Claim != nil && a.Claim.Purpose == ToRollBack && len(busy) == 0 {
		reasons = append(
			reasons,
			against("claim", "a rollback of it was begun and not finished; roll it back")...)
	}
	reasons = append(reasons, intact(a)...)
	if g.Policy == nil {
		return h, append(reasons, noPolicy()...), nil
	}
	var past past
	h, past, err = g.history(ctx, a)
	if err != nil {
		return h, nil, err
	}
	return h, slices.Concat(reasons, past.against, g.anothers(a, past.run),
		g.Policy.Subject(g.subject(a.Plan)),
		g.notAsSelected(ctx, a.Plan),
		g.Policy.Execution(now, begun),
		g.approved(h, now),
		g.pinned(ctx, a.Provider),
	), nil
}

// approved decides whether an action is approved, or needs no approval for the event that it is
// part of.
func (g *Gate) approved(h policy.History, now time.Time) policy.Denial {
	if g.Event == nil {
		return g.Policy.Approved(h, now)
	}
	return g.Policy.ApprovedUnattended(h, now, g.Registry, *g.Event)
}

// execute claims an action, runs it and records the result.
//
// Only the executor is told that the command is asked to stop: what is decided is written down.
func (g *Gate) execute(ctx context.Context, a Action, begun int) (Outcome, error) {
	lasting := context.WithoutCancel(ctx)
	reasons, err := g.mayBeLookedAt(ctx, a, begun)
	if err != nil || ctx.Err() != nil {
		return notBegun(ctx, a), unlessInterrupted(ctx, err)
	}
	if len(reasons) > 0 {
		return g.deny(lasting, a, "execution", reasons)
	}
	var h policy.History
	held, reasons, err := g.claim(lasting, a, begun, ToExecute,
		func(ctx context.Context, a Action, begun int) (reasons policy.Denial, err error) {
			h, reasons, err = g.judge(ctx, a, begun)
			return reasons, err
		})
	if err != nil {
		return notBegun(ctx, a), err
	}
	if len(reasons) > 0 {
		return g.deny(lasting, held.Action, "execution", reasons)
	}
	replaced := g.replaced(lasting, held.Provider, h.Approvals)
	request := held.Request(protocol.Execute)
	request.Approvals = carried(h.Approvals)
	result, err := g.runClaimed(ctx, held, request)
	o, err := g.record(lasting, held.Action, result, err)
	o.Message += replaced
	return asInterrupted(ctx, o), err
}

// mayBeLookedAt decides before the claim whether an action whose target has to be looked at again
// may run, and looks. Of another one the claim decides alone.
func (g *Gate) mayBeLookedAt(ctx context.Context, a Action, begun int) (policy.Denial, error) {
	if !g.looksAgain(a) {
		return nil, nil
	}
	reasons, err := g.mayExecute(context.WithoutCancel(ctx), a, begun)
	if err != nil || len(reasons) > 0 {
		return reasons, err
	}
	return g.stillSo(ctx, a)
}

// unlessInterrupted is an error that is not only told because the command is asked to stop.
func unlessInterrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// asInterrupted tells an action whose executor was not started because the command is asked to
// stop from one that failed.
func asInterrupted(ctx context.Context, o Outcome) Outcome {
	if o.NotStarted && ctx.Err() != nil {
		o.Verdict, o.Message = NotReached, notBegun(ctx, o.Action).Message
	}
	return o
}

// carried are the signed ones of an action's approvals, the latest first, for an executor that
// asks.
func carried(approvals []policy.Approval) (all protocol.Approvals) {
	for _, approval := range slices.Backward(approvals) {
		if s := approval.Signed; s != nil && len(all.List) < protocol.MaxApprovals {
			all.List = append(all.List, protocol.Approval{
				Principal: approval.By, Signature: s.Signature, Statement: s.Statement,
			})
		}
	}
	return all
}

// claimMargin is what is left of a claim when its executor has ended.
const claimMargin = time.Second
