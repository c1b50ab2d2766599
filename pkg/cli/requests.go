package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"

	"aws-provider-executor/pkg/protocol"
)

// readRequests reads the requests of a file, one after the other. A mode that is not empty overrides
// theirs.
func (a *app) readRequests(file string, mode protocol.Mode) ([]protocol.Request, error) {
	data, err := a.read(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the request: %w", err)
	}
	var requests []protocol.Request
	for i, text := range split(data) {
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
		if len(faults) > 0 {
			return nil, fmt.Errorf("%s, request %d: %w", file, i+1, faults)
		}
		requests = append(requests, r)
	}
	return requests, nil
}

// split takes documents one after the other apart, in JSON or else in YAML. What is neither is left to whoever
// reads it to complain about.
func split(data []byte) [][]byte {
	var all [][]byte
	d := json.NewDecoder(bytes.NewReader(data))
	for {
		var one json.RawMessage
		err := d.Decode(&one)
		if errors.Is(err, io.EOF) && len(all) > 0 {
			return all
		}
		if err != nil {
			break
		}
		all = append(all, one)
	}
	if docs, err := fromYAML(data); err == nil && len(all) == 0 && len(docs) > 0 {
		return docs
	}
	return [][]byte{data}
}

// fromYAML makes JSON of each document.
func fromYAML(data []byte) (docs [][]byte, err error) {
	for d := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var doc any
		if err := d.Decode(&doc); errors.Is(err, io.EOF) {
			return docs, nil
		} else if err != nil {
			return nil, err
		}
		text, err := json.Marshal(doc)
		if err != nil {
			return nil, err
		}
		docs = append(docs, text)
	}
}
