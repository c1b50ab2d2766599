package plugin

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

	"aws-provider-executor/pkg/metrics"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/trace"
)

// Program is a plugin as a process: one request on standard input, one result on standard output, a
// few lines for people on standard error.
type Program struct {
	// Name and Version are what --version tells.
	Name, Version string
	// Capability is what a manifest calls the requests that are answered.
	Capability string
	// Usage is what --help tells.
	Usage func() string
	// Answer answers one request. Its context ends when the process is asked to stop.
	Answer func(context.Context, Call) Result
	// Serve makes what answers the requests of a stream, for a program that does. Its call is what
	// all of them have in common.
	Serve func(Call) Server
}

// Call is one start of a program.
type Call struct {
	Settings
	// Env is the whole environment, and Faults what Parse found wrong with it.
	Env    map[string]string
	Faults []string
	// Log stays below what a core bears.
	Log *slog.Logger
	// Metrics counts what this start does. The context of Answer carries it too.
	Metrics *metrics.Set
	// Request is the standard input, or the part of it that is one request of a stream.
	Request io.Reader
	// Arrived is when a request of a stream was there. It is zero of another one.
	Arrived time.Time
	// Last reports whether the end of a stream's request can't be told: nothing follows it.
	Last bool
}

// Result is what a program answers.
type Result interface {
	// Write writes the result as one document. It returns protocol.ErrTooLarge, and has written
	// nothing, if that is larger than a core reads.
	Write(io.Writer) error
	// TooLarge is the failure to answer instead.
	TooLarge() Result
}

// Main runs the program and returns its exit code: 0 whenever a result was written, whatever it
// says; 1 if none could be; 2 for arguments it does not know.
func (p Program) Main(
	ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer,
) int {
	ctx, restore := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer restore()
	// A reader of the log that has gone away must not kill a run half-way.
	signal.Ignore(syscall.SIGPIPE)

	switch {
	case p.Serve != nil && slices.Equal(args[min(len(args), 1):], []string{serveArgument}):
		return p.ServeStream(ctx, environ, stdin, stdout, stderr)
	case len(args) > 1:
		return p.explain(args[1:], stdout, stderr)
	}
	call := Call{Env: Environment(environ), Request: stdin}
	call.Settings, call.Faults = Parse(call.Env)
	TellWaiting(p.Name, "one request (JSON)", call.Timeout, stdin, stderr)
	call, ctx = p.begin(ctx, call, stderr)
	return p.end(call, Write(stdout, p.Answer(ctx, call)))
}

// begin gives one request its own log and metrics, and a context that carries them.
func (p Program) begin(
	ctx context.Context, call Call, stderr io.Writer,
) (Call, context.Context) {
	call.Log = NewLog(stderr, call.LogLevel)
	call.Metrics = metrics.New(p.Name, p.Version)
	return call, Trace(metrics.NewContext(ctx, call.Metrics), call.Log, call.Env[trace.Variable])
}

// end is the end of one request, whose answer was written or could not be.
func (p Program) end(call Call, err error) (code int) {
	if err != nil {
		call.Log.Error("cannot write the result", "error", err)
		code = 1
	}
	// The answer is out: whatever comes of the metrics, it stands.
	call.Metrics.Finish(call.Env, call.Log)
	return code
}

// Trace returns a context that carries the trace whose traceparent a caller gave. One that is
// malformed is told and ignored; then, and where there is none, the context's own stays.
func Trace(ctx context.Context, log *slog.Logger, traceparent string) context.Context {
	parent, err := trace.Parse(traceparent)
	switch {
	case err != nil:
		log.Warn("the traceparent is ignored", "error", err)
		return ctx
	case parent.String() == "":
		return ctx
	}
	return trace.NewContext(ctx, parent)
}

// Traced returns a log whose lines name the trace that a context carries, if it does.
func Traced(ctx context.Context, log *slog.Logger) *slog.Logger {
	parent := trace.FromContext(ctx)
	if parent.String() == "" {
		return log
	}
	return log.With("traceId", parent.TraceID(), "spanId", parent.SpanID())
}

// Write writes a result, or the failure that it is too large.
func Write(w io.Writer, r Result) error {
	err := r.Write(w)
	if errors.Is(err, protocol.ErrTooLarge) {
		return r.TooLarge().Write(w)
	}
	return err
}

// Environment is an environment as the variables' values by their names.
func Environment(environ []string) map[string]string {
	env := map[string]string{}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		env[name] = value
	}
	return env
}

// Refuse is the failure of every request while the environment is not right; nil if it is.
func Refuse(faults []string) *protocol.Failure {
	if len(faults) == 0 {
		return nil
	}
	return protocol.Refuse(protocol.Configuration,
		"the environment is not right: %s; nothing was changed", strings.Join(faults, "; "))
}

// Decode reads a request and gives up on a caller that does not end it before the context does.
func Decode[R any](
	ctx context.Context, read func() (R, protocol.Faults),
) (request R, faults protocol.Faults, ended bool) {
	type decoded struct {
		request R
		faults  protocol.Faults
	}
	done := make(chan decoded, 1)
	go func() {
		r, faults := read()
		done <- decoded{r, faults}
	}()
	select {
	case d := <-done:
		return d.request, d.faults, true
	case <-ctx.Done():
		const reason = "the request did not end in time; close the input after it"
		return request, protocol.Faults{{Reason: reason}}, false
	}
}

// explain answers a person who starts the program by hand.
func (p Program) explain(args []string, stdout, stderr io.Writer) int {
	switch {
	case slices.Equal(args, []string{"--version"}):
		fmt.Fprintln(stdout, p.Name, p.Version)
		return 0
	case slices.Equal(args, []string{"--capabilities"}):
		return p.tellCapabilities(stdout)
	case slices.Equal(args, []string{"--help"}), slices.Equal(args, []string{"-h"}):
		fmt.Fprint(stdout, p.Usage())
		return 0
	}
	said, meant := strings.Join(args, " "), ""
	for _, known := range [...]string{"--help", "--version", "--capabilities", serveArgument} {
		if (known != serveArgument || p.Serve != nil) && protocol.Nearly(said, known) {
			meant = " (did you mean " + known + "?)"
		}
	}
	fmt.Fprintf(stderr, "%s: wrong argument %s%s; see %[1]s --help\n",
		p.Name, protocol.Quote(said), meant)
	return 2
}

// Listed fills indented lines of at most 80 columns with names, which commas separate.
func Listed(names string) string {
	const width = 80
	text, column := " ", 1
	for _, name := range strings.Fields(names) {
		column += 1 + len(name)
		if column > width {
			text, column = text+"\n ", 2+len(name)
		}
		text += " " + name
	}
	return text + "\n"
}
