// Package awsexecutor wires the executor of EC2, in one place for every program that has it in
// its own process. It decides nothing.
package awsexecutor

import (
	"context"
	"log/slog"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/statetable"
)

// Name is the name of the executor as a program of its own.
const Name = "aws-provider-executor"

// New is the executor of these verbs, with this machine's ledger and its identity at EC2.
func New(name, version string, verbs *action.Registry) *executor.Process {
	return &executor.Process{
		Name: name, Version: version, Registry: verbs, Provider: "aws",
		Inquiries: func() []executor.Inquiry {
			return []executor.Inquiry{{Inquiry: Preflight(verbs), Look: look(verbs)}}
		},
		Connect: statetable.Connect,
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
			return kept.Connect(ctx, region, budget, log)
		},
		Expect: func(target map[string]string) executor.Expected { return kept.Expect(target) },
	}
}
