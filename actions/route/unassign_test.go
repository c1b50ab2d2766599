package route

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"
)

const (
	third = "eni-00000000000000003"
	there = "10.9.0.9/32"
)

func live(key, from, to string) history.Entry {
	return history.Entry{Key: key, From: from, To: to, State: history.Live}
}

func withdrawn(key, from, to string, undone int64, left string) history.Entry {
	e := live(key, from, to)
	e.State, e.Undone, e.Aim = history.Withdrawn, undone, left
	return e
}

// withHistory gives a request what is recorded of its destination. The key of an undo is k.
func withHistory(req action.Request, entries ...history.Entry) action.Request {
	past := &action.Past{Key: "k"}
	var all []action.Recorded
	for i, e := range entries {
		e.Seq = int64(i + 1)
		r := action.Recorded{Entry: e, Resource: table + "/" + there, Attribute: attribute}
		all = append(all, r)
		if e.Key == past.Key && e.State != history.Withdrawn {
			past.Own = append(past.Own, r)
		}
	}
	past.History = func(resource, attribute string) ([]action.Recorded, error) {
		return slices.DeleteFunc(slices.Clone(all), func(r action.Recorded) bool {
			return r.Resource != resource || r.Attribute != attribute
		}), nil
	}
	req.Past = past
	return req
}

// undo makes a request one of the key k:undo.
func undo(req action.Request) action.Request {
	req.Undoes = true
	return req
}

// leads is a table that leads the destination to a target.
func leads(target string) *vpc {
	if target == noRoute {
		return &vpc{}
	}
	return &vpc{routes: []ec2model.Route{route(there, target)}}
}

// TestUndoByTheHistory: where the undo of an action leads the destination, and what it tells of
// that once it is so. The action is under k, and led the destination to mine.
func TestUndoByTheHistory(t *testing.T) {
	facts := func(pairs ...string) map[string]string {
		all := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i]] = pairs[i+1]
		}
		return all
	}
	const taken, restored = "unassignedRoute", "restoredRouteTarget"
	for _, c := range []struct {
		name, now    string
		gone, unread []string
		entries      []history.Entry
		told         []string
		to           string
		heldBy       []string
		facts        map[string]string
		says         string
	}{
		{name: "given back", now: mine, entries: []history.Entry{live("k", vgw, mine)},
			told: []string{factPrior, vgw}, to: vgw, facts: facts(taken, there, restored, vgw),
			says: "gave the route to " + there + " in " + table + " back to " + vgw},
		{name: "by the record alone", now: mine, entries: []history.Entry{live("k", vgw, mine)},
			to: vgw, facts: facts(taken, there, restored, vgw)},
		{name: "by the facts alone", now: mine, told: []string{factPrior, vgw}, to: vgw,
			facts: facts(taken, there, restored, vgw)},
		{name: "it led nowhere", now: mine, entries: []history.Entry{live("k", noRoute, mine)},
			told: []string{factPrior, noRoute}, to: noRoute, facts: facts(taken, there, restored, noRoute),
			says: "took the route to " + there + " away from " + mine},
		{name: "it leads there already", now: vgw, entries: []history.Entry{live("k", vgw, mine)},
			told: []string{factPrior, vgw}, to: vgw, facts: facts(taken, there, restored, vgw)},
		{name: "another counts on it", now: mine,
			entries: []history.Entry{live("k", vgw, mine), live("x", mine, mine)},
			told:    []string{factPrior, vgw}, to: mine, heldBy: []string{"x"}, facts: facts()},
		{name: "the last one gives back what it did not take", now: mine,
			entries: []history.Entry{withdrawn("x", vgw, mine, 3, mine), live("k", mine, mine)},
			told:    []string{factPrior, mine}, to: vgw, facts: facts(taken, there, restored, vgw)},
		{name: "another took it since", now: other,
			entries: []history.Entry{live("k", vgw, mine), live("x", mine, other)},
			told:    []string{factPrior, vgw}, to: other, heldBy: []string{"x"}, facts: facts(taken, there)},
		{name: "told to ignore who counts on it", now: other,
			entries: []history.Entry{live("k", vgw, mine), live("x", mine, other)},
			told:    []string{factPrior, vgw, "ignoreHolders", "true"}, to: vgw, heldBy: []string{"x"},
			facts: facts(taken, there, restored, vgw), says: "back to " + vgw + ", taken from " + other},
		{name: "over a stranger's", now: third, entries: []history.Entry{live("k", vgw, mine)},
			told: []string{factPrior, vgw, "onDrift", "restore"}, to: vgw,
			facts: facts(taken, there, restored, vgw, "overwroteRouteTarget", third)},
		{name: "the prior interface exists", now: mine, entries: []history.Entry{live("k", other, mine)},
			told: []string{factPrior, other}, to: other, facts: facts(taken, there, restored, other)},
		{name: "the prior interface may not be read", now: mine, unread: []string{other},
			entries: []history.Entry{live("k", other, mine)},
			told:    []string{factPrior, other}, to: other, facts: facts(taken, there, restored, other)},
		{name: "the prior interface is gone for good", now: mine, gone: []string{other},
			entries: []history.Entry{live("k", other, mine)}, told: []string{factPrior, other},
			to: noRoute, facts: facts(taken, there, "notRestored", "true", factPrior, other),
			says: other + ", which it led to before the action, does not exist any more"},
		{name: "nothing to overwrite a stranger's with", now: third, gone: []string{other},
			entries: []history.Entry{live("k", other, mine)},
			told:    []string{factPrior, other, "onDrift", "restore"}, to: third,
			facts: facts(taken, there, "notRestored", "true", factPrior, other)},
		{name: "named by another executor, and recorded", now: mine,
			entries: []history.Entry{live("k", vgw, mine)}, told: []string{factAssigned, there},
			to: vgw, facts: facts(taken, there, restored, vgw)},
		{name: "named by another executor", now: mine, told: []string{factAssigned, there},
			to: noRoute, facts: facts(taken, there, "unknownPrior", factPrior),
			says: "where it led before is not known, so it leads nowhere"},
		{name: "named by another executor, and moved on", now: third,
			told: []string{factAssigned, there}, to: third,
			facts: facts(taken, there, "unknownPrior", factPrior)},
		{name: "named by another executor, and held", now: mine,
			entries: []history.Entry{live("x", mine, mine)}, told: []string{factAssigned, there},
			to: mine, heldBy: []string{"x"}, facts: facts("unknownPrior", factPrior)},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := leads(c.now)
			v.gone, v.unread = c.gone, c.unread
			req := undo(withHistory(ask(there, c.told...), c.entries...))
			p, err := action.PlanWith(planUnassign)(t.Context(), v, req)
			if err != nil {
				t.Fatal(err)
			}
			tr := p.Transitions[0]
			if tr.To != c.to || tr.From != c.now || tr.Back == nil || tr.Back.To != c.to || p.Skip != "" {
				t.Errorf("%+v, back %+v, skip %q; want %s", tr, tr.Back, p.Skip, c.to)
			}
			if diff := cmp.Diff(c.heldBy, tr.Back.HeldBy); diff != "" {
				t.Errorf("held by (-want +got):\n%s", diff)
			}
			v.routes = leads(c.to).routes
			seen, err := p.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.facts, p.Facts(p.Transitions, seen)); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			if !strings.Contains(p.Words.Did, c.says) {
				t.Errorf("it says %q", p.Words.Did)
			}
			unforeseen, err := p.Foresee(t.Context())
			if err != nil || (len(unforeseen) > 0) != (len(c.unread) > 0) {
				t.Errorf("not foreseen is %q, %v", unforeseen, err)
			}
		})
	}
}

// TestWhatChangedNothingStays: the undo of an action that found what it wants takes nothing away,
// and a stranger who led the destination elsewhere since is not in its way.
func TestWhatChangedNothingStays(t *testing.T) {
	found := live("k", mine, mine)
	found.Begins = true
	for _, c := range []struct {
		name, now string
		entries   []history.Entry
	}{
		{"not recorded", mine, nil},
		{"recorded", mine, []history.Entry{found}},
		{"led elsewhere by a stranger", third, []history.Entry{found}},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := undo(withHistory(ask(there, factPrior, mine), c.entries...))
			p, err := action.PlanWith(planUnassign)(t.Context(), leads(c.now), req)
			if err != nil {
				t.Fatal(err)
			}
			tr := p.Transitions[0]
			want := table + " led " + there + " to " + mine +
				" before the action: the route is left as it is"
			if p.Skip != want || tr.From != tr.To || len(p.Facts(p.Transitions, p.Seen)) > 0 {
				t.Errorf("%q, from %s to %s", p.Skip, tr.From, tr.To)
			}
		})
	}
}

// TestUndoRefused: an undo that can't be the action's, or that would take away what is not its own.
func TestUndoRefused(t *testing.T) {
	recent := func(r action.Request) action.Request { r.Recent = true; return r }
	for _, c := range []struct {
		name, now string
		gone      []string
		req       action.Request
		class     protocol.FailureClass
		says      string
	}{
		{"a stranger's", third, nil, undo(withHistory(ask(there, factPrior, vgw), live("k", vgw, mine))),
			protocol.Drift, "the target of " + there + " in " + table + " is " + third + " now"},
		{"it led elsewhere before", mine, nil,
			undo(withHistory(ask(there, factPrior, noRoute), live("k", vgw, mine))),
			protocol.Conflict, "was " + vgw},
		{"the action led to another", mine, nil, undo(withHistory(ask(there), live("k", vgw, third))),
			protocol.Conflict, "made the target of " + table + "/" + there + " " + third},
		{"the facts name another destination", mine, nil, undo(ask(there, factAssigned, "10.9.0.8/32")),
			protocol.InvalidRequest, "another action's"},
		{"its prior target does not show yet", mine, []string{other},
			recent(undo(withHistory(ask(there, factPrior, other), live("k", other, mine)))),
			protocol.NotFound, "takes the route away"},
		{"nothing but a typed id tells of its prior target", mine, []string{other},
			undo(ask(there, factPrior, other)), protocol.NotFound, "takes the route away"},
		{"nothing tells anything, and nothing is kept", mine, nil, undo(ask(there)),
			protocol.InvalidRequest, "nothing tells what was there before"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := leads(c.now)
			v.gone = c.gone
			_, err := action.PlanWith(planUnassign)(t.Context(), v, c.req)
			var f *protocol.Failure
			if !errors.As(err, &f) || f.Class != c.class || !strings.Contains(f.Message, c.says) {
				t.Errorf("%v, want %s: …%s…", err, c.class, c.says)
			}
		})
	}
}

// TestNothingKnownIsNotUndone: an undo of which nothing is known takes nothing away.
func TestNothingKnownIsNotUndone(t *testing.T) {
	for _, gone := range []bool{false, true} {
		v, req := leads(mine), undo(ask(there))
		v.tableGone, req.Durable = gone, true
		p, err := action.PlanWith(planUnassign)(t.Context(), v, req)
		if err != nil || !strings.Contains(p.Skip, "stays as it is") || len(p.Transitions) > 0 {
			t.Errorf("table gone %t: %+v, %v", gone, p, err)
		}
	}
}

// TestUndoWithoutItsTable: a route is gone with its table, if the action is known to have been on
// it.
func TestUndoWithoutItsTable(t *testing.T) {
	answered := func(r action.Request) action.Request { r.Answered = true; return r }
	for _, c := range []struct {
		name    string
		req     action.Request
		class   protocol.FailureClass
		unknown string
	}{
		{"by the record", undo(withHistory(ask(there), live("k", vgw, mine))), "", ""},
		{"by the facts", answered(undo(ask(there, factPrior, vgw))), "", ""},
		{"named", answered(undo(ask(there, factAssigned, there))), "", factPrior},
		{"nobody knows it", undo(ask(there, factPrior, vgw)), protocol.NotFound, ""},
		{"the action led to another", undo(withHistory(ask(there), live("k", vgw, third))),
			protocol.Conflict, ""},
		{"released", ask(there), protocol.NotFound, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := leads(mine)
			v.tableGone = true
			p, err := action.PlanWith(planUnassign)(t.Context(), v, c.req)
			var f *protocol.Failure
			if errors.As(err, &f) != (c.class != "") || f != nil && f.Class != c.class {
				t.Fatalf("%v, want %q", err, c.class)
			}
			if err != nil {
				return
			}
			facts := p.Facts(nil, action.Seen{})
			if !p.TargetGone || facts["unassignedRoute"] != there || facts["unknownPrior"] != c.unknown {
				t.Errorf("gone %t, %v", p.TargetGone, facts)
			}
		})
	}
}

// TestRelease: under a key of its own and without facts the route is taken away, wherever it led
// before. What is not given back is told.
func TestRelease(t *testing.T) {
	taken := func(more ...string) map[string]string {
		facts := map[string]string{"unassignedRoute": there}
		for i := 0; i < len(more); i += 2 {
			facts[more[i]] = more[i+1]
		}
		return facts
	}
	for _, c := range []struct {
		name, now string
		entries   []history.Entry
		to        string
		facts     map[string]string
		// ends is the last entry that the release ends, -1 if it records nothing.
		ends int64
	}{
		{"nothing recorded", mine, nil, noRoute, taken(), -1},
		{"it led nowhere", mine, []history.Entry{live("x", noRoute, mine)}, noRoute, taken(), 2},
		{"it led to another", mine, []history.Entry{live("x", vgw, mine)}, noRoute,
			taken("notRestored", "true", factPrior, vgw), 2},
		{"a stranger's", mine, []history.Entry{live("x", vgw, third)}, noRoute, taken(), 2},
		{"not there, and nothing recorded", other, nil, other, taken(), -1},
		{"below a take-over", other, []history.Entry{live("x", vgw, mine), live("y", mine, other)},
			other, taken(), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, req := leads(c.now), withHistory(ask(there), c.entries...)
			req.Past.Key = "own"
			p, err := action.PlanWith(planUnassign)(t.Context(), v, req)
			if err != nil {
				t.Fatal(err)
			}
			tr := p.Transitions[0]
			if tr.To != c.to || tr.From != c.now || p.Skip != "" {
				t.Errorf("from %s to %s, skip %q; want %s", tr.From, tr.To, p.Skip, c.to)
			}
			v.routes = leads(c.to).routes
			seen, err := p.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.facts, p.Facts(p.Transitions, seen)); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			told := strings.Contains(p.Words.Did, "not given back to "+vgw+", which it led to before")
			if told != (c.facts["notRestored"] != "") {
				t.Errorf("it says %q", p.Words.Did)
			}
			ends := int64(-1)
			for _, e := range tr.Back.Outcome(c.to) {
				ends = e.Ends
			}
			if ends != c.ends {
				t.Errorf("the release ends up to %d, want %d", ends, c.ends)
			}
		})
	}
}

// TestFirstPriorFactsWin: a retry tells what its first attempt told, whatever was recorded since.
func TestFirstPriorFactsWin(t *testing.T) {
	first := map[string]string{factPrior: vgw, "priorRouteState": "blackhole"}
	for _, c := range []struct {
		name, now string
		entries   []history.Entry
		prior     string
		says      bool
	}{
		{"made", mine, []history.Entry{live("k", vgw, mine)}, vgw, true},
		{"found so by another since", mine,
			[]history.Entry{live("k", vgw, mine), live("x", mine, mine)}, vgw, false},
		{"a stranger's doing", mine,
			[]history.Entry{live("k", vgw, mine), live("x", mine, other)}, mine, false},
		{"taken from another", other,
			[]history.Entry{live("k", vgw, mine), live("x", mine, other)}, other, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := withHistory(ask(there, "allowReassignment", "true"), c.entries...)
			for i := range req.Past.Own {
				req.Past.Own[i].Facts = first
			}
			p, err := action.PlanWith(planAssign)(t.Context(), leads(c.now), req)
			if err != nil {
				t.Fatal(err)
			}
			facts := p.Facts(p.Transitions, p.Seen)
			state := ""
			if c.prior == vgw {
				state = "blackhole"
			}
			if facts[factPrior] != c.prior || facts["priorRouteState"] != state {
				t.Errorf("%v, want %s", facts, c.prior)
			}
			if strings.HasSuffix(p.Words.Did, ", taken from "+c.prior) != c.says {
				t.Errorf("it says %q", p.Words.Did)
			}
		})
	}
}

// TestTakenAwayAlready: an undo that took the route away, because the prior interface is gone, is
// delivered again. Nothing but its facts tells of it then.
func TestTakenAwayAlready(t *testing.T) {
	for _, c := range []struct {
		name, now, prior string
		gone, unread     []string
		answered         bool
		entries          []history.Entry
		done             bool
	}{
		{"answered, and it leads nowhere", noRoute, other, []string{other}, nil, true, nil, true},
		{"by prior facts alone: the id may be mistyped", noRoute, other, []string{other}, nil,
			false, nil, false},
		{"its prior interface exists", noRoute, other, nil, nil, true, nil, false},
		{"its prior interface may not be read", noRoute, other, nil, []string{other}, true, nil, false},
		{"of a gateway only EC2 tells", noRoute, vgw, []string{vgw}, nil, true, nil, false},
		{"a stranger's", third, other, []string{other}, nil, true, nil, false},
		{"recorded, so that the record decides", noRoute, other, []string{other}, nil, true,
			[]history.Entry{live("k", other, mine)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := leads(c.now)
			v.gone, v.unread = c.gone, c.unread
			req := undo(withHistory(ask(there, factPrior, c.prior), c.entries...))
			req.Answered = c.answered
			p, err := action.PlanWith(planUnassign)(t.Context(), v, req)
			var f *protocol.Failure
			if drift := errors.As(err, &f) && f.Class == protocol.Drift; drift == c.done {
				t.Fatalf("%v, want done %t", err, c.done)
			}
			if !c.done {
				return
			}
			want := map[string]string{"unassignedRoute": there, "notRestored": "true", factPrior: other}
			if diff := cmp.Diff(want, p.Facts(p.Transitions, p.Seen)); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			if tr := p.Transitions[0]; tr.From != noRoute || tr.To != noRoute {
				t.Errorf("%+v", tr)
			}
		})
	}
}
