package gate

import (
	"context"
	"fmt"
	"slices"

	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
)

// Plugin is the executor's program: what is run, not what it calls itself.
type Plugin struct {
	Path string
	// Digest is the SHA-256 of the file, as sha256:<hex>.
	Digest string
	// Version is what the program says of itself.
	Version string
}

// Program is what a Runner runs.
type Program interface {
	// Identify tells the file and its digest, without running it.
	Identify(context.Context) (Plugin, error)
	// Version asks the program that was identified for its version.
	Version(context.Context) string
}

// data is a plugin as events keep it.
func (p Plugin) data() map[string]any {
	return map[string]any{"path": p.Path, "digest": p.Digest, "version": p.Version}
}

// program is what is run for a provider; nil where that is not known.
func (g *Gate) program(provider string) Program {
	if p, ok := g.Programs[provider]; ok {
		return p
	}
	return g.Program
}

// plugin identifies what would be run; ok is false where that is not known. One that can't be found
// is told by the attempt to run it.
func (g *Gate) plugin(ctx context.Context, provider string) (p Plugin, ok bool) {
	program := g.program(provider)
	if program == nil {
		return Plugin{}, false
	}
	p, err := program.Identify(ctx)
	return p, err == nil
}

// pinned decides by what would be run.
func (g *Gate) pinned(ctx context.Context, provider string) policy.Denial {
	if g.Policy == nil {
		return nil
	}
	p, _ := g.plugin(ctx, provider)
	return g.Policy.Plugin(p.Digest)
}

// addPlugin notes in an event's data what is run, once it may be.
func (g *Gate) addPlugin(ctx context.Context, provider string, data map[string]any) {
	if p, ok := g.plugin(ctx, provider); ok {
		p.Version = g.program(provider).Version(ctx)
		data["plugin"] = p.data()
	}
}

// replaced returns what to add to a message where the program is not the one of the latest approval
// that names one.
func (g *Gate) replaced(
	ctx context.Context, provider string, approvals []policy.Approval,
) string {
	now, ok := g.plugin(ctx, provider)
	if !ok {
		return ""
	}
	for _, approval := range slices.Backward(approvals) {
		if approval.Plugin != "" && approval.Plugin != now.Digest {
			return fmt.Sprintf("; the executor is not the one of the approval: %s, not %s",
				now.Digest, approval.Plugin)
		}
		if approval.Plugin != "" {
			break
		}
	}
	return ""
}

// pluginOf is the digest of the plugin that an event names.
func pluginOf(e Event) string {
	named, _ := e.Data["plugin"].(map[string]any)
	digest, _ := named["digest"].(string)
	return digest
}

// elsewhere reports how a success is not one of this request: it lacks the fact that names what was
// acted on, or names something else.
func (g *Gate) elsewhere(r protocol.Request, s protocol.Status) string {
	if s.Status != protocol.Succeeded {
		return ""
	}
	verb, known := g.Registry.Resolve(r)
	if !known {
		return ""
	}
	return g.Registry.Mismatch(verb, r, s.Observed)
}
