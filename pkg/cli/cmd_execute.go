package cli

import (
	"cmp"
	"context"
	"errors"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/gate"
)

// batch is what execute and rollback are told.
type batch struct {
	choice
	all, dryRun, breakClaim bool
	opt                     gate.Options
	waving                  waving
	// parallel is set where it was said how many run at once.
	parallel bool
}

func (a *app) execute() *cobra.Command {
	var b batch
	c := &cobra.Command{
		Use:   "execute ID...|--all-approved|--selection KEY",
		Short: "run approved actions through the executor",
		Long: `execute runs actions, in the order they are named, as the policy allows. It begins
nothing when one of them would be refused, and stops at the first that fails, unless told to keep
going. What failed is tried again, and what a killed process left running is taken up, which finds
out what is so. With --dry-run it asks what would be done, and changes nothing; that needs no
approval.

With --selection it goes on with what is left of a selection of nodes, in its order. First it tells
what changed since the nodes were chosen. With --wave so many run at once, and the next wave begins
when all of the one before went well. A batch that was cut off goes on in the same way.

A person at a terminal is asked before --all-approved and --selection go on. On Ctrl-C nothing more
is begun, and what is under way is brought to an end that is known.`,
		Example: `  actionctl execute 7 --dry-run
  actionctl execute 7 8
  actionctl execute --all-approved --keep-going --parallel 4
  actionctl execute --selection maint-7 --wave 10%`,
		Args: func(c *cobra.Command, args []string) error {
			b.parallel = c.Flags().Changed("parallel")
			return cmp.Or(b.checkWaves(c), b.args("--all-approved")(c, args))
		},
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
				what: "execution", chosen: "approved", all: (*gate.Gate).AllApproved,
				run: (*gate.Gate).Execute, dryRun: (*gate.Gate).DryRun,
				after: afterExecution, afterDryRun: afterDryRun,
			})
		},
	}
	c.Flags().BoolVar(&b.all, "all-approved", false, "all actions that are approved, by their ids")
	c.Flags().IntVar(&b.opt.Parallel, "parallel", 1,
		"how many run at once, up to 64; their order is then not kept (with --wave, all of a wave)")
	b.selectionFlag(a, c)
	b.waving.flags(a, c)
	b.flags(c)
	return c
}

func (b *batch) flags(c *cobra.Command) {
	c.Flags().BoolVar(&b.dryRun, "dry-run", false, "ask what would be done, and change nothing")
	b.yesFlag(c)
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
		if b.breakClaim && (b.byFlags() || b.dryRun) {
			return usage("--break-claim goes with the ids or keys of actions, and changes something")
		}
		if b.byFlags() == (len(args) > 0) || b.all && b.given() {
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

// byFlags reports whether no action is named.
func (b *batch) byFlags() bool { return b.all || b.given() }

// batchOf are the gate's operations behind a command.
type batchOf struct {
	what string
	// chosen is what an action is that all chooses.
	chosen string
	all    func(*gate.Gate, context.Context, gate.Query) (
		ids []int64, leftOut []gate.Outcome, err error)
	run, dryRun func(*gate.Gate, context.Context, []int64, gate.Options) ([]gate.Outcome, error)
	// undo is set where the actions are undone.
	undo bool
	// needsYes is set where nobody at a terminal is nobody who said that all are meant.
	needsYes           bool
	after, afterDryRun summary
}

func (a *app) runBatch(ctx context.Context, b batch, args []string, of batchOf) error {
	g, done, err := a.openGate(ctx)
	if err != nil {
		return a.refused(ctx, err, of.what, args)
	}
	defer done()
	ids, leftOut, err := a.batchIDs(ctx, g, &b, args, of)
	if err := cmp.Or(err, b.waving.needsStore(ctx, g.Store, ids)); err != nil {
		return err
	}
	if b.breakClaim {
		outcomes, err := g.BreakClaim(ctx, ids)
		if failed, refused := gate.Failures(outcomes); err != nil || failed || refused {
			return a.report(outcomes, false, err)
		}
	}
	operate, after := of.run, of.after
	if b.dryRun {
		operate, after = of.dryRun, of.afterDryRun
	}
	if b.waving.document != nil {
		after = b.waving.onwards(a, after)
		if err := a.compareSelection(ctx, g, &b); err != nil {
			return err
		}
	}
	if err := a.confirmBatch(ctx, g, b, ids, of); err != nil {
		return err
	}
	outcomes, err := a.operate(ctx, g, ids, of.what, func() ([]gate.Outcome, error) {
		return operate(g, ctx, ids, b.opt)
	})
	a.tellUnrecorded(g, b, of)
	cards := func() { a.showCards(a.stdout, a.cardsOf(outcomes, of.undo)) }
	if !b.dryRun || a.format != "table" {
		cards = func() {}
	}
	outcomes = append(leftOut, outcomes...)
	if b.waving.document == nil {
		return a.reportThen(after, outcomes, b.dryRun, err, cards)
	}
	run, digestErr := b.waving.selectedRun(outcomes, b.dryRun)
	return a.reportAs(run, after, outcomes, b.dryRun, errors.Join(err, digestErr), cards)
}

// tellUnrecorded tells of a dry-run that is no evidence, since the journal can't be written.
func (a *app) tellUnrecorded(g *gate.Gate, b batch, of batchOf) {
	if b.dryRun && !of.undo && g.Store.ReadOnly() {
		a.tell("what the dry-run saw is not recorded: %v", gate.ErrReadOnly)
	}
}

// batchIDs finds the actions of a command, once, and tells which were left out.
func (a *app) batchIDs(
	ctx context.Context, g *gate.Gate, b *batch, args []string, of batchOf,
) (ids []int64, leftOut []gate.Outcome, err error) {
	if !b.byFlags() {
		ids, err = findAll(ctx, g.Store, args)
		return ids, nil, err
	}
	q, err := b.query(a.Now())
	if err != nil {
		return nil, nil, err
	}
	d, err := selectIn(ctx, g.Store, b.selection, &q)
	if err != nil {
		return nil, nil, err
	}
	if d != nil && !of.undo {
		b.waving.document = d
		ids, err = a.inSelection(ctx, g, b, q, b.parallel)
	} else {
		ids, leftOut, err = of.all(g, ctx, q)
	}
	if err == nil && len(ids)+len(leftOut) == 0 {
		these := ""
		if b.given() {
			these = " and chosen by these flags"
		}
		a.tell("nothing was done: no action is %s%s", of.chosen, these)
	}
	return ids, leftOut, err
}

// operate shows how far an operation has come, and tells a person who interrupts it what is waited
// for.
func (a *app) operate(
	ctx context.Context, g *gate.Gate, ids []int64, what string,
	run func() ([]gate.Outcome, error),
) ([]gate.Outcome, error) {
	bar := a.progress(int64(len(ids)))
	g.Progress = func(gate.Outcome) { bar.add(1) }
	defer bar.clear()
	stop := context.AfterFunc(ctx, func() {
		bar.clear()
		a.tell("interrupted: nothing more is begun; the %s under way is brought to an end that is "+
			"known", what)
	})
	defer stop()
	return run()
}

// confirmBatch asks a person at a terminal before all actions are gone through, and shows what they
// would change.
func (a *app) confirmBatch(
	ctx context.Context, g *gate.Gate, b batch, ids []int64, of batchOf,
) error {
	if !b.byFlags() || b.dryRun || b.yes || !of.needsYes && !a.atTerminal() {
		return nil
	}
	if of.undo {
		var err error
		if ids, err = g.LastFirst(ctx, ids); err != nil {
			return err
		}
	}
	shown, err := a.previewOf(ctx, g, ids, of.undo)
	if err != nil {
		return err
	}
	return a.confirm(ctx, question{what: of.what, chosen: true, preview: shown})
}
