package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/metrics"
)

func (a *app) metricsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "metrics",
		Short: "tell what the ledger and the journal hold, for Prometheus",
		Long: `metrics reads the executor's ledger (EXECUTOR_STATE_DIR) and the gate's journal through,
and tells how many actions are recorded there, by verb and state: the live fences are those in
force. It prints Prometheus' text format. With EXECUTOR_METRICS_DIR it also keeps that in the file
of a textfile collector, beside what the runs of actionctl came to. It takes as long as there are
many records, so a timer runs it. Neither ledger nor journal is changed. One that is not there
holds nothing.`,
		Example: `  actionctl metrics
  EXECUTOR_METRICS_DIR=/var/lib/node_exporter actionctl metrics`,
		Args: commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			state := metrics.New(programName, a.Version)
			if err := a.surveyLedger(c.Context(), state); err != nil {
				return err
			}
			if err := a.surveyJournal(c.Context(), state); err != nil {
				return err
			}
			var text strings.Builder
			state.Write(&text)
			fmt.Fprint(a.stdout, text.String())
			a.metrics = state
			return nil
		},
	}
}

// surveyLedger tells what the ledger holds.
func (a *app) surveyLedger(ctx context.Context, to *metrics.Set) error {
	dir, kept := executor.StateDir(a.env)
	if !kept {
		return nil
	}
	store, err := ledger.Read(ctx, dir, ledger.OSDisk{}, time.Now)
	if err != nil {
		return err
	}
	found, err := store.Survey(ctx)
	if err != nil {
		return err
	}
	for _, v := range a.Registry.Verbs() {
		if !v.TakesBack() {
			withZeros(found.Actions, v.Name)
		}
	}
	to.Ledger(metrics.LedgerState{
		Actions: found.Actions, Bytes: found.Bytes, Unreadable: found.Unreadable,
		OldestPending: found.OldestPending,
	})
	return nil
}

// withZeros has the counts of a verb tell that there is none, where there is none: an alert can't
// tell what is not there from what is not told.
func withZeros(actions map[string]map[string]int, verb string) {
	if actions[verb] == nil {
		actions[verb] = map[string]int{}
	}
	for _, state := range []history.State{history.Pending, history.Live} {
		actions[verb][string(state)] += 0
	}
}

// surveyJournal tells what the journal holds.
func (a *app) surveyJournal(ctx context.Context, to *metrics.Set) error {
	if _, err := a.journalFile(); err != nil {
		// A unit has no home, and may be about the ledger only.
		return nil
	}
	j, err := a.openJournal(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer j.Close()
	actions, err := j.List(ctx, gate.Query{})
	if err != nil {
		return err
	}
	states := map[string]int{}
	for _, status := range gate.Statuses() {
		states[string(status)] = 0
	}
	for _, x := range actions {
		states[string(x.Status)]++
	}
	to.Journal(states)
	return nil
}
