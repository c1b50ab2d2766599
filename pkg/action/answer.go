package action

import (
	"fmt"
	"strings"

	"aws-provider-executor/pkg/protocol"
)

// Mismatch reports how the facts of a success are not those of a request for the verb; empty where
// they may be. A fact that repeats what the target names must name the same. One that was executed
// tells a fact that the verb declares, or why an undo had nothing to do.
func (r *Registry) Mismatch(v Verb, req protocol.Request, facts map[string]string) string {
	for _, f := range v.Facts {
		told, there := facts[f.Name]
		of, field := v.echoed(f)
		if !there || !of {
			continue
		}
		asked := req.Target[field.Name]
		if !field.same(asked, told) {
			return fmt.Sprintf("its %s is %s, and %s of the request is %s",
				f.Name, protocol.Quote(told), field.Name, protocol.Quote(asked))
		}
	}
	if req.Mode != protocol.Execute || v.tells(facts) {
		return ""
	}
	names := make([]string, len(v.Facts))
	for i, f := range v.Facts {
		names[i] = f.Name
	}
	return fmt.Sprintf("it tells none of the facts of %s: %s", v.Name, strings.Join(names, ", "))
}

// echoed is the field of the target that a fact repeats.
func (v Verb) echoed(f Field) (bool, Field) {
	name := f.Name
	if f.Echoes != "" {
		name = f.Echoes
	}
	for _, t := range v.Target {
		if t.Name == name {
			return true, t
		}
	}
	return false, Field{}
}

// same reports whether two texts of a field mean the same.
func (f Field) same(a, b string) bool {
	one, errOne := f.Form.Canonical(a)
	other, errOther := f.Form.Canonical(b)
	return a == b || errOne == nil && errOther == nil && one == other
}

// tells reports whether there is a fact that the verb declares, or one of an undo that had nothing
// to do.
func (v Verb) tells(facts map[string]string) bool {
	for _, name := range []string{protocol.FactHeldBy, protocol.FactReleased,
		protocol.FactWithdrawn, protocol.FactTargetGone} {
		if facts[name] != "" {
			return true
		}
	}
	for _, f := range v.Facts {
		for name := range facts {
			if f.Matches(name) {
				return true
			}
		}
	}
	return false
}
