package awsexecutor

import (
	"context"

	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/statetable"
)

// checkStateStore looks at where prior facts are kept. Of a table it tries that it may be read and
// written, and writes nothing.
func (l *looker) checkStateStore(ctx context.Context) preflight.Check {
	name := l.Env[executor.StateTableVariable]
	if name == "" {
		return executor.CheckStateStore(ctx, l.Env)
	}
	c := preflight.Check{Name: executor.StateStoreCheck, Verdict: preflight.Pass,
		Seen: "the table " + name + " can be written", Facts: map[string]any{"table": name}}
	t, err := statetable.Open(ctx, executor.Shared{
		Name: name, Env: l.Env, Timeout: l.Timeout, Log: l.Log, Connect: statetable.Connect,
	})
	if err == nil {
		err = t.Try(ctx)
	}
	if err != nil {
		c.Verdict, c.Seen = preflight.Fail, err.Error()
	}
	return c
}
