//go:build sshd

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"aws-provider-executor/pkg/nodes/sshhost"
	"aws-provider-executor/pkg/testprograms"
)

// sshd is OpenSSH's server, as Debian's package openssh-server has it.
const sshd = "/usr/sbin/sshd"

// sessionScript is what each login runs: what the client asked for, in a home of its own. Where the
// file kill says so, the client is killed instead of the session with that number, or once that
// session's command has run and nothing of it was told.
const sessionScript = `#!/bin/sh
D=%s
export HOME=$D/home
cd $D/home
n=$(($(cat $D/sessions 2>/dev/null || echo 0) + 1))
echo $n >$D/sessions
finish() {
	while ! [ -s $D/pid ]; do sleep 0.01; done
	kill -9 $(cat $D/pid)
	exit 1
}
[ "$(cat $D/kill 2>/dev/null)" = "before $n" ] && finish
sh -c "$SSH_ORIGINAL_COMMAND" >$D/out 2>$D/err
status=$?
[ "$(cat $D/kill 2>/dev/null)" = "after $n" ] && finish
cat $D/out
cat $D/err >&2
exit $status
`

// sshPolicy lets commands on machines that were added by hand through, unattended.
const sshPolicy = `apiVersion: hybrid.routerd.net/v1alpha1
kind: ProviderActionPolicy
metadata: {name: machines}
spec: {enabled: true, dryRunOnly: false, requireApproval: false, allowedProviders: [manual],
  allowedActions: [run-command], allowIrreversible: true, allowedDocuments: [AWS-RunShellScript],
  allowedTargets: {nodeRef: ["*"]}, maxActionsPerRun: 100}
`

// realHost is a machine behind OpenSSH's server, and an actionctl that knows it.
type realHost struct {
	t        *testing.T
	dir, bin string
	env      []string
}

func newRealHost(t *testing.T) *realHost {
	t.Helper()
	if _, err := os.Stat(sshd); err != nil {
		t.Fatal("there is no sshd; make sshd installs it: ", err)
	}
	bin, err := testprograms.Build("actionctl")
	if err != nil {
		t.Fatal(err)
	}
	h := &realHost{t: t, dir: t.TempDir(), bin: bin}
	h.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir,
		"ACTIONCTL_POLICY=" + h.file("policy.yaml"), "GORACE=atexit_sleep_ms=0"}
	port := h.serve()
	h.write("policy.yaml", sshPolicy, 0o600)
	own, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	h.must("nodes", "add", "127.0.0.1", "--probe", "ssh", "--port", strconv.Itoa(port), "--user",
		own.Username, "--known-hosts", h.file("known_hosts"), "--credential", "file:"+h.file("key"))
	return h
}

func (h *realHost) file(name string) string { return filepath.Join(h.dir, name) }

func (h *realHost) write(name, text string, mode os.FileMode) {
	h.t.Helper()
	if err := os.WriteFile(h.file(name), []byte(text), mode); err != nil {
		h.t.Fatal(err)
	}
}

// serve starts the server, and returns its port.
func (h *realHost) serve() int {
	h.t.Helper()
	own, err := sshhost.NewKey(h.file("host_key"))
	if err != nil {
		h.t.Fatal(err)
	}
	key, err := sshhost.NewKey(h.file("key"))
	if err != nil {
		h.t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	at := fmt.Sprintf("127.0.0.1:%d", port)
	h.write("known_hosts", knownhosts.Line([]string{knownhosts.Normalize(at)}, own.PublicKey())+"\n",
		0o600)
	h.write("authorized_keys", string(ssh.MarshalAuthorizedKey(key.PublicKey())), 0o600)
	h.write("session", fmt.Sprintf(sessionScript, h.dir), 0o700)
	if err := os.Mkdir(h.file("home"), 0o700); err != nil {
		h.t.Fatal(err)
	}
	h.write("sshd_config", fmt.Sprintf("ListenAddress %s\nHostKey %s\nAuthorizedKeysFile %s\n"+
		"ForceCommand %s\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin prohibit-password\n"+
		"PasswordAuthentication no\n", at, h.file("host_key"), h.file("authorized_keys"),
		h.file("session")), 0o600)
	if os.Getuid() == 0 {
		// The server of root leaves its rights there.
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			h.t.Fatal(err)
		}
	}
	log, err := os.Create(h.file("log"))
	if err != nil {
		h.t.Fatal(err)
	}
	server := exec.Command(sshd, "-D", "-e", "-f", h.file("sshd_config"))
	server.Stderr = log
	if err := server.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if h.t.Failed() {
			text, _ := os.ReadFile(h.file("log"))
			h.t.Logf("sshd says:\n%s", text)
		}
	})
	for end := time.Now().Add(time.Minute); ; {
		c, err := net.Dial("tcp", at)
		if err == nil {
			c.Close()
			return port
		}
		if time.Now().After(end) {
			h.t.Fatal("sshd does not listen: ", err)
		}
	}
}

// run starts actionctl, and returns what it told once it ended.
func (h *realHost) run(args ...string) (string, error) {
	h.t.Helper()
	_ = os.Remove(h.file("pid"))
	cmd := exec.Command(filepath.Join(h.bin, "actionctl"), args...)
	cmd.Dir, cmd.Env = h.dir, h.env
	var told strings.Builder
	cmd.Stdout = &told
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.write("pid", strconv.Itoa(cmd.Process.Pid), 0o600)
	err := cmd.Wait()
	return told.String(), err
}

func (h *realHost) must(args ...string) string {
	h.t.Helper()
	told, err := h.run(args...)
	if err != nil {
		h.t.Fatalf("actionctl %q: %v\n%s", args, err, told)
	}
	return told
}

// runs counts how often the command was run.
func (h *realHost) runs() int {
	text, err := os.ReadFile(h.file("home/ran"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		h.t.Fatal(err)
	}
	return strings.Count(string(text), "x\n")
}

// planned has a command be planned and taken, and returns its key.
func (h *realHost) planned(key, command string) string {
	h.t.Helper()
	h.write("plan.yaml", h.must("plan", "run-command", "--key", key, "--nodes", "type=manual",
		"--param", "document=AWS-RunShellScript", "--param", "parameter.commands="+command), 0o600)
	h.must("import", "-f", h.file("plan.yaml"))
	var rows []struct{ IdempotencyKey string }
	if err := json.Unmarshal([]byte(h.must("list", "--selection", key, "-o", "json")), &rows); err !=
		nil || len(rows) != 1 {
		h.t.Fatal(rows, err)
	}
	return rows[0].IdempotencyKey
}

// TestCommandsBySSHD: OpenSSH's server judges commands on machines that were added by hand. A
// command runs once, and its output and exit code are told. An actionctl that is killed at any
// session, before the session's command or when that has ended and nothing of it was told, starts
// no command twice: the next execution tells how the one ended.
func TestCommandsBySSHD(t *testing.T) {
	h := newRealHost(t)
	key := h.planned("fails", "echo out; echo err >&2; exit 3")
	if h.must("nodes", "probe"); h.runs() != 0 {
		t.Error("a probe ran something")
	}
	told, err := h.run("execute", key, "-o", "json")
	if err == nil || !strings.Contains(told, `"responseCode": "3"`) ||
		!strings.Contains(told, `"standardOutput": "out\n"`) ||
		!strings.Contains(told, `"standardError": "err\n"`) {
		t.Errorf("%v %s", err, told)
	}
	ran := 0
	for _, when := range []string{"before", "after"} {
		for session := 1; ; session++ {
			h.write("kill", fmt.Sprint(when, " ", session), 0o600)
			key := h.planned(fmt.Sprint(when, session), "echo x >>ran; echo done")
			_ = os.Remove(h.file("sessions"))
			_, err := h.run("execute", key)
			ended := err == nil
			h.write("kill", "", 0o600)
			told := ""
			if !ended {
				told = h.must("execute", key, "-o", "json")
			}
			if ran++; h.runs() != ran {
				t.Fatalf("killed %s session %d it was run %d times, want %d", when, session, h.runs(), ran)
			}
			if !ended && !strings.Contains(told, `"standardOutput": "done\n"`) {
				t.Errorf("killed %s session %d it tells %s", when, session, told)
			}
			if ended {
				if session < 3 {
					t.Errorf("there are %d sessions: none was killed between start and end", session-1)
				}
				break
			}
		}
	}
	h.must("journal", "--verify")
}
