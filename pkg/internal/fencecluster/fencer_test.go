//go:build fencecluster

package fencecluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

// fencer is Pacemaker's fencer alone, with one device for node-b.
func fencer(t *testing.T) *lab {
	t.Helper()
	l := newLab(t)
	l.start(fencerPath, "--stand-alone", "-l", filepath.Join(t.TempDir(), "fenced.log"))
	register := []string{"-R", "ec2", "-a", "fence_aws_executor",
		"-o", "pcmk_host_map=node-b:" + nodeB, "-o", "region=" + ec2sim.LabRegion,
		"-o", "secg=" + ec2sim.LabGroupFence, "-o", "invert_sg_removal=1"}
	l.wait("the fencer takes devices", func() bool {
		_, ok := l.run("stonith_admin", register...)
		return ok
	})
	return l
}

// TestFencerAlone: Pacemaker's fencer knows the agent, and fences, unfences, reboots and monitors a
// node by it.
func TestFencerAlone(t *testing.T) {
	l := fencer(t)
	if said := l.must("stonith_admin", "-I"); !strings.Contains(said, "fence_aws_executor") {
		t.Errorf("the agent is not listed: %s", said)
	}
	if said := l.must("stonith_admin", "--list", "node-b"); !strings.Contains(said, "ec2") {
		t.Errorf("the device is not for the node: %s", said)
	}
	l.must("stonith_admin", "--validate", "-a", "fence_aws_executor",
		"-o", "plug="+nodeB, "-o", "secg="+ec2sim.LabGroupFence)
	if said, ok := l.run("stonith_admin", "--validate", "-a", "fence_aws_executor",
		"-o", "plug="+nodeB, "-o", "secg=web"); ok || !strings.Contains(said, `secg is "web"`) {
		t.Errorf("a wrong option is not told: %s", said)
	}
	l.must("stonith_admin", "-Q", "ec2")
	for _, fence := range []string{"--fence", "--reboot"} {
		l.must("stonith_admin", fence, "node-b")
		if !l.isFenced() {
			t.Errorf("%s succeeded, and the node is open", fence)
		}
		l.must("stonith_admin", "-Q", "ec2")
		l.must("stonith_admin", "--unfence", "node-b")
		if diff := cmp.Diff(l.before, l.sim.State()); diff != "" {
			t.Errorf("the world after %s and unfencing differs from before:\n%s", fence, diff)
		}
	}

	// Denied, all of it fails, and nothing is said to be done.
	deny := `{"Version":"2012-10-17","Statement":[]}`
	if err := l.sim.SetPolicies(ec2sim.LabCredential.AccessKeyID, deny); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-Q", "ec2"}, {"--fence", "node-b"}, {"--unfence", "node-b"}} {
		if said, ok := l.run("stonith_admin", args...); ok {
			t.Errorf("%v succeeded without any permission: %s", args, said)
		}
	}
}

// kill is one way for a run of the agent to end: SIGKILL at a call.
type kill struct {
	call    int
	phase   ec2sim.Phase
	verdict ec2sim.Verdict
}

// String names the instant.
func (k kill) String() string {
	at := "before it"
	if k.phase == ec2sim.AfterEffect {
		at = "after it"
	} else if k.verdict == ec2sim.Proceed {
		at = "before it, which is made"
	}
	return fmt.Sprintf("killed at call %d, %s", k.call, at)
}

// TestKilledUnderTheFencer: the agent is killed at every call of a fence and of an unfence, in
// every run that Pacemaker makes of it. Pacemaker's word is true whenever it says that the node is
// fenced. Left alone it fences, and unfences to exactly what was there before.
func TestKilledUnderTheFencer(t *testing.T) {
	l := fencer(t)
	kills, saved := 0, 0
	for _, once := range []bool{true, false} {
		for _, action := range []string{"--fence", "--unfence"} {
			for call := 1; ; call++ {
				reached := false
				for _, k := range []kill{
					{call, ec2sim.BeforeEffect, ec2sim.Abandon},
					{call, ec2sim.BeforeEffect, ec2sim.Proceed},
					{call, ec2sim.AfterEffect, ec2sim.Proceed},
				} {
					killed, ok := l.killed(action, k, once)
					kills += killed
					reached = reached || killed > 0
					if ok && killed > 0 {
						saved++
					}
				}
				if !reached {
					break
				}
			}
		}
	}
	t.Logf("%d kills: no false off, no lost groups; of %d operations Pacemaker's own second try"+
		" made a success", kills, saved)
	if kills < 60 {
		t.Errorf("only %d kills", kills)
	}
}

// killed has Pacemaker fence or unfence node-b while the agent is killed, once or always. It
// returns the number of kills, and whether Pacemaker called that a success.
func (l *lab) killed(action string, k kill, once bool) (kills int, ok bool) {
	l.Helper()
	if action == "--unfence" {
		l.must("stonith_admin", "--fence", "node-b")
	}
	h := &hunter{kill: k, once: once}
	remove := l.sim.OnCall(h.call)
	said, ok := l.run("stonith_admin", action, "node-b")
	remove()
	l.wait("the agent has ended", func() bool { return len(running(agentPath)) == 0 })
	when := fmt.Sprintf("%s, %s (once %t): %s", action, k, once, said)
	if action == "--fence" && ok && !l.isFenced() {
		l.Fatalf("the node is said to be fenced, and is open: %s", when)
	}
	if action == "--unfence" && ok {
		l.same(when)
	}
	l.must("stonith_admin", "--fence", "node-b")
	if !l.isFenced() {
		l.Fatalf("fenced again, and the node is open: %s", when)
	}
	l.must("stonith_admin", "--unfence", "node-b")
	l.same(when)
	return int(h.kills.Load()), ok
}

// hunter kills the agent at one of its calls, in its first run or in every one.
type hunter struct {
	kill
	once  bool
	kills atomic.Int64

	mu sync.Mutex
	// of is the run that makes calls, of which there were so many; victim is the call to kill at.
	of            string
	calls, victim int
}

// call sees a call, and says if it goes on.
func (h *hunter) call(c ec2sim.Call) ec2sim.Verdict {
	h.mu.Lock()
	defer h.mu.Unlock()
	pids := running(agentPath)
	if len(pids) != 1 || h.once && h.kills.Load() > 0 && c.Seq != h.victim {
		return ec2sim.Proceed
	}
	if pids[0] != h.of {
		h.of, h.calls = pids[0], 0
	}
	if c.Phase == ec2sim.BeforeEffect {
		if h.calls++; h.calls == h.kill.call {
			h.victim = c.Seq
		}
	}
	if c.Seq != h.victim || c.Phase != h.phase {
		return ec2sim.Proceed
	}
	h.kills.Add(1)
	slay(pids[0])
	return h.verdict
}

// same holds the world against what it was.
func (l *lab) same(when string) {
	l.Helper()
	if diff := cmp.Diff(l.before, l.sim.State()); diff != "" {
		l.Fatalf("%s: the world differs from before:\n%s", when, diff)
	}
}

// slay kills a process, and returns once nothing of it runs.
func slay(pid string) {
	n, err := strconv.Atoi(pid)
	if err != nil {
		return
	}
	_ = syscall.Kill(n, syscall.SIGKILL)
	for {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if _, state, _ := strings.Cut(string(stat), ") "); err != nil || strings.HasPrefix(state, "Z") {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
