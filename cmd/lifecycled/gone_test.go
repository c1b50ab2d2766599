package main

import (
	"slices"
	"testing"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/lifecycle"
)

// withAddress is the change of the configuration by which each instance gets an Elastic IP.
var withAddress = []string{"      deleteOnTermination: false\n",
	"      deleteOnTermination: false\n      publicAddress: {pool: amazon}\n"}

// TestKilledLaunchOfAnInstanceThatIsGone: a launch is killed after it made something that outlives
// the instance, which ends before anybody goes on. The launch can't be finished to learn what it
// had made, and yet that is taken back.
func TestKilledLaunchOfAnInstanceThatIsGone(t *testing.T) {
	t.Parallel()
	l := newLab(t, withAddress...)
	addresses := len(l.region().State().Addresses)
	l.sim.ForgetCalls()
	l.handle(l.event(0), lifecycle.WentOn)
	made := []string{"CreateNetworkInterface", "AllocateAddress"}
	tried := 0
	for i, c := range l.sim.Calls() {
		if !slices.Contains(made, c.Operation) {
			continue
		}
		at := point{i + 1, ec2sim.AfterEffect}
		tried++
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			l := newLab(t, withAddress...)
			event := l.event(0)
			if !l.killedAt(event, at) {
				t.Fatal("it was not killed")
			}
			l.killed()
			l.again(event, lifecycle.GaveUp)
			if got := l.made(); len(got) != 0 {
				t.Errorf("left: %v", got)
			}
			if n := len(l.region().State().Addresses); n != addresses {
				t.Errorf("%d Elastic IPs, want %d", n, addresses)
			}
		})
	}
	if tried != 3 {
		t.Errorf("%d points", tried)
	}
}
