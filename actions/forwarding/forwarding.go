// Package forwarding lets an interface forward packets that are not its own, by
// switching its source/dest check off, and gives it back the check it had.
//
// The check is only ever set to what was asked or to what was recorded before;
// an undo that does not know what was before changes nothing.
package forwarding

import (
	"context"
	"errors"
	"strconv"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// Reader is what the verbs read with.
type Reader interface {
	DescribeNetworkInterfaces(ctx context.Context, ids ...string) ([]ec2model.NetworkInterface, error)
}

// Writer is what the verbs change with.
type Writer interface {
	ModifySourceDestCheck(ctx context.Context, nic string, check bool) error
}

const (
	call      = "ec2:ModifyNetworkInterfaceAttribute"
	attribute = "sourceDestCheck"
	factPrior = "priorSourceDestCheck"
	factCheck = "sourceDestCheck"
)

// Verbs returns the pair.
func Verbs() []action.Verb {
	target := []action.Field{
		{Name: "nicRef", Form: action.InterfaceID, Required: true, Exclusive: true, Decides: true,
			Doc: "the interface"},
		{Name: "region", Form: action.Region, Required: true, Decides: true,
			Doc: "the interface's region"},
		{Name: "address", Form: action.HostAddress,
			Doc: "the address the forwarding is for; policies gate on it, nothing else uses it"},
	}
	prior := action.Field{Name: factPrior, Form: action.Boolean,
		Doc: "the source/dest check before the action"}
	required := prior
	required.Required = true
	facts := []action.Field{
		prior,
		{Name: factCheck, Form: action.Boolean,
			Doc: "the source/dest check, read back; `false` means that the interface forwards"},
	}
	permissions := []action.Permission{
		{Action: "ec2:DescribeNetworkInterfaces", Resource: "*",
			For: "reading the check, before and after"},
		{Action: call, Change: true, Resource: "network-interface", For: "switching the check"},
	}
	return []action.Verb{
		{
			Name: "ensure-forwarding-enabled", Undo: "ensure-forwarding-disabled",
			Risk: action.Risk{Level: action.Low,
				Doc: "The interface then takes and sends packets that are not its own."},
			Doc:    "Switches an interface's source/dest check off. The interface then forwards.",
			Target: target, Facts: facts, Permissions: permissions,
			Plan: action.PlanWith(planEnabled),
		},
		{
			Name: "ensure-forwarding-disabled",
			Risk: action.Risk{Level: action.Medium,
				Doc: "What is routed through the interface is dropped from then on."},
			Doc: "Gives an interface its source/dest check back. It is as it was before " +
				"`ensure-forwarding-enabled`; as the undo of the last one, before the first. Forces " +
				"nothing.",
			Target: target, Facts: facts, Permissions: permissions,
			Parameters: []action.Field{required, action.OnDrift, action.IgnoreHolders},
			Plan:       action.PlanWith(planDisabled),
		},
	}
}

func planEnabled(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	c := check{r: r, nic: req.Target["nicRef"]}
	seen, err := c.read(ctx)
	if err != nil {
		return nil, err
	}
	o, err := req.Origin(c.at(seen))
	if err != nil {
		return nil, err
	}
	p := c.plan(seen, "false", action.Words{
		Would:   "enable forwarding on " + c.nic,
		Did:     "enabled forwarding on " + c.nic,
		Already: c.nic + " forwards",
	})
	p.Facts = func(t []action.Transition, seen action.Seen) map[string]string {
		facts := map[string]string{factPrior: t[0].From, factCheck: seen.Values[0]}
		return action.Merge(facts, o.Facts)
	}
	return p, nil
}

func planDisabled(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	c := check{r: r, nic: req.Target["nicRef"]}
	seen, err := c.read(ctx)
	if err != nil {
		return c.gone(req, err)
	}
	prior := req.Parameters[factPrior]
	back, err := req.Undo(c.at(seen), action.Told{Before: prior, After: "false"})
	if err != nil {
		return nil, err
	}
	p := c.plan(seen, back.To, c.undoWords(back))
	p.Transitions[0].Back = &back
	p.Facts = func(_ []action.Transition, seen action.Seen) map[string]string {
		return map[string]string{factPrior: prior, factCheck: seen.Values[0]}
	}
	if back.Stays() {
		skip := c.stays()
		p.Skip, p.Facts = skip.Skip, skip.Facts
	}
	return p, nil
}

// check is the source/dest check of one interface.
type check struct {
	r   Reader
	nic string
}

// undoWords tell an undo. It leads to a check that is off only where an action below wants that.
func (c check) undoWords(back action.Back) action.Words {
	w := action.Words{
		Would:   "disable forwarding on " + c.nic,
		Did:     "disabled forwarding on " + c.nic,
		Already: c.nic + " has its source/dest check on, as it had before the action",
	}
	if back.To == "false" {
		w.Would = "enable forwarding on " + c.nic + " again"
		w.Did = "enabled forwarding on " + c.nic + " again"
		w.Already = c.nic + " forwards, and not because of the action"
	}
	return w
}

// stays is the undo of an action that found the interface forwarding.
func (c check) stays() *action.Plan {
	return &action.Plan{
		Skip: c.nic + " forwarded before the action: its source/dest check is left as it is",
		Facts: func([]action.Transition, action.Seen) map[string]string {
			return map[string]string{factPrior: "false"}
		},
	}
}

// gone is the undo on an interface that was not found: with it, its check is gone.
func (c check) gone(req action.Request, cause error) (*action.Plan, error) {
	var f *protocol.Failure
	absent := errors.As(cause, &f) && f.Class == protocol.NotFound
	if absent && req.Parameters[factPrior] == "false" && !req.Recorded() {
		return c.stays(), nil
	}
	ours := func(own action.Recorded) bool { return own.Resource == c.nic }
	if err := action.Vanished(req, cause, ours); err != nil {
		return nil, err
	}
	facts := map[string]string{factPrior: req.Parameters[factPrior]}
	return action.NothingLeft(facts,
		c.nic+" does not exist any more, so its forwarding has ended"), nil
}

func (c check) at(seen action.Seen) action.At {
	return action.At{
		Resource: c.nic, Attribute: attribute, Now: seen.Values[0],
		What: "the source/dest check of " + c.nic,
	}
}

// plan makes the check what it is to be.
func (c check) plan(seen action.Seen, to string, words action.Words) *action.Plan {
	return &action.Plan{
		Seen: seen,
		Read: c.read,
		Transitions: []action.Transition{{
			Resource: c.nic, Attribute: attribute, From: seen.Values[0], To: to, Call: call,
			Set: action.SetWith(func(ctx context.Context, w Writer, _, to string) error {
				return w.ModifySourceDestCheck(ctx, c.nic, to == "true")
			}),
		}},
		Words: words,
	}
}

func (c check) read(ctx context.Context) (action.Seen, error) {
	found, err := c.r.DescribeNetworkInterfaces(ctx, c.nic)
	if err != nil {
		return action.Seen{}, err
	}
	switch n := found[0]; {
	case n.RequesterManaged:
		return action.Seen{}, protocol.Refuse(protocol.Authorization,
			"%s belongs to an AWS service, which alone may change it; name an interface of your own", c.nic)
	case n.SourceDestCheck == nil:
		return action.Seen{}, protocol.Refuse(protocol.Unavailable,
			"EC2's answer does not say whether the source/dest check of %s is on; try again", c.nic)
	default:
		return action.Seen{
			Values: []string{strconv.FormatBool(*n.SourceDestCheck)}, Owner: n.OwnerID,
		}, nil
	}
}
