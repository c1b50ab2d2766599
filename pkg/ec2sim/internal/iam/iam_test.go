package iam

import (
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", ``, "cannot read the policy"},
		{"old version", `{"Version":"2008-10-17","Statement":[]}`, `version "2008-10-17"`},
		{"unknown field", `{"Version":"2012-10-17","Statments":[]}`, "unknown field"},
		{"unknown field of a statement",
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Actions":"*","Resource":"*"}}`,
			"unknown field"},
		{"no effect", `{"Version":"2012-10-17","Statement":{"Action":"*","Resource":"*"}}`, `effect ""`},
		{"effect in small letters",
			`{"Version":"2012-10-17","Statement":{"Effect":"allow","Action":"*","Resource":"*"}}`,
			`effect "allow"`},
		{"no action", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Resource":"*"}}`,
			"Action and NotAction"},
		{"both resources", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*",` +
			`"Resource":"*","NotResource":"*"}}`, "Resource and NotResource"},
		{"unknown operator", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*",` +
			`"Resource":"*","Condition":{"NumericLessThan":{"a":"1"}}}}`,
			`condition operator "NumericLessThan"`},
		{"a field in another case",
			`{"Version":"2012-10-17","Statement":{"effect":"Allow","Action":"*","Resource":"*"}}`,
			`unknown field "effect"`},
		{"a field twice", `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Effect":"Allow",` +
			`"Action":"*","Resource":"*"}}`, "Effect"},
		{"a condition twice", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*",` +
			`"Resource":"*","Condition":{"StringEquals":{"a":"1"},"StringEquals":{"b":"2"}}}}`,
			"StringEquals"},
		{"two documents", `{"Version":"2012-10-17","Statement":[]}{}`, "more than one JSON value"},
		{"no statement", `{"Version":"2012-10-17"}`, "no Statement"},
		{"a number for a text",
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":1,"Resource":"*"}}`,
			"neither a text"},
		{"null for a text",
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":null,"Resource":"*"}}`,
			"neither a text"},
		{"no actions in the list",
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":[],"Resource":"*"}}`,
			"Action and NotAction"},
		{"Null of something", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*",` +
			`"Resource":"*","Condition":{"Null":{"a":"x"}}}}`, "want true or false"},
		{"Null, if it exists", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*",` +
			`"Resource":"*","Condition":{"NullIfExists":{"a":"true"}}}}`, "condition operator"},
		{"variable", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*",` +
			`"Resource":"${aws:username}"}}`, "variables"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Parse(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestConditions(t *testing.T) {
	for _, tt := range []struct {
		name, condition string
		values          []string // of the key k; nil when the request has not got it
		want            Decision
	}{
		{"equal", `"StringEquals":{"k":"a"}`, []string{"a"}, Allowed},
		{"equal to one of", `"StringEquals":{"k":["a","b"]}`, []string{"b"}, Allowed},
		{"values differ by case", `"StringEquals":{"k":"a"}`, []string{"A"}, NotAllowed},
		{"keys do not", `"StringEquals":{"K":"a"}`, []string{"a"}, Allowed},
		{"no wildcards in equality", `"StringEquals":{"k":"a*"}`, []string{"ab"}, NotAllowed},
		{"like", `"StringLike":{"k":"a*"}`, []string{"ab"}, Allowed},
		{"question mark is one", `"StringLike":{"k":"a?"}`, []string{"a"}, NotAllowed},
		{"absent", `"StringEquals":{"k":"a"}`, nil, NotAllowed},
		{"absent, if it exists", `"StringEqualsIfExists":{"k":"a"}`, nil, Allowed},
		{"absent is not equal", `"StringNotEquals":{"k":"a"}`, nil, Allowed},
		{"not equal", `"StringNotEquals":{"k":["a","b"]}`, []string{"b"}, NotAllowed},
		{"not like", `"StringNotLike":{"k":"a*"}`, []string{"ba"}, Allowed},
		{"ignoring case", `"StringEqualsIgnoreCase":{"k":"a"}`, []string{"A"}, Allowed},
		{"any of several", `"ForAnyValue:StringEquals":{"k":"a"}`, []string{"x", "a"}, Allowed},
		{"all of several", `"ForAllValues:StringEquals":{"k":"a"}`, []string{"x", "a"}, NotAllowed},
		{"all of none", `"ForAllValues:StringEquals":{"k":"a"}`, nil, Allowed},
		{"any of none, if it exists", `"ForAnyValue:StringEqualsIfExists":{"k":"a"}`, nil, NotAllowed},
		{"any of none, negated", `"ForAnyValue:StringNotEquals":{"k":"a"}`, nil, NotAllowed},
		{"any other than", `"ForAnyValue:StringNotEquals":{"k":"a"}`, []string{"a", "x"}, Allowed},
		{"no other than", `"ForAnyValue:StringNotEquals":{"k":"a"}`, []string{"a"}, NotAllowed},
		{"all other than", `"ForAllValues:StringNotEquals":{"k":"a"}`, []string{"a", "x"}, NotAllowed},
		{"a key without values is none", `"StringNotEquals":{"k":"a"}`, []string{}, Allowed},
		{"absent, as asked", `"Null":{"k":"true"}`, nil, Allowed},
		{"absent, against what is asked", `"Null":{"k":"false"}`, nil, NotAllowed},
		{"there, as asked", `"Null":{"k":"false"}`, []string{"x"}, Allowed},
		{"there, against what is asked", `"Null":{"k":"true"}`, []string{"x"}, NotAllowed},
		{"an ARN, part by part", `"ArnLike":{"k":"arn:*:ec2:*:1:vpc/*"}`,
			[]string{"arn:aws:ec2:r:1:vpc/v"}, Allowed},
		{"no wildcard of an ARN spans parts", `"ArnEquals":{"k":"arn:*"}`,
			[]string{"arn:aws:ec2:r:1:vpc/v"}, NotAllowed},
		{"the last part has colons", `"ArnLike":{"k":"arn:*:*:*:*:a:*"}`,
			[]string{"arn:aws:s:r:1:a:b"}, Allowed},
		{"all conditions", `"StringLike":{"k":"a*"},"StringEquals":{"k":"ab"}`,
			[]string{"ac"}, NotAllowed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse(`{"Version":"2012-10-17","Statement":{"Sid":"x","Effect":"Allow",` +
				`"Action":"ec2:*","Resource":"*","Condition":{` + tt.condition + `}}}`)
			if err != nil {
				t.Fatal(err)
			}
			keys := map[string][]string{}
			if tt.values != nil {
				keys["k"] = tt.values
			}
			if got := decide([]Policy{p}, Request{Action: "ec2:X", Resource: "*", Keys: keys}); got !=
				tt.want {
				t.Errorf("decided %d, want %d", got, tt.want)
			}
		})
	}
}

func TestStatements(t *testing.T) {
	for _, tt := range []struct {
		name, statement, action, resource string
		want                              Decision
	}{
		{"action in any case", `"Effect":"Allow","Action":"EC2:describe*","Resource":"*"`,
			"ec2:DescribeVpcs", "*", Allowed},
		{"another action", `"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"`, "ec2:CreateTags",
			"*", NotAllowed},
		{"not action", `"Effect":"Allow","NotAction":"ec2:CreateTags","Resource":"*"`, "ec2:DescribeVpcs",
			"*", Allowed},
		{"but action", `"Effect":"Allow","NotAction":"ec2:CreateTags","Resource":"*"`, "ec2:CreateTags",
			"*", NotAllowed},
		{"resource", `"Effect":"Allow","Action":"*","Resource":"arn:*:i/*"`, "ec2:X",
			"arn:x:i/1", Allowed},
		{"resource in another case", `"Effect":"Allow","Action":"*","Resource":"arn:*:i/*"`, "ec2:X",
			"arn:x:I/1", NotAllowed},
		{"a resource is not every resource", `"Effect":"Allow","Action":"*","Resource":"arn:*"`, "ec2:X",
			"*", NotAllowed},
		{"not resource", `"Effect":"Allow","Action":"*","NotResource":"arn:*:i/*"`, "ec2:X",
			"arn:x:i/1", NotAllowed},
		{"deny", `"Effect":"Deny","Action":"*","Resource":"*"`, "ec2:X", "*", Denied},
		{"several statements", `"Effect":"Allow","Action":"a","Resource":"*"},{"Effect":"Allow",` +
			`"Action":["b","ec2:X"],"Resource":["*"]`, "ec2:X", "*", Allowed},
		{"a deny wins, whatever the order",
			`"Effect":"Deny","Action":"ec2:X","Resource":"*"},{"Effect":"Allow","Action":"*","Resource":"*"`,
			"ec2:X", "*", Denied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse(`{"Version":"2012-10-17","Statement":[{` + tt.statement + `}]}`)
			if err != nil {
				t.Fatal(err)
			}
			if got := decide([]Policy{p}, Request{Action: tt.action, Resource: tt.resource}); got !=
				tt.want {
				t.Errorf("decided %d, want %d", got, tt.want)
			}
		})
	}
	if (Rights{}).Decide(Request{}) != NotAllowed {
		t.Error("nothing allows something")
	}
}

// TestBoundary: what the identity's policies allow and the boundary does not is bounded; a deny of
// either wins.
func TestBoundary(t *testing.T) {
	parse := func(statement string) Policy {
		t.Helper()
		p, err := Parse(`{"Version":"2012-10-17","Statement":[{` + statement + `,"Resource":"*"}]}`)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	allow := func(action string) Policy { return parse(`"Effect":"Allow","Action":"` + action + `"`) }
	deny := parse(`"Effect":"Deny","Action":"ec2:X"`)
	for _, tt := range []struct {
		name     string
		own      []Policy
		boundary *Policy
		want     Decision
	}{
		{"no boundary", []Policy{allow("ec2:X")}, nil, Allowed},
		{"both", []Policy{allow("ec2:X")}, new(allow("ec2:*")), Allowed},
		{"the policies alone", []Policy{allow("*")}, new(allow("ec2:Y")), Bounded},
		{"the boundary alone", []Policy{allow("ec2:Y")}, new(allow("*")), NotAllowed},
		{"nothing at all", nil, new(allow("*")), NotAllowed},
		{"a boundary of nothing", []Policy{allow("*")}, &Policy{}, Bounded},
		{"the boundary denies", []Policy{allow("*")}, &deny, Denied},
		{"the policies deny", []Policy{allow("*"), deny}, new(allow("*")), Denied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rights := Rights{Policies: tt.own, Boundary: tt.boundary}
			if got := rights.Decide(Request{Action: "ec2:X", Resource: "*"}); got != tt.want {
				t.Errorf("decided %d, want %d", got, tt.want)
			}
		})
	}
}
