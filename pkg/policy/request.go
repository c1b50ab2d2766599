package policy

import (
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// RequestSubject is what a decision on a request is about, known by the name that the request gives
// it. A request is an undo when its key says so and its verb undoes another.
//
// What is judged is what is carried out: the keys that the verb declares, in canonical spelling.
// The keys that it ignores stay as they were sent, so that one of them may deny and none can allow.
func RequestSubject(verbs *action.Registry, r protocol.Request) Subject {
	s := Subject{Action: r.Action, Provider: r.Provider, ProviderRef: r.ProviderRef}
	verb, known := verbs.Resolve(r)
	if known {
		reduced, _ := verbs.Check(verb, r)
		r.Target = action.Merge(r.Target, reduced.Target)
		r.Parameters = action.Merge(r.Parameters, reduced.Parameters)
	}
	s.Target = r.Target
	s.Resources, s.Prior = verbs.Resources(r.Target), verbs.PriorResources(r.Parameters)
	if !known {
		return s
	}
	if strings.HasSuffix(r.IdempotencyKey, protocol.UndoKeySuffix) {
		s.Undoes = undone(verbs, verb, r)
		s.Undo = len(s.Undoes) > 0
	}
	s.Irreversible, s.Final = verb.Undo == "", verb.Irreversible
	for _, f := range verb.Parameters {
		if f.Form.Name == action.DocumentName.Name {
			s.Document, s.RunsDocument = r.Parameters[f.Name], true
		}
	}
	s.NoRegion = !slices.ContainsFunc(verb.Target, func(f action.Field) bool {
		return f.Name == "region"
	})
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
