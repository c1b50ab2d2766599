package gate_test

import (
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/gate"
)

// TestCaseGateClocks3: what was imported by a clock ten minutes ahead is neither approved nor
// executed, with both times named. A few minutes are let pass, and an import by the right clock
// puts it right.
func TestCaseGateClocks3(t *testing.T) {
	r := newRig(t, lab+"  maxDecisionWait: 1m\n")
	start := r.now
	r.now = start.Add(10 * time.Minute)
	id := r.imported("k")[0]
	r.all(r.Approve(t.Context(), []int64{id}, "ann", ""))(gate.Done)
	r.now = start
	o := r.all(r.Approve(t.Context(), []int64{id}, "bob", ""))(gate.Refused)[0]
	for _, want := range []string{"maxDecisionWait: it was imported at 2026-03-03T12:10:00Z",
		"it is 2026-03-03T12:00:00Z by this clock", "set it right, and import it again"} {
		if !strings.Contains(o.Message, want) {
			t.Errorf("%q does not say %q", o.Message, want)
		}
	}
	o = r.all(r.execute(id))(gate.Refused)[0]
	if !strings.Contains(o.Message, "1 from the future (2026-03-03T12:10:00Z") {
		t.Errorf("the approval that does not count is not told: %q", o.Message)
	}
	if len(r.requests) > 0 {
		t.Errorf("the executor was asked: %v", r.requests)
	}
	r.all(r.Import(t.Context(), []gate.Plan{plan("k")}, "test", true))(gate.Done)
	r.all(r.Approve(t.Context(), []int64{id}, "ann", ""))(gate.Done)
	r.all(r.execute(id))(gate.Done)
	r.now = start.Add(4 * time.Minute)
	other := r.imported("l")[0]
	r.now = start
	r.all(r.Approve(t.Context(), []int64{other}, "ann", ""))(gate.Done)
	r.all(r.execute(other))(gate.Done)
	r.verified()
}
