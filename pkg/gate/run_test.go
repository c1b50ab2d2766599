package gate_test

import (
	"strings"
	"testing"

	"aws-provider-executor/pkg/gate"
)

// TestOnlyItsRunExecutes: what a run imported is executed by its process alone, whatever is known
// of that one here. Once it has certainly ended nobody approves or executes it. An import puts that
// right.
func TestOnlyItsRunExecutes(t *testing.T) {
	another := gate.Process{Host: "there", Boot: "b9", PID: 8, Start: "1"}
	for _, c := range []struct {
		name             string
		by               gate.Process
		life             gate.Life
		approve, execute gate.Verdict
		left             int
	}{
		{"its own", gate.Process{Host: "here", Boot: "b1", PID: 7, Start: "1"}, gate.Lives,
			gate.Done, gate.Done, 0},
		{"another that lives", gate.Process{Host: "here", Boot: "b1", PID: 8, Start: "1"}, gate.Lives,
			gate.Done, gate.Refused, 0},
		{"of another machine", another, gate.LifeUnknown, gate.Done, gate.Refused, 0},
		{"that has ended", gate.Process{Host: "here", Boot: "b1", PID: 8, Start: "1"}, gate.Ended,
			gate.Refused, gate.Refused, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, lab)
			own := r.machine.self
			r.machine.lives = map[int]gate.Life{8: c.life}
			r.machine.self = c.by
			plans := []gate.Plan{plan("teardown/x")}
			id := r.all(r.ImportForRun(t.Context(), plans, "lab teardown"))(gate.Done)[0].Action.ID
			r.machine.self = own
			r.all(r.Approve(t.Context(), []int64{id}, "ann", ""))(c.approve)
			r.all(r.execute(id))(c.execute)
			if c.execute == gate.Refused && len(r.requests) > 0 {
				t.Errorf("the executor was asked: %v", r.requests)
			}
			other := r.imported("teardown/y")[0]
			left, err := r.RejectLeft(t.Context(), gate.Query{Keys: []string{"teardown/*"}})
			if err != nil || len(left) != c.left {
				t.Errorf("left behind: %v, %v", left, err)
			}
			if c.left > 0 {
				if a := r.get(id); a.Status != gate.Rejected ||
					!strings.Contains(a.Error, "its process was killed") {
					t.Errorf("it is %s: %s", a.Status, a.Error)
				}
			}
			if a := r.get(other); a.Status != gate.Pending {
				t.Errorf("what no run imported is %s", a.Status)
			}
			if c.execute == gate.Done {
				return
			}
			r.all(r.Import(t.Context(), plans, "by hand", true))(gate.Done)
			r.all(r.Approve(t.Context(), []int64{id}, "ann", ""))(gate.Done)
			r.all(r.execute(id))(gate.Done)
			r.verified()
		})
	}
}

// TestAnEndedRunIsFoundOutAbout: what a run that has ended may have changed is sent again, and
// rolled back.
func TestAnEndedRunIsFoundOutAbout(t *testing.T) {
	r := newRig(t, lab)
	ids := r.all(r.ImportForRun(t.Context(), []gate.Plan{plan("a")}, "requests.yaml"))(gate.Done)
	id := ids[0].Action.ID
	r.all(r.Approve(t.Context(), []int64{id}, "ann", ""))(gate.Done)
	r.answers(errLost)
	r.all(r.execute(id))(gate.Unsuccessful)
	r.machine.lives = map[int]gate.Life{7: gate.Ended}
	r.machine.self = gate.Process{Host: "here", Boot: "b1", PID: 9, Start: "2"}
	if left, err := r.RejectLeft(t.Context(), gate.Query{}); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	r.answer = nil
	r.all(r.execute(id))(gate.Done)
	r.all(r.Rollback(t.Context(), []int64{id}, gate.Options{}))(gate.Done)
	r.verified()
}
