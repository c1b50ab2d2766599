package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/evidence"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/smoke"
)

const smokePolicy = `apiVersion: hybrid.routerd.net/v1alpha1
kind: ProviderActionPolicy
metadata: {name: smoke}
spec: {enabled: true, dryRunOnly: false, requireApproval: true, allowedProviders: [aws],
  allowedActions: [assign-secondary-ip, ensure-forwarding-enabled, stop-instances],
  maxActionsPerRun: 5, allowUndo: true}
`

const smokeRequests = `apiVersion: provideraction.routerd.net/v1alpha1
kind: ExecuteActionRequest
spec: {action: assign-secondary-ip, provider: aws, mode: execute, idempotencyKey: smoke/assign,
  target: {nicRef: eni-01088600000000012, address: 10.88.60.9, region: ap-northeast-1}}
---
apiVersion: provideraction.routerd.net/v1alpha1
kind: ExecuteActionRequest
spec: {action: ensure-forwarding-enabled, provider: aws, mode: execute,
  idempotencyKey: smoke/forward, target: {nicRef: eni-01088600000000012, region: ap-northeast-1}}
`

// newLab is a site with a lab.
func newLab(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	tagLab(s.sim.Region(ec2sim.LabRegion))
	s.write("policy.yaml", smokePolicy)
	s.write("requests.yaml", smokeRequests)
	return s
}

// smoke are the arguments of a run.
func (s *site) smoke(more ...string) []string {
	return append([]string{"smoke", "-f", s.path("requests.yaml"), "--tag", "lab=smoke",
		"--by", "alice", "--patience", "20s"}, more...)
}

// TestSmokeInterrupted sends SIGINT at each call to EC2 that a run makes, before it takes effect
// and after: to it alone, or to its process group as a terminal does. Whenever it comes, the run
// leaves the lab as it was.
func TestSmokeInterrupted(t *testing.T) {
	all := newLab(t)
	all.must(all.smoke("--yes")...)
	calls := len(all.sim.Calls())
	if calls < 10 {
		t.Fatalf("a run makes %d calls", calls)
	}
	stopped := 0
	for n := range 2 * calls {
		s := newLab(t)
		before := s.sim.State()
		code, said := s.interruptedAt(n)
		if code == 0 {
			continue
		}
		stopped++
		if diff := cmp.Diff(before, s.sim.State()); diff != "" {
			t.Errorf("at call %d it left (-before +now):\n%s\n%s", n, diff, said)
		}
		if !strings.Contains(said, "nothing was changed") && !strings.Contains(said, "as before") {
			t.Errorf("at call %d it does not say what is so:\n%s", n, said)
		}
	}
	t.Logf("%d runs interrupted, %d stopped", 2*calls, stopped)
	if stopped < calls {
		t.Errorf("of %d interrupted runs %d stopped", 2*calls, stopped)
	}
}

// interruptedAt runs to the end with a signal at one of its calls.
func (s *site) interruptedAt(n int) (code int, said string) {
	var out bytes.Buffer
	c := s.command(s.smoke("--yes")...)
	c.Stdout, c.Stderr = &out, &out
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var made atomic.Int64
	started := make(chan struct{})
	remove := s.sim.OnCall(func(call ec2sim.Call) ec2sim.Verdict {
		if int(made.Add(1)) == n+1 {
			<-started
			to := c.Process.Pid
			if n/2%2 == 1 {
				to = -to
			}
			_ = syscall.Kill(to, syscall.SIGINT)
		}
		return ec2sim.Proceed
	})
	defer remove()
	err := c.Start()
	close(started)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = c.Wait()
	return c.ProcessState.ExitCode(), out.String()
}

// TestNobodyDecides: a person says yes at the start, and then nothing. The run ends, the instance
// that is named is stopped, and its approval is used up.
func TestNobodyDecides(t *testing.T) {
	for _, c := range []struct {
		name, answers string
		hold          bool
		code          int
		stopped       bool
	}{
		{"of the run", "yes\n", false, 1, true},
		{"of the rollback", "yes\nyes\n", true, 1, true},
		{"of the fallback itself", "", false, 3, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newLab(t)
			args := s.smoke("--stop", ec2sim.LabDB, "--max-decision-wait", "3s")
			if c.hold {
				args = append(args, "--hold")
			}
			code, said := s.answered(c.answers, args...)
			if code != c.code {
				t.Errorf("exit %d, want %d\n%s", code, c.code, said)
			}
			want := map[bool]string{true: "stopped", false: "running"}[c.stopped]
			if got := s.instance(ec2sim.LabDB); got != want {
				t.Errorf("db is %s, want %s\n%s", got, want, said)
			}
			if !strings.Contains(said, "nobody decided in time") {
				t.Errorf("it does not say why:\n%s", said)
			}
			s.interfacesAsBefore(t)
			for _, row := range s.rows() {
				if row == "approved" || row == "pending" {
					t.Errorf("it may still be approved or executed: %v", s.rows())
				}
			}
			if !c.stopped {
				return
			}
			s.must("rollback", "--all", "--yes")
			if got := s.instance(ec2sim.LabDB); got != "running" {
				t.Errorf("after the rollback db is %s", got)
			}
		})
	}
}

// TestARunLeavesNothingToApprove ends a run while a person is asked. What it imported is executed
// by nobody else while it lives, and is neither approved nor executed once it has ended, whatever
// ended it. The next run ends what a killed one left.
func TestARunLeavesNothingToApprove(t *testing.T) {
	for _, c := range []struct {
		name   string
		signal os.Signal
		want   []string
	}{
		{"Ctrl-C", os.Interrupt, []string{"rejected", "rejected", "rejected"}},
		{"kill -9", os.Kill, []string{"approved", "pending", "pending"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newLab(t)
			before := s.sim.State()
			refused := func(why string, args ...string) {
				t.Helper()
				code, _, said := s.run(args...)
				if code != 3 || !strings.Contains(said, why) {
					t.Errorf("%v: exit %d, want 3 and %q\n%s", args, code, why, said)
				}
			}
			run := s.asked("Carry this out", s.smoke("--stop", ec2sim.LabDB,
				"--max-decision-wait", "120s")...)
			refused("which alone executes it", "execute", "--all-approved", "--yes")
			_ = run.Process.Signal(c.signal)
			_ = run.Wait()
			if diff := cmp.Diff(c.want, s.rows()); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if c.signal == os.Kill {
				refused("which has ended", "approve", "--status", "pending", "--by", "bob", "--yes")
				refused("which has ended", "approve", "1", "--by", "bob")
				refused("which has ended", "execute", "--all-approved", "--yes")
			}
			if diff := cmp.Diff(before, s.sim.State()); diff != "" {
				t.Errorf("it changed something (-before +now):\n%s", diff)
			}
			s.must(s.smoke("--yes")...)
			want := []string{"rejected", "rolledBack", "rolledBack"}
			if diff := cmp.Diff(want, s.rows()); diff != "" {
				t.Errorf("rows after the next run (-want +got):\n%s", diff)
			}
			s.must("journal", "--verify")
		})
	}
}

// asked starts a run whose first question gets a yes, and returns once another question is asked.
func (s *site) asked(question string, args ...string) *exec.Cmd {
	s.t.Helper()
	c := s.command(args...)
	in, err := c.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	said, err := c.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	if _, err := io.WriteString(in, "yes\n"); err != nil {
		s.t.Fatal(err)
	}
	var all bytes.Buffer
	for b := make([]byte, 512); !strings.Contains(all.String(), question); {
		n, err := said.Read(b)
		all.Write(b[:n])
		if err != nil {
			s.t.Fatalf("it ended before %q was asked: %v\n%s", question, err, &all)
		}
	}
	return c
}

// answered runs with somebody at standard input who gives some answers and then none.
func (s *site) answered(answers string, args ...string) (code int, said string) {
	var out bytes.Buffer
	c := s.command(args...)
	in, err := c.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	if _, err := io.WriteString(in, answers); err != nil {
		s.t.Fatal(err)
	}
	_ = c.Wait()
	return c.ProcessState.ExitCode(), out.String()
}

func (s *site) instance(id string) string {
	for _, i := range s.sim.Region(ec2sim.LabRegion).State().Instances {
		if i.ID == id {
			return i.State
		}
	}
	return ""
}

// interfacesAsBefore holds the lab's interfaces against a fresh one's.
func (s *site) interfacesAsBefore(t *testing.T) {
	t.Helper()
	want := newLab(t).sim.Region(ec2sim.LabRegion).State().Interfaces
	if diff := cmp.Diff(want, s.sim.Region(ec2sim.LabRegion).State().Interfaces); diff != "" {
		t.Errorf("the interfaces are not as before (-before +now):\n%s", diff)
	}
}

// rows are the states of the journal's actions.
func (s *site) rows() []string {
	var all []string
	for line := range strings.Lines(s.must("list")) {
		if fields := strings.Split(line, "\t"); len(fields) > 1 && fields[0] != "ID" {
			all = append(all, fields[1])
		}
	}
	return all
}

// TestSmokeWithTwoPeople: the policy asks for two; the run waits for the second, who approves from
// another process.
func TestSmokeWithTwoPeople(t *testing.T) {
	s := newLab(t)
	s.write("policy.yaml", strings.Replace(smokePolicy, "requireApproval: true", "approvals: 2", 1))
	before := s.sim.State()
	c := s.command(s.smoke("--yes", "--max-decision-wait", "60s")...)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), smoke.StepImport) {
			s.must("approve", "1", "2", "--by", "bob")
		}
	}
	if err := c.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &said)
	}
	if diff := cmp.Diff(before, s.sim.State()); diff != "" {
		t.Errorf("it left (-before +now):\n%s", diff)
	}
}

// TestSmokeOfASlowLab: EC2 takes longer than one executor has. The run waits on, each way.
func TestSmokeOfASlowLab(t *testing.T) {
	s := newSite(t, ec2sim.WithTransitionTime(6*time.Second))
	tagLab(s.sim.Region(ec2sim.LabRegion))
	s.write("policy.yaml", smokePolicy)
	s.write("requests.yaml", `apiVersion: provideraction.routerd.net/v1alpha1
kind: ExecuteActionRequest
spec: {action: stop-instances, provider: aws, mode: execute, idempotencyKey: smoke/stop,
  target: {instanceRef: i-01088600000000020, region: ap-northeast-1},
  parameters: {requiredTag: lab=smoke}}
`)
	code, out, said := s.run(append(s.smoke("--yes", "--evidence", s.path("run.json")),
		"--timeout", "3s")...)
	if code != 0 || s.instance(ec2sim.LabDB) != "running" {
		t.Errorf("exit %d, db is %s\n%s%s", code, s.instance(ec2sim.LabDB), out, said)
	}
	text, err := os.ReadFile(s.path("run.json"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := evidence.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	var steps []string
	looked := 0
	for _, c := range d.Seen.Checks {
		name, is := strings.CutPrefix(c.Name, "smoke/")
		if !is {
			looked++
			continue
		}
		if c.Verdict != preflight.Pass {
			t.Errorf("the evidence says of %s: %s", c.Name, c.Seen)
		}
		steps = append(steps, name)
	}
	if looked < 5 {
		t.Errorf("the evidence has %d checks of the preflight", looked)
	}
	want := []string{"requests", "tags", "preflight", "before", "import", "plan", "approve",
		"execute", "verified", "rollback", "as-before"}
	slices.Sort(steps)
	slices.Sort(want)
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("steps in the evidence (-want +got):\n%s", diff)
	}
}

// TestSmokeWithoutAResult: an executor that changed something and told nothing leaves an undo
// without the facts that it requires. The run says to send the action again first, which finds out
// what is so, and these commands bring all back.
func TestSmokeWithoutAResult(t *testing.T) {
	s := newLab(t)
	before := s.sim.State()
	killed := s.wrapper(`cat >$DIR/in
if grep -q '"mode": *"execute"' $DIR/in && grep -q '"ensure-forwarding-enabled"' $DIR/in; then
	aws-provider-executor <$DIR/in >/dev/null
	kill -9 $$
fi
exec aws-provider-executor <$DIR/in`)
	code, _, said := s.run(s.smoke("--yes", "--plugin", killed)...)
	const first = "run: actionctl execute 2   # first: it finds out"
	const then = "run: actionctl rollback 1 2"
	at, after := strings.Index(said, first), strings.Index(said, then)
	if code != 1 || at < 0 || after < at {
		t.Fatalf("exit %d: %s", code, said)
	}
	if cmp.Equal(before, s.sim.State()) {
		t.Fatal("nothing was changed: the test tries nothing")
	}
	s.must("execute", "2")
	s.must("rollback", "1", "2")
	if diff := cmp.Diff(before, s.sim.State()); diff != "" {
		t.Errorf("not as before (-before +now):\n%s", diff)
	}
}
