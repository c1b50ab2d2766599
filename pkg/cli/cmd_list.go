package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/gate"
)

func (a *app) list() *cobra.Command {
	var q gate.Query
	var status string
	c := &cobra.Command{
		Use:   "list",
		Short: "list the journal's actions, a page at a time",
		Long: `list shows the actions of the journal as it has them, by their ids. It does not hold them
against the event log: show does so for one action, and journal --verify for all.`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			q.Status = gate.Status(status)
			if status != "" && !slices.Contains(gate.Statuses(), q.Status) {
				return usage("--status is %q, want one of %s", status, strings.Join(statusNames(), ", "))
			}
			if q.Limit < 0 || q.After < 0 {
				return usage("--limit and --after are 0 or more")
			}
			j, err := a.openJournal(c.Context())
			if err != nil {
				return err
			}
			defer j.Close()
			actions, err := j.List(c.Context(), q)
			if err != nil {
				return err
			}
			rows := make([]gate.Row, len(actions))
			for i, x := range actions {
				rows[i] = x.Row()
			}
			return a.print(rows, func(w io.Writer) { a.listTable(w, rows, q) })
		},
	}
	c.Flags().StringVar(&status, "status", "",
		"only those of this `status`: "+strings.Join(statusNames(), ", "))
	c.Flags().IntVar(&q.Limit, "limit", 100, "the most to list; 0 is all")
	c.Flags().Int64Var(&q.After, "after", 0, "go on after this `id`")
	c.Flags().BoolVar(&q.Newest, "newest", false, "the newest first")
	_ = c.RegisterFlagCompletionFunc(
		"status",
		cobra.FixedCompletions(statusNames(), cobra.ShellCompDirectiveNoFileComp),
	)
	return c
}

func statusNames() []string {
	names := make([]string, len(gate.Statuses()))
	for i, s := range gate.Statuses() {
		names[i] = string(s)
	}
	return names
}

func (a *app) listTable(w io.Writer, rows []gate.Row, q gate.Query) {
	lines := make([][]string, len(rows))
	for i, r := range rows {
		said := firstOf(r.Error, r.ResultMessage)
		target := ""
		if named := a.Registry.Resources(r.Target); len(named) > 0 {
			target = named[0].ID
		}
		lines[i] = []string{
			fmt.Sprint(r.ID), string(r.Status), r.IdempotencyKey, r.Action, target,
			r.Target["address"], r.ApprovedBy, when(r.UpdatedAt), said,
		}
	}
	a.tabulate(
		w,
		[]string{
			"ID",
			"STATUS",
			"KEY",
			"ACTION",
			"TARGET",
			"ADDRESS",
			"APPROVED BY",
			"UPDATED",
			"MESSAGE",
		},
		lines,
	)
	if q.Limit > 0 && len(rows) == q.Limit {
		fmt.Fprintf(a.stderr, "there may be more: --after %d\n", rows[len(rows)-1].ID)
	}
}
