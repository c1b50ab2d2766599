package secondaryip

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"
)

const third = "eni-00000000000000003"

func live(key, from, to string) history.Entry {
	return history.Entry{Key: key, From: from, To: to, State: history.Live}
}

func withdrawn(key, from, to string, undone int64, left string) history.Entry {
	e := live(key, from, to)
	e.State, e.Undone, e.Aim = history.Withdrawn, undone, left
	return e
}

func stranger(e history.Entry) history.Entry {
	e.Begins = true
	return e
}

// threeInterfaces are mine, other and third, one of which has the address ours.
func threeInterfaces(holder string, gone ...string) *vpc {
	return &vpc{holder: holder, gone: gone, more: []ec2model.NetworkInterface{
		{ID: third, VPCID: "vpc-1", SubnetID: "subnet-1", Primary: "10.0.0.13"},
	}}
}

// TestUndoByTheHistory: whom the undo of an action leads the address to, and what it tells of that
// once it is so. The action is under k, and assigned the address to mine.
func TestUndoByTheHistory(t *testing.T) {
	facts := func(pairs ...string) map[string]string {
		all := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i]] = pairs[i+1]
		}
		return all
	}
	const taken, restored = "unassignedAddress", "restoredHolder"
	for _, c := range []struct {
		name    string
		holder  string
		gone    []string
		entries []history.Entry
		told    []string
		to      string
		heldBy  []string
		facts   map[string]string
		says    string
	}{
		{name: "given back", holder: mine, entries: []history.Entry{live("k", other, mine)},
			told: []string{"priorHolder", other}, to: other,
			facts: facts(taken, ours, restored, other), says: "gave 10.0.0.12 back to " + other},
		{name: "by the record alone", holder: mine, entries: []history.Entry{live("k", other, mine)},
			to: other, facts: facts(taken, ours, restored, other)},
		{name: "by the facts alone", holder: mine, told: []string{"priorHolder", other},
			to: other, facts: facts(taken, ours, restored, other)},
		{name: "nobody had it", holder: mine, entries: []history.Entry{live("k", unassigned, mine)},
			told: []string{"priorAssigned", "false"}, to: unassigned,
			facts: facts(taken, ours), says: "unassigned 10.0.0.12 from " + mine},
		{name: "it is back already", holder: other, entries: []history.Entry{live("k", other, mine)},
			told: []string{"priorHolder", other}, to: other,
			facts: facts(taken, ours, restored, other)},
		{name: "a stranger brought back what was before all", holder: other,
			entries: []history.Entry{live("x", other, third), live("k", third, mine)},
			told:    []string{"priorHolder", third}, to: other,
			facts: facts(taken, ours, restored, other)},
		{name: "another counts on it", holder: mine,
			entries: []history.Entry{live("k", other, mine), live("x", mine, mine)},
			told:    []string{"priorHolder", other}, to: mine, heldBy: []string{"x"}, facts: facts()},
		{name: "the last one gives back what it did not take", holder: mine,
			entries: []history.Entry{withdrawn("x", other, mine, 3, mine), live("k", mine, mine)},
			told:    []string{"priorAssigned", "true"}, to: other,
			facts: facts(taken, ours, restored, other), says: "gave 10.0.0.12 back to " + other},
		{name: "another took it since", holder: other,
			entries: []history.Entry{live("k", third, mine), live("x", mine, other)},
			told:    []string{"priorHolder", third}, to: other, heldBy: []string{"x"},
			facts: facts(taken, ours)},
		{name: "told to ignore who counts on it", holder: other,
			entries: []history.Entry{live("k", third, mine), live("x", mine, other)},
			told:    []string{"priorHolder", third, "ignoreHolders", "true"}, to: third,
			heldBy: []string{"x"}, facts: facts(taken, ours, restored, third),
			says: "back to " + third + ", taken from " + other},
		{name: "over a stranger's", holder: third, entries: []history.Entry{live("k", other, mine)},
			told: []string{"priorHolder", other, "onDrift", "restore"}, to: other,
			facts: facts(taken, ours, restored, other, "overwrote", third),
			says:  "back to " + other + ", taken from " + third},
		{name: "taken from a stranger", holder: third,
			entries: []history.Entry{live("k", unassigned, mine)},
			told:    []string{"priorAssigned", "false", "onDrift", "restore"}, to: unassigned,
			facts: facts(taken, ours, "overwrote", third),
			says:  "unassigned 10.0.0.12 from " + third},
		{name: "the prior holder is gone for good", holder: mine, gone: []string{other},
			entries: []history.Entry{live("k", other, mine)}, told: []string{"priorHolder", other},
			to: unassigned, facts: facts(taken, ours, "notRestored", "true", "priorHolder", other),
			says: other + ", which held it before the action, does not exist any more"},
		{name: "the prior holder is gone, and so is the address", gone: []string{other},
			entries: []history.Entry{{Key: "k", From: other, To: mine, Via: unassigned,
				State: history.Pending}},
			told: []string{"priorHolder", other}, to: unassigned,
			facts: facts(taken, ours, "notRestored", "true", "priorHolder", other)},
		{name: "nothing to overwrite a stranger's with", holder: third, gone: []string{other},
			entries: []history.Entry{live("k", other, mine)},
			told:    []string{"priorHolder", other, "onDrift", "restore"}, to: third,
			facts: facts(taken, ours, "notRestored", "true", "priorHolder", other)},
		{name: "named by another executor, and recorded", holder: mine,
			entries: []history.Entry{live("k", other, mine)}, told: []string{"assignedAddress", ours},
			to: other, facts: facts(taken, ours, restored, other)},
		{name: "named by another executor", holder: mine, told: []string{"assignedAddress", ours},
			to: unassigned, facts: facts(taken, ours, "unknownPrior", "priorHolder"),
			says: "who had it before is not known, so nobody has it back"},
		{name: "named by another executor, and moved on", holder: third,
			told: []string{"assignedAddress", ours}, to: third,
			facts: facts(taken, ours, "unknownPrior", "priorHolder")},
		{name: "named by another executor, and held", holder: mine,
			entries: []history.Entry{live("x", mine, mine)}, told: []string{"assignedAddress", ours},
			to: mine, heldBy: []string{"x"}, facts: facts("unknownPrior", "priorHolder")},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := undo(withHistory(ask(ours, c.told...), c.entries...))
			p, err := action.PlanWith(planUnassign)(t.Context(), threeInterfaces(c.holder, c.gone...), req)
			if err != nil {
				t.Fatal(err)
			}
			if p.Skip != "" || p.TargetGone {
				t.Errorf("skipped %q, target gone %t", p.Skip, p.TargetGone)
			}
			tr := p.Transitions[0]
			if tr.To != c.to || tr.Back == nil || tr.Back.To != c.to || tr.From != p.Seen.Values[0] {
				t.Errorf("%+v, back %+v; want %s", tr, tr.Back, c.to)
			}
			if diff := cmp.Diff(c.heldBy, tr.Back.HeldBy); diff != "" {
				t.Errorf("held by (-want +got):\n%s", diff)
			}
			after := p.Facts(p.Transitions, action.Seen{Values: []string{c.to}})
			if diff := cmp.Diff(c.facts, after); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			if !strings.Contains(p.Words.Did, c.says) {
				t.Errorf("it says %q", p.Words.Did)
			}
		})
	}
}

// TestWhatChangedNothingStays: the undo of an action that found what it wants takes nothing away,
// and a stranger who moved the address since is not in its way.
func TestWhatChangedNothingStays(t *testing.T) {
	for _, c := range []struct {
		name, holder string
		entries      []history.Entry
	}{
		{"not recorded", mine, nil},
		{"recorded", mine, []history.Entry{stranger(live("k", mine, mine))}},
		{"moved by a stranger", third, []history.Entry{stranger(live("k", mine, mine))}},
		{"its interface is gone, and it is not recorded", "", nil},
		{"let go by a stranger", "", []history.Entry{stranger(live("k", mine, mine))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := undo(withHistory(ask(ours, "priorAssigned", "true"), c.entries...))
			v := threeInterfaces(c.holder)
			if strings.Contains(c.name, "is gone") {
				v.gone = []string{mine}
			}
			p, err := action.PlanWith(planUnassign)(t.Context(), v, req)
			if err != nil {
				t.Fatal(err)
			}
			if p.Skip != mine+" had 10.0.0.12 before the action: it is left where it is" {
				t.Errorf("it says %q", p.Skip)
			}
			for _, tr := range p.Transitions {
				if tr.From != tr.To || len(v.gone) > 0 {
					t.Errorf("from %s to %s", tr.From, tr.To)
				}
			}
			if facts := p.Facts(p.Transitions, p.Seen); len(facts) > 0 {
				t.Errorf("it tells %v", facts)
			}
		})
	}
}

// TestUndoRefused: an undo that can't be the action's, or that would take away what is not its own.
func TestUndoRefused(t *testing.T) {
	recent := func(r action.Request) action.Request { r.Recent = true; return r }
	for _, c := range []struct {
		name, holder string
		gone         []string
		req          action.Request
		class        protocol.FailureClass
		says         string
	}{
		{"a stranger has it", third, nil,
			undo(withHistory(ask(ours, "priorHolder", other), live("k", other, mine))),
			protocol.Drift, "the holder of 10.0.0.12 is " + third + " now"},
		{"it was another's before", mine, nil,
			undo(withHistory(ask(ours, "priorHolder", third), live("k", other, mine))),
			protocol.Conflict, "was " + other},
		{"it led elsewhere", mine, nil,
			undo(withHistory(ask(ours), live("k", other, third))),
			protocol.Conflict, "made the holder of vpc-1/10.0.0.12 " + third},
		{"the facts name another address", mine, nil, undo(ask(ours, "assignedAddress", free)),
			protocol.InvalidRequest, "another action's"},
		{"its prior holder does not show yet", mine, []string{other},
			recent(undo(withHistory(ask(ours, "priorHolder", other), live("k", other, mine)))),
			protocol.NotFound, "lets the address go"},
		{"nothing but a typed id tells of its prior holder", mine, []string{other},
			undo(ask(ours, "priorHolder", other)), protocol.NotFound, "lets the address go"},
		{"nothing tells anything, and nothing is kept", mine, nil, undo(ask(ours)),
			protocol.InvalidRequest, "nothing tells what was there before"},
		{"the interface is gone, and nobody knows the action", mine, []string{mine},
			undo(ask(ours, "priorHolder", other)), protocol.NotFound, ""},
		{"the interface is gone, and a stranger has the address", third, []string{mine},
			undo(withHistory(ask(ours, "priorHolder", other), live("k", other, mine))),
			protocol.Drift, mine + " does not exist any more, to which the action assigned it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := threeInterfaces(c.holder, c.gone...)
			_, err := action.PlanWith(planUnassign)(t.Context(), v, c.req)
			var f *protocol.Failure
			if !errors.As(err, &f) || f.Class != c.class || !strings.Contains(f.Message, c.says) {
				t.Errorf("%v, want %s: …%s…", err, c.class, c.says)
			}
			if len(v.calls) > 0 {
				t.Errorf("it calls %v", v.calls)
			}
		})
	}
}

// TestNothingKnownIsNotUndone: an undo of which nothing is known takes nothing away.
func TestNothingKnownIsNotUndone(t *testing.T) {
	for _, gone := range [][]string{nil, {mine}} {
		req := undo(ask(ours))
		req.Durable = true
		p, err := action.PlanWith(planUnassign)(t.Context(), threeInterfaces(mine, gone...), req)
		if err != nil || !strings.Contains(p.Skip, "keeps 10.0.0.12") || len(p.Transitions) > 0 {
			t.Errorf("%v: %+v, %v", gone, p, err)
		}
	}
}

// TestUndoWithoutItsInterface: an address that went with its interface is given back to a prior
// holder that exists, and nobody else's is taken.
func TestUndoWithoutItsInterface(t *testing.T) {
	answered := func(r action.Request) action.Request { r.Answered = true; return r }
	for _, c := range []struct {
		name, holder string
		gone         []string
		req          action.Request
		to           string
		heldBy       []string
		facts        map[string]string
		says         string
	}{
		{name: "by the record", gone: []string{mine},
			req: undo(withHistory(ask(ours), live("k", other, mine))), to: other,
			facts: map[string]string{"restoredHolder": other},
			says:  "gave 10.0.0.12 back to " + other + "; " + mine + " does not exist any more"},
		{name: "by the facts", gone: []string{mine},
			req: answered(undo(ask(ours, "priorHolder", other))), to: other,
			facts: map[string]string{"restoredHolder": other}},
		{name: "it is back already", holder: other, gone: []string{mine},
			req: undo(withHistory(ask(ours), live("k", other, mine))), to: other,
			facts: map[string]string{"restoredHolder": other}},
		{name: "nobody had it", gone: []string{mine},
			req: undo(withHistory(ask(ours), live("k", unassigned, mine))), to: unassigned},
		{name: "another action is on the interface, too", gone: []string{mine},
			req: undo(withHistory(ask(ours), live("k", other, mine), live("x", mine, mine))), to: unassigned,
			heldBy: []string{"x"}},
		{name: "another action took it", holder: third, gone: []string{mine},
			req: undo(withHistory(ask(ours), live("k", other, mine), live("x", mine, third))), to: third,
			heldBy: []string{"x"}},
		{name: "neither is there", gone: []string{mine, other},
			req: undo(withHistory(ask(ours), live("k", other, mine))), to: unassigned,
			facts: map[string]string{"notRestored": "true", "priorHolder": other},
			says:  ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := action.PlanWith(planUnassign)(t.Context(), threeInterfaces(c.holder, c.gone...), c.req)
			if err != nil {
				t.Fatal(err)
			}
			tr := p.Transitions[0]
			if !p.TargetGone || tr.To != c.to || tr.Back.To != c.to || tr.From != p.Seen.Values[0] {
				t.Errorf("gone %t, %+v, back %+v; want %s", p.TargetGone, tr, tr.Back, c.to)
			}
			if diff := cmp.Diff(c.heldBy, tr.Back.HeldBy); diff != "" {
				t.Errorf("held by (-want +got):\n%s", diff)
			}
			want := maps.Clone(c.facts)
			if want == nil {
				want = map[string]string{}
			}
			want["unassignedAddress"] = ours
			got := p.Facts(p.Transitions, action.Seen{Values: []string{c.to}})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			if !strings.Contains(p.Words.Did, c.says) {
				t.Errorf("it says %q", p.Words.Did)
			}
		})
	}
}

// TestNothingIsLeft: where the VPC is not known either, nothing can be left to undo.
func TestNothingIsLeft(t *testing.T) {
	for prior, says := range map[string]string{
		"priorHolder " + other:    "neither does " + other + ", which held 10.0.0.12",
		"priorAssigned false":     "so it does not have 10.0.0.12",
		"assignedAddress " + ours: "so it does not have 10.0.0.12",
	} {
		req := undo(ask(ours, strings.Fields(prior)...))
		req.Answered = true
		p, err := action.PlanWith(planUnassign)(t.Context(), threeInterfaces("", mine, other), req)
		if err != nil {
			t.Fatal(err)
		}
		if !p.TargetGone || len(p.Transitions) > 0 || !strings.Contains(p.Words.Already, says) {
			t.Errorf("%+v", p)
		}
	}
}

// TestRelease: under a key of its own and without facts the address is let go, whoever had it
// before. What is not given back is told.
func TestRelease(t *testing.T) {
	for _, c := range []struct {
		name, holder string
		entries      []history.Entry
		to           string
		facts        map[string]string
		// ends is how many entries the release ends, -1 if it records nothing.
		ends int64
	}{
		{"nothing recorded", mine, nil, unassigned,
			map[string]string{"unassignedAddress": ours}, -1},
		{"nobody had it", mine, []history.Entry{live("x", unassigned, mine)}, unassigned,
			map[string]string{"unassignedAddress": ours}, 2},
		{"another had it", mine, []history.Entry{live("x", other, mine)}, unassigned,
			map[string]string{"unassignedAddress": ours, "notRestored": "true", "priorHolder": other}, 2},
		{"a stranger's", mine, []history.Entry{live("x", other, third)}, unassigned,
			map[string]string{"unassignedAddress": ours}, 2},
		{"not there, and nothing recorded", other, nil, unassigned,
			map[string]string{"unassignedAddress": ours}, -1},
		{"below a take-over", other, []history.Entry{live("x", third, mine), live("y", mine, other)},
			other, map[string]string{"unassignedAddress": ours}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := withHistory(ask(ours), c.entries...)
			req.Past.Key = "own"
			p, err := action.PlanWith(planUnassign)(t.Context(), threeInterfaces(c.holder), req)
			if err != nil {
				t.Fatal(err)
			}
			tr := p.Transitions[0]
			if tr.To != c.to || p.Skip != "" {
				t.Errorf("to %s, skip %q; want %s", tr.To, p.Skip, c.to)
			}
			got := p.Facts(p.Transitions, action.Seen{Values: []string{c.to}})
			if diff := cmp.Diff(c.facts, got); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			told := strings.Contains(p.Words.Did, other+", which had it before, does not have it back")
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

// TestAllKnownHoldersAreRead: a reading asks every interface that the history knows.
func TestAllKnownHoldersAreRead(t *testing.T) {
	entries := []history.Entry{live("x", unassigned, third), live("k", third, mine)}
	undone := undo(withHistory(ask(ours), entries...))
	again := withHistory(ask(ours, "allowReassignment", "true"), entries...)
	for name, c := range map[string]struct {
		plan action.PlanFunc
		req  action.Request
	}{"undo": {action.PlanWith(planUnassign), undone}, "retry": {action.PlanWith(planAssign), again}} {
		v := threeInterfaces(mine)
		p, err := c.plan(t.Context(), v, c.req)
		if err != nil {
			t.Fatal(err)
		}
		v.holder = third
		seen, err := p.Read(t.Context())
		if err != nil || seen.Values[0] != third {
			t.Errorf("%s: %v, %v; want %s", name, seen.Values, err, third)
		}
	}
}

// TestLetGoAlready: an undo that let the address go, because its prior holder is gone, is delivered
// again. Nothing but its facts tells of it then.
func TestLetGoAlready(t *testing.T) {
	for _, c := range []struct {
		name     string
		holder   string
		gone     []string
		answered bool
		entries  []history.Entry
		done     bool
	}{
		{"answered, and nobody has it", "", []string{other}, true, nil, true},
		{"by prior facts alone: the id may be mistyped", "", []string{other}, false, nil, false},
		{"its prior holder exists", "", nil, true, nil, false},
		{"a stranger has it", third, []string{other}, true, nil, false},
		{"recorded, so that the record decides", "", []string{other}, true,
			[]history.Entry{live("k", other, mine)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := undo(withHistory(ask(ours, "priorHolder", other), c.entries...))
			req.Answered = c.answered
			p, err := action.PlanWith(planUnassign)(t.Context(), threeInterfaces(c.holder, c.gone...), req)
			var f *protocol.Failure
			if drift := errors.As(err, &f) && f.Class == protocol.Drift; drift == c.done {
				t.Fatalf("%v, want done %t", err, c.done)
			}
			if !c.done {
				return
			}
			want := map[string]string{
				"unassignedAddress": ours, "notRestored": "true", "priorHolder": other,
			}
			if diff := cmp.Diff(want, p.Facts(p.Transitions, p.Seen)); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			tr := p.Transitions[0]
			if tr.From != unassigned || tr.To != unassigned || !strings.Contains(p.Words.Already, other) {
				t.Errorf("%+v, %q", tr, p.Words.Already)
			}
		})
	}
}
