package document

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/protocol"
)

// Fault is one thing wrong with a document.
type Fault struct {
	// Line counts from 1; 0 is the document as a whole.
	Line int
	// Path is where, as in spec.allowedCIDRs[1]; empty for the document itself.
	Path string
	// Reason is what is wrong and what would be right.
	Reason string
}

// Faults is everything wrong with a document.
type Faults []Fault

// maxNamed is how many faults an error names; more are counted.
const maxNamed = 100

// Error names the faults, a line each, in the document's order.
func (f Faults) Error() string {
	ordered := slices.Clone(f)
	slices.SortStableFunc(ordered, func(a, b Fault) int { return a.Line - b.Line })
	lines := make([]string, min(len(ordered), maxNamed))
	for i, x := range ordered[:len(lines)] {
		if x.Line > 0 {
			lines[i] = fmt.Sprintf("line %d: ", x.Line)
		}
		if x.Path != "" {
			lines[i] += x.Path + ": "
		}
		lines[i] += x.Reason
	}
	if more := len(ordered) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// Err is the faults as an error, nil when there are none.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// Add notes a fault.
func (f *Faults) Add(line int, path, format string, args ...any) {
	*f = append(*f, Fault{line, path, fmt.Sprintf(format, args...)})
}

// Field is one field an object may have.
type Field struct {
	Name     string
	Required bool
	// Read takes the value. It is not called for null.
	Read func(n *Node, path string)
}

// Fields hands an object's values to their readers, and notes unknown fields and missing ones. Null
// is the same as absent.
func (f *Faults) Fields(n *Node, path string, known ...Field) { f.fields(n, path, known, false) }

// FullFields is Fields for an object in which a field that is there must have a value.
func (f *Faults) FullFields(n *Node, path string, known ...Field) { f.fields(n, path, known, true) }

func (f *Faults) fields(n *Node, path string, known []Field, full bool) {
	if n.Kind != Object {
		f.Add(n.Line, path, "is %s, want an object", n.Kind)
		return
	}
	there := map[string]bool{}
	for _, e := range n.Entries {
		at := join(path, e.Key)
		i := slices.IndexFunc(known, func(k Field) bool { return k.Name == e.Key })
		if i < 0 {
			f.Add(e.Line, at, "is unknown%s, want %s", protocol.Meant(e.Key, names(known)...),
				strings.Join(names(known), ", "))
			continue
		}
		if e.Value.Kind == Null && !full {
			continue
		}
		there[e.Key] = true
		if e.Value.Kind == Null {
			f.Add(e.Line, at, "is null: remove it, or give it a value")
			continue
		}
		known[i].Read(e.Value, at)
	}
	for _, k := range known {
		if k.Required && !there[k.Name] {
			f.Add(n.Line, join(path, k.Name), "is required")
		}
	}
}

func join(path, key string) string {
	if key == "" || strings.ContainsAny(key, ". \t\n") {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func names(known []Field) []string {
	all := make([]string, len(known))
	for i, k := range known {
		all[i] = k.Name
	}
	return all
}

// String reads a string that is not blank.
func (f *Faults) String(n *Node, path string) string {
	switch {
	case n.Kind == Number || n.Kind == Boolean:
		f.Add(n.Line, path, "is %s, want a string: put it in quotes", n.Kind)
	case n.Kind != Text:
		f.Add(n.Line, path, "is %s, want a string", n.Kind)
	case strings.TrimSpace(n.Text) == "":
		f.Add(n.Line, path, "is blank")
	default:
		return n.Text
	}
	return ""
}

// Bool reads true or false.
func (f *Faults) Bool(n *Node, path string) bool {
	if n.Kind != Boolean {
		f.Add(n.Line, path, "is %s, want true or false", n.Kind)
		return false
	}
	return strings.EqualFold(n.Text, "true")
}

// Int reads a whole number from low up.
func (f *Faults) Int(n *Node, path string, low int) int {
	i, err := strconv.Atoi(n.Text)
	if n.Kind != Number || err != nil || i < low || strconv.Itoa(i) != n.Text {
		what := string(n.Kind)
		if n.Kind == Number {
			what = n.Text
		}
		f.Add(n.Line, path, "is %s, want a whole number from %d up", what, low)
		return low
	}
	return i
}

// Each reads a list, element by element.
func (f *Faults) Each(n *Node, path string, read func(n *Node, path string)) {
	if n.Kind != List {
		f.Add(n.Line, path, "is %s, want a list", n.Kind)
		return
	}
	for i, item := range n.Items {
		read(item, fmt.Sprintf("%s[%d]", path, i))
	}
}

// Strings reads a list of strings that are not blank.
func (f *Faults) Strings(n *Node, path string) []string {
	var all []string
	f.Each(n, path, func(n *Node, path string) {
		if s := f.String(n, path); s != "" {
			all = append(all, s)
		}
	})
	return all
}

// Map reads an object whose values are strings, which may be empty.
func (f *Faults) Map(n *Node, path string) map[string]string {
	if n.Kind != Object {
		f.Add(n.Line, path, "is %s, want an object of strings", n.Kind)
		return nil
	}
	m := map[string]string{}
	for _, e := range n.Entries {
		switch e.Value.Kind {
		case Text:
			m[e.Key] = e.Value.Text
		case Number, Boolean:
			f.Add(e.Line, join(path, e.Key), "is %s, want a string: put it in quotes", e.Value.Kind)
		default:
			f.Add(e.Line, join(path, e.Key), "is %s, want a string", e.Value.Kind)
		}
	}
	return m
}
