package main

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"time"

	"aws-provider-executor/pkg/awsec2"
	"aws-provider-executor/pkg/network"
	"aws-provider-executor/pkg/preflight/ec2checks"
)

// look opens a region to look at, as an executor with this environment would see it. The SDK goes
// by the environment of the process, so that becomes the executor's: keys that do not pass through
// the gate are not used here either.
func look(
	ctx context.Context, env []string, region string, timeout time.Duration, log *slog.Logger,
) (ec2checks.Reader, error) {
	os.Clearenv()
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	r, err := awsec2.ConnectReader(ctx, region, timeout, log)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// lookAt opens a region to look at, with the identity of whoever runs the program.
func lookAt(
	ctx context.Context, region string, budget time.Duration,
) (network.Source, error) {
	c, err := awsec2.Connect(ctx, region, budget, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return awsec2.NetworkOf(c), nil
}
