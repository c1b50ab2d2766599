package gate_test

import (
	"context"
	"errors"
	"testing"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/protocol"
)

// counting is a store of which one call fails. It counts the calls.
type counting struct {
	gate.Store
	rig *rig
	// calls are those so far, and fails is the one that does, from 1.
	calls, fails int
	// method is the one that failed, and ran is how many requests there were by then.
	method string
	ran    int
	// claimed reports whether a claim was written.
	claimed bool
}

func (c *counting) call(method string) error {
	if c.calls++; c.calls != c.fails {
		return nil
	}
	c.method, c.ran = method, len(c.rig.requests)
	return errDisk
}

func (c *counting) Get(ctx context.Context, id int64) (gate.Action, error) {
	if err := c.call("Get"); err != nil {
		return gate.Action{}, err
	}
	return c.Store.Get(ctx, id)
}

func (c *counting) Find(ctx context.Context, key string) (gate.Action, error) {
	if err := c.call("Find"); err != nil {
		return gate.Action{}, err
	}
	return c.Store.Find(ctx, key)
}

func (c *counting) List(ctx context.Context, q gate.Query) ([]gate.Action, error) {
	if err := c.call("List"); err != nil {
		return nil, err
	}
	return c.Store.List(ctx, q)
}

func (c *counting) History(ctx context.Context, id int64) ([]gate.Event, error) {
	if c.claimed {
		// Which plugin was approved is only told then, as well as can be.
		return c.Store.History(ctx, id)
	}
	if err := c.call("History"); err != nil {
		return nil, err
	}
	return c.Store.History(ctx, id)
}

func (c *counting) Apply(ctx context.Context, changes ...gate.Change) ([]gate.Action, error) {
	if err := c.call("Apply"); err != nil {
		return nil, err
	}
	kind := changes[0].Event.Kind
	c.claimed = c.claimed || kind == gate.EventClaimed || kind == gate.EventTakenUp
	return c.Store.Apply(ctx, changes...)
}

func (c *counting) ApplyEach(
	ctx context.Context, n int, change func(int) gate.Change, made func(int, gate.Action),
) error {
	if err := c.call("Apply"); err != nil {
		return err
	}
	return c.Store.ApplyEach(ctx, n, change, made)
}

func (c *counting) Note(ctx context.Context, events ...gate.Event) error {
	if err := c.call("Note"); err != nil {
		return err
	}
	return c.Store.Note(ctx, events...)
}

func (c *counting) Events(ctx context.Context, q gate.EventQuery) ([]gate.Event, error) {
	if q.Limit == 1 && q.Newest {
		// The order of runs: what the log does not tell of it keeps nothing from being undone.
		return c.Store.Events(ctx, q)
	}
	if err := c.call("Events"); err != nil {
		return nil, err
	}
	return c.Store.Events(ctx, q)
}

// TestEveryCallOfTheStoreIsNeeded: whichever call of the store fails, the operation's error is
// that failure, and nothing runs after it.
func TestEveryCallOfTheStoreIsNeeded(t *testing.T) {
	ctx := context.Background()
	last := func(_ []gate.Outcome, err error) error { return err }
	on, yes := gate.Options{KeepGoing: true}, gate.Approving{By: "bob"}
	const approved, executed, held, stale = "approved", "executed", "another's", "another's, stale"
	rows := map[string]func(r *rig) int64{
		approved: func(r *rig) int64 { return r.approved("k")[0] },
		executed: func(r *rig) int64 { return r.executed("k")[0] },
		held: func(r *rig) int64 {
			id := r.approved("k")[0]
			r.claimed(id)
			return id
		},
		stale: func(r *rig) int64 {
			id := r.approved("k")[0]
			r.claimed(id)
			r.seen(id)
			return id
		},
	}
	for name, c := range map[string]struct {
		operate func(r *rig, id int64) error
		of      []string
	}{
		"approve": {func(r *rig, id int64) error {
			return last(r.ApproveWith(ctx, []int64{id}, yes))
		}, []string{approved, stale}},
		"reject": {func(r *rig, id int64) error {
			return last(r.Reject(ctx, []int64{id}, gate.Rejecting{By: "bob", Reason: "no"}))
		}, []string{approved, stale}},
		"execute": {func(r *rig, id int64) error { return last(r.execute(id)) },
			[]string{approved, stale}},
		"execute on": {func(r *rig, id int64) error {
			return last(r.Execute(ctx, []int64{id}, on))
		}, []string{approved, executed}},
		"dry-run": {func(r *rig, id int64) error {
			return last(r.DryRun(ctx, []int64{id}, on))
		}, []string{approved}},
		"rollback": {func(r *rig, id int64) error {
			return last(r.Rollback(ctx, []int64{id}, gate.Options{}))
		}, []string{executed, stale, approved}},
		"rollback on": {func(r *rig, id int64) error {
			return last(r.Rollback(ctx, []int64{id}, on))
		}, []string{executed}},
		"rollback dry-run": {func(r *rig, id int64) error {
			return last(r.RollbackDryRun(ctx, []int64{id}, on))
		}, []string{executed, held}},
		"undo": {func(r *rig, id int64) error {
			_, err := r.UndoRequests(ctx, []int64{id}, protocol.Execute)
			return err
		}, []string{executed, held}},
		"in force": {func(r *rig, _ int64) error {
			_, _, err := r.InForce(ctx, gate.Query{})
			return err
		}, []string{executed, held}},
		"all approved": {func(r *rig, _ int64) error {
			_, _, err := r.AllApproved(ctx, gate.Query{})
			return err
		}, []string{approved}},
		"break claim": {func(r *rig, id int64) error {
			return last(r.BreakClaim(ctx, []int64{id}))
		}, []string{held}},
	} {
		for _, row := range c.of {
			t.Run(name+" of "+row, func(t *testing.T) {
				for n := 1; ; n++ {
					r := newRig(t, lab)
					id := rows[row](r)
					store := &counting{Store: r.Store, rig: r, fails: n}
					r.Store = store
					err := c.operate(r, id)
					if store.calls < n {
						var refused *gate.Refusal
						if err != nil && !errors.As(err, &refused) || n == 1 {
							t.Errorf("without a failure after %d calls: %v", n-1, err)
						}
						return
					}
					if !errors.Is(err, errDisk) {
						t.Errorf("call %d, %s: %v", n, store.method, err)
					}
					if len(r.requests) != store.ran {
						t.Errorf("call %d, %s: it ran all the same", n, store.method)
					}
				}
			})
		}
	}
}
