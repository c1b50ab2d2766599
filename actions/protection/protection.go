// Package protection spares an instance of an Auto Scaling group from scale-in, or lets scale-in
// take it, and gives it back the protection that it had.
//
// Protection is an attribute of an instance in its group. Auto Scaling sets it on instances in
// service only, and it ends with the instance.
package protection

import (
	"context"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// Reader is what the verbs read with.
type Reader interface {
	// DescribeScalingInstance returns an instance without a state where it is in no group.
	DescribeScalingInstance(ctx context.Context, instance string) (ec2model.ScalingInstance, error)
}

// Writer is what the verbs change with.
type Writer interface {
	SetInstanceProtection(ctx context.Context, group, instance string, on bool) error
}

const (
	call      = "autoscaling:SetInstanceProtection"
	attribute = "scaleInProtection"

	targetGroup = "autoScalingGroupName"
	paramOn     = "protectedFromScaleIn"
	factPrior   = "priorProtectedFromScaleIn"
	factNow     = "protectedFromScaleIn"
	factState   = "lifecycleState"
)

// Verbs returns the pair.
func Verbs() []action.Verb {
	target := []action.Field{
		{Name: "instanceRef", Form: action.InstanceID, Required: true, Exclusive: true, Decides: true,
			Newer: true, Doc: "the instance"},
		{Name: targetGroup, Form: action.ScalingGroupName, Required: true, Decides: true, Newer: true,
			Doc: "the Auto Scaling group that it is in; one that is in another is left as it is"},
		{Name: "region", Form: action.Region, Required: true, Decides: true, Newer: true,
			Doc: "their region"},
	}
	prior := action.Field{Name: factPrior, Form: action.Boolean,
		Doc: "whether scale-in spared the instance before the action"}
	told := prior
	told.Required, told.Newer = true, true
	facts := []action.Field{
		prior,
		{Name: factNow, Form: action.Boolean,
			Doc: "whether scale-in spares the instance, read back as it was to be"},
		{Name: factState, Form: action.Text, Doc: "the instance's lifecycle state, as in InService"},
	}
	permissions := []action.Permission{
		{Action: "autoscaling:DescribeAutoScalingInstances", Resource: "*",
			For: "reading the protection and the lifecycle state, before and after"},
		{Action: call, Change: true, Resource: string(action.ScalingGroup),
			For: "setting the protection"},
	}
	risk := action.Risk{Level: action.Low,
		Doc: "Scale-in takes another instance, or none where all are protected."}
	return []action.Verb{
		{
			Name: "ensure-instance-protection", Undo: "restore-instance-protection", ByPolicy: true,
			Risk:   risk,
			Doc:    "Protects an instance from scale-in. It can also take the protection away.",
			Target: target, Facts: facts, Permissions: permissions,
			Parameters: []action.Field{{Name: paramOn, Form: action.Boolean, Decides: true, Newer: true,
				Default: "true",
				Doc:     "whether scale-in is to spare the instance; `true` without it"}},
			Plan: action.PlanWith(planEnsure),
		},
		{
			Name: "restore-instance-protection", ByPolicy: true, Risk: risk,
			Doc: "Gives an instance its former protection back. That is what it had before " +
				"`ensure-instance-protection`.",
			Target: target, Facts: facts, Permissions: permissions,
			Parameters: []action.Field{told, after(), action.OnDrift, action.IgnoreHolders},
			Plan:       action.PlanWith(planRestore),
		},
	}
}

// after is the parameter of an undo that tells how the action left the instance.
func after() action.Field {
	return action.Field{Name: factNow, Form: action.Boolean, Newer: true,
		Doc: "whether scale-in spared the instance after the action, as that reported"}
}

// protection is that of one instance in its group.
type protection struct {
	r               Reader
	instance, group string
}

func newProtection(r Reader, req action.Request) *protection {
	return &protection{r, req.Target["instanceRef"], req.Target[targetGroup]}
}

func planEnsure(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	p := newProtection(r, req)
	seen, err := p.read(ctx)
	if err != nil {
		return nil, err
	}
	o, err := req.Origin(p.at(seen))
	if err != nil {
		return nil, err
	}
	to, given := req.Parameters[paramOn]
	if !given {
		to = "true"
	}
	if err := p.settable(seen, to); err != nil {
		return nil, err
	}
	plan := p.plan(seen, to, p.words(to))
	plan.Facts = func(t []action.Transition, now action.Seen) map[string]string {
		return action.Merge(map[string]string{factPrior: t[0].From}, told(now, to), o.Facts)
	}
	return plan, nil
}

func planRestore(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	p := newProtection(r, req)
	seen, err := p.read(ctx)
	if err == nil && leaving(seen) {
		err = p.left("leaves its group, and is " + seen.Facts[factState])
	}
	prior := req.Parameters[factPrior]
	if err != nil {
		return p.gone(req, err)
	}
	back, err := req.Undo(p.at(seen), action.Told{Before: prior, After: req.Parameters[factNow]})
	if err != nil {
		return nil, err
	}
	if err := p.settable(seen, back.To); err != nil {
		return nil, err
	}
	words := p.words(back.To)
	words.Already += ", as before the action"
	plan := p.plan(seen, back.To, words)
	plan.Transitions[0].Back = &back
	plan.Facts = func(_ []action.Transition, now action.Seen) map[string]string {
		return action.Merge(map[string]string{factPrior: prior}, told(now, back.To))
	}
	if back.Stays() {
		plan.Skip = "the protection of " + p.instance + " is as before the action, which changed nothing"
	}
	return plan, nil
}

// told are the facts of a reading. The protection is told only where it is as it was to be: an undo
// takes the fact for what the action led to.
func told(now action.Seen, to string) map[string]string {
	facts := action.Merge(now.Facts)
	if now.Values[0] == to {
		facts[factNow] = to
	}
	return facts
}

// leaving reports whether the instance of a reading is on its way out of its group.
func leaving(seen action.Seen) bool {
	state := seen.Facts[factState]
	return strings.HasPrefix(state, "Terminat") || strings.HasPrefix(state, "Detach")
}

// settable refuses a change that Auto Scaling would refuse.
func (p *protection) settable(seen action.Seen, to string) error {
	state := seen.Facts[factState]
	switch {
	case to == seen.Values[0], state == "InService", state == "Standby", state == "EnteringStandby":
		return nil
	case leaving(seen):
		return protocol.Refuse(protocol.Conflict,
			"%s leaves %s: it is %s, and its protection can't be set any more; nothing was changed",
			p.instance, p.group, state)
	}
	f, later := protocol.Refuse(protocol.Conflict,
		"%s is %s, and Auto Scaling sets the protection of instances in service only; nothing was "+
			"changed; try again when it is InService", p.instance, state), true
	f.Retryable = &later
	return f
}

// words tell what leads the protection to a value.
func (p *protection) words(to string) action.Words {
	if to == "true" {
		return action.Words{
			Would:   "protect " + p.instance + " from the scale-in of " + p.group,
			Did:     "protected " + p.instance + " from the scale-in of " + p.group,
			Already: p.instance + " is protected from the scale-in of " + p.group,
		}
	}
	return action.Words{
		Would:   "let the scale-in of " + p.group + " take " + p.instance,
		Did:     "let the scale-in of " + p.group + " take " + p.instance,
		Already: "the scale-in of " + p.group + " may take " + p.instance,
	}
}

// gone is the undo on an instance that is not in the group any more: with it, its protection is
// gone.
func (p *protection) gone(req action.Request, cause error) (*action.Plan, error) {
	ours := func(own action.Recorded) bool { return own.Resource == p.instance }
	if err := action.Vanished(req, cause, ours); err != nil {
		return nil, err
	}
	return action.NothingLeft(map[string]string{factPrior: req.Parameters[factPrior]},
		p.instance+" left "+p.group+", and its protection ended with that"), nil
}

func (p *protection) at(seen action.Seen) action.At {
	return action.At{Resource: p.instance, Attribute: attribute, Now: seen.Values[0],
		What: "the scale-in protection of " + p.instance}
}

// plan makes the protection what it is to be.
func (p *protection) plan(seen action.Seen, to string, words action.Words) *action.Plan {
	return &action.Plan{
		Seen: seen, Read: p.read, Words: words,
		Transitions: []action.Transition{{
			Resource: p.instance, Attribute: attribute, From: seen.Values[0], To: to, Call: call,
			Set: action.SetWith(func(ctx context.Context, w Writer, _, to string) error {
				return w.SetInstanceProtection(ctx, p.group, p.instance, to == "true")
			}),
		}},
	}
}

func (p *protection) read(ctx context.Context) (action.Seen, error) {
	i, err := p.r.DescribeScalingInstance(ctx, p.instance)
	switch {
	case err != nil:
		return action.Seen{}, err
	case i.State == "":
		return action.Seen{}, p.left("is in no Auto Scaling group")
	case i.Group != p.group:
		return action.Seen{}, p.left("is in the Auto Scaling group " + protocol.Quote(i.Group))
	}
	return action.Seen{Values: []string{strconv.FormatBool(i.Protected)},
		Facts: map[string]string{factState: i.State}}, nil
}

// left says that the instance is not in the group.
func (p *protection) left(where string) error {
	return protocol.Refuse(protocol.NotFound,
		"%s is not in service in the Auto Scaling group %s: it %s; check the id, the group and "+
			"the region", p.instance, protocol.Quote(p.group), where)
}
