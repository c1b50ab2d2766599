package render

import (
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/protocol"
)

// fact is an entry of observed that any verb may report.
type fact struct{ name, doc string }

func commonFacts() []fact {
	return []fact{
		{protocol.FactFailureClass, "why the request failed, for programs; only on a failure"},
		{protocol.FactRetryable, "whether the same request may succeed later as it is; only on a failure"},
		{protocol.FactChanged, "whether the provider differs from what it was before the action, because of this key"},
		{protocol.FactAWSErrorCode, "the provider's own code for the failure"},
		{protocol.FactRequestID, "the provider's id of the refused call"},
		{protocol.FactPermissionHint, "the IAM action that the refused call needs"},
		{executor.FactHeldBy, "the keys of the actions that need what an undo would take away"},
		{executor.FactTargetGone, "`true` when what the undo is of does not exist any more: what is left of the action is undone, and it is closed"},
		{executor.FactPriorFactsKept, "`false` when prior facts are in the result only: a crash before it would have lost them"},
		{executor.FactWarning, "what went wrong without making the result a failure"},
		{"holder", "on a conflict: who holds what was asked for"},
		{"drift", "on drift: what is there now, neither the state before nor the state after"},
	}
}

// result is the schema of a result.
func (g Generator) result() node {
	is := func(s protocol.State) *node { return &node{Properties: properties{{"status", node{Const: string(s)}}}} }
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
				Description: "succeeded: read back, and so; failed: see error; skipped: an undo that found nothing it may restore",
				Enum:        []string{string(protocol.Succeeded), string(protocol.Failed), string(protocol.Skipped)},
			}},
			{"message", node{Description: "one line on what was done, or would be; when failed or skipped, the same as error", Type: "string", MinLength: 1, Not: &node{Pattern: `[\n\r]`}}},
			{"error", node{Description: "one line that a person can act on; only when failed or skipped", Type: "string", MinLength: 1, Not: &node{Pattern: `[\n\r]`}}},
			{"observed", g.observed()},
			{"undoAvailable", node{
				Description: "whether the undo verb, sent with observed as its parameters, can be answered; left out when not",
				Type:        "boolean",
			}},
		},
		AllOf: []node{
			{If: is(protocol.Failed), Then: failed},
			{If: is(protocol.Succeeded), Then: &node{Not: &node{Required: []string{"error"}}}, Else: &node{Required: []string{"error"}}},
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
		Description:          "Facts, as text by name, never a secret; an undo takes them as its parameters.",
		Type:                 "object",
		MinProperties:        1,
		AdditionalProperties: &node{Type: "string", MinLength: 1},
	}
	for _, f := range commonFacts() {
		text := node{Description: f.doc, Type: "string", MinLength: 1}
		switch f.name {
		case protocol.FactFailureClass:
			text.MinLength = 0
			for _, c := range protocol.FailureClasses() {
				text.Enum = append(text.Enum, string(c.Class))
			}
		case protocol.FactRetryable, protocol.FactChanged, executor.FactPriorFactsKept, executor.FactTargetGone:
			text.MinLength, text.Enum = 0, []string{"true", "false"}
		}
		n.Properties = append(n.Properties, property{f.name, text})
	}
	seen := map[string]bool{}
	for _, v := range g.Registry.Verbs() {
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
