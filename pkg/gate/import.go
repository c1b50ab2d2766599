package gate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"aws-provider-executor/pkg/protocol"
)

// Import takes plans into the journal, all or none. A key is there once: the same plan again changes
// nothing. With requeue, an action that is not running and not in force goes back to pending, with the plan
// as it is now and its facts kept; it has to be approved anew.
func (g *Gate) Import(ctx context.Context, plans []Plan, source string, requeue bool) ([]Outcome, error) {
	if g.Store.ReadOnly() {
		return nil, ErrReadOnly
	}
	for range attempts {
		outcomes, err := g.importOnce(ctx, plans, source, requeue)
		if !errors.Is(err, ErrChanged) {
			return outcomes, err
		}
	}
	return nil, ErrChanged
}

func (g *Gate) importOnce(ctx context.Context, plans []Plan, source string, requeue bool) ([]Outcome, error) {
	im := importing{Gate: g, source: source, requeue: requeue, seen: map[string]int{}}
	if names := providers(plans); len(names) > 1 {
		im.refuse("plans of several providers (%s); import each provider's on its own", strings.Join(names, ", "))
	}
	for i, p := range plans {
		if err := im.add(ctx, i, p); err != nil {
			return nil, err
		}
	}
	if len(im.reasons) > 0 {
		err := g.Store.Note(ctx, Event{At: g.Now(), Kind: EventDenied, Actor: g.Actor,
			Data: map[string]any{"what": "import", "source": source, "reasons": im.reasons}})
		return nil, errors.Join(&Refusal{What: "import", Reasons: im.reasons}, err)
	}
	actions, err := g.Store.Apply(ctx, im.changes...)
	if err != nil {
		return nil, err
	}
	for i, j := range im.changed {
		im.outcomes[j].Action = actions[i]
	}
	return im.outcomes, nil
}

type importing struct {
	*Gate
	source   string
	requeue  bool
	seen     map[string]int
	reasons  []string
	outcomes []Outcome
	changes  []Change
	// changed says which outcome each change belongs to.
	changed []int
}

func (im *importing) refuse(format string, args ...any) {
	im.reasons = append(im.reasons, fmt.Sprintf(format, args...))
}

func (im *importing) add(ctx context.Context, i int, p Plan) error {
	called := fmt.Sprintf("plan %d (%s)", i+1, protocol.Quote(p.IdempotencyKey))
	faults := im.complete(&p)
	if len(faults) > 0 {
		im.refuse("%s: %s", called, strings.Join(faults, "; "))
		return nil
	}
	if first, twice := im.seen[p.IdempotencyKey]; twice {
		im.refuse("%s: the key is that of plan %d too", called, first+1)
		return nil
	}
	im.seen[p.IdempotencyKey] = i
	there, err := im.Store.Find(ctx, p.IdempotencyKey)
	switch {
	case errors.Is(err, ErrNotFound):
		im.change(Action{Source: im.source, Plan: p, Status: Pending}, EventImported, "imported")
	case err != nil:
		return err
	case im.requeue:
		im.again(there, p, called)
	case there.Digest() != p.Digest() || there.Recorded != p.Digest():
		im.refuse("%s: the key is there already, as action %d (%s), with another plan; --requeue replaces it", called, there.ID, there.Status)
	default:
		im.outcomes = append(im.outcomes, Outcome{Action: there, Verdict: Done, Message: "there already"})
	}
	return nil
}

// again puts an action back to pending.
func (im *importing) again(there Action, p Plan, called string) {
	switch {
	case there.Claim != nil:
		if reasons := busy(there, im.Now()); len(reasons) > 0 {
			im.refuse("%s: action %d: %s", called, there.ID, reasons.Error())
			return
		}
		im.refuse("%s: action %d was left running: execute it again, which finds out what is so", called, there.ID)
		return
	case there.Status == Succeeded:
		im.refuse("%s: action %d has succeeded and is in force; roll it back first", called, there.ID)
		return
	case there.MayHaveChanged():
		im.refuse("%s: action %d failed and may have changed something: execute it again, which finds out, or roll it back", called, there.ID)
		return
	}
	there.Plan, there.Source, there.Status = p, im.source, Pending
	there.ApprovedBy, there.ApprovedAt = "", time.Time{}
	im.change(there, EventRequeued, "requeued")
}

func (im *importing) change(a Action, kind EventKind, message string) {
	a.Imported, a.Recorded = im.Now(), a.Digest()
	data := map[string]any{"digest": a.Recorded, "source": im.source, "action": a.Plan.Action, "target": a.Target}
	for name, text := range map[string]string{"name": a.Name, "description": a.Description, "mode": a.Mode, "riskLevel": a.RiskLevel} {
		if text != "" {
			data[name] = text
		}
	}
	im.changed = append(im.changed, len(im.outcomes))
	im.outcomes = append(im.outcomes, Outcome{Verdict: Done, Message: message})
	im.changes = append(im.changes, Change{Action: a, Event: im.event(kind, a, data)})
}
