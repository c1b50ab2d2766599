package gate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"aws-provider-executor/pkg/evidence"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

// seen is what somebody saw before saying yes: what the executor answered to a dry-run.
type seen struct {
	At      time.Time        `json:"at"`
	Plan    string           `json:"plan"`
	Outcome evidence.Outcome `json:"outcome"`
}

// digest names what was seen, and when.
func (s seen) digest() string {
	text, err := evidence.Canonical(s)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// seenIn is what a dry-run in the log saw; ok is false where it saw nothing that could be approved.
func seenIn(e Event) (s seen, ok bool) {
	if e.Kind != EventDryRun || e.text("status") != string(protocol.Succeeded) {
		return s, false
	}
	status := protocol.Say(protocol.Succeeded, e.text("message"))
	status.Observed = map[string]string{}
	facts, _ := e.Data["observed"].(map[string]any)
	for name, value := range facts {
		status.Observed[name], _ = value.(string)
	}
	outcome, err := evidence.OutcomeOf(status)
	return seen{At: e.At, Plan: e.text("digest"), Outcome: outcome}, err == nil
}

// names is what an approval says of what its approver saw.
type names struct {
	digest string
	seen   seen
}

// data is how an event keeps it.
func (n names) data() (string, error) {
	text, err := evidence.Canonical(n.seen)
	return string(text), err
}

// named is what an approval in the log names; the zero value for none.
func named(e Event) (n names) {
	n.digest = e.text("evidence")
	if err := json.Unmarshal([]byte(e.text("seen")), &n.seen); err != nil {
		return names{}
	}
	return n
}

// ofFile is what a file of evidence saw of a plan.
func ofFile(d evidence.Document, plan string) (names, error) {
	subject, ok := d.Subject(plan)
	switch {
	case !ok:
		return names{}, fmt.Errorf("the evidence %s is not of this plan, %s", d.Digest, plan)
	case subject.Outcome.Status != protocol.Succeeded:
		return names{}, fmt.Errorf("the evidence %s saw that it would fail: %s", d.Digest,
			subject.Outcome.Message)
	}
	return names{d.Digest, seen{At: d.Taken.At, Plan: plan, Outcome: subject.Outcome}}, nil
}

// latest is what the latest look at an action saw: the last dry-run in the log, or what an approval
// after it names.
func latest(events []Event) (n names) {
	for _, e := range events {
		switch e.Kind {
		case EventDryRun:
			n = names{}
			if s, ok := seenIn(e); ok {
				n = names{s.digest(), s}
			}
		case EventApproved:
			if own := named(e); own.digest != "" && own.seen.At.After(n.seen.At) {
				n = own
			}
		}
	}
	return n
}

// since says what is not as it was. Where the executor tells no plans, the facts are compared.
func since(was, now evidence.Outcome) (all []string) {
	if was.Changes != nil || now.Changes != nil {
		return evidence.Subject{Outcome: was}.Since(now)
	}
	if was.Status != now.Status {
		all = append(all, fmt.Sprintf("the executor answered %s, and answers %s now: %s",
			was.Status, now.Status, now.Message))
	}
	facts := maps.Clone(full(was.Observed))
	maps.Copy(facts, now.Observed)
	for _, common := range protocol.CommonFacts() {
		// They tell of the answer, not of the target.
		delete(facts, common.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		if before, after := was.Observed[name], now.Observed[name]; before != after {
			all = append(all, fmt.Sprintf("%s was %s, and is %s", name,
				protocol.Quote(before), protocol.Quote(after)))
		}
	}
	return all
}

// looksAgain reports whether the target of an action is looked at once more before it runs. What an
// earlier run may have changed is not as it was; the executor finds out what became of that.
func (g *Gate) looksAgain(a Action) bool {
	return g.Policy != nil && g.Policy.RequireEvidence && !a.MayHaveChanged && a.Claim == nil
}

// stillSo looks at the target again, and says what is not as the approvers saw it.
func (g *Gate) stillSo(ctx context.Context, a Action) (policy.Denial, error) {
	events, err := g.Store.History(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	r := a.Request(protocol.DryRun)
	r.TargetAccount = g.accountOf(ctx, a.Plan)
	result, err := g.Run.Run(ctx, r)
	if err != nil {
		return against("requireEvidence", "what was seen can't be looked at again: %v", err), nil
	}
	now, err := evidence.OutcomeOf(result.Status)
	if err != nil {
		return against("requireEvidence", "what was seen can't be looked at again: %v", err), nil
	}
	looks := map[string]seen{}
	if n := latest(events); n.digest != "" {
		looks[n.digest] = n.seen
	}
	for _, e := range events {
		if n := named(e); n.digest != "" {
			looks[n.digest] = n.seen
		}
	}
	var reasons policy.Denial
	told := map[string]bool{}
	for _, digest := range slices.Sorted(maps.Keys(looks)) {
		if looks[digest].Plan != a.Digest() {
			continue
		}
		for _, change := range since(looks[digest].Outcome, now) {
			if !told[change] {
				told[change] = true
				reasons = append(reasons, against("requireEvidence",
					"it is not as it was seen: %s; look again, and approve what is so now", change)...)
			}
		}
	}
	return reasons, nil
}
