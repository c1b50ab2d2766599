package route

import (
	"context"
	"errors"
	"net/netip"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// entry is the one entry of a route table that both verbs act on.
type entry struct {
	r     Reader
	table string
	to    netip.Prefix
	nic   string
}

func newEntry(r Reader, req action.Request) entry {
	return entry{
		r: r, table: req.Target["routeTableRef"], nic: req.Target["nicRef"],
		to: netip.MustParsePrefix(req.Target["address"]),
	}
}

func (e entry) read(ctx context.Context) (ec2model.RouteTable, ec2model.Route, error) {
	table, err := e.r.DescribeRouteTable(ctx, e.table)
	if err != nil {
		return table, ec2model.Route{}, err
	}
	route, found := table.To(e.to)
	if !found {
		route.Target = noRoute
	}
	if _, err := action.RouteTarget.Canonical(route.Target); err != nil {
		return table, route, protocol.Refuse(protocol.Conflict,
			"%s leads %s to %s, which is of a kind that could not be given back",
			e.table, e.to, protocol.Quote(route.Target)).With("holder", route.Target)
	}
	return table, route, nil
}

// seen is the reading in the executor's terms.
func (e entry) seen(table ec2model.RouteTable, route ec2model.Route) action.Seen {
	s := action.Seen{Values: []string{route.Target}, Owner: table.OwnerID}
	if route.Target == e.nic {
		s.Facts = map[string]string{"routeState": state(route)}
	}
	return s
}

func (e entry) readAgain(ctx context.Context) (action.Seen, error) {
	table, route, err := e.read(ctx)
	return e.seen(table, route), err
}

func state(route ec2model.Route) string {
	if route.Blackhole {
		return "blackhole"
	}
	return "active"
}

const attribute = "target"

func (e entry) resource() string { return e.table + "/" + e.to.String() }

// at is the destination with where it leads now.
func (e entry) at(now string) action.At {
	return action.At{
		Resource: e.resource(), Attribute: attribute, Now: now,
		What: "the target of " + e.to.String() + " in " + e.table,
	}
}

// transition leads the destination from one target to another.
func (e entry) transition(from, to string) action.Transition {
	t := action.Transition{
		Resource: e.resource(), Attribute: attribute, From: from, To: to, Call: callReplace,
		Set: action.SetWith(func(ctx context.Context, w Writer, from, to string) error {
			switch {
			case to == noRoute:
				return e.explain(ctx, from, w.DeleteRoute(ctx, e.table, e.to))
			case from == noRoute:
				return e.explain(ctx, from, w.CreateRoute(ctx, e.table, e.to, to))
			}
			return e.explain(ctx, from, w.ReplaceRoute(ctx, e.table, e.to, to))
		}),
	}
	switch {
	case to == noRoute:
		t.Call = callDelete
	case from == noRoute:
		t.Call = callCreate
	}
	return t
}

// explain says what is there now where EC2 only says that it is not what was read. To plan
// anew from that is for another attempt: this one's prior facts would not be true.
func (e entry) explain(ctx context.Context, from string, err error) error {
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != protocol.Conflict {
		return err
	}
	_, route, readErr := e.read(ctx)
	if readErr != nil || route.Target == from {
		return err
	}
	again := true
	named := f.With("holder", route.Target)
	named.Retryable = &again
	named.Message += "; " + e.to.String() + " led to " + from + " when it was read before," +
		" and leads to " + route.Target + " now: try again, from what is there now"
	return named
}
