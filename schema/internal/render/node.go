package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

// node is a JSON Schema; its keywords are written in the order they have here.
type node struct {
	Schema               string     `json:"$schema,omitempty"`
	ID                   string     `json:"$id,omitempty"`
	Title                string     `json:"title,omitempty"`
	Description          string     `json:"description,omitempty"`
	Ref                  string     `json:"$ref,omitempty"`
	Type                 any        `json:"type,omitempty"`
	Const                any        `json:"const,omitempty"`
	Enum                 []string   `json:"enum,omitempty"`
	MinLength            int        `json:"minLength,omitempty"`
	Pattern              string     `json:"pattern,omitempty"`
	AnyOf                []node     `json:"anyOf,omitempty"`
	MinProperties        int        `json:"minProperties,omitempty"`
	Required             []string   `json:"required,omitempty"`
	Not                  *node      `json:"not,omitempty"`
	PropertyNames        *node      `json:"propertyNames,omitempty"`
	Properties           properties `json:"properties,omitempty"`
	PatternProperties    properties `json:"patternProperties,omitempty"`
	AdditionalProperties *node      `json:"additionalProperties,omitempty"`
	Items                *node      `json:"items,omitempty"`
	If                   *node      `json:"if,omitempty"`
	Then                 *node      `json:"then,omitempty"`
	Else                 *node      `json:"else,omitempty"`
	AllOf                []node     `json:"allOf,omitempty"`
	Examples             []any      `json:"examples,omitempty"`
	Defs                 properties `json:"$defs,omitempty"`
}

// properties are named schemas, in the order a reader wants them.
type properties []property

type property struct {
	name string
	node
}

// MarshalJSON writes an object.
func (p properties) MarshalJSON() ([]byte, error) {
	members := make([]string, len(p))
	for i, x := range p {
		text, err := encode(x.node)
		if err != nil {
			return nil, err
		}
		members[i] = fmt.Sprintf("%q:%s", x.name, text)
	}
	return []byte("{" + strings.Join(members, ",") + "}"), nil
}

// encode writes a schema; a pattern's < and & stay as they are.
func encode(n node) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(n)
	return b.Bytes(), err
}

// document writes a schema as a file. What cannot be seen is escaped.
func document(n node) ([]byte, error) {
	text, err := encode(n)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return nil, err
	}
	var seen strings.Builder
	for _, r := range b.String() {
		if r > unicode.MaxASCII && (unicode.IsSpace(r) || !unicode.IsPrint(r)) {
			fmt.Fprintf(&seen, `\u%04x`, r)
			continue
		}
		seen.WriteRune(r)
	}
	return []byte(seen.String()), nil
}
