package cli

import (
	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/gate"
)

func (a *app) rollback() *cobra.Command {
	var b batch
	c := &cobra.Command{
		Use:   "rollback ID...|--all",
		Short: "undo actions, the last executed first",
		Long: `rollback undoes actions in the reverse order of their execution, as the policy allows (allowUndo), and
stops at the first that fails, unless told to keep going. An action whose undo finds nothing to restore is
closed as rolledBack; one whose undo would take away what another action needs stays succeeded, and the
message says which action has to be rolled back first.`,
		Args:              b.args("--all"),
		ValidArgsFunction: a.completeActions(gate.Succeeded, gate.Failed),
		RunE: func(c *cobra.Command, args []string) error {
			return a.runBatch(c.Context(), b, args, batchOf{
				what: "rollback", all: (*gate.Gate).InForce, run: (*gate.Gate).Rollback, dryRun: (*gate.Gate).RollbackDryRun,
			})
		},
	}
	c.Flags().BoolVar(&b.all, "all", false, "all actions that are in force")
	b.flags(c)
	return c
}
