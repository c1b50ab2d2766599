package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/gate"
)

func (a *app) rollback() *cobra.Command {
	var b batch
	c := &cobra.Command{
		Use:   "rollback ID...|--all|FLAGS",
		Short: "undo actions, the last executed first",
		Long: `rollback undoes actions in the reverse order of their execution, as the policy allows
(allowUndo). It begins nothing when one of them would be refused, and stops at the first that
fails, unless told to keep going. What --all leaves out is told, and it ends with 3 then. An
action whose undo finds nothing to restore, or others to count on the same, is closed as rolledBack
too: the last of them restores it.

Flags as --key choose among the actions that are in force. With them, and with --all, what the undos
would change is shown, and a person at a terminal is asked. Elsewhere that needs --yes.`,
		Example: `  actionctl rollback 7 --dry-run
  actionctl rollback 7 8
  actionctl rollback --target eni-0123456789abcdef0 --since 24h
  actionctl rollback --all --yes`,
		Args:              b.args("--all"),
		ValidArgsFunction: a.completeActions(gate.Succeeded, gate.Failed),
		RunE: func(c *cobra.Command, args []string) error {
			err := a.runBatch(c.Context(), b, args, batchOf{
				what: "rollback", chosen: "in force", all: (*gate.Gate).InForce,
				run: (*gate.Gate).Rollback, dryRun: (*gate.Gate).RollbackDryRun, undo: true, needsYes: true,
				after: afterRollback, afterDryRun: afterUndoDryRun,
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
	b.filter.flags(a, c)
	return c
}
