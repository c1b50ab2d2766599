package awsexecutor

import (
	"context"
	"strings"

	"aws-provider-executor/pkg/awsec2"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/ledger/table"
	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/protocol"
)

// openTable opens the table that EXECUTOR_STATE_TABLE names, with the executor's own identity.
func openTable(ctx context.Context, s executor.Shared) (executor.CountedStore, error) {
	t, err := newTable(ctx, s)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func newTable(ctx context.Context, s executor.Shared) (*table.Table, error) {
	region, err := regionOfTable(s)
	if err != nil {
		return nil, err
	}
	opened, err := s.Connect(ctx, region, s.Timeout, plugin.Traced(ctx, s.Log))
	if err != nil {
		return nil, err
	}
	conn, ok := opened.(*awsec2.Connection)
	if !ok {
		return nil, protocol.Refuse(protocol.Internal,
			"a connection is a %T, which knows no table; nothing was changed", opened)
	}
	backend, err := conn.StateTable(s.Name, s.DryRun)
	if err != nil {
		return nil, err
	}
	return table.New(backend, table.Options{
		Name: s.Name, Timeout: s.Timeout, Reading: s.DryRun,
	}), nil
}

// regionOfTable is the region that a table is in. A name alone is the same table for all only if
// the environment says where it is.
func regionOfTable(s executor.Shared) (string, error) {
	if strings.HasPrefix(s.Name, "arn:") {
		// arn:PARTITION:dynamodb:REGION:ACCOUNT:table/NAME
		parts := strings.SplitN(s.Name, ":", 6)
		if len(parts) == 6 && parts[2] == "dynamodb" && parts[3] != "" &&
			strings.HasPrefix(parts[5], "table/") {
			return parts[3], nil
		}
		return "", protocol.Refuse(protocol.Configuration,
			"%s is %s, want the ARN of a table of DynamoDB, or its name",
			executor.StateTableVariable, protocol.Quote(s.Name))
	}
	if region := s.Env["AWS_REGION"]; region != "" {
		return region, nil
	}
	return "", protocol.Refuse(protocol.Configuration,
		"%s is the name of a table without its region; give its ARN, or set AWS_REGION",
		executor.StateTableVariable)
}

// checkStateStore looks at where prior facts are kept. Of a table it tries that it may be read and
// written, and writes nothing.
func (l *looker) checkStateStore(ctx context.Context) preflight.Check {
	name := l.Env[executor.StateTableVariable]
	if name == "" {
		return executor.CheckStateStore(ctx, l.Env)
	}
	c := preflight.Check{Name: executor.StateStoreCheck, Verdict: preflight.Pass,
		Seen: "the table " + name + " can be written", Facts: map[string]any{"table": name}}
	t, err := newTable(ctx, executor.Shared{
		Name: name, Env: l.Env, Timeout: l.Timeout, Log: l.Log, Connect: connect,
	})
	if err == nil {
		err = t.Try(ctx)
	}
	if err != nil {
		c.Verdict, c.Seen = preflight.Fail, err.Error()
	}
	return c
}
