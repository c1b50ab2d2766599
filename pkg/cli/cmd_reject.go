package cli

import (
	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/gate"
)

func (a *app) reject() *cobra.Command {
	var by, reason string
	c := &cobra.Command{
		Use:   "reject ID... --reason WHY",
		Short: "record one person's no, and why",
		Long: `reject records that a person says no. The approvals so far count no more, and the action
is not executed until its plan is imported again (import --requeue). What may have changed something
can still be rolled back.`,
		Example:           "  actionctl reject 7 --reason 'the wrong interface'",
		Args:              someActions,
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
			ids, err := findAll(c.Context(), j, args)
			if err != nil {
				return err
			}
			outcomes, err := g.Reject(c.Context(), ids, firstOf(by, g.Actor), reason)
			return a.report(outcomes, false, err)
		},
	}
	c.Flags().Var(&once{to: &reason}, "reason", "`why`")
	c.Flags().Var(&once{to: &by}, "by", "`who` rejects (default the user of the operating system)")
	_ = c.MarkFlagRequired("reason")
	return c
}
