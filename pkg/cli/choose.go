package cli

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/view"
)

// choice says which actions a command is for: those that are named, or those that flags choose.
type choice struct {
	filter
	// yes has nobody asked.
	yes bool
}

func (ch *choice) flags(a *app, c *cobra.Command) {
	ch.filter.flags(a, c)
	ch.yesFlag(c)
}

func (ch *choice) yesFlag(c *cobra.Command) {
	c.Flags().BoolVar(&ch.yes, "yes", false, "do not ask a person at a terminal")
}

// given reports whether a flag chooses.
func (f *filter) given() bool {
	return len(f.statuses)+len(f.actions)+len(f.keys)+len(f.targets) > 0 || f.since != "" ||
		f.selection != ""
}

// args wants either actions or flags that choose some.
func (ch *choice) args(c *cobra.Command, args []string) error {
	switch {
	case len(args) > 0 && ch.given():
		return usage("%s takes ids or idempotency keys, or flags that choose actions: one of them",
			c.CommandPath())
	case len(args) == 0 && !ch.given():
		return usage("%s takes ids or idempotency keys of actions, or flags that choose some; see "+
			"%s --help", c.CommandPath(), c.CommandPath())
	}
	return nil
}

// ids finds the actions, once: what comes into the journal later is not among them. Without
// --status, flags choose among those of the usual statuses.
func (ch *choice) ids(
	ctx context.Context, a *app, s gate.Store, args []string, usual ...gate.Status,
) ([]int64, error) {
	if len(args) > 0 {
		return findAll(ctx, s, args)
	}
	q, err := ch.query(a.Now())
	if err != nil {
		return nil, err
	}
	d, err := selectIn(ctx, s, ch.selection, &q)
	if err != nil {
		return nil, err
	}
	a.tellSelection(d)
	if len(q.Statuses) == 0 {
		q.Statuses = usual
	}
	actions, err := s.List(ctx, q)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, x := range actions {
		ids = append(ids, x.ID)
	}
	if len(ids) == 0 {
		a.tell("nothing was done: these flags choose no action")
	}
	return ids, nil
}

// question is what a person is asked before a command goes on.
type question struct {
	// what is done, as in "approval".
	what string
	// chosen is set where the actions were not named one by one.
	chosen, yes bool
	preview     preview
}

// asks reports whether a person will be asked.
func (a *app) asks(q question) bool { return !q.yes && a.atTerminal() && len(q.preview) > 0 }

// confirm asks a person at a terminal, and shows what would be touched. Where nobody sits at one,
// what was named goes on. What flags chose is refused there without --yes.
func (a *app) confirm(ctx context.Context, q question) error {
	if q.yes || len(q.preview) == 0 || !q.chosen && !a.atTerminal() {
		return nil
	}
	q.preview.text(a, a.stderr)
	what := fmt.Sprintf("%s of %s", q.what, found(len(q.preview), "action"))
	if !a.atTerminal() {
		return usage("the %s needs a yes, and nobody is at a terminal to ask: nothing was begun; "+
			"--yes says that it is meant", what)
	}
	yes, err := a.ask(ctx, "The "+what+": begin?", nil)
	if err == nil && !yes {
		a.tell("nothing was begun")
		return exit(ExitRefused)
	}
	return err
}

// preview is what a command would touch, as a person is shown it.
type preview []previewed

// previewed is one action of a preview.
type previewed struct {
	gate.Action
	shown gate.Shown
	said  asked
	// undo is set where the changes are those of the action's undo.
	undo bool
}

// previewOf reads what there is to show of actions, or of their undos.
func (a *app) previewOf(
	ctx context.Context, g *gate.Gate, ids []int64, undo bool,
) (preview, error) {
	all := make(preview, len(ids))
	for i, id := range ids {
		x, shown, err := g.Show(ctx, id)
		if err != nil {
			return nil, err
		}
		said, _, err := lastAsked(ctx, g.Store, x)
		if err != nil {
			return nil, err
		}
		if undo {
			if said, err = saidOfUndo(ctx, g.Store, x, said); err != nil {
				return nil, err
			}
		}
		all[i] = previewed{x, shown, said, undo}
	}
	return all, nil
}

// saidOfUndo is what an undo would change: as the last result told it, else as the last dry-run
// did. Nil is not known.
func saidOfUndo(ctx context.Context, s gate.Store, x gate.Action, said asked) (asked, error) {
	said.outcome.Message, said.outcome.Changes = "", said.outcome.UndoChanges
	events, err := s.Events(ctx, gate.EventQuery{
		ActionID: x.ID, Kind: gate.EventResult, Newest: true, Limit: 1,
	})
	if err != nil || len(events) == 0 {
		return said, err
	}
	plan, told := textsOf(events[0].Data["observed"])[protocol.FactUndoPlan]
	if !told {
		return said, nil
	}
	said.at = events[0].At
	if said.outcome.Changes, err = protocol.DecodeChanges(plan); err != nil {
		// What can't be read is not told.
		said.outcome.Changes = nil
	}
	return said, nil
}

// shown is what was shown of each action, for the gate to hold it to.
func (p preview) shown() map[int64]gate.Shown {
	all := map[int64]gate.Shown{}
	for _, x := range p {
		all[x.ID] = x.shown
	}
	return all
}

func (p preview) cards(a *app) []view.Card {
	all := make([]view.Card, len(p))
	for i, x := range p {
		all[i] = x.card(a)
	}
	return all
}

// inFull is how many actions are shown in full. Of more each gets a line.
const inFull = 5

// text shows every action: few in full, many on a line each.
func (p preview) text(a *app, w io.Writer) {
	if len(p) <= inFull {
		for _, x := range p {
			fmt.Fprint(w, x.card(a).Text(view.Plain))
		}
		return
	}
	lines := make([][]string, len(p))
	for i, x := range p {
		c := x.card(a)
		line := a.listLine(x.Row())
		lines[i] = []string{line[0], x.IdempotencyKey, c.Action, line[4], shortly(c)}
	}
	a.tabulateAs(w, a.width(a.tty), []column{
		{name: "ID", whole: true}, {name: "KEY", spare: 1}, {name: "ACTION"},
		{name: "TARGET", whole: true, spare: 2}, {name: "CHANGES"},
	}, lines)
}

func (x previewed) card(a *app) view.Card {
	if x.undo {
		return a.undoCard(x.Action, x.said)
	}
	return a.card(x.Action, x.said)
}

// shortly is what a card changes, on a line.
func shortly(c view.Card) string {
	blocks := view.Blocks(c.Changes, c.Names)
	switch {
	case c.Changes == nil:
		return "not known: the executor told no plan"
	case len(blocks) == 0 || len(blocks[0].Entries) == 0:
		return "nothing"
	}
	entries := 0
	for _, b := range blocks {
		entries += len(b.Entries)
	}
	first := blocks[0].Entries[0]
	said := string(first.Sign) + " " + first.String()
	isChanged := func(i view.Item) bool { return i.Sign != view.Kept }
	if i := slices.IndexFunc(first.Items, isChanged); i >= 0 {
		said += ": " + string(first.Items[i].Sign) + first.Items[i].Value.String()
	}
	if entries > 1 {
		said += fmt.Sprintf(", and %d more", entries-1)
	}
	return said
}
