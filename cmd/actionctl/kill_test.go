package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/journal"
	"aws-provider-executor/pkg/testprograms"
)

// shipped builds the programs as they are shipped: with the race detector in them they would not
// keep their deadlines.
func shipped() (dir string, err error) {
	return testprograms.Build("actionctl", "aws-provider-executor", "aws-provider-inventory",
		"fence_aws_executor")
}

// site is a stand-in with a journal and a policy, and actionctl as a process on them.
type site struct {
	t   testing.TB
	bin string
	dir string
	sim *ec2sim.Sim
	env []string
}

const sitePolicy = `apiVersion: hybrid.routerd.net/v1alpha1
kind: ProviderActionPolicy
metadata: {name: site}
spec: {enabled: true, dryRunOnly: false, allowedProviders: [aws],
  allowedActions: [assign-secondary-ip],
  allowedCIDRs: [10.88.0.0/16], maxActionsPerRun: 100000, allowUndo: true}
`

func newSite(t testing.TB, settings ...ec2sim.Option) *site {
	t.Helper()
	sim := ec2sim.New(append([]ec2sim.Option{ec2sim.Lab()}, settings...)...)
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	bin, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, bin: bin, dir: t.TempDir(), sim: sim}
	s.write("policy.yaml", sitePolicy)
	s.env = append(server.RoleEnv(), "PATH="+os.Getenv("PATH"), "USER=tester",
		"EXECUTOR_STATE_DIR="+filepath.Join(s.dir, "state"),
		"ACTIONCTL_JOURNAL="+s.path("journal.db"), "ACTIONCTL_POLICY="+s.path("policy.yaml"))
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (s *site) write(name, text string) {
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) command(args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.bin, "actionctl"), args...)
	c.Env = s.env
	return c
}

// run runs actionctl to its end.
func (s *site) run(args ...string) (code int, stdout, stderr string) {
	var out, said bytes.Buffer
	c := s.command(args...)
	c.Stdout, c.Stderr = &out, &said
	err := c.Run()
	if c.ProcessState == nil {
		s.t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), out.String(), said.String()
}

func (s *site) must(args ...string) string {
	s.t.Helper()
	code, out, said := s.run(args...)
	if code != 0 {
		s.t.Fatalf("actionctl %v: exit %d, %s", args, code, said)
	}
	return out
}

// plans imports and approves that many assignments, to an interface that bears 50 addresses.
func (s *site) plans(n int) {
	s.t.Helper()
	var plans []map[string]any
	ids := []string{"approve", "--by", "ann"}
	for i := range n {
		plans = append(plans, map[string]any{
			"provider": "aws", "action": "assign-secondary-ip", "idempotencyKey": fmt.Sprint("key-", i),
			"target": map[string]string{"nicRef": ec2sim.LabSpareInterface,
				"address": fmt.Sprint("10.88.60.", 150+i), "region": ec2sim.LabRegion},
		})
		ids = append(ids, strconv.Itoa(i+1))
	}
	text, err := json.Marshal(plans)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("plans.json", string(text))
	s.must("import", "-f", s.path("plans.json"))
	s.must(ids...)
}

func (s *site) changingCalls() (n int) {
	for _, c := range s.sim.Calls() {
		if !strings.HasPrefix(c.Operation, "Describe") {
			n++
		}
	}
	return n
}

// verified holds that the journal opens and is as it was written.
func (s *site) verified(when string) {
	s.t.Helper()
	if code, _, said := s.run("journal", "--verify"); code != 0 {
		s.t.Errorf("%s: the journal does not verify: %s", when, said)
	}
}

// eventually runs actionctl until it is not refused because the claim may still be live.
func (s *site) eventually(args ...string) (code int, stdout, stderr string) {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		code, stdout, stderr = s.run(args...)
		if code != 3 || !strings.Contains(stderr, "claim: ") || time.Now().After(deadline) {
			return code, stdout, stderr
		}
	}
}

// TestKilledAtAnyInstant kills actionctl, with its executor or without, at instants that cover the
// whole of an execution or a rollback. Whatever the instant: the journal opens and verifies, the
// action can be taken up again, the provider gets one change, and the prior facts are those of the
// first time.
func TestKilledAtAnyInstant(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	const instants = 24
	whole := executionTime(t)
	slots := make(chan struct{}, 8)
	var wait sync.WaitGroup
	var mu sync.Mutex
	found := map[string]int{}
	for _, operation := range []string{"execute", "rollback"} {
		for _, both := range []bool{false, true} {
			for i := range instants {
				// Beside others it takes longer than alone: they lie close at first, and reach far.
				after := whole*time.Duration(i)/20 + whole*time.Duration(i*i)/instants/instants*8
				slots <- struct{}{}
				wait.Go(func() {
					defer func() { <-slots }()
					state := killedAfter(t, operation, both, after)
					mu.Lock()
					defer mu.Unlock()
					found[operation+" left "+state]++
				})
			}
		}
	}
	wait.Wait()
	t.Log(found)
	for _, state := range []string{"execute left approved", "execute left running, claimed",
		"execute left succeeded",
		"rollback left succeeded", "rollback left succeeded, claimed", "rollback left rolledBack"} {
		if found[state] == 0 {
			t.Errorf("no kill came while it was so: %s", state)
		}
	}
}

// executionTime is how long an execution takes here and now.
func executionTime(t *testing.T) time.Duration {
	s := newSite(t)
	s.plans(1)
	begin := time.Now()
	s.must("execute", "1")
	return time.Since(begin)
}

// killedAfter makes one such kill, and returns the state that the journal was left in.
func killedAfter(t *testing.T, operation string, both bool, after time.Duration) (state string) {
	what := fmt.Sprintf("%s killed after %s (with the executor: %v)", operation, after, both)
	s := newSite(t)
	s.plans(1)
	before := s.sim.State()
	wantCalls := 1
	if operation == "rollback" {
		s.must("execute", "1")
		wantCalls = 2
	}
	c := s.command(operation, "1", "--timeout", "2s")
	if err := c.Start(); err != nil {
		t.Error(err)
		return ""
	}
	time.Sleep(after)
	children := childrenOf(c.Process.Pid)
	_ = c.Process.Signal(syscall.SIGKILL)
	if both {
		for _, pid := range children {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	_ = c.Wait()
	s.verified(what)
	state = s.state()
	code, _, said := s.eventually(operation, "1", "--timeout", "10s")
	finished := code == 3 &&
		(strings.Contains(said, "it has succeeded already") || strings.Contains(said, "it is rolledBack"))
	if code != 0 && !finished {
		t.Errorf("%s, and again: exit %d, %s", what, code, said)
		return state
	}
	s.verified(what + ", and again")
	if n := s.changingCalls(); n != wantCalls {
		t.Errorf("%s: %d changing calls, want %d", what, n, wantCalls)
	}
	var row gate.Row
	if err := json.Unmarshal([]byte(s.must("show", "1", "-o", "json")), &row); err != nil ||
		row.Observed["priorAssigned"] != "false" {
		t.Errorf("%s: the prior fact is %q, %v", what, row.Observed["priorAssigned"], err)
	}
	if operation == "execute" {
		s.must("rollback", "1")
	}
	if d := cmp.Diff(before, s.sim.State()); d != "" {
		t.Errorf("%s: after the rollback the world differs from before:\n%s", what, d)
	}
	return state
}

// state is that of the only action, and whether it is claimed.
func (s *site) state() string {
	var row struct {
		gate.Row
		ClaimedBy string
	}
	if err := json.Unmarshal([]byte(s.must("show", "1", "-o", "json")), &row); err != nil {
		s.t.Error(err)
	}
	if row.ClaimedBy != "" {
		return string(row.Status) + ", claimed"
	}
	return string(row.Status)
}

func childrenOf(pid int) []int {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil
	}
	var children []int
	for _, file := range tasks {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				children = append(children, child)
			}
		}
	}
	return children
}

// TestProcessesAtOnceNeverRunAnActionTwice has several actionctl on one journal execute the same
// actions.
func TestProcessesAtOnceNeverRunAnActionTwice(t *testing.T) {
	const actions, processes = 20, 4
	s := newSite(t)
	s.plans(actions)
	var wait sync.WaitGroup
	for range processes {
		wait.Go(func() {
			s.run("execute", unjoined, "--all-approved", "--keep-going", "--parallel", "2")
		})
	}
	done := make(chan struct{})
	go func() { wait.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
			s.verified("meanwhile")
		}
	}
	if n := s.changingCalls(); n != actions {
		t.Errorf("%d changing calls for %d actions", n, actions)
	}
	s.verified("after")
	j, err := journal.Open(context.Background(), s.path("journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for _, kind := range []gate.EventKind{gate.EventClaimed, gate.EventResult} {
		events, err := j.Events(context.Background(), gate.EventQuery{Kind: kind})
		if err != nil || len(events) != actions {
			t.Errorf("%d events %s, %v", len(events), kind, err)
		}
	}
}

// TestInterruptedItAnswersTruly asks actionctl to stop while the provider is slow.
func TestInterruptedItAnswersTruly(t *testing.T) {
	for _, asked := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(asked.String(), func(t *testing.T) {
			// What is caught here is not ignored by what is started, not even when this runs under nohup.
			signal.Notify(make(chan os.Signal, 1), asked)
			defer signal.Reset(asked)
			interruptedItAnswersTruly(t, asked)
		})
	}
}

func interruptedItAnswersTruly(t *testing.T, asked os.Signal) {
	s := newSite(t)
	s.plans(2)
	// The first change is answered half a second after the signal was sent, and no sooner.
	changed, sent := make(chan struct{}), make(chan struct{})
	var once sync.Once
	defer s.sim.OnCall(func(c ec2sim.Call) ec2sim.Verdict {
		if c.Phase == ec2sim.AfterEffect && c.Operation == "AssignPrivateIpAddresses" {
			once.Do(func() {
				close(changed)
				<-sent
				time.Sleep(500 * time.Millisecond)
			})
		}
		return ec2sim.Proceed
	})()
	c := s.command("execute", "1", "2")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Wait()
	}()
	select {
	case <-changed:
	case <-ended:
		t.Fatal("it ended without a change")
	}
	_ = c.Process.Signal(asked)
	close(sent)
	<-ended
	var rows []gate.Row
	if err := json.Unmarshal([]byte(s.must("list", "-o", "json")), &rows); err != nil {
		t.Fatal(err)
	}
	if rows[0].Status != gate.Succeeded || rows[1].Status != gate.Approved {
		t.Errorf("%s and %s: %+v", rows[0].Status, rows[1].Status, rows[0])
	}
	s.verified("after")
}
