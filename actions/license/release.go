package license

import (
	"context"

	"aws-provider-executor/pkg/action"
)

// planRelease plans the undo of an assignment, or the release of what the instance has. It goes by
// the table alone: the instance may be gone, and the licence's file, too.
func planRelease(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	s := newSlot(r, req)
	s.source = ""
	now, _, err := s.first(ctx)
	if err != nil {
		return nil, err
	}
	prior, assigned := req.Parameters[factPrior], req.Parameters[factAssigned]
	var back action.Back
	switch releases := !req.Undoes && prior == "" && assigned == ""; {
	case releases:
		back, err = req.Release(s.at(now), now, none)
	case prior == "" && req.NoRecord():
		return s.untold()
	default:
		told := action.Told{Before: prior, After: assigned}
		if assigned == "" && prior != none {
			told.After = prior
		}
		back, err = req.Undo(s.at(now), told)
	}
	if err != nil {
		return nil, err
	}
	if err := s.canBe(ctx, now, back.To); err != nil {
		return nil, err
	}
	return s.plan(now, back, prior), nil
}

// untold answers an undo of which nothing is known.
func (s *slot) untold() (*action.Plan, error) {
	why, err := action.NoFacts(s.req, s.instance+" keeps its licence of the pool "+s.pool+
		" if it has one")
	if err != nil {
		return nil, err
	}
	return &action.Plan{
		Skip:  why,
		Facts: func([]action.Transition, action.Seen) map[string]string { return nil },
	}, nil
}

func (s *slot) plan(now string, back action.Back, prior string) *action.Plan {
	t := s.transition(now, back.To, "")
	t.Back = &back
	p := &action.Plan{
		Seen: action.Seen{Values: []string{now}}, Read: s.read, Transitions: []action.Transition{t},
		Facts: func(t []action.Transition, seen action.Seen) map[string]string {
			facts := map[string]string{factPrior: prior}
			if now != none && t[0].To != now && seen.Values[0] == t[0].To {
				facts[factReleased] = now
			}
			return facts
		},
		Words: action.Words{
			Would:   "take back the licence " + now + " of the pool " + s.pool + " from " + s.instance,
			Did:     "took back the licence " + now + " of the pool " + s.pool + " from " + s.instance,
			Already: s.instance + " has " + s.what(now),
		},
	}
	if back.To != now && back.To != none {
		p.Words.Would = "give " + s.instance + " back the licence " + back.To + " of the pool " + s.pool
		p.Words.Did = "gave " + s.instance + " back the licence " + back.To + " of the pool " + s.pool
	}
	if back.Stays() {
		p.Skip = s.instance + " had " + s.what(now) + " before the action: it keeps that"
	}
	return p
}

// what names what the instance has.
func (s *slot) what(value string) string {
	if value == none {
		return "no licence of the pool " + s.pool
	}
	return "the licence " + value + " of the pool " + s.pool
}

// canBe refuses to give back a licence that is not free.
func (s *slot) canBe(ctx context.Context, now, to string) error {
	if to == now || to == none || to == "" {
		return nil
	}
	l, there := s.find(to)
	if !there || l.Holder != "" || l.Content == "" {
		return s.notFree(l, to)
	}
	taken, err := s.r.LicenseContentTaken(ctx, s.pool, l.Content)
	if err == nil && taken {
		return s.notFree(l, to)
	}
	return err
}
