package action

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/protocol"
)

// Registry holds the verbs, in the order they were listed. It may have those of other providers
// beside them, which requests for those providers mean.
type Registry struct {
	verbs  []Verb
	others map[string]*Registry
	// every are the own verbs, and then those that only other providers have.
	every []Verb
}

// With is the registry with the verbs of another provider beside its own. Where both have a verb
// of one name, what the own one takes and the other one does not is refused there by its name.
func (r *Registry) With(provider string, verbs []Verb) *Registry {
	both := &Registry{verbs: r.verbs, others: maps.Clone(r.others), every: slices.Clone(r.verbs)}
	if both.others == nil {
		both.others = map[string]*Registry{}
	}
	both.others[provider] = NewRegistry(verbs)
	for _, p := range both.Providers() {
		for _, v := range both.others[p].verbs {
			if _, there := both.Lookup(v.Name); !there {
				both.every = append(both.every, v)
			}
		}
	}
	return both
}

// Providers lists the providers whose verbs are beside the registry's own.
func (r *Registry) Providers() []string { return slices.Sorted(maps.Keys(r.others)) }

// Of is the registry of a provider's verbs alone. Without others' verbs it is the registry itself.
func (r *Registry) Of(provider string) *Registry {
	if len(r.others) == 0 {
		return r
	}
	return cmp.Or(r.others[provider], &Registry{verbs: r.verbs, every: r.verbs})
}

// ProviderOf is the provider that a verb is of, where that is not the registry's own; else it is
// empty. Where several have it, it is the registry's own, or the first.
func (r *Registry) ProviderOf(verb string) string {
	if _, own := lookup(r.verbs, verb); own {
		return ""
	}
	for _, provider := range r.Providers() {
		if _, there := r.others[provider].Lookup(verb); there {
			return provider
		}
	}
	return ""
}

// TakesBack reports whether the verb takes other actions back, or releases what they led to.
func (v Verb) TakesBack() bool { return v.Undo == "" && !v.Irreversible }

// NewRegistry takes the list of verbs. It panics on a verb that is there twice, has no plan,
// names an undo verb or a choice that is not in the list, is said to be irreversible and is not, or
// is an action and has a required field that decides nothing: a program with such a list must not
// start.
func NewRegistry(verbs []Verb) *Registry {
	r := &Registry{verbs: verbs, every: verbs}
	seen := map[string]bool{}
	for _, v := range verbs {
		if v.Name == "" || v.Plan == nil || seen[v.Name] {
			panic(fmt.Sprintf("action: the verb %q is unnamed, has no plan, or is there twice", v.Name))
		}
		seen[v.Name] = true
	}
	for _, v := range verbs {
		if why := r.unfit(v, seen); why != "" {
			panic("action: " + why)
		}
	}
	return r
}

// unfit says what is wrong with a verb, given the names of all. It is empty if nothing is.
func (r *Registry) unfit(v Verb, names map[string]bool) string {
	decides := v.TakesBack() ||
		!slices.ContainsFunc(slices.Concat(v.Target, v.Parameters), undecided)
	switch {
	case v.Undo != "" && !names[v.Undo]:
		return fmt.Sprintf("%s names an unknown undo verb %q", v.Name, v.Undo)
	case v.Irreversible && (v.Undo != "" || len(r.Undoes(v.Name)) > 0):
		return v.Name + " is irreversible, and has an undo or is one"
	case !decides:
		return "a required field of " + v.Name + " does not decide what it leaves behind"
	case v.Choice != nil && !names[v.Choice.Verb]:
		return fmt.Sprintf("%s leaves the choice of an unknown verb %q", v.Name, v.Choice.Verb)
	}
	return ""
}

// undecided reports whether a field must be marked Decides, and is not.
func undecided(f Field) bool { return f.Required && !f.Decides }

// Verbs lists the verbs, and those that only other providers have after the registry's own.
func (r *Registry) Verbs() []Verb { return slices.Clone(r.every) }

// Lookup finds a verb by its name, the registry's own before that of another provider.
func (r *Registry) Lookup(name string) (Verb, bool) { return lookup(r.every, name) }

func lookup(verbs []Verb, name string) (Verb, bool) {
	i := slices.IndexFunc(verbs, func(v Verb) bool { return v.Name == name })
	if i < 0 {
		return Verb{}, false
	}
	return verbs[i], true
}

// Resolve finds the verb that a request means: the one of its provider that it names, or the one
// that its target chooses instead.
func (r *Registry) Resolve(req protocol.Request) (Verb, bool) {
	if other := r.others[req.Provider]; other != nil {
		return other.Resolve(req)
	}
	v, ok := lookup(r.verbs, req.Action)
	if ok && v.Choice != nil && req.Target[v.Choice.Field] == v.Choice.Value {
		return lookup(r.verbs, v.Choice.Verb)
	}
	return v, ok
}

// Names lists the verbs' names, for an error.
func (r *Registry) Names() string { return strings.Join(r.names(), ", ") }

// Meant asks whether a verb, or one of more names, was meant by a name that is none of them.
func (r *Registry) Meant(name string, more ...string) string {
	return protocol.Meant(name, append(r.names(), more...)...)
}

func (r *Registry) names() []string {
	names := make([]string, len(r.every))
	for i, v := range r.every {
		names[i] = v.Name
	}
	return names
}

// Undoes lists the verbs that name this one as their undo.
func (r *Registry) Undoes(name string) []Verb {
	var all []Verb
	for i := range r.every {
		if r.every[i].Undo == name {
			all = append(all, r.every[i])
		}
	}
	return all
}

// Undone is the key of the action that a request for the verb takes back. It reports whether there
// is one: whether the request's key is that of an undo, and the verb an undo verb.
func (r *Registry) Undone(v Verb, key string) (string, bool) {
	undone, ok := strings.CutSuffix(key, protocol.UndoKeySuffix)
	if !ok || !slices.ContainsFunc(r.every, func(forward Verb) bool {
		return forward.Undo == v.Name
	}) {
		return "", false
	}
	return undone, true
}

// Check finds every fault of a request for the verb, and reduces the request to what the verb
// declares. A key that is nearly one of the verb's is a fault.
func (r *Registry) Check(v Verb, req protocol.Request) (Request, protocol.Faults) {
	reduced, faults := v.check(req)
	reduced.Strays = r.Of(req.Provider).Strays(v, req)
	faults = append(faults, reduced.Strays.Faults...)
	if r.others[req.Provider] != nil {
		faults = append(faults, r.elsewhere(v, req)...)
	}
	return reduced, faults
}

// elsewhere refuses what the verb takes of the registry's own provider, and not of the request's.
func (r *Registry) elsewhere(v Verb, req protocol.Request) (faults protocol.Faults) {
	own, _ := r.Lookup(v.Name)
	for _, part := range []struct {
		path         string
		given        map[string]string
		there, taken []Field
	}{
		{"spec.target.", req.Target, own.Target, v.Target},
		{"spec.parameters.", req.Parameters, own.Parameters, v.Parameters},
	} {
		for _, key := range slices.Sorted(maps.Keys(part.given)) {
			if isKnown(part.there, key) && !isKnown(part.taken, key) {
				faults = append(faults, protocol.Fault{Path: part.path + key, Reason: fmt.Sprintf(
					"means nothing to the provider %s; leave it out", protocol.Quote(req.Provider))})
			}
		}
	}
	return faults
}
