package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/journal"
)

// isDatabase reports whether a file is SQLite's, as a core's journal is.
func isDatabase(path string) bool {
	const magic = "SQLite format 3\x00"
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(magic))
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == magic
}

// adopt takes what a core's journal has in force into ours.
func (a *app) adopt(ctx context.Context, im importing) error {
	file := im.file
	if im.requeue {
		return usage("--requeue is for plans, and %s is a core's journal", file)
	}
	g, err := a.gate()
	if err != nil {
		return err
	}
	core, err := journal.Open(ctx, file)
	if err != nil {
		return err
	}
	defer core.Close()
	if !core.IsACores() {
		const why = "it is a journal of actionctl: name it with --journal"
		return &gate.Refusal{What: "import of " + file, Reasons: []string{why}}
	}
	adoptable, outcomes, err := g.Adoptable(ctx, core)
	if err != nil {
		return err
	}
	if len(adoptable) == 0 {
		fmt.Fprintln(a.stderr, "actionctl: nothing was taken:"+
			" no action of the core's journal that can be rolled back is in force")
	}
	done, err := a.openForImport(ctx, g, im.dryRun, func() error {
		if len(adoptable) == 0 {
			return errNothingToAdopt
		}
		return nil
	})
	if errors.Is(err, errNothingToAdopt) {
		return a.report(outcomes, false, nil)
	}
	if err != nil {
		return err
	}
	defer done()
	closed, err := g.CloseUndone(ctx, core, im.source)
	if err != nil {
		return err
	}
	taken, err := g.Adopt(ctx, adoptable, im.source)
	outcomes = slices.Concat(outcomes, closed, taken)
	if im.dryRun {
		return a.reportRehearsal(outcomes, err)
	}
	return a.reportWith(afterImport, outcomes, false, err)
}

var errNothingToAdopt = errors.New("there is nothing to take")

// createJournal makes the journal where there is none.
func (a *app) createJournal(ctx context.Context) (*journal.Journal, error) {
	path, err := a.journalFile()
	if err != nil {
		return nil, err
	}
	return journal.OpenOrCreate(ctx, path)
}

// sayHowToAdopt adds to a refusal to roll back in a core's journal how its rows are rolled back.
func (a *app) sayHowToAdopt(ctx context.Context, refusal error) error {
	j, err := a.openJournal(ctx)
	if err != nil {
		return refusal
	}
	defer j.Close()
	if !j.IsACores() {
		return refusal
	}
	return fmt.Errorf("%w; it is a core's: `actionctl import -f %s` takes what is in force"+
		" into a journal of actionctl, from where it is rolled back", refusal, j.Path())
}
