package cli

import (
	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/gate"
)

func (a *app) approve() *cobra.Command {
	var by, digest string
	c := &cobra.Command{
		Use:   "approve ID... --by WHO",
		Short: "record one person's approval of exactly the plans as they are",
		Long: `approve records that one person says yes to each of the plans, by the digest of exactly
what will run. How many different people have to is the policy's to say. It executes nothing.`,
		Args:              someActions,
		ValidArgsFunction: a.completeActions(gate.Pending),
		RunE: func(c *cobra.Command, args []string) error {
			if digest != "" && len(args) > 1 {
				return usage("--digest goes with one action")
			}
			g, done, err := a.openGate(c.Context())
			if err != nil {
				return a.refused(c.Context(), err, "approval", args)
			}
			defer done()
			ids, err := findAll(c.Context(), g.Store, args)
			if err != nil {
				return err
			}
			if err := a.showRecorded(c.Context(), g.Store, ids); err != nil {
				return err
			}
			outcomes, err := g.Approve(c.Context(), ids, by, digest)
			return a.report(outcomes, false, err)
		},
	}
	c.Flags().Var(&once{to: &by}, "by", "`who` approves")
	c.Flags().StringVar(&digest, "digest", "",
		"approve only the plan that has this `digest`, as show tells it")
	_ = c.MarkFlagRequired("by")
	return c
}

func someActions(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage(
			"%s takes ids or idempotency keys of actions; see %s --help",
			c.CommandPath(),
			c.CommandPath(),
		)
	}
	return nil
}
