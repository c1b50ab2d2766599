package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"

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

// control calls a control path of the provider: control METHOD PATH JSON.
func control(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: control METHOD PATH JSON")
	}
	w := httptest.NewRecorder()
	of(ts).sim.ServeHTTP(w, httptest.NewRequest(args[0], "/_sim/"+args[1],
		bytes.NewBufferString(args[2])))
	if w.Code >= http.StatusMultipleChoices {
		ts.Fatalf("%d: %s", w.Code, w.Body)
	}
}

// deleted waits until as many messages were deleted of the provider's queues: deleted N.
func deleted(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: deleted N")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	sim, more := of(ts).sim, make(chan struct{}, 1)
	defer sim.OnCall(func(c ec2sim.Call) ec2sim.Verdict {
		select {
		case more <- struct{}{}:
		default:
		}
		return ec2sim.Proceed
	})()
	for deletions(sim.Calls()) < want {
		<-more
	}
}

// deletions counts the messages that calls deleted, those among them that were sent twice once.
func deletions(calls []ec2sim.Call) int {
	seen := map[string]bool{}
	for _, c := range calls {
		for name, receipt := range c.Params {
			if c.Operation == "DeleteMessageBatch" && c.Effect && strings.HasSuffix(name, "ReceiptHandle") {
				seen[receipt] = true
			}
		}
	}
	return len(seen)
}

// called waits until the provider has refused a call with a code, and is called again: whoever
// called has told of the refusal then. Usage: called OPERATION CODE.
func called(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: called OPERATION CODE")
	}
	sim, more := of(ts).sim, make(chan struct{}, 1)
	defer sim.OnCall(func(ec2sim.Call) ec2sim.Verdict {
		select {
		case more <- struct{}{}:
		default:
		}
		return ec2sim.Proceed
	})()
	again := func() bool {
		refused := false
		for _, c := range sim.Calls() {
			if c.Operation != args[0] {
				continue
			}
			if refused {
				return true
			}
			refused = c.Code == args[1]
		}
		return false
	}
	for !again() {
		<-more
	}
}
