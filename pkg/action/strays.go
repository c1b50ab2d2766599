package action

import (
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/protocol"
)

// Strays are the keys of a request that its verb does not know.
type Strays struct {
	// Ignored are those that nothing reads. Facts among the parameters are not told: a core sends
	// back all that an action reported.
	Ignored []string
	// Faults name the keys that are nearly one of the verb's, or one in the wrong place: a guard
	// would be dropped in silence.
	Faults protocol.Faults
	// Doubts are such keys of an undo, but for parameters in its target. They are told and not
	// refused: what a core carries over must stay undoable.
	Doubts protocol.Faults
}

// foreignPrefixes and foreignKeys are keys that cores send for their own use or to other
// providers. They are ignored however near they are to a key of a verb.
var (
	foreignPrefixes = []string{"mobility", "displaced"}
	foreignKeys     = []string{
		"targetRef", "vnicRef", "vpcRef", "eniRef", "nodeRef", "vmRef", "networkInterfaceId",
		"nicName", "providerRef", "subnetRef", "prefix", "destination", "nextHop", "nextHopRef",
		"nextHopIPAddress", "routeName", "resourceGroup", "ipConfigName", "claimGeneration",
		"assignmentGeneration",
	}
)

func isForeign(key string) bool {
	return slices.Contains(foreignKeys, key) ||
		slices.ContainsFunc(foreignPrefixes, func(p string) bool { return strings.HasPrefix(key, p) })
}

// IsFact reports whether a key is a fact that some verb reports.
func (r *Registry) IsFact(key string) bool {
	isCommon := func(f protocol.FactDoc) bool { return f.Name == key }
	return slices.ContainsFunc(protocol.CommonFacts(), isCommon) ||
		slices.ContainsFunc(r.every, func(v Verb) bool { return isKnown(v.Facts, key) })
}

func isKnown(fields []Field, key string) bool {
	return slices.ContainsFunc(fields, func(f Field) bool { return f.Matches(key) })
}

// Strays finds the keys of a request that its verb, as Resolve finds it, does not know.
func (r *Registry) Strays(v Verb, req protocol.Request) Strays {
	f := strayFinder{registry: r, verb: v, target: v.Target, request: req}
	if named, ok := r.Lookup(req.Action); ok && named.Choice != nil {
		f.target = append(slices.Clone(f.target), Field{Name: named.Choice.Field, Form: Text})
	}
	_, f.isUndo = r.Undone(v, req.IdempotencyKey)
	for _, key := range slices.Sorted(maps.Keys(req.Target)) {
		f.ofTarget(key)
	}
	for _, key := range slices.Sorted(maps.Keys(req.Parameters)) {
		if reason := f.ofParameters(key); reason != "" {
			f.add("spec.parameters", key, reason, f.isUndo)
		}
	}
	return f.found
}

// strayFinder looks at the keys of one request.
type strayFinder struct {
	registry *Registry
	verb     Verb
	// target are the verb's fields of target, with the one that chooses the verb.
	target  []Field
	request protocol.Request
	isUndo  bool
	found   Strays
}

// ofTarget looks at a key of target.
func (f *strayFinder) ofTarget(key string) {
	if isKnown(f.target, key) {
		return
	}
	f.found.Ignored = append(f.found.Ignored, key)
	misplaced := isKnown(f.verb.Parameters, key)
	if isForeign(key) || !misplaced && f.registry.IsFact(key) {
		return
	}
	meant, ok := nearest(key, f.target, f.request.Target)
	carried := f.isUndo && !misplaced && ok
	if !ok || misplaced {
		meant, ok = nearest(key, f.verb.Parameters, f.request.Parameters)
		meant = "the parameter " + meant
	}
	if ok {
		reason := "is no key of the target of " + f.verb.Name + "; did you mean " + meant + "?"
		f.add("spec.target", key, reason, carried)
	}
}

// add finds fault with a key, or tells of a doubt about one that an undo carries over.
func (f *strayFinder) add(path, key, reason string, carried bool) {
	faults := &f.found.Faults
	if carried {
		faults = &f.found.Doubts
	}
	*faults = append(*faults, protocol.Fault{Path: protocol.Join(path, key), Reason: reason})
}

// ofParameters looks at a key of the parameters and says what is wrong with it, if anything is.
func (f *strayFinder) ofParameters(key string) (reason string) {
	if isKnown(f.verb.Parameters, key) || !isForeign(key) && f.registry.IsFact(key) {
		return ""
	}
	f.found.Ignored = append(f.found.Ignored, key)
	if isForeign(key) {
		return ""
	}
	unknown := "is no parameter of " + f.verb.Name + "; did you mean "
	if meant, ok := nearest(key, f.verb.Parameters, f.request.Parameters); ok {
		return unknown + meant + "?"
	}
	i := slices.IndexFunc(f.target, func(t Field) bool {
		return protocol.Plain(t.Name) == protocol.Plain(key)
	})
	if i < 0 || f.targetSays(f.target[i], f.request.Parameters[key]) {
		return ""
	}
	return unknown + f.target[i].Name + " of the target?"
}

// targetSays reports whether the target has a value for a field that is the same as the given one.
func (f *strayFinder) targetSays(field Field, value string) bool {
	there, present := f.request.Target[field.Name]
	if there == value {
		return present
	}
	a, err := field.Form.Canonical(there)
	b, otherErr := field.Form.Canonical(value)
	return err == nil && otherErr == nil && a == b
}

// nearest finds the field that a key is nearly a key of: one that is spelt the same before others.
// One that only refers to the same in another way counts where the field itself is not given:
// beside nicRef, nicId is a planner's own.
func nearest(key string, fields []Field, given map[string]string) (name string, ok bool) {
	for _, f := range fields {
		k, n := f.comparable(key)
		switch {
		case protocol.Plain(k) == protocol.Plain(n):
			return f.described(), true
		case ok:
		case protocol.Nearly(k, n), given[f.Name] == "" && protocol.Refers(k, n):
			name, ok = f.described(), true
		}
	}
	return name, ok
}

// comparable makes a key and the field's name comparable: of a family, whatever the member.
func (f Field) comparable(key string) (string, string) {
	before, after, family := f.parts()
	switch {
	case !family:
		return key, f.Name
	case after == "":
		head, _, _ := strings.Cut(key, ".")
		return head, strings.TrimSuffix(before, ".")
	}
	isDigit := func(r rune) bool { return r >= '0' && r <= '9' }
	first := strings.IndexFunc(key, isDigit)
	if first < 0 {
		return key, before + "0" + after
	}
	return key[:first] + "0" + strings.TrimLeftFunc(key[first:], isDigit), before + "0" + after
}

// described is the field's name; of a family, with the form of its members.
func (f Field) described() string {
	if !f.Family() {
		return f.Name
	}
	return f.Name + " (" + f.Key.Name + ")"
}
