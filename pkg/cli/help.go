package cli

import (
	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/metrics"
	"aws-provider-executor/pkg/trace"
)

// About is what the help and the manual tell beside the commands.
var About = commands.About{
	Groups: []commands.Group{
		{Title: "The road of an action", Commands: []string{
			"plan", "import", "approve", "reject", "execute", "rollback"}},
		{Title: "What there is", Commands: []string{
			"status", "list", "show", "journal", "report", "evidence", "nodes", "metrics"}},
		{Title: "Before it is carried out", Commands: []string{
			"doctor", "preflight", "policy", "iam-policy", "actions", "schema"}},
		{Title: "A lab, and what goes past the journal", Commands: []string{
			"smoke", "lab", "run", "undo"}},
	},
	SharedTopic: "plan-flags", SharedBelow: "plan",
	SharedFlags: []string{"param", "nodes", "bare-tags", "interface", "store", "provider-ref", "name",
		"description", "risk"},
	Exit: []commands.Term{
		{Name: "0", Meaning: "done"}, {Name: "1", Meaning: "failed"},
		{Name: "2", Meaning: "wrong usage"}, {Name: "3", Meaning: "refused by the gate"},
	},
	Environment: []commands.Term{
		{Name: "ACTIONCTL_JOURNAL", Meaning: "the journal, as --journal"},
		{Name: "ACTIONCTL_POLICY", Meaning: "the policy's file, as --policy"},
		{Name: "ACTIONCTL_NODES", Meaning: "the store of nodes, as --store of actionctl nodes"},
		{Name: "STATE_DIRECTORY", Meaning: "where journal and nodes are kept unless they are named; " +
			"systemd sets it"},
		{Name: "XDG_STATE_HOME", Meaning: "the same, where STATE_DIRECTORY is not set: in actionctl " +
			"below it (default ~/.local/state)"},
		{Name: "EXECUTOR_POLICY", Meaning: "a policy that holds beside that of --policy"},
		{Name: metrics.Variable, Meaning: "the directory of a textfile collector, for metrics"},
		{Name: "EXECUTOR_*", Meaning: "what else executors read, as their --help tells; " +
			"EXECUTOR_TIMEOUT comes from --timeout"},
		{Name: trace.Variable, Meaning: "the W3C traceparent of who asks"},
		{Name: "AWS_*", Meaning: "the region, the endpoints and where credentials are, as the AWS SDK " +
			"reads them; the executor gets them, but no credential"},
		{Name: "APPLIANCE_*", Meaning: "what the executor of appliances reads, as its --help tells"},
		{Name: "AZURE_ENVIRONMENT", Meaning: "the cloud of Azure, where it is not the public one"},
		{Name: "SSH_AUTH_SOCK", Meaning: "the SSH agent, for --sign agent:COMMENT and for nodes"},
		{Name: "NO_COLOR", Meaning: "any text has a terminal show no colours"},
	},
	Files: []commands.Term{
		{Name: "~/.local/state/actionctl/journal.db", Meaning: "the journal, where neither a flag nor " +
			"a variable names it"},
		{Name: "~/.local/state/actionctl/nodes.db", Meaning: "the store of nodes, beside the journal"},
	},
}
