package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/document"
	"aws-provider-executor/pkg/gate"
)

// importing is what import is told.
type importing struct {
	file, source    string
	requeue, dryRun bool
}

func (a *app) importPlans() *cobra.Command {
	var im importing
	c := &cobra.Command{
		Use:   "import -f PLANS|REQUESTS",
		Short: "take plans into the journal, all or none",
		Long: `import takes plans or requests into the journal, all or none. A key is taken once; the same
plan again changes nothing. With --dry-run it tells what would be taken, and writes nothing.

Plans are YAML or JSON: one, a list, several documents, or {actionPlans: [...]}; actionctl plan
writes one. Requests are those that an executor takes. Their mode is not obeyed: whether something
is executed is said to the gate alone.

Of a core's journal (its SQLite file) it takes the actions that are in force, with their facts, so
that rollback can undo them. What is left out is told, and it ends with 3 then. The core's file is
only read.`,
		Example: `  actionctl import -f plans.yaml --dry-run
  actionctl import -f plans.yaml
  actionctl import -f request.json --source mobility-7
  actionctl import -f core.db`,
		Args: commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			im.source = firstOf(im.source, im.file)
			if isDatabase(im.file) {
				return a.adopt(c.Context(), im)
			}
			return a.importFile(c.Context(), im)
		},
	}
	c.Flags().VarP(&once{to: &im.file}, "file", "f",
		"the `file` of plans or requests, or a core's journal; - is standard input")
	c.Flags().StringVar(&im.source, "source", "",
		"where the plans come from, for the journal (default the file)")
	c.Flags().BoolVar(&im.requeue, "requeue", false,
		"put actions that are not running and not in force back to pending, facts kept, to be "+
			"approved anew")
	c.Flags().BoolVar(&im.dryRun, "dry-run", false, "tell what would be taken, and write nothing")
	_ = c.MarkFlagRequired("file")
	return c
}

// importFile imports plans or requests.
func (a *app) importFile(ctx context.Context, im importing) error {
	plans, err := a.readPlans(im.file)
	var refusal *gate.Refusal
	if err != nil && !errors.As(err, &refusal) {
		return err
	}
	g, err := a.gate()
	if err != nil {
		return err
	}
	bar := a.progress(importSteps * int64(plans.Len()))
	defer bar.clear()
	told := gate.WithProgress(ctx, func() { bar.add(1) })
	all := g.Importing(plans, im.source, im.requeue)
	done, err := a.openForImport(ctx, g, im.dryRun, func() error {
		if refusal != nil {
			return refusal
		}
		return all.Check(told)
	})
	if err != nil {
		return err
	}
	defer done()
	if refusal != nil {
		return g.RefuseImport(ctx, im.source, refusal)
	}
	err = all.Do(told)
	bar.clear()
	switch {
	case im.dryRun:
		return a.reportRehearsal(slices.Collect(all.Outcomes), err)
	case err != nil:
		return unlessStopped(ctx, err)
	case a.format == "json":
		// Nobody is told more than the document has, and there may be very many.
		return a.printRows(outcomeRowsOf(all.Outcomes))
	}
	return a.reportWith(afterImport, slices.Collect(all.Outcomes), false, nil)
}

// importSteps is how many steps an import has for each plan.
const importSteps = 3

// unlessStopped says of an error that comes of an interruption what it means to a command that
// does all or nothing.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return errors.New("interrupted: nothing was done")
	}
	return err
}

// reportRehearsal tells what an import would do. Where anything is refused that is nothing.
func (a *app) reportRehearsal(outcomes []gate.Outcome, err error) error {
	for i, o := range outcomes {
		switch o.Message {
		case "imported", "requeued", "taken, to be rolled back":
			outcomes[i].Message = "would be " + o.Message
		}
	}
	if gate.IsRefusal(err) {
		a.tell("nothing would be taken, since something is refused: it is all or none")
	}
	return a.reportWith(afterRehearsal, outcomes, false, err)
}

// openForImport opens the journal that an import writes to. One that is not there is made once
// nothing is refused whatever would be in it. For a dry-run all of that is rehearsed.
func (a *app) openForImport(
	ctx context.Context, g *gate.Gate, dryRun bool, check func() error,
) (done func(), err error) {
	j, err := a.openJournal(ctx)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case missing && dryRun:
		g.Store = gate.Rehearse(nil)
		return func() {}, nil
	case missing:
		if err := check(); err != nil {
			return nil, err
		}
		j, err = a.createJournal(ctx)
	}
	if err != nil {
		return nil, err
	}
	if g.Store = j; dryRun {
		g.Store = gate.Rehearse(j)
	}
	return func() { _ = j.Close() }, nil
}

// readPlans reads plans, or requests as plans.
func (a *app) readPlans(file string) (*gate.Plans, error) {
	data, err := a.read(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the plans: %w", err)
	}
	plans, err := a.plansOrRequests(data, file)
	if err != nil {
		return new(gate.Plans), &gate.Refusal{What: "import of " + file, Reasons: faultLines(err)}
	}
	return plans, nil
}

// plansOrRequests reads plans, or requests as plans. All of a file are the one or the other.
func (a *app) plansOrRequests(data []byte, file string) (*gate.Plans, error) {
	if plans, is, err := gate.PlansOfList(data); is {
		return plans, err
	}
	nodes, err := document.Parse(data)
	switch requests := areRequests(data, nodes, err); {
	case !requests && err != nil:
		return nil, err
	case !requests:
		return gate.PlansIn(nodes)
	}
	requests, err := a.decodeRequests(data, file, "")
	if err != nil {
		return nil, err
	}
	plans := plansOf(requests)
	for i, r := range requests {
		if len(r.Ignored) > 0 {
			a.tell("%s, request %d: not taken, since nothing reads it: %s", printable(file), i+1,
				printable(strings.Join(r.Ignored, ", ")))
		}
		if r.Approvals.List != nil {
			a.tell("%s, request %d: its approvals are not taken: the journal has its own",
				printable(file), i+1)
		}
		plans[i].Mode = string(r.Mode)
	}
	return gate.PlansOf(plans), nil
}

// faultLines are the faults of a document, a line each.
func faultLines(err error) []string {
	faults, ok := err.(document.Faults)
	if !ok {
		return strings.Split(err.Error(), "\n")
	}
	lines := make([]string, len(faults))
	for i, f := range faults {
		lines[i] = document.Faults{f}.Error()
	}
	return lines
}
