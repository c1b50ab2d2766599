package executor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// asking is a switcher that may also be asked how things are, and what it was asked.
type asking struct {
	*process
	asked []Asked
}

// newAsking makes one that finds this out.
func newAsking(t *testing.T, found Findings) *asking {
	a := &asking{process: newProcess(t)}
	all := []Inquiry{
		{Inquiry: action.Inquiry{Name: "rest"}},
		{
			Inquiry: action.Inquiry{Name: "look", Target: named},
			Look: func(_ context.Context, asked Asked) Findings {
				a.asked = append(a.asked, asked)
				return found
			},
		},
	}
	a.Inquiries = func() []Inquiry { return all }
	return a
}

// TestAnInquiryOnlyAsks: in either mode it is told its target and the time, and what it finds is
// the answer. Nothing is recorded, connected or undone, and no policy judges it.
func TestAnInquiryOnlyAsks(t *testing.T) {
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	const denies = "apiVersion: hybrid.routerd.net/v1alpha1\nkind: ProviderActionPolicy\n" +
		"metadata: {name: lab}\nspec: {enabled: false}\n"
	if err := os.WriteFile(policy, []byte(denies), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"look", "look?"} {
		p := newAsking(t, Findings{
			Facts: map[string]string{"seen": "all"}, Said: "all is well", Warnings: []string{"old", "slow"},
		})
		p.dir = filepath.Join(p.dir, "state")
		p.Connect = nil
		p.run(t, []string{"EXECUTOR_POLICY=" + policy, "EXECUTOR_TIMEOUT=9s", "OTHER=x"},
			request(verb, "k", "a", ""))
		s := is(t, p.status(t), protocol.Succeeded, "seen=all", "warning=old; slow")
		sentence(t, s, "all is well; old; slow")
		if s.UndoAvailable {
			t.Errorf("%s: an undo is offered", verb)
		}
		if _, err := os.Stat(p.dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: it keeps records: %v", verb, err)
		}
		if len(p.asked) != 1 {
			t.Fatalf("%s: it was asked %d times", verb, len(p.asked))
		}
		a := p.asked[0]
		if a.Target["names"] != "a" || a.Env["OTHER"] != "x" || a.Policy == nil ||
			a.Policy.Name != "lab" || a.Wrong != nil || a.Timeout != 9*time.Second || a.Log == nil {
			t.Errorf("%s: asked %+v", verb, a)
		}
	}
}

// TestAnInquiryIsToldWhatIsWrong with the environment and its policy, all of it, and answers all
// the same.
func TestAnInquiryIsToldWhatIsWrong(t *testing.T) {
	p := newAsking(t, Findings{Said: "well"})
	p.run(t, []string{"EXECUTOR_OBSERVE_PLAN=perhaps", "EXECUTOR_POLICY=/is/not/there"},
		request("look", "k", "a", ""))
	is(t, p.status(t), protocol.Succeeded)
	a := p.asked[0]
	if a.Policy != nil || a.Wrong == nil || a.Wrong.Class != protocol.Configuration {
		t.Fatalf("asked %+v", a)
	}
	for _, want := range []string{"EXECUTOR_OBSERVE_PLAN", "EXECUTOR_POLICY: ", "/is/not/there"} {
		if !strings.Contains(a.Wrong.Message, want) {
			t.Errorf("%q is not in %q", want, a.Wrong.Message)
		}
	}
}

// TestAllFailuresOfAnInquiryAreTold: in their order, as the class that has to be mended first,
// beside what was found out all the same. Another try is worth it only where each may pass.
func TestAllFailuresOfAnInquiryAreTold(t *testing.T) {
	refuse := func(class protocol.FailureClass) *protocol.Failure {
		return protocol.Refuse(class, "%s here", class).With("by", string(class))
	}
	for _, c := range []struct {
		name      string
		failures  []protocol.FailureClass
		class     protocol.FailureClass
		retryable string
	}{
		{"one", []protocol.FailureClass{protocol.NotFound}, protocol.NotFound, "true"},
		{"of the same weight, the first",
			[]protocol.FailureClass{protocol.Throttled, protocol.NotFound}, protocol.Throttled, "true"},
		{"one that stays", []protocol.FailureClass{protocol.Throttled, protocol.Drift,
			protocol.NotFound}, protocol.Throttled, "false"},
		{"no credentials before no permission",
			[]protocol.FailureClass{protocol.Authorization, protocol.Authentication},
			protocol.Authentication, "false"},
		{"the environment before credentials", []protocol.FailureClass{protocol.StateStore,
			protocol.Authentication, protocol.Configuration}, protocol.Configuration, "false"},
		{"no permission before what the provider says",
			[]protocol.FailureClass{protocol.NotFound, protocol.Authorization},
			protocol.Authorization, "false"},
		{"no permission before the store",
			[]protocol.FailureClass{protocol.StateStore, protocol.Authorization},
			protocol.Authorization, "false"},
		{"a bug before all", []protocol.FailureClass{protocol.Configuration, protocol.Internal},
			protocol.Internal, "false"},
		{"the store before what the provider says",
			[]protocol.FailureClass{protocol.NotFound, protocol.StateStore}, protocol.StateStore, "false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := Findings{
				Facts: map[string]string{"seen": "some", "by": "hand"}, Said: "well",
				Warnings: []string{"slow"},
			}
			var said []string
			for _, class := range c.failures {
				found.Failures = append(found.Failures, refuse(class))
				said = append(said, string(class)+" here")
			}
			p := newAsking(t, found)
			p.run(t, nil, request("look", "k", "a", ""))
			s := failed(t, p.status(t), c.class, "retryable="+c.retryable, "seen=some",
				"by="+string(c.class), "warning=slow")
			sentence(t, s, strings.Join(said, "; ")+"; slow")
		})
	}
}

// TestInquiriesAreNamed beside the verbs, to a person and in a refusal; and each by itself.
func TestInquiriesAreNamed(t *testing.T) {
	p := newAsking(t, Findings{Said: "well"})
	p.run(t, nil, request("grab", "k", "a", ""))
	s := failed(t, p.status(t), protocol.InvalidRequest)
	sentence(t, s, `spec.action: is "grab", want one of on, off, rest, look; nothing was changed`)
	p.run(t, nil, request("lock", "k", "a", ""))
	s = failed(t, p.status(t), protocol.InvalidRequest)
	sentence(t, s, `spec.action: is "lock" (did you mean look?), want one of on, off, rest, look; `+
		`nothing was changed`)
	if len(p.asked) != 0 {
		t.Error("it was asked")
	}
	p.run(t, nil, "", "--help")
	const want = "Verbs:\n  on, off\nBeside them, which only read:\n  rest\n  look\n\nEnvironment;"
	if !strings.Contains(p.stdout.String(), want) {
		t.Errorf("the help is\n%s", &p.stdout)
	}
}
