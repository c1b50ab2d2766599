package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/nodes"
	selector "aws-provider-executor/pkg/nodes/filter"
	"aws-provider-executor/pkg/nodes/store"
)

// filterHelp says how a filter is written.
const filterHelp = `A filter is KEY=VALUE, or KEY=VALUE,VALUE for one of several values;
!KEY=VALUE leaves out. Several conditions are separated by commas or given as several filters, and
all must hold. A tag is tag:KEY. A value is exact; * stands for any text, ? for one character or
none, \ takes the next character literally, and "" is the empty text. A time is FROM..TO, as
2026-11-29T00:00:00Z..2026-11-30T00:00:00Z. See actionctl nodes fields for the keys.`

// nodeFilter are the flags that choose nodes.
type nodeFilter struct {
	texts    []string
	bareTags bool
}

func (f *nodeFilter) flags(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.texts, "filter", nil,
		"only nodes of this `filter`, as 'region=us-west*,!tag:env=prod'; may be given several times")
	c.Flags().BoolVar(&f.bareTags, "bare-tags", false,
		"take a key that is no field for that of a tag")
	_ = c.RegisterFlagCompletionFunc("filter", completeFilter)
}

func completeFilter(
	_ *cobra.Command, _ []string, begun string,
) ([]string, cobra.ShellCompDirective) {
	const more = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	key, _, valued := strings.Cut(begun, "=")
	f, ok := selector.Lookup(key)
	var offered []string
	switch {
	case valued && ok:
		for _, w := range f.Words {
			offered = append(offered, key+"="+w)
		}
	case !valued:
		for _, f := range selector.Fields() {
			offered = append(offered, cobra.CompletionWithDesc(f.Name+"=", f.Doc))
		}
		offered = append(offered, cobra.CompletionWithDesc("tag:", "a tag"))
	}
	return offered, more
}

// parse reads the filters. No filter is nil: all nodes.
func (f *nodeFilter) parse() (*selector.Filter, error) {
	if len(f.texts) == 0 {
		return nil, nil
	}
	parsed, err := selector.Parse(f.texts, selector.Options{BareTags: f.bareTags})
	if err != nil {
		return nil, usage("--filter: %s", strings.ReplaceAll(err.Error(), "\n", "\n  "))
	}
	return parsed, nil
}

func (n *nodeCommands) list() *cobra.Command {
	var f nodeFilter
	q := store.Query{}
	c := &cobra.Command{
		Use:   "list",
		Short: "list nodes, a page at a time",
		Long: `list shows the nodes that a filter has, in order. A page goes on after the one before;
a node that is there all the while is listed once, also while others come and go.

` + filterHelp,
		Example: `  actionctl nodes list --filter 'region=us-west*,tag:Name=web*,!tag:env=prod'
  actionctl nodes list --filter state=stopped --sort stateSince --descending
  actionctl nodes list --limit 0 -o json`,
		Args: commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if !slices.Contains(store.SortFields(), q.Sort) {
				return usage("--sort is %q, want one of %s", q.Sort, strings.Join(store.SortFields(), ", "))
			}
			if q.Limit < 0 {
				return usage("--limit is 0 or more")
			}
			if q.Filter, err = f.parse(); err != nil {
				return err
			}
			s, err := n.openNodes(c.Context(), false)
			if err != nil {
				return err
			}
			defer s.Close()
			rows, next, err := listed(c.Context(), s, q)
			if err := errors.Join(err, n.tellUnused(c.Context(), s, q.Filter)); err != nil {
				return err
			}
			return n.print(rows, func(w io.Writer) {
				n.listTable(c.Context(), w, s, q, rows, next)
			})
		},
	}
	f.flags(c)
	c.Flags().StringVar(&q.Sort, "sort", "name",
		"the `field` to sort by: "+strings.Join(store.SortFields(), ", "))
	c.Flags().BoolVar(&q.Descending, "descending", false, "the last first")
	c.Flags().IntVar(&q.Limit, "limit", 100, "the most to list; 0 is all")
	c.Flags().StringVar(&q.After, "after", "", "go on after this `page`, as the one before said")
	_ = c.RegisterFlagCompletionFunc("sort",
		cobra.FixedCompletions(store.SortFields(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

// listed are the nodes that are asked for. Without a limit all pages are read.
func listed(
	ctx context.Context, s *store.Store, q store.Query,
) (rows []nodeRow, next string, err error) {
	rows = []nodeRow{}
	all, left := q.Limit == 0, q.Limit
	for {
		q.Limit = store.MostListed
		if !all {
			q.Limit = min(left, store.MostListed)
		}
		page, err := s.List(ctx, q)
		if err != nil {
			return nil, "", err
		}
		for _, x := range page.Nodes {
			rows = append(rows, rowOfNode(x))
		}
		left -= len(page.Nodes)
		if q.After = page.Next; q.After == "" || !all && left <= 0 {
			return rows, page.Next, nil
		}
	}
}

// listTable shows a page, and on standard error how many nodes the filter has.
func (n *nodeCommands) listTable(
	ctx context.Context, w io.Writer, s *store.Store, q store.Query, rows []nodeRow, next string,
) {
	n.nodeTable(ctx, w, s, rows)
	totals, err := s.Count(ctx, q.Filter)
	if err != nil {
		fmt.Fprintln(n.stderr, "actionctl: cannot count the nodes:", err)
		return
	}
	switch {
	case totals.All == 0 && q.Filter != nil:
		fmt.Fprintln(n.stderr, "actionctl: no node is asked for by these filters; actionctl nodes "+
			"explain says how they are read")
	case totals.All == 0:
		fmt.Fprintln(n.stderr, "actionctl: there is no node yet; actionctl nodes managers create, "+
			"nodes scan and nodes add make some known")
	default:
		fmt.Fprintf(n.stderr, "%d of %s: %s\n", len(rows), found(totals.All, "node"), counted(totals))
	}
	if next != "" {
		fmt.Fprintf(n.stderr, "there are more: --after %s\n", next)
	}
}

// counted are totals in a line.
func counted(t store.Totals) string {
	var all []string
	for _, s := range nodes.States() {
		if t.ByState[s] > 0 {
			all = append(all, fmt.Sprintf("%d %s", t.ByState[s], s))
		}
	}
	text := strings.Join(all, ", ")
	all = nil
	for _, s := range nodes.Statuses() {
		if t.ByStatus[s] > 0 {
			all = append(all, fmt.Sprintf("%d %s", t.ByStatus[s], s))
		}
	}
	return text + "; status " + strings.Join(all, ", ")
}

func (n *nodeCommands) count() *cobra.Command {
	var f nodeFilter
	c := &cobra.Command{
		Use:     "count",
		Short:   "count the nodes of a filter: all, by state and by status",
		Long:    "count tells how many nodes a filter has.\n\n" + filterHelp,
		Example: `  actionctl nodes count --filter 'tag:env=prod,status=unreachable'`,
		Args:    commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			parsed, err := f.parse()
			if err != nil {
				return err
			}
			s, err := n.openNodes(c.Context(), false)
			if err != nil {
				return err
			}
			defer s.Close()
			totals, err := s.Count(c.Context(), parsed)
			if err := errors.Join(err, n.tellUnused(c.Context(), s, parsed)); err != nil {
				return err
			}
			return n.print(totals, func(w io.Writer) { n.countTable(w, totals) })
		},
	}
	f.flags(c)
	return c
}

func (n *nodeCommands) countTable(w io.Writer, t store.Totals) {
	lines := [][]string{{"all", "", fmt.Sprint(t.All)}}
	for _, s := range nodes.States() {
		if t.ByState[s] > 0 {
			lines = append(lines, []string{"state", string(s), fmt.Sprint(t.ByState[s])})
		}
	}
	for _, s := range nodes.Statuses() {
		if t.ByStatus[s] > 0 {
			lines = append(lines, []string{"status", string(s), fmt.Sprint(t.ByStatus[s])})
		}
	}
	n.tabulate(w, []string{"OF", "VALUE", "NODES"}, lines)
}

// fieldRow is a field of filters.
type fieldRow struct {
	Name     string   `json:"name"`
	About    string   `json:"about"`
	Values   []string `json:"values,omitempty"`
	Synonyms []string `json:"synonyms,omitempty"`
}

func (n *nodeCommands) fields() *cobra.Command {
	var f nodeFilter
	c := &cobra.Command{
		Use:   "fields [FIELD]",
		Short: "list the fields of filters, or the values of one with how many nodes have each",
		Long: `fields lists what a filter can ask for. With a FIELD it lists the values that nodes have
there, sorted, each with how many nodes have it: regions, accounts, states, names, and so on; tags
lists the keys of tags, and tags:KEY the values of one.

` + filterHelp,
		Example: `  actionctl nodes fields
  actionctl nodes fields regions
  actionctl nodes fields tags:env --filter 'region=us-*'`,
		Args: atMostOne,
		RunE: func(c *cobra.Command, args []string) error {
			parsed, err := f.parse()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return n.listFields()
			}
			s, err := n.openNodes(c.Context(), false)
			if err != nil {
				return err
			}
			defer s.Close()
			values, err := s.Values(c.Context(), args[0], parsed)
			if err != nil {
				return usage("%v", err)
			}
			if len(values) == 0 {
				field := strings.Replace(args[0], "tags:", "tag:", 1)
				told, err := n.unusedTags(c.Context(), s, field)
				if err == nil && len(told) > 0 {
					err = errors.New(told[0])
				}
				if err != nil {
					return err
				}
			}
			return n.print(values, func(w io.Writer) {
				lines := make([][]string, len(values))
				for i, v := range values {
					lines[i] = []string{v.Value, v.Name, fmt.Sprint(v.Nodes)}
				}
				n.tabulate(w, []string{"VALUE", "NAME", "NODES"}, lines)
			})
		},
	}
	f.flags(c)
	return c
}

// unusedTags tells of each field that is a tag which no node has, and which other is meant.
func (n *nodeCommands) unusedTags(
	ctx context.Context, s *store.Store, fields ...string,
) (told []string, err error) {
	var keys []string
	for _, name := range fields {
		key, isTag := selector.TagKey(name)
		if !isTag {
			continue
		}
		if keys == nil {
			if keys, err = s.TagKeys(ctx); err != nil {
				return nil, err
			}
		}
		if slices.Contains(keys, key) {
			continue
		}
		told = append(told, fmt.Sprintf("no node has a tag %q%s", key, selector.MeantOf(key, keys)))
	}
	return told, nil
}

// tellUnused tells of the tags that a filter asks for and no node has. A wrong letter in one that
// is excluded leaves nothing out.
func (n *nodeCommands) tellUnused(
	ctx context.Context, s *store.Store, filters ...*selector.Filter,
) error {
	var fields []string
	for _, f := range filters {
		if f == nil {
			continue
		}
		for _, c := range f.Conditions() {
			if !slices.Contains(fields, c.Field.Name) {
				fields = append(fields, c.Field.Name)
			}
		}
	}
	told, err := n.unusedTags(ctx, s, fields...)
	n.tellSome("%s", told)
	return err
}

// listFields lists what a filter can ask for.
func (n *nodeCommands) listFields() error {
	rows := []fieldRow{}
	for _, f := range selector.Fields() {
		row := fieldRow{Name: f.Name, About: f.Doc, Values: f.Words, Synonyms: f.Synonyms}
		if f.Kind == selector.Time {
			row.About += ", as FROM..TO"
		}
		rows = append(rows, row)
	}
	rows = append(rows, fieldRow{Name: "tag:KEY", About: "its tag KEY"})
	return n.print(rows, func(w io.Writer) {
		lines := make([][]string, len(rows))
		for i, r := range rows {
			lines[i] = []string{r.Name, r.About, strings.Join(r.Values, " "),
				strings.Join(r.Synonyms, " ")}
		}
		n.tabulate(w, []string{"FIELD", "IS", "ONE OF", "ALSO"}, lines)
	})
}

func (n *nodeCommands) explainFilter() *cobra.Command {
	var f nodeFilter
	c := &cobra.Command{
		Use:   "explain --filter FILTER...",
		Short: "say how filters are read, and what is asked of EC2 for them",
		Long: `explain says how filters are read, condition by condition, and which of them EC2 applies
itself; the others are matched here. It looks at no node.

` + filterHelp,
		Example: `  actionctl nodes explain --filter 'region=us-west*,tag:Name=web*,!tag:env=prod'`,
		Args:    commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			parsed, err := f.parse()
			if err != nil {
				return err
			}
			if parsed == nil {
				parsed = &selector.Filter{}
			}
			e := parsed.Explain()
			return n.print(e, func(w io.Writer) { n.explainTable(w, e) })
		},
	}
	f.flags(c)
	return c
}

func (n *nodeCommands) explainTable(w io.Writer, e selector.Explanation) {
	lines := make([][]string, len(e.Conditions))
	for i, c := range e.Conditions {
		by := "here"
		if c.AskedOfEC2 {
			by = "EC2"
		}
		lines[i] = []string{c.Field, c.Says, by, c.ReadAs}
	}
	if len(lines) > 0 {
		n.tabulate(w, []string{"FIELD", "SAYS", "MATCHED BY", "WRITTEN"}, lines)
	}
	for _, note := range e.Notes {
		fmt.Fprintln(w, note)
	}
	if len(e.EC2.Regions) > 0 {
		fmt.Fprintln(w, "regions asked:", printable(strings.Join(e.EC2.Regions, ", ")))
	}
	if len(e.EC2.ExcludedRegions) > 0 {
		fmt.Fprintln(w, "regions not asked:", printable(strings.Join(e.EC2.ExcludedRegions, ", ")))
	}
	for _, f := range e.EC2.Filters {
		fmt.Fprintf(w, "asked of EC2: Name=%s,Values=%s\n", printable(f.Name),
			printable(strings.Join(f.Values, ",")))
	}
}

func (n *nodeCommands) credentials() *cobra.Command {
	return &cobra.Command{
		Use:   "credentials NODE",
		Short: "say which references to credentials a node has by its tags, and why",
		Long: `credentials lists the references to credentials that a node has: its own, and those that
its managers have for its tags, in their order and each once, with the rule that gives it. The
secrets themselves are read only when they are used, and never shown.`,
		Example:           `  actionctl nodes credentials i-0123456789abcdef0`,
		Args:              oneNode,
		ValidArgsFunction: n.completeNodes,
		RunE: func(c *cobra.Command, args []string) error {
			s, err := n.openNodes(c.Context(), false)
			if err != nil {
				return err
			}
			defer s.Close()
			x, err := s.Find(c.Context(), args[0])
			if err != nil {
				return err
			}
			managers, err := s.Managers(c.Context())
			if err != nil {
				return err
			}
			all := nodes.Credentials(x, managers)
			if all == nil {
				all = []nodes.Credential{}
			}
			return n.print(all, func(w io.Writer) { n.credentialTable(w, x, all) })
		},
	}
}

func (n *nodeCommands) credentialTable(w io.Writer, x *nodes.Node, all []nodes.Credential) {
	if len(all) == 0 {
		fmt.Fprintf(n.stderr, "actionctl: %s has none: no manager of it has a rule for its tags\n",
			printable(x.Name))
		return
	}
	lines := make([][]string, len(all))
	for i, c := range all {
		why := "the node's own"
		if c.Key != "" {
			why = fmt.Sprintf("tag %s=%s is like %s", c.Key, c.Value, c.Pattern)
		}
		lines[i] = []string{string(c.Ref), c.Manager, why}
	}
	n.tabulate(w, []string{"REFERENCE", "MANAGER", "WHY"}, lines)
}
