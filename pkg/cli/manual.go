package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/sshcommand"
	"aws-provider-executor/pkg/nodes/store"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/runner"
)

// ownProgram is what runs commands on nodes that were added by hand: this program itself.
func (a *app) ownProgram() *runner.Program {
	return &runner.Program{Find: os.Executable, Env: []string{"PATH=" + a.env["PATH"]}}
}

// onNode carries out a request for a node that was added by hand, in this process.
func (p *plugin) onNode(ctx context.Context, r protocol.Request) (protocol.Result, error) {
	if ctx.Err() != nil {
		return protocol.Result{}, &gate.NotStarted{Cause: context.Cause(ctx)}
	}
	prober := (&nodeCommands{app: p.app}).prober()
	log := p.app.log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	runs := sshcommand.Runner{
		Registry: p.Registry,
		// As an executor, it answers before it would be given up.
		Timeout: p.timeout * 5 / 6, Find: p.findNode, Dial: prober.Dial, ObservePlan: p.tellPlan,
		Log: log,
	}
	return runs.Run(ctx, r)
}

// findNode finds a node by its id, or by one that was merged into it. A name is none: it may become
// that of another node.
func (p *plugin) findNode(ctx context.Context, id string) (*nodes.Node, error) {
	s, err := p.nodeStore(ctx)
	if err != nil {
		return nil, err
	}
	n, err := s.Find(ctx, id)
	if err != nil {
		return nil, err
	}
	if n.ID != id && !slices.Contains(n.Aliases, nodes.IDIdentity(id)) {
		return nil, fmt.Errorf("%q is the name of the node %s; name it by its id", id, n.ID)
	}
	return n, nil
}

// nodeStore opens the store of nodes once.
func (p *plugin) nodeStore(ctx context.Context) (*store.Store, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.nodes != nil {
		return p.nodes, nil
	}
	s, err := (&nodeCommands{app: p.app}).openNodes(context.WithoutCancel(ctx), false)
	if err != nil {
		return nil, err
	}
	p.nodes = s
	p.atEnd = append(p.atEnd, func() { _ = s.Close() })
	return s, nil
}
