package main

import (
	"testing"

	"aws-provider-executor/pkg/lifecycle"
)

// TestLaunchAndTerminate is the whole life of an instance.
func TestLaunchAndTerminate(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	launch := l.event(0)
	l.sim.ForgetCalls()
	e := l.handle(launch, lifecycle.WentOn)
	if e.code != 0 {
		t.Errorf("exit %d", e.code)
	}
	// Two interfaces, of which one has two attributes that EC2 does not give by itself.
	calls := map[string]int{}
	for _, c := range l.sim.Calls() {
		calls[c.Operation]++
	}
	if n := calls["DescribeInstances"] + calls["DescribeNetworkInterfaces"] +
		calls["CreateNetworkInterface"] + calls["AttachNetworkInterface"] +
		calls["ModifyNetworkInterfaceAttribute"]; n > 13 {
		t.Errorf("%d calls for two interfaces, want 13 at most: %v", n, calls)
	}
	l.want(2, "InService")
	l.scaleIn()
	l.handle(l.event(0), lifecycle.Cleared)
	l.want(0)
}
