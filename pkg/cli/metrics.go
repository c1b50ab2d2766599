package cli

import (
	"cmp"
	"context"
	"time"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/metrics"
	plugins "aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/trace"
)

// programName is what this program is called in metrics and logs.
const programName = "actionctl"

// noResult is told in the place of a failure class where an executor gave no result.
const noResult = "no-result"

// refused is the status of what the gate did not let through.
const refused = "refused"

// observe begins to count and to log, and returns a context whose calls to the provider are counted
// and name the trace. The log is JSON lines beside what is told to people, by the levels and with
// the fields of the executor's.
func (a *app) observe(ctx context.Context) context.Context {
	settings, _ := plugins.Parse(a.env)
	log := plugins.NewLog(a.stderr, settings.LogLevel).With("program", programName)
	a.metrics = metrics.New(programName, a.Version)
	ctx = plugins.Trace(metrics.NewContext(ctx, a.metrics), log, a.env[trace.Variable])
	a.log = plugins.Traced(ctx, log)
	return ctx
}

// ran counts and logs what running a request came to.
func (a *app) ran(r protocol.Request, result protocol.Result, err error, took time.Duration) {
	status := result.Status
	done := metrics.Operation{
		Verb: a.verbOf(r.Action), Mode: string(r.Mode), Status: string(status.Status),
		FailureClass: status.Observed[protocol.FactFailureClass], Took: took,
	}
	line := []any{"verb", done.Verb, "mode", done.Mode, "key", r.IdempotencyKey}
	if err != nil {
		done.Status, done.FailureClass = string(protocol.Failed), noResult
		line = append(line, "error", err)
	}
	a.metrics.Operation(done)
	a.log.Info("answered", append(line, "status", done.Status, "failureClass", done.FailureClass,
		"changed", status.Observed[protocol.FactChanged], "millis", took.Milliseconds())...)
}

// countRefused counts and logs the outcomes that never reached an executor.
func (a *app) countRefused(outcomes []gate.Outcome, dryRun bool) {
	mode := protocol.Execute
	if dryRun {
		mode = protocol.DryRun
	}
	for _, o := range outcomes {
		if o.Verdict != gate.Refused || o.Result != nil {
			continue
		}
		done := metrics.Operation{
			Verb: a.verbOf(o.Action.Plan.Action), Mode: string(mode), Status: refused,
			FailureClass: string(protocol.Denied),
		}
		a.metrics.Operation(done)
		a.log.Info("answered", "verb", done.Verb, "mode", done.Mode,
			"key", o.Action.IdempotencyKey, "status", done.Status, "failureClass", done.FailureClass)
	}
}

// verbOf is a verb of ours, or a word for one that somebody made up.
func (a *app) verbOf(action string) string {
	v, _ := a.Registry.Lookup(action)
	return cmp.Or(v.Name, "unknown")
}
