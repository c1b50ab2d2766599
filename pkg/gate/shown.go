package gate

import (
	"context"
	"errors"

	"aws-provider-executor/pkg/policy"
)

// Shown is what a person was shown of an action before a decision on it.
type Shown struct {
	// Digest is that of its plan.
	Digest string
	// Seen names what the executor said last that the plan would do. It is empty if the executor was
	// not asked, or said that it would fail.
	Seen string
}

// Show is what there is to show of an action now.
func (g *Gate) Show(ctx context.Context, id int64) (Action, Shown, error) {
	a, err := g.Store.Get(ctx, id)
	if err != nil {
		return a, Shown{}, err
	}
	events, err := g.Store.History(ctx, id)
	if err != nil && !errors.Is(err, ErrAltered) {
		return a, Shown{}, err
	}
	return a, Shown{Digest: a.Digest(), Seen: seenOf(latest(events), a.Digest()).digest}, nil
}

// seenOf is a look at an action if it was at this very plan.
func seenOf(n names, plan string) names {
	if n.seen.Plan != plan {
		return names{}
	}
	return n
}

// notAsShown refuses an action of which the person was shown something else than what is so now.
func (yes Approving) notAsShown(a Action, saw names) policy.Denial {
	shown, named := yes.Shown[a.ID]
	if reasons := notAsShown(yes.Shown, a); len(reasons) > 0 || !named || yes.Evidence != nil {
		return reasons
	}
	if shown.Seen != saw.digest {
		return against("evidence",
			"the executor was asked again since it was shown; look at what it said, and decide anew")
	}
	return nil
}

// notAsShown refuses an action whose plan is not the one that was shown.
func (no Rejecting) notAsShown(a Action) policy.Denial { return notAsShown(no.Shown, a) }

func notAsShown(all map[int64]Shown, a Action) policy.Denial {
	if shown, named := all[a.ID]; named && shown.Digest != a.Digest() {
		return against("digest", "the plan has changed since it was shown: it is %s now, not %s",
			a.Digest(), shown.Digest)
	}
	return nil
}
