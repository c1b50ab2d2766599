package iampolicy

import (
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// Wanted is what a policy is to be for, and where.
type Wanted struct {
	Choice Choice
	Scope  Scope
	// Extras are those that Choice.With may name.
	Extras []Extra
	// Needed is set by Resolve.
	Needed []action.Permission
	// Notes are for whoever reads the policy.
	Notes []string
}

// Resolve finds out what is needed, and tells all faults at once, after those that are known.
func (w *Wanted) Resolve(registry *action.Registry, known Faults) error {
	var err error
	faults := slices.Clone(known)
	if len(w.Choice.Of) == 0 {
		w.Choice.Of = w.Scope.named()
	}
	if w.Needed, err = Needs(registry, w.Extras, w.Choice); err != nil {
		faults = append(faults, err.(Faults)...)
	}
	needed := w.Needed
	if err != nil {
		// What is not known is not held against the resources that are named.
		needed = nil
	}
	if err := w.Scope.Check(needed); err != nil {
		faults = append(faults, err.(Faults)...)
	}
	return faults.err()
}

// Policy is the smallest policy for it. Resolve must have been called.
func (w *Wanted) Policy() Document { return w.Scope.Policy(w.Needed) }

// LeftOut returns what requests for the verbs could need besides, and the policy has not.
func (w *Wanted) LeftOut(registry *action.Registry) []action.Permission {
	return Unneeded(registry, w.Choice, w.Needed)
}

// Add adds what requests need: their verbs, parameters and families, in a scope that is theirs.
// The faults tell what keeps one policy from being for all of them.
func (w *Wanted) Add(registry *action.Registry, requests []protocol.Request) (faults Faults) {
	families := map[action.AddressFamily]bool{}
	named, open := map[action.Kind][]string{}, map[action.Kind]bool{}
	for _, r := range requests {
		v, ok := registry.Resolve(r)
		if !ok {
			faults.add("there is no action %q%s; there are %s", r.Action, registry.Meant(r.Action),
				registry.Names())
			continue
		}
		with := w.addVerb(registry, v, r)
		if families[familyOf(r.Target["address"])] = true; w.Scope.Region == "" {
			w.Scope.Region = r.Target["region"]
		} else if r.Target["region"] != w.Scope.Region {
			faults.add("the request %s is for the region %q, and the policy for %s",
				protocol.Quote(r.IdempotencyKey), r.Target["region"], w.Scope.Region)
		}
		of := kindsOf(v, r.Target)
		w.Choice.Of = append(w.Choice.Of, of...)
		for _, kind := range changedBy(registry, v, of) {
			ids, all := resourcesOf(v, r, kind, len(with) > 0)
			named[kind] = append(named[kind], ids...)
			open[kind] = open[kind] || !all
		}
	}
	w.addIDs(named, open)
	if w.Choice.Family == "" && len(families) == 1 {
		w.Choice.Family = slices.Collect(maps.Keys(families))[0]
	}
	return faults
}

// addIDs scopes the policy to what requests name. A kind of which requests may change more stays
// as it was.
func (w *Wanted) addIDs(named map[action.Kind][]string, open map[action.Kind]bool) {
	for _, kind := range slices.Sorted(maps.Keys(named)) {
		switch {
		case kinds[kind].aside:
		case !open[kind] || len(w.Scope.IDs[kind]) > 0:
			w.Scope.IDs[kind] = append(w.Scope.IDs[kind], named[kind]...)
		default:
			w.Notes = append(w.Notes, "requests may change more than they name, so the policy is for any "+
				string(kind)+": name them by flags, or scope it by a tag or a VPC")
		}
	}
}

// kindsOf are the kinds of resources that a target of the verb names.
func kindsOf(v action.Verb, target map[string]string) []action.Kind {
	var all []action.Kind
	for _, f := range v.Target {
		if f.Form.Names != nil && target[f.Name] != "" {
			all = append(all, f.Form.Names(target[f.Name]))
		}
	}
	return all
}

// changedBy are the kinds of resources that the verb and its undo change where the target names
// such kinds.
func changedBy(registry *action.Registry, v action.Verb, of []action.Kind) []action.Kind {
	var faults Faults
	var all []action.Kind
	for _, v := range (Choice{Verbs: []string{v.Name}}).verbs(registry, &faults) {
		for _, p := range v.Permissions {
			needed := (Choice{Of: of}).kindNeeds(v, p)
			if p.Change && needed && !slices.Contains(all, action.Kind(p.Resource)) {
				all = append(all, action.Kind(p.Resource))
			}
		}
	}
	return all
}

// resourcesOf are the resources of a kind that a request names, and whether those are all that it
// may change. One that takes something from another may leave the other's name out.
func resourcesOf(
	v action.Verb, r protocol.Request, kind action.Kind, takes bool,
) (ids []string, all bool) {
	silent := false
	look := func(fields []action.Field, texts map[string]string, optional bool) {
		for key, text := range texts {
			for _, f := range fields {
				if f.Form.Names != nil && f.Matches(key) && text != "" && f.Form.Names(text) == kind {
					ids = append(ids, text)
				}
			}
		}
		for _, f := range fields {
			prior := strings.HasPrefix(f.Name, protocol.PriorPrefix)
			silent = silent || optional && !prior && texts[f.Name] == "" && f.Form.Names != nil &&
				f.Form.Names(f.Form.Example) == kind
		}
	}
	look(v.Target, r.Target, false)
	look(v.Parameters, r.Parameters, true)
	slices.Sort(ids)
	return ids, len(ids) > 0 && (!takes || !silent)
}

// familyOf is the family of an address or a network; empty if the text is none.
func familyOf(text string) action.AddressFamily {
	switch {
	case strings.Contains(text, ":"):
		return action.IPv6
	case text != "":
		return action.IPv4
	}
	return ""
}

// addVerb adds the verb that a request is for, and returns which of its parameters need more.
func (w *Wanted) addVerb(
	registry *action.Registry, v action.Verb, r protocol.Request,
) (with []string) {
	if !slices.Contains(w.Choice.Verbs, v.Name) {
		w.Choice.Verbs = append(w.Choice.Verbs, v.Name)
	}
	var faults Faults
	for _, name := range parametersOf(Choice{Verbs: []string{v.Name}}.verbs(registry, &faults)) {
		value := r.Parameters[name]
		if canonical, err := action.Boolean.Canonical(value); err == nil {
			value = canonical
		}
		if value == "" || value == "false" {
			continue
		}
		with = append(with, name)
		if !slices.Contains(w.Choice.With, name) {
			w.Choice.With = append(w.Choice.With, name)
		}
	}
	return with
}
