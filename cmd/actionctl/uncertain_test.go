package main

import (
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/gate"
)

// wrapper is an executor around the real one, played by a shell; $DIR is the site's directory.
func (s *site) wrapper(script string) (path string) {
	s.t.Helper()
	s.write("wrapper", "#!/bin/sh\nPATH=$PATH:"+s.bin+"\nDIR="+s.dir+"\n"+script+"\n")
	if err := os.Chmod(s.path("wrapper"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	return s.path("wrapper")
}

func (s *site) row(id string) (row gate.Row) {
	s.t.Helper()
	if err := json.Unmarshal([]byte(s.must("show", id, "-o", "json")), &row); err != nil {
		s.t.Fatal(err)
	}
	return row
}

// await waits until something is so, which it certainly becomes.
func (s *site) await(what string, is func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatal("waited in vain: ", what)
		}
	}
}

// notForgotten holds that what may have changed something can't be replaced by another plan, and
// that rolling back all of it gives the world of before.
func (s *site) notForgotten(before ec2sim.State) {
	s.t.Helper()
	if row := s.row("1"); row.Status != gate.Failed {
		s.t.Errorf("it is %s: %s", row.Status, row.Error)
	}
	plans, err := os.ReadFile(s.path("plans.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("other.json", strings.Replace(string(plans), "10.88.60.150", "10.88.60.160", 1))
	if code, _, said := s.run("import", "--requeue", "-f", s.path("other.json")); code != 3 ||
		!strings.Contains(said, "may have changed something") {
		s.t.Errorf("requeued with another plan: exit %d, %s", code, said)
	}
	s.must("rollback", "--all", "--yes")
	if d := cmp.Diff(before, s.sim.State()); d != "" {
		s.t.Errorf("after the rollback the world differs from before:\n%s", d)
	}
	s.verified("after the rollback")
}

func TestAChangeWhoseResultIsLostIsRolledBack(t *testing.T) {
	s := newSite(t)
	s.plans(1)
	before := s.sim.State()
	if code, _, said := s.run("execute", "1", "--plugin",
		s.wrapper("aws-provider-executor >/dev/null; exit 1")); code != 1 ||
		!strings.Contains(said, "whether anything was changed is not known") {
		t.Errorf("exit %d, %s", code, said)
	}
	if s.changingCalls() != 1 {
		t.Fatal("nothing was changed")
	}
	s.notForgotten(before)
}

// TestAChangeThatNobodySawTheEndOfIsRolledBack, although what took it up could not even begin.
func TestAChangeThatNobodySawTheEndOfIsRolledBack(t *testing.T) {
	s := newSite(t)
	s.plans(1)
	before := s.sim.State()
	if err := s.sim.Inject(
		ec2sim.Fault{Operation: "AssignPrivateIpAddresses", DelayAfter: time.Hour}); err != nil {
		t.Fatal(err)
	}
	c := s.command("execute", "1", "--timeout", "5s")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	s.await("a change", func() bool { return s.changingCalls() == 1 })
	_ = c.Process.Signal(syscall.SIGKILL)
	_ = c.Wait()
	// The claim ended with its process.
	if code, _, said := s.run("execute", "1", "--plugin", "/nonexistent"); code != 1 ||
		strings.Contains(said, "nothing was changed") {
		t.Errorf("taken up by what can't begin: exit %d, %s", code, said)
	}
	s.notForgotten(before)
}

func TestAnExecutorThatTimedOutDoesNotActLater(t *testing.T) {
	s := newSite(t)
	s.plans(1)
	wrapper := s.wrapper("cat >$DIR/in\n(until test -e $DIR/go; do sleep 0.05; done; " +
		"aws-provider-executor <$DIR/in) &\necho $! >$DIR/pid; wait")
	if code, _, said := s.run("execute", "1", "--plugin", wrapper, "--timeout", "3s"); code != 1 ||
		!strings.Contains(said, "was killed") {
		t.Errorf("exit %d, %s", code, said)
	}
	s.write("go", "")
	pid, err := os.ReadFile(s.path("pid"))
	if err != nil {
		t.Fatal(err)
	}
	s.await("its end", func() bool { return ended(pid) })
	if n := s.changingCalls(); n != 0 {
		t.Errorf("%d changing calls of an executor that was killed", n)
	}
}

// TestAnExecutorEndsWithItsGate: where the kernel can be asked for it, nothing goes on whose result
// nobody takes.
func TestAnExecutorEndsWithItsGate(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the kernel can't be asked")
	}
	s := newSite(t)
	s.plans(1)
	c := s.command("execute", "1", "--plugin",
		s.wrapper("echo $$ >$DIR/pid.new; mv $DIR/pid.new $DIR/pid; exec sleep 300"))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var pid []byte
	s.await("the executor", func() bool {
		var err error
		pid, err = os.ReadFile(s.path("pid"))
		return err == nil
	})
	_ = c.Process.Signal(syscall.SIGKILL)
	_ = c.Wait()
	s.await("its end", func() bool { return ended(pid) })
}

// TestAnOrphanDoesNotActAfterItsClaim: the gate is killed, what it started goes on, and somebody
// else takes the action up.
func TestAnOrphanDoesNotActAfterItsClaim(t *testing.T) {
	s := newSite(t)
	s.plans(1)
	before := s.sim.State()
	wrapper := s.wrapper("cat >$DIR/in\n(until test -e $DIR/go; do sleep 0.05; done; " +
		"aws-provider-executor <$DIR/in >$DIR/answer; touch $DIR/answered) >/dev/null &\ntouch " +
		"$DIR/begun; wait")
	c := s.command("execute", "1", "--plugin", wrapper, "--timeout", "1s")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	exists := func(name string) func() bool {
		return func() bool { _, err := os.Stat(s.path(name)); return err == nil }
	}
	s.await("the wrapper", exists("begun"))
	_ = c.Process.Signal(syscall.SIGKILL)
	_ = c.Wait()
	if code, _, said := s.eventually("execute", "1"); code != 0 {
		t.Errorf("taken up: exit %d, %s", code, said)
	}
	s.must("rollback", "1")
	s.write("go", "")
	s.await("the orphan's answer", exists("answered"))
	answer, err := os.ReadFile(s.path("answer"))
	if err != nil || !strings.Contains(string(answer), `"failed"`) {
		t.Errorf("the orphan said %s, %v", answer, err)
	}
	if d := cmp.Diff(before, s.sim.State()); d != "" || s.changingCalls() != 2 {
		t.Errorf("%d changing calls; the world differs from before:\n%s", s.changingCalls(), d)
	}
	s.verified("after")
}

// ended reports whether a process, of which a shell wrote the id, has ended.
func ended(pid []byte) bool {
	state, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
	return err != nil || strings.Contains(string(state), ") Z ")
}

// makeCore makes a core's journal, in WAL mode.
func makeCore(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file://"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`PRAGMA journal_mode = WAL;
		CREATE TABLE action_executions (id INTEGER PRIMARY KEY, idempotency_key TEXT UNIQUE,
		 source TEXT, provider TEXT, provider_ref TEXT, action TEXT,
		 target_json TEXT, parameters_json TEXT, undo_json TEXT, risk_level TEXT, status TEXT,
		 approved_by TEXT, approved_at TEXT, executed_at TEXT,
		 result_message TEXT, error TEXT, created_at TEXT, updated_at TEXT, observed_json TEXT);
		INSERT INTO action_executions (id, idempotency_key, action, status)
		 VALUES (1, 'k', 'assign-secondary-ip', 'succeeded')`); err != nil {
		t.Fatal(err)
	}
}

// TestAnyoneWhoMayReadAJournalCan: a core's and ours, and nothing is left beside them.
func TestAnyoneWhoMayReadAJournalCan(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be someone else")
	}
	s := newSite(t)
	s.plans(1)
	makeCore(t, s.path("core.db"))
	for name, mode := range map[string]os.FileMode{s.bin: 0o755, filepath.Dir(s.dir): 0o755,
		s.path("journal.db"): 0o644, s.path("core.db"): 0o644, s.path("policy.yaml"): 0o644} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	nobody := func(args ...string) (code int, said string) {
		c := s.command(args...)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, _ := c.CombinedOutput()
		return c.ProcessState.ExitCode(), string(out)
	}
	for _, name := range []string{"journal.db", "core.db"} {
		for who, run := range map[string]func(...string) (int, string){"nobody": nobody,
			"root": func(args ...string) (int, string) {
				code, out, said := s.run(args...)
				return code, out + said
			}} {
			if code, said := run("list", "--journal", s.path(name)); code != 0 ||
				!strings.Contains(said, "assign-secondary-ip") {
				t.Errorf("%s lists %s: exit %d, %s", who, name, code, said)
			}
			for _, beside := range []string{"-wal", "-shm"} {
				if _, err := os.Stat(s.path(name) + beside); err == nil {
					t.Errorf("%s left %s beside %s", who, beside, name)
				}
			}
		}
	}
	// One may write the file, and not beside it.
	if err := os.Chmod(s.path("journal.db"), 0o666); err != nil {
		t.Fatal(err)
	}
	if code, said := nobody("journal", "--verify"); code != 0 {
		t.Errorf("exit %d, %s", code, said)
	}
	if code, said := nobody("approve", "1", "--by", "bob"); code != 3 ||
		!strings.Contains(said, "may not be written by this user") {
		t.Errorf("exit %d, %s", code, said)
	}
}
