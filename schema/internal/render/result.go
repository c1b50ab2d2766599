package render

import (
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// result is the schema of a result.
func (g Generator) result() node {
	is := func(s protocol.State) *node {
		return &node{Properties: properties{{"status", node{Const: string(s)}}}}
	}
	failed := &node{
		Required: []string{"observed"},
		Properties: properties{{"observed", node{
			Required: []string{protocol.FactFailureClass, protocol.FactRetryable},
		}}},
	}
	status := node{
		Type: "object", Required: []string{"status", "message"},
		Properties: properties{
			{"status", node{
				Description: "succeeded: read back, and so; failed: see error; skipped: an undo that found " +
					"nothing it may restore",
				Enum: []string{string(protocol.Succeeded), string(protocol.Failed),
					string(protocol.Skipped)},
			}},
			{"message", node{
				Description: "one line on what was done, or would be; when failed or skipped, the same as " +
					"error", Type: "string", MinLength: 1, Not: &node{Pattern: `[\n\r]`}}},
			{"error", node{Description: "one line that a person can act on; only when failed or skipped",
				Type: "string", MinLength: 1, Not: &node{Pattern: `[\n\r]`}}},
			{"observed", g.observed()},
			{"undoAvailable", node{
				Description: "whether the undo verb, sent with observed as its parameters, can be answered; " +
					"left out when not",
				Type: "boolean",
			}},
		},
		AllOf: []node{
			{If: is(protocol.Failed), Then: failed},
			{If: is(protocol.Succeeded), Then: &node{Not: &node{Required: []string{"error"}}},
				Else: &node{Required: []string{"error"}}},
		},
	}
	return node{
		Schema: draft, ID: idStart + "result", Title: protocol.ResultKind,
		Description: "A result of the executor. Fields that would be empty are left out.",
		Type:        "object", Required: []string{"apiVersion", "kind", "status"},
		Properties: properties{
			{"apiVersion", node{Const: protocol.APIVersion}},
			{"kind", node{Const: protocol.ResultKind}},
			{"status", status},
		},
	}
}

// observed holds the facts that are known by name, and any other.
func (g Generator) observed() node {
	n := node{
		Description: "Facts, as text by name, never a secret; an undo takes them as its " +
			"parameters.",
		Type:                 "object",
		MinProperties:        1,
		AdditionalProperties: &node{Type: "string", MinLength: 1},
	}
	for _, f := range protocol.CommonFacts() {
		text := node{Description: f.Doc, Type: "string", MinLength: 1}
		switch {
		case f.Name == protocol.FactFailureClass:
			text.MinLength = 0
			for _, c := range protocol.FailureClasses() {
				text.Enum = append(text.Enum, string(c.Class))
			}
		case f.Boolean:
			text.MinLength, text.Enum = 0, []string{"true", "false"}
		}
		n.Properties = append(n.Properties, property{f.Name, text})
	}
	seen := map[string]bool{}
	for _, v := range g.requests() {
		for _, f := range v.Facts {
			if seen[f.Name] {
				continue
			}
			seen[f.Name] = true
			n.put(f, factField(f))
		}
	}
	return n
}

func factField(f action.Field) node {
	n := node{Description: f.Doc, Type: "string", MinLength: 1, Pattern: f.Form.Pattern}
	if f.Form.Name == action.Boolean.Name {
		n.MinLength, n.Pattern, n.Enum = 0, "", []string{"true", "false"}
	}
	return n
}
