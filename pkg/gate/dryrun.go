package gate

import (
	"context"
	"fmt"
	"slices"

	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

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
