package main

import (
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// agents holds what the calls since the last time said of who calls.
func agents(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: agents TEXT|none")
	}
	sim := of(ts).sim
	all := sim.Calls()
	if len(all) == 0 {
		ts.Fatalf("there were no calls")
	}
	for _, c := range all {
		switch has := strings.Contains(c.UserAgent, "traceparent/"); {
		case args[0] == "none" && has,
			args[0] != "none" && !strings.Contains(c.UserAgent, " traceparent/"+args[0]):
			ts.Fatalf("%s has the user agent %q", c.Operation, c.UserAgent)
		}
	}
	sim.ForgetCalls()
}
