package policy

import (
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// RequestSubject is what a decision on a request is about: the verb that it means, which its target
// may choose, and the name that the request gives it. A request is an undo when its key says so and
// its verb undoes another.
func RequestSubject(verbs *action.Registry, r protocol.Request) Subject {
	s := Subject{
		Action: r.Action, Provider: r.Provider, ProviderRef: r.ProviderRef,
		Target: r.Target, Parameters: r.Parameters,
	}
	verb, known := verbs.Resolve(r)
	if !known {
		return s
	}
	names := []string{verb.Name}
	if verb.Name != r.Action {
		s.Action, s.Named = verb.Name, r.Action
		names = append(names, r.Action)
	}
	if strings.HasSuffix(r.IdempotencyKey, protocol.UndoKeySuffix) {
		for _, name := range names {
			for _, v := range verbs.Undoes(name) {
				s.Undo, s.Undoes = true, append(s.Undoes, v.Name)
			}
		}
	}
	s.Irreversible = verb.Undo == ""
	s.NeedsAddress = slices.ContainsFunc(verb.Target, func(f action.Field) bool {
		return f.Name == "address" && f.Required
	})
	return s
}
