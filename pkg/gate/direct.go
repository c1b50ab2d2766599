package gate

import (
	"context"
	"fmt"

	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

// Direct hands a request to the executor without the journal, as a core would; begun is how many
// executions this run has let through before. To execute needs a policy, and one that asks for
// neither approval nor evidence: here nobody can have given them. A key says that a request is an
// undo, and anyone may choose it: so that is no exemption.
func (g *Gate) Direct(ctx context.Context, r protocol.Request, begun int) (Outcome, error) {
	if reasons := g.mayRunDirectly(ctx, r, begun); len(reasons) > 0 {
		return Outcome{Verdict: Refused, Message: "refused: " + reasons.Error(), Reasons: reasons}, nil
	}
	result, err := g.Run.Run(ctx, r)
	if err != nil {
		return Outcome{}, err
	}
	if strange := g.elsewhere(r, result.Status); strange != "" {
		return Outcome{}, fmt.Errorf("the executor answered for something else: %s", strange)
	}
	return outcome(Action{}, result), nil
}

func (g *Gate) mayRunDirectly(
	ctx context.Context, r protocol.Request, begun int,
) policy.Denial {
	dryRun := r.Mode == protocol.DryRun
	if g.Policy == nil {
		if dryRun {
			return nil
		}
		return noPolicy()
	}
	reasons := append(g.Policy.Subject(policy.RequestSubject(g.Registry, r)),
		g.pinned(ctx, r.Provider)...)
	if dryRun {
		return reasons
	}
	now := g.Now()
	reasons = append(reasons, g.Policy.Execution(now, begun)...)
	if missing := g.Policy.Approved(policy.History{Imported: now}, now); len(missing) > 0 {
		reasons = append(reasons, missing...)
		reasons = append(
			reasons,
			against(
				"journal",
				"import it, approve it, execute it; an undo is the rollback of its action",
			)...)
	}
	return reasons
}
