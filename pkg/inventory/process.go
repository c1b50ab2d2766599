package inventory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"aws-provider-executor/pkg/metrics"
	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
)

// Process is the inventory as a program: one request on standard input, one result on standard
// output, a few lines for people on standard error.
type Process struct {
	// Name and Version are what --version prints.
	Name, Version string
	Provider      string
	// Connect opens a region. The budget is the time for all calls together.
	Connect func(
		ctx context.Context, region string, budget time.Duration, log *slog.Logger,
	) (Reader, error)
	// OwnRegion is the region that this program runs in.
	OwnRegion func(ctx context.Context, log *slog.Logger) (string, error)
}

// Main runs the program and returns its exit code, as plugin.Program does.
func (p *Process) Main(
	ctx context.Context,
	args, environ []string,
	stdin io.Reader,
	stdout, stderr io.Writer,
) int {
	return plugin.Program{
		Name: p.Name, Version: p.Version, Usage: p.usage,
		Answer: func(ctx context.Context, call plugin.Call) plugin.Result { return p.run(ctx, call) },
	}.Main(ctx, args, environ, stdin, stdout, stderr)
}

// verb is what an observation is called in metrics and logs.
const verb = "observe-private-ips"

func (p *Process) run(stop context.Context, call plugin.Call) (result Result) {
	began := time.Now()
	defer func() { tell(call, began, result.Failure) }()
	ctx, cancel := context.WithTimeout(stop, call.Timeout-plugin.Margin(call.Timeout))
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			call.Log.Error("panic", "value", fmt.Sprint(v), "stack", string(debug.Stack()))
			result = failed(
				protocol.Refuse(protocol.Internal, "a bug in the inventory stopped it: %v; look at its log", v),
			)
		}
	}()
	if refusal := plugin.Refuse(call.Faults); refusal != nil {
		return failed(refusal)
	}
	req, wrong, ended := plugin.Decode(ctx,
		func() (Request, protocol.Faults) { return Decode(call.Request, p.Provider) })
	switch {
	case !ended && stop.Err() != nil:
		return failed(stopped())
	case len(wrong) > 0:
		return failed(&protocol.Failure{Class: protocol.InvalidRequest, Message: wrong.Error()})
	}
	ctx = plugin.Trace(ctx, call.Log, req.Traceparent)
	call.Log = plugin.Traced(ctx, call.Log)
	o, err := p.observe(ctx, req, call.Timeout, call.Log)
	switch {
	case err == nil:
		return Result{Observation: o, ProviderRef: req.ProviderRef}
	case stop.Err() != nil:
		return failed(stopped())
	}
	return failed(err)
}

func (p *Process) observe(
	ctx context.Context,
	req Request,
	budget time.Duration,
	log *slog.Logger,
) (*Observation, error) {
	region := req.Region
	if region == "" {
		var err error
		if region, err = p.OwnRegion(ctx, log); err != nil {
			return nil, protocol.Refuse(
				protocol.Unavailable,
				"cannot tell the region: the instance metadata service does not say it (%s); name it in "+
					"target.region",
				strings.Join(strings.Fields(err.Error()), " "),
			)
		}
	}
	r, err := p.Connect(ctx, region, budget, log)
	if err != nil {
		return nil, err
	}
	return Observe(ctx, r, req)
}

// tell counts and logs an answer.
func tell(call plugin.Call, began time.Time, failure *protocol.Failure) {
	done := metrics.Operation{
		Verb: verb, Mode: "read", Status: string(protocol.Succeeded), Took: time.Since(began),
	}
	if failure != nil {
		done.Status, done.FailureClass = string(protocol.Failed), string(failure.Class)
	}
	call.Metrics.Operation(done)
	calls, took := call.Metrics.Calls()
	call.Log.Info("answered", "verb", done.Verb, "mode", done.Mode, "status", done.Status,
		"failureClass", done.FailureClass, "millis", done.Took.Milliseconds(), "calls", calls,
		"callMillis", took.Milliseconds())
}

func stopped() error {
	return protocol.Refuse(protocol.Timeout, "a signal stopped the inventory before all was read")
}

func failed(err error) Result {
	var f *protocol.Failure
	if !errors.As(err, &f) {
		f = protocol.Refuse(protocol.Internal, "a bug in the inventory stopped it: %v", err)
	}
	return Result{Failure: f}
}

// usage is what a person is told who starts the program by hand.
func (p *Process) usage() string {
	return fmt.Sprintf(`%s reads one %s (JSON) on
standard input and writes one %s on standard output. It
only reads.

Usage:
  %[1]s < request.json
  %[1]s --version, --help

Permissions:
%[4]s
Environment, beside the AWS SDK's own:
  EXECUTOR_TIMEOUT      the answer is written within this time (default 25s)
  EXECUTOR_LOG          how much is logged: error, warn, info or debug
  EXECUTOR_METRICS_DIR  the directory of a textfile collector
  TRACEPARENT           the W3C traceparent of who asks

Exit: 0 a result was written, whatever it says; 1 none could be; 2 wrong usage.

Examples:
  %[1]s < request.json
`, p.Name, RequestKind, ResultKind, plugin.Listed(strings.Join(Permissions, ", ")))
}
