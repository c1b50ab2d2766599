package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/gate"
)

// batch is what execute and rollback are told.
type batch struct {
	all, dryRun, breakClaim, yes bool
	opt                          gate.Options
}

func (a *app) execute() *cobra.Command {
	var b batch
	c := &cobra.Command{
		Use:   "execute ID...|--all-approved",
		Short: "run approved actions through the executor",
		Long: `execute runs actions, in the order they are named, as the policy allows. It begins
nothing when one of them would be refused, and stops at the first that fails, unless told to keep
going. What failed is tried again, and what a killed process left running is taken up, which finds
out what is so. With --dry-run it asks what would be done, and changes nothing; that needs no
approval.`,
		Args: b.args("--all-approved"),
		ValidArgsFunction: func(
			c *cobra.Command, args []string, begun string,
		) ([]string, cobra.ShellCompDirective) {
			statuses := []gate.Status{gate.Approved, gate.Failed, gate.Skipped, gate.Running}
			if b.dryRun {
				statuses = append(statuses, gate.Pending)
			}
			return a.completeActions(statuses...)(c, args, begun)
		},
		RunE: func(c *cobra.Command, args []string) error {
			return a.runBatch(c.Context(), b, args, batchOf{
				what: "execution", chosen: "approved", all: (*gate.Gate).AllApproved, run: (*gate.Gate).Execute,
				dryRun: (*gate.Gate).DryRun,
			})
		},
	}
	c.Flags().BoolVar(&b.all, "all-approved", false, "all actions that are approved, by their ids")
	c.Flags().IntVar(&b.opt.Parallel, "parallel", 1,
		"how many run at once, up to 64; their order is then not kept")
	b.flags(c)
	return c
}

func (b *batch) flags(c *cobra.Command) {
	c.Flags().BoolVar(&b.dryRun, "dry-run", false, "ask what would be done, and change nothing")
	c.Flags().BoolVar(&b.yes, "yes", false, "do not ask a person at a terminal")
	c.Flags().BoolVar(&b.opt.KeepGoing, "keep-going", false, "go on after a failure or a refusal")
	c.Flags().BoolVar(&b.breakClaim, "break-claim", false,
		"end the claims of another machine's processes on what is named: you know that they are no more")
}

// args wants either actions or all of them.
func (b *batch) args(all string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if b.opt.Parallel < 0 || b.opt.Parallel > 64 {
			return usage("--parallel is %d, want 1 to 64", b.opt.Parallel)
		}
		if b.breakClaim && (b.all || b.dryRun) {
			return usage("--break-claim goes with the ids or keys of actions, and changes something")
		}
		if b.all == (len(args) > 0) {
			return usage(
				"%s takes either ids or idempotency keys of actions, or %s; see %s --help",
				c.CommandPath(),
				all,
				c.CommandPath(),
			)
		}
		return nil
	}
}

// batchOf are the gate's operations behind a command.
type batchOf struct {
	what string
	// chosen is what an action is that all chooses.
	chosen      string
	all         func(*gate.Gate, context.Context) (ids []int64, leftOut []gate.Outcome, err error)
	run, dryRun func(*gate.Gate, context.Context, []int64, gate.Options) ([]gate.Outcome, error)
}

func (a *app) runBatch(ctx context.Context, b batch, args []string, of batchOf) error {
	g, done, err := a.openGate(ctx)
	if err != nil {
		return a.refused(ctx, err, of.what, args)
	}
	defer done()
	var ids []int64
	var leftOut []gate.Outcome
	if b.all {
		ids, leftOut, err = of.all(g, ctx)
	} else {
		ids, err = findAll(ctx, g.Store, args)
	}
	if err != nil {
		return err
	}
	if b.breakClaim {
		outcomes, err := g.BreakClaim(ctx, ids)
		if failed, refused := gate.Failures(outcomes); err != nil || failed || refused {
			return a.report(outcomes, false, err)
		}
	}
	if b.all && len(ids)+len(leftOut) == 0 {
		fmt.Fprintln(a.stderr, "actionctl: nothing was done: no action is", of.chosen)
	}
	operate := of.run
	if b.dryRun {
		operate = of.dryRun
	}
	if err := a.confirmAll(ctx, g, b, ids, of); err != nil {
		return err
	}
	step, clear := a.progress(len(ids))
	g.Progress = step
	outcomes, err := operate(g, ctx, ids, b.opt)
	clear()
	reported := a.report(append(leftOut, outcomes...), b.dryRun, err)
	if b.dryRun && a.format == "table" {
		a.showCards(a.stdout, a.cardsOf(outcomes, of.what == "rollback"))
	}
	return reported
}

// confirmAll asks a person at a terminal before all actions are gone through, and shows what they
// would change. A script is not asked: there is nobody to answer.
func (a *app) confirmAll(
	ctx context.Context, g *gate.Gate, b batch, ids []int64, of batchOf,
) error {
	if !b.all || b.dryRun || b.yes || len(ids) == 0 || !a.atTerminal() {
		return nil
	}
	cards, err := a.recordedCards(ctx, g.Store, ids[:min(len(ids), maxCards)])
	if err != nil {
		return err
	}
	if len(ids) > maxCards {
		fmt.Fprintf(a.stderr, "the first %d of %d are shown; actionctl show ID tells of each\n",
			maxCards, len(ids))
	}
	question := fmt.Sprintf("The %s of %s: begin?", of.what, found(len(ids), "action"))
	yes, err := a.ask(ctx, question, cards)
	if err == nil && !yes {
		fmt.Fprintln(a.stderr, "actionctl: nothing was begun")
		return exit(ExitRefused)
	}
	return err
}
