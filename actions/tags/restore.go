package tags

import (
	"context"
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// planRestore plans the undo of every tag that the facts or the record tell of.
func planRestore(ctx context.Context, r Reader, req action.Request) (*action.Plan, error) {
	t := newResource(r, req)
	if err := t.readable(); err != nil {
		return nil, err
	}
	if t.keys = t.told(); len(t.keys) == 0 {
		return t.untold()
	}
	if err := t.first(ctx); err != nil {
		return nil, err
	}
	if len(t.tags) == 0 {
		// What is gone has no tags either.
		switch err := t.exists(ctx); {
		case isAbsent(err):
			return t.gone(err)
		case err != nil:
			return nil, err
		}
	}
	seen := t.seen(t.tags)
	before := req.Recorded()
	backs, err := t.backs(seen)
	if err == nil && !before && req.Recorded() {
		// The facts are those of a recorded action.
		backs, err = t.backs(seen)
	}
	if err != nil {
		return nil, err
	}
	return t.restore(seen, backs), nil
}

// readable refuses facts of tags that no action reported so.
func (t *resource) readable() error {
	for _, f := range []action.Field{factPrior, factEnsured} {
		for key, value := range family(f, t.req.Parameters) {
			if ec2model.IsMark(key) {
				return protocol.Refuse(protocol.InvalidRequest,
					"spec.parameters.%s is of one of the tags that this program remembers something by, which"+
						" no ensure-tags writes; nothing was changed", f.Of(key))
			}
			if _, ok := action.TextOf(value); value != action.NoTag && !ok {
				return protocol.Refuse(protocol.InvalidRequest,
					"spec.parameters.%s is %s, which is no tag as an action reports it: want absent, or the"+
						" text in quotes; nothing was changed", f.Of(key), protocol.Quote(value))
			}
		}
	}
	return nil
}

// told are the keys that the record or the facts tell of.
func (t *resource) told() []string {
	keys := slices.Collect(maps.Keys(family(factPrior, t.req.Parameters)))
	if past := t.req.Past; past != nil {
		for _, own := range past.Own {
			if key, ok := strings.CutPrefix(own.Attribute, attribute); ok && own.Resource == t.id {
				keys = append(keys, key)
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// untold is the undo that nothing tells what to restore for.
func (t *resource) untold() (*action.Plan, error) {
	err := action.TakesBack(t.req, t.isOwn)
	if err != nil || !t.req.Undoes {
		if err == nil {
			err = protocol.Refuse(protocol.InvalidRequest,
				"nothing tells which tags to restore: give the facts that the action reported"+
					" (priorTag.<key>), or send the undo under the action's key; nothing was changed")
		}
		return nil, err
	}
	why, err := action.NoFacts(t.req, "the tags of "+t.id+" stay as they are")
	if err != nil {
		return nil, err
	}
	return &action.Plan{
		Skip:  why,
		Read:  func(context.Context) (action.Seen, error) { return action.Seen{}, nil },
		Facts: func([]action.Transition, action.Seen) map[string]string { return map[string]string{} },
	}, nil
}

// isOwn reports whether a recorded transition is of this resource.
func (t *resource) isOwn(own action.Recorded) bool { return own.Resource == t.id }

// gone is the undo on a resource that was not found: with it, its tags are gone.
func (t *resource) gone(cause error) (*action.Plan, error) {
	if err := action.Vanished(t.req, cause, t.isOwn); err != nil {
		return nil, err
	}
	return action.NothingLeft(t.priors(), t.id+" does not exist any more, nor do its tags"), nil
}

// priors are the prior facts that the request gives.
func (t *resource) priors() map[string]string {
	facts := map[string]string{}
	for key, prior := range family(factPrior, t.req.Parameters) {
		facts[factPrior.Of(key)] = prior
	}
	return facts
}

// backs decide the undo of each tag.
func (t *resource) backs(seen action.Seen) ([]action.Back, error) {
	backs := make([]action.Back, len(t.keys))
	for i, key := range t.keys {
		told := action.Told{Before: t.req.Parameters[factPrior.Of(key)],
			After: t.req.Parameters[factEnsured.Of(key)]}
		if told.After == "" {
			if text, given := t.req.Parameters[paramTag.Of(key)]; given {
				told.After = action.TagText(text)
			}
		}
		var err error
		if backs[i], err = t.req.Undo(t.at(seen, i), told); err != nil {
			return nil, err
		}
	}
	return backs, nil
}

// restore makes the plan.
func (t *resource) restore(seen action.Seen, backs []action.Back) *action.Plan {
	p := &action.Plan{
		Seen: seen, Read: t.read,
	}
	stay := true
	var changing []string
	for i := range backs {
		tr := t.transition(seen, i, backs[i].To)
		tr.Back = &backs[i]
		p.Transitions = append(p.Transitions, tr)
		stay = stay && backs[i].Stays()
		if backs[i].To != seen.Values[i] {
			changing = append(changing, t.keys[i])
		}
	}
	p.Words = action.Words{Would: "restore " + t.named(changing),
		Did: "restored " + t.named(changing), Already: t.are("as before the action")}
	if stay {
		p.Skip = t.are("as before the action, which changed nothing")
	}
	p.Facts = func(_ []action.Transition, now action.Seen) map[string]string {
		facts := t.priors()
		for i, key := range t.keys {
			facts[factRestored.Of(key)] = now.Values[i]
		}
		return facts
	}
	return p
}
