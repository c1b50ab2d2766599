package fenceagent

import (
	"context"
	"errors"
	"fmt"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// mayFence asks EC2, by DryRun, whether this identity may make the changes of a fence and of its
// end. It asks for what would change nothing even if it were done: the groups that an interface
// has, and a tag that says nothing. So it shows who may change the interface and the instance, and
// not whether the groups of the fence may be given.
func (r *run) mayFence(i ec2model.Instance) error {
	ctx, cancel := r.calls()
	defer cancel()
	ec2, err := r.ec2()
	if err != nil {
		return err
	}
	for _, ask := range r.questions(ec2, i) {
		err := ask(ctx)
		var f *protocol.Failure
		switch {
		case err == nil:
		case errors.As(err, &f) &&
			(f.Class == protocol.Authorization || f.Class == protocol.Authentication):
			return fmt.Errorf("a fence would fail: %w", err)
		default:
			// EC2 may look at the state first, or be busy: that tells nothing of permissions.
			r.log.Warn("whether a change is permitted could not be found out", "error", err.Error())
		}
	}
	return nil
}

// questions are those that the configuration gives rise to.
func (r *run) questions(ec2 EC2, i ec2model.Instance) []func(context.Context) error {
	var all []func(context.Context) error
	for _, n := range i.Interfaces {
		all = append(all, func(ctx context.Context) error {
			return ec2.ModifySecurityGroups(ctx, n.ID, n.Groups)
		})
	}
	if r.in.value(optTags) == "" || r.in.bool(optTags) {
		// The form of the agent's tags, so that a policy by their names decides as it will.
		key := "Original_SG_Backup_" + i.ID + "_0_1_0"
		all = append(all,
			func(ctx context.Context) error { return ec2.CreateTag(ctx, i.ID, key, "{}") },
			func(ctx context.Context) error { return ec2.DeleteTag(ctx, i.ID, key, "{}") })
	}
	if r.in.bool(optPowerOff) {
		all = append(all, func(ctx context.Context) error { return ec2.StopInstance(ctx, i.ID) })
	}
	if r.in.bool(optPowerOn) {
		all = append(all, func(ctx context.Context) error { return ec2.StartInstance(ctx, i.ID) })
	}
	return all
}
