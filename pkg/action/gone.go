package action

import (
	"context"
	"errors"

	"aws-provider-executor/pkg/protocol"
)

// Vanished decides whether an undo may take its target for gone for good. Nil means that it may.
//
// Cause is the not-found failure of the target's reading. It is returned if neither a record nor
// an answer tells of an action on the target, so that a mistyped id is never taken for done. It is
// returned as well while the action's record is so fresh that a reading may be from before the
// target was made. A record that is another action's is a conflict, as TakesBack says: in another
// region EC2 does not know the target.
func Vanished(r Request, cause error, of func(Recorded) bool) error {
	var f *protocol.Failure
	gone := errors.As(cause, &f) && f.Class == protocol.NotFound
	if !gone || !r.Undoes || !r.Recorded() && !r.Answered {
		return cause
	}
	if r.Recent {
		told := *f
		told.Message += "; the action is less than a minute old, so the undo waits:" +
			" it is answered once its record is older"
		return &told
	}
	return TakesBack(r, of)
}

// TakesBack refuses an undo whose record is another action's than the request's target says. Of
// reports whether a recorded transition is one that the request takes back.
func TakesBack(r Request, of func(Recorded) bool) error {
	if !r.Recorded() {
		return nil
	}
	var own Recorded
	for _, own = range r.Past.Own {
		switch {
		case of(own) && r.Elsewhere:
			return protocol.Refuse(protocol.Conflict,
				"the action under the key %s had another target than the request, or the region was"+
					" another; nothing was changed; undo with the target that the action had",
				protocol.Quote(own.Key))
		case of(own):
			return nil
		}
	}
	return protocol.Refuse(protocol.Conflict,
		"the action under the key %s made the %s of %s %s, and the request would take back something"+
			" else; nothing was changed; undo with the target and the facts that the action reported",
		protocol.Quote(own.Key), own.Attribute, own.Resource, own.To).With("recorded", own.To)
}

// NothingLeft plans the undo of an action whose target is gone for good, and all that it changed
// with it. Already says so. A plan that goes by a target that is still shown sets its Owner.
func NothingLeft(facts map[string]string, already string) *Plan {
	return &Plan{
		TargetGone: true,
		Read:       func(context.Context) (Seen, error) { return Seen{}, nil },
		Facts:      func([]Transition, Seen) map[string]string { return Merge(facts) },
		Words:      Words{Already: already},
	}
}
