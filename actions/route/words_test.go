package route

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"
)

// TestWords: every undo and release is told in full, before it and after it, and where nothing is
// to be done.
func TestWords(t *testing.T) {
	propagated := route(there, mine, func(r *ec2model.Route) { r.Static = false })
	for _, c := range []struct {
		name   string
		routes []ec2model.Route
		gone   []string
		req    action.Request
		want   action.Words
	}{
		{"given back", leads(mine).routes, nil, undo(ask(there, factPrior, vgw)), action.Words{
			Would:   "give the route to " + there + " in " + table + " back to " + vgw,
			Did:     "gave the route to " + there + " in " + table + " back to " + vgw,
			Already: table + " leads " + there + " to " + vgw + " again",
		}},
		{"given back, over a stranger's", leads(third).routes, nil,
			undo(ask(there, factPrior, vgw, "onDrift", "restore")), action.Words{
				Would: "give the route to " + there + " in " + table + " back to " + vgw +
					", taking it from " + third,
				Did: "gave the route to " + there + " in " + table + " back to " + vgw +
					", taken from " + third,
				Already: table + " leads " + there + " to " + vgw + " again",
			}},
		{"taken away", leads(mine).routes, nil, undo(ask(there, factPrior, noRoute)), action.Words{
			Would:   "take the route to " + there + " away from " + mine + " in " + table,
			Did:     "took the route to " + there + " away from " + mine + " in " + table,
			Already: table + " does not lead " + there + " to " + mine,
		}},
		{"taken away, over a stranger's", leads(third).routes, nil,
			undo(ask(there, factPrior, noRoute, "onDrift", "restore")), action.Words{
				Would:   "take the route to " + there + " away from " + third + " in " + table,
				Did:     "took the route to " + there + " away from " + third + " in " + table,
				Already: table + " does not lead " + there + " to " + mine,
			}},
		{"released, and not there", nil, nil, ask(there), action.Words{
			Would:   "take the route to " + there + " away from " + mine + " in " + table,
			Did:     "took the route to " + there + " away from " + mine + " in " + table,
			Already: table + " does not lead " + there + " to " + mine,
		}},
		{"named by another executor", leads(mine).routes, nil,
			undo(ask(there, factAssigned, there)), action.Words{
				Would: "take the route to " + there + " away from " + mine + " in " + table +
					"; where it led before is not known, so it leads nowhere",
				Did: "took the route to " + there + " away from " + mine + " in " + table +
					"; where it led before is not known, so it leads nowhere",
				Already: table + " does not lead " + there + " to " + mine,
			}},
		{"named by another executor, and moved on", leads(third).routes, nil,
			undo(ask(there, factAssigned, there)), action.Words{
				Would: "take the route to " + there + " away from " + third + " in " + table +
					"; where it led before is not known, so it leads nowhere",
				Did: "took the route to " + there + " away from " + third + " in " + table +
					"; where it led before is not known, so it leads nowhere",
				Already: table + " does not lead " + there + " to " + mine + " any more, and the route to " +
					third + " stays",
			}},
		{"named by another executor, and gone", nil, nil,
			undo(ask(there, factAssigned, there)), action.Words{
				Would: "take the route to " + there + " away from " + mine + " in " + table +
					"; where it led before is not known, so it leads nowhere",
				Did: "took the route to " + there + " away from " + mine + " in " + table +
					"; where it led before is not known, so it leads nowhere",
				Already: table + " does not lead " + there + " to " + mine,
			}},
		{"its prior target is gone", leads(mine).routes, []string{other},
			undo(withHistory(ask(there), live("k", other, mine))), action.Words{
				Would: "take the route to " + there + " away from " + mine + " in " + table + "; " + other +
					", which it led to before the action, does not exist any more",
				Did: "took the route to " + there + " away from " + mine + " in " + table + "; " + other +
					", which it led to before the action, does not exist any more",
				Already: table + " does not lead " + there + " to " + mine + "; " + other +
					", which it led to before the action, does not exist any more",
			}},
		{"a propagated one leads there, too", append(leads(mine).routes, propagated), nil, ask(there),
			action.Words{
				Would: "take the route to " + there + " away from " + mine + " in " + table +
					"; a propagated one leads there too, and stays",
				Did: "took the route to " + there + " away from " + mine + " in " + table +
					"; a propagated one leads there still",
				Already: table + " has no route to " + there + " that could be taken away;" +
					" a propagated one leads it to " + mine,
			}},
		{"a propagated one leads there, and it is given back",
			append(leads(mine).routes, propagated), nil,
			undo(ask(there, factPrior, vgw)), action.Words{
				Would:   "give the route to " + there + " in " + table + " back to " + vgw,
				Did:     "gave the route to " + there + " in " + table + " back to " + vgw,
				Already: table + " leads " + there + " to " + vgw + " again",
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := action.PlanWith(planUnassign)(t.Context(), &vpc{routes: c.routes, gone: c.gone}, c.req)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, p.Words); diff != "" {
				t.Errorf("words (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDescribed: a transition names the entry of the table, as records of it do.
func TestDescribed(t *testing.T) {
	p, err := action.PlanWith(planAssign)(t.Context(), leads(noRoute), ask(there))
	if err != nil {
		t.Fatal(err)
	}
	if tr := p.Transitions[0]; tr.Resource != table+"/"+there || tr.Attribute != "target" {
		t.Errorf("%s of %s", tr.Attribute, tr.Resource)
	}
	for blackhole, state := range map[bool]string{false: "active", true: "blackhole"} {
		v := &vpc{routes: []ec2model.Route{
			route(there, mine, func(r *ec2model.Route) { r.Blackhole = blackhole }),
		}}
		seen, err := func() (action.Seen, error) {
			p, err := action.PlanWith(planAssign)(t.Context(), v, ask(there))
			if err != nil {
				return action.Seen{}, err
			}
			return p.Read(t.Context())
		}()
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			factPrior: noRoute, "routeTableRef": table, "assignedRoute": there,
			"nextHopNICRef": mine, "routeState": state,
		}
		if diff := cmp.Diff(want, p.Facts(p.Transitions, seen)); diff != "" {
			t.Errorf("facts (-want +got):\n%s", diff)
		}
	}
}

// TestForeseen: what EC2 would refuse of a route is told in a dry-run, and what may not be read is
// named.
func TestForeseen(t *testing.T) {
	const whole, part = "10.0.1.0/24", "10.0.1.0/25"
	busy := protocol.Refuse(protocol.Throttled, "EC2 is busy")
	denied := protocol.Refuse(protocol.Authorization, "not allowed")
	for _, c := range []struct {
		name, to   string
		v          *vpc
		err        error
		class      protocol.FailureClass
		says       string
		unforeseen []string
	}{
		{name: "outside of the VPC", to: there, v: &vpc{}},
		{name: "a whole subnet", to: whole, v: &vpc{}},
		{name: "the VPC's own block", to: "10.0.0.0/16", v: &vpc{routes: []ec2model.Route{ownTo(other)}}},
		{name: "a part of a subnet", to: part, v: &vpc{}, class: protocol.InvalidRequest,
			says: part + " is inside the VPC's own block 10.0.0.0/16, where EC2 takes a route only to a" +
				" whole subnet; an address to capture by a route must be outside of it, or use the" +
				" secondary-ip strategy"},
		{name: "another VPC's", to: there, v: &vpc{elsewhere: true}, class: protocol.InvalidRequest,
			says: mine + " is in vpc-2, and " + table +
				" in vpc-1: a table leads only to interfaces of its own VPC"},
		{name: "the interface does not exist", to: there, v: &vpc{gone: []string{mine}},
			class: protocol.NotFound, says: mine + " does not exist"},
		{name: "the interface may not be read", to: there, v: &vpc{unread: []string{mine}},
			unforeseen: []string{"whether " + mine + " is in vpc-1 (reading it is not allowed)"}},
		{name: "neither may be read", to: part, v: &vpc{unread: []string{mine}, subnets: denied},
			unforeseen: []string{
				"whether " + mine + " is in vpc-1 (reading it is not allowed)",
				"whether " + part + " is a whole subnet (reading it is not allowed)",
			}},
		{name: "the subnets can't be read now", to: part, v: &vpc{subnets: busy},
			class: protocol.Throttled, says: "EC2 is busy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := ask(c.to, "allowReassignment", "true")
			p, err := action.PlanWith(planAssign)(t.Context(), c.v, req)
			if err != nil {
				t.Fatal(err)
			}
			unforeseen, err := p.Foresee(t.Context())
			var f *protocol.Failure
			if errors.As(err, &f) != (c.class != "") || f != nil &&
				(f.Class != c.class || f.Message != c.says) {
				t.Errorf("%v, want %s: %s", err, c.class, c.says)
			}
			if diff := cmp.Diff(c.unforeseen, unforeseen); diff != "" {
				t.Errorf("not foreseen (-want +got):\n%s", diff)
			}
		})
	}
}

// TestHeldRoute: a route that leads elsewhere is named whole.
func TestHeldRoute(t *testing.T) {
	hole := route(there, other, func(r *ec2model.Route) { r.Blackhole = true })
	for _, c := range []struct {
		name  string
		route ec2model.Route
		says  string
	}{
		{"another's", route(there, other),
			table + " leads " + there + " to " + other + "; allowReassignment=true takes it from there"},
		{"a black hole", hole, table + " leads " + there + " to " + other +
			", which is a black hole; allowReassignment=true takes it from there"},
	} {
		_, err := action.PlanWith(planAssign)(t.Context(), &vpc{routes: []ec2model.Route{c.route}},
			ask(there))
		var f *protocol.Failure
		if !errors.As(err, &f) || f.Message != c.says || f.Facts["holder"] != other {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	v := &vpc{routes: []ec2model.Route{route(there, "new-thing")}}
	_, err := action.PlanWith(planAssign)(t.Context(), v, ask(there, "allowReassignment", "true"))
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Facts["holder"] != "new-thing" {
		t.Errorf("of an unknown kind: %v", err)
	}
}

// TestUnread: what can't be read is the answer, and nothing is taken for gone.
func TestUnread(t *testing.T) {
	busy := protocol.Refuse(protocol.Throttled, "EC2 is busy")
	answered := func(r action.Request) action.Request { r.Answered = true; return r }
	broken := undo(withHistory(ask(there, factPrior, other)))
	broken.Past.History = func(string, string) ([]action.Recorded, error) { return nil, busy }
	for _, c := range []struct {
		name string
		v    *vpc
		req  action.Request
	}{
		{"the table", &vpc{tables: busy}, undo(ask(there))},
		{"the table, of an action that changed nothing", &vpc{tables: busy},
			undo(ask(there, factPrior, mine))},
		{"the history", leads(mine), broken},
		{"the prior interface", &vpc{routes: leads(mine).routes, interfaces: busy},
			undo(ask(there, factPrior, other))},
		{"the prior interface, where it leads nowhere", &vpc{interfaces: busy},
			answered(undo(ask(there, factPrior, other)))},
	} {
		_, err := action.PlanWith(planUnassign)(t.Context(), c.v, c.req)
		if !errors.Is(err, busy) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, plan := range []action.PlanFunc{action.PlanWith(planAssign),
		action.PlanWith(planUnassign)} {
		req := withHistory(ask(there), history.Entry{})
		req.Past.History = broken.Past.History
		if _, err := plan(t.Context(), leads(noRoute), req); !errors.Is(err, busy) {
			t.Errorf("the history: %v", err)
		}
	}
}

// TestGoneWithItsTable: an action that is not recorded and changed nothing is skipped, as it would
// be were the table there.
func TestGoneWithItsTable(t *testing.T) {
	p, err := action.PlanWith(planUnassign)(t.Context(), &vpc{tableGone: true},
		undo(ask(there, factPrior, mine)))
	if err != nil || p.Skip !=
		table+" led "+there+" to "+mine+" before the action: the route is left as it is" {
		t.Errorf("%+v, %v", p, err)
	}
	// With facts and a record, nothing is unknown.
	req := undo(withHistory(ask(there, factAssigned, there), live("k", vgw, mine)))
	p, err = action.PlanWith(planUnassign)(t.Context(), &vpc{tableGone: true}, req)
	if err != nil || p.Facts(nil, action.Seen{})["unknownPrior"] != "" {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestAssignWords: what an assignment says, with what is dangerous about it.
func TestAssignWords(t *testing.T) {
	v := &vpc{routes: []ec2model.Route{route(there, other)}}
	p, err := action.PlanWith(planAssign)(t.Context(), v, ask(there, "allowReassignment", "true"))
	if err != nil {
		t.Fatal(err)
	}
	want := action.Words{
		Would:   "route " + there + " to " + mine + " in " + table + ", taking it from " + other,
		Did:     "routed " + there + " to " + mine + " in " + table + ", taken from " + other,
		Already: table + " leads " + there + " to " + mine,
	}
	if diff := cmp.Diff(want, p.Words); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
	for _, blackhole := range []bool{false, true} {
		v.routes = []ec2model.Route{route(there, mine, func(r *ec2model.Route) {
			r.Blackhole = blackhole
		})}
		seen, err := p.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		if blackhole {
			want = []string{"it is a black hole: " + mine + " is detached, or its instance is not running"}
		}
		if diff := cmp.Diff(want, p.Dangers(p.Transitions, seen)); diff != "" {
			t.Errorf("dangers (-want +got):\n%s", diff)
		}
	}
}

// TestReservedNetworks: EC2 keeps these for itself in every VPC.
func TestReservedNetworks(t *testing.T) {
	for _, to := range []string{"169.254.169.0/24", "fd00:ec2::254/128"} {
		_, err := action.PlanWith(planAssign)(t.Context(), &vpc{}, ask(to))
		var f *protocol.Failure
		if !errors.As(err, &f) || !strings.HasPrefix(f.Message, to+" is in ") {
			t.Errorf("%s: %v", to, err)
		}
	}
}

// TestOnlyInterfacesAreReadForAnUndo: of a target of any other kind only EC2 tells. Another's
// propagated route is not told.
func TestOnlyInterfacesAreReadForAnUndo(t *testing.T) {
	elsewhere := route(there, other, func(r *ec2model.Route) { r.Static = false })
	v := &vpc{routes: append(leads(mine).routes, elsewhere), gone: []string{vgw, mine}}
	for _, prior := range []string{vgw, noRoute} {
		p, err := action.PlanWith(planUnassign)(t.Context(), v, undo(ask(there, factPrior, prior)))
		if err != nil || p.Transitions[0].To != prior || strings.Contains(p.Words.Did, "propagated") {
			t.Errorf("%s: %+v, %v", prior, p, err)
		}
	}
}
