package document

import (
	"bytes"
	"errors"
	"slices"

	"aws-provider-executor/pkg/protocol"
)

// errSyntax means that a file is not JSON. It may be YAML that begins like JSON.
var errSyntax = errors.New("not JSON")

func isSyntax(err error) bool { return errors.Is(err, errSyntax) }

func parseJSON(data []byte) ([]*Node, error) {
	values, err := protocol.ReadJSON(data, maxDepth)
	l := lineCounter{data: data}
	var faults Faults
	for _, f := range protocol.JSONFaults(err) {
		if f.Syntax {
			return nil, errSyntax
		}
		faults.Add(l.line(f.Offset), f.Path, "%s", f.Reason)
	}
	if err != nil {
		return nil, faults
	}
	l = lineCounter{data: data}
	nodes := make([]*Node, len(values))
	for i, v := range values {
		nodes[i] = l.node(v)
		values[i] = protocol.JSON{}
	}
	return nodes, nil
}

// EachItem tells the values of a file that is one list in JSON, one by one: all of very many take
// much more room than the file. It reports whether the file is one, without a fault. Where it is
// not, what was told is void, and Parse tells what the file is.
func EachItem(data []byte, do func(*Node)) bool {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	l := lineCounter{data: data}
	return protocol.EachJSON(data, maxDepth, func(v protocol.JSON) { do(l.node(v)) })
}

// lineCounter tells the lines of offsets, which only go up.
type lineCounter struct {
	data []byte
	// lines end before the offset at.
	lines, at int
}

func (l *lineCounter) line(offset int) int {
	l.lines += bytes.Count(l.data[l.at:offset], []byte("\n"))
	l.at = offset
	return l.lines + 1
}

// kinds are what JSON's kinds are called here.
var kinds = map[protocol.JSONKind]Kind{
	protocol.JSONNull: Null, protocol.JSONBoolean: Boolean, protocol.JSONNumber: Number,
	protocol.JSONString: Text, protocol.JSONArray: List, protocol.JSONObject: Object,
}

func (l *lineCounter) node(v protocol.JSON) *Node {
	n := &Node{Kind: kinds[v.Kind], Line: l.line(v.Offset), Text: v.Text}
	// What is a node already is let go: of a large file both together would take twice the room.
	n.Items = slices.Grow(n.Items, len(v.Items))
	for i, item := range v.Items {
		n.Items = append(n.Items, l.node(item))
		v.Items[i] = protocol.JSON{}
	}
	n.Entries = slices.Grow(n.Entries, len(v.Members))
	for _, m := range v.Members {
		line := l.line(m.Offset)
		n.Entries = append(n.Entries, Entry{Key: m.Key, Line: line, Value: l.node(m.Value)})
	}
	return n
}
