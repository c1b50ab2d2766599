package gate

import (
	"context"
	"errors"
	"strconv"

	"aws-provider-executor/pkg/policy"
)

// ImportForRun is Import with requeue, for a run that this process makes: only this process
// executes the actions. Once it has ended, what it left untouched is neither approved nor executed
// until its plan is imported again.
func (g *Gate) ImportForRun(ctx context.Context, plans []Plan, source string) ([]Outcome, error) {
	run := g.Machine.Self()
	im := g.Importing(PlansOf(plans), source, true)
	im.run = &run
	return im.all(ctx)
}

// RejectLeft rejects the actions that a query selects and that a run left behind which has ended.
func (g *Gate) RejectLeft(ctx context.Context, q Query) ([]Outcome, error) {
	q.Statuses = []Status{Pending, Approved}
	all, err := g.Store.List(ctx, q)
	if err != nil {
		return nil, err
	}
	var left []int64
	for _, a := range all {
		events, err := g.Store.History(ctx, a.ID)
		if errors.Is(err, ErrAltered) {
			// Nobody knows what it is; it can't be executed either.
			continue
		}
		if err != nil {
			return nil, err
		}
		if run := runOf(events); run != nil && g.Machine.Life(*run) == Ended && !a.MayHaveChanged {
			left = append(left, a.ID)
		}
	}
	return g.Reject(ctx, left, Rejecting{By: g.Actor, Reason: "the run that it was part of ended " +
		"without a word: its process was killed"})
}

// data is a process as events keep it.
func (p Process) data() map[string]any {
	return map[string]any{
		"host": p.Host, "machine": p.Machine, "boot": p.Boot, "namespace": p.Namespace,
		"pid": strconv.Itoa(p.PID), "start": p.Start,
	}
}

// runOf is the process whose run an action is part of, by the log since its last import. It is nil
// if the action is part of none.
func runOf(events []Event) *Process {
	for _, e := range events {
		data, ok := e.Data["run"].(map[string]any)
		if !ok {
			continue
		}
		text := func(name string) string { s, _ := data[name].(string); return s }
		// A number that can't be read is one that no process has: then nothing is known of it.
		pid, _ := strconv.Atoi(text("pid"))
		return &Process{
			Host: text("host"), Machine: text("machine"), Boot: text("boot"),
			Namespace: text("namespace"), PID: pid, Start: text("start"),
		}
	}
	return nil
}

// ended refuses what a run left untouched that has ended.
func (g *Gate) ended(a Action, run *Process) policy.Denial {
	if run == nil || a.MayHaveChanged || g.Machine.Life(*run) != Ended {
		return nil
	}
	return against("run", "it was part of the run of %s, which has ended; import its plan again "+
		"with --requeue if it is still meant", *run)
}

// anothers refuses what is part of another process's run.
func (g *Gate) anothers(a Action, run *Process) policy.Denial {
	if run == nil || a.MayHaveChanged || g.Machine.Life(*run) == Ended || *run == g.Machine.Self() {
		return nil
	}
	return against("run", "it is part of the run of %s, which alone executes it", *run)
}
