// Package lifecycleaction completes a lifecycle action: an instance of an Auto Scaling group that
// waits at a hook goes on, or its launch is given up.
//
// Nothing takes that back. Auto Scaling takes one completion of an action and refuses a second one,
// without telling who made the first. So the lifecycle state tells how the action ended. An action
// that was over before this one began is told as such, whatever its end was.
package lifecycleaction

import (
	"context"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
)

// Reader is what the verb reads with.
type Reader interface {
	// DescribeScalingInstance returns an instance without a state where it is in no group.
	DescribeScalingInstance(ctx context.Context, instance string) (ec2model.ScalingInstance, error)
	DescribeLifecycleHooks(ctx context.Context, group string) ([]ec2model.LifecycleHook, error)
}

// Writer is what the verb changes with.
type Writer interface {
	CompleteLifecycleAction(ctx context.Context, of ec2model.LifecycleAction, result string) error
}

const (
	call = "autoscaling:CompleteLifecycleAction"

	targetGroup = "autoScalingGroupName"
	paramHook   = "lifecycleHookName"
	paramToken  = "lifecycleActionToken"
	paramResult = "lifecycleActionResult"

	factState      = "lifecycleState"
	factTransition = "lifecycleTransition"
	factOthers     = "otherLifecycleHooks"
)

// none is the lifecycle state of an instance that is in no group.
const none = "none"

// The values of a lifecycle action: it waits, or it ended.
const (
	waiting     = "waiting"
	continued   = "CONTINUE"
	abandonment = "ABANDON"
	// untold is one that is over, and nothing tells how it ended.
	untold = "untold"
)

// launching is the transition of an instance that comes.
const launching = "autoscaling:EC2_INSTANCE_LAUNCHING"

// Verbs returns the verb.
func Verbs() []action.Verb {
	return []action.Verb{{
		Name: "complete-lifecycle-action", Irreversible: true,
		Risk: action.Risk{Level: action.High,
			Doc: "The instance goes into service or is terminated, and nothing takes that back."},
		Doc: "Ends an instance's wait at a lifecycle hook. Success means that the action was found " +
			"to be over, with this result. Where the group has several hooks for the transition, the " +
			"instance may still wait at others.",
		Target: []action.Field{
			{Name: "instanceRef", Form: action.InstanceID, Required: true, Exclusive: true,
				Decides: true, Newer: true, Doc: "the instance"},
			{Name: targetGroup, Form: action.ScalingGroupName, Required: true, Decides: true,
				Newer: true, Doc: "the Auto Scaling group that it is in"},
			{Name: "region", Form: action.Region, Required: true, Decides: true, Newer: true,
				Doc: "their region"},
		},
		Parameters: []action.Field{
			{Name: paramHook, Form: action.HookName, Required: true, Decides: true, Newer: true,
				Doc: "the lifecycle hook that the instance waits at"},
			{Name: paramResult, Form: action.OneOf(continued, abandonment), Required: true,
				Decides: true, Newer: true,
				Doc: "`CONTINUE` has the instance go on. `ABANDON` terminates one that is launched, and " +
					"skips the other hooks of one that is terminated"},
			{Name: paramToken, Form: action.ActionToken, Decides: true, Newer: true,
				Doc: "the token of the action, as its event has it; without it the instance names it"},
		},
		Facts: []action.Field{
			{Name: factState, Form: action.Text,
				Doc: "the instance's lifecycle state, read back; `none` where it is in no group any more"},
			{Name: factTransition, Form: action.Text, Doc: "the transition that the hook is for"},
			{Name: factOthers, Form: action.Text,
				Doc: "the other hooks of the transition, at which the instance may still wait"},
		},
		Permissions: []action.Permission{
			{Action: "autoscaling:DescribeAutoScalingInstances", Resource: "*",
				For: "reading the lifecycle state, before and after"},
			{Action: "autoscaling:DescribeLifecycleHooks", Resource: "*",
				For: "telling at which hooks the instance waits"},
			{Action: call, Change: true, Resource: string(action.ScalingGroup),
				For: "completing the action"},
		},
		Plan: action.PlanWith(func(ctx context.Context, r Reader, req action.Request) (*action.Plan,
			error) {
			return newWait(r, req).plan(ctx)
		}),
	}}
}
