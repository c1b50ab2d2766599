package gate

import (
	"context"

	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

// Direct hands a request to the executor without the journal, as a core would. Where there is a policy
// it holds: what needs an approval is refused, since here nobody can give one.
func (g *Gate) Direct(ctx context.Context, r protocol.Request) (Outcome, error) {
	if reasons := g.mayRunDirectly(r); len(reasons) > 0 {
		return Outcome{Verdict: Refused, Message: "refused: " + reasons.Error(), Reasons: reasons}, nil
	}
	result, err := g.Run.Run(ctx, r)
	if err != nil {
		return Outcome{}, err
	}
	return outcome(Action{}, result), nil
}

func (g *Gate) mayRunDirectly(r protocol.Request) policy.Denial {
	if g.Policy == nil {
		return nil
	}
	subject := policy.RequestSubject(g.Registry, r)
	reasons := g.Policy.Subject(subject)
	if r.Mode != protocol.Execute {
		return reasons
	}
	now := g.Now()
	reasons = append(reasons, g.Policy.Execution(now, 0)...)
	if subject.Undo {
		return reasons
	}
	history := policy.History{Imported: now}
	if approval := g.Policy.Approved(history, now); len(approval) > 0 {
		reasons = append(reasons, approval...)
		reasons = append(reasons, against("journal", "import it, approve it, execute it")...)
	}
	return reasons
}
