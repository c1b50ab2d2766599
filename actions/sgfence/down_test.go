package sgfence

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// diary is a cloud and a clock that write down in what order they are asked.
type diary struct {
	cloud
	told []string
}

func (d *diary) DescribeInstance(ctx context.Context, id string) (ec2model.Instance, error) {
	i, err := d.cloud.DescribeInstance(ctx, id)
	d.told = append(d.told, "read "+i.State)
	return i, err
}

func (d *diary) clock() Clock {
	return Clock{
		Now: func() time.Time { return time.Unix(1700000000, 0) },
		Wait: func(ctx context.Context, t time.Duration) error {
			d.told = append(d.told, "wait "+t.String())
			return ctx.Err()
		},
	}
}

func in(state string, interfaces ...ec2model.InstanceInterface) ec2model.Instance {
	i := running(interfaces...)
	i.State = state
	return i
}

// TestADownInstanceIsReadTwice: that an instance is down is believed after a second reading, two
// seconds later.
func TestADownInstanceIsReadTwice(t *testing.T) {
	one := group(1)
	open := nic(eni0, 0, one, group(2))
	const again, asItIs = "wait 2s", "ignoreInstanceState=true"
	for _, c := range []struct {
		name   string
		states []ec2model.Instance
		with   string
		told   []string
		moot   string
		refuse protocol.FailureClass
	}{
		{
			name: "stopped", states: []ec2model.Instance{in("stopped", open)},
			told: []string{"read stopped", again, "read stopped"},
			moot: "stopped, not fenced: a start makes it reachable",
		},
		{
			name: "terminated", states: []ec2model.Instance{in("terminated")},
			told: []string{"read terminated", again, "read terminated"},
			moot: "terminated, not fenced: it is gone for good",
		},
		{
			name:   "stopped, and terminated meanwhile",
			states: []ec2model.Instance{in("stopped", open), in("terminated")},
			told:   []string{"read stopped", again, "read terminated"},
			moot:   "terminated, not fenced",
		},
		{
			name:   "stopped, and started meanwhile",
			states: []ec2model.Instance{in("stopped", open), in("running", open)},
			told:   []string{"read stopped", again, "read running"},
		},
		{
			name:   "stopped, and on its way up",
			states: []ec2model.Instance{in("stopped", open), in("pending", open)},
			told:   []string{"read stopped", again, "read pending"}, refuse: protocol.Unavailable,
		},
		{
			name: "whatever its state", states: []ec2model.Instance{in("stopped", open)}, with: asItIs,
			told: []string{"read stopped"},
		},
		{
			name: "running", states: []ec2model.Instance{in("running", open)},
			told: []string{"read running"},
		},
		{
			name: "stopping", states: []ec2model.Instance{in("stopping", open)},
			told: []string{"read stopping"},
		},
		{
			name: "shutting down", states: []ec2model.Instance{in("shutting-down", open)},
			told: []string{"read shutting-down"},
		},
		{
			name: "shutting down, bare already", states: []ec2model.Instance{in("shutting-down")},
			told: []string{"read shutting-down"}, refuse: protocol.Unavailable,
		},
		{
			name: "pending", states: []ec2model.Instance{in("pending", open)},
			told: []string{"read pending"}, refuse: protocol.Unavailable,
		},
		{
			name: "pending, as it is", states: []ec2model.Instance{in("pending", open)}, with: asItIs,
			told: []string{"read pending"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &diary{cloud: cloud{instances: c.states}}
			p, err := planFence(t.Context(), d, request("securityGroups="+one, c.with), d.clock())
			if !slices.Equal(d.told, c.told) {
				t.Errorf("it did %v, want %v", d.told, c.told)
			}
			var f *protocol.Failure
			if errors.As(err, &f) {
				if f.Class != c.refuse || !f.MayRetry() {
					t.Errorf("%s, retryable %t: %s; want %s, retryable",
						f.Class, f.MayRetry(), f.Message, c.refuse)
				}
				return
			}
			if err != nil || c.refuse != "" {
				t.Fatalf("%v, want %s", err, c.refuse)
			}
			moot := p.Moot != ""
			if moot != (c.moot != "") || !strings.Contains(p.Moot, c.moot) ||
				moot != (len(p.Transitions) == 0) {
				t.Errorf("moot is %q, want %q; the transitions are %v", p.Moot, c.moot, values(p))
			}
		})
	}
}

// TestNoTimeToReadTwice: where the time is up between the two readings nothing is claimed.
func TestNoTimeToReadTwice(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	stopped := in("stopped", nic(eni0, 0, group(1), group(2)))
	d := &diary{cloud: cloud{instances: []ec2model.Instance{stopped}}}
	_, err := planFence(ctx, d, request("securityGroups="+group(1)), d.clock())
	var f *protocol.Failure
	const says = here + " is stopped, and the time was up before that was read once more, 2s later"
	if !errors.As(err, &f) || f.Class != protocol.Timeout || !f.MayRetry() ||
		!strings.HasPrefix(f.Message, says) {
		t.Errorf("%v", err)
	}
}

// TestExplains: whether one fence makes of what a backup says what is there.
func TestExplains(t *testing.T) {
	const a, b, c, x = "sg-a", "sg-b", "sg-c", "sg-x"
	kept := &backup{of: []saved{{eni0, []string{a, b}}, {eni1, []string{b, c}}}}
	for _, tt := range []struct {
		name   string
		groups map[string]string
		want   bool
	}{
		{"as before", map[string]string{eni0: a + "," + b, eni1: b + "," + c}, false},
		{"the same one taken from both", map[string]string{eni0: a, eni1: c}, true},
		{"one taken from the only one that had it", map[string]string{eni0: b, eni1: b + "," + c}, true},
		{"the same given to both", map[string]string{eni0: x, eni1: x}, true},
		{"the second is open", map[string]string{eni0: x, eni1: b + "," + c}, false},
		{"the first is open", map[string]string{eni0: a + "," + b, eni1: c}, false},
		{"another of each", map[string]string{eni0: a, eni1: x}, false},
		{"attached since, and open", map[string]string{eni0: x, eni1: x, eni2: a}, false},
		{"attached since, and fenced", map[string]string{eni0: x, eni1: x, eni2: x}, true},
		{"attached since, where one was taken", map[string]string{eni0: a, eni1: c, eni2: c}, false},
		{"one left, fenced", map[string]string{eni0: a}, true},
		{"one left, open", map[string]string{eni0: a + "," + b}, false},
	} {
		var i ec2model.Instance
		for n, id := range []string{eni0, eni1, eni2} {
			if groups, ok := tt.groups[id]; ok {
				i.Interfaces = append(i.Interfaces, nic(id, n, strings.Split(groups, ",")...))
			}
		}
		if got := kept.explains(reading{Instance: i}, tt.groups); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}

// TestTrunk: an instance with a trunk interface is refused by its name, unless it is asked for.
func TestTrunk(t *testing.T) {
	trunk := nic(eni1, 1, group(1), group(2))
	trunk.Type = "trunk"
	plan := func(with ...string) (*action.Plan, error) {
		c := &cloud{instances: []ec2model.Instance{running(nic(eni0, 0, group(1), group(2)), trunk)}}
		r := request(append(with, "securityGroups="+group(1))...)
		return planFence(t.Context(), c, r, new(noon).clock())
	}
	var f *protocol.Failure
	if _, err := plan(); !errors.As(err, &f) || f.Class != protocol.Conflict ||
		!strings.Contains(f.Message, eni1+" of "+here) {
		t.Errorf("%v", err)
	}
	p, err := plan("ignoreBranchInterfaces=true")
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Join(p.Dangers(p.Transitions, p.Seen), "; ")
	if !strings.Contains(said, "the branch interfaces of "+eni1+" go on") {
		t.Errorf("it says %s", said)
	}
	if got := p.Facts(p.Transitions, p.Seen)[factBranches]; got != eni1 {
		t.Errorf("the fact is %q", got)
	}
}
