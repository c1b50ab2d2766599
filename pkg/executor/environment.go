package executor

// Setting is a variable of the environment that the executor reads.
type Setting struct {
	// Name is the variable, Doc what it says, Default what holds without it.
	Name, Doc, Default string
}

// Settings lists the executor's own variables.
func Settings() []Setting {
	return []Setting{
		{"EXECUTOR_STATE_DIR", "where prior facts are kept until they are undone; an absolute path;" +
			" `none` keeps none, and each result says so",
			"`$STATE_DIRECTORY`, else `" + defaultStateDir + "`"},
		{"EXECUTOR_TIMEOUT",
			"the answer is written within this time; the core should wait a little longer;" +
				" a Go duration", "`25s`"},
		{"EXECUTOR_DEADLINE",
			"a time (RFC 3339) at which the caller gives up: nothing is begun after it", "none"},
		{"EXECUTOR_LOG", "`error`, `warn`, `info` or `debug`; JSON lines on standard error," +
			" below 64 KiB in all", "`warn`"},
		{"EXECUTOR_POLICY", "a policy that the executor itself enforces, or several, like `PATH`: " +
			"each must" +
			" allow; one that can't be read allows nothing; approvals are the gate's", "none"},
		{"EXECUTOR_OBSERVE_PLAN", "`true` adds to `observed` what is changed (`plan`) and what the undo" +
			" would change (`undoPlan`)", "`false`"},
	}
}

// settingNames are the names of the variables, for a sentence.
func settingNames() []string {
	var names []string
	for _, s := range Settings() {
		names = append(names, s.Name)
	}
	return names
}
