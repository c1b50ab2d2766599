// Package document reads what people write by hand, policies and plans, in YAML or JSON, and
// remembers the line of every value, so that each fault can be named where it is.
//
// It guarantees one meaning: a key that is there twice, an anchor, an alias, a merge or a tag is
// refused; nothing is converted from one kind to another; every fault of a document is named, not
// only the first.
package document

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Kind is what a value is.
type Kind string

// The kinds.
const (
	Null    Kind = "null"
	Boolean Kind = "a boolean"
	Number  Kind = "a number"
	Text    Kind = "a string"
	List    Kind = "a list"
	Object  Kind = "an object"
)

// Node is one value of a document.
type Node struct {
	Kind Kind
	// Line counts from 1.
	Line int
	// Text is a scalar as it was written, a string without its quotes.
	Text string
	// Items are a List's values.
	Items []*Node
	// Entries are an Object's, in their order; no key is there twice.
	Entries []Entry
}

// Entry is one key of an object, with its value.
type Entry struct {
	Key   string
	Line  int
	Value *Node
}

// maxDepth is how deep a document may nest.
const maxDepth = 64

// Parse reads the documents of a file: YAML ones separated by ---, or JSON ones one after the
// other. Empty documents are left out. The error is a Faults.
func Parse(data []byte) ([]*Node, error) {
	if !utf8.Valid(data) {
		return nil, Faults{{Reason: "is not valid UTF-8"}}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if text := bytes.TrimSpace(data); len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		if nodes, err := parseJSON(data); err == nil || !isSyntax(err) {
			return nodes, err
		}
	}
	return parseYAML(data)
}

// ParseOne reads a file that holds exactly one document.
func ParseOne(data []byte) (*Node, error) {
	nodes, err := Parse(data)
	switch {
	case err != nil:
		return nil, err
	case len(nodes) == 0:
		return nil, Faults{{Reason: "there is no document"}}
	case len(nodes) > 1:
		return nil, Faults{{Line: nodes[1].Line, Reason: "a second document; want one"}}
	}
	return nodes[0], nil
}

func parseYAML(data []byte) (nodes []*Node, err error) {
	defer func() {
		// The parser has panicked on malformed input before.
		if p := recover(); p != nil {
			nodes, err = nil, Faults{{Reason: fmt.Sprintf("cannot be read as YAML (%v)", p)}}
		}
	}()
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, yamlFault(err)
	}
	for _, d := range file.Docs {
		if d.Body == nil {
			continue
		}
		c := converter{}
		n := c.convert(d.Body, 0)
		if len(c.faults) > 0 {
			return nil, c.faults
		}
		if n.Kind == Null && n.Text == "" {
			continue
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

func yamlFault(err error) Faults {
	var at interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if errors.As(err, &at) && at.GetToken() != nil {
		return Faults{{Line: at.GetToken().Position.Line, Reason: "is not YAML: " + at.GetMessage()}}
	}
	return Faults{{Reason: "is not YAML: " + err.Error()}}
}

// converter makes nodes of the parser's tree.
type converter struct{ faults Faults }

func (c *converter) refuse(n ast.Node, reason string) *Node {
	line := lineOf(n)
	c.faults = append(c.faults, Fault{Line: line, Reason: reason})
	return &Node{Kind: Null, Line: line}
}

func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

func (c *converter) convert(n ast.Node, depth int) *Node {
	if depth > maxDepth {
		return c.refuse(n, fmt.Sprintf("nests deeper than %d", maxDepth))
	}
	line := lineOf(n)
	switch v := n.(type) {
	case *ast.NullNode:
		return &Node{Kind: Null, Line: line, Text: v.GetToken().Value}
	case *ast.BoolNode:
		return &Node{Kind: Boolean, Line: line, Text: v.GetToken().Value}
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return &Node{Kind: Number, Line: line, Text: n.GetToken().Value}
	case *ast.StringNode:
		return &Node{Kind: Text, Line: line, Text: v.Value}
	case *ast.LiteralNode:
		return &Node{Kind: Text, Line: line, Text: v.Value.Value}
	case *ast.SequenceNode:
		list := &Node{Kind: List, Line: line}
		for _, item := range v.Values {
			list.Items = append(list.Items, c.convert(item, depth+1))
		}
		return list
	case *ast.MappingNode:
		return c.object(v, v.Values, depth)
	case *ast.MappingValueNode:
		return c.object(v, []*ast.MappingValueNode{v}, depth)
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return c.refuse(n, "anchors, aliases and merges are not taken: write the value out")
	case *ast.TagNode:
		return c.refuse(n, "tags are not taken: write the value plainly")
	}
	return c.refuse(n, "cannot be read as a value")
}

func (c *converter) object(n ast.Node, values []*ast.MappingValueNode, depth int) *Node {
	object := &Node{Kind: Object, Line: lineOf(n)}
	seen := map[string]bool{}
	for i, entry := range values {
		key, ok := entry.Key.(*ast.StringNode)
		if !ok {
			c.refuse(entry.Key, "a key that is not a plain or quoted string")
			continue
		}
		line := lineOf(key)
		if i == 0 {
			object.Line = line
		}
		if seen[key.Value] {
			c.faults = append(c.faults, Fault{Line: line, Path: key.Value, Reason: "the key is there twice"})
			continue
		}
		seen[key.Value] = true
		object.Entries = append(object.Entries, Entry{Key: key.Value, Line: line, Value: c.convert(entry.Value, depth+1)})
	}
	return object
}
