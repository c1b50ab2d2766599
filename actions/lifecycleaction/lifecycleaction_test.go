package lifecycleaction

import (
	"context"
	"errors"
	"testing"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/protocol"
)

const terminating = "autoscaling:EC2_INSTANCE_TERMINATING"

// cloud is a group with hooks, and one instance.
type cloud struct {
	ec2model.ScalingInstance
	hooks []ec2model.LifecycleHook
	// refusals are what completions are answered, in order; nil takes one.
	refusals []error
	asked    int
	// tokens are what completions named, each empty that named the instance.
	tokens []string
}

func (c *cloud) DescribeScalingInstance(
	context.Context, string,
) (ec2model.ScalingInstance, error) {
	return c.ScalingInstance, nil
}

func (c *cloud) DescribeLifecycleHooks(
	context.Context, string,
) ([]ec2model.LifecycleHook, error) {
	return c.hooks, nil
}

func (c *cloud) CompleteLifecycleAction(
	_ context.Context, of ec2model.LifecycleAction, _ string,
) error {
	c.asked++
	c.tokens = append(c.tokens, of.Token)
	return c.refusals[c.asked-1]
}

func hook(name, transition string) ec2model.LifecycleHook {
	return ec2model.LifecycleHook{Name: name, Transition: transition, DefaultResult: "ABANDON"}
}

// theGroup has an instance in a state, which came to the hook up or goes by the hook down.
func theGroup(state string, more ...ec2model.LifecycleHook) *cloud {
	return &cloud{
		ScalingInstance: ec2model.ScalingInstance{ID: "i-00000000000000001", Group: "g", State: state},
		hooks: append([]ec2model.LifecycleHook{hook("up", launching), hook("down", terminating)},
			more...),
	}
}

func asks(hook, result string) action.Request {
	return action.Request{
		Target: map[string]string{"instanceRef": "i-00000000000000001",
			"autoScalingGroupName": "g", "region": "eu-west-1"},
		Parameters: map[string]string{"lifecycleHookName": hook, "lifecycleActionResult": result},
	}
}

// recorded is a request whose key has an entry already.
func recorded(r action.Request, state history.State) action.Request {
	r.Past = &action.Past{Key: "k", Own: []action.Recorded{{Resource: "i-00000000000000001",
		Attribute: "lifecycle action " + r.Parameters["lifecycleHookName"],
		Entry: history.Entry{Key: "k", From: waiting, To: r.Parameters["lifecycleActionResult"],
			State: state}}}}
	return r
}

// TestWhatAStateTells: what each lifecycle state tells of an action at a hook.
func TestWhatAStateTells(t *testing.T) {
	for _, c := range []struct {
		hook, state string
		over        bool
		want        string
	}{
		{"up", "Pending", false, waiting}, {"up", "Pending:Wait", false, waiting},
		{"up", "Warmed:Pending:Wait", false, waiting}, {"up", "Pending:Wait", true, waiting},
		{"one of two", "Pending:Wait", true, "CONTINUE"},
		{"up", "Pending:Proceed", false, "CONTINUE"}, {"up", "InService", false, "CONTINUE"},
		{"up", "Standby", false, "CONTINUE"}, {"up", "Warmed:Stopped", false, "CONTINUE"},
		{"up", "Terminating", false, "ABANDON"}, {"up", "Terminating:Wait", false, "ABANDON"},
		{"up", "Terminated", false, "ABANDON"}, {"up", "", false, "ABANDON"},
		{"down", "InService", false, waiting}, {"down", "Terminating", false, waiting},
		{"down", "Terminating:Wait", false, waiting},
		{"down", "Warmed:Terminating:Wait", false, waiting},
		{"down", "Terminating:Wait", true, waiting},
		// Both results end so.
		{"down", "Terminating:Proceed", false, "ABANDON"}, {"down", "Terminated", false, "ABANDON"},
		{"down", "", false, "ABANDON"},
		// The hook is gone, and was of either transition.
		{"gone", "Pending:Wait", true, waiting}, {"gone", "Terminating:Wait", true, waiting},
		{"gone", "InService", false, "CONTINUE"}, {"gone", "Terminating", false, "ABANDON"},
	} {
		w := newWait(nil, asks(c.hook, "ABANDON"))
		hooks := theGroup("").hooks
		if c.hook == "one of two" {
			hooks = append(hooks, hook("up-too", launching), hook(c.hook, launching))
		}
		w.choose(hooks)
		if w.over = c.over; w.value(c.state) != c.want {
			t.Errorf("%s at %s, over %t: %s, want %s", c.state, c.hook, c.over, w.value(c.state), c.want)
		}
	}
}

// TestWhatMayBegin: only an action that waits is completed. One that an earlier attempt under the
// key may have completed is told by its state.
func TestWhatMayBegin(t *testing.T) {
	pending, live := history.Pending, history.Live
	up, down := asks("up", "CONTINUE"), asks("down", "CONTINUE")
	for name, c := range map[string]struct {
		of       *cloud
		req      action.Request
		from, to string
		now      string
		class    protocol.FailureClass
	}{
		"it waits": {of: theGroup("Pending:Wait"),
			req: up, from: waiting, now: waiting},
		"it leaves": {of: theGroup("Terminating:Wait"),
			req: down, from: waiting, now: waiting},
		"not yet": {of: theGroup("Pending"), req: up, class: protocol.Unavailable},
		"not yet at its end": {of: theGroup("InService"),
			req: down, class: protocol.Unavailable},
		"by somebody else": {of: theGroup("InService"), req: up, class: protocol.Conflict},
		"its time was up": {of: theGroup("Terminating"),
			req: up, class: protocol.Conflict},
		"gone": {of: theGroup(""), req: down, class: protocol.Conflict},
		"no hook": {of: theGroup("Pending:Wait"),
			req: asks("x", "CONTINUE"), class: protocol.NotFound},
		"begun, and went on": {of: theGroup("InService"),
			req: recorded(up, pending), from: waiting, now: "CONTINUE"},
		"begun, and waits": {of: theGroup("Pending:Wait"),
			req: recorded(up, pending), from: waiting, now: waiting},
		"begun, ended otherwise": {of: theGroup("Terminating"),
			req: recorded(up, pending), class: protocol.Conflict},
		"begun, the hook is gone, and it serves": {of: theGroup("InService"),
			req: recorded(asks("x", "CONTINUE"), pending), from: waiting, now: "CONTINUE"},
		"begun, the hook is gone, and it leaves": {of: theGroup("Terminating"),
			req: recorded(asks("x", "CONTINUE"), pending), class: protocol.Ambiguous},
		"begun, the hook is gone, and it is gone": {of: theGroup(""),
			req: recorded(asks("x", "CONTINUE"), pending), class: protocol.Ambiguous},
		"begun, and gone": {of: theGroup(""),
			req: recorded(down, pending), from: waiting, now: "CONTINUE"},
		"done, long ago": {of: theGroup(""),
			req: recorded(up, live), from: waiting, now: "CONTINUE"},
	} {
		p, err := newWait(c.of, c.req).plan(t.Context())
		var f *protocol.Failure
		switch {
		case c.class != "":
			if !errors.As(err, &f) || f.Class != c.class {
				t.Errorf("%s: %v, want %s", name, err, c.class)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case p.Unseen != (c.of.State == ""):
			t.Errorf("%s: unseen %t in state %q", name, p.Unseen, c.of.State)
		case p.Transitions[0].From != c.from || p.Seen.Values[0] != c.now ||
			p.Transitions[0].To != "CONTINUE":
			t.Errorf("%s: from %s, now %s", name, p.Transitions[0].From, p.Seen.Values[0])
		}
	}
}

func noActive() error {
	return protocol.Refuse(protocol.Conflict, "cannot complete it").
		With(protocol.FactAWSErrorCode, "ValidationError")
}

// TestCompletion: what is sent, and what is made of the answers. Where the instance may wait at
// another hook, only a refusal of a second completion proves the first.
func TestCompletion(t *testing.T) {
	lost := &action.Unknown{Cause: protocol.Refuse(protocol.Timeout, "no answer")}
	busy := protocol.Refuse(protocol.Conflict, "busy").
		With(protocol.FactAWSErrorCode, "ResourceContention")
	strange := protocol.Refuse(protocol.NotFound, "no such hook").
		With(protocol.FactAWSErrorCode, "ValidationError")
	second := hook("up-too", launching)
	for name, c := range map[string]struct {
		of      *cloud
		result  string
		again   bool
		answers []error
		unknown bool
		class   protocol.FailureClass
		over    bool
	}{
		"one hook": {of: theGroup("Pending:Wait"), answers: []error{nil}},
		"two hooks": {of: theGroup("Pending:Wait", second),
			answers: []error{nil, noActive()}, over: true},
		"two hooks, abandoned": {of: theGroup("Pending:Wait", second),
			result: "ABANDON", answers: []error{nil}},
		"taken twice": {of: theGroup("Pending:Wait", second),
			answers: []error{nil, nil}, unknown: true},
		"taken, and then busy": {of: theGroup("Pending:Wait", second),
			answers: []error{nil, busy}, unknown: true},
		"lost": {of: theGroup("Pending:Wait"),
			answers: []error{lost}, unknown: true},
		"over": {of: theGroup("Pending:Wait"),
			answers: []error{noActive()}, class: protocol.Conflict},
		"over, and an earlier attempt was lost": {of: theGroup("Pending:Wait"), again: true,
			answers: []error{noActive()}, unknown: true},
		"one of two over, and an earlier attempt was lost": {of: theGroup("Pending:Wait", second),
			again: true, answers: []error{noActive()}, unknown: true},
		"two hooks, of an earlier attempt": {of: theGroup("Pending:Wait", second), again: true,
			answers: []error{nil, noActive()}, over: true},
		"busy": {of: theGroup("Pending:Wait"),
			answers: []error{busy}, class: protocol.Conflict},
		"no such hook": {of: theGroup("Pending:Wait"),
			answers: []error{strange}, class: protocol.NotFound},
		"taken, and then none such": {of: theGroup("Pending:Wait", second),
			answers: []error{nil, strange}, unknown: true},
		"taken, the second's lost": {of: theGroup("Pending:Wait", second),
			answers: []error{nil, lost}, unknown: true},
	} {
		if c.result == "" {
			c.result = "CONTINUE"
		}
		c.of.refusals = c.answers
		req := asks("up", c.result)
		if c.again {
			req = recorded(req, history.Pending)
		}
		w := newWait(c.of, req)
		w.choose(c.of.hooks)
		err := w.set(t.Context(), c.of, waiting, c.result)
		var unknown *action.Unknown
		var f *protocol.Failure
		isUnknown, failed := errors.As(err, &unknown), errors.As(err, &f)
		switch {
		case isUnknown != c.unknown, w.over != c.over, c.of.asked != len(c.answers):
			t.Errorf("%s: %v, over %t, after %d calls", name, err, w.over, c.of.asked)
		case c.class == "" && !isUnknown && err != nil, c.class != "" && (!failed || f.Class != c.class):
			t.Errorf("%s: %v, want %q", name, err, c.class)
		}
	}
	w := newWait(nil, asks("up", "CONTINUE"))
	if err := w.set(t.Context(), nil, "CONTINUE", waiting); err == nil {
		t.Error("a completion is taken back")
	}
}

// TestOver: an action that was over before an attempt under a key that began one is told by a later
// state alone.
func TestOver(t *testing.T) {
	of := theGroup("Pending:Wait")
	of.refusals = []error{noActive()}
	w := newWait(of, recorded(asks("up", "CONTINUE"), history.Pending))
	w.choose(of.hooks)
	var unknown *action.Unknown
	if err := w.set(t.Context(), of, waiting, "CONTINUE"); !errors.As(err, &unknown) {
		t.Errorf("told as %v, want an unknown outcome", err)
	}
	for state, want := range map[string]string{
		"Pending:Wait": waiting, "Pending:Proceed": continued, "Terminating": abandonment,
	} {
		of.State = state
		if seen, err := w.read(t.Context()); err != nil || seen.Values[0] != want {
			t.Errorf("%s: %v, %v, want %s", state, seen.Values, err, want)
		}
	}
}

// TestTokenOfAnother: a token may be that of another instance's action. So the completion that
// proves the first names the instance.
func TestTokenOfAnother(t *testing.T) {
	of := theGroup("Pending:Wait", hook("up-too", launching))
	of.refusals = []error{nil, noActive()}
	req := asks("up", "CONTINUE")
	req.Parameters[paramToken] = "11111111-2222-3333-4444-555555555555"
	w := newWait(of, req)
	w.choose(of.hooks)
	if err := w.set(t.Context(), of, waiting, "CONTINUE"); err != nil {
		t.Error(err)
	}
	if len(of.tokens) != 2 || of.tokens[0] == "" || of.tokens[1] != "" {
		t.Errorf("the completions named %q", of.tokens)
	}
}
