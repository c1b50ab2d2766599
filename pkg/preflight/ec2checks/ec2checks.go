// Package ec2checks looks at what EC2 actions are about to be carried out on, before they are.
//
// It only reads. Each check is in one list, Checks, which the documentation is made from. What
// could not be read is preflight.Unknown, with what to do about that. Readings are shared by all
// checks and all requests of a run, each made once.
package ec2checks

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/protocol"
)

// Reader is what the checks read with. Its errors are *protocol.Failure.
type Reader interface {
	CallerIdentity(ctx context.Context) (ec2model.Identity, error)
	Clock() (c ec2model.Clock, known bool)
	Ways() ([]ec2model.Way, error)
	DescribeInterface(ctx context.Context, id string) (ec2model.InterfaceDetail, error)
	DescribeInstance(ctx context.Context, id string) (ec2model.Instance, error)
	DescribeSubnet(ctx context.Context, id string) (ec2model.Subnet, error)
	DescribeSubnetsWithBlock(
		ctx context.Context, vpc string, block netip.Prefix,
	) ([]ec2model.Subnet, error)
	DescribeNetworkInterfacesWithAddress(
		ctx context.Context, vpc, address string,
	) ([]ec2model.NetworkInterface, error)
	DescribeNetworkInterfacesOfSubnet(
		ctx context.Context, subnet string,
	) (found []ec2model.NetworkInterface, all bool, err error)
	InstanceTypeLimits(ctx context.Context, kind string) (ec2model.TypeLimits, error)
	DescribeRouteTable(ctx context.Context, id string) (ec2model.RouteTable, error)
	DescribeTableOfSubnet(ctx context.Context, vpc, subnet string) (ec2model.SubnetTable, error)
	DescribeGroupRules(
		ctx context.Context, ids ...string,
	) (map[string]ec2model.GroupRules, error)
	DescribeTags(ctx context.Context, ids ...string) (map[string]map[string]string, error)
}

// Expected is what the caller expects; empty fields expect nothing.
type Expected struct {
	Account, Role, Region string
}

// Config is what a run works with.
type Config struct {
	Registry *action.Registry
	// Connect opens a region.
	Connect func(ctx context.Context, region string) (Reader, error)
	// DryRun has the executor tell the plan of a request.
	DryRun func(ctx context.Context, r protocol.Request) (protocol.Result, error)
	// Ledger looks at where prior facts are kept.
	Ledger func() preflight.Check
	// Tags, if not nil, returns why tags of a resource are against acting on it.
	Tags     func(resource string, tags map[string]string) []string
	Expected Expected
	// OwnRegion is the region that the environment names, and OwnRegionName the variable.
	OwnRegion, OwnRegionName string
	// Patience bounds one reading.
	Patience time.Duration
}

// Run makes all checks for some requests, first those that are about all of them. The requests are
// valid ones, of verbs of the registry.
func Run(ctx context.Context, c Config, requests []protocol.Request) preflight.Report {
	r := &run{Config: c, places: map[string]*place{}}
	var report preflight.Report
	if len(requests) == 0 {
		return report
	}
	subjects := make([]*subject, len(requests))
	for i, request := range requests {
		subjects[i] = r.subject(ctx, request)
	}
	regions := r.regions(ctx, requests)
	// The clock is looked at last, when answers have told it, and told with the others.
	var own []preflight.Check
	for _, s := range subjects {
		for _, check := range Checks() {
			if check.About != nil && check.About(s) {
				own = append(own, check.make(s))
			}
		}
	}
	for _, check := range Checks() {
		if check.About == nil {
			report.Checks = append(report.Checks, check.ofAll(regions))
		}
	}
	report.Checks = append(report.Checks, own...)
	return report
}

// run is one run.
type run struct {
	Config
	places map[string]*place
}

// place is one region, with what was read there.
type place struct {
	region string
	reader Reader
	// err is why the region could not be opened.
	err  error
	seen map[string]any
}

func (r *run) place(ctx context.Context, region string) *place {
	if p, ok := r.places[region]; ok {
		return p
	}
	p := &place{region: region, seen: map[string]any{}}
	p.reader, p.err = r.Connect(ctx, region)
	r.places[region] = p
	return p
}

// regions are the places of some requests, each once, in the order in which requests name them.
// Each is a subject without a request.
func (r *run) regions(ctx context.Context, requests []protocol.Request) []*subject {
	var all []*subject
	for _, request := range requests {
		p := r.place(ctx, request.Target["region"])
		if !slices.ContainsFunc(all, func(s *subject) bool { return s.place == p }) {
			all = append(all, &subject{run: r, ctx: ctx, place: p})
		}
	}
	return all
}

// subject is one request that is checked.
type subject struct {
	*run
	*place
	ctx  context.Context
	wire protocol.Request
	verb action.Verb
	req  action.Request
	told told
}

// told is what the executor's dry-run told.
type told struct {
	result protocol.Result
	err    error
	plan   []protocol.Change
	undo   []protocol.Change
	// hasPlan and hasUndo report whether the plans were told.
	hasPlan, hasUndo bool
}

func (r *run) subject(ctx context.Context, wire protocol.Request) *subject {
	s := &subject{run: r, ctx: ctx, wire: wire, place: r.place(ctx, wire.Target["region"])}
	s.verb, _ = r.Registry.Resolve(wire)
	s.req, _ = r.Registry.Check(s.verb, wire)
	wire.Mode = protocol.DryRun
	s.told = readTold(r.DryRun(ctx, wire))
	return s
}

func readTold(result protocol.Result, err error) told {
	t := told{result: result, err: err}
	if err != nil {
		return t
	}
	observed := result.Status.Observed
	t.plan, t.hasPlan = changesOf(observed, protocol.FactPlan)
	t.undo, t.hasUndo = changesOf(observed, protocol.FactUndoPlan)
	return t
}

func changesOf(observed map[string]string, fact string) ([]protocol.Change, bool) {
	text, ok := observed[fact]
	if !ok {
		return nil, false
	}
	changes, err := protocol.DecodeChanges(text)
	return changes, err == nil
}

func (s *subject) nic() string      { return s.req.Target["nicRef"] }
func (s *subject) instance() string { return s.req.Target["instanceRef"] }
func (s *subject) table() string    { return s.req.Target["routeTableRef"] }
func (s *subject) address() string  { return s.req.Target["address"] }

// reading is one reading, made once.
type reading[T any] struct {
	value T
	err   error
}

// once makes a reading of a place, or returns what it was before. What differs between readings is
// in the key.
func once[T any](
	s *subject, key string, read func(context.Context, Reader) (T, error),
) (T, error) {
	if s.place.err != nil {
		var none T
		return none, s.place.err
	}
	if r, ok := s.seen[key].(reading[T]); ok {
		return r.value, r.err
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.Patience)
	defer cancel()
	var r reading[T]
	r.value, r.err = read(ctx, s.reader)
	s.seen[key] = r
	return r.value, r.err
}

func (s *subject) identity() (ec2model.Identity, error) {
	return once(s, "identity", func(ctx context.Context, r Reader) (ec2model.Identity, error) {
		return r.CallerIdentity(ctx)
	})
}

func (s *subject) readInterface() (ec2model.InterfaceDetail, error) {
	return once(s, s.nic(), func(ctx context.Context, r Reader) (ec2model.InterfaceDetail, error) {
		return r.DescribeInterface(ctx, s.nic())
	})
}

func (s *subject) readInstance(id string) (ec2model.Instance, error) {
	return once(s, id, func(ctx context.Context, r Reader) (ec2model.Instance, error) {
		return r.DescribeInstance(ctx, id)
	})
}

func (s *subject) readTable() (ec2model.RouteTable, error) {
	return once(s, s.table(), func(ctx context.Context, r Reader) (ec2model.RouteTable, error) {
		return r.DescribeRouteTable(ctx, s.table())
	})
}

func (s *subject) readSubnet() (ec2model.Subnet, error) {
	nic, err := s.readInterface()
	if err != nil {
		return ec2model.Subnet{}, err
	}
	return once(s, nic.SubnetID, func(ctx context.Context, r Reader) (ec2model.Subnet, error) {
		return r.DescribeSubnet(ctx, nic.SubnetID)
	})
}

// finding is what a check came to.
type finding struct {
	verdict      preflight.Verdict
	seen, advice string
	facts        map[string]any
}

func pass(seen string) finding { return finding{verdict: preflight.Pass, seen: seen} }

func warn(seen, advice string) finding {
	return finding{verdict: preflight.Warn, seen: seen, advice: advice}
}

func fail(seen, advice string) finding {
	return finding{verdict: preflight.Fail, seen: seen, advice: advice}
}

func unknown(seen, advice string) finding {
	return finding{verdict: preflight.Unknown, seen: seen, advice: advice}
}

// with adds facts, by pairs of name and value.
func (f finding) with(pairs ...any) finding {
	if f.facts == nil {
		f.facts = map[string]any{}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.facts[pairs[i].(string)] = pairs[i+1]
	}
	return f
}

// failureOf gives any error its class.
func failureOf(err error) *protocol.Failure {
	var f *protocol.Failure
	if errors.As(err, &f) {
		return f
	}
	return &protocol.Failure{Class: protocol.Internal, Message: err.Error()}
}

// unread is the finding of a check whose reading failed. That something is not there is not known
// from it: only the check that looks for it says so.
func unread(err error) finding {
	f := failureOf(err)
	out := unknown(f.Message, adviceOn(f)).with("failureClass", string(f.Class))
	if hint := f.Facts[protocol.FactPermissionHint]; hint != "" {
		out = out.with("permission", hint)
	}
	return out
}

// adviceOn is what to do about a reading that failed.
func adviceOn(f *protocol.Failure) string {
	switch f.Class {
	case protocol.Authorization:
		if hint := f.Facts[protocol.FactPermissionHint]; hint != "" {
			return "allow " + hint + " for the executor's identity, and run it again"
		}
	case protocol.Throttled, protocol.Unavailable, protocol.Timeout:
		return "run it again later"
	case protocol.NotFound:
		return "mend the target first; see the check target"
	case protocol.Authentication, protocol.Configuration:
		return "mend the identity or the environment first; see the check identity"
	}
	return "look at the sentence, mend what it names, and run it again"
}
