// Package power stops an instance of a lab, and starts it again if it ran before.
//
// Both verbs act only on an instance that is read to have the tag of the lab. A stop is done once
// the instance is read to be stopped, a start once it is read to be running: on the way it is
// neither. The power of an instance is the attribute that fences switch off too (package sgfence),
// so an undo sees whose doing it is.
package power

import (
	"context"
	"errors"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// Reader is what the verbs read with.
type Reader interface {
	DescribeInstance(ctx context.Context, id string) (ec2model.Instance, error)
	// InstanceID tells which instance this program runs on.
	InstanceID(ctx context.Context) (string, error)
}

// Writer is what the verbs change with.
type Writer interface {
	// ShutDownInstance has the instance's own system shut down. It does not wait.
	ShutDownInstance(ctx context.Context, id string) error
	// StartInstance starts the instance. It does not wait.
	StartInstance(ctx context.Context, id string) error
}

const (
	callStop  = "ec2:StopInstances"
	callStart = "ec2:StartInstances"

	attribute = "power"

	paramTag = "requiredTag"

	factTag       = paramTag
	factPrior     = "priorInstanceState"
	factState     = "instanceState"
	factSelfCheck = "selfCheck"
	factAddress   = "lostPublicAddress"
)

// The values of the attribute. While it changes it is neither on nor off.
const (
	on, off, changing = "on", "off", "changing"
)

// The states that EC2 tells of an instance.
const (
	pending      = "pending"
	running      = "running"
	stopping     = "stopping"
	stopped      = "stopped"
	shuttingDown = "shutting-down"
	terminated   = "terminated"
)

// Verbs returns the pair.
func Verbs() []action.Verb {
	target := []action.Field{
		{Name: "instanceRef", Form: action.InstanceID, Required: true, Exclusive: true, Decides: true,
			Newer: true, Doc: "the instance"},
		{Name: "region", Form: action.Region, Required: true, Decides: true, Newer: true,
			Doc: "the instance's region"},
	}
	tag := action.Field{Name: paramTag, Form: action.ResourceTag, Required: true, Decides: true,
		Newer: true,
		Doc:   "the tag that the instance must have, as `key=value`: without it the request is `denied`"}
	told := action.Field{Name: factTag, Form: action.ResourceTag,
		Doc: "the tag that the instance was read to have"}
	prior := action.Field{Name: factPrior, Form: action.OneOf(running, stopped),
		Doc: "the instance's state before the action"}
	state := action.Field{Name: factState,
		Form: action.OneOf(pending, running, shuttingDown, terminated, stopping, stopped),
		Doc:  "the instance's state, as last read"}
	required := prior
	required.Required = true
	left := state
	left.Newer = true
	left.Doc = "the instance's state as the stop reported it: so it was carried out on this instance"
	describe := action.Permission{Action: "ec2:DescribeInstances", Resource: "*",
		For: "reading the state and the tags, before and after"}
	return []action.Verb{
		{
			Name: "stop-instances", Undo: "start-instances",
			Risk: action.Risk{Level: action.High, Doc: "Whatever the instance does ends."},
			Doc: "Stops an instance of a lab. Its own system shuts down, and the action waits until " +
				"it is stopped. Acts only on an instance with the given tag, and never on the machine " +
				"that it runs on. What is on instance store volumes is lost.",
			Target: target, Parameters: []action.Field{tag},
			Facts: []action.Field{prior, state, told,
				{Name: factSelfCheck, Form: action.OneOf("passed", "unavailable"),
					Doc: "whether the instance is not this machine; `unavailable` when the metadata service " +
						"could not be asked"},
				{Name: factAddress, Form: action.HostIPv4,
					Doc: "a public address that is no Elastic IP: it goes with the stop, and a start gets " +
						"another"},
			},
			Permissions: []action.Permission{describe,
				{Action: callStop, Change: true, Resource: "instance", For: "stopping it"}},
			Plan: action.PlanWith(planStop),
		},
		{
			Name: "start-instances",
			Risk: action.Risk{Level: action.Medium,
				Doc: "The instance runs again, and costs money."},
			Doc: "Starts an instance of a lab again. It ran before `stop-instances`. The action waits " +
				"until it is running. What was stopped already stays so.",
			Target:     target,
			Parameters: []action.Field{tag, required, left, action.OnDrift, action.IgnoreHolders},
			Facts:      []action.Field{prior, state, told},
			Permissions: []action.Permission{describe,
				{Action: callStart, Change: true, Resource: "instance", For: "starting it"}},
			Plan: action.PlanWith(planStart),
		},
	}
}

// machine is one instance that a request is about.
type machine struct {
	r   Reader
	req action.Request
	id  string
}

func newMachine(r Reader, req action.Request) machine {
	return machine{r: r, req: req, id: req.Target["instanceRef"]}
}

// valueOf is the attribute's value in a state. An instance that is gone, or on its way there, has
// none.
func valueOf(state string) string {
	switch state {
	case running:
		return on
	case stopped:
		return off
	case pending, stopping:
		return changing
	}
	return state
}

// read is a reading for the answer and for what is waited for.
func (m machine) read(ctx context.Context) (action.Seen, error) {
	i, err := m.r.DescribeInstance(ctx, m.id)
	return seen(i), err
}

func seen(i ec2model.Instance) action.Seen {
	return action.Seen{
		Values: []string{valueOf(i.State)}, Facts: map[string]string{factState: i.State},
		Owner: i.OwnerID,
	}
}

func (m machine) at(i ec2model.Instance) action.At {
	return action.At{
		Resource: m.id, Attribute: attribute, Now: valueOf(i.State), What: "the power of " + m.id,
	}
}

// tagged refuses an instance without the tag that the request asks for.
func (m machine) tagged(i ec2model.Instance) error {
	want := m.req.Parameters[paramTag]
	key, value, _ := strings.Cut(want, "=")
	switch has, there := i.Tags[key]; {
	case !there:
		return protocol.Refuse(protocol.Denied,
			"%s has no tag %s, and only what has %s may be stopped or started; nothing was changed",
			m.id, protocol.Quote(key), protocol.Quote(want))
	case has != value:
		return protocol.Refuse(protocol.Denied,
			"%s has the tag %s, and only what has %s may be stopped or started; nothing was changed",
			m.id, protocol.Quote(key+"="+has), protocol.Quote(want))
	}
	return nil
}

// managed refuses an instance that somebody else runs, who would act against a stop.
func (m machine) managed(i ec2model.Instance) error {
	if group := i.Tags["aws:autoscaling:groupName"]; group != "" {
		return protocol.Refuse(protocol.Conflict,
			"%s belongs to the Auto Scaling group %s, which terminates and replaces an instance that "+
				"is stopped; set the group's size instead; nothing was changed",
			m.id, protocol.Quote(group))
	}
	if i.Managed {
		return protocol.Refuse(protocol.Authorization,
			"%s is managed by an AWS service, which alone may stop and start it; nothing was changed",
			m.id)
	}
	return nil
}

// moving refuses, for the time being, an instance whose state somebody else is changing.
func (m machine) moving(state, then string) error {
	return protocol.Refuse(protocol.Unavailable,
		"%s is %s, which this action did not begin; nothing was changed; try again once it is %s",
		m.id, state, then).With(factState, state)
}

// set is how the instance is stopped and started.
func (m machine) set() action.SetFunc {
	return action.SetWith(func(ctx context.Context, w Writer, _, to string) error {
		if to == off {
			return w.ShutDownInstance(ctx, m.id)
		}
		return w.StartInstance(ctx, m.id)
	})
}

// isAbsent reports whether an error says that the instance does not exist.
func isAbsent(err error) bool {
	var f *protocol.Failure
	return errors.As(err, &f) && f.Class == protocol.NotFound
}
