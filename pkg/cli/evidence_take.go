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

// asProgram is the executor, as evidence names it.
func (p *plugin) asProgram(ctx context.Context) evidence.Program {
	found, err := p.program.Identify(ctx)
	if err != nil {
		return evidence.Program{Name: p.Plugin}
	}
	return evidence.Program{
		Name: p.Plugin, Version: p.program.Version(ctx), Digest: found.Digest,
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

// take makes evidence of a round of checks.
func (a *app) take(ctx context.Context, c checked) (evidence.Document, error) {
	return a.document(ctx, c.plugin, a.seen(ctx, c))
}

// seen is what a round of checks saw: of the plans, what the executor said of each, and the network
// around them.
func (a *app) seen(ctx context.Context, c checked) evidence.Seen {
	seen := evidence.Seen{
		Identity: identityOf(c.report), Checks: evidence.ChecksOf(c.report),
		Subjects: a.subjects(c.plans, c.told.of),
	}
	read := map[string]bool{}
	for _, s := range seen.Subjects {
		region := s.Target["region"]
		if around := fmt.Sprint(region, s.Around()); !read[around] {
			read[around] = true
			seen.Network = seen.Network.With(a.surroundings(ctx, region, s))
		}
	}
	return seen
}

// subjects are plans with what the executor said of each, as evidence has them.
func (a *app) subjects(
	plans []gate.Plan, said func(gate.Plan) evidence.Outcome,
) (all []evidence.Subject) {
	for _, p := range plans {
		s := subjectOf(gate.Action{Plan: p}, said(p))
		if verb, ok := a.Registry.Resolve(p.Request(protocol.DryRun)); ok {
			s.Action = verb.Name
			if s.Undo == "" {
				s.Undo = verb.Undo
			}
		}
		all = append(all, s)
	}
	return all
}

// document makes evidence of what was seen, now, by the user of the operating system.
func (a *app) document(
	ctx context.Context, executor *plugin, seen evidence.Seen,
) (evidence.Document, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return evidence.New(evidence.Taken{
		At: a.Now(), By: operator(), Host: host,
		Program: evidence.Program{Name: "actionctl", Version: a.Version},
		Plugin:  executor.asProgram(ctx),
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
