package cli

import (
	"context"
	"fmt"
	"log/slog"

	"aws-provider-executor/pkg/awsec2"
	"aws-provider-executor/pkg/awsec2/ec2model"
	process "aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/smoke"
)

// labReader is what the commands for a lab read a region with.
type labReader interface {
	smoke.Reader
	FindInstances(
		ctx context.Context, what string, by ...ec2model.Filter,
	) ([]ec2model.Instance, error)
}

// connection opens a region with the identity of this process.
func (a *app) connection(ctx context.Context, region string) (*awsec2.Connection, error) {
	log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	return awsec2.Connect(ctx, region, a.timeout, log)
}

// connect opens a region for reading, with the identity that an executor has.
func (a *app) connect(ctx context.Context, region string) (labReader, error) {
	env, err := a.pluginEnvironment("")
	if err != nil {
		return nil, err
	}
	r, err := a.Look(ctx, env, region, a.timeout, process.NewLog(a.stderr, slog.LevelError))
	if err != nil {
		return nil, err
	}
	reader, ok := r.(labReader)
	if !ok {
		return nil, fmt.Errorf("the reader of %s can't read a lab", region)
	}
	return reader, nil
}

var _ labReader = (*awsec2.Reader)(nil)
