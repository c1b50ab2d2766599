package render

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

const (
	draft   = "https://json-schema.org/draft/2020-12/schema"
	idStart = "urn:aws-provider-executor:schema:"
	// stringsRef is the definition that both target and parameters are.
	stringsRef = "#/$defs/strings"
)

// request is the schema of a request for any of the verbs.
func (g Generator) request() node {
	verbs := g.requests()
	names := make([]string, len(verbs))
	var ways []node
	defs := properties{{"strings", stringMap()}}
	for i, v := range verbs {
		names[i] = v.Name
		ways = append(ways, node{
			If: &node{Properties: properties{{"action", node{Const: v.Name}}},
				Required: []string{"action"}},
			Then: &node{Ref: "#/$defs/" + v.Name},
		})
		defs = append(defs, property{v.Name, verbSpec(v)})
	}
	spec := g.spec(node{Description: "the verb", Enum: names})
	spec.AllOf = ways
	n := g.envelope(spec, defs)
	n.ID, n.Title = g.id("request"), protocol.RequestKind
	n.Description = "A request to the executor, for any verb. " + beyond()
	for _, v := range verbs {
		n.Examples = append(n.Examples, g.example(v))
	}
	return n
}

// verb is the schema of a request for one verb.
func (g Generator) verb(v action.Verb) node {
	spec := g.spec(node{Description: "the verb", Const: v.Name})
	spec.AllOf = []node{{Ref: "#/$defs/" + v.Name}}
	defs := properties{{"strings", stringMap()}, {v.Name, verbSpec(v)}}
	if v.Choice != nil {
		other, _ := g.Registry.Lookup(v.Choice.Verb)
		defs = append(defs, property{other.Name, verbSpec(other)})
	}
	n := g.envelope(spec, defs)
	n.ID, n.Title = g.id(v.Name), protocol.RequestKind+" for "+v.Name
	n.Description = v.Doc + " " + beyond()
	n.Examples = []any{g.example(v)}
	return n
}

// beyond says what a schema can't.
func beyond() string {
	return fmt.Sprintf("Beyond what a schema can say, the executor refuses duplicate keys, a "+
		"second document or trailing bytes, "+
		"invalid UTF-8 and half surrogate pairs, more than %d bytes, nesting deeper than %d, and a "+
		"key of target or parameters "+
		"that is nearly one of the verb's or in the wrong one of the two.",
		protocol.MaxRequestBytes, protocol.MaxRequestDepth)
}

func (g Generator) envelope(spec node, defs properties) node {
	return node{
		Schema: draft, Type: "object", Required: []string{"apiVersion", "kind", "spec"},
		Properties: properties{
			{"apiVersion", node{Const: protocol.APIVersion}},
			{"kind", node{Const: protocol.RequestKind}},
			{"spec", spec},
		},
		Defs: defs,
	}
}

// spec is what every request has; fields it does not know are ignored.
func (g Generator) spec(verb node) node {
	return node{
		Type: "object", Required: []string{"action", "provider", "mode", "idempotencyKey"},
		Properties: properties{
			{"action", verb},
			{"provider", node{Description: "the cloud", Const: g.Provider}},
			{"providerRef", node{Description: "the core's own name for the account; not used",
				Type: "string"}},
			{"target", node{
				Description: "what is acted on; keys that the verb does not know are ignored and named in " +
					"ignoredKeys", Ref: stringsRef}},
			{"parameters", node{
				Description: "how; keys that the verb does not know are ignored and named in ignoredKeys",
				Ref:         stringsRef}},
			{"mode", node{
				Description: "dry-run changes nothing and tells what execute would do",
				Enum:        []string{string(protocol.DryRun), string(protocol.Execute)},
			}},
			{"idempotencyKey", node{
				Description: "the same for every attempt at one action; the undo of the action <key> has " +
					"<key>" + protocol.UndoKeySuffix,
				Type: "string", Pattern: notBlank(),
			}},
			{"context", node{Description: "anything; ignored"}},
		},
	}
}

// notBlank matches a text that is not only what Decode takes for white space.
// Its \s would be another set in each dialect of regular expressions.
func notBlank() string {
	var spaces strings.Builder
	for _, run := range unicode.White_Space.R16 {
		for r := rune(run.Lo); r <= rune(run.Hi); r += rune(run.Stride) {
			if r > unicode.MaxASCII {
				spaces.WriteRune(r)
			}
		}
	}
	return `[^\t-\r ` + spaces.String() + `]`
}

func stringMap() node {
	var credentials []node
	for _, p := range protocol.CredentialKeyPatterns() {
		credentials = append(credentials, node{Pattern: p})
	}
	return node{
		Description: "Text by key. Null is the same as absent. A key that is the name of a " +
			"credential is refused, however it is spelt: the executor uses its own identity only.",
		Type:                 []string{"object", "null"},
		PropertyNames:        &node{Not: &node{AnyOf: credentials}},
		AdditionalProperties: &node{Type: "string"},
	}
}

// verbSpec is what a verb asks of a spec, or the verb that is chosen instead.
func verbSpec(v action.Verb) node {
	own, c := verbFields(v), v.Choice
	if c == nil {
		return own
	}
	chosen := node{Const: c.Value}
	field := node{
		Description: c.Doc, Type: "string", Examples: []any{c.Value},
		AnyOf: []node{chosen, {Not: &node{Pattern: action.MisspeltPattern(c.Value)}}},
	}
	for i := range own.Properties {
		if t := &own.Properties[i]; t.name == "target" {
			t.Properties = append(t.Properties, property{c.Field, field})
		}
	}
	target := node{Type: "object", Required: []string{c.Field},
		Properties: properties{{c.Field, chosen}}}
	n := node{Title: own.Title, Description: own.Description}
	own.Title, own.Description = "", ""
	n.If = &node{Required: []string{"target"}, Properties: properties{{"target", target}}}
	n.Then, n.Else = &node{Ref: "#/$defs/" + c.Verb}, &own
	return n
}

// verbFields is what a verb itself asks of a spec.
func verbFields(v action.Verb) node {
	n := node{Title: v.Name, Description: v.Doc}
	for _, of := range []struct {
		name   string
		fields []action.Field
	}{{"target", v.Target}, {"parameters", v.Parameters}} {
		if len(of.fields) == 0 {
			continue
		}
		required := requiredNames(of.fields)
		group := node{Required: required}
		if len(required) > 0 {
			n.Required = append(n.Required, of.name)
			group.Type = "object"
		}
		for _, f := range of.fields {
			group.put(f, field(f))
		}
		n.Properties = append(n.Properties, property{of.name, group})
	}
	return n
}

// put adds what is said of a field's key, or of a family's keys.
func (n *node) put(f action.Field, of node) {
	if f.Family() {
		n.PatternProperties = append(n.PatternProperties, property{f.NamePattern(), of})
		return
	}
	n.Properties = append(n.Properties, property{f.Name, of})
}

func requiredNames(fields []action.Field) []string {
	var names []string
	for _, f := range fields {
		if f.Required {
			names = append(names, f.Name)
		}
	}
	return names
}

// field is the schema of one text. An optional one may be empty, unless it is a boolean. Where the
// empty text counts, the form's pattern allows it.
func field(f action.Field) node {
	n := node{Description: f.Doc, Type: "string", Examples: []any{f.Form.Example}}
	if f.Required {
		n.MinLength = 1
	}
	if f.Form.Pattern != "" {
		// Some dialects' $ would let a newline follow.
		n.Not = &node{Pattern: `\n`}
	}
	switch {
	case f.Form.Pattern == "":
	case f.Required, f.Form.Name == action.Boolean.Name, f.EmptyCounts:
		n.Pattern = f.Form.Pattern
	default:
		n.AnyOf = []node{{Const: ""}, {Title: f.Form.Name, Pattern: f.Form.Pattern}}
	}
	return n
}

// example is a whole request with what the verb requires.
func (g Generator) example(v action.Verb) any {
	spec := map[string]any{
		"action": v.Name, "provider": g.Provider, "mode": string(protocol.DryRun),
		"idempotencyKey": "example-1",
	}
	for name, fields := range map[string][]action.Field{"target": v.Target,
		"parameters": v.Parameters} {
		given := map[string]string{}
		for _, f := range slices.DeleteFunc(slices.Clone(fields), func(f action.Field) bool {
			return !f.Required
		}) {
			given[f.Name] = f.Form.Example
		}
		if len(given) > 0 {
			spec[name] = given
		}
	}
	return map[string]any{"apiVersion": protocol.APIVersion, "kind": protocol.RequestKind,
		"spec": spec}
}
