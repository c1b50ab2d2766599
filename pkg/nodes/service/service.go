// Package service answers the calls of schema/nodes/v1: gRPC, gRPC-Web and Connect's JSON.
//
// It guarantees:
//
//   - A call that changes something is in the store's audit log with its caller, in the transaction
//     of its first change.
//   - A caller who may only read changes nothing. The refusal is in the audit log too, with its
//     caller; one that is repeated is there once a minute.
//   - A request that is not understood whole is refused: a filter that is left out for a wrong
//     letter would select everything.
//   - An error says what the command line says. What the store's engine says goes to the log alone.
//   - No answer has a secret; there are references only. Each answer fits into 4 MiB, which is what
//     clients of gRPC take by default.
package service

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/filter"
	"aws-provider-executor/pkg/nodes/scan"
	"aws-provider-executor/pkg/nodes/service/nodesv1"
	"aws-provider-executor/pkg/nodes/service/nodesv1/nodesv1connect"
	"aws-provider-executor/pkg/nodes/store"
)

// Service answers calls on one store.
type Service struct {
	store    *store.Store
	scanner  *scan.Scanner
	o        Options
	refusals refusals
}

var _ nodesv1connect.NodeServiceHandler = (*Service)(nil)

// Options are the settings of a service.
type Options struct {
	// Call bounds the time of a call, and Scan that of one that looks at clouds; a minute and an hour
	// when zero.
	Call, Scan time.Duration
	// Stopping, when not nil, ends when the server is to stop: scans under way end with it.
	Stopping context.Context
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	Log *slog.Logger
}

const (
	usualCall = time.Minute
	usualScan = time.Hour
	// maxRequest is how many bytes a request may have.
	maxRequest = 1 << 20
	// maxAnswer is how many bytes of nodes an answer has.
	maxAnswer = 3 << 20
	// mostListed is how many things an answer lists, and usuallyListed how many unless it is said.
	mostListed, usuallyListed = 1000, 100
	// mostValues is how many values of a field are listed.
	mostValues = 10_000
)

// New returns a service. The scanner's own store is not used.
func New(s *store.Store, scanner *scan.Scanner, o Options) *Service {
	o.Call, o.Scan = cmp.Or(o.Call, usualCall), cmp.Or(o.Scan, usualScan)
	if o.Stopping == nil {
		o.Stopping = context.Background()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{store: s, scanner: scanner, o: o, refusals: refusals{at: map[string]time.Time{}}}
}

// Handler is the service over HTTP, and the path below which it answers.
func (s *Service) Handler() (path string, h http.Handler) {
	return nodesv1connect.NewNodeServiceHandler(s,
		connect.WithReadMaxBytes(maxRequest),
		connect.WithCodec(strictJSON{"json"}), connect.WithCodec(strictJSON{"json; charset=utf-8"}),
		connect.WithInterceptors(&guard{s}),
		connect.WithRecover(func(_ context.Context, p connect.Spec, _ http.Header, r any) error {
			s.o.Log.Error("a call panicked", "call", p.Procedure, "panic", r)
			return connect.NewError(connect.CodeInternal, errors.New("the server has a fault; its log says "+
				"more"))
		}))
}

// callerKey is the key of the caller in a context.
type callerKey struct{}

// WithCaller is a context of calls by this caller.
func WithCaller(ctx context.Context, caller string) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

// readsKey is the key of why a caller may only read.
type readsKey struct{}

// OnlyReads is a context of calls that may change nothing, and why.
func OnlyReads(ctx context.Context, why string) context.Context {
	return context.WithValue(ctx, readsKey{}, why)
}

// ReadsOnly says why a caller may change nothing; false where it may.
func ReadsOnly(ctx context.Context) (why string, only bool) {
	why, only = ctx.Value(readsKey{}).(string)
	return why, only
}

// CallerOf is who calls; empty where that is not known.
func CallerOf(ctx context.Context) string {
	caller, _ := ctx.Value(callerKey{}).(string)
	return caller
}

// as is the store for a call that may change something.
func (s *Service) as(ctx context.Context, name string, asked proto.Message) *store.Store {
	return s.store.As(callOf(ctx, name, asked))
}

func callOf(ctx context.Context, name string, asked proto.Message) store.Call {
	return store.Call{Caller: CallerOf(ctx), Name: name, Asked: compact(asked)}
}

// parse reads a filter. No text is nil: all nodes.
func parse(texts []string, bareTags bool) (*filter.Filter, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	f, err := filter.Parse(texts, filter.Options{BareTags: bareTags})
	if err != nil {
		return nil, invalid{err}
	}
	return f, nil
}

// size is how many things a page lists.
func size(asked int32) (int, error) {
	switch {
	case asked < 0:
		return 0, invalid{errors.New("the page size is 0 or more")}
	case asked == 0:
		return usuallyListed, nil
	}
	return min(int(asked), mostListed), nil
}

// ListNodes lists the nodes of a filter.
func (s *Service) ListNodes(
	ctx context.Context, r *nodesv1.ListNodesRequest,
) (*nodesv1.ListNodesResponse, error) {
	f, err := parse(r.Filter, r.BareTags)
	if err != nil {
		return nil, err
	}
	limit, err := size(r.PageSize)
	if err != nil {
		return nil, err
	}
	if err := store.CheckSort(r.Sort); err != nil {
		return nil, invalid{err}
	}
	q := store.Query{Filter: f, Sort: r.Sort, Descending: r.Descending, Limit: limit,
		After: r.PageToken}
	for {
		page, err := s.store.List(ctx, q)
		if err != nil {
			return nil, err
		}
		answer := &nodesv1.ListNodesResponse{NextPageToken: page.Next}
		for _, n := range page.Nodes {
			answer.Nodes = append(answer.Nodes, nodeOf(n))
		}
		if proto.Size(answer) <= maxAnswer || q.Limit == 1 {
			return answer, nil
		}
		q.Limit /= 2
	}
}

// CountNodes counts the nodes of a filter.
func (s *Service) CountNodes(
	ctx context.Context, r *nodesv1.CountNodesRequest,
) (*nodesv1.CountNodesResponse, error) {
	f, err := parse(r.Filter, r.BareTags)
	if err != nil {
		return nil, err
	}
	t, err := s.store.Count(ctx, f)
	if err != nil {
		return nil, err
	}
	return &nodesv1.CountNodesResponse{All: int32(t.All), ByState: counts(t.ByState),
		ByStatus: counts(t.ByStatus)}, nil
}

func counts[T ~string](of map[T]int) map[string]int32 {
	all := make(map[string]int32, len(of))
	for k, n := range of {
		all[string(k)] = int32(n)
	}
	return all
}

// GetNode tells all that is known of a node.
func (s *Service) GetNode(
	ctx context.Context, r *nodesv1.GetNodeRequest,
) (*nodesv1.GetNodeResponse, error) {
	n, err := s.store.Find(ctx, r.Node)
	if err != nil {
		return nil, err
	}
	history, err := s.store.History(ctx, n.ID)
	if err != nil {
		return nil, err
	}
	history = history[max(len(history)-mostListed, 0):]
	return &nodesv1.GetNodeResponse{Node: nodeOf(n), Details: detailsOf(n),
		History: changesOf(history, n.Name)}, nil
}

// ListFields lists what a filter can ask for.
func (s *Service) ListFields(
	context.Context, *nodesv1.ListFieldsRequest,
) (*nodesv1.ListFieldsResponse, error) {
	answer := &nodesv1.ListFieldsResponse{}
	for _, f := range filter.Fields() {
		about := f.Doc
		if f.Kind == filter.Time {
			about += ", as FROM..TO"
		}
		answer.Fields = append(answer.Fields, &nodesv1.Field{Name: f.Name, About: about,
			Values: f.Words, Synonyms: f.Synonyms})
	}
	answer.Fields = append(answer.Fields, &nodesv1.Field{Name: "tag:KEY", About: "its tag KEY"})
	return answer, nil
}

// ListFieldValues lists the values of a field.
func (s *Service) ListFieldValues(
	ctx context.Context, r *nodesv1.ListFieldValuesRequest,
) (*nodesv1.ListFieldValuesResponse, error) {
	f, err := parse(r.Filter, r.BareTags)
	if err != nil {
		return nil, err
	}
	if err := store.CheckField(r.Field); err != nil {
		return nil, invalid{err}
	}
	values, err := s.store.Values(ctx, r.Field, f)
	if err != nil {
		return nil, err
	}
	answer := &nodesv1.ListFieldValuesResponse{Truncated: len(values) > mostValues}
	for _, v := range values[:min(len(values), mostValues)] {
		answer.Values = append(answer.Values, &nodesv1.FieldValue{Value: v.Value, Name: v.Name,
			Nodes: int32(v.Nodes)})
	}
	return answer, nil
}

// ExplainFilter says how a filter is read.
func (s *Service) ExplainFilter(
	_ context.Context, r *nodesv1.ExplainFilterRequest,
) (*nodesv1.ExplainFilterResponse, error) {
	f, err := parse(r.Filter, r.BareTags)
	if err != nil {
		return nil, err
	}
	if f == nil {
		f = &filter.Filter{}
	}
	e := f.Explain()
	answer := &nodesv1.ExplainFilterResponse{Filter: e.Filter, Notes: e.Notes, Regions: e.EC2.Regions,
		ExcludedRegions: e.EC2.ExcludedRegions, MatchedHere: e.EC2.Here}
	for _, c := range e.Conditions {
		answer.Conditions = append(answer.Conditions, &nodesv1.Condition{Field: c.Field,
			Exclude: c.Exclude, Values: c.Values, ReadAs: c.ReadAs, Says: c.Says,
			AskedOfEc2: c.AskedOfEC2})
	}
	for _, f := range e.EC2.Filters {
		answer.Ec2Filters = append(answer.Ec2Filters, &nodesv1.Ec2Filter{Name: f.Name, Values: f.Values})
	}
	return answer, nil
}

// ListNodeCredentials lists the references to credentials that a node has.
func (s *Service) ListNodeCredentials(
	ctx context.Context, r *nodesv1.ListNodeCredentialsRequest,
) (*nodesv1.ListNodeCredentialsResponse, error) {
	n, err := s.store.Find(ctx, r.Node)
	if err != nil {
		return nil, err
	}
	managers, err := s.store.Managers(ctx)
	if err != nil {
		return nil, err
	}
	answer := &nodesv1.ListNodeCredentialsResponse{}
	for _, c := range nodes.Credentials(n, managers) {
		answer.Credentials = append(answer.Credentials, &nodesv1.Credential{Reference: string(c.Ref),
			Manager: c.Manager, Key: c.Key, Pattern: c.Pattern, Value: c.Value})
	}
	return answer, nil
}

// ListChanges lists what changed over all nodes.
func (s *Service) ListChanges(
	ctx context.Context, r *nodesv1.ListChangesRequest,
) (*nodesv1.ListChangesResponse, error) {
	limit, err := size(r.PageSize)
	if err != nil {
		return nil, err
	}
	all, next, err := s.store.Changes(ctx, limit, r.PageToken)
	if err != nil {
		return nil, err
	}
	answer := &nodesv1.ListChangesResponse{NextPageToken: next}
	for _, c := range all {
		answer.Changes = append(answer.Changes, changeOf(c.Change, c.Name))
	}
	return answer, nil
}

// ListAuditEntries lists the calls that changed something.
func (s *Service) ListAuditEntries(
	ctx context.Context, r *nodesv1.ListAuditEntriesRequest,
) (*nodesv1.ListAuditEntriesResponse, error) {
	limit, err := size(r.PageSize)
	if err != nil {
		return nil, err
	}
	all, next, err := s.store.Audit(ctx, limit, r.PageToken)
	if err != nil {
		return nil, err
	}
	answer := &nodesv1.ListAuditEntriesResponse{NextPageToken: next}
	for _, e := range all {
		answer.Entries = append(answer.Entries, &nodesv1.AuditEntry{Number: e.Number, At: stamp(e.At),
			Caller: e.Caller, Call: e.Call, Asked: e.Asked, Nodes: int32(e.Nodes), NodeIds: e.NodeIDs,
			Refused: e.Refused})
	}
	return answer, nil
}
