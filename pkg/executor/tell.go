package executor

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/metrics"
	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
)

// trace has all that follows name the caller's trace: log lines, and calls to the provider.
func (r *run) trace(traceparent string) {
	r.times.plan = plugin.Trace(r.times.plan, r.Log, traceparent)
	own := *r.Executor
	own.Log = plugin.Traced(r.times.plan, own.Log)
	r.Executor = &own
}

// unknown is told in place of words that a caller made up.
const unknown = "unknown"

// tell counts and logs an answer. It changes nothing of it, but that it adds what the calls cost,
// when that is asked for.
func (r *run) tell(ctx context.Context, began time.Time, answer *protocol.Result) {
	set, status := metrics.FromContext(ctx), &answer.Status
	mode := string(r.wire.Mode)
	if r.wire.Mode != protocol.DryRun && r.wire.Mode != protocol.Execute {
		mode = unknown
	}
	done := metrics.Operation{
		Verb: cmp.Or(r.verb.Name, unknown), Mode: mode, Status: string(status.Status),
		FailureClass: status.Observed[protocol.FactFailureClass], Took: time.Since(began),
	}
	set.Operation(done)
	if status.Status == protocol.Succeeded && r.overwrites() {
		set.Drift(done.Verb, done.Mode)
	}
	calls, took := set.Calls()
	r.Log.Info("answered", "verb", done.Verb, "mode", done.Mode, "key", r.wire.IdempotencyKey,
		"status", done.Status, "failureClass", done.FailureClass,
		"changed", status.Observed[protocol.FactChanged], "millis", done.Took.Milliseconds(),
		"calls", calls, "callMillis", took.Milliseconds())
	if r.ObserveCalls {
		status.Observed = action.Merge(status.Observed, map[string]string{
			protocol.FactCalls:      strconv.Itoa(calls),
			protocol.FactCallMillis: strconv.FormatInt(took.Milliseconds(), 10),
		})
	}
}

// overwrites reports whether an undo goes over what somebody else brought about.
func (r *run) overwrites() bool {
	return r.plan != nil && slices.ContainsFunc(r.backs(),
		func(b action.Back) bool { return b.Overwrites != "" })
}
