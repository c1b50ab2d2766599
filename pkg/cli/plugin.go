package cli

import (
	"context"
	"io"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/runner"
)

// plugin is the executor that is configured, looked for when it is first needed.
type plugin struct {
	*app
	env []string
	log io.Writer
}

var _ gate.Runner = (*plugin)(nil)

// Run carries out a request in a process of its own.
func (p *plugin) Run(ctx context.Context, r protocol.Request) (protocol.Result, error) {
	path, err := p.findPlugin()
	if err != nil {
		return protocol.Result{}, &gate.NotStarted{Cause: err}
	}
	process := runner.Process{Path: path, Env: p.env, Timeout: p.timeout, Log: p.log}
	return process.Run(ctx, r)
}
