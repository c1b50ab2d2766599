// Package awsregion is the seam from the handler of lifecycle events to AWS: what it reads of a
// region, its heartbeats, the table that machines share, and AWS Lambda.
//
// Each call has its own time, and its own connection. What connections have in common, as the
// identity, is kept.
package awsregion

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"aws-provider-executor/pkg/awsec2"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/lifecycle"
	"aws-provider-executor/pkg/statetable"
)

// tableTime is how long a call to the table may take.
const tableTime = 10 * time.Second

// calls make calls to a region.
type calls struct {
	kept   *awsec2.Kept
	region string
	budget time.Duration
	log    *slog.Logger
}

// on makes a call within its time, on a connection of its own.
func on[T any](
	ctx context.Context, c calls, call func(context.Context, *awsec2.Connection) (T, error),
) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, c.budget)
	defer cancel()
	conn, err := c.kept.Connect(ctx, c.region, c.budget, c.log)
	if err != nil {
		var none T
		return none, err
	}
	return call(ctx, conn)
}

// region is a region, as a handler needs it.
type region struct{ calls }

var _ lifecycle.Cloud = region{}

// Opener opens regions for a program. What their connections have in common is kept.
func Opener() func(
	context.Context, string, time.Duration, *slog.Logger,
) (lifecycle.Cloud, error) {
	var once sync.Once
	var kept *awsec2.Kept
	return func(
		_ context.Context, name string, budget time.Duration, log *slog.Logger,
	) (lifecycle.Cloud, error) {
		once.Do(func() { kept = awsec2.NewKept(log) })
		return region{calls{kept, name, budget, log}}, nil
	}
}

// DescribeScalingInstance reads where an instance stands in its group.
func (r region) DescribeScalingInstance(
	ctx context.Context, instance string,
) (ec2model.ScalingInstance, error) {
	return on(ctx, r.calls, func(
		ctx context.Context, c *awsec2.Connection,
	) (ec2model.ScalingInstance, error) {
		return c.DescribeReader().DescribeScalingInstance(ctx, instance)
	})
}

// DescribeLifecycleHooks reads the hooks of a group.
func (r region) DescribeLifecycleHooks(
	ctx context.Context, group string,
) ([]ec2model.LifecycleHook, error) {
	return on(ctx, r.calls, func(
		ctx context.Context, c *awsec2.Connection,
	) ([]ec2model.LifecycleHook, error) {
		return c.DescribeReader().DescribeLifecycleHooks(ctx, group)
	})
}

// RecordLifecycleActionHeartbeat tells a hook to wait on.
func (r region) RecordLifecycleActionHeartbeat(
	ctx context.Context, of ec2model.LifecycleAction,
) error {
	_, err := on(ctx, r.calls, func(ctx context.Context, c *awsec2.Connection) (struct{}, error) {
		return struct{}{}, c.RecordLifecycleActionHeartbeat(ctx, of)
	})
	return err
}

// DescribeInstance reads an instance.
func (r region) DescribeInstance(ctx context.Context, id string) (ec2model.Instance, error) {
	return on(ctx, r.calls, func(
		ctx context.Context, c *awsec2.Connection,
	) (ec2model.Instance, error) {
		return c.DescribeReader().DescribeInstance(ctx, id)
	})
}

// DescribeInterface reads an interface.
func (r region) DescribeInterface(
	ctx context.Context, id string,
) (ec2model.InterfaceDetail, error) {
	return on(ctx, r.calls, func(
		ctx context.Context, c *awsec2.Connection,
	) (ec2model.InterfaceDetail, error) {
		return c.DescribeReader().DescribeInterface(ctx, id)
	})
}

// shared is the table that machines share.
type shared struct {
	calls
	name    string
	reading bool
}

var _ table.Backend = shared{}

// OpenTable opens a table by its ARN, or by its name in the region that the environment says.
func OpenTable(
	_ context.Context, name string, reading bool, env map[string]string, log *slog.Logger,
) (table.Backend, error) {
	where, err := statetable.Region(name, env)
	if err != nil {
		return nil, err
	}
	return shared{calls{awsec2.NewKept(log), where, tableTime, log}, name, reading}, nil
}

// backend is the table on a connection.
func (s shared) backend(c *awsec2.Connection) (*awsec2.StateTable, error) {
	return c.StateTable(s.name, s.reading)
}

// Read returns the items of some places.
func (s shared) Read(
	ctx context.Context, places []table.Place,
) (map[table.Place]table.Item, error) {
	return on(ctx, s.calls, func(
		ctx context.Context, c *awsec2.Connection,
	) (map[table.Place]table.Item, error) {
		t, err := s.backend(c)
		if err != nil {
			return nil, err
		}
		return t.Read(ctx, places)
	})
}

// List returns the sort keys of a partition.
func (s shared) List(ctx context.Context, partition string) ([]string, error) {
	return on(ctx, s.calls, func(ctx context.Context, c *awsec2.Connection) ([]string, error) {
		t, err := s.backend(c)
		if err != nil {
			return nil, err
		}
		return t.List(ctx, partition)
	})
}

// Write makes all changes, or none.
func (s shared) Write(ctx context.Context, changes []table.Change) error {
	_, err := on(ctx, s.calls, func(ctx context.Context, c *awsec2.Connection) (struct{}, error) {
		t, err := s.backend(c)
		if err == nil {
			err = t.Write(ctx, changes)
		}
		return struct{}{}, err
	})
	return err
}

// Lambda answers the calls of AWS Lambda until its machine ends.
func Lambda(ctx context.Context, handle func(context.Context, []byte) ([]byte, error)) {
	lambda.StartWithOptions(bytes(handle), lambda.WithContext(ctx))
}

// bytes is a handler of AWS Lambda.
type bytes func(context.Context, []byte) ([]byte, error)

// Invoke answers one call.
func (b bytes) Invoke(
	ctx context.Context,
	payload []byte,
) ([]byte, error) {
	return b(ctx, payload)
}

// Wait returns after a time, or with the context's error if that ends first.
func Wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
