package policy

import (
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// RequestSubject is what a decision on a request is about: the verb that it means, which its target
// may choose, and not the one that it names. A request is an undo when its key says so and its verb
// undoes another.
func RequestSubject(verbs *action.Registry, r protocol.Request) Subject {
	s := Subject{Action: r.Action, Provider: r.Provider, ProviderRef: r.ProviderRef, Target: r.Target, Parameters: r.Parameters}
	verb, known := verbs.Resolve(r)
	if !known {
		return s
	}
	s.Action = verb.Name
	if strings.HasSuffix(r.IdempotencyKey, protocol.UndoKeySuffix) {
		for _, v := range verbs.Undoes(verb.Name) {
			s.Undo, s.Undoes = true, append(s.Undoes, v.Name)
		}
	}
	s.Irreversible = verb.Undo == ""
	s.Addressless = true
	for _, f := range verb.Target {
		s.Addressless = s.Addressless && f.Name != "address"
	}
	return s
}
