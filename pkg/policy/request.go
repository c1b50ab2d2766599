package policy

import (
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// RequestSubject is what a decision on a request is about, known by the name that the request gives
// it. A request is an undo when its key says so and its verb undoes another.
func RequestSubject(verbs *action.Registry, r protocol.Request) Subject {
	s := Subject{
		Action: r.Action, Provider: r.Provider, ProviderRef: r.ProviderRef,
		Target: r.Target, Parameters: r.Parameters,
	}
	verb, known := verbs.Resolve(r)
	if !known {
		return s
	}
	if strings.HasSuffix(r.IdempotencyKey, protocol.UndoKeySuffix) {
		s.Undoes = undone(verbs, verb, r)
		s.Undo = len(s.Undoes) > 0
	}
	s.Irreversible = verb.Undo == ""
	s.NeedsAddress = slices.ContainsFunc(verb.Target, func(f action.Field) bool {
		return f.Name == "address" && (f.Required || !s.Undo)
	})
	return s
}

// undone lists the names that an action may have had which the verb undoes: its target may have
// chosen what it meant.
func undone(verbs *action.Registry, verb action.Verb, r protocol.Request) []string {
	var names []string
	for _, v := range verbs.Verbs() {
		r.Action = v.Name
		if meant, _ := verbs.Resolve(r); meant.Undo == verb.Name {
			names = append(names, v.Name)
		}
	}
	return names
}
