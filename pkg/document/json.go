package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// errSyntax says that a file is not JSON; it may be YAML that begins like it.
var errSyntax = errors.New("not JSON")

func isSyntax(err error) bool { return errors.Is(err, errSyntax) }

func parseJSON(data []byte) ([]*Node, error) {
	r := jsonReader{data: data, d: json.NewDecoder(bytes.NewReader(data)), line: 1}
	r.d.UseNumber()
	var nodes []*Node
	for {
		n, err := r.value(0)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	if len(r.faults) > 0 {
		return nil, r.faults
	}
	return nodes, nil
}

type jsonReader struct {
	data []byte
	d    *json.Decoder
	// line is that of offset at.
	line, at int
	faults   Faults
}

// token reads on, and keeps count of the lines.
func (r *jsonReader) token() (json.Token, int, error) {
	t, err := r.d.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, 0, io.EOF
		}
		return nil, 0, fmt.Errorf("%w: %v", errSyntax, err)
	}
	end := int(r.d.InputOffset())
	r.line += bytes.Count(r.data[r.at:end], []byte("\n"))
	r.at = end
	return t, r.line, nil
}

func (r *jsonReader) value(depth int) (*Node, error) {
	t, line, err := r.token()
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, Faults{{Line: line, Reason: fmt.Sprintf("nests deeper than %d", maxDepth)}}
	}
	switch v := t.(type) {
	case nil:
		return &Node{Kind: Null, Line: line, Text: "null"}, nil
	case bool:
		return &Node{Kind: Boolean, Line: line, Text: strconv.FormatBool(v)}, nil
	case json.Number:
		return &Node{Kind: Number, Line: line, Text: v.String()}, nil
	case string:
		return &Node{Kind: Text, Line: line, Text: v}, nil
	case json.Delim:
		if v == '[' {
			return r.list(line, depth)
		}
	}
	return r.object(line, depth)
}

func (r *jsonReader) list(line, depth int) (*Node, error) {
	n := &Node{Kind: List, Line: line}
	for r.d.More() {
		item, err := r.value(depth + 1)
		if err != nil {
			return nil, unexpectedEnd(err)
		}
		n.Items = append(n.Items, item)
	}
	_, _, err := r.token()
	return n, unexpectedEnd(err)
}

func (r *jsonReader) object(line, depth int) (*Node, error) {
	n := &Node{Kind: Object, Line: line}
	seen := map[string]bool{}
	for r.d.More() {
		t, line, err := r.token()
		if err != nil {
			return nil, unexpectedEnd(err)
		}
		key, _ := t.(string)
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, unexpectedEnd(err)
		}
		if seen[key] {
			r.faults = append(r.faults, Fault{Line: line, Path: key, Reason: "the key is there twice"})
			continue
		}
		seen[key] = true
		n.Entries = append(n.Entries, Entry{Key: key, Line: line, Value: value})
	}
	_, _, err := r.token()
	return n, unexpectedEnd(err)
}

// unexpectedEnd tells an end inside a value from the end of the file.
func unexpectedEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: it ends too early", errSyntax)
	}
	return err
}
