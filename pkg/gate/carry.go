package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

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
