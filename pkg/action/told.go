package action

import (
	"context"

	"aws-provider-executor/pkg/protocol"
)

// UnknownPrior is the fact of an undo that took away what the action's facts name, and had nothing
// to give back: other executors do not tell what was before.
var UnknownPrior = Field{Name: "unknownPrior", Form: Text,
	Doc: "what neither the facts of the action nor a record told, so that nothing was given back"}

// Named decides whether an undo has facts as other executors write them: what the action brought
// about, and nothing of what was before. The parameter then names the undo's own target. One that
// names another is another action's.
func Named(r Request, parameter, target string) (named bool, err error) {
	switch told := r.Parameters[parameter]; told {
	case "":
		return false, nil
	case target:
		return r.Undoes, nil
	default:
		return false, protocol.Refuse(protocol.InvalidRequest,
			"%s is %s, and the target is %s: the facts are another action's; nothing was changed;"+
				" undo with the target and the facts of one action",
			parameter, told, target)
	}
}

// MovedOn plans the undo of an action whose prior state is unknown, where what it brought about is
// not so any more. Again reads the value once more; it is After if that was only an old reading.
func MovedOn(
	after string, again func(context.Context) (Seen, error),
	facts map[string]string, already string,
) *Plan {
	return &Plan{
		Read: func(ctx context.Context) (Seen, error) {
			seen, err := again(ctx)
			if err != nil || len(seen.Values) > 0 && seen.Values[0] == after {
				return seen, err
			}
			return Seen{}, nil
		},
		Facts: func([]Transition, Seen) map[string]string { return Merge(facts) },
		Words: Words{Already: already},
	}
}
