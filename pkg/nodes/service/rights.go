package service

import (
	"context"
	"errors"
	"path"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"aws-provider-executor/pkg/nodes/service/nodesv1/nodesv1connect"
	"aws-provider-executor/pkg/nodes/store"
)

// reads are the calls that change nothing. Any other needs the right to write.
var reads = map[string]bool{
	nodesv1connect.NodeServiceListNodesProcedure:           true,
	nodesv1connect.NodeServiceCountNodesProcedure:          true,
	nodesv1connect.NodeServiceGetNodeProcedure:             true,
	nodesv1connect.NodeServiceListFieldsProcedure:          true,
	nodesv1connect.NodeServiceListFieldValuesProcedure:     true,
	nodesv1connect.NodeServiceExplainFilterProcedure:       true,
	nodesv1connect.NodeServiceListNodeCredentialsProcedure: true,
	nodesv1connect.NodeServiceListChangesProcedure:         true,
	nodesv1connect.NodeServiceListManagersProcedure:        true,
	nodesv1connect.NodeServiceGetManagerProcedure:          true,
	nodesv1connect.NodeServiceListAuditEntriesProcedure:    true,
}

// allowed refuses a call that changes something to a caller who may only read, and enters that into
// the audit log.
func (g *guard) allowed(ctx context.Context, procedure string, asked proto.Message) error {
	why, only := ReadsOnly(ctx)
	if !only || reads[procedure] {
		return nil
	}
	caller, name := CallerOf(ctx), path.Base(procedure)
	if g.refusals.isNew(caller+"\n"+name+"\n"+why, g.o.Now()) {
		call := store.Call{Caller: caller, Name: name}
		if asked != nil {
			call.Asked = compact(asked)
		}
		if err := g.store.Refuse(ctx, call, why); err != nil {
			// It is refused all the same.
			g.o.Log.Error("a refusal is not in the audit log", "call", name, "caller", caller,
				"error", err)
		}
	}
	g.o.Log.Info("refused", "call", name, "caller", caller, "reason", why)
	return connect.NewError(connect.CodePermissionDenied,
		errors.New(name+" changes something, and "+why))
}

// refusals are when calls were refused that are in the audit log. Whoever may only read can't fill
// the log with them.
type refusals struct {
	mu sync.Mutex
	at map[string]time.Time // by caller, call and reason
}

const (
	// refusalEvery is how often the audit log has the same refusal at most.
	refusalEvery = time.Minute
	// mostRefusals bounds how many are remembered. Callers are those of the operator's files.
	mostRefusals = 10_000
)

// isNew reports whether a refusal is to be in the log.
func (r *refusals) isNew(what string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, known := r.at[what]; known && now.Sub(last).Abs() < refusalEvery {
		return false
	}
	if len(r.at) >= mostRefusals {
		clear(r.at)
	}
	r.at[what] = now
	return true
}
