package gate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/evidence"
	"aws-provider-executor/pkg/person"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/signature"
)

// attempts bounds how often a decision is made again because someone else wrote in between.
const attempts = 20

// Approving is one person's yes, as it is given.
type Approving struct {
	// By names the person.
	By string
	// Digest, when not empty, is that of the only plan to approve.
	Digest string
	// Shown is what the person was shown of each action. One that it names is approved only while
	// that is so.
	Shown map[int64]Shown
	// Evidence, when not nil, is what the person saw; else it is the latest dry-run in the log.
	Evidence *evidence.Document
	// Sign, when not nil, makes an armored signature of a statement. Holds is for how long the
	// statement says that it holds.
	Sign  func(statement []byte) (armored []byte, err error)
	Holds time.Duration
}

// Approve records one person's yes to exactly the plans as they are. A digest that is not empty is
// the only one to approve.
func (g *Gate) Approve(ctx context.Context, ids []int64, by, digest string) ([]Outcome, error) {
	return g.ApproveWith(ctx, ids, Approving{By: by, Digest: digest})
}

// ApproveWith is Approve with what makes the yes somebody's, and with what that person saw.
func (g *Gate) ApproveWith(ctx context.Context, ids []int64, yes Approving) ([]Outcome, error) {
	if g.Store.ReadOnly() {
		return nil, ErrReadOnly
	}
	if name, err := person.Name(yes.By); err == nil {
		yes.By = name
	}
	return g.each(ctx, ids, func(ctx context.Context, id int64) (Outcome, error) {
		for range attempts {
			o, err := g.approve(ctx, id, yes)
			if !errors.Is(err, ErrChanged) {
				return o, err
			}
		}
		return Outcome{}, ErrChanged
	})
}

// each operates on one action after the other, whatever becomes of each. When the context ends
// the others are not begun, and the one that is under way is brought to its end.
func (g *Gate) each(
	ctx context.Context, ids []int64, operate func(context.Context, int64) (Outcome, error),
) ([]Outcome, error) {
	var outcomes []Outcome
	lasting := context.WithoutCancel(ctx)
	for _, id := range ids {
		if ctx.Err() != nil {
			a, err := g.Store.Get(lasting, id)
			if err != nil {
				return outcomes, err
			}
			outcomes = append(outcomes, notBegun(ctx, a))
			continue
		}
		o, err := operate(lasting, id)
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

func (g *Gate) approve(ctx context.Context, id int64, yes Approving) (Outcome, error) {
	a, err := g.Store.Get(ctx, id)
	if err != nil {
		return Outcome{}, err
	}
	now := g.Now()
	h, past, err := g.history(ctx, a)
	if err != nil {
		return Outcome{}, err
	}
	saw, err := g.sawBefore(ctx, a, yes, &h)
	if err != nil {
		return Outcome{}, err
	}
	busy, err := g.atWork(ctx, a)
	if err != nil {
		return Outcome{}, err
	}
	reasons := slices.Concat(g.mayApprove(a, h, yes.By, yes.Digest, now, busy), past.against,
		yes.notAsShown(a, saw), g.notAsSelected(ctx, a.Plan))
	if len(reasons) > 0 {
		return g.deny(ctx, a, "approval", reasons)
	}
	approval := policy.Approval{
		By: yes.By, At: now, Digest: h.Digest, User: g.Actor,
		Evidence: saw.digest, EvidenceAt: saw.seen.At,
	}
	if yes.Sign != nil {
		if approval.Signed, err = g.sign(h, approval, a.Undo, yes); err != nil {
			return Outcome{}, err
		}
	}
	if unsound := g.approvalRule().Unsound(approval, h, now); len(unsound) > 0 {
		return g.deny(ctx, a, "approval", unsound)
	}
	return g.recordApproval(ctx, a, h, approval, saw)
}

// sawBefore is what the approver saw. That of a file is held against the policy like a dry-run.
func (g *Gate) sawBefore(
	ctx context.Context, a Action, yes Approving, h *policy.History,
) (names, error) {
	if yes.Evidence != nil {
		n, err := ofFile(*yes.Evidence, h.Digest)
		if err != nil {
			return n, &Refusal{What: "approval", Reasons: []string{err.Error()}}
		}
		h.Evidence, h.EvidenceAt = n.seen.Plan, n.seen.At
		return n, nil
	}
	events, err := g.Store.History(ctx, a.ID)
	if errors.Is(err, ErrAltered) {
		return names{}, nil
	}
	return seenOf(latest(events), h.Digest), err
}

// sign has the approver sign what is approved.
func (g *Gate) sign(
	h policy.History, approval policy.Approval, undo *Undo, yes Approving,
) (*policy.Signed, error) {
	issued := approval.At.UTC().Truncate(time.Second)
	s := signature.Statement{
		Format: signature.StatementFormat, Journal: h.Journal, Principal: approval.By,
		Plan: h.Digest, Evidence: approval.Evidence,
		Action: h.Request.Action, Provider: h.Request.Provider, ProviderRef: h.Request.ProviderRef,
		Target: h.Request.Target, Parameters: h.Request.Parameters, Mode: h.Request.Mode,
		IdempotencyKey: h.Request.IdempotencyKey,
		Issued:         issued, Expires: issued.Add(yes.Holds),
	}
	if undo != nil {
		s.Undo = undo.Action
	}
	text, err := evidence.Canonical(s)
	if err != nil {
		return nil, err
	}
	armored, err := yes.Sign(text)
	if err != nil {
		return nil, err
	}
	return &policy.Signed{Statement: string(text), Signature: string(armored)}, nil
}

func (g *Gate) recordApproval(
	ctx context.Context, a Action, h policy.History, approval policy.Approval, saw names,
) (Outcome, error) {
	h.Approvals = append(h.Approvals, approval)
	p := g.approvalRule()
	valid, needed := p.ValidApprovals(h, approval.At), p.Approvals()
	message := "approved"
	// What may have changed something is not one that merely waits, and shows it.
	if len(valid) >= needed && a.Status != Running && !a.MayHaveChanged {
		by := make([]string, len(valid))
		for i, v := range valid {
			by[i] = v.Named()
		}
		a.Status, a.ApprovedBy, a.ApprovedAt = Approved, strings.Join(by, ", "), approval.At
	}
	if len(valid) < needed {
		message = "approved by one more; more approvals are needed"
	}
	data := map[string]any{
		"by": approval.By, "user": approval.User, "digest": h.Digest, "status": string(a.Status),
	}
	if s := approval.Signed; s != nil {
		data["statement"], data["signature"] = s.Statement, s.Signature
	}
	if saw.digest != "" {
		text, err := saw.data()
		if err != nil {
			return Outcome{}, err
		}
		data["evidence"], data["seen"] = saw.digest, text
	}
	if p, ok := g.plugin(ctx, a.Provider); ok {
		data["plugin"] = p.data()
	}
	event := g.event(EventApproved, a, data)
	event.At = approval.At
	changed, err := g.Store.Apply(ctx, Change{Action: a, Approval: &approval, Event: event})
	if err != nil {
		return Outcome{}, err
	}
	still, err := g.stillRefused(ctx, changed[0])
	return Outcome{Action: changed[0], Verdict: Done, Message: message + still}, err
}

// stillRefused tells what the policy would say now if the action were to be executed, but for the
// approvals that are missing.
func (g *Gate) stillRefused(ctx context.Context, a Action) (string, error) {
	if g.Policy == nil {
		return "", nil
	}
	reasons, err := g.mayExecute(ctx, a, 0)
	reasons = slices.DeleteFunc(reasons, func(r policy.Reason) bool {
		return r.Field == "requireApproval" || r.Field == "approvals"
	})
	if len(reasons) == 0 {
		return "", err
	}
	return "; to execute it is refused now: " + reasons.Error(), err
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
		reasons = append(reasons, g.Policy.Evidence(h, now)...)
		reasons = append(reasons, g.Policy.Wait(h, now)...)
	}
	return reasons
}

// past is what the log has against an action whatever the policy says.
type past struct {
	// against refuses its approval and its execution.
	against policy.Denial
	// run is the process whose run it is part of, or nil.
	run *Process
}

// history gathers what the policy judges from the log, and what the log itself has against the
// action. What counts is what came after the last import in the log, whatever the clocks said.
func (g *Gate) history(ctx context.Context, a Action) (policy.History, past, error) {
	h := policy.History{
		Digest: a.Digest(), Imported: a.Imported, SamePerson: person.Same,
		Journal: g.Store.ID(), Request: a.Request(protocol.Execute),
	}
	events, err := g.Store.History(ctx, a.ID)
	if errors.Is(err, ErrAltered) {
		return h, past{against: against("journal", "%v; journal --verify tells more", err)}, nil
	}
	if len(events) > 0 {
		h.Importer = events[0].Actor
	}
	for _, e := range events {
		if e.Kind == EventApproved {
			h.Approvals = append(h.Approvals, ApprovalIn(e))
		}
	}
	saw := latest(events)
	h.Evidence, h.EvidenceAt = saw.seen.Plan, saw.seen.At
	p := past{rejected(events), runOf(events)}
	if len(p.against) == 0 {
		p.against = g.ended(a, p.run)
	}
	return h, p, err
}

// ApprovalIn is an approval as the log has it.
func ApprovalIn(e Event) policy.Approval {
	saw := named(e)
	a := policy.Approval{
		By: e.text("by"), At: e.At, Digest: e.text("digest"), User: e.text("user"),
		Evidence: saw.digest, EvidenceAt: saw.seen.At, Plugin: pluginOf(e),
	}
	if a.User == "" {
		a.User = e.Actor
	}
	if s := e.text("signature"); s != "" {
		a.Signed = &policy.Signed{Statement: e.text("statement"), Signature: s}
	}
	return a
}
