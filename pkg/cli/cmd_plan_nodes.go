package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/nodes"
	selector "aws-provider-executor/pkg/nodes/filter"
	"aws-provider-executor/pkg/nodes/sshcommand"
	"aws-provider-executor/pkg/nodes/store"
	"aws-provider-executor/pkg/selection"
)

// selecting is what a plan for nodes is told.
type selecting struct {
	nodeCommands
	selectors []string
	bareTags  bool
	index     int
}

func (s *selecting) flags(c *cobra.Command) {
	c.Flags().StringArrayVar(&s.selectors, "nodes", nil,
		"a plan for each node of this `filter`, as 'region=us-west*,!tag:env=prod'; of several filters "+
			"each node once. --key begins the keys of the plans")
	c.Flags().BoolVar(&s.bareTags, "bare-tags", false,
		"take a key of --nodes that is no field for that of a tag")
	c.Flags().IntVar(&s.index, "interface", 0,
		"the device index of the interface of each node, for a verb that acts on one")
	s.storeFlag(c)
	_ = c.RegisterFlagCompletionFunc("nodes", completeFilter)
}

// onlyWithNodes refuses flags that say something of nodes where none are chosen.
func (s *selecting) onlyWithNodes(c *cobra.Command) error {
	for _, name := range []string{"bare-tags", "interface", "store"} {
		if f := c.Flags().Lookup(name); f != nil && f.Changed {
			return usage("--%s goes with --nodes", name)
		}
	}
	return nil
}

// storeFlag adds the flag that names the store of nodes.
func (n *nodeCommands) storeFlag(c *cobra.Command) {
	c.Flags().Var(&once{to: &n.nodesPlace}, "store",
		"the `place` of the store of nodes: a file or postgres://HOST/DATABASE (ACTIONCTL_NODES)")
}

// filters reads selectors. A selector without a condition is refused: it has all nodes.
func (s *selecting) filters(texts []string) ([]*selector.Filter, error) {
	var all []*selector.Filter
	var faults []string
	for _, text := range texts {
		if strings.TrimSpace(text) == "" {
			faults = append(faults, fmt.Sprintf("--nodes %q has all nodes: say which are meant", text))
			continue
		}
		f, err := selector.Parse([]string{text}, selector.Options{BareTags: s.bareTags})
		if err != nil {
			faults = append(faults, fmt.Sprintf("--nodes %q: %s", text,
				strings.ReplaceAll(err.Error(), "\n", "\n  ")))
			continue
		}
		all = append(all, f)
	}
	if len(faults) > 0 {
		return nil, usage("%s", strings.Join(faults, "\n"))
	}
	return all, nil
}

// foundNodes are the nodes that selectors choose, each once, and the numbers of those selectors.
type foundNodes struct {
	nodes []*nodes.Node
	by    map[string][]int
}

// choose finds the nodes that filters have.
func choose(
	ctx context.Context, s *store.Store, filters []*selector.Filter,
) (foundNodes, error) {
	found := foundNodes{by: map[string][]int{}}
	for i, f := range filters {
		for q := (store.Query{Filter: f, Sort: "id", Limit: store.MostListed}); ; {
			page, err := s.List(ctx, q)
			if err != nil {
				return found, err
			}
			for _, n := range page.Nodes {
				if found.by[n.ID] == nil {
					found.nodes = append(found.nodes, n)
				}
				found.by[n.ID] = append(found.by[n.ID], i+1)
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
	}
	return found, nil
}

// planForNodes writes a plan for each node that is chosen, and the selection that they are of.
func (a *app) planForNodes(ctx context.Context, p *planning) error {
	kind, field := selection.Kind(p.verb)
	badFields := errors.Join(p.fill(), p.fitsNodes(kind, field))
	filters, err := p.nodes.filters(p.nodes.selectors)
	if err := errors.Join(badFields, err); err != nil {
		return usage("%v", err)
	}
	g, err := a.gate()
	if err != nil {
		return err
	}
	s, err := p.nodes.openNodes(ctx, false)
	if err != nil {
		return err
	}
	defer s.Close()
	found, err := choose(ctx, s, filters)
	if err := errors.Join(err, p.nodes.tellUnused(ctx, s, filters...)); err != nil {
		return err
	}
	if err := a.ofProvider(p, found); err != nil {
		return err
	}
	kind, field = selection.Kind(p.verb)
	d := &selection.Document{
		Format: selection.Format, Key: p.plan.IdempotencyKey, Action: p.verb.Name,
		ChosenAt: a.Now().UTC().Truncate(time.Second), ChosenBy: g.Actor,
	}
	for _, f := range filters {
		d.Selectors = append(d.Selectors, f.String())
	}
	addresses, err := a.freeze(d, found, selection.Choice{Kind: kind, Index: p.nodes.index})
	if err != nil {
		return err
	}
	if d.Regions, err = population(ctx, s, d, kind); err != nil {
		return err
	}
	if err := d.Check(); err != nil {
		return usage("%v", err)
	}
	if reasons := g.CheckSelection(d); len(reasons) > 0 {
		a.tell("the plan of %s for %s is refused:", p.verb.Name, countOfNodes(len(d.Nodes)))
		a.explainReasons(reasons)
		return exit(ExitRefused)
	}
	return a.printSelected(g, p, d, field, addresses)
}

// ofProvider makes the plans those of the provider whose verb acts on the nodes that are found:
// another one than instances have where all of them were added by hand.
func (a *app) ofProvider(p *planning, found foundNodes) error {
	p.plan.Provider = a.providerOf(p.verb)
	manual := 0
	for _, n := range found.nodes {
		if n.Type == nodes.TypeManual {
			manual++
		}
	}
	verb, ok := a.Registry.Of(sshcommand.Provider).Lookup(p.verb.Name)
	if kind, _ := selection.Kind(verb); manual == 0 || !ok || kind != action.Node {
		return nil
	}
	if manual < len(found.nodes) {
		return usage("%d of the %d nodes were added by hand, and the others were not: %s runs on them "+
			"in another way; with type=%s or !type=%s in the filter each gets a plan of its own",
			manual, len(found.nodes), p.verb.Name, nodes.TypeManual, nodes.TypeManual)
	}
	p.plan.Provider, p.verb = sshcommand.Provider, verb
	return nil
}

// countOfNodes counts nodes in words.
func countOfNodes(n int) string { return found(n, "node") }

// fitsNodes names the flags that say what each node says itself, and a verb that acts on none.
func (p *planning) fitsNodes(kind action.Kind, field string) error {
	var wrong []error
	if kind == "" {
		return fmt.Errorf("%s acts on no node and on no interface of one", p.verb.Name)
	}
	if p.nodes.index != 0 && kind != action.NetworkInterface {
		wrong = append(wrong, fmt.Errorf("--interface: %s acts on the node itself: leave it out",
			p.verb.Name))
	}
	for _, name := range []string{field, "region"} {
		if p.plan.Target[name] != "" {
			wrong = append(wrong, fmt.Errorf("--%s: comes with each node of --nodes: leave it out",
				flagName(action.Field{Name: name})))
		}
	}
	if p.plan.IdempotencyKey == "" {
		wrong = append(wrong, errors.New("--key: is required: it begins the key of each node's plan"))
	} else if err := selection.CheckKey(p.plan.IdempotencyKey); err != nil {
		wrong = append(wrong, fmt.Errorf("--key: %w", err))
	}
	return errors.Join(wrong...)
}

// freeze puts the nodes that a verb can act on into a document, and tells which it leaves out. It
// returns the primary address of each interface.
func (a *app) freeze(
	d *selection.Document, found foundNodes, c selection.Choice,
) (addresses map[string]string, err error) {
	addresses = map[string]string{}
	var left, wrong []string
	for _, n := range found.nodes {
		who := cmp.Or(n.Source.ID, n.ID) + " (" + n.Name + ")"
		if why := selection.Fits(c.Kind, n); why != "" {
			left = append(left, who+" "+why)
			continue
		}
		x, err := c.Of(n, found.by[n.ID]...)
		if err != nil {
			wrong = append(wrong, who+" "+err.Error())
			continue
		}
		for _, i := range n.Interfaces {
			if i.ID == x.Interface && len(i.Private) > 0 {
				addresses[x.ID] = i.Private[0]
			}
		}
		d.Nodes = append(d.Nodes, x)
	}
	selection.Sort(d.Nodes)
	a.tellSome("left out: %s", left)
	if len(wrong) > 0 {
		a.tellSome("%s", wrong)
		return nil, usage("%s can't be acted on: nodes scan reads the interfaces anew; --interface "+
			"names another one", countOfNodes(len(wrong)))
	}
	if len(d.Nodes) == 0 {
		return nil, usage("no node was chosen: the filters have %s, and %d of them fit; actionctl "+
			"nodes list --filter shows them, and nodes explain says how a filter is read",
			countOfNodes(len(found.nodes)), len(d.Nodes))
	}
	if accounts := d.Accounts(); len(accounts) > 1 {
		each := make([]string, len(accounts))
		for i, c := range accounts {
			each[i] = fmt.Sprintf("%s: %d", c.Name, c.Nodes)
		}
		a.tell("the nodes are of %d accounts (%s): an executor acts in that of its own credentials. "+
			"With accountId= in the filter each gets a plan of its own",
			len(accounts), strings.Join(each, ", "))
	}
	return addresses, nil
}

// mostTold is how many of many are told of one by one.
const mostTold = 10

// tellSome tells of each, and only counts what comes after the first ones.
func (a *app) tellSome(format string, all []string) {
	for i, one := range all {
		if i == mostTold {
			a.tell(format, fmt.Sprintf("%d more", len(all)-i))
			return
		}
		a.tell(format, printable(one))
	}
}

// population counts the nodes of the kind that are not terminated, in each region of each account
// that nodes of the document are of.
func population(
	ctx context.Context, s *store.Store, d *selection.Document, kind action.Kind,
) ([]selection.Region, error) {
	var regions []selection.Region
	of := nodes.TypeInstance
	if kind == action.Node {
		of = nodes.TypeManual
	}
	for _, account := range d.Accounts() {
		counts, err := inRegions(ctx, s, of, account.Name)
		if err != nil {
			return nil, err
		}
		for _, x := range d.Shares() {
			if x.AccountID != account.Name {
				continue
			}
			// A node may have gone since the list was read.
			regions = append(regions, selection.Region{Region: x.Region, AccountID: x.AccountID,
				Nodes: max(counts[x.Region], x.Chosen)})
		}
	}
	slices.SortFunc(regions, func(a, b selection.Region) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.AccountID, b.AccountID))
	})
	return regions, nil
}

// literalValue writes a value that stands for itself alone in a filter.
var literalValue = strings.NewReplacer(`\`, `\\`, ",", `\,`, "*", `\*`, "?", `\?`)

// inRegions counts the nodes of a type and an account that are not terminated, by their regions.
func inRegions(
	ctx context.Context, s *store.Store, of nodes.Type, account string,
) (map[string]int, error) {
	filter, err := selector.Parse([]string{"type=" + string(of),
		"!state=" + string(nodes.StateTerminated),
		"accountId=" + cmp.Or(literalValue.Replace(account), `""`)}, selector.Options{})
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	if of == nodes.TypeManual {
		totals, err := s.Count(ctx, filter)
		counts[""] = totals.All
		return counts, err
	}
	values, err := s.Values(ctx, "region", filter)
	for _, v := range values {
		counts[v.Value] = v.Nodes
	}
	return counts, err
}

// printSelected writes the plans of a document, or names everything that is wrong with them.
func (a *app) printSelected(
	g *gate.Gate, p *planning, d *selection.Document, field string, addresses map[string]string,
) error {
	digest, err := d.Digest()
	if err != nil {
		return err
	}
	target, name := p.plan.Target, p.plan.Name
	var plans []json.RawMessage
	faults := map[string]bool{}
	for _, n := range d.Nodes {
		p.plan.Target = maps.Clone(target)
		p.plan.Target[field] = cmp.Or(n.Interface, n.SourceID)
		if n.Region != "" {
			p.plan.Target["region"] = n.Region
		}
		if p.mayNameAddress() && p.plan.Target["address"] == "" && addresses[n.ID] != "" {
			p.plan.Target["address"] = addresses[n.ID]
		}
		p.plan.IdempotencyKey, p.plan.Name = d.KeyOf(n), cmp.Or(name, n.Name)
		p.plan.Selected, p.plan.Undo = gate.SelectedOf(d, digest, n), nil
		for _, f := range g.Complete(&p.plan) {
			faults[p.called(f.Path)+": "+f.Reason] = true
		}
		plans = append(plans, asJSON(p.node()))
	}
	if len(d.Nodes) > 1 {
		for _, f := range p.verb.Target {
			if f.Exclusive && f.Name != field {
				faults[fmt.Sprintf("--%s: names one thing, and %s are chosen", flagName(f),
					countOfNodes(len(d.Nodes)))] = true
			}
		}
	}
	if len(faults) > 0 {
		return usage("these are no plans of %s; see actionctl plan %s --help:\n  %s", p.verb.Name,
			p.verb.Name, strings.Join(slices.Sorted(maps.Keys(faults)), "\n  "))
	}
	return a.printPlans(p, d, plans)
}

// mayNameAddress reports whether a verb takes an address that it does not need. A policy on
// networks asks for one.
func (p *planning) mayNameAddress() bool {
	return slices.ContainsFunc(p.verb.Target, func(f action.Field) bool {
		return f.Name == "address" && !f.Required
	})
}

// plansOfNodes are plans with the selection that they are of, as import takes them.
type plansOfNodes struct {
	Selection   *selection.Document `json:"selection"`
	ActionPlans []json.RawMessage   `json:"actionPlans"`
}

func (a *app) printPlans(p *planning, d *selection.Document, plans []json.RawMessage) error {
	format := a.format
	if format != "json" {
		// Plans are for import, and import takes no table.
		a.format = "yaml"
	}
	err := a.printDocument(plansOfNodes{d, plans})
	a.format = format
	if err != nil {
		return err
	}
	for _, s := range d.Shares() {
		a.hint("%s", printable(shareText(s)))
	}
	a.hint("to go on, keep it in a file: %s", a.command("import", []string{"-f", "FILE"}, ""))
	a.hint("then all of them are chosen by --selection %s", quoted(d.Key))
	return nil
}
