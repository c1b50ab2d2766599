package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

// TestCaseGatePlugin4: the executor's state directory is removed between intent and result. The
// result says that the prior facts are kept nowhere else, and the journal's facts undo the action.
func TestCaseGatePlugin4(t *testing.T) {
	s := newSite(t)
	s.plans(1)
	before := s.sim.State()
	removed := 0
	remove := s.sim.OnCall(func(call ec2sim.Call) ec2sim.Verdict {
		if call.Operation == "AssignPrivateIpAddresses" && !call.DryRun {
			removed++
			if err := os.RemoveAll(s.path("state")); err != nil {
				t.Error(err)
			}
		}
		return ec2sim.Proceed
	})
	code, out, said := s.run("execute", "1")
	remove()
	if code != 0 || removed == 0 || !strings.Contains(out, "keep the result") {
		t.Errorf("exit %d, removed %d times; it does not warn:\n%s%s", code, removed, out, said)
	}
	var row struct{ Observed map[string]string }
	if err := json.Unmarshal([]byte(s.must("show", "1", "-o", "json")), &row); err != nil {
		t.Fatal(err)
	}
	if row.Observed["priorFactsKept"] != "false" || row.Observed["priorAssigned"] != "false" {
		t.Errorf("the journal has %v", row.Observed)
	}
	s.must("rollback", "1")
	if diff := cmp.Diff(before, s.sim.State()); diff != "" {
		t.Errorf("not as before (-before +now):\n%s", diff)
	}
}
