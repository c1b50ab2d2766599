// Package applianceexecutor wires the executor of the provider appliance, in one place for every
// program that has it in its own process. It decides nothing.
package applianceexecutor

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"aws-provider-executor/actions/applianceverbs"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/appliance/access"
	"aws-provider-executor/pkg/awsec2"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/awscloud"
	"aws-provider-executor/pkg/nodes/scan"
	"aws-provider-executor/pkg/protocol"
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
	return executor.Kept{Connect: connector(kept.Connect)}
}

func connect(
	ctx context.Context, region string, budget time.Duration, log *slog.Logger,
) (executor.Connection, error) {
	return connector(awsec2.Connect)(ctx, region, budget, log)
}

// connector opens regions, with what the verbs read and change.
func connector(
	open func(context.Context, string, time.Duration, *slog.Logger) (*awsec2.Connection, error),
) executor.Connect {
	plain := func(
		ctx context.Context, region string, budget time.Duration, log *slog.Logger,
	) (executor.Connection, error) {
		return open(ctx, region, budget, log)
	}
	return func(
		ctx context.Context, region string, budget time.Duration, log *slog.Logger,
	) (executor.Connection, error) {
		conn, err := open(ctx, region, budget, log)
		if err != nil {
			return nil, err
		}
		shared, secret := poolsOf(conn, plain, budget, log), secretsOf(log)
		return &connection{conn, access.New(access.Settings{
			Env: os.Getenv, Secret: secret,
			License: func(ctx context.Context, ref string) (string, error) {
				return licenseReader{shared}.text(ctx, ref, secret)
			},
		}), shared}, nil
	}
}

// connection is a region, with what the verbs read and change.
type connection struct {
	*awsec2.Connection
	appliances *access.Access
	pools      *pools
}

// Both are called Reader and Writer where they come from.
type (
	applianceReader = access.Reader
	applianceWriter = access.Writer
)

// reader and writer are the region's, the appliances', and those of what these share.
type (
	reader struct {
		*awsec2.Reader
		applianceReader
		licenseReader
	}
	writer struct {
		*awsec2.Writer
		applianceWriter
		licenseWriter
	}
)

// Reader reads the region, and appliances in it.
func (c *connection) Reader() any {
	of, _ := c.Connection.Reader().(*awsec2.Reader)
	return reader{of, access.Reader{Of: c.appliances}, licenseReader{c.pools}}
}

// Writer changes the region, and appliances in it.
func (c *connection) Writer() any {
	of, _ := c.Connection.Writer().(*awsec2.Writer)
	return writer{of, access.Writer{Of: c.appliances}, licenseWriter{c.pools}}
}

// secretsOf reads what references lead to, with the executor's identity.
func secretsOf(log *slog.Logger) func(context.Context, string) (string, error) {
	return func(ctx context.Context, ref string) (string, error) {
		text, err := awscloud.ReadSecret(ctx, nodes.SecretRef(ref), log)
		if err == nil {
			return text, nil
		}
		class := protocol.Configuration
		var f *scan.Failure
		switch {
		case !errors.As(err, &f):
		case f.Again:
			class = protocol.Unavailable
		case f.Verdict == nodes.Denied:
			class = protocol.Authorization
		}
		return "", protocol.Refuse(class, "%s can't be read: %v; nothing was changed", ref, err)
	}
}
