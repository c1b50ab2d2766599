package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/scan"
	"aws-provider-executor/pkg/nodes/store"
)

// managers is the parent of all commands on managers.
func (n *nodeCommands) managers() *cobra.Command {
	c := &cobra.Command{
		Use:   "managers",
		Short: "say where nodes come from: accounts, regions, identities",
		Long: `managers keeps what scans go by. A manager looks with one identity at one account: the one
that actionctl runs with, a role, a profile, or keys that a reference leads to. It keeps the
reference and never a secret. Several managers may look with one identity, and at one account: a
node that two of them see belongs to both.`,
		Example: `  actionctl nodes managers create --type aws-ec2 --name own --regions 'eu-*'
  actionctl nodes managers list`,
		Args: commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(n.managerCreate(), n.managerUpdate(), n.managerList(), n.managerShow(),
		n.managerConnect(), n.managerDelete())
	return c
}

// openScanner opens the store, and a scanner that hands over to it.
func (n *nodeCommands) openScanner(
	ctx context.Context, create bool,
) (*store.Store, *scan.Scanner, error) {
	s, err := n.openNodes(ctx, create)
	if err != nil {
		return nil, nil, err
	}
	log := n.log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	open := func(ctx context.Context, m nodes.Manager) (scan.Cloud, error) {
		if n.OpenCloud == nil {
			return nil, errors.New("this program looks at no cloud")
		}
		return n.OpenCloud(ctx, m, log)
	}
	return s, scan.New(s, open, scan.Options{Now: n.Now, Log: log}), nil
}

var managerColumns = []column{
	{name: "NAME", whole: true}, {name: "TYPE", whole: true}, {name: "STATUS", whole: true},
	{name: "ACCOUNT", whole: true, spare: 1}, {name: "REGIONS", spare: 2},
	{name: "IDENTITY", spare: 3}, {name: "CHECKED", spare: 4, whole: true}, {name: "REASON"},
	{name: "ID", wide: true, whole: true}, {name: "INTERVAL", wide: true},
}

// nodesOf says what the nodes of a type of managers are.
var nodesOf = map[nodes.ManagerType]string{
	nodes.ManagerEC2: "an instance each", nodes.ManagerAWS: "a region of an account each",
	nodes.ManagerVM: "an Azure virtual machine each", nodes.ManagerAzure: "an Azure subscription each",
}

func (n *nodeCommands) managerCreate() *cobra.Command {
	var f managerFlags
	c := &cobra.Command{
		Use:   "create --type TYPE --name NAME",
		Short: "create a manager, and scan it",
		Long: `create writes a manager down and scans it at once. One that can't look yet stays, with the
reason. Nodes that another manager has already get this
one as well.

An Azure manager looks with the identity that Azure's own tools find, or with --secret file:/PATH:
JSON with tenantId, clientId and clientSecret. The role Reader is enough. Machines of scale sets in
uniform orchestration are not seen.

Terminated stays terminated. Where the cloud shows such a node alive, create tells which ones, and
--revive has them live again.`,
		Example: `  actionctl nodes managers create --type aws-ec2 --name own --regions 'eu-*'
  actionctl nodes managers create --type aws-ec2 --name shop \
    --role arn:aws:iam::222233334444:role/nodes --external-id WORD`,
		Args: commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			m := nodes.Manager{Type: nodes.ManagerType(f.kind)}
			if f.kind == "" {
				return usage("--type is required: %s", strings.Join(managerKinds(), ", "))
			}
			if err := f.apply(&m, c.Flags().Changed); err != nil {
				return err
			}
			return n.keepManager(c.Context(), f.revive,
				func(k *scan.Keeper, r scan.Request) (scan.Kept, error) {
					return k.Create(c.Context(), m, r)
				})
		},
	}
	c.Flags().StringVar(&f.kind, "type", "", "the `type`, by what its nodes are: "+
		strings.Join(managerKinds(), ", "))
	_ = c.RegisterFlagCompletionFunc("type",
		func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var kinds []string
			for _, k := range managerKinds() {
				name, what, _ := strings.Cut(k, " ")
				kinds = append(kinds, cobra.CompletionWithDesc(name, strings.Trim(what, "()")))
			}
			return kinds, cobra.ShellCompDirectiveNoFileComp
		})
	f.add(c.Flags())
	return c
}

func (n *nodeCommands) managerUpdate() *cobra.Command {
	var f managerFlags
	c := &cobra.Command{
		Use:   "update MANAGER",
		Short: "change a manager, and scan it",
		Long: `update changes what is given and leaves the rest; an empty text takes a setting away. The
manager keeps its nodes, but for those in accounts and regions that it does not cover any more.`,
		Example: `  actionctl nodes managers update shop --name store --exclude-regions us-east-1
  actionctl nodes managers update shop --profile ''`,
		Args:              oneManager,
		ValidArgsFunction: n.completeManagers,
		RunE: func(c *cobra.Command, args []string) error {
			s, err := n.openNodes(c.Context(), false)
			if err != nil {
				return err
			}
			m, err := s.Manager(c.Context(), args[0])
			if err = errors.Join(err, s.Close()); err != nil {
				return err
			}
			if err := f.apply(&m, c.Flags().Changed); err != nil {
				return err
			}
			return n.keepManager(c.Context(), f.revive,
				func(k *scan.Keeper, r scan.Request) (scan.Kept, error) {
					return k.Update(c.Context(), m, r)
				})
		},
	}
	f.add(c.Flags())
	return c
}

// keptManager is what create and update came to.
type keptManager struct {
	Manager   managerRow  `json:"manager"`
	Regions   []regionRow `json:"regions"`
	Revivable []string    `json:"revivable"`
	Revived   int         `json:"revived"`
}

// keepManager has a keeper keep a manager, and tells what came of it. A manager that can't look is
// kept, and the exit code says that it could not.
func (n *nodeCommands) keepManager(
	ctx context.Context, revive bool, do func(*scan.Keeper, scan.Request) (scan.Kept, error),
) error {
	s, scanner, err := n.openScanner(ctx, true)
	if err != nil {
		return err
	}
	defer s.Close()
	seen := n.scanned()
	kept, err := do(scan.NewKeeper(s, scanner),
		scan.Request{Revive: revive, By: operator(), Progress: seen.tell})
	seen.clear()
	if err != nil {
		return err
	}
	k := keptManager{Manager: rowOfManager(kept.Manager), Regions: regionRows(kept.Results),
		Revivable: asList(kept.Revivable), Revived: kept.Revived}
	err = n.print(k, func(w io.Writer) {
		n.managerTable(w, []managerRow{k.Manager})
		fmt.Fprintln(w)
		n.regionTable(w, k.Regions)
		tellRevivable(w, k.Revivable, k.Revived,
			"actionctl nodes managers update "+printable(k.Manager.Name)+" --revive")
	})
	if err == nil && !allWhole(kept.Results) {
		return exit(ExitFailed)
	}
	return err
}

func oneManager(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("%s takes one MANAGER; see %s --help", c.CommandPath(), c.CommandPath())
	}
	return nil
}

// completeManagers offers the names of managers. It makes no store.
func (n *nodeCommands) completeManagers(
	c *cobra.Command, _ []string, _ string,
) ([]string, cobra.ShellCompDirective) {
	s, err := n.openNodes(c.Context(), false)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer s.Close()
	all, err := s.Managers(c.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, m := range all {
		names = append(names, cobra.CompletionWithDesc(m.Name, string(m.Type)))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (n *nodeCommands) managerList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "list the managers, with what the last look came to",
		Example: `  actionctl nodes managers list -o wide`,
		Args:    commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := n.openNodes(c.Context(), false)
			if err != nil {
				return err
			}
			defer s.Close()
			all, err := s.Managers(c.Context())
			if err != nil {
				return err
			}
			return n.printManagers(all)
		},
	}
}

func (n *nodeCommands) printManagers(all []nodes.Manager) error {
	rows := make([]managerRow, len(all))
	for i, m := range all {
		rows[i] = rowOfManager(m)
	}
	return n.print(rows, func(w io.Writer) { n.managerTable(w, rows) })
}

func (n *nodeCommands) managerShow() *cobra.Command {
	return &cobra.Command{
		Use:               "show MANAGER",
		Short:             "show a manager, and how each of its regions was scanned last",
		Example:           `  actionctl nodes managers show own`,
		Args:              oneManager,
		ValidArgsFunction: n.completeManagers,
		RunE: func(c *cobra.Command, args []string) error {
			s, err := n.openNodes(c.Context(), false)
			if err != nil {
				return err
			}
			defer s.Close()
			m, err := s.Manager(c.Context(), args[0])
			if err != nil {
				return err
			}
			row := rowOfManager(m)
			if row.Scanned, err = s.Regions(c.Context(), m.ID); err != nil {
				return err
			}
			return n.print(row, func(w io.Writer) { n.showManager(w, row) })
		},
	}
}

func (n *nodeCommands) showManager(w io.Writer, r managerRow) {
	n.managerTable(w, []managerRow{r})
	for _, rule := range r.Credentials {
		for _, ref := range rule.Refs {
			fmt.Fprintf(w, "tag %s=%s: %s\n", printable(rule.Key), printable(rule.Value),
				printable(string(ref)))
		}
	}
	if len(r.Scanned) == 0 {
		return
	}
	fmt.Fprintln(w)
	lines := make([][]string, len(r.Scanned))
	for i, x := range r.Scanned {
		lines[i] = []string{x.RegionName(), string(x.Verdict), strconv.Itoa(x.Seen), moment(x.Begun),
			moment(x.LastComplete), x.Reason}
	}
	n.tabulate(w, []string{"REGION", "VERDICT", "SEEN", "SCANNED", "LAST COMPLETE", "REASON"}, lines)
}

func (n *nodeCommands) managerConnect() *cobra.Command {
	return &cobra.Command{
		Use:   "connect [MANAGER...]",
		Short: "find out if managers can look, and why not",
		Long: `connect asks who each manager's identity is and whether it may list regions, and keeps what
came of that. Without names it asks for all managers.

Exit: 0 all can look, 1 one can't.`,
		Example: `  actionctl nodes managers connect
  actionctl nodes managers connect own shop`,
		ValidArgsFunction: n.completeManagers,
		RunE: func(c *cobra.Command, args []string) error {
			s, scanner, err := n.openScanner(c.Context(), false)
			if err != nil {
				return err
			}
			defer s.Close()
			managers, err := managersNamed(c.Context(), s, args)
			if err != nil {
				return err
			}
			all := true
			keeper := scan.NewKeeper(s, scanner)
			for i, m := range managers {
				if managers[i], err = keeper.Connect(c.Context(), m.ID); err != nil {
					return err
				}
				all = all && managers[i].Checked.Status != nodes.StatusUnreachable
			}
			if err := n.printManagers(managers); err != nil || all {
				return err
			}
			return exit(ExitFailed)
		},
	}
}

// managersNamed are the managers with these names, in the order given; all of them where none is.
func managersNamed(ctx context.Context, s *store.Store, names []string) ([]nodes.Manager, error) {
	if len(names) == 0 {
		return s.Managers(ctx)
	}
	var list []nodes.Manager
	var faults []error
	for _, name := range names {
		m, err := s.Manager(ctx, name)
		if err != nil {
			faults = append(faults, err)
		}
		if !slices.ContainsFunc(list, func(x nodes.Manager) bool { return x.ID == m.ID }) {
			list = append(list, m)
		}
	}
	return list, errors.Join(faults...)
}

func (n *nodeCommands) managerDelete() *cobra.Command {
	var fate string
	c := &cobra.Command{
		Use:   "delete MANAGER --nodes keep|stopped|terminated|delete",
		Short: "delete a manager, and say what becomes of its nodes",
		Long: `delete deletes a manager. Nodes that other managers have stay as they are. What becomes of
those that no other has is for you to say:

  --nodes keep        they stay as they are, and belong to the manual manager
  --nodes stopped     so, and their state is stopped
  --nodes terminated  so, and their state is terminated, which is final
  --nodes delete      they are forgotten, with their history

Nothing is done to the machines themselves.`,
		Example:           `  actionctl nodes managers delete shop --nodes keep`,
		Args:              oneManager,
		ValidArgsFunction: n.completeManagers,
		RunE: func(c *cobra.Command, args []string) error {
			disposition, state, err := nodes.ParseFate(fate)
			if err != nil {
				return usage("--nodes: %v", err)
			}
			s, err := n.openNodes(c.Context(), false)
			if err != nil {
				return err
			}
			defer s.Close()
			done, err := s.DeleteManager(c.Context(), args[0], disposition, state, operator())
			if err != nil {
				return err
			}
			return n.print(done, func(w io.Writer) { n.tellDeletion(w, args[0], state, done) })
		},
	}
	c.Flags().StringVar(&fate, "nodes", "",
		"what becomes of its `nodes`: keep, stopped, terminated or delete")
	_ = c.RegisterFlagCompletionFunc("nodes", cobra.FixedCompletions(
		[]string{"keep", "stopped", "terminated", "delete"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// tellDeletion says what became of each node of a manager that was deleted, and of all in a line.
func (n *nodeCommands) tellDeletion(
	w io.Writer, manager string, state nodes.State, done nodes.Deletion,
) {
	var lines [][]string
	var counts []string
	for _, x := range []struct {
		ids  []string
		what string
	}{
		{done.Deleted, "forgotten"},
		{done.Changed, string(state) + ", of the manager " + nodes.ManualManager},
		{done.Kept, "as before, of the manager " + nodes.ManualManager},
		{done.Shared, "as before, of other managers"},
	} {
		for _, id := range x.ids {
			lines = append(lines, []string{id, x.what})
		}
		if len(x.ids) > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", len(x.ids), x.what))
		}
	}
	if len(lines) == 0 {
		fmt.Fprintf(w, "the manager %s is deleted; it had no nodes\n", printable(manager))
		return
	}
	n.tabulate(w, []string{"NODE", "BECAME"}, lines)
	fmt.Fprintf(w, "the manager %s is deleted; its nodes: %s\n", printable(manager),
		strings.Join(counts, "; "))
}
