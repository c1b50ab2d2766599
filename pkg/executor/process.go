package executor

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/metrics"
	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
)

// Process is an executor as a program: one request on standard input, one result on standard
// output, a few lines for people on standard error.
type Process struct {
	// Name and Version are what --version tells.
	Name, Version string
	Registry      *action.Registry
	// Inquiries, if not nil, makes the requests beside the verbs, which only ask.
	Inquiries func() []Inquiry
	Provider  string
	Connect   Connect
	// Keep makes what all requests of a stream have in common. Nil keeps nothing. The log is for what
	// no request is behind.
	Keep func(log *slog.Logger) Kept
	// Disk holds the ledger; nil is the machine's file system.
	Disk ledger.Disk
	// Shared opens the store that EXECUTOR_STATE_TABLE names; nil knows none.
	Shared func(context.Context, Shared) (CountedStore, error)
}

// Shared says which store to open of those that machines share.
type Shared struct {
	// Name is what EXECUTOR_STATE_TABLE says, Env the whole environment.
	Name string
	Env  map[string]string
	// Timeout is the time of the request.
	Timeout time.Duration
	// DryRun asks for a store that nothing is written to.
	DryRun bool
	Log    *slog.Logger
	// Connect opens a region of the provider; the requests of a stream have it in common.
	Connect Connect
}

// CountedStore is a store that counts records.
type CountedStore interface {
	Store
	// Counts returns how many records were written that were new, and how many were removed.
	Counts() (created, removed int)
}

// Connect opens a region of the provider. The budget is the time for all calls together.
type Connect func(
	ctx context.Context, region string, budget time.Duration, log *slog.Logger,
) (Connection, error)

// Kept is what the requests of a stream have in common.
type Kept struct {
	// Connect opens a region for each of them.
	Connect Connect
	// Expect, if not nil, is told the target of each request before it is acted on. So the calls of
	// several requests may be made together.
	Expect func(target map[string]string) Expected
}

// Expected is a request whose calls those of others may wait for.
type Expected interface {
	// In returns the context that the request is answered in.
	In(context.Context) context.Context
	// Begin is called when nothing keeps the request from being acted on, Over when it is answered.
	Begin()
	Over()
}

// Capability is what a manifest of a plugin calls requests for actions.
const Capability = "execute.providerAction"

// Main runs the program and returns its exit code, as plugin.Program does.
func (p *Process) Main(
	ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer,
) int {
	return p.program().Main(ctx, args, environ, stdin, stdout, stderr)
}

func (p *Process) program() plugin.Program {
	return plugin.Program{
		Name: p.Name, Version: p.Version, Usage: p.usage, Capability: Capability,
		Answer: func(ctx context.Context, call plugin.Call) plugin.Result {
			return result{p.Answer(ctx, call)}
		},
		Serve: p.serve,
	}
}

// Answer answers one request, for a program that has the executor in its own process. The ledger,
// the policy and the deadline are those that the call's settings and environment name.
func (p *Process) Answer(ctx context.Context, call plugin.Call) protocol.Result {
	return p.answer(ctx, call, p.Connect, func(e *Executor) protocol.Result {
		return e.Run(ctx, call.Request)
	})
}

// answer wires an executor for one request, and has it run.
func (p *Process) answer(
	ctx context.Context, call plugin.Call, connect Connect, run func(*Executor) protocol.Result,
) protocol.Result {
	s, faults := parseSettings(call)
	own := &enforcement{settings: s, faults: faults, verbs: p.Registry}
	var store CountedStore
	e := &Executor{
		Registry:  p.Registry,
		Inquiries: func() []Inquiry { return p.inquiries(call.Env, own) },
		Provider:  p.Provider,
		Timeout:   s.left(time.Now()),
		Log:       call.Log,
		Connect: func(ctx context.Context, region string, budget time.Duration) (Connection, error) {
			if !s.join || own.policy != nil && !own.policy.JoinsCalls() {
				ctx = action.Alone(ctx)
			}
			conn, err := connect(ctx, region, budget, plugin.Traced(ctx, call.Log))
			if err != nil {
				return nil, err
			}
			return conn, own.checkTags(ctx, conn)
		},
		ObservePlan:  s.observePlan,
		Policy:       own.check,
		ByFacts:      own.checkFacts,
		ObserveCalls: s.observeCalls,
	}
	opened := func(s CountedStore) { store = s }
	switch {
	case s.stateTable != "":
		shared := Shared{
			Name: s.stateTable, Env: call.Env, Timeout: e.Timeout, Log: call.Log, Connect: connect,
		}
		e.OpenStore = p.sharedOpener(shared, opened)
	case s.stateDir != noState:
		e.OpenStore = p.opener(s.stateDir, opened)
	}
	result := run(e)
	if store != nil {
		metrics.FromContext(ctx).LedgerRecords(store.Counts())
	}
	return result
}

// opener opens the ledger in a directory, and tells of one that is opened to be written.
func (p *Process) opener(
	dir string, opened func(CountedStore),
) func(ctx context.Context, dryRun bool) (Store, error) {
	disk := p.Disk
	if disk == nil {
		disk = ledger.OSDisk{}
	}
	return func(ctx context.Context, dryRun bool) (Store, error) {
		if dryRun {
			return ledger.Read(ctx, dir, disk, time.Now)
		}
		store, err := ledger.Open(ctx, dir, disk, time.Now)
		if err != nil {
			return nil, err
		}
		opened(store)
		return store, nil
	}
}

// sharedOpener opens a store that machines share, and tells of one that is opened to be written.
func (p *Process) sharedOpener(
	s Shared, opened func(CountedStore),
) func(ctx context.Context, dryRun bool) (Store, error) {
	return func(ctx context.Context, dryRun bool) (Store, error) {
		if p.Shared == nil {
			return nil, protocol.Refuse(protocol.Configuration,
				"%s is set, and this executor knows no table; unset it", StateTableVariable)
		}
		s.DryRun = dryRun
		store, err := p.Shared(ctx, s)
		if err != nil {
			return nil, err
		}
		if !dryRun {
			opened(store)
		}
		return store, nil
	}
}

// result is a result that a program writes.
type result struct{ protocol.Result }

// Write writes the result as the protocol has it.
func (r result) Write(w io.Writer) error { return protocol.Encode(w, r.Result) }

// usage is what a person is told who starts the program by hand.
func (p *Process) usage() string {
	// strings.Repeat would be the only use of it in the plugin, and costs 1.4 KB there.
	const column = "                        "
	settings := ""
	for _, s := range Settings() {
		about, _, _ := strings.Cut(s.Doc, ";")
		settings += "  " + s.Name + column[len(s.Name):] + strings.ReplaceAll(about, "`", "") + "\n"
	}
	return strings.ReplaceAll(`NAME reads one ExecuteActionRequest (JSON) on
standard input and writes one ExecuteActionResult on standard output. A core
starts it without arguments.

Usage:
  NAME < request.json
  NAME serve < requests.json
  NAME --version, --capabilities, --help

Verbs:
`+plugin.Listed(p.Registry.Names())+p.inquiryUsage()+`
Environment; man NAME has all of it:
`+settings+`  and the AWS SDK's own.

Exit: 0 a result was written, whatever it says; 1 none could be; 2 wrong usage.

Examples:
  NAME < request.json
`, "NAME", p.Name)
}
