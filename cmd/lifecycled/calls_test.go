package main

import (
	"fmt"
	"strings"
	"testing"

	"aws-provider-executor/pkg/lifecycle"
)

// launchCalls is how many calls to EC2 the launch of an instance with three interfaces makes: the
// first one is there, and two are made. Each is read twice before it is made and once after, and
// once more between its attachment and the attributes that are set then.
const launchCalls = 13

// TestLaunchCalls counts the calls to EC2 that give an instance its interfaces.
func TestLaunchCalls(t *testing.T) {
	t.Parallel()
	l := newLab(t, `    tags: {Name: "edge-{instance}"}`, "")
	before := len(l.sim.Calls())
	l.handle(l.event(0), lifecycle.WentOn)
	l.want(2, "InService")
	of := map[string]int{}
	total := 0
	for _, c := range l.sim.Calls()[before:] {
		scaling := strings.Contains(c.Operation, "AutoScaling") ||
			strings.Contains(c.Operation, "Lifecycle")
		if !scaling {
			of[c.Operation]++
			total++
		}
	}
	if total > launchCalls {
		t.Errorf("%d calls, at most %d: %v", total, launchCalls, fmt.Sprint(of))
	}
	t.Logf("%d calls: %v", total, of)
}
