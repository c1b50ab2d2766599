package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/store"
)

// nodeCommands are the commands below nodes.
type nodeCommands struct {
	*app
}

// nodes is the parent of all commands on nodes.
func (a *app) nodes() *cobra.Command {
	n := &nodeCommands{app: a}
	c := &cobra.Command{
		Use:   "nodes",
		Short: "keep every node: instances, their regions, machines by address",
		Long: `nodes keeps a reference to every node and follows its life. Managers say where nodes come
from, and scans look there. Reports, probes and people say more. State is the cloud's own word;
status says if a node answers. Only newer evidence changes what is known, and terminated is final.

The store is a file, or postgres://HOST/DATABASE where several machines share it.`,
		Example: `  actionctl nodes add 10.0.0.9 --name-prefix rack4
  actionctl nodes show rack4-10.0.0.9`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("there is no command %q; see actionctl nodes --help",
					strings.Join(append([]string{"nodes"}, args...), " "))
			}
			return c.Help()
		},
	}
	c.PersistentFlags().Var(&once{to: &n.nodesPlace}, "store",
		"the store's `place`: a file or postgres://HOST/DATABASE (ACTIONCTL_NODES; default nodes.db "+
			"beside the journal)")
	c.AddCommand(
		n.managers(),
		n.scanCommand(),
		n.watch(),
		n.show(),
		n.add(),
		n.setState(),
		n.probe(),
		n.list(),
		n.count(),
		n.fields(),
		n.explainFilter(),
		n.credentials(),
		n.reportNodes(),
		n.keep(),
		n.serve(),
		n.forget(),
		n.markMissing(),
	)
	return c
}

// openNodes opens the store that is configured. Where it is not there it is made if that is asked
// for.
func (n *nodeCommands) openNodes(ctx context.Context, create bool) (*store.Store, error) {
	place := firstOf(n.nodesPlace, n.env["ACTIONCTL_NODES"])
	if place == "" {
		dir, err := n.besideJournal()
		if err != nil {
			return nil, err
		}
		place = filepath.Join(dir, "nodes.db")
	}
	return store.Open(ctx, place, store.Options{Create: create, Now: n.Now})
}

// completeNodes offers the ids of nodes. It makes no store.
func (n *nodeCommands) completeNodes(
	c *cobra.Command, _ []string, begun string,
) ([]string, cobra.ShellCompDirective) {
	s, err := n.openNodes(c.Context(), false)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer s.Close()
	// A node is offered where its whole name was typed.
	if x, err := s.Find(c.Context(), begun); err == nil {
		return []string{cobra.CompletionWithDesc(x.ID, printable(x.Name))},
			cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// nodeRow is a node as lists have it. Its first eight fields stay as they are.
type nodeRow struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	SourceID  string            `json:"sourceId"`
	Region    string            `json:"region"`
	AccountID string            `json:"accountId"`
	State     nodes.State       `json:"state"`
	Status    nodes.Status      `json:"status"`
	Tags      map[string]string `json:"tags"`

	Type            nodes.Type `json:"type"`
	Managers        []string   `json:"managers"`
	Platform        string     `json:"platform,omitempty"`
	PlatformRelease string     `json:"platformRelease,omitempty"`
	InstanceType    string     `json:"instanceType,omitempty"`
	Zone            string     `json:"zone,omitempty"`
	Addresses       []string   `json:"addresses,omitempty"`
	StateBy         string     `json:"stateBy,omitempty"`
	StateAt         time.Time  `json:"stateAt,omitzero"`
	StateSince      time.Time  `json:"stateSince,omitzero"`
	ConnectionError string     `json:"connectionError,omitempty"`
	LastContact     time.Time  `json:"lastContact,omitzero"`
	SeenAt          time.Time  `json:"seenAt,omitzero"`
	AddedAt         time.Time  `json:"addedAt,omitzero"`
}

func rowOfNode(n *nodes.Node) nodeRow {
	managers := n.Managers
	if managers == nil {
		managers = []string{}
	}
	return nodeRow{
		ID: n.ID, Name: n.Name, SourceID: n.Source.ID, Region: n.Region, AccountID: n.AccountID,
		State: n.State, Status: n.Status, Tags: n.Tags(), Type: n.Type, Managers: managers,
		Platform: n.Platform, PlatformRelease: n.PlatformRelease, InstanceType: n.InstanceType,
		Zone: n.Zone, Addresses: n.Addresses, StateBy: string(n.Said.Kind), StateAt: n.Said.At,
		StateSince: n.StateSince, ConnectionError: n.ConnectionError, LastContact: n.LastContact,
		SeenAt: n.SeenAt, AddedAt: n.AddedAt,
	}
}

// nodeColumns are those of lists of nodes, in an order that scripts may count on.
var nodeColumns = []column{
	{name: "ID", whole: true, spare: 3}, {name: "NAME"}, {name: "SOURCE", whole: true, spare: 1},
	{name: "REGION", whole: true}, {name: "ACCOUNT", whole: true, spare: 2},
	{name: "STATE", whole: true}, {name: "STATUS", whole: true}, {name: "TAGS", spare: 4},
	{name: "TYPE", wide: true}, {name: "MANAGERS", wide: true}, {name: "PLATFORM", wide: true},
	{name: "INSTANCE TYPE", wide: true}, {name: "ZONE", wide: true}, {name: "ADDRESSES", wide: true},
	{name: "STATE SINCE", wide: true, whole: true}, {name: "BY", wide: true},
	{name: "LAST CONTACT", wide: true, whole: true}, {name: "CONNECTION ERROR", wide: true},
}

// nodeTable shows nodes. Managers have the names that they have in the store.
func (n *nodeCommands) nodeTable(
	ctx context.Context, w io.Writer, s *store.Store, rows []nodeRow,
) {
	names := managerNames(ctx, s)
	lines := make([][]string, len(rows))
	for i, r := range rows {
		lines[i] = []string{
			r.ID, r.Name, r.SourceID, r.Region, r.AccountID, string(r.State), string(r.Status),
			strings.Join(sortedPairs(r.Tags), " "), string(r.Type), strings.Join(names(r.Managers), " "),
			strings.TrimSpace(r.Platform + " " + r.PlatformRelease), r.InstanceType, r.Zone,
			strings.Join(r.Addresses, " "), moment(r.StateSince), r.StateBy, moment(r.LastContact),
			r.ConnectionError,
		}
	}
	n.tabulateColumns(w, nodeColumns, lines)
}

// managerNames returns what people call managers, by their ids. One without a name that is known
// has its id.
func managerNames(ctx context.Context, s *store.Store) func(ids []string) []string {
	known := map[string]string{}
	// A table is shown, whether there are names or not.
	managers, _ := s.Managers(ctx)
	for _, m := range managers {
		known[m.ID] = m.Name
	}
	return func(ids []string) []string {
		names := make([]string, len(ids))
		for i, id := range ids {
			names[i] = firstOf(known[id], id)
		}
		return names
	}
}

// moment is a time in a table; empty where there is none.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return when(&t)
}

// nodeDetails is a node as show has it.
type nodeDetails struct {
	nodeRow
	Aliases        []nodes.Identity  `json:"aliases"`
	StateEvidence  nodes.Evidence    `json:"stateEvidence"`
	StatusEvidence nodes.Evidence    `json:"statusEvidence"`
	Absence        nodes.Absence     `json:"absence,omitzero"`
	Interfaces     []nodes.Interface `json:"interfaces,omitempty"`
	VPCID          string            `json:"vpcId,omitempty"`
	ImageID        string            `json:"imageId,omitempty"`
	Subscription   string            `json:"subscription,omitempty"`
	Resource       string            `json:"resource,omitempty"`
	CloudState     string            `json:"cloudState,omitempty"`
	LaunchTime     time.Time         `json:"launchTime,omitzero"`
	LastProbe      time.Time         `json:"lastProbe,omitzero"`
	Runs           nodes.Results     `json:"runs,omitzero"`
	Scans          nodes.Results     `json:"scans,omitzero"`
	Projects       []string          `json:"projects,omitempty"`
	Target         *nodes.Target     `json:"target,omitempty"`
	History        []nodes.Change    `json:"history"`
}

func (n *nodeCommands) show() *cobra.Command {
	return &cobra.Command{
		Use:   "show NODE",
		Short: "show all that is known of a node, with the history of its changes",
		Long: `show tells all that is known of a node: its state and status with who said so and when,
its identities, tags, interfaces and results, and how it changed. NODE is its id, an id that it
had before it turned out to be this one, its name, or its cloud's id.`,
		Example: `  actionctl nodes show i-0123456789abcdef0
  actionctl nodes show web-1 -o json`,
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
			history, err := s.History(c.Context(), x.ID)
			if err != nil {
				return err
			}
			d := detailsOfNode(x, history)
			return n.print(d, func(w io.Writer) {
				n.showNode(w, d, managerNames(c.Context(), s)(d.Managers))
			})
		},
	}
}

func oneNode(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("%s takes one NODE; see %s --help", c.CommandPath(), c.CommandPath())
	}
	return nil
}

func atMostOne(c *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usage("%s takes one argument at most; see %s --help", c.CommandPath(), c.CommandPath())
	}
	return nil
}

func detailsOfNode(n *nodes.Node, history []nodes.Change) nodeDetails {
	d := nodeDetails{
		nodeRow: rowOfNode(n), Aliases: n.Aliases, StateEvidence: n.Said,
		StatusEvidence: n.StatusSaid, Absence: n.Absence, Interfaces: n.Interfaces, VPCID: n.VPCID,
		ImageID: n.ImageID, LaunchTime: n.LaunchTime, LastProbe: n.LastProbe, Runs: n.Runs,
		Scans: n.Scans, Projects: n.Projects, Target: n.Target, History: history,
		Subscription: n.Subscription, Resource: n.Resource, CloudState: n.CloudState,
	}
	if d.Aliases == nil {
		d.Aliases = []nodes.Identity{}
	}
	return d
}

// saidBy says who said something of a node, and when.
func saidBy(e nodes.Evidence) string {
	if e.Kind == "" {
		return ""
	}
	text := "by " + string(e.Kind)
	if e.By != "" {
		text += " " + e.By
	}
	if !e.At.IsZero() {
		text += " at " + moment(e.At)
	}
	if e.Inferred {
		text += ", inferred"
	}
	if e.Note != "" {
		text += ": " + e.Note
	}
	return "(" + text + ")"
}

func (n *nodeCommands) showNode(w io.Writer, d nodeDetails, managers []string) {
	line := func(name string, values ...string) {
		if text := strings.TrimSpace(strings.Join(values, " ")); text != "" {
			fmt.Fprintf(w, "%-14s %s\n", name, printable(text))
		}
	}
	line("id", d.ID)
	line("name", d.Name)
	line("type", string(d.Type))
	line("source", d.SourceID)
	line("region", d.Region)
	line("account", d.AccountID)
	line("subscription", d.Subscription)
	line("resource", d.Resource)
	line("state", string(d.State), saidBy(d.StateEvidence))
	line("cloud says", d.CloudState)
	line("since", moment(d.StateSince))
	line("status", string(d.Status), saidBy(d.StatusEvidence))
	line("error", d.ConnectionError)
	line("managers", managers...)
	for _, i := range d.Aliases {
		line("also", string(i))
	}
	for _, k := range slices.Sorted(maps.Keys(d.Tags)) {
		line("tag", k+"="+d.Tags[k])
	}
	line("platform", d.Platform, d.PlatformRelease)
	line("instance type", d.InstanceType)
	line("zone", d.Zone)
	line("addresses", d.Addresses...)
	for _, i := range d.Interfaces {
		line("interface", i.ID, i.SubnetID, strings.Join(i.Private, " "), strings.Join(i.Public, " "))
	}
	line("launched", moment(d.LaunchTime))
	line("added", moment(d.AddedAt))
	line("seen", moment(d.SeenAt))
	line("last contact", moment(d.LastContact))
	line("last probe", moment(d.LastProbe))
	for _, r := range []struct {
		name string
		of   nodes.Results
	}{{"run", d.Runs}, {"scan", d.Scans}} {
		for _, x := range []*nodes.Result{r.of.Last, r.of.Penultimate} {
			if x != nil {
				line("last "+r.name+"s", string(x.Status), moment(x.EndTime), x.ID)
			}
		}
	}
	if len(d.History) == 0 {
		return
	}
	fmt.Fprintln(w)
	lines := make([][]string, len(d.History))
	for i, c := range d.History {
		lines[i] = []string{moment(c.At), c.Field, c.From, c.To, saidBy(c.Evidence)}
	}
	n.tabulate(w, []string{"WHEN", "FIELD", "FROM", "TO", "EVIDENCE"}, lines)
}

// keptFor is how long what is kept for.
type keptFor struct {
	Keep string `json:"keep"`
	// Audit is how long entries of the audit log are kept, and AuditEntries how many; 0 is for ever,
	// and all.
	Audit        string `json:"audit"`
	AuditEntries int64  `json:"auditEntries"`
}

func (n *nodeCommands) keep() *cobra.Command {
	var audit store.AuditKeep
	c := &cobra.Command{
		Use:   "keep [DURATION]",
		Short: "say how long the changes of nodes are kept, and the audit log",
		Long: `keep tells how long the history of nodes is kept. With a DURATION, as 720h, it is kept that
long from now on, by everybody who uses the store; what is older goes at once.

The audit log of nodes serve is kept for ever, unless --audit or --audit-entries say how long, or
how many entries; up to a tenth more may be there. The log has an entry of that, and one of each
time that entries go, with how many and up to which number.`,
		Example: `  actionctl nodes keep 2160h
  actionctl nodes keep --audit 8760h --audit-entries 100000`,
		Args: atMostOne,
		RunE: func(c *cobra.Command, args []string) error {
			s, err := n.openNodes(c.Context(), false)
			if err != nil {
				return err
			}
			defer s.Close()
			if err := setKeep(c, s, args, audit); err != nil {
				return err
			}
			return n.tellKeep(c.Context(), s)
		},
	}
	c.Flags().DurationVar(&audit.For, "audit", 0,
		"how long the audit log is kept, 24h or more; 0 is for ever")
	c.Flags().Int64Var(&audit.Most, "audit-entries", 0,
		"how many entries of the audit log are kept, 100 or more; 0 is all")
	return c
}

// setKeep sets what is given.
func setKeep(c *cobra.Command, s *store.Store, args []string, audit store.AuditKeep) error {
	if len(args) > 0 {
		d, err := time.ParseDuration(args[0])
		if err != nil || d <= 0 {
			return usage("%q is no duration as 720h, more than 0", args[0])
		}
		if err := s.SetKeep(c.Context(), d); err != nil {
			return err
		}
	}
	hasAge, hasMost := c.Flags().Changed("audit"), c.Flags().Changed("audit-entries")
	if !hasAge && !hasMost {
		return nil
	}
	now, err := s.AuditKeep(c.Context())
	if err != nil {
		return err
	}
	if hasAge {
		now.For = audit.For
	}
	if hasMost {
		now.Most = audit.Most
	}
	return s.SetAuditKeep(c.Context(), now, operator())
}

func (n *nodeCommands) tellKeep(ctx context.Context, s *store.Store) error {
	kept, err := s.Keep(ctx)
	if err != nil {
		return err
	}
	audit, err := s.AuditKeep(ctx)
	if err != nil {
		return err
	}
	k := keptFor{Keep: kept.String(), Audit: audit.For.String(), AuditEntries: audit.Most}
	return n.print(k, func(w io.Writer) {
		fmt.Fprintln(w, "changes of nodes:", k.Keep)
		age, most := "for ever", "all entries"
		if audit.For > 0 {
			age = k.Audit
		}
		if audit.Most > 0 {
			most = fmt.Sprint(audit.Most, " entries")
		}
		fmt.Fprintf(w, "audit log: %s, %s\n", age, most)
	})
}

func (n *nodeCommands) setState() *cobra.Command {
	return &cobra.Command{
		Use:   "set-state NODE STATE",
		Short: "say what state a node is in",
		Long: `set-state writes the state of a node by your word: running, stopped, terminated or missing.
Nothing is done to the node itself. What its cloud says later holds again. Terminated is final.`,
		Example: `  actionctl nodes set-state rack4-10.0.0.9 stopped`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("%s takes a NODE and a STATE; see %s --help", c.CommandPath(), c.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: func(
			c *cobra.Command, args []string, begun string,
		) ([]string, cobra.ShellCompDirective) {
			if len(args) != 1 {
				return n.completeNodes(c, args, begun)
			}
			var states []string
			for _, s := range nodes.CommandStates() {
				states = append(states, string(s))
			}
			return states, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			state := nodes.State(strings.ToLower(args[1]))
			if !slices.Contains(nodes.CommandStates(), state) {
				return usage("the state is %q, want one of %v", args[1], nodes.CommandStates())
			}
			s, err := n.openNodes(c.Context(), false)
			if err != nil {
				return err
			}
			defer s.Close()
			x, _, err := s.Command(c.Context(), args[0], state, operator())
			if err != nil {
				return fmt.Errorf("cannot set the state of %s: %w", printable(args[0]), err)
			}
			rows := []nodeRow{rowOfNode(x)}
			return n.print(rows, func(w io.Writer) { n.nodeTable(c.Context(), w, s, rows) })
		},
	}
}

func (n *nodeCommands) add() *cobra.Command {
	var m nodes.Manual
	var protocol, credential string
	var tags []string
	c := &cobra.Command{
		Use:   "add HOST...",
		Short: "add machines by their addresses",
		Long: `add makes a manual node of each host: all of them, or none where one is refused. A node is
named PREFIX-HOST, or HOST without a prefix. It is probed by TCP, or by SSH with a file of known
hosts: a host whose key is not in it is not taken for the node.`,
		Example: `  actionctl nodes add 10.0.0.9 10.0.0.10 --name-prefix rack4
  actionctl nodes add db1.example.net --probe ssh --port 22 \
    --known-hosts /etc/ssh/ssh_known_hosts`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("name the hosts to add; see %s --help", c.CommandPath())
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) (err error) {
			m.Hosts, m.By = args, operator()
			m.Target.Protocol = nodes.Protocol(protocol)
			m.Target.Credential = nodes.SecretRef(credential)
			if m.Target.KnownHosts != "" {
				if m.Target.KnownHosts, err = existingFile(m.Target.KnownHosts); err != nil {
					return err
				}
			}
			if m.Tags, err = parseTags(tags); err != nil {
				return err
			}
			if err := m.Check(); err != nil {
				return usage("%v", err)
			}
			s, err := n.openNodes(c.Context(), true)
			if err != nil {
				return err
			}
			defer s.Close()
			added, err := s.AddManual(c.Context(), m)
			if err != nil {
				return err
			}
			rows := make([]nodeRow, len(added))
			for i, x := range added {
				rows[i] = rowOfNode(x)
			}
			return n.print(rows, func(w io.Writer) { n.nodeTable(c.Context(), w, s, rows) })
		},
	}
	f := c.Flags()
	f.StringVar(&m.Prefix, "name-prefix", "", "the `text` that names begin with, as PREFIX-HOST")
	f.StringVar(&protocol, "probe", string(nodes.TCP), "how to probe them: tcp or ssh")
	f.IntVar(&m.Target.Port, "port", 22, "the `port` to probe")
	f.StringVar(&m.Target.User, "user", "", "the `user` to log in as, for ssh")
	f.StringVar(&m.Target.KnownHosts, "known-hosts", "", "the `file` of known hosts, for ssh")
	f.StringVar(&credential, "credential", "",
		"a `reference` to the key to log in with, for ssh: file:/PATH or an ARN; never the key itself")
	f.StringArrayVar(&tags, "tag", nil, "a `tag` of all of them, as KEY=VALUE; may be given several "+
		"times")
	return c
}

// existingFile is the absolute path of a file that is there.
func existingFile(path string) (string, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", usage("there is no file %s", path)
	}
	return filepath.Abs(path)
}

// parseTags reads tags as KEY=VALUE.
func parseTags(texts []string) (map[string]string, error) {
	tags := map[string]string{}
	for _, t := range texts {
		key, value, ok := strings.Cut(t, "=")
		if _, twice := tags[key]; !ok || key == "" || twice {
			return nil, usage("--tag is %q, want KEY=VALUE, each key once", t)
		}
		tags[key] = value
	}
	return tags, nil
}
