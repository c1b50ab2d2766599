package gate

import (
	"context"

	"aws-provider-executor/pkg/policy"
)

// Deny refuses what was asked of actions for reasons that were found before the gate could look at
// them, as in a policy that can't be read, and logs it for each.
func (g *Gate) Deny(
	ctx context.Context,
	ids []int64,
	what string,
	reasons policy.Denial,
) ([]Outcome, error) {
	return g.each(ctx, ids, func(ctx context.Context, id int64) (Outcome, error) {
		a, err := g.Store.Get(ctx, id)
		if err != nil {
			return Outcome{}, err
		}
		return g.deny(ctx, a, what, reasons)
	})
}
