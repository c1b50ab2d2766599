package cli

import (
	"context"
	"io"
	"slices"
	"time"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/runner"
)

// plugin is the executor that is configured, looked for when it is first needed.
type plugin struct {
	*app
	program *runner.Program
	env     []string
	log     io.Writer
	// tellPlan has results tell the plan, for the journal.
	tellPlan bool
}

// observePlan is the executor's variable that has its results tell the plan.
const observePlan = "EXECUTOR_OBSERVE_PLAN"

var _ gate.Runner = (*plugin)(nil)

// Run carries out a request in a process of its own.
func (p *plugin) Run(ctx context.Context, r protocol.Request) (protocol.Result, error) {
	found, err := p.program.Identify(ctx)
	if err != nil {
		return protocol.Result{}, &gate.NotStarted{Cause: err}
	}
	env := p.env
	if p.tellPlan {
		env = append(slices.Clone(env), observePlan+"=true")
	}
	process := runner.Process{
		Path: found.Path, Env: env, Timeout: p.timeout, Log: p.log,
		Unchanged: p.program.Unchanged,
	}
	began := time.Now()
	result, err := process.Run(ctx, r)
	p.ran(r, result, err, time.Since(began))
	return result, err
}
