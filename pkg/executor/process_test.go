package executor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/protocol"
)

// process is an executor of switches as a program, and what it was asked for and said.
type process struct {
	*Process
	cloud  *cloud
	budget time.Duration
	dir    string
	stdout bytes.Buffer
	stderr bytes.Buffer
}

func newProcess(t *testing.T) *process {
	p := &process{cloud: &cloud{values: map[string]string{"a": "off"}}, dir: t.TempDir()}
	p.Process = &Process{
		Name: "switcher", Version: "v9", Registry: testRegistry, Provider: "test",
		Connect: func(_ context.Context, _ string, budget time.Duration,
			_ *slog.Logger) (Connection, error) {
			p.budget = budget
			return connection{p.cloud}, nil
		},
	}
	return p
}

// run gives the program its arguments, environment and input, and returns its exit code.
func (p *process) run(t *testing.T, environ []string, stdin string, args ...string) int {
	p.stdout.Reset()
	p.stderr.Reset()
	environ = append([]string{"EXECUTOR_STATE_DIR=" + p.dir}, environ...)
	return p.Main(t.Context(), append([]string{"/bin/switcher"}, args...), environ,
		strings.NewReader(stdin), &p.stdout, &p.stderr)
}

// status is what the program answered.
func (p *process) status(t *testing.T) protocol.Status {
	t.Helper()
	var r protocol.Result
	if err := json.Unmarshal(p.stdout.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s", err, &p.stdout)
	}
	return r.Status
}

// TestProcessAnswersAndRemembers: one request is carried out within the time that the environment
// gives, exits with 0, and its prior facts outlive the process.
func TestProcessAnswersAndRemembers(t *testing.T) {
	p := newProcess(t)
	if code := p.run(t, []string{"EXECUTOR_TIMEOUT=9s"}, request("on", "k", "a", "")); code != 0 {
		t.Fatalf("exit %d: %s", code, &p.stderr)
	}
	if s := p.status(t); s.Status != protocol.Succeeded || p.cloud.values["a"] != "on" {
		t.Errorf("%+v", s)
	}
	if p.budget <= 0 || p.budget > 9*time.Second {
		t.Errorf("%s for all calls together, want less than the 9 s for the answer", p.budget)
	}
	ledger, err := ledger.Open(t.Context(), p.dir, ledger.OSDisk{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if record, found, err := ledger.Get(t.Context(), "k"); err != nil || !found {
		t.Errorf("nothing is recorded: %+v, %v", record, err)
	}
}

// unwritable is a disk on which nothing can be kept.
type unwritable struct{ ledger.OSDisk }

func (unwritable) MkdirAll(string) error { return errors.New("the disk is broken") }

// TestProcessKeepsFactsWhereItIsTold: on the disk that it is given; and nowhere if it is told so.
func TestProcessKeepsFactsWhereItIsTold(t *testing.T) {
	p := newProcess(t)
	p.dir = filepath.Join(p.dir, "new")
	p.Disk = unwritable{}
	p.run(t, nil, request("on", "k", "a", ""))
	if s := p.status(t); s.Observed["failureClass"] != string(protocol.StateStore) ||
		p.cloud.values["a"] != "off" {
		t.Errorf("where nothing can be kept: %+v", s)
	}
	p.dir = noState
	p.run(t, nil, request("on", "k", "a", ""))
	if s := p.status(t); s.Status != protocol.Succeeded {
		t.Errorf("where nothing is to be kept: %+v", s)
	}
}

// TestProcessRefusesAWrongEnvironment: and what a policy does not allow; both before any call.
func TestProcessRefusesAWrongEnvironment(t *testing.T) {
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	const head = "apiVersion: hybrid.routerd.net/v1alpha1\nkind: ProviderActionPolicy\nmetadata: " +
		"{name: lab}\nspec:\n"
	const allows = "  enabled: true\n  dryRunOnly: false\n  allowedProviders: [test]\n  " +
		"allowedActions: ['on']\n" +
		"  maxActionsPerRun: 1\n"
	for _, c := range []struct {
		name, setting, policy string
		class                 protocol.FailureClass
	}{
		{"a setting", "EXECUTOR_TIMEOUT=soon", "", protocol.Configuration},
		{"a policy that denies", "EXECUTOR_POLICY=" + policy, "  enabled: false\n", protocol.Denied},
		{"a policy that can't be read", "EXECUTOR_POLICY=" + policy + ".not", "", protocol.Configuration},
		{"a policy on tags, which this provider has none of", "EXECUTOR_POLICY=" + policy,
			allows + "  deniedTags: {env: prod}\n", protocol.Internal},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(policy, []byte(head+c.policy), 0o600); err != nil {
				t.Fatal(err)
			}
			p := newProcess(t)
			code := p.run(t, []string{c.setting}, request("on", "k", "a", ""))
			if s := p.status(t); code != 0 || s.Observed["failureClass"] != string(c.class) ||
				len(p.cloud.calls) > 0 {
				t.Errorf("exit %d, %+v, calls %q; want %s", code, s, p.cloud.calls, c.class)
			}
		})
	}
	if err := os.WriteFile(policy, []byte(head+allows), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newProcess(t)
	p.run(t, []string{"EXECUTOR_POLICY=" + policy}, request("on", "k", "a", ""))
	if s := p.status(t); s.Status != protocol.Succeeded {
		t.Errorf("what the policy allows: %+v", s)
	}
}

// TestProcessTellsWhyItCanNotConnect: a region that can't be opened is the answer.
func TestProcessTellsWhyItCanNotConnect(t *testing.T) {
	p := newProcess(t)
	p.Connect = func(context.Context, string, time.Duration, *slog.Logger) (Connection, error) {
		return nil, protocol.Refuse(protocol.Authentication, "there are no credentials")
	}
	p.run(t, nil, request("on", "k", "a", ""))
	if s := p.status(t); s.Observed["failureClass"] != string(protocol.Authentication) ||
		!strings.Contains(s.Error, "there are no credentials") {
		t.Errorf("%+v", s)
	}
}

// TestCallsAreJoinedWhereAllowed: a request's connection is told to make its calls alone where the
// environment or the policy does not want them made for others, too.
func TestCallsAreJoinedWhereAllowed(t *testing.T) {
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	for _, c := range []struct {
		name, join, policy string
		alone              bool
	}{
		{"by themselves", "", "", false}, {"as wanted", "true", "", false},
		{"not wanted", "false", "", true},
		{"a policy that says nothing", "", "dryRunOnly: true", false},
		{"a policy that allows it", "", "joinCalls: true", false},
		{"a policy that does not", "", "joinCalls: false", true},
		{"allowed and not wanted", "false", "joinCalls: true", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProcess(t)
			var alone []bool
			p.Connect = func(ctx context.Context, _ string, _ time.Duration,
				_ *slog.Logger) (Connection, error) {
				alone = append(alone, action.IsAlone(ctx))
				return connection{p.cloud}, nil
			}
			environ := []string{"EXECUTOR_JOIN=" + c.join}
			if c.policy != "" {
				environ = append(environ, "EXECUTOR_POLICY="+policy)
				text := "apiVersion: hybrid.routerd.net/v1alpha1\nkind: ProviderActionPolicy\n" +
					"metadata: {name: lab}\nspec:\n  enabled: true\n  allowedProviders: [test]\n" +
					"  allowedActions: ['on']\n  " + c.policy + "\n"
				if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p.run(t, environ, request("on?", "k", "a", ""))
			is(t, p.status(t), protocol.Succeeded)
			if !slices.Equal(alone, []bool{c.alone}) {
				t.Errorf("alone: %v, want %t", alone, c.alone)
			}
		})
	}
}

// closed is an output that nobody reads any more.
type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, errors.New("nobody reads this") }

// TestAResultThatCanNotBeWrittenIsNoSuccess: a core reads a result only where the program exits
// with 0.
func TestAResultThatCanNotBeWrittenIsNoSuccess(t *testing.T) {
	p := newProcess(t)
	var stderr bytes.Buffer
	code := p.Main(t.Context(), []string{"switcher"}, []string{"EXECUTOR_STATE_DIR=" + p.dir},
		strings.NewReader(request("on", "k", "a", "")), closed{}, &stderr)
	if code != 1 || !strings.Contains(stderr.String(), "cannot write the result") ||
		!strings.Contains(stderr.String(), `"error":"nobody reads this"`) {
		t.Errorf("exit %d, want 1: %s", code, &stderr)
	}
}

// TestProcessExplainsItself: to a person, on the stream that is for what was asked.
func TestProcessExplainsItself(t *testing.T) {
	const help = "switcher reads one ExecuteActionRequest (JSON) on\n" +
		"standard input and writes one ExecuteActionResult on standard output. A core\n" +
		"starts it without arguments.\n\nUsage:\n" +
		"  switcher < request.json\n  switcher serve < requests.json\n" +
		"  switcher --version, --capabilities, --help\n\n" +
		"Verbs:\n  on, off\n\nEnvironment; man switcher has all of it:\n"
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr string
	}{
		{"--version", 0, "switcher v9\n", ""},
		{"--help", 0, help, ""},
		{"-h", 0, help, ""},
		{"--version now", 2, "", "switcher: wrong argument \"--version now\"; see"},
		{"run", 2, "", "switcher: wrong argument \"run\"; see switcher --help\n"},
		{"srve", 2, "", "switcher: wrong argument \"srve\" (did you mean serve?); see switcher"},
	} {
		p := newProcess(t)
		code := p.run(t, nil, request("on", "k", "a", ""), strings.Fields(c.args)...)
		for _, stream := range []struct {
			name, got, want string
		}{{"stdout", p.stdout.String(), c.stdout}, {"stderr", p.stderr.String(), c.stderr}} {
			if !strings.HasPrefix(stream.got, stream.want) || (stream.got == "") != (stream.want == "") {
				t.Errorf("%s: %s is %q, want %q…", c.args, stream.name, stream.got, stream.want)
			}
		}
		if code != c.code || len(p.cloud.calls) > 0 {
			t.Errorf("%s: exit %d, want %d; calls %q", c.args, code, c.code, p.cloud.calls)
		}
	}
}

// TestProcessLogsWhatItIsAskedTo: nothing but warnings, unless the environment asks for more.
func TestProcessLogsWhatItIsAskedTo(t *testing.T) {
	for level, want := range map[string]bool{"": false, "debug": true} {
		p := newProcess(t)
		p.Connect = func(_ context.Context, _ string, _ time.Duration,
			log *slog.Logger) (Connection, error) {
			log.Debug("a small thing")
			return connection{p.cloud}, nil
		}
		p.run(t, []string{"EXECUTOR_LOG=" + level}, request("on", "k", "a", ""))
		if got := strings.Contains(p.stderr.String(), "a small thing"); got != want {
			t.Errorf("with %q: %q", level, p.stderr.String())
		}
	}
}
