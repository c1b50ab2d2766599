package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/gate"
)

func (a *app) list() *cobra.Command {
	var f filter
	var w watching
	var page gate.Query
	c := &cobra.Command{
		Use:   "list",
		Short: "list the journal's actions, a page at a time",
		Long: `list shows the actions of the journal as it has them, by their ids. It does not hold them
against the event log: show does so for one action, and journal --verify for all.

On a terminal the table fits, and has what matters most; -o wide has all. Elsewhere a table has
all columns, separated by tabs, and nothing is cut. With --watch a terminal shows the list anew
whenever it changes; elsewhere each action follows once more as it changes.`,
		Example: `  actionctl list --status pending,failed
  actionctl list --target eni-0123456789abcdef0 --since 24h --newest -o wide
  actionctl list --key 'mobility-7/*' --watch`,
		Args: commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			q, err := f.query(a.Now())
			if err != nil {
				return err
			}
			if page.Limit < 0 || page.After < 0 {
				return usage("--limit and --after are 0 or more")
			}
			if err := w.check(); err != nil {
				return err
			}
			q.Limit, q.After, q.Newest = page.Limit, page.After, page.Newest
			j, err := a.openJournal(c.Context())
			if err != nil {
				return err
			}
			defer j.Close()
			if _, err := selectIn(c.Context(), j, f.selection, &q); err != nil {
				return err
			}
			if w.on {
				return a.watchList(c.Context(), j, q, w)
			}
			rows, err := rowsOf(c.Context(), j, q)
			if err != nil {
				return err
			}
			return a.print(rows, func(w io.Writer) { a.listTable(w, rows, q) })
		},
	}
	f.flags(a, c)
	w.flags(c, "watch", "go on, and show what changes, until it is interrupted")
	c.Flags().IntVar(&page.Limit, "limit", 100, "the most to list; 0 is all")
	c.Flags().Int64Var(&page.After, "after", 0, "go on after this `id`")
	c.Flags().BoolVar(&page.Newest, "newest", false, "the newest first")
	return c
}

func rowsOf(ctx context.Context, s gate.Store, q gate.Query) ([]gate.Row, error) {
	actions, err := s.List(ctx, q)
	if err != nil {
		return nil, err
	}
	rows := make([]gate.Row, len(actions))
	for i, x := range actions {
		rows[i] = x.Row()
	}
	return rows, nil
}

// listColumns are those of list, in an order that scripts may count on.
var listColumns = []column{
	{name: "ID", whole: true}, {name: "STATUS", whole: true}, {name: "KEY"},
	{name: "ACTION", spare: 2}, {name: "TARGET", whole: true, spare: 1},
	{name: "ADDRESS", whole: true, spare: 4}, {name: "APPROVED BY", wide: true},
	{name: "UPDATED", whole: true, spare: 3}, {name: "MESSAGE"},
	{name: "SOURCE", wide: true}, {name: "PROVIDER", wide: true}, {name: "RISK", wide: true},
	{name: "CREATED", wide: true}, {name: "EXECUTED", wide: true},
}

func (a *app) listLine(r gate.Row) []string {
	target := ""
	if named := a.Registry.Resources(r.Target); len(named) > 0 {
		target = named[0].ID
	}
	provider := r.Provider
	if r.ProviderRef != "" {
		provider += "/" + r.ProviderRef
	}
	return []string{
		fmt.Sprint(r.ID), string(r.Status), r.IdempotencyKey, r.Action, target,
		r.Target["address"], r.ApprovedBy, when(r.UpdatedAt), firstOf(r.Error, r.ResultMessage),
		r.Source, provider, r.RiskLevel, when(r.CreatedAt), when(r.ExecutedAt),
	}
}

func (a *app) listTable(w io.Writer, rows []gate.Row, q gate.Query) {
	lines := make([][]string, len(rows))
	for i, r := range rows {
		lines[i] = a.listLine(r)
	}
	a.tabulateColumns(w, listColumns, lines)
	switch {
	case len(rows) == 0 && (q.Filters() || q.After > 0):
		fmt.Fprintln(a.stderr, "actionctl: no action of the journal is asked for by these flags")
	case len(rows) == 0:
		fmt.Fprintln(a.stderr, "actionctl: the journal has no action; actionctl import -f PLANS "+
			"takes some")
	case q.Limit > 0 && len(rows) == q.Limit:
		fmt.Fprintf(a.stderr, "there may be more: --after %d\n", rows[len(rows)-1].ID)
	}
}

// watchList shows a list again and again. On a terminal each takes the place of the one before.
func (a *app) watchList(ctx context.Context, s gate.Store, q gate.Query, w watching) error {
	last := map[int64]time.Time{}
	first := true
	return w.repeat(ctx, func() error {
		rows, err := rowsOf(ctx, s, q)
		if err != nil {
			return err
		}
		var fresh []gate.Row
		for _, r := range rows {
			updated := time.Time{}
			if r.UpdatedAt != nil {
				updated = *r.UpdatedAt
			}
			if was, known := last[r.ID]; !known || !was.Equal(updated) {
				fresh = append(fresh, r)
			}
			last[r.ID] = updated
		}
		redraw := a.format == "table" && isTerminal(a.stdout)
		if len(fresh) > 0 || first {
			err = a.showWatched(rows, fresh, q, redraw, first)
		}
		first = false
		return err
	})
}

func (a *app) showWatched(rows, fresh []gate.Row, q gate.Query, redraw, first bool) error {
	switch {
	case redraw:
		// Home, and all that was there away.
		fmt.Fprint(a.stdout, "\x1b[H\x1b[2J")
		a.listTable(a.stdout, rows, q)
	case a.format == "table":
		lines := make([][]string, len(fresh))
		for i, r := range fresh {
			lines[i] = a.listLine(r)
		}
		a.tabulateMore(listColumns, lines, first)
	default:
		for _, r := range fresh {
			if err := a.printFollowed(r); err != nil {
				return err
			}
		}
	}
	return nil
}
