// Package document reads what people write by hand, policies and plans, in YAML or JSON. It
// remembers the line of every value, so that each fault can be named where it is.
//
// A document has one meaning. A key that is there twice, an anchor, an alias, a merge or a tag is
// refused. Nothing is converted from one kind to another. Every fault is named, not only the first.
package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
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
	if line := invalidLine(data); line > 0 {
		return nil, Faults{{Line: line, Reason: "is not valid UTF-8"}}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if text := bytes.TrimSpace(data); len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		if nodes, err := parseJSON(data); err == nil || !isSyntax(err) {
			return nodes, err
		}
	}
	return parseYAML(data)
}

// invalidLine is the first line that is not UTF-8; 0 when there is none.
func invalidLine(data []byte) int {
	number := 0
	for line := range bytes.Lines(data) {
		if number++; !utf8.Valid(line) {
			return number
		}
	}
	return 0
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
	var faults Faults
	d := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return nodes, faults.Err()
		}
		if err != nil {
			return nil, append(faults, yamlFault(err))
		}
		if len(doc.Content) != 1 || doc.Content[0].ShortTag() == "!!null" && doc.Content[0].Value == "" {
			continue
		}
		nodes = append(nodes, convert(doc.Content[0], &faults, 0))
	}
}

// yamlFault takes the line out of the parser's message, which is "yaml: line 3: what is wrong".
func yamlFault(err error) Fault {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	f := Fault{Reason: "is not YAML: " + text}
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		number, reason, _ := strings.Cut(rest, ": ")
		if line, err := strconv.Atoi(number); err == nil {
			f = Fault{Line: line, Reason: "is not YAML: " + reason}
		}
	}
	return f
}

// convert makes a node of the parser's, and notes what has no place in a document.
func convert(n *yaml.Node, faults *Faults, depth int) *Node {
	nothing := &Node{Kind: Null, Line: n.Line}
	switch {
	case depth > maxDepth:
		faults.Add(n.Line, "", "nests deeper than %d", maxDepth)
		return nothing
	case n.Kind == yaml.AliasNode || n.Anchor != "" || n.ShortTag() == "!!merge":
		faults.Add(n.Line, "", "anchors, aliases and merges are not taken: write the value out")
		return nothing
	case n.Style&yaml.TaggedStyle != 0:
		faults.Add(n.Line, "", "tags are not taken: write the value plainly")
		return nothing
	case n.Kind == yaml.SequenceNode:
		list := &Node{Kind: List, Line: n.Line}
		for _, item := range n.Content {
			list.Items = append(list.Items, convert(item, faults, depth+1))
		}
		return list
	case n.Kind == yaml.MappingNode:
		return convertObject(n, faults, depth)
	}
	kinds := map[string]Kind{"!!null": Null, "!!bool": Boolean, "!!int": Number, "!!float": Number}
	kind, ok := kinds[n.ShortTag()]
	if !ok {
		kind = Text
	}
	return &Node{Kind: kind, Line: n.Line, Text: n.Value}
}

func convertObject(n *yaml.Node, faults *Faults, depth int) *Node {
	object := &Node{Kind: Object, Line: n.Line}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		value := convert(n.Content[i+1], faults, depth+1)
		switch k := convert(key, faults, depth+1); {
		case k.Kind != Text:
			faults.Add(key.Line, "", "a key that is not a string: put it in quotes")
		case seen[k.Text]:
			faults.Add(key.Line, k.Text, "the key is there twice")
		default:
			seen[k.Text] = true
			object.Entries = append(object.Entries, Entry{Key: k.Text, Line: key.Line, Value: value})
		}
	}
	return object
}
