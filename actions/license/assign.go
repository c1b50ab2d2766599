package license

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/licenses/licensemodel"
	"aws-provider-executor/pkg/protocol"
)

// planAssign plans a licence for the instance, or that it keeps the one it has.
func planAssign(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	s := newSlot(r, req)
	if slices.Contains(strings.Split(s.source, "/"), "..") {
		return nil, protocol.Refuse(protocol.InvalidRequest, "%s goes up by .., past what a policy may "+
			"say of it; give the path itself; nothing was changed", paramSource)
	}
	now, ignored, err := s.first(ctx)
	if err != nil {
		return nil, err
	}
	to, content := now, ""
	if now == none {
		if to, content, err = s.choose(ctx, ignored); err != nil {
			return nil, err
		}
	}
	o, err := req.Origin(s.at(now))
	if err != nil {
		return nil, err
	}
	t := s.transition(now, to, content)
	return &action.Plan{
		Seen: action.Seen{Values: []string{now}}, Read: s.read,
		Transitions: []action.Transition{t},
		Facts: func(t []action.Transition, seen action.Seen) map[string]string {
			facts := map[string]string{factPrior: t[0].From}
			if seen.Values[0] == t[0].To {
				facts[factAssigned], facts[factRef] = t[0].To, s.ref(t[0].To)
			}
			return action.Merge(facts, o.Facts)
		},
		Words: action.Words{
			Would:   "give " + s.instance + " the licence " + to + " of the pool " + s.pool,
			Did:     "gave " + s.instance + " the licence " + to + " of the pool " + s.pool,
			Already: s.instance + " has the licence " + now + " of the pool " + s.pool,
		},
	}, nil
}

// ref says where the text of a licence is, and which text that was when it was assigned: a file may
// be put there anew. A token's id is its digest.
func (s *slot) ref(id string) string {
	if !strings.HasSuffix(s.source, "/") {
		return s.source + "#" + id
	}
	l, _ := s.find(id)
	return s.source + id + "#" + licensemodel.TextPrefix + l.Content
}

// choose chooses a licence that is free, and whose text no instance has under another name or by
// another pool.
func (s *slot) choose(
	ctx context.Context, ignored []string,
) (id, content string, err error) {
	var same, unusable []string
	for _, l := range s.all {
		if !l.Stocked || l.Holder != "" {
			continue
		}
		content, err := s.r.LicenseContent(ctx, s.source, l.ID)
		var f *protocol.Failure
		if errors.As(err, &f) &&
			(f.Class == protocol.Configuration || f.Class == protocol.NotFound) {
			// One that is empty, or is gone, does not keep the others from being given.
			unusable = append(unusable, l.ID)
			continue
		}
		if err != nil {
			return "", "", err
		}
		taken, err := s.r.LicenseContentTaken(ctx, s.pool, content)
		if err != nil {
			return "", "", err
		}
		if !taken {
			return l.ID, content, nil
		}
		same = append(same, l.ID)
	}
	return "", "", protocol.Refuse(protocol.LimitExceeded,
		"the pool %s has no free licence for %s: %s; nothing was changed; put more there, or release "+
			"those of instances that are gone", s.pool, s.instance, s.counts(same, unusable, ignored))
}

// counts says why none is free.
func (s *slot) counts(same, unusable, ignored []string) string {
	stocked, held := 0, 0
	for _, l := range s.all {
		if l.Stocked {
			stocked++
		}
		if l.Holder != "" {
			held++
		}
	}
	text := fmt.Sprintf("%d are in %s, and instances have %d", stocked, s.source, held)
	if len(same) > 0 {
		text += "; the text of " + some(same) + " is in use under another name or in another pool"
	}
	if len(unusable) > 0 {
		text += "; " + some(unusable) + " can't be read, or is empty"
	}
	if len(ignored) > 0 {
		text += "; " + some(ignored) + " has a name that no licence has (letters, digits, ._+=@- and" +
			" .lic at its end)"
	}
	return text
}

// some names the first of several things.
func some(names []string) string {
	text := protocol.Quote(names[0])
	if more := len(names) - 1; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
