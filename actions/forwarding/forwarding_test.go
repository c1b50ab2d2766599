package forwarding

import (
	"context"
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

type one struct{ ec2model.NetworkInterface }

func (o one) DescribeNetworkInterfaces(
	context.Context, ...string,
) ([]ec2model.NetworkInterface, error) {
	return []ec2model.NetworkInterface{o.NetworkInterface}, nil
}

// TestAbsenceIsNoValue: an answer without the check says nothing of it, neither on nor off; and a
// service's own interface is not changed.
func TestAbsenceIsNoValue(t *testing.T) {
	on := true
	req := action.Request{
		Target:     map[string]string{"nicRef": "eni-00000000000000001", "region": "eu-west-1"},
		Parameters: map[string]string{"priorSourceDestCheck": "true"},
	}
	for _, c := range []struct {
		name  string
		nic   ec2model.NetworkInterface
		class protocol.FailureClass
	}{
		{"no check in the answer", ec2model.NetworkInterface{}, protocol.Unavailable},
		{"a service's interface", ec2model.NetworkInterface{SourceDestCheck: &on, RequesterManaged: true},
			protocol.Authorization},
	} {
		for _, v := range Verbs() {
			_, err := v.Plan(t.Context(), one{c.nic}, req)
			var f *protocol.Failure
			if !errors.As(err, &f) || f.Class != c.class {
				t.Errorf("%s of %s: %v, want %s", v.Name, c.name, err, c.class)
			}
		}
	}
}

const theNIC = "eni-00000000000000001"

// withHistory gives a request for theNIC what is recorded of its check. The key of an undo is k.
func withHistory(prior string, entries ...history.Entry) action.Request {
	past := &action.Past{Key: "k"}
	var all []action.Recorded
	for i, e := range entries {
		e.Seq = int64(i + 1)
		r := action.Recorded{Entry: e, Resource: theNIC, Attribute: "sourceDestCheck"}
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
	return action.Request{
		Target:     map[string]string{"nicRef": theNIC, "region": "eu-west-1"},
		Parameters: map[string]string{"priorSourceDestCheck": prior}, Past: past,
	}
}

func live(key, from, to string) history.Entry {
	return history.Entry{Key: key, From: from, To: to, State: history.Live}
}

// TestUndoByTheHistory: what the undo of an action leads the check to. The action is under k.
func TestUndoByTheHistory(t *testing.T) {
	undone := live("x", "true", "false")
	undone.State, undone.Undone, undone.Aim = history.Withdrawn, 3, "false"
	begins := live("k", "false", "false")
	begins.Begins = true
	for _, c := range []struct {
		name, now, prior string
		entries          []history.Entry
		to               string
		heldBy           []string
		skips            bool
		says             string
	}{
		{name: "given back", now: "false", prior: "true",
			entries: []history.Entry{live("k", "true", "false")},
			to:      "true", says: "disabled forwarding on " + theNIC},
		{name: "not recorded", now: "false", prior: "true", to: "true"},
		{name: "another counts on it", now: "false", prior: "true",
			entries: []history.Entry{live("k", "true", "false"), live("x", "false", "false")},
			to:      "false", heldBy: []string{"x"}},
		{name: "it changed nothing, and another counts on it", now: "false", prior: "false",
			entries: []history.Entry{live("x", "true", "false"), live("k", "false", "false")},
			to:      "false", heldBy: []string{"x"}},
		{name: "the last one restores what it did not change", now: "false", prior: "false",
			entries: []history.Entry{undone, live("k", "false", "false")},
			to:      "true", says: "disabled forwarding on " + theNIC},
		{name: "it changed nothing", now: "false", prior: "false", entries: []history.Entry{begins},
			to: "false", skips: true},
		{name: "it changed nothing, and a stranger did", now: "true", prior: "false",
			entries: []history.Entry{begins}, to: "true", skips: true},
		{name: "it changed nothing, and is not recorded", now: "true", prior: "false",
			to: "true", skips: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := withHistory(c.prior, c.entries...)
			req.Undoes = true
			on := c.now == "true"
			p, err := Verbs()[1].Plan(t.Context(), one{ec2model.NetworkInterface{SourceDestCheck: &on}}, req)
			if err != nil {
				t.Fatal(err)
			}
			tr := p.Transitions[0]
			if tr.From != c.now || tr.To != c.to || tr.Back == nil || tr.Back.To != c.to {
				t.Errorf("%+v, back %+v; want %s", tr, tr.Back, c.to)
			}
			if diff := cmp.Diff(c.heldBy, tr.Back.HeldBy); diff != "" {
				t.Errorf("held by (-want +got):\n%s", diff)
			}
			if (p.Skip != "") != c.skips || !strings.Contains(p.Words.Did, c.says) {
				t.Errorf("skips %q, says %q", p.Skip, p.Words.Did)
			}
			want := map[string]string{"priorSourceDestCheck": c.prior, "sourceDestCheck": c.to}
			if c.skips {
				delete(want, "sourceDestCheck")
			}
			got := p.Facts(p.Transitions, action.Seen{Values: []string{c.to}})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
		})
	}
}

// TestUndoOfAnotherActionIsRefused: facts that are not those of the recorded action.
func TestUndoOfAnotherActionIsRefused(t *testing.T) {
	on := false
	for prior, recorded := range map[string]string{"false": "true", "true": "false"} {
		req := withHistory(prior, live("k", recorded, "false"))
		req.Undoes = true
		_, err := Verbs()[1].Plan(t.Context(), one{ec2model.NetworkInterface{SourceDestCheck: &on}}, req)
		var f *protocol.Failure
		if !errors.As(err, &f) || f.Class != protocol.Conflict || f.Facts["recorded"] != recorded {
			t.Errorf("%s for %s: %v", prior, recorded, err)
		}
	}
}

// TestFirstPriorFactsWin: a retry tells what its first attempt told, though another action found
// the interface forwarding since.
func TestFirstPriorFactsWin(t *testing.T) {
	pending := live("k", "true", "false")
	pending.State = history.Pending
	for name, entries := range map[string][]history.Entry{
		"made":                       {pending},
		"found so by another action": {pending, live("x", "false", "false")},
	} {
		req := withHistory("", entries...)
		req.Past.Own[0].Facts = map[string]string{"priorSourceDestCheck": "true"}
		on := false
		p, err := Verbs()[0].Plan(t.Context(), one{ec2model.NetworkInterface{SourceDestCheck: &on}}, req)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"priorSourceDestCheck": "true", "sourceDestCheck": "false"}
		if diff := cmp.Diff(want, p.Facts(p.Transitions, p.Seen)); diff != "" {
			t.Errorf("%s: facts (-want +got):\n%s", name, diff)
		}
	}
}

// TestUndoThatLeadsToForwarding: an action below wants the check off, where a stranger switched it
// on and the request says to restore.
func TestUndoThatLeadsToForwarding(t *testing.T) {
	on := true
	req := withHistory("true", live("x", "false", "false"), live("k", "true", "false"))
	req.Undoes = true
	_, err := Verbs()[1].Plan(t.Context(), one{ec2model.NetworkInterface{SourceDestCheck: &on}}, req)
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Class != protocol.Drift ||
		!strings.HasPrefix(f.Message, "the source/dest check of "+theNIC+" is true now") {
		t.Errorf("without leave to restore: %v", err)
	}
	req.Parameters["onDrift"] = "restore"
	p, err := Verbs()[1].Plan(t.Context(), one{ec2model.NetworkInterface{SourceDestCheck: &on}}, req)
	if err != nil {
		t.Fatal(err)
	}
	want := action.Words{
		Would:   "enable forwarding on " + theNIC + " again",
		Did:     "enabled forwarding on " + theNIC + " again",
		Already: theNIC + " forwards, and not because of the action",
	}
	tr := p.Transitions[0]
	if p.Words != want || tr.To != "false" || tr.Call != "ec2:ModifyNetworkInterfaceAttribute" {
		t.Errorf("%+v, %+v", p.Words, tr)
	}
}

// unread is an interface that can't be read.
type unread struct{ err error }

func (u unread) DescribeNetworkInterfaces(
	context.Context, ...string,
) ([]ec2model.NetworkInterface, error) {
	return nil, u.err
}

// TestUnread: what can't be read is the answer, and nothing is taken for gone. What an action that
// is not recorded found so before stays, were its interface there.
func TestUnread(t *testing.T) {
	absent := protocol.Refuse(protocol.NotFound, "%s does not exist", theNIC)
	busy := protocol.Refuse(protocol.Throttled, "EC2 is busy")
	for _, c := range []struct {
		name, prior string
		err         error
		entries     []history.Entry
		skips, gone bool
	}{
		{"busy", "false", busy, nil, false, false},
		{"a bug", "false", errors.New("a bug"), nil, false, false},
		{"not found, and it had changed something", "true", absent, nil, false, false},
		{"not found, and it had changed nothing", "false", absent, nil, true, false},
		{"not found, and recorded", "false", absent,
			[]history.Entry{live("k", "false", "false")}, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := withHistory(c.prior, c.entries...)
			req.Undoes = true
			p, err := Verbs()[1].Plan(t.Context(), unread{c.err}, req)
			if c.skips || c.gone {
				if err != nil || (p.Skip != "") != c.skips || p.TargetGone != c.gone {
					t.Errorf("%+v, %v", p, err)
				}
			} else if !errors.Is(err, c.err) {
				t.Errorf("%v, want %v", err, c.err)
			}
		})
	}
}

// TestAHistoryThatCannotBeRead is no empty one.
func TestAHistoryThatCannotBeRead(t *testing.T) {
	broken := errors.New("the disk is broken")
	for _, v := range Verbs() {
		req := withHistory("true")
		req.Past.History = func(string, string) ([]action.Recorded, error) { return nil, broken }
		on := true
		_, err := v.Plan(t.Context(), one{ec2model.NetworkInterface{SourceDestCheck: &on}}, req)
		if !errors.Is(err, broken) {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
}
