// Package iam evaluates identity-based IAM policies and permissions boundaries, as much of them as
// policies for EC2 use.
//
// Parse refuses a document that it does not understand whole, so no statement is ever passed over.
// Decide does as IAM does: an explicit deny wins, what nothing allows is denied.
package iam

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/wildcard"
)

// Policy is one document.
type Policy struct{ statements []statement }

// Rights are all that decides what one identity may do.
type Rights struct {
	// Policies are those of the identity.
	Policies []Policy
	// Boundary, if not nil, limits what they may allow.
	Boundary *Policy
}

type statement struct {
	deny                     bool
	actions, resources       []string
	notActions, notResources bool // the lists are of what is not meant
	conditions               []condition
}

type condition struct {
	key      string
	values   []string
	negate   bool
	ifExists bool
	forAll   bool // ForAllValues: every value of the request must match
	forAny   bool // ForAnyValue: one value of the request must match
	null     bool // Null: what matters is whether the key is there
	match    func(pattern, s string) bool
}

// Request is what is asked for. Keys are the condition keys by name; names are compared without
// regard to case.
type Request struct {
	Action   string // "ec2:DescribeVpcs"
	Resource string // an ARN, or "*"
	Keys     map[string][]string
}

// Decision is what policies say to a request.
type Decision int

const (
	NotAllowed Decision = iota // no statement allows it
	Allowed
	Denied  // a statement denies it
	Bounded // the identity's policies allow it, the boundary does not
)

// Parse reads a policy document.
func Parse(text string) (Policy, error) {
	p, err := parse(text)
	if err != nil {
		return Policy{}, fmt.Errorf("cannot read the policy: %w", err)
	}
	return p, nil
}

// maxDepth is how deep a document nests: a list in a condition in a statement in a list.
const maxDepth = 8

func parse(text string) (Policy, error) {
	root, err := protocol.ReadOneJSON([]byte(text), maxDepth)
	if err != nil {
		return Policy{}, err
	}
	elements, err := members(root, "Version", "Id", "Statement")
	if err != nil {
		return Policy{}, err
	}
	if v := elements["Version"]; v.Kind != protocol.JSONString || v.Text != "2012-10-17" {
		return Policy{}, fmt.Errorf("version %q", v.Text)
	}
	if strings.Contains(text, "${") {
		return Policy{}, fmt.Errorf("it has variables")
	}
	list, ok := elements["Statement"]
	if !ok {
		return Policy{}, fmt.Errorf("it has no Statement")
	}
	all := []protocol.JSON{list}
	if list.Kind == protocol.JSONArray {
		all = list.Items
	}
	var p Policy
	for n, j := range all {
		s, err := parseStatement(j)
		if err != nil {
			return Policy{}, fmt.Errorf("statement %d: %w", n+1, err)
		}
		p.statements = append(p.statements, s)
	}
	return p, nil
}

// members are the elements of an object, each of which must have one of the names.
func members(j protocol.JSON, names ...string) (map[string]protocol.JSON, error) {
	if j.Kind != protocol.JSONObject {
		return nil, fmt.Errorf("%s is no object", j.Raw)
	}
	all := map[string]protocol.JSON{}
	for _, m := range j.Members {
		if len(names) > 0 && !slices.Contains(names, m.Key) {
			return nil, fmt.Errorf("unknown field %q", m.Key)
		}
		all[m.Key] = m.Value
	}
	return all, nil
}

func parseStatement(j protocol.JSON) (statement, error) {
	e, err := members(j, "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource",
		"Condition")
	if err != nil {
		return statement{}, err
	}
	var s statement
	if s.actions, s.notActions, err = either(e, "Action", "NotAction"); err != nil {
		return s, err
	}
	if s.resources, s.notResources, err = either(e, "Resource", "NotResource"); err != nil {
		return s, err
	}
	switch effect := e["Effect"].Text; effect {
	case "Allow", "Deny":
		s.deny = effect == "Deny"
	default:
		return s, fmt.Errorf("effect %q", effect)
	}
	if _, ok := e["Condition"]; !ok {
		return s, nil
	}
	operators, err := members(e["Condition"])
	if err != nil {
		return s, err
	}
	for operator, of := range operators {
		keys, err := members(of)
		if err != nil {
			return s, err
		}
		for key, j := range keys {
			values, err := texts(j)
			if err != nil {
				return s, err
			}
			c, err := newCondition(operator, key, values)
			if err != nil {
				return s, err
			}
			s.conditions = append(s.conditions, c)
		}
	}
	return s, nil
}

// either is the list of one of two elements, of which one must be there.
func either(e map[string]protocol.JSON, name, not string) (list []string, negated bool, err error) {
	j, plain := e[name]
	other, negated := e[not]
	if plain == negated {
		return nil, false, fmt.Errorf("it needs one of %s and %s", name, not)
	}
	if negated {
		j = other
	}
	if list, err = texts(j); err == nil && len(list) == 0 {
		err = fmt.Errorf("it needs one of %s and %s", name, not)
	}
	return list, negated, err
}

// texts is a value that may be one string or several.
func texts(j protocol.JSON) ([]string, error) {
	var one string
	if json.Unmarshal(j.Raw, &one) == nil && j.Kind == protocol.JSONString {
		return []string{one}, nil
	}
	var all []string
	if err := json.Unmarshal(j.Raw, &all); err != nil || j.Kind != protocol.JSONArray {
		return nil, fmt.Errorf("%s is neither a text nor a list of texts", j.Raw)
	}
	return all, nil
}

func newCondition(operator, key string, values []string) (condition, error) {
	c := condition{key: key, values: values}
	name, forAny := strings.CutPrefix(operator, "ForAnyValue:")
	c.forAny = forAny
	name, c.forAll = strings.CutPrefix(name, "ForAllValues:")
	if operator == "Null" {
		c.null = true
		if len(values) != 1 || values[0] != "true" && values[0] != "false" {
			return c, fmt.Errorf("the condition Null of %s: want true or false", key)
		}
		return c, nil
	}
	name, c.ifExists = strings.CutSuffix(name, "IfExists")
	switch name {
	case "StringEquals", "StringNotEquals":
		c.match = func(pattern, s string) bool { return pattern == s }
	case "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "Bool":
		c.match = strings.EqualFold
	case "StringLike", "StringNotLike":
		c.match = wildcard.Plain.Match
	case "ArnLike", "ArnNotLike", "ArnEquals", "ArnNotEquals":
		c.match = matchARN
	default:
		return c, fmt.Errorf("condition operator %q", operator)
	}
	c.negate = strings.Contains(name, "Not")
	return c, nil
}

// arnParts is how many parts an ARN has. The last one may have colons.
const arnParts = 6

// matchARN compares part by part: no wildcard of an ARN condition stands for more than one part.
func matchARN(pattern, arn string) bool {
	want, have := strings.SplitN(pattern, ":", arnParts), strings.SplitN(arn, ":", arnParts)
	return slices.EqualFunc(want, have, wildcard.Plain.Match)
}

// holds reports whether the condition is met. A key that the request has not meets a negated
// condition, one with IfExists and ForAllValues. It meets no other, and never ForAnyValue.
func (c condition) holds(keys map[string][]string) bool {
	var have []string
	for name, values := range keys {
		if strings.EqualFold(name, c.key) {
			have = values
		}
	}
	switch {
	case c.null:
		return (len(have) == 0) == (c.values[0] == "true")
	case len(have) == 0 && c.forAny:
		return false
	case len(have) == 0:
		return c.negate || c.ifExists || c.forAll
	}
	matches := func(s string) bool {
		return slices.ContainsFunc(c.values, func(pattern string) bool {
			return c.match(pattern, s)
		}) != c.negate
	}
	if c.forAll || c.negate && !c.forAny {
		return !slices.ContainsFunc(have, func(s string) bool { return !matches(s) })
	}
	return slices.ContainsFunc(have, matches)
}

func (s statement) applies(r Request) bool {
	action := slices.ContainsFunc(s.actions, func(p string) bool {
		return wildcard.Plain.Match(strings.ToLower(p), strings.ToLower(r.Action))
	})
	resource := slices.ContainsFunc(s.resources, func(p string) bool {
		return wildcard.Plain.Match(p, r.Resource)
	})
	if action == s.notActions || resource == s.notResources {
		return false
	}
	return !slices.ContainsFunc(s.conditions, func(c condition) bool { return !c.holds(r.Keys) })
}

// Decide returns what the rights say to the request.
func (g Rights) Decide(r Request) Decision {
	own := decide(g.Policies, r)
	if g.Boundary == nil {
		return own
	}
	switch bound := decide([]Policy{*g.Boundary}, r); {
	case own == Denied || bound == Denied:
		return Denied
	case own == Allowed && bound == NotAllowed:
		return Bounded
	}
	return own
}

func decide(policies []Policy, r Request) Decision {
	decision := NotAllowed
	for _, p := range policies {
		for _, s := range p.statements {
			if !s.applies(r) {
				continue
			}
			if s.deny {
				return Denied
			}
			decision = Allowed
		}
	}
	return decision
}
