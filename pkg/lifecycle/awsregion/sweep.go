package awsregion

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"aws-provider-executor/pkg/awsec2"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/lifecycle/sweep"
)

var _ sweep.Cloud = region{}

// SweepOpener opens regions for a sweeper, as Opener does for a handler.
func SweepOpener() func(
	context.Context, string, time.Duration, *slog.Logger,
) (sweep.Cloud, error) {
	var once sync.Once
	var kept *awsec2.Kept
	return func(
		_ context.Context, name string, budget time.Duration, log *slog.Logger,
	) (sweep.Cloud, error) {
		once.Do(func() { kept = awsec2.NewKept(log) })
		return region{calls{kept, name, budget, log}}, nil
	}
}

// reading makes one reading of a region.
func reading[T any](
	ctx context.Context, r region, read func(context.Context, *awsec2.Reader) (T, error),
) (T, error) {
	return on(ctx, r.calls, func(ctx context.Context, c *awsec2.Connection) (T, error) {
		return read(ctx, c.DescribeReader())
	})
}

// Account asks in which account calls are made.
func (r region) Account(ctx context.Context) (string, error) {
	return reading(ctx, r, func(ctx context.Context, from *awsec2.Reader) (string, error) {
		return from.Account(ctx)
	})
}

// DescribeTaggedInterfaces reads the interfaces whose tag begins in a way.
func (r region) DescribeTaggedInterfaces(
	ctx context.Context, key, beginning string,
) ([]ec2model.InterfaceDetail, error) {
	return reading(ctx, r,
		func(ctx context.Context, from *awsec2.Reader) ([]ec2model.InterfaceDetail, error) {
			return from.DescribeTaggedInterfaces(ctx, key, beginning)
		})
}

// DescribeTaggedAddresses reads the Elastic IPs whose tag begins in a way.
func (r region) DescribeTaggedAddresses(
	ctx context.Context, key, beginning string,
) ([]ec2model.Address, error) {
	return reading(ctx, r,
		func(ctx context.Context, from *awsec2.Reader) ([]ec2model.Address, error) {
			return from.DescribeTaggedAddresses(ctx, key, beginning)
		})
}

// EachScalingInstance reads the instances of all Auto Scaling groups.
func (r region) EachScalingInstance(ctx context.Context) ([]ec2model.ScalingInstance, error) {
	return reading(ctx, r,
		func(ctx context.Context, from *awsec2.Reader) ([]ec2model.ScalingInstance, error) {
			return from.EachScalingInstance(ctx)
		})
}

// DescribeAllocation reads an Elastic IP.
func (r region) DescribeAllocation(ctx context.Context, id string) (ec2model.Address, error) {
	return reading(ctx, r, func(ctx context.Context, from *awsec2.Reader) (ec2model.Address, error) {
		return from.DescribeAllocation(ctx, id)
	})
}
