package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/document"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/journal"
)

func (a *app) importPlans() *cobra.Command {
	var file, source string
	var requeue bool
	c := &cobra.Command{
		Use:   "import -f PLANS",
		Short: "take plans into the journal, all or none",
		Long: `import takes plans (YAML or JSON: one, a list, several documents, or {actionPlans:
[...]}) into the journal, all or none. A key is taken once; the same plan again changes nothing.

Of a core's journal (its SQLite file) it takes the actions that are in force, with their facts, so
that rollback can undo them. What is left out is told, and it ends with 3 then. The core's file is
only read.`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if isDatabase(file) {
				return a.adopt(c.Context(), file, firstOf(source, file), requeue)
			}
			plans, err := a.readPlans(file)
			var refusal *gate.Refusal
			if err != nil && !errors.As(err, &refusal) {
				return err
			}
			g, err := a.gate()
			if err != nil {
				return err
			}
			j, err := a.openOrCreateJournal(c.Context(), g, plans, refusal)
			if err != nil {
				return err
			}
			defer j.Close()
			g.Store = j
			if refusal != nil {
				return g.RefuseImport(c.Context(), firstOf(source, file), refusal)
			}
			outcomes, err := g.Import(c.Context(), plans, firstOf(source, file), requeue)
			if err != nil {
				return err
			}
			return a.reportWith(afterImport, outcomes, false, nil)
		},
	}
	c.Flags().VarP(&once{to: &file}, "file", "f",
		"the plans' `file`, or a core's journal; - is standard input")
	c.Flags().StringVar(&source, "source", "",
		"where the plans come from, for the journal (default the file)")
	c.Flags().BoolVar(&requeue, "requeue", false,
		"put actions that are not running and not in force back to pending, facts kept, to be "+
			"approved anew")
	_ = c.MarkFlagRequired("file")
	return c
}

// openOrCreateJournal makes a journal for plans, unless they are refused.
func (a *app) openOrCreateJournal(
	ctx context.Context,
	g *gate.Gate,
	plans []gate.Plan,
	refusal *gate.Refusal,
) (*journal.Journal, error) {
	j, err := a.openJournal(ctx)
	if !errors.Is(err, fs.ErrNotExist) {
		return j, err
	}
	if refusal != nil {
		return nil, refusal
	}
	if err := g.CheckPlans(plans); err != nil {
		return nil, err
	}
	return a.createJournal(ctx)
}

func (a *app) readPlans(file string) ([]gate.Plan, error) {
	data, err := a.read(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the plans: %w", err)
	}
	plans, err := gate.ParsePlans(data)
	if err != nil {
		return nil, &gate.Refusal{What: "import of " + file, Reasons: faultLines(err)}
	}
	return plans, nil
}

// faultLines are the faults of a document, a line each.
func faultLines(err error) []string {
	faults, ok := err.(document.Faults)
	if !ok {
		return []string{err.Error()}
	}
	lines := make([]string, len(faults))
	for i, f := range faults {
		lines[i] = document.Faults{f}.Error()
	}
	return lines
}
