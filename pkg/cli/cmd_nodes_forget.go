package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/nodes/store"
)

// forgottenRow is a node that was forgotten.
type forgottenRow struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (n *nodeCommands) forget() *cobra.Command {
	var f nodeFilter
	count := -1
	c := &cobra.Command{
		Use:   "delete --filter FILTER... [--count N]",
		Short: "forget the nodes of a filter, with their history",
		Long: `delete forgets the nodes that a filter has. Nothing is done to the machines; one that a
scan or a report shows again is a new node. Without --count nothing is deleted: it lists what would
be. With it they are deleted, all or none: where the filter has another number by then, none is.

` + filterHelp,
		Example: `  actionctl nodes delete --filter state=terminated,region=eu-west-1
  actionctl nodes delete --count 12 \
    --filter state=terminated,region=eu-west-1`,
		Args: commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			parsed, err := f.parse()
			switch {
			case err != nil:
				return err
			case parsed == nil:
				return usage("--filter: %v", store.ErrNoFilter)
			case c.Flags().Changed("count") && count < 0:
				return usage("--count is 0 or more")
			}
			s, err := n.openNodes(c.Context(), false)
			if err != nil {
				return err
			}
			defer s.Close()
			if count < 0 {
				rows, _, err := listed(c.Context(), s, store.Query{Filter: parsed})
				if err := errors.Join(err, n.tellUnused(c.Context(), s, parsed)); err != nil {
					return err
				}
				fmt.Fprintf(n.stderr, "actionctl: nothing was deleted; to delete these: --count %d\n",
					len(rows))
				return n.print(rows, func(w io.Writer) { n.nodeTable(c.Context(), w, s, rows) })
			}
			as := s.As(store.Call{Caller: operator(), Name: "nodes delete", Asked: parsed.String()})
			gone, err := as.Delete(c.Context(), parsed, count)
			if err != nil {
				return err
			}
			rows := []forgottenRow{}
			for _, id := range slices.Sorted(maps.Keys(gone)) {
				rows = append(rows, forgottenRow{ID: id, Name: gone[id]})
			}
			return n.print(rows, func(w io.Writer) {
				lines := make([][]string, len(rows))
				for i, r := range rows {
					lines[i] = []string{r.ID, r.Name}
				}
				n.tabulate(w, []string{"DELETED", "NAME"}, lines)
			})
		},
	}
	f.flags(c)
	c.Flags().IntVar(&count, "count", -1, "how many nodes are meant: delete them if it is so many")
	return c
}

func (n *nodeCommands) markMissing() *cobra.Command {
	silence := time.Duration(0)
	c := &cobra.Command{
		Use:   "mark-missing --not-heard-for DURATION",
		Short: "have running nodes be missing that were not heard of",
		Long: `mark-missing has nodes be missing that run, as far as is known, and of which nothing was
heard for that long: no report, no probe that reached them, and no scan that showed them. Those that
never reported and never answered a probe are none of them: scans alone say how they are. A new
report has such a node run again.`,
		Example: `  actionctl nodes mark-missing --not-heard-for 24h`,
		Args:    commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if silence < time.Minute {
				return usage("--not-heard-for is %s, want a minute or more, as 24h", silence)
			}
			s, err := n.openNodes(c.Context(), false)
			if err != nil {
				return err
			}
			defer s.Close()
			as := s.As(store.Call{Caller: operator(), Name: "nodes mark-missing", Asked: silence.String()})
			marked, err := as.MarkMissing(c.Context(), n.Now().Add(-silence))
			if err != nil {
				return err
			}
			return n.print(map[string]int{"marked": marked}, func(w io.Writer) {
				fmt.Fprintln(w, found(marked, "node"), "marked missing")
			})
		},
	}
	c.Flags().DurationVar(&silence, "not-heard-for", 0, "for how long nothing was heard of them")
	return c
}
