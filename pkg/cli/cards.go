package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/evidence"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/network"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/view"
)

// maxCards is how many actions are shown in full at once, and have their names looked up.
const maxCards = 20

// namesBudget is the time for looking names up: they are an ornament.
const namesBudget = 5 * time.Second

// namer looks up what people call things, for the first few actions of a command.
func (a *app) namer() func(context.Context, gate.Action, protocol.Status) map[string]string {
	if a.Network == nil {
		return nil
	}
	asked := make(chan struct{}, maxCards)
	return func(ctx context.Context, x gate.Action, said protocol.Status) map[string]string {
		o, err := evidence.OutcomeOf(said)
		region := x.Target["region"]
		if err != nil || o.Status != protocol.Succeeded || region == "" {
			return nil
		}
		select {
		case asked <- struct{}{}:
		default:
			return nil
		}
		return a.names(ctx, region, subjectOf(x, o))
	}
}

// names looks up names in a region.
func (a *app) names(
	ctx context.Context, region string, s evidence.Subject,
) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, namesBudget)
	defer cancel()
	source, err := a.Network(ctx, region, namesBudget)
	if err != nil {
		return nil
	}
	names := network.NamesOf(ctx, source, s.Around())
	for id, name := range names {
		names[id] = cut(name, maxName)
	}
	return names
}

// maxName is how much of a name is kept.
const maxName = 128

// cut is a text of at most n characters.
func cut(text string, n int) string {
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return string(runes[:n]) + "…"
}

// subjectOf is an action with what the executor told of it, as evidence has it.
func subjectOf(x gate.Action, o evidence.Outcome) evidence.Subject {
	s := evidence.Subject{
		Key: x.IdempotencyKey, Plan: x.Digest(), Action: x.Plan.Action, Provider: x.Provider,
		ProviderRef: x.ProviderRef, Target: x.Target, Parameters: x.Parameters, Outcome: o,
	}
	if x.Undo != nil {
		s.Undo = x.Undo.Action
	}
	return s
}

// asked is what the executor said when it was asked last what exactly this plan would do.
type asked struct {
	at      time.Time
	outcome evidence.Outcome
	names   map[string]string
	// ran is what became of the action, where it was carried out. The outcome is then of that.
	ran *view.Ran
}

// lastAsked finds in the log what the executor said last of exactly this plan. It reports whether
// it was asked.
func lastAsked(ctx context.Context, s gate.Store, x gate.Action) (asked, bool, error) {
	events, err := s.Events(ctx, gate.EventQuery{
		ActionID: x.ID, Kind: gate.EventDryRun, Newest: true, Limit: 1,
	})
	if err != nil || len(events) == 0 || events[0].Data["digest"] != x.Digest() {
		return asked{}, false, err
	}
	e := events[0]
	status := protocol.Status{Observed: textsOf(e.Data["observed"])}
	text := func(name string) string { said, _ := e.Data[name].(string); return said }
	status.Status, status.Message, status.Error = protocol.State(text("status")), text("message"),
		text("error")
	outcome, err := evidence.OutcomeOf(status)
	if err != nil {
		// What can't be read is not told.
		outcome.Changes, outcome.UndoChanges = nil, nil
	}
	return asked{at: e.At, outcome: outcome, names: textsOf(e.Data["names"])}, true, nil
}

// lastTold is what is known best of an action: what became of it where it was carried out since its
// last import, else what the executor said that it would do. It reports whether there is any.
func lastTold(ctx context.Context, s gate.Store, x gate.Action) (asked, bool, error) {
	said, known, err := lastAsked(ctx, s, x)
	if err != nil || !x.MayHaveChanged && !slices.Contains(
		[]gate.Status{gate.Succeeded, gate.Failed, gate.Skipped, gate.RolledBack}, x.Status) {
		return said, known, err
	}
	events, err := s.History(ctx, x.ID)
	if err != nil && !errors.Is(err, gate.ErrAltered) {
		return said, known, err
	}
	// Another program's journal has no log.
	said.at, said.ran = time.Time{}, &view.Ran{
		At: x.ExecutedAt, Says: firstOf(x.Error, x.ResultMessage), IsBack: x.Status == gate.RolledBack,
		Failed: x.Status == gate.Failed,
	}
	for _, e := range events {
		said.add(e)
	}
	if !x.MayHaveChanged && x.Status == gate.Failed {
		// What a plan told was taken back, or not begun.
		said.outcome.Changes = []protocol.Change{}
	}
	return said, true, nil
}

// add takes what an event tells of the action or of its undo.
func (said *asked) add(e gate.Event) {
	text := func(name string) string { v, _ := e.Data[name].(string); return v }
	words := firstOf(text("error"), text("message"))
	switch e.Kind {
	case gate.EventResult, gate.EventNoResult:
		*said.ran = view.Ran{At: e.At, Says: words,
			Failed: text("status") != string(protocol.Succeeded)}
	case gate.EventRolledBack, gate.EventRollbackFailed:
		said.ran.TriedBack, said.ran.BackSays = e.At, words
		said.ran.IsBack = e.Kind == gate.EventRolledBack
	}
	if e.Kind != gate.EventResult {
		return
	}
	outcome, err := evidence.OutcomeOf(protocol.Status{
		Status: protocol.State(text("status")), Message: words, Observed: textsOf(e.Data["observed"]),
	})
	// A second run finds what the first one made, and changes nothing. What can't be read is not
	// told.
	if err == nil && (len(outcome.Changes) > 0 || len(said.outcome.Changes) == 0) {
		said.outcome = outcome
	}
}

// textsOf are the texts of an object in the log.
func textsOf(v any) map[string]string {
	all := map[string]string{}
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if text, ok := value.(string); ok {
				all[name] = text
			}
		}
	case map[string]string:
		return v
	}
	return all
}

// card is what an approver sees of an action.
func (a *app) card(x gate.Action, said asked) view.Card {
	c := view.Card{
		Title:   fmt.Sprintf("%d %s", x.ID, x.IdempotencyKey),
		Action:  x.Plan.Action,
		Says:    said.outcome.Message,
		Ran:     said.ran,
		Planned: x.RiskLevel,
		Changes: said.outcome.Changes, Undo: said.outcome.UndoChanges,
		Names: func(id string) string { return said.names[id] },
		Asked: said.at, Now: a.Now(),
	}
	if verb, ok := a.Registry.Resolve(x.Request(protocol.DryRun)); ok {
		c.Action, c.Risk, c.UndoVerb = verb.Name, verb.Risk, verb.Undo
		c.IsUndo = a.takesBack(verb, x.IdempotencyKey, x.Parameters)
	}
	if x.Undo != nil {
		c.UndoVerb, c.IsUndo = x.Undo.Action, false
	}
	return c
}

// takesBack reports whether a request undoes an action: by its key, or by the facts of what was
// before. The same verb without either is an action of its own, which nothing takes back.
func (a *app) takesBack(v action.Verb, key string, parameters map[string]string) bool {
	if _, undone := a.Registry.Undone(v, key); undone {
		return true
	}
	return len(a.Registry.Undoes(v.Name)) > 0 && slices.ContainsFunc(
		slices.Collect(maps.Keys(parameters)),
		func(name string) bool { return strings.HasPrefix(name, protocol.PriorPrefix) })
}

// undoCard is what a person sees of the undo of an action.
func (a *app) undoCard(x gate.Action, said asked) view.Card {
	c := a.card(x, said)
	c.Title += protocol.UndoKeySuffix
	c.Action, c.UndoVerb, c.Planned = c.UndoVerb, "", ""
	c.IsUndo = true
	if verb, ok := a.Registry.Lookup(c.Action); ok {
		c.Risk = verb.Risk
	}
	return c
}

// showCards shows the first few of some actions in full.
func (a *app) showCards(w io.Writer, cards []view.Card) {
	for i, c := range cards {
		if i == maxCards {
			fmt.Fprintln(w, "\nthere are more: show ID tells of each")
			return
		}
		fmt.Fprint(w, "\n"+c.Text(a.paintSign))
	}
}

// paintSign colours what is added, removed and changed, on a terminal only.
func (a *app) paintSign(sign view.Sign, text string) string {
	colour := map[view.Sign]string{view.Added: "32", view.Removed: "31", view.Changed: "33"}[sign]
	if colour == "" || !a.colours() {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// cardsOf are the cards of what dry-runs told.
func (a *app) cardsOf(outcomes []gate.Outcome, undo bool) []view.Card {
	var cards []view.Card
	for _, o := range outcomes {
		if o.Result == nil || o.Verdict == gate.Refused {
			continue
		}
		said := asked{at: a.Now(), names: o.Names}
		// A plan that can't be read is one that was not told.
		said.outcome, _ = evidence.OutcomeOf(o.Result.Status)
		if undo {
			cards = append(cards, a.undoCard(o.Action, said))
		} else {
			cards = append(cards, a.card(o.Action, said))
		}
	}
	return cards
}
