package awsec2

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"aws-provider-executor/pkg/awsec2/ec2model"
)

// autoScaling has the groups that launch and terminate instances.
//
// A second SetInstanceProtection sets what the first one set. A heartbeat that was recorded twice
// counts from the later one. A second CompleteLifecycleAction is refused, and the refusal does not
// tell who completed the action.
var autoScaling = service{
	provider: provider{"Auto Scaling", "autoscaling"}, wire: queryWire{"2011-01-01"},
	operations: []operation{
		{"DescribeAutoScalingInstances", reads, ""},
		{"DescribeLifecycleHooks", reads, ""},
		{"SetInstanceProtection", changes, ""},
		{"CompleteLifecycleAction", changes, ""},
		{"RecordLifecycleActionHeartbeat", changes, ""},
	},
}

type scalingInstancesOut struct {
	NextToken string `xml:"DescribeAutoScalingInstancesResult>NextToken"`
	Instances []struct {
		ID        string `xml:"InstanceId"`
		Group     string `xml:"AutoScalingGroupName"`
		State     string `xml:"LifecycleState"`
		Zone      string `xml:"AvailabilityZone"`
		Protected bool   `xml:"ProtectedFromScaleIn"`
	} `xml:"DescribeAutoScalingInstancesResult>AutoScalingInstances>member"`
}

// DescribeScalingInstance reads what Auto Scaling says of an instance. One that is in no group has
// no state. That is said only after two readings, some time apart.
func (r *Reader) DescribeScalingInstance(
	ctx context.Context, instance string,
) (ec2model.ScalingInstance, error) {
	const operation = "DescribeAutoScalingInstances"
	// EC2 may know an instance that Auto Scaling does not, so its absence is noted by another name.
	absence := instance + " in Auto Scaling"
	for {
		var out scalingInstancesOut
		err := autoScaling.call(ctx, r.of.serviceReader, operation,
			url.Values{"InstanceIds.member.1": {instance}}, &out)
		if err != nil {
			return ec2model.ScalingInstance{}, autoScaling.failed(operation,
				"read the Auto Scaling group and lifecycle state of "+instance, err)
		}
		for _, i := range out.Instances {
			if i.ID == instance {
				r.absent.found(absence)
				return ec2model.ScalingInstance(i), nil
			}
		}
		again, err := r.absent.again(ctx, absence)
		if err != nil || !again {
			return ec2model.ScalingInstance{ID: instance}, err
		}
	}
}

// EachScalingInstance reads every instance that is in any Auto Scaling group of the region. An
// error means that not all were read.
func (r *Reader) EachScalingInstance(ctx context.Context) ([]ec2model.ScalingInstance, error) {
	const operation, what = "DescribeAutoScalingInstances", "read the instances of Auto Scaling groups"
	var all []ec2model.ScalingInstance
	err := pages(what, func(token *string) (*string, error) {
		in := url.Values{"MaxRecords": {"50"}}
		if token != nil {
			in.Set("NextToken", *token)
		}
		var out scalingInstancesOut
		err := autoScaling.call(ctx, r.of.serviceReader, operation, in, &out)
		if err != nil {
			return nil, autoScaling.failed(operation, what, err)
		}
		for _, i := range out.Instances {
			all = append(all, ec2model.ScalingInstance(i))
		}
		return &out.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

type lifecycleHooksOut struct {
	Hooks []struct {
		Name          string `xml:"LifecycleHookName"`
		Group         string `xml:"AutoScalingGroupName"`
		Transition    string `xml:"LifecycleTransition"`
		DefaultResult string `xml:"DefaultResult"`
		Heartbeat     int64  `xml:"HeartbeatTimeout"`
		Global        int64  `xml:"GlobalTimeout"`
	} `xml:"DescribeLifecycleHooksResult>LifecycleHooks>member"`
}

// DescribeLifecycleHooks reads the lifecycle hooks of an Auto Scaling group.
func (r *Reader) DescribeLifecycleHooks(
	ctx context.Context, group string,
) ([]ec2model.LifecycleHook, error) {
	const operation = "DescribeLifecycleHooks"
	var out lifecycleHooksOut
	err := autoScaling.call(ctx, r.of.serviceReader, operation,
		url.Values{"AutoScalingGroupName": {group}}, &out)
	if err != nil {
		return nil, autoScaling.failed(operation, "read the lifecycle hooks of "+group, err)
	}
	hooks := make([]ec2model.LifecycleHook, 0, len(out.Hooks))
	for _, h := range out.Hooks {
		hooks = append(hooks, ec2model.LifecycleHook{
			Name: h.Name, Group: h.Group, Transition: h.Transition, DefaultResult: h.DefaultResult,
			Heartbeat: time.Duration(h.Heartbeat) * time.Second,
			Global:    time.Duration(h.Global) * time.Second,
		})
	}
	return hooks, nil
}

// scale makes one change in Auto Scaling.
func (c *Connection) scale(ctx context.Context, operation, what string, in url.Values) error {
	err := autoScaling.call(ctx, c.serviceWriter, operation, in, &struct{}{})
	return autoScaling.changed(operation, what, err)
}

// SetInstanceProtection protects an instance of an Auto Scaling group from scale-in, or does not.
func (w *Writer) SetInstanceProtection(
	ctx context.Context, group, instance string, on bool,
) error {
	what := "protect " + instance + " from the scale-in of " + group
	if !on {
		what = "let the scale-in of " + group + " take " + instance
	}
	return w.of.scale(ctx, "SetInstanceProtection", what, url.Values{
		"AutoScalingGroupName": {group}, "InstanceIds.member.1": {instance},
		"ProtectedFromScaleIn": {strconv.FormatBool(on)},
	})
}

// CompleteLifecycleAction ends the wait of an instance at a hook, with the result CONTINUE or
// ABANDON. An action that is over is refused, whoever ended it.
func (w *Writer) CompleteLifecycleAction(
	ctx context.Context, of ec2model.LifecycleAction, result string,
) error {
	in := lifecycleAction(of)
	in.Set("LifecycleActionResult", result)
	return w.of.scale(ctx, "CompleteLifecycleAction",
		"complete the lifecycle action of "+of.Instance+" at the hook "+of.Hook, in)
}

// RecordLifecycleActionHeartbeat has the wait of an instance at a hook begin anew. An action that
// is over is refused.
func (c *Connection) RecordLifecycleActionHeartbeat(
	ctx context.Context, of ec2model.LifecycleAction,
) error {
	return c.scale(ctx, "RecordLifecycleActionHeartbeat",
		"record a heartbeat of "+of.Instance+" at the hook "+of.Hook, lifecycleAction(of))
}

// lifecycleAction names an action by its instance, and by its token too where that is known. A
// token alone would complete the action of whatever instance it is of. What AWS does where the two
// differ is not known. The stand-in refuses it.
func lifecycleAction(of ec2model.LifecycleAction) url.Values {
	in := url.Values{"AutoScalingGroupName": {of.Group}, "LifecycleHookName": {of.Hook}}
	if of.Token != "" {
		in.Set("LifecycleActionToken", of.Token)
	}
	if of.Instance != "" {
		in.Set("InstanceId", of.Instance)
	}
	return in
}
