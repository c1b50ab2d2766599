package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// DryRun asks the executor what executing would do now, and changes nothing.
func (g *Gate) DryRun(ctx context.Context, ids []int64, opt Options) ([]Outcome, error) {
	return g.run(ctx, ids, opt, func(ctx context.Context, a Action, _ int) (Outcome, error) {
		if reasons := g.mayDryRun(ctx, a.Plan); len(reasons) > 0 {
			return g.deny(ctx, a, "dry-run", reasons)
		}
		return g.dryRun(ctx, a, EventDryRun, a.Request(protocol.DryRun))
	})
}

func (g *Gate) mayDryRun(ctx context.Context, p Plan) policy.Denial {
	if g.Policy == nil {
		return noPolicy()
	}
	return slices.Concat(g.Policy.Subject(g.subject(p)), g.notAsSelected(ctx, p),
		g.pinned(ctx, p.Provider))
}

// dryRun runs a request that changes nothing, and logs what it said.
func (g *Gate) dryRun(
	ctx context.Context,
	a Action,
	kind EventKind,
	r protocol.Request,
) (Outcome, error) {
	r.TargetAccount = g.accountOf(ctx, a.Plan)
	result, err := g.Run.Run(ctx, r)
	if strange := g.elsewhere(r, result.Status); err == nil && strange != "" {
		err = fmt.Errorf("the executor answered for something else: %s", strange)
	}
	o := Outcome{Action: a, Verdict: Unsuccessful}
	data := map[string]any{"mode": string(protocol.DryRun), "digest": a.Digest(), "status": "none"}
	if err != nil {
		o.Message, data["error"] = err.Error(), err.Error()
	} else {
		o = outcome(a, result)
		data = resultData(protocol.DryRun, a.Digest(), result)
	}
	if o.Result != nil && g.Names != nil {
		if o.Names = g.Names(ctx, a, result.Status); len(o.Names) > 0 {
			data["names"] = o.Names
		}
	}
	g.addPlugin(ctx, a.Provider, data)
	if g.Store.ReadOnly() {
		return o, nil
	}
	return o, g.Store.Note(context.WithoutCancel(ctx), g.event(kind, a, data))
}

// outcome is what a result says, without what becomes of the action.
func outcome(a Action, r protocol.Result) Outcome {
	message, failure := r.Status.Lines()
	o := Outcome{Action: a, Verdict: Done, Message: message, Result: &r}
	if r.Status.Status == protocol.Failed {
		o.Verdict, o.Message = Unsuccessful, failure
	}
	if reasons := deniedByExecutor(r); len(reasons) > 0 {
		o.Verdict, o.Reasons, o.Message = Refused, reasons, "refused by the executor: "+reasons[0].Text
	}
	return o
}

// deniedByExecutor tells a refusal by the executor's own policy, or for its own environment, from a
// failure: nothing was changed.
func deniedByExecutor(r protocol.Result) policy.Denial {
	switch class := r.Status.Observed[protocol.FactFailureClass]; {
	case r.Status.Status != protocol.Failed:
		return nil
	case class == string(protocol.Denied),
		class == string(protocol.Configuration) && !mayHaveChanged(r):
		_, failure := r.Status.Lines()
		return against("executor", "%s", failure)
	}
	return nil
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

// held is an action with this process's claim on it.
type held struct {
	Action
	// since is the machine's uptime before the claim was written.
	since time.Duration
}

// claim takes an action for this process alone, or says why not.
func (g *Gate) claim(
	ctx context.Context,
	a Action,
	begun int,
	purpose Purpose,
	may func(context.Context, Action, int) (policy.Denial, error),
) (held, policy.Denial, error) {
	for range attempts {
		reasons, err := may(ctx, a, begun)
		if err != nil || len(reasons) > 0 {
			return held{Action: a}, reasons, err
		}
		claimed, event := g.claimed(ctx, a, purpose)
		since := g.Machine.Uptime()
		changed, err := g.Store.Apply(ctx, Change{Action: claimed, Event: event})
		if err == nil {
			return held{changed[0], since}, nil, nil
		}
		if !errors.Is(err, ErrChanged) {
			return held{Action: a}, nil, err
		}
		if a, err = g.Store.Get(ctx, a.ID); err != nil {
			return held{Action: a}, nil, err
		}
	}
	return held{Action: a}, nil, ErrChanged
}

// claimed is an action with a claim of this process, and the event that logs it.
func (g *Gate) claimed(ctx context.Context, a Action, purpose Purpose) (Action, Event) {
	kind := EventClaimed
	if purpose == ToRollBack {
		kind = EventRollbackClaim
	}
	data := map[string]any{
		"claimant": g.Claimant,
		"digest":   a.Digest(),
		"from":     string(a.Status),
		"policy":   g.Policy.Name,
	}
	g.addPlugin(ctx, a.Provider, data)
	now := g.Now()
	claimed := a
	claimed.Claim = &Claim{
		Purpose: purpose,
		By:      g.Claimant,
		Process: g.Machine.Self(),
		At:      now,
		Until:   now.Add(g.Timeout),
		From:    a.Status,
	}
	if a.Claim != nil {
		kind = EventTakenUp
		data["claimantBefore"] = a.Claim.By
	}
	if a.Claim != nil && a.Claim.Purpose == ToExecute {
		// What became of the run before is not known.
		claimed.learn(nil, true)
	}
	switch {
	case purpose == ToExecute:
		claimed.Status, claimed.ExecutedAt = Running, now
	case a.Status == Running:
		claimed.Status, claimed.ResultMessage = Failed, ""
		claimed.Error = "no result: its run was cut off; whether anything was changed is not known"
	}
	return claimed, g.event(kind, a, data)
}

// claimMargin is what is left of a claim when its executor has ended.
const claimMargin = time.Second

// runClaimed runs a request within its claim. The claim is in the journal's main file before the
// executor starts: the log beside it may be lost alone. When too much time has gone by since the
// claim (a suspended machine, say) for the executor to have its own, it does not begin.
func (g *Gate) runClaimed(
	ctx context.Context,
	h held,
	r protocol.Request,
) (protocol.Result, error) {
	if err := g.Store.Flush(context.WithoutCancel(ctx)); err != nil {
		return protocol.Result{}, &NotStarted{Cause: err}
	}
	if late := g.Machine.Uptime() - h.since; late > lateStart(g.Timeout) {
		return protocol.Result{}, &NotStarted{
			Cause: errors.New("too much time went by since it was claimed"),
		}
	}
	ctx, cancel := context.WithDeadline(ctx, h.Claim.Until.Add(-claimMargin))
	defer cancel()
	r.TargetAccount = g.accountOf(ctx, h.Plan)
	result, err := g.Run.Run(ctx, r)
	if err != nil {
		return result, err
	}
	if strange := g.elsewhere(r, result.Status); strange != "" {
		return protocol.Result{}, fmt.Errorf("the executor answered for something else: %s", strange)
	}
	return result, nil
}

// lateStart is how long after the claim an executor may still be started.
func lateStart(timeout time.Duration) time.Duration { return timeout / 10 }

// record writes down what became of an execution.
func (g *Gate) record(
	ctx context.Context,
	a Action,
	result protocol.Result,
	runErr error,
) (Outcome, error) {
	claimed := a
	claim := a.Claim
	a.Claim = nil
	var o Outcome
	kind, data := EventResult, resultData(protocol.Execute, a.Digest(), result)
	var notStarted *NotStarted
	switch reasons := deniedByExecutor(result); {
	case errors.As(runErr, &notStarted):
		o = Outcome{Verdict: Unsuccessful, NotStarted: true,
			Message: runErr.Error() + "; " + a.didNotRun(claim.From)}
		kind, data = EventNoResult, map[string]any{"error": runErr.Error()}
	case runErr != nil:
		a.learn(nil, true)
		a.Status, a.ResultMessage = Failed, ""
		a.Error = "no result: " + runErr.Error() + "; whether anything was changed is not known: " +
			"execute it again, which finds out"
		o = Outcome{Verdict: Unsuccessful, Message: a.Error}
		kind, data = EventNoResult, map[string]any{"error": runErr.Error()}
	case len(reasons) > 0:
		if mayHaveChanged(result) {
			// An earlier run of it did: what is told of that is not told again.
			a.learn(result.Status.Observed, true)
		}
		said := a.didNotRun(claim.From)
		o = outcome(a, result)
		o.Message += "; " + said
		kind, data["what"], data["reasons"] = EventDenied, "execution", texts(reasons)
	default:
		a.Status = Status(result.Status.Status)
		a.ResultMessage, a.Error = result.Status.Lines()
		a.learn(result.Status.Observed, mayHaveChanged(result))
		o = outcome(a, result)
	}
	data["became"] = string(a.Status)
	return g.finish(ctx, claimed, a, kind, data, o)
}

// didNotRun gives an action the state that it has when nothing was run for its claim, and says
// which.
func (a *Action) didNotRun(before Status) string {
	if a.Status = before; !a.MayHaveChanged {
		return "nothing was changed"
	}
	const unknown = "an earlier run may have changed something: execute it again, which finds " +
		"out, or roll it back"
	if before != Failed {
		a.Status, a.ResultMessage, a.Error = Failed, "", unknown
	}
	return unknown
}

// finish writes the end of what was claimed. If someone took it up in the meantime, the facts go
// into the log all the same.
func (g *Gate) finish(
	ctx context.Context,
	claimed, a Action,
	kind EventKind,
	data map[string]any,
	o Outcome,
) (Outcome, error) {
	changed, err := g.Store.Apply(ctx, Change{Action: a, Event: g.event(kind, a, data)})
	if errors.Is(err, ErrChanged) || errors.Is(err, ErrAltered) {
		data["meant"] = string(kind)
		o.Action, o.Verdict = claimed, Unsuccessful
		o.Message = err.Error() + "; what this run found is in the log only: " + o.Message
		if err = g.Store.Note(ctx, g.event(EventLateResult, a, data)); err == nil {
			return o, nil
		}
	}
	if err != nil {
		// The last chance to tell what is nowhere else.
		said, _ := json.Marshal(data)
		return o, fmt.Errorf(
			"action %d (%s) ended, and that could not be written down: %w; what is known of it: %s",
			a.ID,
			protocol.Quote(a.IdempotencyKey),
			err,
			said,
		)
	}
	o.Action = changed[0]
	return o, nil
}
