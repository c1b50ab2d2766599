package main

import (
	"encoding/json"

	"github.com/rogpeppe/go-internal/testscript"

	"aws-provider-executor/pkg/ec2sim"
)

// load replaces the provider's world by that of a file: load FILE.
func load(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: load FILE")
	}
	w := ts.Value("world").(*world)
	ts.Check(w.sim.Load([]byte(ts.ReadFile(args[0]))))
	w.start = w.sim.State()
}

// fault puts a fault in force, or takes all away: fault JSON, fault.
func fault(ts *testscript.TestScript, neg bool, args []string) {
	w := ts.Value("world").(*world)
	if neg || len(args) > 1 {
		ts.Fatalf("usage: fault [JSON]")
	}
	if len(args) == 0 {
		w.sim.ClearFaults()
		return
	}
	var j ec2sim.FaultJSON
	ts.Check(json.Unmarshal([]byte(args[0]), &j))
	f, err := j.Fault()
	ts.Check(err)
	ts.Check(w.sim.Inject(f))
}
