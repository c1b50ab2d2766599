package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// approvedOnTerminal approves action 1 with a locked key on a terminal, where a person types once
// the passphrase is asked for. It returns the exit code and what the terminal showed.
func approvedOnTerminal(t *testing.T, dir, typed string) (code int, shown string) {
	t.Helper()
	c := inDir(dir, "actionctl", "approve", "1", "--yes", "--by", "ann@example.org",
		"--sign", "locked")
	screen, err := pty.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	// Who waits for another question than the one that is answered would wait for ever.
	late := time.AfterFunc(time.Minute, func() { _ = c.Process.Kill() })
	defer late.Stop()
	var all bytes.Buffer
	chunk := make([]byte, 1024)
	for asked := false; ; {
		n, err := screen.Read(chunk)
		all.Write(chunk[:n])
		if err != nil {
			break // the terminal is closed once the program has ended
		}
		if !asked && strings.Contains(all.String(), "Passphrase of locked: ") {
			asked = true
			if _, err := screen.WriteString(typed); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = c.Wait() // its exit code is looked at
	return c.ProcessState.ExitCode(), all.String()
}

// inDir is one of the programs of the test, or another one, in a directory with a journal there.
func inDir(dir, name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir = dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TERM=xterm", "NO_COLOR=1",
		"ACTIONCTL_JOURNAL=" + filepath.Join(dir, "journal.db"),
		"ACTIONCTL_POLICY=" + filepath.Join(dir, "signed.yaml"), "AWS_EC2_METADATA_DISABLED=true"}
	return c
}

// TestPassphraseIsAskedForOnTheTerminal: a locked key is opened by what a person types, which is
// never shown. A wrong one, none, and Ctrl-C approve nothing, and without a terminal it is told.
func TestPassphraseIsAskedForOnTheTerminal(t *testing.T) {
	const secret = "correct horse"
	for _, tt := range []struct {
		name, typed string
		code        int
		says        string
	}{
		{"right", secret + "\r", 0, "approved"},
		{"wrong", "battery staple\r", 1, "cannot use the key locked"},
		{"empty", "\r", 1, "cannot use the key locked"},
		{"Ctrl-C", "corr\x03", 1, "none was given"},
		{"Ctrl-D", "\x04", 1, "none was given"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := lockedKey(t, secret)
			code, shown := approvedOnTerminal(t, dir, tt.typed)
			if code != tt.code || !strings.Contains(shown, tt.says) {
				t.Errorf("it ends with %d, want %d and %q:\n%s", code, tt.code, tt.says, shown)
			}
			if typed := strings.TrimSpace(tt.typed); len(typed) > 1 && strings.Contains(shown, typed) {
				t.Errorf("what was typed is shown:\n%s", shown)
			}
			out, err := inDir(dir, "actionctl", "list", "-o", "json").CombinedOutput()
			if want := fmt.Sprintf(`"status": "%s"`,
				map[bool]string{true: "approved", false: "pending"}[tt.code == 0]); err != nil ||
				!strings.Contains(string(out), want) {
				t.Errorf("want %s: %v\n%s", want, err, out)
			}
		})
	}
	t.Run("no terminal", func(t *testing.T) {
		dir := lockedKey(t, secret)
		c := inDir(dir, "setsid", "actionctl", "approve", "1", "--yes", "--by", "ann@example.org",
			"--sign", "locked")
		c.Stdin = strings.NewReader(secret + "\n")
		out, err := c.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "there is no terminal to ask on: use an agent") {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// lockedKey makes a directory with a locked key, a policy that takes it, and an action.
func lockedKey(t *testing.T, passphrase string) string {
	t.Helper()
	dir := t.TempDir()
	if err := copyFiles(dir); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := inDir(dir, name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
	}
	run("ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", "locked")
	public, err := os.ReadFile(filepath.Join(dir, "locked.pub"))
	if err != nil {
		t.Fatal(err)
	}
	policy := "apiVersion: hybrid.routerd.net/v1alpha1\nkind: ProviderActionPolicy\n" +
		"metadata: {name: signed}\nspec: {enabled: true, dryRunOnly: false, allowedProviders: [aws], " +
		"allowedActions: ['*'], maxActionsPerRun: 2,\n  approvers: ['ann@example.org " +
		strings.TrimSpace(string(public)) + "']}\n"
	if err := os.WriteFile(filepath.Join(dir, "signed.yaml"), []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	run("actionctl", "import", "-f", "plans.yaml")
	return dir
}
