package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"aws-provider-executor/actions/providers"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/journal"
	"aws-provider-executor/pkg/lifecycle"
	"aws-provider-executor/pkg/lifecycle/program"
)

// unchanged holds that nothing was changed, here or there.
func (l *lab) unchanged(do func()) {
	l.Helper()
	before := l.sim.State()
	do()
	for _, c := range l.sim.Calls() {
		if c.Effect {
			l.Errorf("%s changed something", c.Operation)
		}
	}
	if after := l.sim.State(); len(after.Regions) != len(before.Regions) {
		l.Error("the world is another one")
	}
	if _, err := os.Stat(filepath.Join(l.dir, "state")); !os.IsNotExist(err) {
		l.Errorf("there is a state: %v", err)
	}
}

// TestDryRun prints all that would be made, and changes nothing.
func TestDryRun(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.sim.ForgetCalls()
	l.unchanged(func() {
		e := l.run(l.event(0), "handle", "--dry-run")
		var steps []string
		for _, s := range e.Steps {
			steps = append(steps, s.Step+" "+string(s.Verdict))
		}
		want := []string{"interface:1 would", "interface:2 would", "tags would",
			"hook:CONTINUE would"}
		if e.Outcome != lifecycle.Rehearsed || !slices.Equal(steps, want) {
			t.Errorf("%v: %s\n%s", steps, e.stdout, e.stderr)
		}
	})
}

// TestDryRunTellsWhatThePolicyForbids: a dry-run does not end well where the event would not.
func TestDryRunTellsWhatThePolicyForbids(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.file("policy.yaml", strings.Replace(labPolicy, "allowIrreversible: true",
		"allowIrreversible: false", 1))
	l.sim.ForgetCalls()
	l.unchanged(func() {
		e := l.run(l.event(0), "handle", "--dry-run")
		if e.code != 3 || e.Outcome != lifecycle.Refused || len(e.Steps) != 4 ||
			e.Steps[3].Verdict != lifecycle.StepFailed || !strings.Contains(e.Reason, "hook:CONTINUE") {
			t.Errorf("exit %d: %s\n%s", e.code, e.stdout, e.stderr)
		}
	})
}

// TestAStepTakenAwayByHand: the steps of a launch are done, its hook could not be told, and what
// they made is taken away by hand. The event again makes it anew, or gives up; it does not CONTINUE
// without.
func TestAStepTakenAwayByHand(t *testing.T) {
	t.Parallel()
	for name, undo := range map[string]string{"again": "true", "no undo allowed": "false"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			event := l.event(0)
			l.file("policy.yaml", strings.Replace(labPolicy, "allowIrreversible: true",
				"allowIrreversible: false", 1))
			l.handle(event, lifecycle.Postponed)
			l.want(2, "Pending:Wait")
			for _, i := range l.region().State().Interfaces {
				if i.Tags[ec2model.Slot] != "" {
					l.region().Detach(i.ID)
					l.region().Remove(i.ID)
				}
			}
			l.want(0, "Pending:Wait")
			l.file("policy.yaml", strings.Replace(labPolicy, "allowUndo: true", "allowUndo: "+undo, 1))
			l.sim.ForgetCalls()
			if undo == "true" {
				l.handle(event, lifecycle.WentOn)
				l.want(2, "InService")
				return
			}
			e := l.handle(event, lifecycle.GaveUp)
			if !strings.Contains(e.Reason, "not so any more") {
				t.Errorf("%s", e.Reason)
			}
			l.want(0, "Terminating:Wait")
		})
	}
}

// TestDryRunOfATerminate prints what would be undone, and changes nothing.
func TestDryRunOfATerminate(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.handle(l.event(0), lifecycle.WentOn)
	l.scaleIn()
	e := l.run(l.event(0), "handle", "--dry-run")
	if e.Outcome != lifecycle.Rehearsed || len(e.Undone) != 3 ||
		e.Undone[0].Verdict != lifecycle.Would || len(e.Steps) != 1 ||
		e.Steps[0].Step != "hook:CONTINUE" || e.Steps[0].Verdict != lifecycle.Would {
		t.Errorf("%s\n%s", e.stdout, e.stderr)
	}
	l.want(2, "Terminating:Wait")
	l.handle(l.event(0), lifecycle.Cleared)
	l.want(0)
}

// TestATerminateWithoutARecord works from tags, where everything that was remembered is lost.
func TestATerminateWithoutARecord(t *testing.T) {
	t.Parallel()
	l := newLab(
		t,
		"    - deviceIndex: 2\n",
		"      publicAddress: {pool: amazon}\n    - deviceIndex: 2\n",
	)
	addresses := len(l.region().State().Addresses)
	l.handle(l.event(0), lifecycle.WentOn)
	if n := len(l.region().State().Addresses); n != addresses+1 {
		t.Errorf("%d Elastic IPs, want one more than %d", n, addresses)
	}
	if err := os.RemoveAll(filepath.Join(l.dir, "state")); err != nil {
		t.Fatal(err)
	}
	l.scaleIn()
	l.handle(l.event(0), lifecycle.Cleared)
	l.want(0)
	if n := len(l.region().State().Addresses); n != addresses {
		t.Errorf("%d Elastic IPs, want %d", n, addresses)
	}
}

// TestRefusals: what is for somebody else, or is not understood, changes nothing.
func TestRefusals(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.sim.ForgetCalls()
	event := l.event(0)
	for _, c := range []struct {
		name, event string
		args        []string
		code        int
		want        string
	}{
		{"another group", strings.Replace(event, `"edge"`, `"core"`, 1), []string{"handle", "--dry-run"},
			3, "has no group"},
		{"another account", strings.ReplaceAll(event, ec2sim.DefaultOwner, "444455556666"),
			[]string{"handle", "--dry-run"}, 3, "444455556666"},
		{"another hook", strings.Replace(event, launchHook, "core", 1), []string{"handle", "--dry-run"},
			3, "hook"},
		{"no policy", event, []string{"handle", "--dry-run", "--policy="}, 3, "there is no policy"},
		{"no configuration", event, []string{"handle", "--config="}, 2, "--config"},
		{"no event", "{}", []string{"handle"}, 1, "not understood"},
		{"an argument", event, []string{"handle", "now"}, 2, "takes no argument"},
		{"no command", event, []string{"now"}, 2, "there is no command"},
		{"a secret for the executor", event, []string{"handle", "--plugin-env", "AWS_SECRET_ACCESS_KEY"},
			2, "credentials do not pass"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := l.run(c.event, c.args...)
			if e.code != c.code || !strings.Contains(e.stdout+e.stderr, c.want) {
				t.Errorf("exit %d, want %d with %q\n%s\n%s", e.code, c.code, c.want, e.stdout, e.stderr)
			}
		})
	}
	for _, c := range l.sim.Calls() {
		if c.Effect {
			t.Errorf("%s changed something", c.Operation)
		}
	}
}

// TestTwiceAtOnce: two processes that handle one event do everything once.
func TestTwiceAtOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.sim.ForgetCalls()
	event := l.event(0)
	var wait sync.WaitGroup
	for range 2 {
		cmd := l.command(event, "handle")
		wait.Go(func() {
			if e := l.wait(cmd); e.Outcome != lifecycle.WentOn {
				t.Errorf("%s\n%s", e.stdout, e.stderr)
			}
		})
	}
	wait.Wait()
	l.want(2, "InService")
	made := map[string]int{}
	for _, c := range l.sim.Calls() {
		if c.Effect {
			made[c.Operation]++
		}
	}
	for name, n := range map[string]int{"CreateNetworkInterface": 2, "AttachNetworkInterface": 2,
		"CompleteLifecycleAction": 1, "CreateTags": 1} {
		if made[name] != n {
			t.Errorf("%d times %s, want %d", made[name], name, n)
		}
	}
}

// TestAbandoned: a launch for which a subnet has no room left is undone, and the reason is told.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string][]string{
		"a group of another network": {"      securityGroups: [" + ec2sim.LabGroupWeb +
			"]\n      deleteOnTermination", "      securityGroups: [" + ec2sim.LabOtherGroup +
			"]\n      deleteOnTermination"},
		"a fixed address that is taken": {"    patience: 3s", "    patience: 3s\n    maxSize: 1",
			"      deleteOnTermination: false",
			"      privateAddresses: [" + ec2sim.LabServiceAddress + "]"},
		"no subnet in the zone": {"    - deviceIndex: 2\n      subnets: {ap-northeast-1a",
			"    - deviceIndex: 2\n      subnets: {ap-northeast-1c"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, edit...)
			e := l.handle(l.event(0), lifecycle.GaveUp)
			if e.code != 1 || e.Reason == "" || len(e.Left) > 0 {
				t.Errorf("exit %d: %s", e.code, e.stdout)
			}
			if got := l.made(); len(got) > 0 {
				t.Errorf("left: %v", got)
			}
			if m := l.member(0); m.State != "Terminating:Wait" {
				t.Errorf("it is %s", m.State)
			}
			l.journaled("abandon", e.Reason)
		})
	}
}

// journaled holds that the journal has one decision on an event, and is as it was written.
func (l *lab) journaled(decision, reason string) {
	l.Helper()
	j, err := journal.Open(l.Context(), filepath.Join(l.dir, "state", "journal.db"))
	if err != nil {
		l.Fatal(err)
	}
	defer j.Close()
	events, err := j.Events(l.Context(), gate.EventQuery{Kind: gate.EventLifecycle})
	if err != nil || len(events) != 1 || events[0].Data["decision"] != decision ||
		events[0].Data["reason"] != reason {
		l.Errorf("%+v, %v", events, err)
	}
	if report, err := j.Verify(l.Context()); err != nil || len(report.Faults) > 0 {
		l.Errorf("%v: %v", report.Faults, err)
	}
}

// TestAnOccupiedIndex: an interface of somebody else's in a slot is not taken, and the launch is
// given up.
func TestAnOccupiedIndex(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.region().Attach(ec2sim.LabSpareInterface, l.member(0).InstanceID, 2)
	l.handle(l.event(0), lifecycle.GaveUp)
	if got := l.made(); len(got) > 0 {
		t.Errorf("left: %v", got)
	}
}

// TestTheHookTimedOut: an instance that went into service without the handler is finished.
func TestTheHookTimedOut(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	event := l.event(0)
	l.region().EditScalingGroup(groupName, func(g *ec2sim.ScalingGroup) {
		g.Hooks[0].DefaultResult = "CONTINUE"
	})
	l.region().ElapseScaling(groupName, 1e12)
	l.handle(event, lifecycle.WentOn)
	l.want(2, "InService")
}

// TestWatch takes events from a queue that gives them out twice and in the wrong order, deletes
// those that were handled and leaves the others.
func TestWatch(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	hidden := 0
	queue := ec2sim.Queue{Region: ec2sim.LabRegion, Name: "edge", Twice: true, NewestFirst: true,
		VisibilitySeconds: &hidden, Events: []string{ec2sim.ScalingEvents}}
	if err := l.sim.SetQueue(queue); err != nil {
		t.Fatal(err)
	}
	l.region().EditScalingGroup(groupName, func(g *ec2sim.ScalingGroup) { g.DesiredCapacity = 3 })
	cmd := l.command("", "watch", "--queue", l.srv.URL()+"/"+ec2sim.DefaultOwner+"/edge")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := json.NewDecoder(out)
	handled := map[string]bool{}
	for len(handled) < 2 {
		var r lifecycle.Result
		if err := lines.Decode(&r); err != nil {
			t.Fatalf("%v\n%s", err, stderr.String())
		}
		if r.Outcome == lifecycle.WentOn {
			handled[r.Event.Instance] = true
		}
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	go func() { _, _ = io.Copy(io.Discard, out) }()
	_ = cmd.Wait()
	if got := l.made(); len(got) != 4 {
		t.Errorf("%v are made", got)
	}
}

// TestLambda answers the calls of AWS Lambda: an event, and messages of a queue, of which those
// that were not handled come again.
func TestLambda(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	event := l.event(0)
	records, err := json.Marshal(map[string]any{"Records": []map[string]string{
		{"messageId": "good", "eventSource": "aws:sqs", "body": event},
		{"messageId": "foreign", "eventSource": "aws:sqs",
			"body": strings.Replace(event, `"edge"`, `"core"`, 1)},
		{"messageId": "torn", "eventSource": "aws:sqs", "body": "{"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	calls := []string{event, string(records), strings.Replace(event, `"edge"`, `"core"`, 1)}
	var answers []string
	ended := make(chan struct{})
	next := 0
	runtime := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case strings.HasSuffix(r.URL.Path, "/next") && next < len(calls):
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "1")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", "4102444800000")
			_, _ = io.WriteString(w, calls[next])
			next++
		case strings.HasSuffix(r.URL.Path, "/next"):
			close(ended)
			<-r.Context().Done()
		default:
			answers = append(answers, r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]+" "+
				string(body))
			w.WriteHeader(http.StatusAccepted)
		}
	}))
	t.Cleanup(runtime.Close)
	cmd := l.command("")
	cmd.Env = append(cmd.Env, "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(runtime.URL, "http://"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-ended
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	_ = cmd.Wait()
	l.want(2, "InService")
	if len(answers) != 3 || !strings.Contains(answers[0], `"outcome":"continued"`) ||
		answers[1] != `response {"batchItemFailures":[{"itemIdentifier":"foreign"},`+
			`{"itemIdentifier":"torn"}]}` || !strings.HasPrefix(answers[2], "error ") {
		t.Errorf("%q", answers)
	}
}

// TestCheck holds a configuration against the policy and what the executors take.
func TestCheck(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	if e := l.run(
		"",
		"check",
	); e.code != 0 ||
		!strings.Contains(e.stdout, "ensure-network-interface") {
		t.Errorf("exit %d: %s\n%s", e.code, e.stdout, e.stderr)
	}
	l.policy = l.file("narrow.yaml", strings.Replace(labPolicy, `subnets: ["*"]`,
		"subnets: ["+ec2sim.LabSubnetC+"]", 1))
	e := l.run("", "check")
	if e.code != 3 || !strings.Contains(e.stdout, "unattended.subnets") {
		t.Errorf("exit %d: %s\n%s", e.code, e.stdout, e.stderr)
	}
	// And the gate refuses what check foresees.
	if e := l.handle(l.event(0), lifecycle.GaveUp); !strings.Contains(e.Reason, "unattended.subnets") {
		t.Errorf("%s", e.stdout)
	}
}

// TestCheckForeseesTheEnds: check tells that no hook could be told, and that nothing could be
// undone.
func TestCheckForeseesTheEnds(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for _, edit := range [][3]string{
		{`["*"]`, "[ensure-network-interface, ensure-tags]", "complete-lifecycle-action"},
		{"allowIrreversible: true", "allowIrreversible: false", "allowIrreversible"},
		{"allowUndo: true", "allowUndo: false", "allowUndo"},
	} {
		l.policy = l.file("narrow.yaml", strings.Replace(labPolicy, edit[0], edit[1], 1))
		if e := l.run("", "check"); e.code != 3 || !strings.Contains(e.stdout, edit[2]) {
			t.Errorf("%s: exit %d: %s\n%s", edit[1], e.code, e.stdout, e.stderr)
		}
	}
}

// TestSeveralHooks: a handler that answers any hook ends the wait at each.
func TestSeveralHooks(t *testing.T) {
	t.Parallel()
	l := newLab(t, "    hooks: {launch: edge-launch, terminate: edge-terminate}\n", "")
	l.region().EditScalingGroup(groupName, func(g *ec2sim.ScalingGroup) {
		g.Hooks = append(g.Hooks,
			ec2sim.ScalingHook{Name: "b-launch", Transition: ec2sim.Launching, HeartbeatSeconds: 600},
			ec2sim.ScalingHook{Name: "b-end", Transition: ec2sim.Terminating, HeartbeatSeconds: 600})
		g.DesiredCapacity = 2
	})
	second := l.member(1).InstanceID
	both := func(want lifecycle.Outcome) {
		m := l.member(1)
		if len(m.Actions) != 2 {
			t.Fatalf("%+v", m)
		}
		event := l.event(1)
		for _, a := range m.Actions {
			l.handle(strings.NewReplacer(m.Actions[0].Token, a.Token, m.Actions[0].Hook, a.Hook).Replace(
				event), want)
		}
	}
	both(lifecycle.WentOn)
	if m := l.member(1); m.State != "InService" {
		t.Errorf("%+v", m)
	}
	l.scaleIn()
	both(lifecycle.Cleared)
	for _, m := range l.region().ScalingGroup(groupName).Instances {
		if m.InstanceID == second {
			t.Errorf("%+v", m)
		}
	}
}

// notRun are the examples that a test of the help can't run, by how they begin, with the reason.
var notRun = map[string]string{
	"lifecycled watch ": "goes on until it is stopped; TestWatch does",
}

// TestHelpExamplesRun runs the examples of each command's help as they stand, in a lab of their
// own.
func TestHelpExamplesRun(t *testing.T) {
	t.Parallel()
	p := &program.Program{Now: time.Now, Registry: providers.Registry()}
	var lines []string
	for _, c := range append(p.Commands().Commands(), p.Commands()) {
		for line := range strings.Lines(c.Example) {
			if line = strings.TrimSpace(line); !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	ran := 0
	for _, line := range lines {
		if beginsWith(notRun, line) {
			continue
		}
		ran++
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.file("event.json", l.event(0))
			cmd := l.command("")
			cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c",
				`PATH="` + filepath.Dir(cmd.Path) + `:$PATH"; ` + line}
			cmd.Dir = l.dir
			if e := l.wait(cmd); e.code != 0 {
				t.Errorf("exit code %d: %s%s", e.code, e.stdout, e.stderr)
			}
		})
	}
	if ran < 8 {
		t.Errorf("only %d examples were run: %q", ran, lines)
	}
}

// beginsWith reports whether a line begins with a key.
func beginsWith(of map[string]string, line string) bool {
	for begins := range of {
		if strings.HasPrefix(line, begins) {
			return true
		}
	}
	return false
}

// group is what the program prints of the group.
type group struct {
	Primary *struct {
		Instance  string
		Confirmed bool
	}
	Members []struct{ Instance, Address, State string }
}

func (l *lab) members() (g group) {
	l.Helper()
	e := l.run("", "members", "edge")
	if err := json.Unmarshal([]byte(e.stdout), &g); err != nil {
		l.Fatalf("%v: %s\n%s", err, e.stdout, e.stderr)
	}
	return g
}

// onlyProtected holds that scale-in spares one instance, and no other.
func (l *lab) onlyProtected(instance string) {
	l.Helper()
	for _, m := range l.region().ScalingGroup(groupName).Instances {
		if m.Protected != (m.InstanceID == instance) {
			l.Errorf("%+v, and %s is to be protected", m, instance)
		}
	}
}

// TestMembers: two that are launched at once are members, and one of them is the primary until it
// goes.
func TestMembers(t *testing.T) {
	t.Parallel()
	l := newLab(t, "    patience: 3s", "    patience: 3s\n    members: {deviceIndex: 1}\n"+
		"    protection: primary")
	l.region().EditScalingGroup(groupName, func(g *ec2sim.ScalingGroup) { g.DesiredCapacity = 2 })
	var wait sync.WaitGroup
	for i := range 2 {
		cmd := l.command(l.event(i), "handle")
		wait.Go(func() {
			if e := l.wait(cmd); e.Outcome != lifecycle.WentOn {
				t.Errorf("%s\n%s", e.stdout, e.stderr)
			}
		})
	}
	wait.Wait()
	g := l.members()
	if g.Primary == nil || !g.Primary.Confirmed || len(g.Members) != 2 ||
		g.Members[0].State != "ready" || g.Members[0].Address == g.Members[1].Address {
		t.Fatalf("%+v", g)
	}
	l.onlyProtected(g.Primary.Instance)
	l.scaleIn()
	for i := range 2 {
		if m := l.member(i); m.State == "Terminating:Wait" {
			l.handle(l.event(i), lifecycle.Cleared)
			break
		}
	}
	if g := l.members(); len(g.Members) != 1 || g.Primary == nil || !g.Primary.Confirmed {
		t.Errorf("%+v", g)
	}
}
