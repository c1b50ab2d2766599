package sshcommand_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"aws-provider-executor/actions/runcommand"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/probe"
	"aws-provider-executor/pkg/nodes/sshcommand"
	"aws-provider-executor/pkg/nodes/sshhost"
	"aws-provider-executor/pkg/protocol"
)

// world is a node that is reached by SSH.
type world struct {
	t      *testing.T
	host   *sshhost.Host
	home   string
	node   nodes.Node
	runner *sshcommand.Runner
}

func newWorld(t *testing.T) *world {
	t.Helper()
	h, err := sshhost.Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	w := &world{t: t, host: h, home: h.Home, node: nodes.Node{
		ID: "n1", Name: "rack4-a", Type: nodes.TypeManual, Target: &nodes.Target{
			Host: "127.0.0.1", Port: h.Port, Protocol: nodes.SSH, User: "ann",
			KnownHosts: h.KnownHosts, Credential: nodes.SecretRef("file:" + h.Key)}}}
	prober := probe.Prober{Now: time.Now}
	w.runner = &sshcommand.Runner{
		Registry: action.NewRegistry(runcommand.Verbs(time.Now)).With(sshcommand.Provider,
			sshcommand.Verbs()),
		Timeout: 20 * time.Second, Dial: prober.Dial,
		Log: slog.New(slog.DiscardHandler),
		Find: func(_ context.Context, id string) (*nodes.Node, error) {
			if id != w.node.ID {
				return nil, errors.New("there is no node " + id)
			}
			return &w.node, nil
		}}
	return w
}

// ask is a request for a command.
func (w *world) ask(mode protocol.Mode, key, commands string, more ...string) protocol.Status {
	w.t.Helper()
	parameters := map[string]string{"document": "AWS-RunShellScript", "parameter.commands": commands}
	for i := 0; i < len(more); i += 2 {
		parameters[more[i]] = more[i+1]
	}
	r, err := w.runner.Run(w.t.Context(), protocol.Request{Action: "run-command",
		Provider: "manual", Mode: mode, IdempotencyKey: key,
		Target: map[string]string{"nodeRef": "n1"}, Parameters: parameters})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.Status
}

// want holds that an answer is of a class, empty for a success, and says some words.
func (w *world) want(s protocol.Status, class protocol.FailureClass, says ...string) {
	w.t.Helper()
	if got := s.Observed[protocol.FactFailureClass]; got != string(class) {
		w.t.Errorf("class %q, want %q: %+v", got, class, s)
	}
	for _, text := range says {
		if !strings.Contains(s.Message+s.Error, text) {
			w.t.Errorf("%q is not in %s%s", text, s.Message, s.Error)
		}
	}
}

// ran holds how often the command, which appends a line to the file "ran", was run.
func (w *world) ran(times int) {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.home, "ran"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatal(err)
	}
	if got := strings.Count(string(text), "\n"); got != times {
		w.t.Errorf("it was run %d times, want %d", got, times)
	}
}

const once = "echo x >>ran\n"

func TestItRunsOnce(t *testing.T) {
	w := newWorld(t)
	w.host.Break(sshhost.Faults{Noise: "Welcome\nend\n"})
	w.want(w.ask(protocol.DryRun, "k", once+"echo \"it's\" $0 >&2; umask"), "", "would run")
	w.ran(0)
	if all, _ := os.ReadDir(w.home); len(all) > 0 {
		t.Errorf("a dry-run left %v", all)
	}
	for range 2 {
		s := w.ask(protocol.Execute, "k", once+"echo hello; echo \"it's\" >&2")
		w.want(s, "")
		for name, want := range map[string]string{"commandStatus": "Success", "responseCode": "0",
			"changed": "true", "standardOutput": "hello\n", "standardError": "it's\n",
			"outputTruncated": ""} {
			if s.Observed[name] != want {
				t.Errorf("%s is %q, want %q", name, s.Observed[name], want)
			}
		}
		w.ran(1)
	}
	w.want(w.ask(protocol.Execute, "k", once+"echo other"), protocol.Conflict, "another command")
	w.want(w.ask(protocol.DryRun, "k", once+"echo other"), protocol.Conflict)
	w.ran(1)
	w.want(w.ask(protocol.Execute, "k2", once), "")
	w.ran(2)
}

func TestItFailsAndIsNotRunAgain(t *testing.T) {
	w := newWorld(t)
	for range 2 {
		s := w.ask(protocol.Execute, "k",
			once+"yes aaaaaaa | head -c 9000; echo no such thing >&2; exit 3")
		w.want(s, protocol.CommandFailed, "exit status is 3", `it last wrote "no such thing"`)
		if len(s.Observed["standardOutput"]) != 8<<10 || s.Observed["outputTruncated"] != "true" {
			t.Errorf("%d bytes, truncated %q", len(s.Observed["standardOutput"]),
				s.Observed["outputTruncated"])
		}
		w.ran(1)
	}
	w.want(w.ask(protocol.Execute, "slow", "sleep 60", "parameter.executionTimeout", "1"),
		protocol.CommandFailed, "exit status is 124", "longer than 1 s")
}

// TestItIsWaitedFor: what is not over at the deadline is waited for by the next request. What ends
// without a word is neither a success nor run again.
func TestItIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	gate := filepath.Join(w.home, "go")
	w.runner.Timeout = 4 * time.Second
	wait := once + "while ! [ -e go ]; do sleep 0.05; done"
	s := w.ask(protocol.Execute, "k", wait)
	w.want(s, protocol.Ambiguous, "goes on waiting")
	w.want(w.ask(protocol.DryRun, "k", wait), "", "would wait for")
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.want(w.ask(protocol.Execute, "k", wait), "")
	w.ran(1)

	killed := once + "kill -9 $(ps -o ppid= -p $PPID) $PPID; sleep 60"
	for range 2 {
		s = w.ask(protocol.Execute, "killed", killed)
		w.want(s, protocol.Ambiguous, "nothing tells how it ended", "use another key")
		if s.Observed["retryable"] == "true" {
			t.Errorf("it may be tried again: %+v", s)
		}
	}
	w.ran(2)
}

// TestACutConnection: wherever the connection ends, the command is run once at most, and the same
// key finds out.
func TestACutConnection(t *testing.T) {
	for _, before := range []bool{true, false} {
		for session := 1; session <= 3; session++ {
			t.Run(fmt.Sprintf("session %d, before it %t", session, before), func(t *testing.T) {
				w := newWorld(t)
				w.host.Break(sshhost.Faults{Cut: session, Before: before})
				w.runner.Timeout = 4 * time.Second
				s := w.ask(protocol.Execute, "k", once+"echo hello")
				if s.Status != protocol.Succeeded && s.Observed["retryable"] != "true" {
					t.Errorf("%+v", s)
				}
				if s.Status == protocol.Succeeded {
					w.ran(1)
				}
				s = w.ask(protocol.Execute, "k", once+"echo hello")
				w.want(s, "")
				if s.Observed["standardOutput"] != "hello\n" {
					t.Errorf("%+v", s)
				}
				w.ran(1)
			})
		}
	}
}

func TestTwoAtOnce(t *testing.T) {
	w := newWorld(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { w.want(w.ask(protocol.Execute, "k", once+"sleep 0.2"), "") })
	}
	all.Wait()
	w.ran(1)
}

// TestRefusals: each leaves nothing on the node.
func TestRefusals(t *testing.T) {
	stranger := filepath.Join(t.TempDir(), "key")
	if _, err := sshhost.NewKey(stranger); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*world)
		more   []string
		class  protocol.FailureClass
		says   string
	}{
		"an unknown host": {change: func(w *world) { w.node.Target.KnownHosts = os.DevNull },
			class: protocol.Configuration, says: "key is not known"},
		"no known hosts": {change: func(w *world) { w.node.Target.Protocol = nodes.TCP },
			class: protocol.Configuration, says: "--probe ssh"},
		"no credential": {change: func(w *world) { w.node.Target.Credential = "" },
			class: protocol.Configuration, says: "without a credential"},
		"a stranger": {change: func(w *world) {
			w.node.Target.Credential = nodes.SecretRef("file:" + stranger)
		}, class: protocol.Authorization, says: "refuses the credential"},
		"nobody there": {change: func(w *world) { w.node.Target.Port = 1 },
			class: protocol.Unavailable, says: "nothing was started"},
		"no timeout": {change: func(w *world) {
			path := w.t.TempDir()
			for _, p := range []string{"tail", "od", "tr", "grep", "mkdir", "rm"} {
				found, _ := exec.LookPath(p)
				_ = os.Symlink(found, filepath.Join(path, p))
			}
			w.host.Break(sshhost.Faults{Path: path})
		}, class: protocol.Unavailable, says: "no program timeout"},
		"a stopped node": {change: func(w *world) { w.node.State = nodes.StateStopped },
			class: protocol.InvalidRequest, says: "is stopped"},
		"a cloud's node": {change: func(w *world) { w.node.Type = nodes.TypeInstance },
			class: protocol.InvalidRequest, says: "its cloud runs commands"},
		"another document": {more: []string{"document", "AWS-RunPatchBaseline"},
			class: protocol.InvalidRequest, says: "only AWS-RunShellScript"},
		"what is SSM's": {more: []string{"outputBucket", "my-bucket", "parameter.workingDirectory", "/"},
			class: protocol.InvalidRequest,
			says:  "parameter.workingDirectory: means nothing to the provider"},
		"a credential": {more: []string{"parameter.commands", "db_password=hunter2 psql"},
			class: protocol.InvalidRequest, says: "a value for password"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, mode := range []protocol.Mode{protocol.DryRun, protocol.Execute} {
				w := newWorld(t)
				w.runner.Timeout = 4 * time.Second
				if c.change != nil {
					c.change(w)
				}
				w.want(w.ask(mode, "k", once, c.more...), c.class, c.says)
				w.ran(0)
				if all, _ := os.ReadDir(w.home); len(all) > 0 {
					t.Errorf("it left %v", all)
				}
			}
		})
	}
}
