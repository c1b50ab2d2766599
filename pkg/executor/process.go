package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
)

// Process is an executor as a program: one request on standard input, one result on standard
// output, a few lines for people on standard error.
type Process struct {
	// Name and Version are what --version tells.
	Name, Version string
	Registry      *action.Registry
	Provider      string
	Connect       func(ctx context.Context, region string, budget time.Duration, log *slog.Logger) (Connection, error)
	// Disk holds the ledger; nil is the machine's file system.
	Disk ledger.Disk
}

// Main runs the program and returns its exit code: 0 whenever a result was
// written, whatever it says; 2 for arguments it does not know.
func (p *Process) Main(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, restore := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer restore()
	// A reader of the log that has gone away must not kill a run half-way.
	signal.Ignore(syscall.SIGPIPE)

	if len(args) > 1 {
		return p.explain(args[1:], stdout, stderr)
	}
	settings, faults := parseSettings(environ)
	log := plugin.NewLog(stderr, settings.LogLevel)
	result := p.run(ctx, settings, faults, log, stdin)
	err := protocol.Encode(stdout, result)
	if errors.Is(err, protocol.ErrTooLarge) {
		err = protocol.Encode(stdout, tooLarge(result))
	}
	if err != nil {
		log.Error("cannot write the result", "error", err)
		return 1
	}
	return 0
}

func (p *Process) run(ctx context.Context, s settings, faults []string, log *slog.Logger, stdin io.Reader) protocol.Result {
	own := &enforcement{settings: s, faults: faults, verbs: p.Registry}
	e := &Executor{
		Registry: p.Registry,
		Provider: p.Provider,
		Timeout:  s.left(time.Now()),
		Log:      log,
		Connect: func(ctx context.Context, region string, budget time.Duration) (Connection, error) {
			conn, err := p.Connect(ctx, region, budget, log)
			if err != nil {
				return nil, err
			}
			return conn, own.checkTags(ctx, conn)
		},
		Policy: own.check,
	}
	if s.stateDir != noState {
		disk := p.Disk
		if disk == nil {
			disk = ledger.OSDisk{}
		}
		e.OpenStore = func() (Store, error) { return ledger.Open(s.stateDir, disk, time.Now) }
	}
	return e.Run(ctx, stdin)
}

// tooLarge says what a result that no core would read was about.
func tooLarge(r protocol.Result) protocol.Result {
	status := protocol.Say(protocol.Failed, fmt.Sprintf(
		"the result (%s) is larger than %d bytes; look at the target before you try again", r.Status.Status, protocol.MaxResultBytes))
	status.Observed = map[string]string{
		protocol.FactFailureClass: string(protocol.Internal), protocol.FactRetryable: "false",
	}
	return protocol.NewResult(status)
}

// explain answers a person who starts the program by hand.
func (p *Process) explain(args []string, stdout, stderr io.Writer) int {
	if slices.Equal(args, []string{"--version"}) {
		fmt.Fprintln(stdout, p.Name, p.Version)
		return 0
	}
	to, code := stdout, 0
	if !slices.Equal(args, []string{"--help"}) && !slices.Equal(args, []string{"-h"}) {
		fmt.Fprintf(stderr, "%s takes no arguments, not %s\n\n", p.Name, protocol.Quote(strings.Join(args, " ")))
		to, code = stderr, 2
	}
	fmt.Fprintf(to, `%s reads one ExecuteActionRequest (JSON) on standard input and writes
one ExecuteActionResult on standard output. A core starts it without arguments.

  %s < request.json
  %s --version

Verbs:
  %s

Environment: EXECUTOR_STATE_DIR, EXECUTOR_TIMEOUT, EXECUTOR_DEADLINE, EXECUTOR_LOG, EXECUTOR_POLICY,
and the AWS SDK's own.
`, p.Name, p.Name, p.Name, strings.ReplaceAll(p.Registry.Names(), ", ", "\n  "))
	return code
}
