package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/sshcommand"
	"aws-provider-executor/pkg/nodes/store"
	"aws-provider-executor/pkg/selection"
)

// mostAtOnce is how many actions run at once at most.
const mostAtOnce = 64

// selectIn has a query ask for the plans of a selection, where one is named.
func selectIn(
	ctx context.Context, s gate.Store, key string, q *gate.Query,
) (*selection.Document, error) {
	if key == "" {
		return nil, nil
	}
	d, err := (&gate.Gate{Store: s}).Selection(ctx, key, "")
	if err != nil {
		return nil, err
	}
	if q.Selection, err = d.Digest(); err != nil {
		return nil, err
	}
	if len(q.Keys) == 0 {
		// The index on keys finds them.
		q.Keys = []string{d.Key + "/*"}
	}
	return d, nil
}

// tellSelection tells what a selection is, if there is one.
func (a *app) tellSelection(d *selection.Document) {
	if d == nil {
		return
	}
	a.tell("the selection %s: %s, chosen at %s by %s", printable(d.Key), countOfNodes(len(d.Nodes)),
		when(&d.ChosenAt), printable(d.ChosenBy))
	for _, s := range d.Selectors {
		a.tell("  of %s", printable(s))
	}
	for _, s := range d.Shares() {
		a.tell("  %s", printable(shareText(s)))
	}
	for _, c := range d.Accounts() {
		if c.Name == "" {
			continue
		}
		a.tell("  account %s: %d", printable(c.Name), c.Nodes)
	}
}

// shareText tells how many nodes are chosen of an account's region.
func shareText(s selection.Share) string {
	if s.Unknown {
		return fmt.Sprintf("%s: %d of %d in all accounts", s.Name, s.Chosen, s.Of)
	}
	return fmt.Sprintf("%s: %d of %d nodes", s.Name, s.Chosen, s.Of)
}

// waving is what execute is told of a selection.
type waving struct {
	nodes selecting
	wave  string
	// storeGiven is set where a store of nodes is named.
	storeGiven bool
	// document is the selection, once it is found; nil where none is asked for.
	document *selection.Document
	// differences are what is not as it was when the nodes were chosen. Unknown says why that is
	// not known.
	differences []selection.Difference
	unknown     string
	// waveOf is the wave of an action, from 1; waves is how many there are of all nodes.
	waveOf map[int64]int
	waves  int
	// before counts the actions that were done with before, by their status.
	before map[gate.Status]int
}

func (w *waving) flags(a *app, c *cobra.Command) {
	w.nodes.nodeCommands.app = a
	c.Flags().StringVar(&w.wave, "wave", "",
		"with --selection: how many `nodes` at once, or a share of all as 10%; the next wave begins "+
			"when all of the one before went well")
	w.nodes.storeFlag(c)
	c.Flags().Lookup("store").Usage += ": what --selection is held against, and where the " +
		"machines are that were added by hand"
}

// needsStore refuses a store of nodes that nothing is looked up in.
func (w *waving) needsStore(ctx context.Context, s gate.Store, ids []int64) error {
	if !w.storeGiven || w.document != nil {
		return nil
	}
	for _, id := range ids {
		x, err := s.Get(ctx, id)
		if err != nil {
			return err
		}
		if x.Provider == sshcommand.Provider {
			return nil
		}
	}
	return usage("--store goes with --selection, or with actions on machines that were added by " +
		"hand: none of these is one")
}

// check wants the flags on waves beside a selection.
func (b *batch) checkWaves(c *cobra.Command) error {
	switch {
	case b.selection == "" && b.waving.wave != "":
		return usage("--wave goes with --selection")
	case b.waving.wave != "" && b.opt.KeepGoing:
		return usage("--wave stops at the first failure, and --keep-going does not: take one of them")
	}
	b.waving.storeGiven = c.Flags().Changed("store")
	if b.waving.wave == "" {
		return nil
	}
	if _, err := selection.WaveSize(b.waving.wave, selection.MostNodes); err != nil {
		return usage("--wave %v", err)
	}
	return nil
}

// inSelection finds what is left to execute of a selection, and puts it into waves.
func (a *app) inSelection(
	ctx context.Context, g *gate.Gate, b *batch, q gate.Query, parallel bool,
) ([]int64, error) {
	w := &b.waving
	ids, before, err := g.InSelection(ctx, w.document, q)
	if err != nil {
		return nil, err
	}
	w.before = map[gate.Status]int{}
	for _, x := range before {
		w.before[x.Status]++
	}
	for _, status := range gate.Statuses() {
		if n := w.before[status]; n > 0 {
			a.tell("%s of the selection %s: %s before", countOfNodes(n), printable(w.document.Key), status)
		}
	}
	if w.wave == "" || len(ids) == 0 {
		return ids, nil
	}
	return ids, a.intoWaves(ctx, g, b, ids, parallel)
}

// intoWaves puts actions into the waves of all nodes of the selection: what is gone on with is in
// the wave in which it was.
func (a *app) intoWaves(
	ctx context.Context, g *gate.Gate, b *batch, ids []int64, parallel bool,
) error {
	w := &b.waving
	size, err := selection.WaveSize(w.wave, len(w.document.Nodes))
	if err != nil {
		return usage("--wave %v", err)
	}
	places := w.document.Places()
	w.waveOf, w.waves = map[int64]int{}, len(selection.Waves(len(w.document.Nodes), size))
	var numbers []int
	for _, id := range ids {
		x, err := g.Store.Get(ctx, id)
		if err != nil {
			return err
		}
		number := places[x.Selected.Node]/size + 1
		if w.waveOf[id] = number; len(numbers) == 0 || numbers[len(numbers)-1] != number {
			numbers, b.opt.Waves = append(numbers, number), append(b.opt.Waves, 0)
		}
		b.opt.Waves[len(numbers)-1]++
	}
	if !parallel {
		b.opt.Parallel = min(size, mostAtOnce)
	}
	b.opt.Begins = func(i int) {
		if a.format == "table" && !isTerminal(a.tty) {
			a.tell("wave %d of %d: %s", numbers[i], w.waves, countOfNodes(b.opt.Waves[i]))
		}
	}
	return nil
}

// compareSelection tells what is not as it was when the nodes were chosen, and logs it.
func (a *app) compareSelection(ctx context.Context, g *gate.Gate, b *batch) error {
	w := &b.waving
	now, err := w.nodes.present(ctx, w.document)
	if err != nil {
		w.unknown = err.Error()
		a.tell("whether the nodes of the selection %s are as they were is not known: %s",
			printable(w.document.Key), printable(w.unknown))
		return nil
	}
	w.differences = w.document.Compare(now)
	if len(w.differences) == 0 {
		return nil
	}
	a.tell("since the nodes of the selection %s were chosen, at %s:", printable(w.document.Key),
		when(&w.document.ChosenAt))
	told := make([]string, len(w.differences))
	for i, x := range w.differences {
		told[i] = x.String()
	}
	a.tellSome("  %s", told)
	if b.dryRun {
		return nil
	}
	return g.SelectionSeen(ctx, w.document, w.differences)
}

// present reads what is known now of the nodes of a selection.
func (s *selecting) present(
	ctx context.Context, d *selection.Document,
) (now selection.Present, err error) {
	filters, err := s.filters(d.Selectors)
	if err != nil {
		return now, err
	}
	kept, err := s.openNodes(ctx, false)
	if err != nil {
		return now, err
	}
	defer kept.Close()
	found, err := choose(ctx, kept, filters)
	if err != nil {
		return now, err
	}
	now.Chosen = found.nodes
	chosen := map[string]bool{}
	for _, n := range found.nodes {
		chosen[n.ID], chosen[n.Source.ID] = true, true
	}
	for _, was := range d.Nodes {
		if chosen[was.ID] || chosen[was.SourceID] {
			continue
		}
		n, err := findNode(ctx, kept, was)
		if err != nil {
			return now, err
		}
		if n != nil {
			now.Others = append(now.Others, n)
		}
	}
	return now, nil
}

// findNode finds a node by its id, which lasts when two turn out to be one; nil if it is not there.
func findNode(ctx context.Context, s *store.Store, was selection.Node) (*nodes.Node, error) {
	n, err := s.Find(ctx, was.ID)
	if errors.Is(err, nodes.ErrNotFound) {
		return nil, nil
	}
	return n, err
}

// selectedRun is what became of a selection, as a document.
type selectedRun struct {
	Selection selectionRow `json:"selection"`
	Outcomes  []waveRow    `json:"outcomes"`
}

type selectionRow struct {
	Key    string `json:"key"`
	Digest string `json:"digest"`
	Nodes  int    `json:"nodes"`
	Waves  int    `json:"waves,omitempty"`
	// Before counts what was done with before, by its status.
	Before map[gate.Status]int `json:"before,omitempty"`
	// Differences are what changed since the nodes were chosen. Unknown says why that is not known.
	Differences []selection.Difference `json:"differences"`
	Unknown     string                 `json:"unknown,omitempty"`
}

type waveRow struct {
	outcomeRow
	Wave int `json:"wave,omitempty"`
}

// selectedRun makes the document of a run.
func (w *waving) selectedRun(outcomes []gate.Outcome, dryRun bool) (selectedRun, error) {
	digest, err := w.document.Digest()
	run := selectedRun{
		Selection: selectionRow{
			Key: w.document.Key, Digest: digest, Nodes: len(w.document.Nodes), Waves: w.waves,
			Before: w.before, Unknown: w.unknown,
			Differences: append([]selection.Difference{}, w.differences...),
		},
		Outcomes: []waveRow{},
	}
	for _, row := range outcomeRows(outcomes, dryRun) {
		run.Outcomes = append(run.Outcomes, waveRow{row, w.waveOf[row.ID]})
	}
	return run, err
}

// onwards are the commands for what is left of a selection.
func (w *waving) onwards(a *app, of summary) summary {
	words := []string{"--selection", quoted(w.document.Key)}
	undo := a.command("rollback", slices.Clone(words), "")
	if w.wave != "" {
		words = append(words, "--wave", quoted(w.wave))
	}
	of.next = func(a *app, all []gate.Outcome) (n []next) {
		if slices.ContainsFunc(all, mayBeTried) {
			n = append(n, next{"to go on", a.command("execute", words, "")})
		}
		if slices.ContainsFunc(all, mayBeTakenBack) {
			n = append(n, next{"to take it back", undo})
		}
		return n
	}
	return of
}

// completeSelections offers the keys of the journal's selections.
func (a *app) completeSelections(
	c *cobra.Command, _ []string, begun string,
) ([]string, cobra.ShellCompDirective) {
	const nothingElse = cobra.ShellCompDirectiveNoFileComp
	path, err := a.journalFile()
	if err != nil || !mayBeThere(path) {
		return nil, nothingElse
	}
	ctx, cancel := context.WithTimeout(c.Context(), completionTime)
	defer cancel()
	j, err := a.openJournal(ctx)
	if err != nil {
		return nil, nothingElse
	}
	defer j.Close()
	events, err := j.Events(ctx, gate.EventQuery{
		NoAction: true, Kind: gate.EventSelected, Newest: true, Limit: completed,
	})
	if err != nil {
		return nil, nothingElse
	}
	var offered []string
	for _, e := range events {
		if strings.HasPrefix(e.Key, begun) && printable(e.Key) == e.Key {
			offered = append(offered, cobra.CompletionWithDesc(e.Key, eventText(e)))
		}
	}
	return offered, nothingElse
}
