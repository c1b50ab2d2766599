package cli

import (
	"context"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/gate"
)

func (a *app) reject() *cobra.Command {
	var by, reason string
	var of choice
	c := &cobra.Command{
		Use:   "reject ID...|FLAGS --reason WHY",
		Short: "record one person's no, and why",
		Long: `reject records that a person says no. The approvals so far count no more, and the action
is not executed until its plan is imported again (import --requeue). What may have changed something
can still be rolled back.

Actions are named, or chosen by flags: then those that are pending or approved, unless --status
says otherwise. What flags choose is shown, and a person at a terminal is asked. Elsewhere that
needs --yes.`,
		Example: `  actionctl reject 7 --reason 'the wrong interface'
  actionctl reject --target eni-0123456789abcdef0 --reason 'it is retired' --yes`,
		Args:              of.args,
		ValidArgsFunction: a.completeActions(gate.Pending, gate.Approved),
		RunE: func(c *cobra.Command, args []string) error {
			// Neither a policy nor an executor has a say in a no.
			g := a.newGate(nil, nil)
			j, err := a.openJournal(c.Context())
			if err != nil {
				return err
			}
			defer j.Close()
			g.Store = j
			ids, err := of.ids(c.Context(), a, j, args, gate.Pending, gate.Approved)
			if err != nil {
				return err
			}
			no := gate.Rejecting{By: firstOf(by, g.Actor), Reason: reason}
			return a.rejectShown(c.Context(), g, ids, of, no)
		},
	}
	c.Flags().Var(&once{to: &reason}, "reason", "`why`")
	c.Flags().Var(&once{to: &by}, "by", "`who` rejects (default the user of the operating system)")
	of.flags(a, c)
	_ = c.MarkFlagRequired("reason")
	return c
}

// rejectShown rejects actions. Those that flags chose are shown before.
func (a *app) rejectShown(
	ctx context.Context, g *gate.Gate, ids []int64, of choice, no gate.Rejecting,
) error {
	if of.given() {
		shown, err := a.previewOf(ctx, g, ids, false)
		if err != nil {
			return err
		}
		q := question{what: "rejection", chosen: true, yes: of.yes, preview: shown}
		if err := a.confirm(ctx, q); err != nil {
			return err
		}
		no.Shown = shown.shown()
	}
	outcomes, err := g.Reject(ctx, ids, no)
	return a.reportWith(afterRejection, outcomes, false, err)
}
