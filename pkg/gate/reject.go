package gate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/policy"
)

// Rejecting is one person's no, as it is given.
type Rejecting struct {
	// By names the person, and Reason is why.
	By, Reason string
	// Shown is what the person was shown of each action. One that it names is rejected only while
	// its plan is that.
	Shown map[int64]Shown
}

// Reject records one person's no, with a reason. The approvals so far count no more, and the action
// is neither approved nor executed until its plan is imported again. What may have changed
// something keeps its state: it can be rolled back.
func (g *Gate) Reject(ctx context.Context, ids []int64, no Rejecting) ([]Outcome, error) {
	if g.Store.ReadOnly() {
		return nil, ErrReadOnly
	}
	return g.each(ctx, ids, func(ctx context.Context, id int64) (Outcome, error) {
		for range attempts {
			o, err := g.reject(ctx, id, no)
			if !errors.Is(err, ErrChanged) {
				return o, err
			}
		}
		return Outcome{}, ErrChanged
	})
}

func (g *Gate) reject(ctx context.Context, id int64, no Rejecting) (Outcome, error) {
	a, err := g.Store.Get(ctx, id)
	if err != nil {
		return Outcome{}, err
	}
	reasons, err := g.atWork(ctx, a)
	if err != nil {
		return Outcome{}, err
	}
	reasons = slices.Concat(reasons, intact(a), no.notAsShown(a))
	switch {
	case strings.TrimSpace(no.Reason) == "":
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
		a.Error = "rejected by " + no.By + ": " + no.Reason
	}
	data := map[string]any{"by": no.By, "reason": no.Reason, "status": string(a.Status)}
	changed, err := g.Store.Apply(ctx, Change{Action: a, Event: g.event(EventRejected, a, data)})
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{Action: changed[0], Verdict: Done, Message: "rejected: " + no.Reason}, nil
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
