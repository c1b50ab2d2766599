package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/lifecycle"
)

// point is a call of a run at which the program is killed.
type point struct {
	number int
	phase  ec2sim.Phase
}

func (p point) String() string {
	return fmt.Sprintf("%d-%s", p.number,
		map[ec2sim.Phase]string{ec2sim.BeforeEffect: "before", ec2sim.AfterEffect: "after"}[p.phase])
}

// killedAt runs the program on an event, and kills it at a call. It reports whether it was.
func (l *lab) killedAt(event string, at point) (killed bool) {
	l.Helper()
	cmd := l.command(event, "handle")
	ended := make(chan struct{})
	var mu sync.Mutex
	var seen int
	remove := l.sim.OnCall(func(c ec2sim.Call) ec2sim.Verdict {
		mu.Lock()
		if c.Phase == at.phase {
			seen++
		}
		dies := c.Phase == at.phase && seen == at.number
		killed = killed || dies
		dead := killed
		mu.Unlock()
		switch {
		case dies:
			// The executors end with the program.
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
			return ec2sim.Abandon
		case dead:
			return ec2sim.Abandon
		}
		return ec2sim.Proceed
	})
	defer remove()
	if err := cmd.Start(); err != nil {
		l.Fatal(err)
	}
	_ = cmd.Wait()
	close(ended)
	mu.Lock()
	defer mu.Unlock()
	return killed
}

// points are the calls of a run that went well, before and after what each does. Those that change
// nothing are left out, unless KILLS is all.
func points(calls []ec2sim.Call) (all []point) {
	for i, c := range calls {
		if c.Change || os.Getenv("KILLS") == "all" {
			all = append(all, point{i + 1, ec2sim.BeforeEffect}, point{i + 1, ec2sim.AfterEffect})
		}
	}
	return all
}

// again handles an event until it was handled, as a queue gives it out.
func (l *lab) again(event string, want lifecycle.Outcome) {
	l.Helper()
	var e ended
	for range 3 {
		if e = l.run(event, "handle"); e.Handled() {
			break
		}
	}
	if e.Outcome != want || len(e.Left) > 0 {
		l.Errorf("exit %d, %q, want %q\n%s\n%s", e.code, e.Outcome, want, e.stdout, e.stderr)
	}
}

// TestL15KilledLaunch: a launch that is killed before or after any call ends as one that is not,
// and nothing is orphaned.
func TestL15KilledLaunch(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.sim.ForgetCalls()
	l.handle(l.event(0), lifecycle.WentOn)
	all := points(l.sim.Calls())
	if len(all) < 16 {
		t.Fatalf("%d points", len(all))
	}
	for _, at := range all {
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			event := l.event(0)
			if !l.killedAt(event, at) {
				t.Fatal("it was not killed")
			}
			l.again(event, lifecycle.WentOn)
			l.want(2, "InService")
			l.scaleIn()
			l.handle(l.event(0), lifecycle.Cleared)
			l.want(0)
		})
	}
}

// TestL16KilledTerminate: a terminate that is killed before or after any call ends as one that is
// not, and nothing is left.
func TestL16KilledTerminate(t *testing.T) {
	t.Parallel()
	launched := func(t *testing.T) (*lab, string) {
		l := newLab(t)
		l.handle(l.event(0), lifecycle.WentOn)
		l.scaleIn()
		return l, l.event(0)
	}
	l, event := launched(t)
	l.sim.ForgetCalls()
	l.handle(event, lifecycle.Cleared)
	all := points(l.sim.Calls())
	if len(all) < 12 {
		t.Fatalf("%d points", len(all))
	}
	for _, at := range all {
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			l, event := launched(t)
			if !l.killedAt(event, at) {
				t.Fatal("it was not killed")
			}
			l.again(event, lifecycle.Cleared)
			l.want(0)
		})
	}
}

// TestKilledAbandon: a launch that can't be finished and is killed while it is undone ends undone.
func TestKilledAbandon(t *testing.T) {
	t.Parallel()
	// The second interface has a group of another network.
	broken := []string{"    - deviceIndex: 2\n      subnets: {ap-northeast-1a: " + ec2sim.LabSubnetA +
		"}\n      securityGroups: [" + ec2sim.LabGroupWeb + "]",
		"    - deviceIndex: 2\n      subnets: {ap-northeast-1a: " + ec2sim.LabSubnetA +
			"}\n      securityGroups: [" + ec2sim.LabOtherGroup + "]"}
	l := newLab(t, broken...)
	l.sim.ForgetCalls()
	e := l.handle(l.event(0), lifecycle.GaveUp)
	if e.code != 1 || !strings.Contains(e.Reason, "interface:2") {
		t.Errorf("exit %d: %s", e.code, e.Reason)
	}
	all := points(l.sim.Calls())
	for _, at := range all {
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			l := newLab(t, broken...)
			event := l.event(0)
			if !l.killedAt(event, at) {
				t.Fatal("it was not killed")
			}
			l.again(event, lifecycle.GaveUp)
			if got := l.made(); len(got) != 0 {
				t.Errorf("left: %v", got)
			}
		})
	}
}
