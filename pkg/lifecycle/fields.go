package lifecycle

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/document"
)

// field is one field of the configuration: how it is read, and what the schema says of it.
type field struct {
	document.Field
	doc    string
	schema schema
	// fields are those of an object, or of each object of a list.
	fields []field
}

// schema is a JSON Schema.
type schema = map[string]any

// reader reads a configuration, and notes what is wrong.
type reader struct{ document.Faults }

func (f field) must() field {
	f.Required = true
	return f
}

func (r *reader) objectOf(n *document.Node, path string, fields []field) {
	known := make([]document.Field, len(fields))
	for i, f := range fields {
		known[i] = f.Field
	}
	r.FullFields(n, path, known...)
}

// text is a text of a form.
func (r *reader) text(name, doc string, form action.Form, to *string) field {
	s := schema{"type": "string", "minLength": 1}
	if form.Pattern != "" {
		s["pattern"] = form.Pattern
	}
	return field{doc: doc, schema: s, Field: document.Field{Name: name,
		Read: func(n *document.Node, path string) { *to = r.form(n, path, form) }}}
}

// form reads a text of a form.
func (r *reader) form(n *document.Node, path string, form action.Form) string {
	s := r.String(n, path)
	if s == "" {
		return ""
	}
	canonical, err := form.Canonical(s)
	if err != nil {
		r.Add(n.Line, path, "is %q: %s", s, err)
	}
	return canonical
}

// choice is one of some words.
func (r *reader) choice(name, doc string, to *string, words ...string) field {
	f := r.text(name, doc, action.OneOf(words...), to)
	f.schema = schema{"enum": words}
	return f
}

func (r *reader) flag(name, doc string, to *bool) field {
	return field{doc: doc, schema: schema{"type": "boolean"}, Field: document.Field{Name: name,
		Read: func(n *document.Node, path string) { *to = r.Bool(n, path) }}}
}

func (r *reader) number(name, doc string, low int, to *int) field {
	return field{doc: doc, schema: schema{"type": "integer", "minimum": low},
		Field: document.Field{Name: name,
			Read: func(n *document.Node, path string) { *to = r.Int(n, path, low) }}}
}

// span is a duration above nothing.
func (r *reader) span(name, doc string, to *time.Duration) field {
	return field{
		doc:    doc,
		schema: schema{"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`},
		Field: document.Field{Name: name, Read: func(n *document.Node, path string) {
			s := r.String(n, path)
			d, err := time.ParseDuration(s)
			if s != "" && (err != nil || d <= 0) {
				r.Add(n.Line, path, "is %q, want a time above 0, as 90s or 5m", s)
			}
			*to = d
		}},
	}
}

// texts is a list of texts of a form, each once.
func (r *reader) texts(name, doc string, form action.Form, to *[]string) field {
	return field{doc: doc, schema: schema{"type": "array", "minItems": 1, "uniqueItems": true,
		"items": schema{"type": "string", "pattern": form.Pattern}},
		Field: document.Field{Name: name, Read: func(n *document.Node, path string) {
			*to = r.formsOf(n, path, form)
			if n.Kind == document.List && len(n.Items) == 0 {
				r.Add(n.Line, path, "is an empty list: fill it, or take it out")
			}
		}}}
}

// formsOf reads a list of texts of a form, each once.
func (r *reader) formsOf(n *document.Node, path string, form action.Form) (all []string) {
	r.Each(n, path, func(n *document.Node, path string) {
		switch s := r.form(n, path, form); {
		case s == "":
		case slices.Contains(all, s):
			r.Add(n.Line, path, "is %q, which is there already", s)
		default:
			all = append(all, s)
		}
	})
	return all
}

// pairs is an object whose keys and values are texts of forms.
func (r *reader) pairs(name, doc string, key, value action.Form, to *map[string]string) field {
	s := schema{"type": "object", "minProperties": 1,
		"additionalProperties": schema{"type": "string", "pattern": value.Pattern}}
	if key.Pattern != "" {
		s["propertyNames"] = schema{"pattern": key.Pattern}
	}
	if value.Pattern == "" {
		s["additionalProperties"] = schema{"type": "string"}
	}
	return field{doc: doc, schema: s, Field: document.Field{Name: name,
		Read: func(n *document.Node, path string) {
			*to = r.Map(n, path)
			for _, e := range n.Entries {
				at := path + "." + e.Key
				if _, err := key.Canonical(e.Key); err != nil {
					r.Add(e.Line, at, "%s", err)
				}
				if _, err := value.Canonical((*to)[e.Key]); err != nil && e.Value.Kind == document.Text {
					r.Add(e.Line, at, "is %q: %s", e.Value.Text, err)
				}
			}
		}}}
}

// object is an object with fields of its own.
func (r *reader) object(name, doc string, fields []field) field {
	return field{doc: doc, fields: fields, schema: schema{"type": "object"},
		Field: document.Field{Name: name, Read: func(n *document.Node, path string) {
			r.objectOf(n, path, fields)
		}}}
}

// optional is an object whose absence means something.
func optional[T any](
	r *reader, name, doc string, to **T, fields func(*T) []field,
) field {
	return field{doc: doc, fields: fields(new(T)), schema: schema{"type": "object"},
		Field: document.Field{Name: name, Read: func(n *document.Node, path string) {
			*to = new(T)
			r.objectOf(n, path, fields(*to))
		}}}
}

// objects is a list of objects. One makes the next, and ended looks at it once it was read.
func objects[T any](
	r *reader, name, doc string, to *[]T, fields func(*T) []field,
	ended func(n *document.Node, path string, one *T),
) field {
	return field{doc: doc, fields: fields(new(T)), schema: schema{"type": "array", "minItems": 1},
		Field: document.Field{Name: name, Read: func(n *document.Node, path string) {
			if n.Kind == document.List && len(n.Items) == 0 {
				r.Add(n.Line, path, "is an empty list: fill it, or take it out")
			}
			r.Each(n, path, func(n *document.Node, path string) {
				one := new(T)
				r.objectOf(n, path, fields(one))
				ended(n, path, one)
				*to = append(*to, *one)
			})
		}}}
}

// The forms that only a configuration has.
var (
	accountID = action.Form{Name: "account", Pattern: `^[0-9]{12}$`, Example: "111122223333",
		Canonical: func(s string) (string, error) {
			if !isAccount(s) {
				return s, errors.New("want the 12 digits of an account, in quotes")
			}
			return s, nil
		}}
	nameOf = action.Form{Name: "name", Pattern: `^[^\x00-\x1f\x7f]{1,255}$`, Example: "edge-*",
		Canonical: func(s string) (string, error) {
			if !isName(s) {
				return s, errors.New("want up to 255 characters, without control characters and without " +
					"spaces around")
			}
			return s, nil
		}}
	deviceIndex = action.Form{Name: "device index", Pattern: `^[0-9]{1,2}$`,
		Canonical: func(s string) (string, error) {
			if i, err := strconv.Atoi(s); err != nil || i < 0 || i > lastIndex || strconv.Itoa(i) != s {
				return s, fmt.Errorf("want a device index from 0 to %d", lastIndex)
			}
			return s, nil
		}}
	poolID = action.Form{Name: "pool of addresses", Pattern: `^(amazon|ipv4pool-ec2-[0-9a-f]{17})$`,
		Canonical: func(s string) (string, error) {
			if _, err := action.PublicPoolID.Canonical(s); s != AmazonPool && err != nil {
				return s, errors.New("want " + AmazonPool + ", or the id of a pool of your own, as " +
					action.PublicPoolID.Example)
			}
			return s, nil
		}}
)

// lastIndex is the largest device index of a network card.
const lastIndex = 15
