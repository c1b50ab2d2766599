package gate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/person"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

// attempts bounds how often a decision is made again because someone else wrote in between.
const attempts = 20

// Approve records one person's yes to exactly the plans as they are. A digest that is not empty is
// the only one to approve.
func (g *Gate) Approve(ctx context.Context, ids []int64, by, digest string) ([]Outcome, error) {
	if g.Store.ReadOnly() {
		return nil, ErrReadOnly
	}
	if name, err := person.Name(by); err == nil {
		by = name
	}
	return g.each(ids, func(id int64) (Outcome, error) {
		for range attempts {
			o, err := g.approve(ctx, id, by, digest)
			if !errors.Is(err, ErrChanged) {
				return o, err
			}
		}
		return Outcome{}, ErrChanged
	})
}

// each operates on one action after the other, whatever becomes of each.
func (g *Gate) each(ids []int64, operate func(id int64) (Outcome, error)) ([]Outcome, error) {
	var outcomes []Outcome
	for _, id := range ids {
		o, err := operate(id)
		if err != nil {
			return outcomes, err
		}
		outcomes = append(outcomes, o)
		g.tell(o)
	}
	return outcomes, nil
}

func (g *Gate) tell(o Outcome) {
	if g.Progress != nil {
		g.Progress(o)
	}
}

func (g *Gate) approve(ctx context.Context, id int64, by, digest string) (Outcome, error) {
	a, err := g.Store.Get(ctx, id)
	if err != nil {
		return Outcome{}, err
	}
	now := g.Now()
	h, reasons, err := g.history(ctx, a)
	if err != nil {
		return Outcome{}, err
	}
	busy, err := g.atWork(ctx, a)
	if err != nil {
		return Outcome{}, err
	}
	reasons = slices.Concat(g.mayApprove(a, h, by, digest, now, busy), reasons)
	if len(reasons) > 0 {
		return g.deny(ctx, a, "approval", reasons)
	}
	approval := policy.Approval{By: by, At: now, Digest: h.Digest}
	h.Approvals = append(h.Approvals, approval)
	p := g.approvalRule()
	valid, needed := p.ValidApprovals(h, now), p.Approvals()
	message := "approved"
	// What may have changed something is not one that merely waits, and shows it.
	if len(valid) >= needed && a.Status != Running && !a.MayHaveChanged {
		names := make([]string, len(valid))
		for i, v := range valid {
			names[i] = v.By
		}
		a.Status, a.ApprovedBy, a.ApprovedAt = Approved, strings.Join(names, ", "), now
	}
	if len(valid) < needed {
		message = "approved by one more; more approvals are needed"
	}
	data := map[string]any{"by": by, "digest": h.Digest, "status": string(a.Status)}
	if p, ok := g.plugin(ctx); ok {
		data["plugin"] = p.data()
	}
	event := g.event(EventApproved, a, data)
	event.At = now
	changed, err := g.Store.Apply(ctx, Change{Action: a, Approval: &approval, Event: event})
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{Action: changed[0], Verdict: Done, Message: message}, nil
}

// approvalRule is what approvals count by; without a policy one is enough for now, and execution
// asks again.
func (g *Gate) approvalRule() *policy.Policy {
	if g.Policy == nil {
		return &policy.Policy{}
	}
	return g.Policy
}

func (g *Gate) mayApprove(
	a Action,
	h policy.History,
	by, digest string,
	now time.Time,
	busy policy.Denial,
) policy.Denial {
	var reasons policy.Denial
	if _, err := person.Name(by); err != nil {
		reasons = append(reasons, against("by", "%v", err)...)
	}
	stale := a.Status == Running && len(busy) == 0
	if !slices.Contains([]Status{Pending, Approved, Failed, Skipped}, a.Status) && !stale {
		reasons = append(reasons, against("status", "it is %s", a.Status)...)
	}
	if digest != "" && digest != h.Digest {
		reasons = append(
			reasons,
			against("digest", "the plan has changed: it is %s now, not %s", h.Digest, digest)...)
	}
	for _, v := range g.approvalRule().ValidApprovals(h, now) {
		if person.Same(v.By, by) {
			reasons = append(
				reasons,
				against(
					"by",
					"%s has approved it already, at %s; another person has to",
					v.By,
					v.At.Format(time.RFC3339),
				)...)
		}
	}
	reasons = append(reasons, busy...)
	reasons = append(reasons, intact(a)...)
	if g.Policy != nil {
		reasons = append(reasons, g.Policy.Evidence(h)...)
		reasons = append(reasons, g.Policy.Wait(h, now)...)
	}
	return reasons
}

// history gathers what the policy judges from the log, and says what of the log can't be trusted.
// What counts is what came after the last import in the log, whatever the clocks said.
func (g *Gate) history(
	ctx context.Context,
	a Action,
) (policy.History, policy.Denial, error) {
	h := policy.History{Digest: a.Digest(), Imported: a.Imported, SamePerson: person.Same}
	events, err := g.Store.History(ctx, a.ID)
	if errors.Is(err, ErrAltered) {
		return h, against("journal", "%v; journal --verify tells more", err), nil
	}
	for _, e := range events {
		switch {
		case e.Kind == EventDryRun && e.text("status") == string(protocol.Succeeded):
			h.Evidence = e.text("digest")
		case e.Kind == EventDryRun:
			h.Evidence = ""
		case e.Kind == EventApproved:
			h.Approvals = append(
				h.Approvals,
				policy.Approval{
					By: e.text("by"), At: e.At, Digest: e.text("digest"), Plugin: pluginOf(e),
				},
			)
		}
	}
	return h, nil, err
}
