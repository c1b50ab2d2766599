package policy

import (
	"fmt"
	"slices"
	"time"

	"aws-provider-executor/pkg/protocol"
)

// Approval is one person's yes to exactly one plan.
type Approval struct {
	By     string
	At     time.Time
	Digest string
	// User is the operating system's user that gave it.
	User string
	// Evidence is the digest of what the approver saw, and EvidenceAt when that was; empty for none.
	Evidence   string
	EvidenceAt time.Time
	// Signed is nil for an approval that anybody could have given in that name.
	Signed *Signed
	// Plugin is the digest of the program that would have been run then; empty where nobody knows.
	Plugin string
}

// History is what happened to an action before it is to be executed.
type History struct {
	// Digest is that of the plan that would run.
	Digest string
	// Imported is when the action began to wait for its decision.
	Imported time.Time
	// Evidence is the digest of the plan whose dry-run succeeded last; empty for none. EvidenceAt is
	// when.
	Evidence   string
	EvidenceAt time.Time
	Approvals  []Approval
	// Journal is the id of the journal, Request what would be carried out, and Importer the user who
	// imported it.
	Journal  string
	Request  protocol.Request
	Importer string
	// SamePerson reports whether two names are one person's; without it they all are.
	SamePerson func(a, b string) bool
}

// Approved decides whether enough people approved, in time, exactly what would run.
func (p *Policy) Approved(h History, now time.Time) Denial {
	return p.decide(func(p *Policy, d *Denial) {
		*d = p.Evidence(h, now)
		needed := p.Approvals()
		if needed == 0 {
			*d = append(*d, p.Wait(h, now)...)
			return
		}
		valid := p.ValidApprovals(h, now)
		if len(valid) >= needed {
			p.otherThanImporter(d, valid, h)
			return
		}
		field := "requireApproval"
		if needed > 1 {
			field = "approvals"
		}
		d.add(field, "%d of %d approvals%s%s", len(valid), needed, p.others(h, now),
			p.unsoundOf(h, now))
	})
}

// others tells of the approvals that do not count, and why.
func (p *Policy) others(h History, now time.Time) (text string) {
	other, late, before, ahead, expired, blind := 0, 0, 0, 0, 0, 0
	var furthest time.Time
	for _, a := range h.Approvals {
		switch {
		case a.Digest != h.Digest:
			other++
		case p.late(a, h):
			late++
		case p.before(a, h):
			before++
		case early(a, now):
			ahead++
			if a.At.After(furthest) {
				furthest = a.At
			}
		case p.expired(a, now):
			expired++
		case p.sawTooLittle(a, now):
			blind++
		}
	}
	if other > 0 {
		text += fmt.Sprintf("; %d for a plan that has changed since", other)
	}
	if late > 0 {
		text += fmt.Sprintf(
			"; %d more than %s (maxDecisionWait) after the import: plan afresh and import it again",
			late,
			p.MaxDecisionWait,
		)
	}
	if before > 0 {
		text += fmt.Sprintf("; %d given at a time before the import, which was at %s: one of the "+
			"clocks was wrong; import it again", before, h.Imported.Format(time.RFC3339))
	}
	if ahead > 0 {
		text += fmt.Sprintf("; %d from the future (%s, and it is %s by this clock): look at the clocks",
			ahead, furthest.Format(time.RFC3339), now.Format(time.RFC3339))
	}
	if expired > 0 {
		text += fmt.Sprintf("; %d older than %s", expired, p.ApprovalTTL)
	}
	if blind > 0 {
		text += fmt.Sprintf("; %d of who saw no evidence younger than %s (maxEvidenceAge)", blind,
			p.MaxEvidenceAge)
	}
	return text
}

// Evidence decides whether there is a dry-run where one is needed.
func (p *Policy) Evidence(h History, now time.Time) Denial {
	return p.decide(func(p *Policy, d *Denial) {
		switch {
		case !p.RequireEvidence:
		case h.Evidence != "" && h.Evidence == h.Digest:
			p.evidenceAge(d, h, now)
		case h.Evidence == "":
			d.add("requireEvidence", "no dry-run of it has succeeded; run one first")
		default:
			d.add("requireEvidence", "the plan has changed since its dry-run; run another first")
		}
	})
}

// sawTooLittle tells an approval of who saw nothing that is young enough.
func (p *Policy) sawTooLittle(a Approval, now time.Time) bool {
	return p.MaxEvidenceAge > 0 && (a.Evidence == "" || now.Sub(a.EvidenceAt) > p.MaxEvidenceAge)
}

func (p *Policy) evidenceAge(d *Denial, h History, now time.Time) {
	switch age := now.Sub(h.EvidenceAt); {
	case p.MaxEvidenceAge == 0:
	case -age > clockSlack:
		d.add("maxEvidenceAge", "its dry-run was at %s, and it is %s by this clock: look at the clocks",
			h.EvidenceAt.Format(time.RFC3339), now.Format(time.RFC3339))
	case age > p.MaxEvidenceAge:
		d.add("maxEvidenceAge", "its dry-run is %s old, older than %s; run another, and approve it",
			age.Round(time.Second), p.MaxEvidenceAge)
	}
}

// Plugin decides by the digest of the program that would be run; empty where that is not known.
func (p *Policy) Plugin(digest string) Denial {
	return p.decide(func(p *Policy, d *Denial) {
		switch {
		case p.Plugins == nil || slices.Contains(p.Plugins, digest):
		case digest == "":
			d.add("allowedPlugins", "it is not known which program would be run")
		default:
			d.add("allowedPlugins", "the program that would be run is %s; allowed: %s; to allow it %s",
				digest, list(p.Plugins), extend("allowedPlugins", p.Plugins, digest))
		}
	})
}

// Wait decides whether the action has waited too long for its decision.
func (p *Policy) Wait(h History, now time.Time) Denial {
	return p.decide(func(p *Policy, d *Denial) {
		if ahead := h.Imported.Sub(now); p.MaxDecisionWait > 0 && ahead > clockSlack {
			d.add("maxDecisionWait", "it was imported at %s, and it is %s by this clock: one of the"+
				" clocks is wrong; set it right, and import it again",
				h.Imported.Format(time.RFC3339), now.Format(time.RFC3339))
		}
		if waited := now.Sub(h.Imported); p.tooLong(waited) {
			d.add(
				"maxDecisionWait",
				"it has waited %s for a decision, longer than %s; plan afresh and import it again",
				waited.Round(time.Second),
				p.MaxDecisionWait,
			)
		}
	})
}

func (p *Policy) tooLong(waited time.Duration) bool {
	return p.MaxDecisionWait > 0 && waited > p.MaxDecisionWait
}

// ValidApprovals are those that count: for this plan, given in time, not expired, not from the
// future, one of each person.
func (p *Policy) ValidApprovals(h History, now time.Time) []Approval {
	var valid []Approval
	for _, a := range h.Approvals {
		again := func(v Approval) bool {
			return p.any(func(p *Policy) bool { return p.samePerson(v, a, h.SamePerson) })
		}
		counts := func(p *Policy) bool {
			return !p.late(a, h) && !p.before(a, h) && !p.expired(a, now) &&
				p.unsound(a, h, now) == nil && !p.sawTooLittle(a, now)
		}
		if a.Digest == h.Digest && h.Digest != "" && !early(a, now) && p.all(counts) &&
			!slices.ContainsFunc(valid, again) {
			valid = append(valid, a)
		}
	}
	return valid
}

// late tells an approval that was given when the action had waited too long: while another policy
// held, or none.
func (p *Policy) late(a Approval, h History) bool { return p.tooLong(a.At.Sub(h.Imported)) }

// before tells an approval whose time is before the import, which it came after: by one clock or
// the other nobody knows how long the action had waited.
func (p *Policy) before(a Approval, h History) bool {
	return p.MaxDecisionWait > 0 && h.Imported.Sub(a.At) > clockSlack
}

// clockSlack is by how much another machine's clock may be ahead.
const clockSlack = 5 * time.Minute

func early(a Approval, now time.Time) bool { return a.At.Sub(now) > clockSlack }

func (p *Policy) expired(a Approval, now time.Time) bool {
	return p.ApprovalTTL > 0 && now.Sub(a.At) > p.ApprovalTTL
}
