package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"aws-provider-executor/pkg/document"
	"aws-provider-executor/pkg/protocol"
)

// readRequests reads the requests of a file, one after the other. A mode that is not empty
// overrides theirs.
func (a *app) readRequests(file string, mode protocol.Mode) ([]protocol.Request, error) {
	data, err := a.read(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the request: %w", err)
	}
	return a.decodeRequests(data, file, mode)
}

// hasRequests reports whether a document of a file says that it is a request.
func hasRequests(data []byte) bool {
	nodes, err := document.Parse(data)
	return areRequests(data, nodes, err)
}

// areRequests reports whether a file has requests. It was read as documents, or could not be.
func areRequests(data []byte, nodes []*document.Node, err error) bool {
	if err != nil {
		// What is no document is no request's either, unless it begins as one.
		return requestLine.Match(data)
	}
	return slices.ContainsFunc(nodes, func(n *document.Node) bool {
		return slices.ContainsFunc(n.Entries, func(e document.Entry) bool {
			return e.Key == "kind" && e.Value.Text == protocol.RequestKind
		})
	})
}

var requestLine = regexp.MustCompile(`(?m)^[ {]*"?kind"?: *"?` + protocol.RequestKind)

// decodeRequests is readRequests of a file that was read.
func (a *app) decodeRequests(
	data []byte, file string, mode protocol.Mode,
) ([]protocol.Request, error) {
	var requests []protocol.Request
	var wrong []error
	texts, err := split(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for i, text := range texts {
		r, faults := protocol.Decode(bytes.NewReader(text))
		if mode != "" {
			r.Mode = mode
			kept := faults[:0]
			for _, f := range faults {
				if f.Path != "spec.mode" {
					kept = append(kept, f)
				}
			}
			faults = kept
		}
		if verb, known := a.Registry.Resolve(r); known {
			// Before the first one runs: what is nearly a key of the last one's verb is no less wrong.
			faults = append(faults, a.Registry.Strays(verb, r).Faults...)
		}
		if len(faults) > 0 {
			wrong = append(wrong, fmt.Errorf("%s, request %d: %w", file, i+1, faults))
			continue
		}
		requests = append(requests, r)
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return requests, nil
}

// credentialsIn finds the keys of requests that carry a credential where nothing reads it, and so
// nothing refuses it: each as its path, with the number of the request.
func credentialsIn(data []byte) (found []string) {
	texts, err := split(data)
	if err != nil {
		return nil // whoever decodes them tells
	}
	for i, text := range texts {
		var tree any
		if json.Unmarshal(text, &tree) != nil {
			continue // here too
		}
		for _, at := range credentialKeys("", tree) {
			found = append(found, fmt.Sprintf("request %d: %s", i+1, at))
		}
	}
	return found
}

// credentialKeys are the paths of the keys of a value that are the name of a credential.
func credentialKeys(at string, value any) (found []string) {
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			path := protocol.Join(at, key)
			if protocol.IsCredentialKey(key) {
				found = append(found, path)
				continue
			}
			found = append(found, credentialKeys(path, v[key])...)
		}
	case []any:
		for i, one := range v {
			found = append(found, credentialKeys(fmt.Sprintf("%s[%d]", at, i), one)...)
		}
	}
	return found
}

// split takes documents one after the other apart, in JSON or else in YAML. What is neither is left
// to whoever reads it to complain about.
func split(data []byte) ([][]byte, error) {
	values, err := protocol.SplitJSON(data)
	if len(values) == 0 {
		return splitYAML(data)
	}
	all := make([][]byte, len(values))
	for i, v := range values {
		all[i] = v.Raw
	}
	if err == nil {
		return all, nil
	}
	if docs, err := fromYAML(data); err == nil {
		return docs, nil
	}
	last := values[len(values)-1]
	return append(all, bytes.TrimSpace(data[last.Offset+len(last.Raw):])), nil
}

// splitYAML makes JSON of each document of YAML. What looks like JSON is left for who can tell what
// is wrong with it.
func splitYAML(data []byte) ([][]byte, error) {
	docs, err := fromYAML(data)
	text := bytes.TrimSpace(data)
	switch {
	case err == nil && len(docs) > 0:
		return docs, nil
	case len(text) == 0 || bytes.ContainsAny(text[:1], "{["):
		return [][]byte{data}, nil
	}
	return nil, fmt.Errorf("it is neither JSON nor YAML: %w", err)
}

// fromYAML makes JSON of each document. A date is a text there.
func fromYAML(data []byte) (docs [][]byte, err error) {
	for d := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var n yaml.Node
		if err := d.Decode(&n); errors.Is(err, io.EOF) {
			return docs, nil
		} else if err != nil {
			return nil, err
		}
		datesAreTexts(&n)
		var doc any
		if err := n.Decode(&doc); err != nil {
			return nil, err
		}
		text, err := json.Marshal(doc)
		if err != nil {
			return nil, err
		}
		docs = append(docs, text)
	}
}

func datesAreTexts(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, c := range n.Content {
		datesAreTexts(c)
	}
}
