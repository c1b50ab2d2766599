package route

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

const (
	table = "rtb-00000000000000001"
	mine  = "eni-00000000000000001"
	other = "eni-00000000000000002"
	vgw   = "vgw-00000000000000001"
)

// vpc is a route table, and what its writer refuses.
type vpc struct {
	routes []ec2model.Route
	calls  []string
	refuse error
	// gone are interfaces that do not exist any more, and unread may not be read.
	gone, unread []string
	// tables, interfaces and subnets are the errors of reading them.
	tables, interfaces, subnets error
	// elsewhere reports whether the interfaces are in another VPC.
	elsewhere bool
	// tableGone reports whether the table does not exist any more.
	tableGone bool
}

func route(to, target string, edit ...func(*ec2model.Route)) ec2model.Route {
	r := ec2model.Route{Destination: netip.MustParsePrefix(to), Target: target,
		Own: target == ec2model.Local, Static: target != ec2model.Local}
	for _, e := range edit {
		e(&r)
	}
	return r
}

// ownTo is the VPC's own route, led to a target.
func ownTo(target string) ec2model.Route {
	return ec2model.Route{Destination: netip.MustParsePrefix("10.0.0.0/16"), Target: target, Own: true}
}

func onInstance(id string) func(*ec2model.Route) {
	return func(r *ec2model.Route) { r.InstanceID = id }
}

func (v *vpc) DescribeRouteTable(_ context.Context, id string) (ec2model.RouteTable, error) {
	if v.tables != nil {
		return ec2model.RouteTable{}, v.tables
	}
	if v.tableGone {
		return ec2model.RouteTable{}, protocol.Refuse(protocol.NotFound, "%s does not exist", id)
	}
	routes := slices.Clone(v.routes)
	if !slices.ContainsFunc(routes, func(r ec2model.Route) bool { return r.Own }) {
		routes = append(routes, ownTo(ec2model.Local))
	}
	return ec2model.RouteTable{ID: id, VPCID: "vpc-1", Routes: routes}, nil
}

func (v *vpc) DescribeNetworkInterfaces(
	_ context.Context, ids ...string,
) ([]ec2model.NetworkInterface, error) {
	switch {
	case v.interfaces != nil:
		return nil, v.interfaces
	case v.elsewhere:
		return []ec2model.NetworkInterface{{ID: ids[0], VPCID: "vpc-2"}}, nil
	case slices.Contains(v.gone, ids[0]):
		return nil, protocol.Refuse(protocol.NotFound, "%s does not exist", ids[0])
	case slices.Contains(v.unread, ids[0]):
		return nil, protocol.Refuse(protocol.Authorization, "not allowed")
	}
	return []ec2model.NetworkInterface{{ID: ids[0], VPCID: "vpc-1"}}, nil
}

func (v *vpc) DescribeSubnetsWithBlock(
	_ context.Context, _ string, block netip.Prefix,
) ([]ec2model.Subnet, error) {
	if v.subnets != nil {
		return nil, v.subnets
	}
	if block.String() == "10.0.1.0/24" {
		return []ec2model.Subnet{{ID: "subnet-1"}}, nil
	}
	return nil, nil
}

func (v *vpc) CreateRoute(_ context.Context, _ string, to netip.Prefix, via string) error {
	return v.call("create " + to.String() + " " + via)
}

func (v *vpc) ReplaceRoute(_ context.Context, _ string, to netip.Prefix, via string) error {
	return v.call("replace " + to.String() + " " + via)
}

func (v *vpc) DeleteRoute(_ context.Context, _ string, to netip.Prefix) error {
	return v.call("delete " + to.String())
}

func (v *vpc) call(text string) error {
	v.calls = append(v.calls, text)
	return v.refuse
}

func ask(address string, parameters ...string) action.Request {
	r := action.Request{
		Target: map[string]string{"routeTableRef": table, "nicRef": mine, "address": address,
			"region": "eu-west-1"}, Parameters: map[string]string{}}
	for i := 0; i < len(parameters); i += 2 {
		r.Parameters[parameters[i]] = parameters[i+1]
	}
	return r
}

// TestWhatIsReadChoosesTheCall: create, replace and delete follow from the target that was read.
func TestWhatIsReadChoosesTheCall(t *testing.T) {
	blackhole := func(r *ec2model.Route) { r.Blackhole = true }
	propagated := func(r *ec2model.Route) { r.Static = false }
	for _, c := range []struct {
		name   string
		routes []ec2model.Route
		plan   action.PlanFunc
		req    action.Request
		call   string
		facts  map[string]string
	}{
		{"nothing there", nil, action.PlanWith(planAssign), ask("10.9.0.9/32"),
			"create 10.9.0.9/32 " + mine,
			map[string]string{"priorRouteTarget": "none", "routeTableRef": table}},
		{"a shorter one is another", []ec2model.Route{route("10.9.0.0/24", other)},
			action.PlanWith(planAssign), ask("10.9.0.9/32"), "create 10.9.0.9/32 " + mine,
			map[string]string{"priorRouteTarget": "none", "routeTableRef": table}},
		{"another's", []ec2model.Route{route("10.9.0.9/32", other)}, action.PlanWith(planAssign),
			ask("10.9.0.9/32", "allowReassignment", "true"), "replace 10.9.0.9/32 " + mine,
			map[string]string{"priorRouteTarget": other, "routeTableRef": table}},
		{"a black hole", []ec2model.Route{route("10.9.0.9/32", other, blackhole)},
			action.PlanWith(planAssign), ask("10.9.0.9/32", "allowReassignment", "true"),
			"replace 10.9.0.9/32 " + mine,
			map[string]string{"priorRouteTarget": other, "routeTableRef": table,
				"priorRouteState": "blackhole"}},
		{"a propagated one stays below", []ec2model.Route{route("10.9.0.9/32", vgw, propagated)},
			action.PlanWith(planAssign), ask("10.9.0.9/32", "allowReassignment", "true"),
			"create 10.9.0.9/32 " + mine,
			map[string]string{"priorRouteTarget": "none", "routeTableRef": table}},
		{"the VPC's own", nil, action.PlanWith(planAssign),
			ask("10.0.0.0/16", "allowReassignment", "true"), "replace 10.0.0.0/16 " + mine,
			map[string]string{"priorRouteTarget": "local", "routeTableRef": table}},
		{"taken away", []ec2model.Route{route("10.9.0.9/32", mine)}, action.PlanWith(planUnassign),
			ask("10.9.0.9/32"), "delete 10.9.0.9/32", map[string]string{}},
		{"back to nothing", []ec2model.Route{route("10.9.0.9/32", mine)}, action.PlanWith(planUnassign),
			ask("10.9.0.9/32", "priorRouteTarget", "none"), "delete 10.9.0.9/32", map[string]string{}},
		{"back to a gateway", []ec2model.Route{route("10.9.0.9/32", mine)}, action.PlanWith(planUnassign),
			ask("10.9.0.9/32", "priorRouteTarget", vgw), "replace 10.9.0.9/32 " + vgw, map[string]string{}},
		{"the VPC's own back to local", []ec2model.Route{ownTo(mine)}, action.PlanWith(planUnassign),
			ask("10.0.0.0/16", "priorRouteTarget", "local"), "replace 10.0.0.0/16 local",
			map[string]string{}},
		{"a propagated one leads there too",
			[]ec2model.Route{route("10.9.0.9/32", mine), route("10.9.0.9/32", mine, propagated)},
			action.PlanWith(planUnassign), ask("10.9.0.9/32"), "delete 10.9.0.9/32", map[string]string{}},
		{"back to an instance", []ec2model.Route{route("10.9.0.9/32", mine)},
			action.PlanWith(planUnassign), ask("10.9.0.9/32", "priorRouteTarget", "i-00000000000000002"),
			"replace 10.9.0.9/32 i-00000000000000002", map[string]string{}},
		{"back to a gateway, gone meanwhile", nil, action.PlanWith(planUnassign),
			ask("10.9.0.9/32", "priorRouteTarget", vgw, "onDrift", "restore"), "create 10.9.0.9/32 " + vgw,
			map[string]string{"unassignedRoute": "10.9.0.9/32"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := &vpc{routes: c.routes}
			p, err := c.plan(t.Context(), v, c.req)
			if err != nil {
				t.Fatal(err)
			}
			tr := p.Transitions[0]
			if diff := cmp.Diff(c.facts, p.Facts(p.Transitions, p.Seen)); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			if err := tr.Set(t.Context(), v, tr.From, tr.To); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{c.call}, v.calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			verb, _, _ := strings.Cut(c.call, " ")
			if want := "ec2:" + strings.ToUpper(verb[:1]) + verb[1:] + "Route"; tr.Call != want {
				t.Errorf("the IAM action is %s, want %s", tr.Call, want)
			}
		})
	}
}

// TestRefusals: what is not taken, before any call.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		routes []ec2model.Route
		plan   action.PlanFunc
		req    action.Request
		class  protocol.FailureClass
		says   string
	}{
		{"another's", []ec2model.Route{route("10.9.0.9/32", other)}, action.PlanWith(planAssign),
			ask("10.9.0.9/32"), protocol.Conflict, "to " + other + "; allowReassignment=true"},
		{"a propagated one", []ec2model.Route{route("10.9.0.9/32", vgw, func(r *ec2model.Route) {
			r.Static = false
		})}, action.PlanWith(planAssign), ask("10.9.0.9/32"), protocol.Conflict, vgw},
		{"a target that could not be given back", []ec2model.Route{route("10.9.0.9/32", "new-thing")},
			action.PlanWith(planAssign), ask("10.9.0.9/32", "allowReassignment", "true"), protocol.Conflict,
			"could not be given back"},
		{"AWS's own networks", nil, action.PlanWith(planAssign), ask("fd00:ec2::254/128"),
			protocol.InvalidRequest, "AWS keeps"},
		{"a network around AWS's own", nil, action.PlanWith(planAssign), ask("fd00::/16"),
			protocol.InvalidRequest, "AWS keeps"},
		{"drift", []ec2model.Route{route("10.9.0.9/32", other)}, action.PlanWith(planUnassign),
			ask("10.9.0.9/32", "priorRouteTarget", "none"), protocol.Drift, other},
		{"the VPC's own, taken away", []ec2model.Route{ownTo(mine)}, action.PlanWith(planUnassign),
			ask("10.0.0.0/16"), protocol.InvalidRequest, "can't be taken away; priorRouteTarget=local"},
		{"the VPC's own, back to nothing", nil, action.PlanWith(planUnassign),
			ask("10.0.0.0/16", "priorRouteTarget", "none", "onDrift", "restore"), protocol.InvalidRequest,
			"can't be taken away"},
		{"another back to local", []ec2model.Route{route("10.9.0.9/32", mine)},
			action.PlanWith(planUnassign), ask("10.9.0.9/32", "priorRouteTarget", "local"),
			protocol.InvalidRequest, "no block of the VPC"},
		{"nothing back to local", nil, action.PlanWith(planUnassign),
			ask("10.9.0.9/32", "priorRouteTarget", "local", "onDrift", "restore"), protocol.InvalidRequest,
			"no block of the VPC"},
		{"drift to nothing", nil, action.PlanWith(planUnassign),
			ask("10.9.0.9/32", "priorRouteTarget", vgw), protocol.Drift, "none now"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.plan(t.Context(), &vpc{routes: c.routes}, c.req)
			var f *protocol.Failure
			if !errors.As(err, &f) || f.Class != c.class || !strings.Contains(f.Message, c.says) {
				t.Errorf("%v, want %s: …%s…", err, c.class, c.says)
			}
		})
	}
}

// TestConflictTellsWhatIsThereNow: a refusal for another state than was read is no licence to try
// another call.
func TestConflictTellsWhatIsThereNow(t *testing.T) {
	v := &vpc{}
	p, err := action.PlanWith(planAssign)(t.Context(), v,
		ask("10.9.0.9/32", "allowReassignment", "true"))
	if err != nil {
		t.Fatal(err)
	}
	v.refuse = protocol.Refuse(protocol.Conflict, "EC2 says RouteAlreadyExists")
	for _, now := range []string{other, mine} {
		v.routes, v.calls = []ec2model.Route{route("10.9.0.9/32", now)}, nil
		err = p.Transitions[0].Set(t.Context(), v, "none", mine)
		var f *protocol.Failure
		if !errors.As(err, &f) || f.Class != protocol.Conflict || f.Facts["holder"] != now ||
			!f.MayRetry() {
			t.Errorf("%v", err)
		}
		if len(v.calls) != 1 {
			t.Errorf("calls %v", v.calls)
		}
	}
	// The same as was read: EC2's words stand for themselves.
	v.routes = nil
	if err := p.Transitions[0].Set(t.Context(), v, "none", mine); !errors.Is(err, v.refuse) {
		t.Errorf("%v", err)
	}
}

// TestInstanceIsItsInterface: EC2 shows a route to an instance with the instance's interface, and
// it is the same route.
func TestInstanceIsItsInterface(t *testing.T) {
	const instance, own = "i-00000000000000002", "i-00000000000000001"
	plan := func(prior string, routes ...ec2model.Route) (*action.Plan, error) {
		return action.PlanWith(planUnassign)(t.Context(), &vpc{routes: routes},
			ask("10.9.0.9/32", "priorRouteTarget", prior))
	}
	p, err := plan(instance, route("10.9.0.9/32", other, onInstance(instance)))
	if err != nil || p.Seen.Values[0] != instance || p.Transitions[0].To != instance {
		t.Fatalf("back already: %+v, %v", p, err)
	}
	if got := p.Facts(p.Transitions, p.Seen)["restoredRouteTarget"]; got != instance {
		t.Errorf("restored to %q", got)
	}
	if p, err = plan(own, route("10.9.0.9/32", mine, onInstance(own))); err != nil || p.Skip == "" {
		t.Errorf("the interface's own instance: %+v, %v", p, err)
	}
	var f *protocol.Failure
	if _, err = plan(own, route("10.9.0.9/32", other, onInstance(instance))); !errors.As(err, &f) ||
		f.Class != protocol.Drift {
		t.Errorf("another instance: %v", err)
	}
	// Without an action to undo it is another's, and stays.
	v := &vpc{routes: []ec2model.Route{route("10.9.0.9/32", other)}}
	p, err = action.PlanWith(planUnassign)(t.Context(), v, ask("10.9.0.9/32"))
	if err != nil || p.Seen.Values[0] != other || p.Transitions[0].To != other {
		t.Errorf("another's: %+v, %v", p, err)
	}
}

// TestPropagatedRouteIsNotTakenAway: it leads to the interface all the same, and is told.
func TestPropagatedRouteIsNotTakenAway(t *testing.T) {
	there := route("10.9.0.9/32", mine, func(r *ec2model.Route) { r.Static = false })
	p, err := action.PlanWith(planUnassign)(t.Context(), &vpc{routes: []ec2model.Route{there}},
		ask("10.9.0.9/32"))
	if err != nil || p.Seen.Values[0] != noRoute || len(p.Facts(p.Transitions, p.Seen)) > 0 ||
		!strings.Contains(p.Words.Already, "a propagated one leads it to "+mine) {
		t.Errorf("%+v, %v", p, err)
	}
	// A static one, or the VPC's own, to the same destination is not propagated.
	table := ec2model.RouteTable{Routes: []ec2model.Route{route("10.9.0.9/32", mine), ownTo(mine)}}
	for _, to := range []string{"10.9.0.9/32", "10.0.0.0/16"} {
		if r, found := table.Propagated(netip.MustParsePrefix(to)); found {
			t.Errorf("%v is propagated", r)
		}
	}
}

// TestUndoFacts: what was overwritten is a fact only when something was.
func TestUndoFacts(t *testing.T) {
	for _, c := range []struct {
		routes []ec2model.Route
		want   map[string]string
	}{
		{nil, map[string]string{"unassignedRoute": "10.9.0.9/32", "restoredRouteTarget": vgw}},
		{[]ec2model.Route{route("10.9.0.9/32", mine)},
			map[string]string{"unassignedRoute": "10.9.0.9/32", "restoredRouteTarget": vgw}},
		{[]ec2model.Route{route("10.9.0.9/32", other)},
			map[string]string{"unassignedRoute": "10.9.0.9/32", "restoredRouteTarget": vgw,
				"overwroteRouteTarget": other}},
	} {
		v := &vpc{routes: c.routes}
		p, err := action.PlanWith(planUnassign)(t.Context(), v,
			ask("10.9.0.9/32", "priorRouteTarget", vgw, "onDrift", "restore"))
		if err != nil {
			t.Fatal(err)
		}
		if taken := c.want["overwroteRouteTarget"]; strings.Contains(p.Words.Did, "taken from") !=
			(taken != "") || !strings.HasSuffix(p.Words.Did, taken) {
			t.Errorf("%v: %s", c.routes, p.Words.Did)
		}
		v.routes = []ec2model.Route{route("10.9.0.9/32", vgw)}
		seen, err := p.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, p.Facts(p.Transitions, seen)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.routes, diff)
		}
	}
}

// TestBlackHoleOfAnEarlierAttempt: what is read now tells nothing of what was there before it.
func TestBlackHoleOfAnEarlierAttempt(t *testing.T) {
	hole := route("10.9.0.9/32", other, func(r *ec2model.Route) { r.Blackhole = true })
	p, err := action.PlanWith(planAssign)(t.Context(), &vpc{routes: []ec2model.Route{hole}},
		ask("10.9.0.9/32", "allowReassignment", "true"))
	if err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]string{other: "blackhole", vgw: ""} {
		transitions := slices.Clone(p.Transitions)
		transitions[0].From = from
		if got := p.Facts(transitions, p.Seen)["priorRouteState"]; got != want {
			t.Errorf("from %s: %q, want %q", from, got, want)
		}
	}
}

// TestWhatIsGone: a prior target that does not exist any more is told with what may be done; a
// table that does not has no prior target to speak of.
func TestWhatIsGone(t *testing.T) {
	for prior, told := range map[string]bool{vgw: true, "none": false} {
		v := &vpc{routes: []ec2model.Route{route("10.9.0.9/32", mine)},
			refuse: protocol.Refuse(protocol.NotFound, "EC2 says it does not exist")}
		p, err := action.PlanWith(planUnassign)(t.Context(), v,
			ask("10.9.0.9/32", "priorRouteTarget", prior))
		if err != nil {
			t.Fatal(err)
		}
		err = p.Transitions[0].Set(t.Context(), v, mine, prior)
		if err == nil || strings.Contains(err.Error(),
			"under a key of its own, without priorRouteTarget") != told {
			t.Errorf("%s: %v", prior, err)
		}
	}
}
