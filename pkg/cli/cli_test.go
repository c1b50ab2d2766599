package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/gate"
)

// desk is where a test runs actionctl, in this process; the scripts of cmd/actionctl run it from
// outside.
type desk struct {
	t   *testing.T
	dir string
	env []string
}

const deskPolicy = `apiVersion: hybrid.routerd.net/v1alpha1
kind: ProviderActionPolicy
metadata: {name: desk}
spec: {enabled: true, dryRunOnly: false, allowedProviders: [aws],
 allowedActions: [assign-secondary-ip], allowedCIDRs: [10.88.60.0/24], maxActionsPerRun: 5,
 allowUndo: true}
`

const deskPlan = `{"provider": "aws", "action": "assign-secondary-ip", "idempotencyKey": "k",
 "target": {"nicRef": "eni-01088600000000011", "address": "10.88.60.9",
 "region": "ap-northeast-1"}}`

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, dir: t.TempDir()}
	d.env = []string{"ACTIONCTL_JOURNAL=" + d.path("journal.db"), "USER=tester"}
	d.write("policy.yaml", deskPolicy)
	d.write("plan.json", deskPlan)
	return d
}

func (d *desk) path(name string) string { return filepath.Join(d.dir, name) }

func (d *desk) write(name, text string) {
	if err := os.WriteFile(d.path(name), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// run holds the exit code, and returns what was said.
func (d *desk) run(code int, stdin string, args ...string) (stdout, stderr string) {
	d.t.Helper()
	p := &Program{
		Version:  "test",
		Registry: actions.Registry(),
		Provider: "aws",
		Plugin:   "no-such-executor",
		Now:      time.Now,
	}
	var out, said bytes.Buffer
	got := p.Main(
		context.Background(),
		append([]string{"actionctl"}, args...),
		d.env,
		strings.NewReader(stdin),
		&out,
		&said,
	)
	if got != code {
		d.t.Errorf("actionctl %v: exit %d, want %d: %s", args, got, code, said.String())
	}
	return out.String(), said.String()
}

func (d *desk) rows(args ...string) []gate.Row {
	d.t.Helper()
	out, _ := d.run(0, "", append(args, "-o", "json")...)
	var rows []gate.Row
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		d.t.Fatal(err)
	}
	return rows
}

func (d *desk) says(text, want string) {
	d.t.Helper()
	if !strings.Contains(text, want) {
		d.t.Errorf("got %q, want %q in it", text, want)
	}
}

// TestEveryCommandHelps guards the help of every command, which people read first.
func TestEveryCommandHelps(t *testing.T) {
	d := newDesk(t)
	for _, name := range []string{"run", "undo", "import", "list", "show", "approve", "execute",
		"rollback", "journal", "policy", "policy check", "actions", "schema", "version"} {
		out, _ := d.run(0, "", append(strings.Fields(name), "--help")...)
		d.says(out, "actionctl "+name)
		d.says(out, "--journal")
	}
}

// TestInterruptedItWaitsForNoInput: a signal ends what waits for standard input.
func TestInterruptedItWaitsForNoInput(t *testing.T) {
	nothing, hold := io.Pipe()
	defer hold.Close()
	ctx, interrupt := context.WithCancel(context.Background())
	interrupt()
	for _, command := range []string{"undo", "run -f -", "import -f -"} {
		p := &Program{Version: "test", Registry: actions.Registry(), Provider: "aws", Now: time.Now}
		var out, said bytes.Buffer
		code := p.Main(
			ctx,
			append([]string{"actionctl"}, strings.Fields(command)...),
			nil,
			nothing,
			&out,
			&said,
		)
		if code != ExitFailed || !strings.Contains(said.String(), "cannot read") {
			t.Errorf("actionctl %s: exit %d, %s", command, code, said.String())
		}
	}
}

// TestWhoIsAskedToStopDoesNotWaitForAFile: a pipe that nobody writes to.
func TestWhoIsAskedToStopDoesNotWaitForAFile(t *testing.T) {
	d := newDesk(t)
	if err := syscall.Mkfifo(d.path("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("asked to stop"))
	for _, args := range []string{"import -f", "run -f", "undo -f",
		"policy check -f " + d.path("policy.yaml") + " -f"} {
		var said bytes.Buffer
		p := &Program{Version: "test", Registry: actions.Registry(), Provider: "aws", Now: time.Now}
		all := append(append([]string{"actionctl"}, strings.Fields(args)...), d.path("pipe"))
		if code := p.Main(ctx, all, d.env, strings.NewReader(""), io.Discard, &said); code != ExitFailed {
			t.Errorf("%s: exit %d: %s", args, code, said.String())
		}
		d.says(said.String(), "asked to stop")
	}
}
