// Package forwarding lets an interface forward packets that are not its own, by
// switching its source/dest check off, and gives it back the check it had.
//
// The check is only ever set to what was asked or to what was recorded before;
// an undo that does not know what was before changes nothing.
package forwarding

import (
	"context"
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

const call = "ec2:ModifyNetworkInterfaceAttribute"

// Verbs returns the pair.
func Verbs() []action.Verb {
	target := []action.Field{
		{Name: "nicRef", Form: action.InterfaceID, Required: true, Exclusive: true, Decides: true, Doc: "the interface"},
		{Name: "region", Form: action.Region, Required: true, Decides: true, Doc: "the interface's region"},
		{Name: "address", Form: action.HostAddress, Doc: "the address the forwarding is for; policies gate on it, nothing else uses it"},
	}
	prior := action.Field{Name: "priorSourceDestCheck", Form: action.Boolean, Doc: "the source/dest check before the action"}
	required := prior
	required.Required = true
	facts := []action.Field{
		prior,
		{Name: "sourceDestCheck", Form: action.Boolean, Doc: "the source/dest check, read back; `false` means that the interface forwards"},
	}
	permissions := []action.Permission{
		{Action: "ec2:DescribeNetworkInterfaces", Resource: "*", For: "reading the check, before and after"},
		{Action: call, Change: true, Resource: "network-interface", For: "switching the check"},
	}
	return []action.Verb{
		{
			Name: "ensure-forwarding-enabled", Undo: "ensure-forwarding-disabled",
			Doc:    "Switches the source/dest check of an interface off, so that it forwards.",
			Target: target, Facts: facts, Permissions: permissions,
			Plan: action.PlanWith(planEnabled),
		},
		{
			Name:   "ensure-forwarding-disabled",
			Doc:    "Gives an interface back the source/dest check it had before `ensure-forwarding-enabled`; never forces it on.",
			Target: target, Facts: facts, Permissions: permissions,
			Parameters: []action.Field{required, action.IgnoreHolders},
			Plan:       action.PlanWith(planDisabled),
		},
	}
}

func planEnabled(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	nic := req.Target["nicRef"]
	return plan(ctx, r, nic, "false", action.Words{
		Would:   "enable forwarding on " + nic,
		Did:     "enabled forwarding on " + nic,
		Already: nic + " forwards",
	})
}

func planDisabled(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	nic, prior := req.Target["nicRef"], req.Parameters["priorSourceDestCheck"]
	if prior == "false" {
		return &action.Plan{
			Restores: true,
			Skip:     nic + " forwarded before the action: its source/dest check stays off",
			Facts: func([]action.Transition, action.Seen) map[string]string {
				return map[string]string{"priorSourceDestCheck": prior}
			},
		}, nil
	}
	p, err := plan(ctx, r, nic, prior, action.Words{
		Would:   "disable forwarding on " + nic,
		Did:     "disabled forwarding on " + nic,
		Already: nic + " has its source/dest check on, as it had before the action",
	})
	if err != nil {
		return gone(req, err)
	}
	p.Restores = true
	p.Facts = func(_ []action.Transition, seen action.Seen) map[string]string {
		return map[string]string{"priorSourceDestCheck": prior, "sourceDestCheck": seen.Values[0]}
	}
	return p, nil
}

// gone is the undo on an interface that was not found: with it, its check is gone.
func gone(req action.Request, cause error) (*action.Plan, error) {
	nic := req.Target["nicRef"]
	if err := action.Vanished(req, cause, func(own action.Recorded) bool { return own.Resource == nic }); err != nil {
		return nil, err
	}
	facts := map[string]string{"priorSourceDestCheck": req.Parameters["priorSourceDestCheck"]}
	return action.NothingLeft(facts, nic+" does not exist any more, so its forwarding has ended"), nil
}

// plan makes the check what it is to be.
func plan(ctx context.Context, r Reader, nic, to string, words action.Words) (*action.Plan, error) {
	read := func(ctx context.Context) (action.Seen, error) { return readCheck(ctx, r, nic) }
	seen, err := read(ctx)
	if err != nil {
		return nil, err
	}
	return &action.Plan{
		Seen: seen,
		Read: read,
		Transitions: []action.Transition{{
			Resource: nic, Attribute: "sourceDestCheck", From: seen.Values[0], To: to, Call: call,
			Set: action.SetWith(func(ctx context.Context, w Writer, _, to string) error {
				return w.ModifySourceDestCheck(ctx, nic, to == "true")
			}),
		}},
		Facts: func(t []action.Transition, seen action.Seen) map[string]string {
			return map[string]string{"priorSourceDestCheck": t[0].From, "sourceDestCheck": seen.Values[0]}
		},
		Words: words,
	}, nil
}

func readCheck(ctx context.Context, r Reader, nic string) (action.Seen, error) {
	found, err := r.DescribeNetworkInterfaces(ctx, nic)
	if err != nil {
		return action.Seen{}, err
	}
	switch n := found[0]; {
	case n.RequesterManaged:
		return action.Seen{}, action.Refuse(protocol.Authorization, "%s belongs to an AWS service, which alone may change it; name an interface of your own", nic)
	case n.SourceDestCheck == nil:
		return action.Seen{}, action.Refuse(protocol.Unavailable, "EC2's answer does not say whether the source/dest check of %s is on; try again", nic)
	default:
		return action.Seen{Values: []string{strconv.FormatBool(*n.SourceDestCheck)}}, nil
	}
}
