package inventory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
)

// Process is the inventory as a program: one request on standard input, one result on standard
// output, a few lines for people on standard error.
type Process struct {
	// Name and Version are what --version tells.
	Name, Version string
	Provider      string
	// Connect opens a region. The budget is the time for all calls together.
	Connect func(
		ctx context.Context, region string, budget time.Duration, log *slog.Logger,
	) (Reader, error)
	// OwnRegion is the region that this program runs in.
	OwnRegion func(ctx context.Context, log *slog.Logger) (string, error)
}

// Main runs the program and returns its exit code: 0 whenever a result was
// written, whatever it says; 2 for arguments it does not know.
func (p *Process) Main(
	ctx context.Context,
	args, environ []string,
	stdin io.Reader,
	stdout, stderr io.Writer,
) int {
	ctx, restore := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer restore()
	// A reader of the log that has gone away must not kill a run half-way.
	signal.Ignore(syscall.SIGPIPE)

	if len(args) > 1 {
		return p.explain(args[1:], stdout, stderr)
	}
	env := map[string]string{}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		env[name] = value
	}
	settings, faults := plugin.Parse(env)
	log := plugin.NewLog(stderr, settings.LogLevel)
	result := p.run(ctx, settings, faults, log, stdin)
	if err := result.Write(stdout); err != nil {
		log.Error("cannot write the result", "error", err)
		return 1
	}
	return 0
}

func (p *Process) run(
	stop context.Context,
	s plugin.Settings,
	faults []string,
	log *slog.Logger,
	stdin io.Reader,
) (result Result) {
	ctx, cancel := context.WithTimeout(stop, s.Timeout-plugin.Margin(s.Timeout))
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			log.Error("panic", "value", fmt.Sprint(v), "stack", string(debug.Stack()))
			result = failed(
				action.Refuse(protocol.Internal, "a bug in the inventory stopped it: %v; look at its log", v),
			)
		}
	}()
	if len(faults) > 0 {
		return failed(
			action.Refuse(
				protocol.Configuration,
				"the environment is not right: %s",
				strings.Join(faults, "; "),
			),
		)
	}
	req, wrong, ended := decode(ctx, stdin, p.Provider)
	switch {
	case !ended && stop.Err() != nil:
		return failed(stopped())
	case len(wrong) > 0:
		return failed(&protocol.Failure{Class: protocol.InvalidRequest, Message: wrong.Error()})
	}
	o, err := p.observe(ctx, req, s.Timeout, log)
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
			return nil, action.Refuse(
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

// decode reads the request, and gives up on a caller that does not end it.
func decode(
	ctx context.Context,
	stdin io.Reader,
	provider string,
) (req Request, faults protocol.Faults, ended bool) {
	type decoded struct {
		req    Request
		faults protocol.Faults
	}
	done := make(chan decoded, 1)
	go func() {
		req, faults := Decode(stdin, provider)
		done <- decoded{req, faults}
	}()
	select {
	case d := <-done:
		return d.req, d.faults, true
	case <-ctx.Done():
		return Request{}, protocol.Faults{
			{Reason: "the request did not end in time; close the input after it"},
		}, false
	}
}

func stopped() error {
	return action.Refuse(protocol.Timeout, "a signal stopped the inventory before all was read")
}

func failed(err error) Result {
	var f *protocol.Failure
	if !errors.As(err, &f) {
		f = action.Refuse(protocol.Internal, "a bug in the inventory stopped it: %v", err)
	}
	return Result{Failure: f}
}

// explain answers a person who starts the program by hand.
func (p *Process) explain(args []string, stdout, stderr io.Writer) int {
	if slices.Equal(args, []string{"--version"}) {
		fmt.Fprintln(stdout, p.Name, p.Version)
		return 0
	}
	to, code := stdout, 0
	if !slices.Equal(args, []string{"--help"}) && !slices.Equal(args, []string{"-h"}) {
		fmt.Fprintf(
			stderr,
			"%s takes no arguments, not %s\n\n",
			p.Name,
			protocol.Quote(strings.Join(args, " ")),
		)
		to, code = stderr, 2
	}
	fmt.Fprintf(to, `%s reads one %s (JSON) on standard input and writes
one %s on standard output. It only reads.

  %s < request.json
  %s --version

Environment: EXECUTOR_TIMEOUT, EXECUTOR_LOG, and the AWS SDK's own.

Permissions:
  %s
`, p.Name, RequestKind, ResultKind, p.Name, p.Name, strings.Join(Permissions, "\n  "))
	return code
}
