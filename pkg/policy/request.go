package policy

import (
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// RequestSubject is what a decision on a request is about. A request is an undo when its key says so and
// its verb undoes another.
func RequestSubject(verbs *action.Registry, r protocol.Request) Subject {
	s := Subject{Action: r.Action, Provider: r.Provider, ProviderRef: r.ProviderRef, Target: r.Target}
	verb, known := verbs.Lookup(r.Action)
	if !known {
		return s
	}
	if strings.HasSuffix(r.IdempotencyKey, protocol.UndoKeySuffix) {
		for _, v := range verbs.Undoes(r.Action) {
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
