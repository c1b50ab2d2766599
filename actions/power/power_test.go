package power

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

const here = "i-00000000000000001"

// cloud has one instance, and runs the program on another one.
type cloud struct {
	ec2model.Instance
	self string
	err  error
	sent []string
}

func (c *cloud) DescribeInstance(context.Context, string) (ec2model.Instance, error) {
	return c.Instance, c.err
}

func (c *cloud) InstanceID(context.Context) (string, error) {
	if c.self == "" {
		return "", errors.New("nobody answers")
	}
	return c.self, nil
}

func (c *cloud) ShutDownInstance(_ context.Context, id string) error {
	c.sent = append(c.sent, "stop "+id)
	return nil
}

func (c *cloud) StartInstance(_ context.Context, id string) error {
	c.sent = append(c.sent, "start "+id)
	return nil
}

func lab(state string) *cloud {
	return &cloud{self: "i-0000000000000000f", Instance: ec2model.Instance{
		ID: here, State: state, RootDevice: "ebs", Tags: map[string]string{"lab": "smoke"}}}
}

// request has the entries recorded of the power, under the key k of the action.
func request(parameters map[string]string, entries ...history.Entry) action.Request {
	past := &action.Past{Key: "k"}
	var all []action.Recorded
	for i, e := range entries {
		e.Seq = int64(i + 1)
		r := action.Recorded{Entry: e, Resource: here, Attribute: "power"}
		all = append(all, r)
		if e.Key == "k" && e.State != history.Withdrawn {
			past.Own = append(past.Own, r)
		}
	}
	past.History = func(resource, attribute string) ([]action.Recorded, error) {
		return slices.DeleteFunc(slices.Clone(all), func(r action.Recorded) bool {
			return r.Resource != resource || r.Attribute != attribute
		}), nil
	}
	given := action.Merge(map[string]string{"requiredTag": "lab=smoke"}, parameters)
	return action.Request{
		Target:     map[string]string{"instanceRef": here, "region": "ap-northeast-1"},
		Parameters: given, Past: past,
	}
}

func entry(key, from, to string, state history.State) history.Entry {
	return history.Entry{Key: key, From: from, To: to, Via: changing, State: state}
}

// TestStop: what a stop comes to in each state, beside what is recorded.
func TestStop(t *testing.T) {
	begun := entry("k", on, off, history.Pending)
	done := entry("k", on, off, history.Live)
	for _, c := range []struct {
		name, state string
		edit        func(*cloud)
		entries     []history.Entry
		class       protocol.FailureClass
		from, prior string
		moot        bool
	}{
		{name: "it runs", state: running, from: on, prior: running},
		{name: "it is stopped", state: stopped, from: off, prior: stopped},
		{name: "it is stopped by this key", state: stopped, entries: []history.Entry{done},
			from: on, prior: running},
		{name: "it is stopping by this key", state: stopping, entries: []history.Entry{begun},
			from: on, prior: running},
		{name: "it is stopping by another key", state: stopping,
			entries: []history.Entry{entry("x", on, off, history.Pending)}, class: protocol.Unavailable},
		{name: "it is stopping, and was stopped by this key before", state: stopping,
			entries: []history.Entry{done}, class: protocol.Unavailable},
		{name: "it is stopping", state: stopping, class: protocol.Unavailable},
		{name: "it is starting", state: pending, class: protocol.Unavailable},
		{name: "it is shutting down", state: shuttingDown, class: protocol.Unavailable},
		{name: "it is gone for good", state: terminated, moot: true},
		{name: "it is gone for good, and of an instance store", state: terminated, moot: true,
			edit: func(c *cloud) { c.RootDevice = "instance-store" }},
		{name: "it is gone for good, and another lab's", state: terminated, class: protocol.Denied,
			edit: func(c *cloud) { c.Tags["lab"] = "other" }},
		{name: "it has no such tag", state: running, class: protocol.Denied,
			edit: func(c *cloud) { delete(c.Tags, "lab") }},
		{name: "it has the tag empty", state: running, class: protocol.Denied,
			edit: func(c *cloud) { c.Tags["lab"] = "" }},
		{name: "it is of an instance store", state: running, class: protocol.InvalidRequest,
			edit: func(c *cloud) { c.RootDevice = "instance-store" }},
		{name: "it is a group's", state: running, class: protocol.Conflict,
			edit: func(c *cloud) { c.Tags["aws:autoscaling:groupName"] = "web" }},
		{name: "it is a service's", state: running, class: protocol.Authorization,
			edit: func(c *cloud) { c.Managed = true }},
		{name: "it is this machine", state: running, class: protocol.SelfFence,
			edit: func(c *cloud) { c.self = here }},
		{name: "it is this machine, and can't be read", state: running, class: protocol.SelfFence,
			edit: func(c *cloud) { c.self, c.err = here, errors.New("no") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := lab(c.state)
			if c.edit != nil {
				c.edit(l)
			}
			p, err := Verbs()[0].Plan(t.Context(), l, request(nil, c.entries...))
			if classOf(err) != c.class {
				t.Fatalf("%v, want %q", err, c.class)
			}
			if c.class != "" {
				return
			}
			if (p.Moot != "") != c.moot {
				t.Fatalf("moot: %q", p.Moot)
			}
			if c.moot {
				return
			}
			tr := p.Transitions[0]
			if tr.From != c.from || tr.To != off || tr.Via != changing || !tr.Passes {
				t.Errorf("%+v", tr)
			}
			if got := p.Facts(p.Transitions, p.Seen)[factPrior]; got != c.prior {
				t.Errorf("the prior state is %q, want %q", got, c.prior)
			}
		})
	}
}

func classOf(err error) protocol.FailureClass {
	var f *protocol.Failure
	if errors.As(err, &f) {
		return f.Class
	}
	return ""
}

// TestStart: what a start comes to in each state, beside what is recorded.
func TestStart(t *testing.T) {
	done := entry("k", on, off, history.Live)
	idle := entry("k", off, off, history.Live)
	other := entry("x", off, off, history.Live)
	undoing := entry("k", on, off, history.Undoing)
	undoing.Aim, undoing.Undone = on, 2
	for _, c := range []struct {
		name, state, prior string
		edit               func(*cloud)
		entries            []history.Entry
		class              protocol.FailureClass
		to                 string
		skips, gone        bool
		heldBy             []string
	}{
		{name: "it ran", state: stopped, prior: running, entries: []history.Entry{done}, to: on},
		{name: "it ran, by the facts alone", state: stopped, prior: running, to: on},
		{name: "it was stopped", state: stopped, prior: stopped, entries: []history.Entry{idle},
			to: off, skips: true},
		{name: "it was stopped, by the facts alone", state: stopped, prior: stopped, to: off,
			skips: true},
		{name: "another counts on it", state: stopped, prior: running,
			entries: []history.Entry{done, other}, to: off, heldBy: []string{"x"}},
		{name: "somebody started it", state: running, prior: running,
			entries: []history.Entry{done}, to: on},
		{name: "it is starting by this undo", state: pending, prior: running,
			entries: []history.Entry{undoing}, to: on},
		{name: "it is starting", state: pending, prior: running, entries: []history.Entry{done},
			class: protocol.Unavailable},
		{name: "it is stopping", state: stopping, prior: running, entries: []history.Entry{done},
			class: protocol.Unavailable},
		{name: "it is shutting down", state: shuttingDown, prior: running,
			entries: []history.Entry{done}, class: protocol.Unavailable},
		{name: "it is gone for good", state: terminated, prior: running,
			entries: []history.Entry{done}, gone: true},
		{name: "somebody was stopping it", state: stopped, prior: "",
			entries: []history.Entry{entry("k", changing, off, history.Live)}, to: off},
		{name: "it has no such tag", state: stopped, prior: running, class: protocol.Denied,
			edit: func(c *cloud) { delete(c.Tags, "lab") }},
		{name: "it is a group's", state: stopped, prior: running, class: protocol.Conflict,
			edit: func(c *cloud) { c.Tags["aws:autoscaling:groupName"] = "web" }},
		{name: "it can't be read", state: stopped, prior: running, class: protocol.Timeout,
			edit: func(c *cloud) { c.err = protocol.Refuse(protocol.Timeout, "late") }},
		{name: "it does not exist, and nothing tells of it", state: stopped, prior: running,
			class: protocol.NotFound,
			edit:  func(c *cloud) { c.err = protocol.Refuse(protocol.NotFound, "no such instance") }},
		{name: "it does not exist any more", state: stopped, prior: running,
			entries: []history.Entry{done}, gone: true,
			edit: func(c *cloud) { c.err = protocol.Refuse(protocol.NotFound, "no such instance") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := lab(c.state)
			if c.edit != nil {
				c.edit(l)
			}
			req := request(map[string]string{"priorInstanceState": c.prior}, c.entries...)
			req.Undoes = true
			p, err := Verbs()[1].Plan(t.Context(), l, req)
			if classOf(err) != c.class || c.class == "" && err != nil {
				t.Fatalf("%v, want %q", err, c.class)
			}
			if c.class != "" {
				return
			}
			if p.TargetGone != c.gone || (p.Skip != "") != c.skips {
				t.Fatalf("gone %t, skips %q", p.TargetGone, p.Skip)
			}
			if got := p.Facts(p.Transitions, p.Seen)[factPrior]; got != c.prior {
				t.Errorf("the prior state is %q, want %q", got, c.prior)
			}
			if c.gone {
				return
			}
			leadsBack(t, p.Transitions[0], c.to, c.heldBy)
		})
	}
}

// leadsBack holds the transition of an undo against where it is to lead.
func leadsBack(t *testing.T, tr action.Transition, to string, heldBy []string) {
	t.Helper()
	if tr.To != to || tr.Back == nil || tr.Back.To != to || !tr.Passes {
		t.Errorf("%+v", tr)
	}
	if diff := cmp.Diff(heldBy, tr.Back.HeldBy); diff != "" {
		t.Errorf("held by (-want +got):\n%s", diff)
	}
}

// TestSetGoesBothWays: a stop that fails later is put back by a start.
func TestSetGoesBothWays(t *testing.T) {
	for _, state := range []string{running, stopped} {
		l := lab(state)
		for _, v := range Verbs() {
			p, err := v.Plan(t.Context(), l, request(map[string]string{"priorInstanceState": running}))
			if err != nil {
				t.Fatal(err)
			}
			l.sent = nil
			for _, to := range []string{off, on} {
				if err := p.Transitions[0].Set(t.Context(), l, "", to); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff([]string{"stop " + here, "start " + here}, l.sent); diff != "" {
				t.Errorf("%s (-want +got):\n%s", v.Name, diff)
			}
		}
	}
}

// TestDangers: what a start does not bring back is told of what runs, and of nothing else.
func TestDangers(t *testing.T) {
	for state, want := range map[string]int{running: 3, stopped: 0} {
		l := lab(state)
		l.LostAddress, l.Lifecycle, l.Hibernates = "198.51.100.7", "spot", true
		p, err := Verbs()[0].Plan(t.Context(), l, request(nil))
		if err != nil {
			t.Fatal(err)
		}
		told := p.Dangers(p.Transitions, p.Seen)
		if len(told) != want {
			t.Errorf("%s: %q, want %d", state, told, want)
		}
		for _, word := range []string{"198.51.100.7", "spot", "hibernate"}[:want] {
			if !strings.Contains(strings.Join(told, "; "), word) {
				t.Errorf("%s: %q does not say %s", state, told, word)
			}
		}
	}
}

// TestValues: on the way the power is neither on nor off.
func TestValues(t *testing.T) {
	for state, want := range map[string]string{
		running: on, stopped: off, pending: changing, stopping: changing,
		shuttingDown: shuttingDown, terminated: terminated,
	} {
		if got := valueOf(state); got != want {
			t.Errorf("%s is %s, want %s", state, got, want)
		}
	}
}
