// Package applianceexecutor wires the executor of the provider appliance, in one place for every
// program that has it in its own process. It decides nothing.
package applianceexecutor

import (
	"context"
	"log/slog"
	"time"

	"aws-provider-executor/actions/applianceverbs"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/statetable"
)

// Name is the name of the executor as a program of its own.
const Name = "appliance-provider-executor"

// New is the executor of these verbs, with this machine's ledger and its identity at AWS.
func New(name, version string, verbs *action.Registry) *executor.Process {
	return &executor.Process{
		Name: name, Version: version, Registry: verbs, Provider: applianceverbs.Provider,
		Connect: connect,
		Shared:  statetable.OpenStore,
		Keep:    keep,
	}
}

// keep is what the requests of a stream have in common.
func keep(log *slog.Logger) executor.Kept {
	kept := awsec2.NewKept(log)
	return executor.Kept{
		Connect: func(
			ctx context.Context, region string, budget time.Duration, log *slog.Logger,
		) (executor.Connection, error) {
			conn, err := kept.Connect(ctx, region, budget, log)
			return wrap(conn, err)
		},
	}
}

func connect(
	ctx context.Context, region string, budget time.Duration, log *slog.Logger,
) (executor.Connection, error) {
	conn, err := awsec2.Connect(ctx, region, budget, log)
	return wrap(conn, err)
}

func wrap(conn *awsec2.Connection, err error) (executor.Connection, error) {
	if err != nil {
		return nil, err
	}
	return &connection{conn}, nil
}

// connection is a region, with what the verbs read and change.
type connection struct{ *awsec2.Connection }
