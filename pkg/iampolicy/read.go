package iampolicy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"aws-provider-executor/pkg/protocol"
)

// Source is one policy document of a role, as it was read.
type Source struct{ Name, Text string }

// Granted is what a role has.
type Granted struct {
	// Role names it, for people.
	Role string
	// Policies are its own, attached and inline ones.
	Policies []Source
	// Boundary is its permissions boundary; nil where it has none.
	Boundary *Source
	// Unread says what else there is and could not be read, and why.
	Unread []string
}

// grant is one statement of a role's policies.
type grant struct {
	// where names the policy and the statement.
	where              string
	deny               bool
	actions, resources patterns
	conditions         []condition
}

// patterns are what a statement is for, or with not what it is not for.
type patterns struct {
	list []string
	not  bool
}

// condition is one operator with one key.
type condition struct {
	operator, key string
	values        []string
}

// maxPolicyDepth is how deep a document nests: a list in a condition in a statement in a list.
const maxPolicyDepth = 8

// parseSource reads a document. What can't be understood whole is an error: a statement that is
// passed over could be a deny.
func parseSource(s Source) ([]grant, error) {
	root, err := protocol.ReadOneJSON([]byte(s.Text), maxPolicyDepth)
	if err != nil {
		return nil, fmt.Errorf("the policy %s can't be read: %w", protocol.Quote(s.Name), err)
	}
	elements, err := elementsOf(root, "Version", "Id", "Statement")
	if err != nil {
		return nil, fmt.Errorf("the policy %s can't be read: %w", protocol.Quote(s.Name), err)
	}
	statements := []protocol.JSON{elements["Statement"]}
	if elements["Statement"].Kind == protocol.JSONArray {
		statements = elements["Statement"].Items
	}
	var all []grant
	for i, j := range statements {
		g, err := parseGrant(j)
		if err != nil {
			return nil, fmt.Errorf("statement %d of the policy %s can't be read: %w", i+1,
				protocol.Quote(s.Name), err)
		}
		if g.where == "" {
			g.where = fmt.Sprintf("statement %d", i+1)
		}
		g.where += " of " + protocol.Quote(s.Name)
		all = append(all, g)
	}
	return all, nil
}

// elementsOf are an object's values by their names, which must be among these.
func elementsOf(j protocol.JSON, names ...string) (map[string]protocol.JSON, error) {
	if j.Kind != protocol.JSONObject {
		return nil, fmt.Errorf("it is %s, want an object", j.Kind)
	}
	all := map[string]protocol.JSON{}
	for _, m := range j.Members {
		if len(names) > 0 && !slices.Contains(names, m.Key) {
			return nil, fmt.Errorf("the element %s is unknown", protocol.Quote(m.Key))
		}
		all[m.Key] = m.Value
	}
	return all, nil
}

func parseGrant(j protocol.JSON) (grant, error) {
	var g grant
	e, err := elementsOf(j, "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource",
		"Condition")
	if err != nil {
		return g, err
	}
	if sid := e["Sid"].Text; sid != "" {
		g.where = "statement " + protocol.Quote(sid)
	}
	switch e["Effect"].Text {
	case "Allow":
	case "Deny":
		g.deny = true
	default:
		return g, fmt.Errorf("the effect is %s, want Allow or Deny", e["Effect"].Raw)
	}
	if g.actions, err = parsePatterns(e, "Action", "NotAction"); err != nil {
		return g, err
	}
	if g.resources, err = parsePatterns(e, "Resource", "NotResource"); err != nil {
		return g, err
	}
	if _, ok := e["Condition"]; ok {
		g.conditions, err = parseConditions(e["Condition"])
	}
	return g, err
}

func parsePatterns(e map[string]protocol.JSON, name, not string) (p patterns, err error) {
	j, has := e[name]
	other, negated := e[not]
	if has == negated {
		return p, fmt.Errorf("it has to have one of %s and %s", name, not)
	}
	if negated {
		j = other
	}
	p.not = negated
	if p.list, err = textsOf(j); err == nil && len(p.list) == 0 {
		err = fmt.Errorf("%s is empty", name)
	}
	return p, err
}

func parseConditions(j protocol.JSON) ([]condition, error) {
	operators, err := elementsOf(j)
	if err != nil {
		return nil, err
	}
	var all []condition
	for operator, of := range operators {
		keys, err := elementsOf(of)
		if err != nil {
			return nil, err
		}
		for key, j := range keys {
			values, err := textsOf(j)
			if err != nil {
				return nil, err
			}
			all = append(all, condition{operator: operator, key: key, values: values})
		}
	}
	slices.SortFunc(all, func(a, b condition) int {
		return strings.Compare(a.operator+" "+a.key, b.operator+" "+b.key)
	})
	return all, nil
}

// textsOf is a value, or several. Numbers and truth values count as they are written.
func textsOf(j protocol.JSON) ([]string, error) {
	var all []string
	items := []protocol.JSON{j}
	if j.Kind == protocol.JSONArray {
		items = j.Items
	}
	for _, item := range items {
		switch item.Kind {
		case protocol.JSONArray, protocol.JSONObject:
			return nil, fmt.Errorf("%s is no text", item.Raw)
		}
		text := item.Text
		if item.Kind == protocol.JSONString {
			if err := json.Unmarshal(item.Raw, &text); err != nil {
				return nil, err
			}
		}
		if text == "" && item.Kind != protocol.JSONString || text == "null" {
			return nil, fmt.Errorf("%s is no text", item.Raw)
		}
		all = append(all, text)
	}
	return all, nil
}
