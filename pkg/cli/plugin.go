package cli

import (
	"cmp"
	"context"
	"io"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/nodes/sshcommand"
	"aws-provider-executor/pkg/nodes/store"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/runner"
)

// plugin is the executor that is configured, looked for when it is first needed.
type plugin struct {
	*app
	// program is the executor of the gate's own provider, others are those of other providers.
	program *executable
	others  map[string]*executable
	env     []string
	log     io.Writer
	// tellPlan has results tell the plan, for the journal.
	tellPlan bool

	mu sync.Mutex
	// many is set once a request was run, or several are to be.
	many bool
	// nodes is the store that nodes are found in, once one was looked for.
	nodes *store.Store
}

// executable is an executor's program.
type executable struct {
	*runner.Program
	// stream runs the requests of a command that has many, if the executor can.
	stream *runner.Stream
}

// newExecutable is the program with a file name, which is looked for when it is first needed.
func (a *app) newExecutable(name string) *executable {
	find := func() (string, error) { return a.findPlugin(name) }
	return &executable{Program: &runner.Program{Find: find, Env: []string{"PATH=" + a.env["PATH"]}}}
}

// observePlan is the executor's variable that has its results tell the plan.
const observePlan = "EXECUTOR_OBSERVE_PLAN"

var _ gate.ManyRunner = (*plugin)(nil)

// collectAt is how much is allocated beside what is kept before garbage is collected, in percent,
// where many requests are run: most of it is of requests that soon end.
const collectAt = 400

// ExpectMany has the next requests get one process in common.
func (p *plugin) ExpectMany() {
	if p.app.env["GOGC"] == "" {
		debug.SetGCPercent(collectAt)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.many = true
}

// Run carries out a request. Those of a command that has several get one process in common, if the
// executor can serve them. The first request of a command of which nothing else is known gets a
// process of its own: most commands have no other.
func (p *plugin) Run(ctx context.Context, r protocol.Request) (protocol.Result, error) {
	if r.Provider == sshcommand.Provider {
		began := time.Now()
		result, err := p.onNode(ctx, r)
		p.ran(r, result, err, time.Since(began))
		return result, err
	}
	x := cmp.Or(p.others[r.Provider], p.program)
	found, err := x.Identify(ctx)
	if err != nil {
		return protocol.Result{}, &gate.NotStarted{Cause: err}
	}
	began := time.Now()
	result, err := p.runner(ctx, x, found).Run(ctx, r)
	p.ran(r, result, err, time.Since(began))
	return result, err
}

// runner is what runs the next request of a program, which was found.
func (p *plugin) runner(ctx context.Context, x *executable, found gate.Plugin) gate.Runner {
	p.mu.Lock()
	defer p.mu.Unlock()
	many := p.many
	p.many = true
	if x.stream != nil {
		return x.stream
	}
	env := p.env
	if p.tellPlan {
		env = append(slices.Clone(env), observePlan+"=true")
	}
	process := runner.Process{
		Path: found.Path, Env: env, Timeout: p.timeout, Log: p.log,
		Unchanged: x.Unchanged,
	}
	if !many || !x.Serves(ctx) {
		return &process
	}
	x.stream = &runner.Stream{Process: process}
	p.atEnd = append(p.atEnd, x.stream.Close)
	return x.stream
}
