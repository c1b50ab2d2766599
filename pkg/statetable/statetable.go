// Package statetable opens the table of DynamoDB that EXECUTOR_STATE_TABLE names. Executors share
// prior facts in it, and handlers share what they know of a group.
package statetable

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"aws-provider-executor/pkg/awsec2"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
)

// Open opens the ledger in the table, with the identity of who asks. Nothing is sent yet.
func Open(ctx context.Context, s executor.Shared) (*table.Table, error) {
	backend, err := Backend(ctx, s)
	if err != nil {
		return nil, err
	}
	return table.New(backend, table.Options{
		Name: s.Name, Timeout: s.Timeout, Reading: s.DryRun,
	}), nil
}

// OpenStore is Open, as an executor takes it.
func OpenStore(ctx context.Context, s executor.Shared) (executor.CountedStore, error) {
	t, err := Open(ctx, s)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Backend opens the table itself. One of a dry-run refuses to write. Nothing is sent yet.
func Backend(ctx context.Context, s executor.Shared) (table.Backend, error) {
	region, err := Region(s.Name, s.Env)
	if err != nil {
		return nil, err
	}
	opened, err := s.Connect(ctx, region, s.Timeout, plugin.Traced(ctx, s.Log))
	if err != nil {
		return nil, err
	}
	conn, ok := opened.(interface {
		StateTable(name string, reading bool) (*awsec2.StateTable, error)
	})
	if !ok {
		return nil, protocol.Refuse(protocol.Internal,
			"a connection is a %T, which knows no table; nothing was changed", opened)
	}
	return conn.StateTable(s.Name, s.DryRun)
}

// Connect opens a region of EC2 as executors do.
func Connect(
	ctx context.Context, region string, budget time.Duration, log *slog.Logger,
) (executor.Connection, error) {
	return awsec2.Connect(ctx, region, budget, log)
}

// Region is the region that a table is in. A name alone is the same table for all only if the
// environment says where it is.
func Region(name string, env map[string]string) (string, error) {
	if strings.HasPrefix(name, "arn:") {
		// arn:PARTITION:dynamodb:REGION:ACCOUNT:table/NAME
		parts := strings.SplitN(name, ":", 6)
		if len(parts) == 6 && parts[2] == "dynamodb" && parts[3] != "" &&
			strings.HasPrefix(parts[5], "table/") {
			return parts[3], nil
		}
		return "", protocol.Refuse(protocol.Configuration,
			"%s is %s, want the ARN of a table of DynamoDB, or its name",
			executor.StateTableVariable, protocol.Quote(name))
	}
	if region := env["AWS_REGION"]; region != "" {
		return region, nil
	}
	return "", protocol.Refuse(protocol.Configuration,
		"%s is the name of a table without its region; give its ARN, or set AWS_REGION",
		executor.StateTableVariable)
}
