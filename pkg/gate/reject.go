package gate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/policy"
)

// Reject records one person's no, with a reason. The approvals so far count no more, and the action
// is neither approved nor executed until its plan is imported again. What may have changed
// something keeps its state: it can be rolled back.
func (g *Gate) Reject(ctx context.Context, ids []int64, by, reason string) ([]Outcome, error) {
	if g.Store.ReadOnly() {
		return nil, ErrReadOnly
	}
	return g.each(ids, func(id int64) (Outcome, error) {
		for range attempts {
			o, err := g.reject(ctx, id, by, reason)
			if !errors.Is(err, ErrChanged) {
				return o, err
			}
		}
		return Outcome{}, ErrChanged
	})
}

func (g *Gate) reject(ctx context.Context, id int64, by, reason string) (Outcome, error) {
	a, err := g.Store.Get(ctx, id)
	if err != nil {
		return Outcome{}, err
	}
	reasons, err := g.atWork(ctx, a)
	if err != nil {
		return Outcome{}, err
	}
	reasons = append(reasons, intact(a)...)
	switch {
	case strings.TrimSpace(reason) == "":
		reasons = append(reasons, against("reason", "there is none: say why")...)
	case a.Status == Succeeded:
		reasons = append(reasons, against("status", "it has succeeded; roll it back")...)
	case !slices.Contains([]Status{Pending, Approved, Failed, Skipped, Running}, a.Status):
		reasons = append(reasons, against("status", "it is %s", a.Status)...)
	}
	if len(reasons) > 0 {
		return g.deny(ctx, a, "rejection", reasons)
	}
	a.ApprovedBy, a.ApprovedAt = "", time.Time{}
	if !a.MayHaveChanged && a.Status != Running {
		a.Status, a.ResultMessage = Rejected, ""
		a.Error = "rejected by " + by + ": " + reason
	}
	data := map[string]any{"by": by, "reason": reason, "status": string(a.Status)}
	changed, err := g.Store.Apply(ctx, Change{Action: a, Event: g.event(EventRejected, a, data)})
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{Action: changed[0], Verdict: Done, Message: "rejected: " + reason}, nil
}

// rejected refuses what somebody rejected since its last import.
func rejected(events []Event) policy.Denial {
	for _, e := range slices.Backward(events) {
		if e.Kind == EventRejected {
			return against("rejected", "%s rejected it at %s: %s; import its plan again with --requeue",
				e.text("by"), e.At.Format(time.RFC3339), e.text("reason"))
		}
	}
	return nil
}
