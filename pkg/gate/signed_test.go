package gate_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/evidence"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/signature"
	"aws-provider-executor/pkg/signing"
)

// signer is a person with a key.
type signer struct {
	name, public string
	key          ssh.Signer
}

func newSigner(t *testing.T, name string) signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey())))
	return signer{name, public, key}
}

func (s signer) line() string { return s.name + " " + s.public }

// signs makes a signature in a namespace of what a change makes of the statement.
func (s signer) signs(namespace string, change func(*signature.Statement)) gate.Approving {
	return gate.Approving{By: s.name, Holds: time.Hour, Sign: func(text []byte) ([]byte, error) {
		if change == nil {
			return signing.Sign(text, s.key, namespace)
		}
		var statement signature.Statement
		if err := json.Unmarshal(text, &statement); err != nil {
			return nil, err
		}
		change(&statement)
		other, err := evidence.Canonical(statement)
		if err != nil {
			return nil, err
		}
		return signing.Sign(other, s.key, namespace)
	}}
}

func (s signer) yes() gate.Approving { return s.signs(signature.ApprovalNamespace, nil) }

// approvers is a policy's list of lines.
func approvers(lines ...string) string {
	quoted := make([]string, len(lines))
	for i, l := range lines {
		quoted[i] = fmt.Sprintf("%q", l)
	}
	return "  approvers: [" + strings.Join(quoted, ", ") + "]\n"
}

func (r *rig) signed(id int64, yes gate.Approving) ([]gate.Outcome, error) {
	return r.ApproveWith(context.Background(), []int64{id}, yes)
}

// notApproved holds that nothing was approved, and nothing runs.
func (r *rig) notApproved(id int64) {
	r.t.Helper()
	r.all(r.execute(id))(gate.Refused)
	if a := r.get(id); a.Status != gate.Pending || a.ApprovedBy != "" || len(r.requests) != 0 {
		r.t.Errorf("%s by %q, %d requests", a.Status, a.ApprovedBy, len(r.requests))
	}
	r.verified()
}

func TestASignedApprovalIsSomebodys(t *testing.T) {
	ann := newSigner(t, "ann@example.org")
	r := newRig(t, lab+approvers(ann.line()))
	id := r.imported("k")[0]
	r.all(r.signed(id, ann.yes()))(gate.Done)
	a := r.get(id)
	want := "ann@example.org (signed, " + ssh.FingerprintSHA256(ann.key.PublicKey()) + ")"
	if a.Status != gate.Approved || a.ApprovedBy != want {
		t.Errorf("%s by %q, want %q", a.Status, a.ApprovedBy, want)
	}
	r.all(r.execute(id))(gate.Done)
	carried := r.requests[0].Approvals.List
	if len(carried) != 1 || carried[0].Principal != "ann@example.org" {
		t.Fatalf("the request carries %+v", carried)
	}
	// An executor that trusts nobody lets it through, and its undo.
	if d := r.Policy.Carries(actions.Registry(), r.requests[0], r.now); len(d) > 0 {
		t.Error(d)
	}
	r.now = r.now.Add(48 * time.Hour)
	r.all(r.Rollback(context.Background(), []int64{id}, gate.Options{}))(gate.Done)
	if d := r.Policy.Carries(actions.Registry(), r.requests[1], r.now); len(d) > 0 {
		t.Error(d)
	}
	r.verified()
}

// TestAnApprovalThatIsNobodysIsRefused, and nothing of it is left.
func TestAnApprovalThatIsNobodysIsRefused(t *testing.T) {
	ann, mallory := newSigner(t, "ann@example.org"), newSigner(t, "mallory@example.org")
	as := func(s signer, name string) signer { s.name = name; return s }
	own := signature.ApprovalNamespace
	for name, tt := range map[string]struct {
		list []string
		yes  gate.Approving
		want string
	}{
		"self-declared": {[]string{ann.line()}, gate.Approving{By: ann.name}, "is not signed"},
		"forged: another's key": {
			[]string{ann.line()}, as(mallory, ann.name).yes(), "is nobody's who may approve"},
		"a key of another person": {
			[]string{ann.line(), mallory.line()}, as(mallory, ann.name).yes(), "is not one of ann"},
		"for another text": {
			[]string{ann.line()}, ann.signs(own, func(s *signature.Statement) { s.Plan = "x" }),
			"not one of this text"},
		"wrong namespace": {
			[]string{ann.line()}, ann.signs("git", nil), `for the namespace "git"`},
		"an expired key": {
			[]string{`ann@example.org valid-before="20250101" ` + ann.public}, ann.yes(), "was valid until"},
		"a key of later": {
			[]string{`ann@example.org valid-after="20990101" ` + ann.public}, ann.yes(), "is valid from"},
		"a key for something else": {
			[]string{`ann@example.org namespaces="git" ` + ann.public}, ann.yes(), "not for the namespace"},
		"holds for no time": {
			[]string{ann.line()}, func() gate.Approving { y := ann.yes(); y.Holds = 0; return y }(),
			"does not say from when until when"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lab+approvers(tt.list...))
			id := r.imported("k")[0]
			o := r.all(r.signed(id, tt.yes))(gate.Refused)[0]
			if !strings.Contains(o.Message, "approvers: ") || !strings.Contains(o.Message, tt.want) {
				t.Errorf("%q, want %q", o.Message, tt.want)
			}
			r.notApproved(id)
		})
	}
	t.Run("a revoked key", func(t *testing.T) {
		r := newRig(t, lab+approvers(ann.line())+
			"  revokedKeys: ['"+ssh.FingerprintSHA256(ann.key.PublicKey())+"']\n")
		id := r.imported("k")[0]
		o := r.all(r.signed(id, ann.yes()))(gate.Refused)[0]
		if !strings.Contains(o.Message, "is revoked") {
			t.Error(o.Message)
		}
		r.notApproved(id)
	})
}

// TestASignatureEndsWithItsTimeAndItsKey, though it was good when it was given.
func TestASignatureEndsWithItsTimeAndItsKey(t *testing.T) {
	ann := newSigner(t, "ann@example.org")
	for name, end := range map[string]func(*rig) string{
		"expired": func(r *rig) string {
			r.now = r.now.Add(time.Hour)
			return "the approval expired at 2026-03-03T13:00:00Z"
		},
		"the key was revoked since": func(r *rig) string {
			r.Policy = parsePolicy(t, lab+approvers(ann.line())+
				"  revokedKeys: ['"+ssh.FingerprintSHA256(ann.key.PublicKey())+"']\n")
			return "is revoked"
		},
		"the key was taken off the list": func(r *rig) string {
			r.Policy = parsePolicy(t, lab+approvers(newSigner(t, "bob").line()))
			return "is nobody's who may approve"
		},
		"the key expired since": func(r *rig) string {
			r.Policy = parsePolicy(t, lab+approvers(`ann@* valid-before="202603031159Z" `+ann.public))
			return "was valid until"
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lab+approvers(ann.line()))
			id := r.imported("k")[0]
			r.all(r.signed(id, ann.yes()))(gate.Done)
			want := end(r)
			o := r.all(r.execute(id))(gate.Refused)[0]
			if !strings.Contains(o.Message, "0 of 1 approvals; ") || !strings.Contains(o.Message, want) {
				t.Errorf("%q, want %q", o.Message, want)
			}
			if len(r.requests) != 0 {
				t.Errorf("%d requests", len(r.requests))
			}
		})
	}
}

// replayed writes an approval into the log as who can write the journal may: with the signature of
// another one.
func (r *rig) replayed(id int64, from gate.Event) {
	r.t.Helper()
	a := r.get(id)
	data := map[string]any{}
	for name, value := range from.Data {
		if name != "row" {
			data[name] = value
		}
	}
	data["digest"] = a.Digest()
	a.Status = gate.Approved
	event := gate.Event{At: r.now, Kind: gate.EventApproved, Data: data}
	change := gate.Change{Action: a, Event: event}
	if _, err := r.Store.Apply(context.Background(), change); err != nil {
		r.t.Fatal(err)
	}
}

// TestAReplayedSignatureIsRefused: of another journal, action, target, parameters or key.
func TestAReplayedSignatureIsRefused(t *testing.T) {
	ann := newSigner(t, "ann@example.org")
	event := func(r *rig, id int64) gate.Event {
		events, err := r.Store.Events(context.Background(),
			gate.EventQuery{ActionID: id, Kind: gate.EventApproved})
		if err != nil || len(events) != 1 {
			t.Fatal(events, err)
		}
		return events[0]
	}
	for name, tt := range map[string]struct {
		change func(*gate.Plan)
		other  bool
		want   string
	}{
		"another journal": {func(*gate.Plan) {}, true, "is for another journal"},
		"another key":     {func(p *gate.Plan) { p.IdempotencyKey = "l" }, false, "is for another plan"},
		"another target": {func(p *gate.Plan) {
			p.IdempotencyKey, p.Target["address"] = "l", "10.88.60.10"
		}, false, "is for another plan"},
		"other parameters": {func(p *gate.Plan) {
			p.IdempotencyKey, p.Parameters = "l", map[string]string{"allowReassignment": "true"}
		}, false, "is for another plan"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lab+approvers(ann.line()))
			r.all(r.signed(r.imported("k")[0], ann.yes()))(gate.Done)
			approved := event(r, 1)
			if tt.other {
				r = newRig(t, lab+approvers(ann.line()))
			}
			p := plan("k")
			tt.change(&p)
			outcomes, err := r.Import(context.Background(), []gate.Plan{p}, "test", false)
			if err != nil {
				t.Fatal(err)
			}
			id := outcomes[0].Action.ID
			r.replayed(id, approved)
			all, err := r.journal.Approvals(context.Background(), id)
			if err != nil || len(all) != 1 || !tt.other &&
				all[0].How() != "its signature is for something else" {
				t.Errorf("it is shown as %v: %v", all, err)
			}
			o := r.all(r.execute(id))(gate.Refused)[0]
			if !strings.Contains(o.Message, tt.want) || len(r.requests) != 0 {
				t.Errorf("%q, want %q; %d requests", o.Message, tt.want, len(r.requests))
			}
		})
	}
}

// TestTwoApprovalsAreTwoKeysOfTwoPersons.
func TestTwoApprovalsAreTwoKeysOfTwoPersons(t *testing.T) {
	ann, bob := newSigner(t, "ann@example.org"), newSigner(t, "bob@example.org")
	second := newSigner(t, "ann@example.org")
	as := func(s signer, name string) signer { s.name = name; return s }
	for name, tt := range map[string]struct {
		list     []string
		one, two signer
		want     string
	}{
		"the same person with two keys": {
			[]string{ann.line(), second.line()}, ann, second, "ann@example.org has approved it already"},
		"the same person spelt otherwise": {
			[]string{ann.line(), as(second, "Ann@example.org").line()}, ann,
			as(second, "Ann@example.org"), "has approved it already"},
		"the same key under two names": {
			[]string{ann.line(), as(ann, bob.name).line()}, ann, as(ann, bob.name), "1 of 2 approvals"},
		"two names on one line, another key": {
			[]string{"ann@example.org,asmith " + ann.public, as(second, "asmith").line()}, ann,
			as(second, "asmith"), "1 of 2 approvals"},
		"two persons": {[]string{ann.line(), bob.line()}, ann, bob, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lab+"  approvals: 2\n"+approvers(tt.list...))
			id := r.imported("k")[0]
			r.all(r.signed(id, tt.one.yes()))(gate.Done)
			outcomes, err := r.signed(id, tt.two.yes())
			if err != nil {
				t.Fatal(err)
			}
			said := outcomes[0].Message
			outcomes, err = r.execute(id)
			if err != nil {
				t.Fatal(err)
			}
			said += outcomes[0].Message
			ran := outcomes[0].Verdict == gate.Done
			if ran != (tt.want == "") || !strings.Contains(said, tt.want) ||
				(len(r.requests) == 1) != ran {
				t.Errorf("%q, want %q; %d requests", said, tt.want, len(r.requests))
			}
		})
	}
}

// TestTheImporterAloneIsNotEnough, by whatever name of that person.
func TestTheImporterAloneIsNotEnough(t *testing.T) {
	for name, tt := range map[string]struct {
		names string
		alone bool
	}{
		"the user's name": {"tester", true}, "with a domain": {"tester@example.org", true},
		"another name on the line": {"ann@example.org,tester", true},
		"another person":           {"ann@example.org", false},
	} {
		t.Run(name, func(t *testing.T) {
			first, _, _ := strings.Cut(tt.names, ",")
			s := newSigner(t, first)
			line := tt.names + " " + s.public
			bob := newSigner(t, "bob@example.org")
			r := newRig(t, lab+"  approverOtherThanImporter: true\n"+approvers(line, bob.line()))
			id := r.imported("k")[0]
			r.all(r.signed(id, s.yes()))(gate.Done)
			want := gate.Done
			if tt.alone {
				want = gate.Refused
			}
			o := r.all(r.execute(id))(want)[0]
			if tt.alone && !strings.Contains(o.Message,
				"approverOtherThanImporter: nobody but who imported it (tester)") {
				t.Error(o.Message)
			}
			if tt.alone {
				r.all(r.signed(id, bob.yes()))(gate.Done)
				r.all(r.execute(id))(gate.Done)
			}
		})
	}
}

// carried is a request with approvals, and the policy of an executor that asks for them.
func carried(t *testing.T, ann signer) (*policy.Policy, protocol.Request, *rig) {
	t.Helper()
	r := newRig(t, lab+approvers(ann.line()))
	id := r.imported("k")[0]
	r.all(r.signed(id, ann.yes()))(gate.Done)
	r.all(r.execute(id))(gate.Done)
	return r.Policy, r.requests[0], r
}

// TestAnExecutorHoldsTheStatementAgainstTheRequest: everything that is carried out is in it.
func TestAnExecutorHoldsTheStatementAgainstTheRequest(t *testing.T) {
	ann := newSigner(t, "ann@example.org")
	p, good, r := carried(t, ann)
	for name, tt := range map[string]struct {
		change func(*protocol.Request)
		want   string
	}{
		"no approval": {func(q *protocol.Request) { q.Approvals.List = nil }, "carries 0 of 1"},
		"unreadable": {
			func(q *protocol.Request) { q.Approvals = protocol.Approvals{Fault: "torn"} },
			"can't be read: torn"},
		"another action": {
			func(q *protocol.Request) { q.Action = "ensure-forwarding-enabled" }, "for the action"},
		"another target": {
			func(q *protocol.Request) { q.Target["address"] = "10.88.60.10" }, "another target"},
		"one target more": {func(q *protocol.Request) { q.Target["x"] = "y" }, "another target"},
		"other parameters": {
			func(q *protocol.Request) { q.Parameters["allowReassignment"] = "true" }, "other parameters"},
		"another key": {func(q *protocol.Request) { q.IdempotencyKey = "l" }, "for the idempotencyKey"},
		"another account": {
			func(q *protocol.Request) { q.ProviderRef = "prod" }, "for the providerRef"},
		"another's name": {
			func(q *protocol.Request) { q.Approvals.List[0].Principal = "bob" }, "names bob"},
		"another statement": {func(q *protocol.Request) {
			first := &q.Approvals.List[0]
			first.Statement = strings.Replace(first.Statement, "eni-", "eni-0", 1)
		}, "not one of this text"},
		"an undo of another key": {func(q *protocol.Request) {
			q.Action, q.IdempotencyKey = "unassign-secondary-ip", "l:undo"
		}, "for the action"},
		"another undo": {func(q *protocol.Request) {
			q.Action, q.IdempotencyKey = "ensure-forwarding-disabled", "k:undo"
		}, "for the action"},
		"the undo of another target": {func(q *protocol.Request) {
			q.Action, q.IdempotencyKey = "unassign-secondary-ip", "k:undo"
			q.Target["address"] = "10.88.60.10"
		}, "for the action"},
	} {
		t.Run(name, func(t *testing.T) {
			q := good
			q.Target, q.Parameters = clone(good.Target), clone(good.Parameters)
			q.Approvals.List = slices.Clone(good.Approvals.List)
			tt.change(&q)
			d := p.Carries(actions.Registry(), q, r.now)
			if len(d) != 1 || d[0].Field != "approvers" || !strings.Contains(d[0].Text, tt.want) {
				t.Errorf("%v, want %q", d, tt.want)
			}
		})
	}
	if d := p.Carries(actions.Registry(), good, r.now); len(d) > 0 {
		t.Error(d)
	}
	if d := p.Carries(actions.Registry(), good, r.now.Add(time.Hour)); len(d) != 1 ||
		!strings.Contains(d[0].Text, "expired") {
		t.Errorf("expired: %v", d)
	}
	twice := good
	twice.Approvals.List = append(slices.Clone(good.Approvals.List), good.Approvals.List...)
	two := parsePolicy(t, lab+"  approvals: 2\n"+approvers(ann.line()))
	d := two.Carries(actions.Registry(), twice, r.now)
	if len(d) != 1 || !strings.Contains(d[0].Text, "1 of 2") {
		t.Errorf("the same one twice: %v", d)
	}
	dry := good
	dry.Mode, dry.Approvals = protocol.DryRun, protocol.Approvals{}
	if d := p.Carries(actions.Registry(), dry, r.now); len(d) > 0 {
		t.Errorf("a dry-run: %v", d)
	}
	none := good
	none.Approvals = protocol.Approvals{Fault: "torn"}
	if d := parsePolicy(t, lab).Carries(actions.Registry(), none, r.now); len(d) > 0 {
		t.Errorf("a policy that asks for none: %v", d)
	}
}

func clone(m map[string]string) map[string]string {
	c := map[string]string{}
	for k, v := range m {
		c[k] = v
	}
	return c
}

// TestARejectionStands until the plan is imported again.
func TestARejectionStands(t *testing.T) {
	r := newRig(t, lab+"  requireApproval: false\n")
	ids := r.approved("k")
	reject := func(reason string) ([]gate.Outcome, error) {
		return r.Reject(context.Background(), ids, gate.Rejecting{By: "bob", Reason: reason})
	}
	r.all(reject(" "))(gate.Refused)
	r.all(reject("the wrong interface"))(gate.Done)
	a := r.get(ids[0])
	if a.Status != gate.Rejected || a.ApprovedBy != "" ||
		a.Error != "rejected by bob: the wrong interface" {
		t.Errorf("%s, %q, %q", a.Status, a.ApprovedBy, a.Error)
	}
	for name, operate := range map[string]func() ([]gate.Outcome, error){
		"execute": func() ([]gate.Outcome, error) { return r.execute(ids...) },
		"approve": func() ([]gate.Outcome, error) {
			return r.Approve(context.Background(), ids, "ann", "")
		},
		"reject": func() ([]gate.Outcome, error) { return reject("again") },
	} {
		if o := r.all(operate())(gate.Refused)[0]; !strings.Contains(o.Message, "it is rejected") {
			t.Errorf("%s: %s", name, o.Message)
		}
	}
	plans := []gate.Plan{plan("k")}
	if _, err := r.Import(context.Background(), plans, "test", true); err != nil {
		t.Fatal(err)
	}
	r.all(r.execute(ids...))(gate.Done)
	r.all(reject("too late"))(gate.Refused)
	r.verified()
}

// TestARejectionOfWhatMayHaveChangedLeavesTheWayBack.
func TestARejectionOfWhatMayHaveChangedLeavesTheWayBack(t *testing.T) {
	r := newRig(t, lab)
	ids := r.approved("k")
	r.answers(failed(protocol.Ambiguous, nil))
	r.all(r.execute(ids...))(gate.Unsuccessful)
	r.answer = nil
	r.all(r.Reject(context.Background(), ids, gate.Rejecting{By: "bob", Reason: "no"}))(gate.Done)
	o := r.all(r.execute(ids...))(gate.Refused)[0]
	if !strings.Contains(o.Message, "rejected: bob rejected it at") ||
		r.get(ids[0]).Status != gate.Failed {
		t.Errorf("%s, %s", o.Message, r.get(ids[0]).Status)
	}
	r.all(r.Rollback(context.Background(), ids, gate.Options{}))(gate.Done)
}

// TestWhatWasSeenMustBeSoStill, and not too old, when it is executed.
func TestWhatWasSeenMustBeSoStill(t *testing.T) {
	r := newRig(t, lab+"  requireEvidence: true\n  maxEvidenceAge: 1h\n")
	holder := "eni-1"
	r.answer = func(req protocol.Request) (protocol.Result, error) {
		return succeeded(map[string]string{"priorAssigned": "false", "priorHolder": holder}), nil
	}
	ids := r.imported("k")
	ctx := context.Background()
	r.all(r.DryRun(ctx, ids, gate.Options{}))(gate.Done)
	r.all(r.Approve(ctx, ids, "ann", ""))(gate.Done)
	events, err := r.Store.Events(ctx, gate.EventQuery{ActionID: ids[0], Kind: gate.EventApproved})
	if err != nil || !strings.HasPrefix(fmt.Sprint(events[0].Data["evidence"]), "sha256:") {
		t.Errorf("the approval names no evidence: %v, %v", events, err)
	}
	holder = "eni-2"
	o := r.all(r.execute(ids...))(gate.Refused)[0]
	const want = `it is not as it was seen: priorHolder was "eni-1", and is "eni-2"`
	if !strings.Contains(o.Message, want) || r.get(ids[0]).Status != gate.Approved {
		t.Errorf("%q, want %q", o.Message, want)
	}
	r.answer = func(protocol.Request) (protocol.Result, error) {
		return protocol.Result{}, errors.New("no answer")
	}
	o = r.all(r.execute(ids...))(gate.Refused)[0]
	if !strings.Contains(o.Message, "can't be looked at again: no answer") {
		t.Error(o.Message)
	}
	r.answer = func(req protocol.Request) (protocol.Result, error) {
		return succeeded(map[string]string{"priorAssigned": "false", "priorHolder": "eni-1"}), nil
	}
	r.now = r.now.Add(61 * time.Minute)
	o = r.all(r.execute(ids...))(gate.Refused)[0]
	for _, want := range []string{"maxEvidenceAge: its dry-run is 1h1m0s old",
		"1 of who saw no evidence younger than 1h0m0s"} {
		if !strings.Contains(o.Message, want) {
			t.Errorf("%q lacks %q", o.Message, want)
		}
	}
	// Another dry-run makes no approval younger: its approver did not see it.
	r.all(r.DryRun(ctx, ids, gate.Options{}))(gate.Done)
	r.all(r.execute(ids...))(gate.Refused)
	r.all(r.Approve(ctx, ids, "bob", ""))(gate.Done)
	for _, q := range r.requests {
		if q.Mode == protocol.Execute {
			t.Fatal("executed")
		}
	}
	r.all(r.execute(ids...))(gate.Done)
	r.verified()
}

// TestAnApprovalNamesTheEvidenceOfAFile, and is refused for another plan's.
func TestAnApprovalNamesTheEvidenceOfAFile(t *testing.T) {
	ann := newSigner(t, "ann@example.org")
	r := newRig(t, lab+"  requireEvidence: true\n"+approvers(ann.line()))
	ids := r.imported("k", "l")
	document := func(id int64, state protocol.State) *evidence.Document {
		a := r.get(id)
		d, err := evidence.New(evidence.Taken{At: r.now, By: "tester"}, evidence.Seen{
			Subjects: []evidence.Subject{{Key: a.IdempotencyKey, Plan: a.Digest(), Action: a.Plan.Action,
				Provider: a.Provider, Target: a.Target, Outcome: evidence.Outcome{Status: state,
					Observed: map[string]string{"priorAssigned": "false"}}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return &d
	}
	yes := ann.yes()
	for want, d := range map[string]*evidence.Document{
		"is not of this plan":    document(ids[1], protocol.Succeeded),
		"saw that it would fail": document(ids[0], protocol.Failed),
	} {
		yes.Evidence = d
		_, err := r.signed(ids[0], yes)
		if !gate.IsRefusal(err) || !strings.HasPrefix(err.Error(), "approval refused:\n") ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	yes.Evidence = document(ids[0], protocol.Succeeded)
	r.all(r.signed(ids[0], yes))(gate.Done)
	r.all(r.execute(ids[0]))(gate.Done)
	statement := r.requests[len(r.requests)-1].Approvals.List[0].Statement
	if !strings.Contains(statement, `"evidence":"`+yes.Evidence.Digest+`"`) {
		t.Errorf("signed: %s", statement)
	}
}

// TestApproveTellsWhatIsRefusedStill.
func TestApproveTellsWhatIsRefusedStill(t *testing.T) {
	r := newRig(t, strings.Replace(lab, "dryRunOnly: false", "dryRunOnly: true", 1))
	o := r.all(r.Approve(context.Background(), r.imported("k"), "ann", ""))(gate.Done)[0]
	if !strings.Contains(o.Message, "approved; to execute it is refused now: dryRunOnly:") {
		t.Error(o.Message)
	}
}
