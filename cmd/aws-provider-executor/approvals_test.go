package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/evidence"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/signature"
	"aws-provider-executor/pkg/signing"
)

// approver is a person with a key.
type approver struct {
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
	return approver{name, key}
}

// line is the person's line in a list of approvers, with options before the key.
func (a approver) line(options string) string {
	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(a.key.PublicKey())))
	return strings.Join(strings.Fields(a.name+" "+options+" "+public), " ")
}

// signedFor is the approval of a request by the person, signed in a namespace, of what a change
// makes of the statement.
func (a approver) signedFor(
	t *testing.T, r protocol.Request, namespace string, change func(*signature.Statement),
) protocol.Approval {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	s := signature.Statement{
		Format: signature.StatementFormat, Journal: "j", Principal: a.name, Plan: "p",
		Action: r.Action, Provider: r.Provider, ProviderRef: r.ProviderRef, Target: r.Target,
		Parameters: r.Parameters, Mode: r.Mode, IdempotencyKey: r.IdempotencyKey,
		Undo: "unassign-secondary-ip", Issued: now, Expires: now.Add(time.Hour),
	}
	if change != nil {
		change(&s)
	}
	text, err := evidence.Canonical(s)
	if err != nil {
		t.Fatal(err)
	}
	armored, err := signing.Sign(text, a.key, namespace)
	if err != nil {
		t.Fatal(err)
	}
	return protocol.Approval{Principal: s.Principal, Signature: string(armored),
		Statement: string(text)}
}

// gated is an executor on a stand-in of its own, with a policy that asks for signed approvals.
type gated struct {
	t   *testing.T
	sim *ec2sim.Sim
	env []string
}

func newGated(t *testing.T, spec string, lines ...string) *gated {
	t.Helper()
	sim := ec2sim.New(ec2sim.Lab())
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	dir := t.TempDir()
	text := "apiVersion: hybrid.routerd.net/v1alpha1\nkind: ProviderActionPolicy\n" +
		"metadata: {name: signed}\nspec:\n  enabled: true\n  dryRunOnly: false\n" +
		"  allowedProviders: [aws]\n  allowedActions: ['*']\n  allowUndo: true\n" +
		"  maxActionsPerRun: 9\n" + spec + "  approvers:\n"
	for _, line := range lines {
		text += "    - '" + line + "'\n"
	}
	path := filepath.Join(dir, "policy.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return &gated{t, sim, append(server.Env(), "PATH="+os.Getenv("PATH"), "EXECUTOR_POLICY="+path,
		"EXECUTOR_STATE_DIR="+filepath.Join(dir, "state"))}
}

// runs sends a request with approvals.
func (g *gated) runs(r protocol.Request, approvals ...protocol.Approval) protocol.Status {
	g.t.Helper()
	r.Approvals.List = approvals
	cmd := exec.Command("aws-provider-executor")
	cmd.Env, cmd.Stdin = g.env, bytes.NewReader(protocol.EncodeRequest(r))
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatal(err)
	}
	var result struct{ Status protocol.Status }
	if err := json.Unmarshal(out, &result); err != nil {
		g.t.Fatalf("%v: %s", err, out)
	}
	return result.Status
}

// refuses holds that a request is denied for its approvals, and that nothing changed.
func (g *gated) refuses(want string, r protocol.Request, approvals ...protocol.Approval) {
	g.t.Helper()
	before := g.sim.State()
	s := g.runs(r, approvals...)
	if s.Status != protocol.Failed || s.Observed[protocol.FactFailureClass] != "denied" ||
		!strings.Contains(s.Error, "approvers: ") || !strings.Contains(s.Error, want) {
		g.t.Errorf("%s (%s): %s\nwant %s", s.Status, s.Observed[protocol.FactFailureClass], s.Error,
			want)
	}
	if diff := cmp.Diff(before, g.sim.State()); diff != "" {
		g.t.Errorf("it changed the world:\n%s", diff)
	}
	for _, c := range g.sim.Calls() {
		if c.Change {
			g.t.Errorf("it called %s", c.Operation)
		}
	}
}

// toApprove is the request that the tests are about.
func toApprove() protocol.Request {
	return protocol.Request{Action: "assign-secondary-ip", Provider: "aws", ProviderRef: "lab-aws",
		Target: map[string]string{"nicRef": ec2sim.LabRouterAInterface, "address": "10.88.60.9/32",
			"region": ec2sim.LabRegion},
		Parameters: map[string]string{}, Mode: protocol.Execute, IdempotencyKey: "k"}
}

// TestTheExecutorTakesASignedApproval, of exactly the request that it carries out and of its undo.
func TestTheExecutorTakesASignedApproval(t *testing.T) {
	ann := newApprover(t, "ann@example.org")
	g := newGated(t, "", ann.line(""))
	before, r := g.sim.State(), toApprove()
	yes := ann.signedFor(t, r, signature.ApprovalNamespace, nil)
	if s := g.runs(r, yes); s.Status != protocol.Succeeded || s.Observed["changed"] != "true" {
		t.Fatalf("%s: %s", s.Status, s.Error)
	}
	undo := r
	undo.Action, undo.IdempotencyKey = "unassign-secondary-ip", "k"+protocol.UndoKeySuffix
	if s := g.runs(undo, yes); s.Status != protocol.Succeeded || s.Observed["changed"] != "true" {
		t.Fatalf("the undo: %s: %s", s.Status, s.Error)
	}
	if diff := cmp.Diff(before, g.sim.State()); diff != "" {
		t.Error(diff)
	}
	// It holds until it expires, as the documentation says: here it can be sent again.
	if s := g.runs(r, yes); s.Status != protocol.Succeeded || s.Observed["changed"] != "true" {
		t.Errorf("again: %s: %s", s.Status, s.Error)
	}
}

// TestTheExecutorRefusesApprovals that are nobody's, or of something else, and changes nothing.
func TestTheExecutorRefusesApprovals(t *testing.T) {
	ann, mallory := newApprover(t, "ann@example.org"), newApprover(t, "mallory@example.org")
	as := func(a approver, name string) approver { a.name = name; return a }
	const own = signature.ApprovalNamespace
	changed := func(change func(*protocol.Request)) protocol.Request {
		r := toApprove()
		change(&r)
		return r
	}
	about := func(change func(*protocol.Request)) func(*testing.T) []protocol.Approval {
		return func(t *testing.T) []protocol.Approval {
			return []protocol.Approval{ann.signedFor(t, changed(change), own, nil)}
		}
	}
	one := func(
		a approver, namespace string, change func(*signature.Statement),
	) func(*testing.T) []protocol.Approval {
		return func(t *testing.T) []protocol.Approval {
			return []protocol.Approval{a.signedFor(t, toApprove(), namespace, change)}
		}
	}
	at := func(from, to time.Duration) func(*signature.Statement) {
		return func(s *signature.Statement) {
			now := time.Now().UTC().Truncate(time.Second)
			s.Issued, s.Expires = now.Add(from), now.Add(to)
		}
	}
	both := []string{ann.line(""), mallory.line("")}
	for _, tt := range []struct {
		name, spec string
		list       []string
		approvals  func(*testing.T) []protocol.Approval
		want       string
	}{
		{"none", "", both, func(*testing.T) []protocol.Approval { return nil }, "carries 0 of 1"},
		{"forged: another's key in her name", "", both[:1], one(as(mallory, ann.name), own, nil),
			"is nobody's who may approve"},
		{"forged: her name over another's statement", "", both, func(t *testing.T) []protocol.Approval {
			a := mallory.signedFor(t, toApprove(), own, nil)
			a.Principal = ann.name
			return []protocol.Approval{a}
		}, "the signature is mallory@example.org's"},
		{"wrong key", "", both, one(as(mallory, ann.name), own, nil), "is not one of ann@example.org"},
		{"wrong namespace", "", both, one(ann, "git", nil), `for the namespace "git"`},
		{"a signed head of a journal", "", both, one(ann, signature.HeadNamespace, nil),
			"for the namespace"},
		{"expired", "", both, one(ann, own, at(-2*time.Hour, -time.Hour)), "the approval expired at"},
		{"of tomorrow", "", both, one(ann, own, at(24*time.Hour, 25*time.Hour)), "look at the clocks"},
		{"without an end", "", both, one(ann, own, func(s *signature.Statement) {
			s.Expires = time.Time{}
		}), "from when until when"},
		{"revoked", "  revokedKeys: ['" + ssh.FingerprintSHA256(ann.key.PublicKey()) + "']\n", both,
			one(ann, own, nil), "is revoked"},
		{"a key whose time is over", "", []string{ann.line(`valid-before="20250101"`)},
			one(ann, own, nil), "was valid until"},
		{"a key for something else", "", []string{ann.line(`namespaces="git"`)}, one(ann, own, nil),
			"not for the namespace"},
		{"swapped statement", "", both, func(t *testing.T) []protocol.Approval {
			a, other := ann.signedFor(t, toApprove(), own, nil), changed(func(r *protocol.Request) {
				r.IdempotencyKey = "l"
			})
			b := ann.signedFor(t, other, own, nil)
			b.Statement = a.Statement
			return []protocol.Approval{b}
		}, "not one of this text"},
		{"replayed: of another key", "", both, about(func(r *protocol.Request) {
			r.IdempotencyKey = "l"
		}), "for the idempotencyKey"},
		{"replayed: of another address", "", both, about(func(r *protocol.Request) {
			r.Target["address"] = "10.88.60.10/32"
		}), "for another target"},
		{"replayed: of another region", "", both, about(func(r *protocol.Request) {
			r.Target["region"] = "eu-west-1"
		}), "for another target"},
		{"replayed: of another account", "", both, about(func(r *protocol.Request) {
			r.ProviderRef = "prod-aws"
		}), "for the providerRef"},
		{"replayed: of other parameters", "", both, about(func(r *protocol.Request) {
			r.Parameters["allowReassignment"] = "true"
		}), "for other parameters"},
		{"replayed: of the undo", "", both, about(func(r *protocol.Request) {
			r.Action, r.IdempotencyKey = "unassign-secondary-ip", "k:undo"
		}), "for the action"},
		{"replayed: of a dry-run", "", both, about(func(r *protocol.Request) {
			r.Mode = protocol.DryRun
		}), "for the mode"},
		{"duplicated principal", "  approvals: 2\n", both, func(t *testing.T) []protocol.Approval {
			a := ann.signedFor(t, toApprove(), own, nil)
			return []protocol.Approval{a, a}
		}, "approval 2 is of a person who has approved"},
		{"duplicated principal, another key of hers", "  approvals: 2\n",
			[]string{ann.line(""), as(mallory, ann.name).line("")},
			func(t *testing.T) []protocol.Approval {
				return []protocol.Approval{ann.signedFor(t, toApprove(), own, nil),
					as(mallory, ann.name).signedFor(t, toApprove(), own, nil)}
			}, "approval 2 is of a person who has approved"},
		{"duplicated key under two names", "  approvals: 2\n",
			[]string{ann.line(""), as(ann, "bob@example.org").line("")},
			func(t *testing.T) []protocol.Approval {
				return []protocol.Approval{ann.signedFor(t, toApprove(), own, nil),
					as(ann, "bob@example.org").signedFor(t, toApprove(), own, nil)}
			}, "approval 2 is of a person who has approved"},
		{"one good and one bad", "  approvals: 2\n", both, func(t *testing.T) []protocol.Approval {
			return []protocol.Approval{ann.signedFor(t, toApprove(), own, nil),
				mallory.signedFor(t, toApprove(), own, at(-2*time.Hour, -time.Hour))}
		}, "carries 1 of 2 signed approvals; approval 2: the approval expired"},
		{"more than are read", "", both, func(t *testing.T) []protocol.Approval {
			a := ann.signedFor(t, toApprove(), own, nil)
			var all []protocol.Approval
			for range 17 {
				all = append(all, a)
			}
			return all
		}, "can't be read"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			newGated(t, tt.spec, tt.list...).refuses(tt.want, toApprove(), tt.approvals(t)...)
		})
	}
}

// TestTheExecutorRefusesAnUndoByAnotherApproval: one that covers another action takes nothing back.
func TestTheExecutorRefusesAnUndoByAnotherApproval(t *testing.T) {
	ann := newApprover(t, "ann@example.org")
	for name, change := range map[string]func(*protocol.Request){
		"another key": func(r *protocol.Request) { r.IdempotencyKey = "l" },
		"another address": func(r *protocol.Request) {
			r.Target = maps.Clone(r.Target)
			r.Target["address"] = "10.88.60.10/32"
		},
		"another action": func(r *protocol.Request) { r.Action = "ensure-forwarding-enabled" },
	} {
		t.Run(name, func(t *testing.T) {
			r := toApprove()
			r.Target["nicRef"], r.Target["address"] = ec2sim.LabRouterBInterface,
				ec2sim.LabServiceAddress+"/32"
			change(&r)
			yes := ann.signedFor(t, r, signature.ApprovalNamespace, func(s *signature.Statement) {
				if name == "another action" {
					s.Undo = "ensure-forwarding-disabled"
				}
			})
			undo := toApprove()
			undo.Action, undo.IdempotencyKey = "unassign-secondary-ip", "k:undo"
			undo.Target["nicRef"] = ec2sim.LabRouterBInterface
			undo.Target["address"] = ec2sim.LabServiceAddress + "/32"
			newGated(t, "", ann.line("")).refuses("the approval is for", undo, yes)
		})
	}
}
