package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Change is one attribute of one resource that leads from one value to another. Values are the
// executor's canonical texts.
type Change struct {
	Resource  string `json:"resource"`
	Attribute string `json:"attribute"`
	From      string `json:"from"`
	To        string `json:"to"`
	// Via is a value that the attribute has for a moment on the way. It is empty if there is none.
	Via string `json:"via,omitempty"`
}

// The facts that tell a plan. They are there only if they were asked for.
const (
	// FactPlan holds, as EncodeChanges writes them, the changes that executing would make now or,
	// in the answer of an execution, set out to make.
	FactPlan = "plan"
	// FactUndoPlan holds the changes that the undo would make right after the action. A verb
	// without an undo does not tell it.
	FactUndoPlan = "undoPlan"
)

// The bounds of a plan that is told.
const (
	MaxChanges   = 1 << 10
	MaxPlanBytes = 256 << 10
)

// planDepth is how deep a plan nests.
const planDepth = 2

// EncodeChanges writes changes as a JSON array on one line, in their order. The same changes give
// the same text. None give []. A plan is told whole or not at all: too large a one is an error.
func EncodeChanges(changes []Change) (string, error) {
	if len(changes) == 0 {
		return "[]", nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(changes); err != nil {
		return "", err
	}
	if len(changes) > MaxChanges || b.Len() > MaxPlanBytes {
		return "", fmt.Errorf("the plan has %d changes and %d bytes, more than is told",
			len(changes), b.Len())
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// DecodeChanges reads what EncodeChanges wrote. Anything else, or larger, is an error.
func DecodeChanges(text string) ([]Change, error) {
	if len(text) > MaxPlanBytes {
		return nil, fmt.Errorf("the plan has %d bytes, more than is read", len(text))
	}
	list, err := ReadOneJSON([]byte(text), planDepth)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the plan %w", err)
	case list.Kind != JSONArray:
		return nil, fmt.Errorf("the plan is %s, want an array", list.Kind)
	case len(list.Items) > MaxChanges:
		return nil, fmt.Errorf("the plan has %d changes, more than are read", len(list.Items))
	}
	changes := make([]Change, len(list.Items))
	for i, item := range list.Items {
		if changes[i], err = decodeChange(item); err != nil {
			return nil, fmt.Errorf("change %d of the plan %w", i+1, err)
		}
	}
	return changes, nil
}

// decodeChange reads one change. Every field but via must be there, and no other.
func decodeChange(item JSON) (Change, error) {
	var c Change
	if item.Kind != JSONObject {
		return c, fmt.Errorf("is %s, want an object", item.Kind)
	}
	fields := map[string]*string{
		"resource": &c.Resource, "attribute": &c.Attribute, "from": &c.From, "to": &c.To,
		"via": &c.Via,
	}
	for _, m := range item.Members {
		to, known := fields[m.Key]
		switch {
		case !known:
			return c, fmt.Errorf("has the unknown key %s", Quote(m.Key))
		case m.Value.Kind != JSONString:
			return c, fmt.Errorf("has %s as %s, want a string", m.Value.Kind, m.Key)
		}
		*to = m.Value.Text
		delete(fields, m.Key)
	}
	for _, name := range []string{"resource", "attribute", "from", "to"} {
		if _, missing := fields[name]; missing {
			return c, fmt.Errorf("has no %s", name)
		}
	}
	return c, nil
}
