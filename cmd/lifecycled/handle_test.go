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
	e := l.handle(launch, lifecycle.WentOn)
	if e.code != 0 {
		t.Errorf("exit %d", e.code)
	}
	l.want(2, "InService")
	l.scaleIn()
	l.handle(l.event(0), lifecycle.Cleared)
	l.want(0)
}
