package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/signature"
)

// Signed is what makes an approval somebody's: a statement, and the signature of it.
type Signed struct {
	// Statement is the text that was signed, Signature the armored signature of it.
	Statement, Signature string
}

// NeedsSignatures reports whether approvals count only with a signature.
func (p *Policy) NeedsSignatures() bool {
	return p.any(func(p *Policy) bool { return p.Approvers != nil })
}

// read verifies a signature, and reads what was signed.
func (s Signed) read() (signature.Statement, signature.Key, error) {
	key, err := signature.Verify([]byte(s.Statement), []byte(s.Signature), signature.ApprovalNamespace)
	if err != nil {
		return signature.Statement{}, key, err
	}
	statement, err := signature.ParseStatement(s.Statement)
	return statement, key, err
}

// signedBy reports why a signed approval does not count by this policy's list of approvers.
func (p *Policy) signedBy(principal string, key signature.Key, at time.Time) error {
	return p.Approvers.Check(principal, key, signature.ApprovalNamespace, at)
}

// unsound reports why an approval does not count as a signed one; nil where no list asks.
func (p *Policy) unsound(a Approval, h History, now time.Time) error {
	if p.Approvers == nil {
		return nil
	}
	if a.Signed == nil {
		return fmt.Errorf("the approval of %s is not signed", a.By)
	}
	s, key, err := a.Signed.read()
	if err != nil {
		return err
	}
	switch {
	case s.Principal != a.By:
		return fmt.Errorf("the signature is %s's, and the approval names %s", s.Principal, a.By)
	case s.Journal != h.Journal || h.Journal == "":
		return fmt.Errorf("the approval of %s is for another journal", a.By)
	case s.Plan != h.Digest:
		return fmt.Errorf("the approval of %s is for another plan", a.By)
	case s.Evidence != a.Evidence:
		return fmt.Errorf("the approval of %s is for other evidence", a.By)
	}
	if err := s.Covers(h.Request); err != nil {
		return err
	}
	if err := s.Holds(now); err != nil {
		return err
	}
	return p.signedBy(s.Principal, key, now)
}

// Unsound decides whether an approval would count for its signature, and names what does not.
func (p *Policy) Unsound(a Approval, h History, now time.Time) Denial {
	return p.decide(func(p *Policy, d *Denial) {
		if err := p.unsound(a, h, now); err != nil {
			d.add("approvers", "%v", err)
		}
	})
}

// How says what an approval rests on: a signature of its plan, or the approver's word alone. It
// does not say whether a policy lets it count.
func (a Approval) How() string {
	if a.Signed == nil {
		return "self-declared"
	}
	s, key, err := a.Signed.read()
	switch {
	case err != nil:
		return "its signature does not hold"
	case s.Principal != a.By || s.Plan != a.Digest || s.Evidence != a.Evidence:
		return "its signature is for something else"
	}
	return "signed, " + key.Fingerprint()
}

// Named is the name as it is shown: with what the approval rests on.
func (a Approval) Named() string { return a.By + " (" + a.How() + ")" }

// Key is the fingerprint of the key that an approval was signed with; empty for none.
func (a Approval) Key() string {
	if a.Signed == nil {
		return ""
	}
	// Of what is no signature there is no key.
	key, _ := signature.Verify([]byte(a.Signed.Statement), []byte(a.Signed.Signature),
		signature.ApprovalNamespace)
	return key.Fingerprint()
}

// samePerson reports whether two approvals are one person's: by name, by key, or because the list
// of approvers has both names for one key.
func (p *Policy) samePerson(a, b Approval, same func(a, b string) bool) bool {
	if same == nil || same(a.By, b.By) {
		return true
	}
	if key := a.Key(); key != "" && key == b.Key() {
		return true
	}
	return p.Approvers != nil && slices.Contains(p.Approvers.Aliases(a.By), b.By)
}

// byImporter reports whether an approval may be that of who imported the action. A name with a
// domain is compared without it, too.
func (p *Policy) byImporter(a Approval, h History) bool {
	names := []string{a.By}
	if p.Approvers != nil {
		names = p.Approvers.Aliases(a.By)
	} else if a.User != "" {
		names = append(names, a.User)
	}
	for _, name := range names {
		local, _, _ := strings.Cut(name, "@")
		if h.Importer == "" || h.SamePerson == nil || h.SamePerson(name, h.Importer) ||
			h.SamePerson(local, h.Importer) {
			return true
		}
	}
	return false
}

// unsoundOf tells of the approvals that do not count for their signatures, and why.
func (p *Policy) unsoundOf(h History, now time.Time) (text string) {
	for _, a := range h.Approvals {
		if err := p.unsound(a, h, now); err != nil {
			text += "; " + err.Error()
		}
	}
	return text
}

// otherThanImporter decides whether somebody else than the importer approved.
func (p *Policy) otherThanImporter(d *Denial, valid []Approval, h History) {
	if !p.NotImporter || p.Approvals() == 0 ||
		slices.ContainsFunc(valid, func(a Approval) bool { return !p.byImporter(a, h) }) {
		return
	}
	d.add("approverOtherThanImporter", "nobody but who imported it (%s) has approved it",
		h.Importer)
}

// Carries decides by the approvals that a request carries, for an executor that does not trust who
// sends it. Where no list of approvers asks, they are not looked at. An approval of an action is
// one of its undo too.
func (p *Policy) Carries(verbs *action.Registry, r protocol.Request, now time.Time) Denial {
	return p.carries(r, now, func(p *Policy, a Approval) error {
		return p.covered(verbs, a, r, now)
	})
}

// CarriesItself decides as Carries does, but by approvals of the request itself alone: not by those
// of the action that it takes back.
func (p *Policy) CarriesItself(r protocol.Request, now time.Time) Denial {
	return p.carries(r, now, func(p *Policy, a Approval) error {
		return p.coveredItself(a, r, now)
	})
}

// carries counts the approvals of a request that covered has nothing against.
func (p *Policy) carries(
	r protocol.Request, now time.Time, covered func(*Policy, Approval) error,
) Denial {
	return p.decide(func(p *Policy, d *Denial) {
		if p.Approvers == nil || r.Mode != protocol.Execute {
			return
		}
		if r.Approvals.Fault != "" {
			d.add("approvers", "the request's approvals can't be read: %s", r.Approvals.Fault)
			return
		}
		var valid []Approval
		var others []string
		for i, carried := range r.Approvals.List {
			a := Approval{
				By: carried.Principal, Signed: &Signed{carried.Statement, carried.Signature},
			}
			again := func(v Approval) bool {
				return p.samePerson(v, a, func(a, b string) bool { return strings.EqualFold(a, b) })
			}
			switch err := covered(p, a); {
			case err != nil:
				others = append(others, fmt.Sprintf("; approval %d: %v", i+1, err))
			case slices.ContainsFunc(valid, again):
				others = append(others, fmt.Sprintf("; approval %d is of a person who has approved", i+1))
			default:
				valid = append(valid, a)
			}
		}
		if needed := p.Approvals(); len(valid) < needed {
			d.add("approvers", "the request carries %d of %d signed approvals%s",
				len(valid), needed, strings.Join(others, ""))
		}
	})
}

// covered reports why an approval that a request carries is not one of it. That of an action is one
// of its undo too, which has no end: what was let through must stay undoable.
func (p *Policy) covered(
	verbs *action.Registry, a Approval, r protocol.Request, now time.Time,
) error {
	s, key, err := a.read()
	if err != nil {
		return err
	}
	if !strings.HasSuffix(r.IdempotencyKey, protocol.UndoKeySuffix) || s.CoversUndo(r) != nil {
		return p.coveredItself(a, r, now)
	}
	if name := added(verbs, s, r); name != "" {
		return fmt.Errorf("the approval is of the action, and its undo may not say %s=%s;"+
			" have the undo itself approved: import what actionctl undo prints",
			name, protocol.Quote(r.Parameters[name]))
	}
	at := s.Issued
	if at.After(now) {
		at = now
	}
	return p.signedBy(s.Principal, key, at)
}

// coveredItself reports why an approval is not one of exactly the request.
func (p *Policy) coveredItself(a Approval, r protocol.Request, now time.Time) error {
	s, key, err := a.read()
	if err != nil {
		return err
	}
	if err := s.Covers(r); err != nil {
		return err
	}
	if err := s.Holds(now); err != nil {
		return err
	}
	return p.signedBy(s.Principal, key, now)
}

// read verifies an approval that a request carries, and reads what was signed.
func (a Approval) read() (signature.Statement, signature.Key, error) {
	s, key, err := a.Signed.read()
	if err == nil && s.Principal != a.By {
		err = fmt.Errorf("the signature is %s's, and the approval names %s", s.Principal, a.By)
	}
	return s, key, err
}

// added is the first parameter of an undo that its action's approval does not speak for: neither a
// fact that the action tells, nor a parameter of the action. It is empty if there is none.
func added(verbs *action.Registry, s signature.Statement, r protocol.Request) string {
	undo, _ := verbs.Lookup(r.Action)
	forward, _ := verbs.Lookup(s.Action)
	for _, name := range slices.Sorted(maps.Keys(r.Parameters)) {
		matches := func(f action.Field) bool { return f.Matches(name) }
		value := r.Parameters[name]
		if value != "" && value != s.Parameters[name] &&
			slices.ContainsFunc(undo.Parameters, matches) &&
			!slices.ContainsFunc(forward.Facts, matches) {
			return name
		}
	}
	return ""
}
