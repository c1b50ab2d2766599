package gate_test

import (
	"context"
	"testing"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/protocol"
)

// TestInterruptedBeforeTheStart: an action whose executor was not started, because the command was
// asked to stop, is not begun. It is as it was, and no failure.
func TestInterruptedBeforeTheStart(t *testing.T) {
	for _, c := range []struct {
		name, spec string
		prepare    func(r *rig, id int64)
		operate    func(r *rig, ctx context.Context, ids []int64) ([]gate.Outcome, error)
		status     gate.Status
	}{
		{"as it is started", lab, func(*rig, int64) {},
			func(r *rig, ctx context.Context, ids []int64) ([]gate.Outcome, error) {
				return r.Execute(ctx, ids, gate.Options{})
			}, gate.Approved},
		{"as it is looked at again", lab + "  requireEvidence: true\n", func(*rig, int64) {},
			func(r *rig, ctx context.Context, ids []int64) ([]gate.Outcome, error) {
				return r.Execute(ctx, ids, gate.Options{})
			}, gate.Approved},
		{"as its rollback is started", lab, func(r *rig, id int64) {
			r.all(r.execute(id))(gate.Done)
		}, func(r *rig, ctx context.Context, ids []int64) ([]gate.Outcome, error) {
			return r.Rollback(ctx, ids, gate.Options{})
		}, gate.Succeeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.spec)
			ids := r.imported("a", "b")
			r.all(r.DryRun(t.Context(), ids, gate.Options{}))(gate.Done, gate.Done)
			r.all(r.Approve(t.Context(), ids, "ann", ""))(gate.Done, gate.Done)
			for _, id := range ids {
				c.prepare(r, id)
			}
			ctx, cancel := context.WithCancel(t.Context())
			r.answer = func(protocol.Request) (protocol.Result, error) {
				cancel()
				return protocol.Result{}, &gate.NotStarted{Cause: ctx.Err()}
			}
			outcomes := r.all(c.operate(r, ctx, ids))(gate.NotReached, gate.NotReached)
			for _, o := range outcomes {
				a := r.get(o.Action.ID)
				if a.Status != c.status || a.Error != "" || a.Claim != nil ||
					o.Message != "not begun: interrupted before it" {
					t.Errorf("%+v, %q", a, o.Message)
				}
			}
			r.verified()
			r.answer = nil
			r.all(c.operate(r, t.Context(), ids))(gate.Done, gate.Done)
		})
	}
}

// TestInterruptedApproval: the one under way is written, and those after it are not begun.
func TestInterruptedApproval(t *testing.T) {
	r := newRig(t, lab)
	ids := r.imported("a", "b")
	ctx, cancel := context.WithCancel(t.Context())
	r.Progress = func(gate.Outcome) { cancel() }
	r.all(r.Approve(ctx, ids, "ann", ""))(gate.Done, gate.NotReached)
	if a, b := r.get(ids[0]).Status, r.get(ids[1]).Status; a != gate.Approved || b != gate.Pending {
		t.Errorf("%s, %s", a, b)
	}
}

// TestRejectionIsOfWhatWasShown: a plan that was replaced since is not rejected.
func TestRejectionIsOfWhatWasShown(t *testing.T) {
	r := newRig(t, lab)
	id := r.imported("a")[0]
	_, shown, err := r.Show(t.Context(), id)
	if err != nil || shown.Digest != r.get(id).Digest() || shown.Seen != "" {
		t.Fatalf("%+v, %v", shown, err)
	}
	other := plan("a")
	other.Target["address"] = "10.88.60.77"
	r.all(r.Import(t.Context(), []gate.Plan{other}, "test", true))(gate.Done)
	no := gate.Rejecting{By: "ann", Reason: "no", Shown: map[int64]gate.Shown{id: shown}}
	r.all(r.Reject(t.Context(), []int64{id}, no))(gate.Refused)
	if got := r.get(id).Status; got != gate.Pending {
		t.Errorf("it is %s", got)
	}
}
