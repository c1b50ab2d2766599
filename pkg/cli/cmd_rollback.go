package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/gate"
)

func (a *app) rollback() *cobra.Command {
	var b batch
	c := &cobra.Command{
		Use:   "rollback ID...|--all",
		Short: "undo actions, the last executed first",
		Long: `rollback undoes actions in the reverse order of their execution, as the policy allows
(allowUndo). It begins nothing when one of them would be refused, and stops at the first that
fails, unless told to keep going. What --all leaves out is told, and it ends with 3 then. An
action whose undo finds nothing to restore, or others to count on the same, is closed as rolledBack
too: the last of them restores it.`,
		Args:              b.args("--all"),
		ValidArgsFunction: a.completeActions(gate.Succeeded, gate.Failed),
		RunE: func(c *cobra.Command, args []string) error {
			err := a.runBatch(c.Context(), b, args, batchOf{
				what: "rollback", chosen: "in force", all: (*gate.Gate).InForce, run: (*gate.Gate).Rollback,
				dryRun: (*gate.Gate).RollbackDryRun,
			})
			if errors.Is(err, gate.ErrReadOnly) {
				return a.sayHowToAdopt(c.Context(), err)
			}
			return err
		},
	}
	c.Flags().BoolVar(&b.all, "all", false,
		"all actions that are in force: what succeeded, and what failed and may have changed something")
	b.flags(c)
	return c
}
