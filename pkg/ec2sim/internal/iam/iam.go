// Package iam evaluates identity-based IAM policies, as much of them as policies for EC2 use.
//
// Parse refuses a document that it does not understand whole, so no statement is ever passed over.
// Decide does as IAM does: an explicit deny wins, what nothing allows is denied.
package iam

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"aws-provider-executor/pkg/wildcard"
)

// Policy is one document.
type Policy struct{ statements []statement }

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
	Denied // a statement denies it
)

// list is a JSON value that may be one string or several.
type list []string

func (l *list) UnmarshalJSON(data []byte) error {
	var s string
	if json.Unmarshal(data, &s) == nil {
		*l = list{s}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(l))
}

type document struct {
	Version   string
	ID        string `json:"Id"`
	Statement statements
}

type statements []jsonStatement

func (s *statements) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		data = slices.Concat([]byte("["), data, []byte("]"))
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode((*[]jsonStatement)(s))
}

type jsonStatement struct {
	Sid                                      string
	Effect                                   string
	Action, NotAction, Resource, NotResource list
	Condition                                map[string]map[string]list
}

// Parse reads a policy document.
func Parse(text string) (Policy, error) {
	var d document
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return Policy{}, fmt.Errorf("cannot read the policy: %w", err)
	}
	if d.Version != "2012-10-17" {
		return Policy{}, fmt.Errorf("cannot read the policy: version %q", d.Version)
	}
	if strings.Contains(text, "${") {
		return Policy{}, fmt.Errorf("cannot read the policy: it has variables")
	}
	var p Policy
	for n, j := range d.Statement {
		s, err := j.statement()
		if err != nil {
			return Policy{}, fmt.Errorf("cannot read statement %d of the policy: %w", n+1, err)
		}
		p.statements = append(p.statements, s)
	}
	return p, nil
}

func (j jsonStatement) statement() (statement, error) {
	s := statement{
		deny:    j.Effect == "Deny",
		actions: append(j.Action, j.NotAction...), notActions: len(j.NotAction) > 0,
		resources: append(j.Resource, j.NotResource...), notResources: len(j.NotResource) > 0,
	}
	switch {
	case j.Effect != "Allow" && j.Effect != "Deny":
		return s, fmt.Errorf("effect %q", j.Effect)
	case (len(j.Action) > 0) == (len(j.NotAction) > 0):
		return s, fmt.Errorf("it needs one of Action and NotAction")
	case (len(j.Resource) > 0) == (len(j.NotResource) > 0):
		return s, fmt.Errorf("it needs one of Resource and NotResource")
	}
	for operator, keys := range j.Condition {
		for key, values := range keys {
			c, err := newCondition(operator, key, values)
			if err != nil {
				return s, err
			}
			s.conditions = append(s.conditions, c)
		}
	}
	return s, nil
}

func newCondition(operator, key string, values []string) (condition, error) {
	c := condition{key: key, values: values}
	name := strings.TrimPrefix(operator, "ForAnyValue:")
	name, c.forAll = strings.CutPrefix(name, "ForAllValues:")
	name, c.ifExists = strings.CutSuffix(name, "IfExists")
	switch name {
	case "StringEquals", "StringNotEquals":
		c.match = func(pattern, s string) bool { return pattern == s }
	case "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "Bool":
		c.match = strings.EqualFold
	case "StringLike", "StringNotLike", "ArnLike", "ArnNotLike", "ArnEquals", "ArnNotEquals":
		c.match = wildcard.Plain.Match
	default:
		return c, fmt.Errorf("condition operator %q", operator)
	}
	c.negate = strings.Contains(name, "Not")
	return c, nil
}

// holds reports whether the condition is met. A key the request has not meets a negated condition,
// one with IfExists and ForAllValues, and no other.
func (c condition) holds(keys map[string][]string) bool {
	var have []string
	found := false
	for name, values := range keys {
		if strings.EqualFold(name, c.key) {
			have, found = values, true
		}
	}
	if !found {
		return c.negate || c.ifExists || c.forAll
	}
	matches := func(s string) bool {
		return slices.ContainsFunc(c.values, func(pattern string) bool {
			return c.match(pattern, s)
		}) != c.negate
	}
	if c.forAll || c.negate {
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

// Decide returns what the policies together say to the request.
func Decide(policies []Policy, r Request) Decision {
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
