package policy

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/signature"
	"aws-provider-executor/pkg/signing"
)

var noon = time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)

// approver has a key and may approve by a line of a list.
type approver struct {
	t    *testing.T
	name string
	key  ssh.Signer
}

func newApprover(t *testing.T, name string) approver {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return approver{t, name, key}
}

// line is the approver's in a list, under one or more names.
func (a approver) line(names ...string) string {
	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(a.key.PublicKey())))
	return `"` + strings.Join(append([]string{a.name}, names...), ",") + " " + public + `"`
}

// request is what is to be carried out.
func request() protocol.Request {
	return protocol.Request{
		Action: "tie", Provider: "aws", ProviderRef: "p", Mode: protocol.Execute, IdempotencyKey: "k",
		Target: map[string]string{"nicRef": "eni-1"}, Parameters: map[string]string{"force": "true"},
	}
}

// signs is the approver's signed yes, for an hour from noon. Change makes its statement another.
func (a approver) signs(change func(*signature.Statement)) Approval {
	a.t.Helper()
	r := request()
	s := signature.Statement{
		Format: signature.StatementFormat, Journal: "j", Principal: a.name, Plan: "d", Evidence: "e",
		Action: r.Action, Provider: r.Provider, ProviderRef: r.ProviderRef, Target: r.Target,
		Parameters: r.Parameters, Mode: r.Mode, IdempotencyKey: r.IdempotencyKey, Undo: "untie",
		Issued: noon, Expires: noon.Add(time.Hour),
	}
	if change != nil {
		change(&s)
	}
	text, err := json.Marshal(s)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.signsText(string(text))
}

// signsText is an approval with a signature of any text.
func (a approver) signsText(text string) Approval {
	a.t.Helper()
	armored, err := signing.Sign([]byte(text), a.key, signature.ApprovalNamespace)
	if err != nil {
		a.t.Fatal(err)
	}
	return Approval{By: a.name, At: noon, Digest: "d", Evidence: "e", EvidenceAt: noon,
		Signed: &Signed{Statement: text, Signature: string(armored)}}
}

// approvedBy is a policy that asks for approvals of a list of approvers.
func approvedBy(t *testing.T, more string, lines ...string) *Policy {
	t.Helper()
	return mustParse(t, open+"  approvers: ["+strings.Join(lines, ", ")+"]\n"+more)
}

func signedHistory(all ...Approval) History {
	return History{
		Digest: "d", Journal: "j", Request: request(), Importer: "ivy", Approvals: all,
		SamePerson: func(a, b string) bool { return strings.EqualFold(a, b) },
	}
}

// TestASignedApprovalCounts only for what it says, while it holds, and by the list.
func TestASignedApprovalCounts(t *testing.T) {
	ann, eve := newApprover(t, "ann@example.org"), newApprover(t, "eve@example.org")
	p := approvedBy(t, "", ann.line())
	changed := func(change func(*signature.Statement)) Approval { return ann.signs(change) }
	broken := ann.signs(nil)
	broken.Signed = &Signed{broken.Signed.Statement + " ", broken.Signed.Signature}
	for name, c := range map[string]struct {
		a    Approval
		h    func(*History)
		at   time.Duration
		want string
	}{
		"all of it": {a: ann.signs(nil)},
		"unsigned": {a: Approval{By: ann.name, Digest: "d"},
			want: "the approval of ann@example.org is not signed"},
		"a text that is no statement": {
			a:    ann.signsText(strings.Replace(ann.signs(nil).Signed.Statement, "/v1", "/v2", 1)),
			want: "the statement is of the form"},
		"another text": {a: broken, want: "the signature is not one of this text"},
		"in another's name": {a: changed(func(s *signature.Statement) { s.Principal = eve.name }),
			want: "the signature is eve@example.org's, and the approval names ann@example.org"},
		"of another journal": {a: changed(func(s *signature.Statement) { s.Journal = "i" }),
			want: "the approval of ann@example.org is for another journal"},
		"of no journal": {a: changed(func(s *signature.Statement) { s.Journal = "" }),
			h:    func(h *History) { h.Journal = "" },
			want: "the approval of ann@example.org is for another journal"},
		"of another plan": {a: changed(func(s *signature.Statement) { s.Plan = "f" }),
			want: "the approval of ann@example.org is for another plan"},
		"of other evidence": {a: changed(func(s *signature.Statement) { s.Evidence = "f" }),
			want: "the approval of ann@example.org is for other evidence"},
		"of another request": {a: changed(func(s *signature.Statement) { s.Action = "cut" }),
			want: `the approval is for the action "cut", not "tie"`},
		"at its end": {a: ann.signs(nil), at: time.Hour,
			want: "the approval expired at 2026-03-03T13:00:00Z"},
		"by a key of nobody's": {a: eve.signs(nil), want: "is nobody's who may approve"},
	} {
		h := signedHistory(c.a)
		if c.h != nil {
			c.h(&h)
		}
		d := p.Unsound(c.a, h, noon.Add(c.at))
		if fields(d) == "approvers" != (c.want != "") || !strings.Contains(d.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, d, c.want)
		}
		approved := p.Approved(h, noon.Add(c.at))
		if len(approved) == 0 != (c.want == "") || !strings.Contains(approved.Error(), c.want) {
			t.Errorf("%s: approved, but for %v; want %q", name, approved, c.want)
		}
	}
	if d := mustParse(t, open).Unsound(Approval{By: "ann"}, signedHistory(), noon); len(d) > 0 {
		t.Errorf("where no list asks: %v", d)
	}
}

// TestTwoSignedApprovalsAreTwoPersons: two names of one key, or of one line, are one person.
func TestTwoSignedApprovalsAreTwoPersons(t *testing.T) {
	ann, bob := newApprover(t, "ann@example.org"), newApprover(t, "bob@example.org")
	twice, third := ann, newApprover(t, "asmith@example.org")
	twice.name = "root@example.org"
	for name, c := range map[string]struct {
		p    *Policy
		all  []Approval
		want int
	}{
		"two": {approvedBy(t, "  approvals: 2\n", ann.line(), bob.line()),
			[]Approval{ann.signs(nil), bob.signs(nil)}, 2},
		"one key": {approvedBy(t, "  approvals: 2\n", ann.line(), twice.line()),
			[]Approval{ann.signs(nil), twice.signs(nil)}, 1},
		"two keys of one": {
			approvedBy(t, "  approvals: 2\n", ann.line("asmith@example.org"), third.line()),
			[]Approval{ann.signs(nil), third.signs(nil)}, 1},
		"one name": {approvedBy(t, "  approvals: 2\n", ann.line()),
			[]Approval{ann.signs(nil), ann.signs(nil)}, 1},
	} {
		h := signedHistory(c.all...)
		if got := c.p.ValidApprovals(h, noon); len(got) != c.want {
			t.Errorf("%s: %d count, want %d", name, len(got), c.want)
		}
		if d := c.p.Approved(h, noon); len(d) == 0 != (c.want == 2) {
			t.Errorf("%s: %v", name, d)
		}
	}
	// Without a list, one key is one person all the same.
	h := signedHistory(ann.signs(nil), twice.signs(nil))
	if got := mustParse(t, open).ValidApprovals(h, noon); len(got) != 1 {
		t.Errorf("%d count without a list, want 1", len(got))
	}
	h = signedHistory(ann.signs(nil), bob.signs(nil))
	if got := mustParse(t, open).ValidApprovals(h, noon); len(got) != 2 {
		t.Errorf("%d count without a list, want 2", len(got))
	}
}

// TestSomebodyElseThanTheImporterApproves: by every name that the approver has.
func TestSomebodyElseThanTheImporterApproves(t *testing.T) {
	ann := newApprover(t, "ann@example.org")
	const other = "  approverOtherThanImporter: true\n"
	plain := func(by, user string) Approval {
		return Approval{By: by, User: user, At: noon, Digest: "d"}
	}
	alias := approvedBy(t, other, ann.line("ivy"))
	loose := mustParse(t, open+other)
	for name, c := range map[string]struct {
		p        *Policy
		a        Approval
		importer string
		want     bool
	}{
		"another":                      {loose, plain("ann", ""), "ivy", true},
		"the importer":                 {loose, plain("ivy", ""), "ivy", false},
		"with a domain":                {loose, plain("ivy@example.org", ""), "ivy", false},
		"in another name, as the user": {loose, plain("ann", "ivy"), "ivy", false},
		"as another user":              {loose, plain("ann", "bob"), "ivy", true},
		"nobody knows who imported it": {loose, plain("ann", "bob"), "", false},
		"signed":                       {approvedBy(t, other, ann.line()), ann.signs(nil), "ivy", true},
		"signed by an alias":           {alias, ann.signs(nil), "ivy", false},
	} {
		h := signedHistory(c.a)
		h.Importer = c.importer
		d := c.p.Approved(h, noon)
		want := "approverOtherThanImporter: nobody but who imported it (" + c.importer +
			") has approved it"
		if c.want {
			want = ""
		}
		if got := d.Error(); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		h.SamePerson = nil
		if d := c.p.Approved(h, noon); len(d) == 0 {
			t.Errorf("%s: without a judge of names it is approved", name)
		}
	}
}

// TestARequestCarriesItsApprovals: an executor counts those of exactly the request, and those of
// an action for its undo, whatever their end.
func TestARequestCarriesItsApprovals(t *testing.T) {
	ann, bob := newApprover(t, "ann@example.org"), newApprover(t, "bob@example.org")
	eve := newApprover(t, "eve@example.org")
	one := approvedBy(t, "", ann.line(), bob.line())
	two := approvedBy(t, "  approvals: 2\n", ann.line(), bob.line())
	undo := func(r *protocol.Request) {
		r.Action, r.IdempotencyKey = "untie", "k"+protocol.UndoKeySuffix
		r.Parameters = map[string]string{"prior": "x"}
	}
	inNameOf := ann.signs(nil)
	inNameOf.By = bob.name
	for name, c := range map[string]struct {
		p      *Policy
		all    []Approval
		change func(*protocol.Request)
		at     time.Duration
		want   string
	}{
		"one":  {p: one, all: []Approval{ann.signs(nil)}},
		"none": {p: one, want: "the request carries 0 of 1 signed approvals"},
		"two":  {p: two, all: []Approval{ann.signs(nil), bob.signs(nil)}},
		"one of two": {p: two, all: []Approval{ann.signs(nil)},
			want: "the request carries 1 of 2 signed approvals"},
		"one twice": {p: two, all: []Approval{ann.signs(nil), ann.signs(nil)},
			want: "carries 1 of 2 signed approvals; approval 2 is of a person who has approved"},
		"one of the two is nobody's": {p: two, all: []Approval{eve.signs(nil), ann.signs(nil)},
			want: "carries 1 of 2 signed approvals; approval 1: the key "},
		"in another's name": {p: one, all: []Approval{inNameOf},
			want: "the signature is ann@example.org's, and the approval names bob@example.org"},
		"of another request": {p: one, all: []Approval{ann.signs(nil)},
			change: func(r *protocol.Request) { r.Target = map[string]string{"nicRef": "eni-2"} },
			want:   "the approval is for another target"},
		"too late": {p: one, all: []Approval{ann.signs(nil)}, at: time.Hour,
			want: "the approval expired at"},
		"its undo":       {p: one, all: []Approval{ann.signs(nil)}, change: undo},
		"its undo, late": {p: one, all: []Approval{ann.signs(nil)}, change: undo, at: time.Hour},
		"its undo, by a clock behind": {p: one, all: []Approval{ann.signs(nil)}, change: undo,
			at: -time.Hour},
		"the undo of another": {p: one, change: undo, all: []Approval{
			ann.signs(func(s *signature.Statement) { s.Undo = "cut" })},
			want: `the approval is for the action "tie", not "untie"`},
		"a dry-run": {p: one,
			change: func(r *protocol.Request) { r.Mode = protocol.DryRun }},
		"no list": {p: mustParse(t, open)},
		"approvals that can't be read": {p: one,
			change: func(r *protocol.Request) { r.Approvals.Fault = "is no list" },
			want:   "approvers: the request's approvals can't be read: is no list"},
	} {
		r := request()
		for _, a := range c.all {
			r.Approvals.List = append(r.Approvals.List, protocol.Approval{
				Principal: a.By, Statement: a.Signed.Statement, Signature: a.Signed.Signature,
			})
		}
		if c.change != nil {
			c.change(&r)
		}
		d := c.p.Carries(actions.Registry(), r, noon.Add(c.at))
		told := fields(d) == "approvers"
		if told != (c.want != "") || !told && len(d) > 0 || !strings.Contains(d.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, d, c.want)
		}
	}
	broken := request()
	a := ann.signs(nil)
	broken.Approvals.List = []protocol.Approval{{
		Principal: a.By, Statement: a.Signed.Statement, Signature: "no signature"}}
	d := one.Carries(actions.Registry(), broken, noon)
	if !strings.Contains(d.Error(), "not one signature") {
		t.Errorf("without a signature: %v", d)
	}
	// A key that is valid from noon on signs nothing before it, an undo's approval included.
	line := strings.Replace(ann.line(), " ssh-", ` valid-after=\"20260303120000Z\" ssh-`, 1)
	r := request()
	undo(&r)
	r.Approvals.List = []protocol.Approval{{
		Principal: a.By, Statement: a.Signed.Statement, Signature: a.Signed.Signature}}
	late := approvedBy(t, "", line)
	if d := late.Carries(actions.Registry(), r, noon.Add(time.Hour)); len(d) > 0 {
		t.Errorf("the undo, an hour later: %v", d)
	}
	d = late.Carries(actions.Registry(), r, noon.Add(-time.Second))
	if !strings.Contains(d.Error(), "is valid from") {
		t.Errorf("the undo, before the key is valid: %v", d)
	}
}

// TestANameSaysWhetherSomebodyStandsForIt: the key is named where the signature is one.
func TestANameSaysWhetherSomebodyStandsForIt(t *testing.T) {
	ann := newApprover(t, "ann@example.org")
	a := ann.signs(nil)
	fingerprint := ssh.FingerprintSHA256(ann.key.PublicKey())
	if got := a.Named(); got != "ann@example.org (signed, "+fingerprint+")" {
		t.Error(got)
	}
	a.Signed.Signature = "torn"
	if got := a.Key(); got != "" {
		t.Error(got)
	}
	a.Signed = nil
	if got := a.Named(); got != "ann@example.org (self-declared)" || a.Key() != "" {
		t.Error(got, a.Key())
	}
	if !approvedBy(t, "", ann.line()).NeedsSignatures() || mustParse(t, open).NeedsSignatures() {
		t.Error("signatures are needed where there is a list, and only there")
	}
}
