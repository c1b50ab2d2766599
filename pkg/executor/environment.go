package executor

import (
	"aws-provider-executor/pkg/metrics"
	"aws-provider-executor/pkg/trace"
)

// Setting is a variable of the environment that the executor reads.
type Setting struct {
	// Name is the variable, Doc what it says, Default what holds without it. The help has Doc up to
	// its first semicolon, in a line.
	Name, Doc, Default string
}

// Settings lists the executor's own variables.
func Settings() []Setting {
	return []Setting{
		{"EXECUTOR_STATE_DIR", "where prior facts are kept until they are undone; an absolute path;" +
			" `none` keeps none, and each result says so",
			"`$STATE_DIRECTORY`, else `" + defaultStateDir + "`"},
		{StateTableVariable, "a table of DynamoDB for facts that machines share; with their locks, in " +
			"place of the directory: its ARN, or its name with `AWS_REGION`", "none"},
		{"EXECUTOR_TIMEOUT",
			"the answer is written within this time; the core should wait a little longer;" +
				" a Go duration", "`25s`"},
		{"EXECUTOR_DEADLINE",
			"a time (RFC 3339) at which the caller gives up; nothing is begun after it", "none"},
		{"EXECUTOR_LOG", "how much is logged: `error`, `warn`, `info` or `debug`; JSON lines on " +
			"standard error, below 64 KiB in all", "`warn`"},
		{"EXECUTOR_POLICY", "a policy that the executor itself enforces; or several, like `PATH`: " +
			"each must" +
			" allow; one that can't be read allows nothing; approvals are the gate's", "none"},
		{"EXECUTOR_JOIN", "`false` has a stream join no calls of several requests; otherwise one" +
			" call may read an interface for several, or assign or unassign several addresses", "`true`"},
		{"EXECUTOR_OBSERVE_PLAN", "`true` adds to `observed` what is changed; that is `plan`, and" +
			" `undoPlan` is what the undo would change", "`false`"},
		{"EXECUTOR_OBSERVE_CALLS", "`true` adds to `observed` how many calls were sent; that is" +
			" `calls`, and `callMillis` is how long they took", "`false`"},
		{metrics.Variable, "the directory of a textfile collector; an absolute path; metrics are added" +
			" to a file there once the result is written, and what goes wrong is only logged", "none"},
		{trace.Variable, "the W3C traceparent of who asks; for log lines and CloudTrail; one in the" +
			" request's `context` goes before it, and a malformed one is only logged", "none"},
	}
}
