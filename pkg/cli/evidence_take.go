package cli

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"

	"aws-provider-executor/pkg/evidence"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/view"
)

// dryRuns remembers what an executor answered, for evidence.
type dryRuns struct {
	run func(context.Context, protocol.Request) (protocol.Result, error)
	mu  sync.Mutex
	by  map[string]evidence.Outcome
}

// of is what the executor answered for a plan.
func (d *dryRuns) of(p gate.Plan) evidence.Outcome {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.by[string(protocol.EncodeRequest(p.Request(protocol.DryRun)))]
}

// Run asks the executor, and remembers the answer by the whole request: two may have one key.
func (d *dryRuns) Run(ctx context.Context, r protocol.Request) (protocol.Result, error) {
	result, err := d.run(ctx, r)
	key := string(protocol.EncodeRequest(r))
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.by == nil {
		d.by = map[string]evidence.Outcome{}
	}
	if err != nil {
		d.by[key] = evidence.Outcome{Message: err.Error()}
		return result, err
	}
	o, unread := evidence.OutcomeOf(result.Status)
	if unread != nil {
		// A plan that can't be read is one that was not told.
		o.Changes, o.UndoChanges = nil, nil
	}
	d.by[key] = o
	return result, nil
}

// checked is a round of checks, with all that stands behind it.
type checked struct {
	plans  []gate.Plan
	report preflight.Report
	told   *dryRuns
	plugin *plugin
}

// program is the executor that told the plans.
func (c checked) program(ctx context.Context) evidence.Program {
	p, err := c.plugin.program.Identify(ctx)
	if err != nil {
		return evidence.Program{Name: c.plugin.Plugin}
	}
	return evidence.Program{
		Name: c.plugin.Plugin, Version: c.plugin.program.Version(ctx), Digest: p.Digest,
	}
}

// cards are what the executor said of each plan.
func (a *app) cards(ctx context.Context, c checked) []view.Card {
	var cards []view.Card
	known := map[string]map[string]string{}
	for i, p := range c.plans {
		x := gate.Action{Plan: p}
		said := asked{at: a.Now(), outcome: c.told.of(p)}
		if region := p.Target["region"]; a.Network != nil && region != "" && i < maxCards {
			subject := subjectOf(x, said.outcome)
			around := fmt.Sprint(region, subject.Around())
			if _, read := known[around]; !read {
				known[around] = a.names(ctx, region, subject)
			}
			said.names = known[around]
		}
		card := a.card(x, said)
		card.Title = p.IdempotencyKey
		cards = append(cards, card)
	}
	return cards
}

// take makes evidence of a round of checks: of the plans, what the executor said of each, and the
// network around them.
func (a *app) take(ctx context.Context, c checked) (evidence.Document, error) {
	plans, told, report := c.plans, c.told, c.report
	seen := evidence.Seen{
		Identity: identityOf(report), Checks: evidence.ChecksOf(report),
	}
	for _, p := range plans {
		s := subjectOf(gate.Action{Plan: p}, told.of(p))
		if verb, ok := a.Registry.Resolve(p.Request(protocol.DryRun)); ok {
			s.Action = verb.Name
			if s.Undo == "" {
				s.Undo = verb.Undo
			}
		}
		seen.Subjects = append(seen.Subjects, s)
		n := a.surroundings(ctx, p.Target["region"], s)
		seen.Network = seen.Network.With(n)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return evidence.New(evidence.Taken{
		At: a.Now(), By: operator(), Host: host,
		Program: evidence.Program{Name: "actionctl", Version: a.Version},
		Plugin:  c.program(ctx),
	}, seen)
}

// identityOf are the texts that the check of the identity tells. Where it is of several regions, a
// text in which they agree is told once.
func identityOf(report preflight.Report) map[string]string {
	identity := map[string]string{}
	c, found := report.Lookup("identity", "")
	if !found {
		return identity
	}
	by := map[string][]string{}
	regions := slices.Sorted(maps.Keys(c.Facts))
	for _, name := range regions {
		switch value := c.Facts[name].(type) {
		case string:
			identity[name] = value
		case map[string]any:
			for fact, value := range value {
				if text, ok := value.(string); ok {
					identity[fact+" in "+name] = text
					by[fact] = append(by[fact], text)
				}
			}
		}
	}
	for fact, texts := range by {
		if len(texts) == len(regions) && len(slices.Compact(slices.Clone(texts))) == 1 {
			identity[fact] = texts[0]
			for _, region := range regions {
				delete(identity, fact+" in "+region)
			}
		}
	}
	return identity
}
