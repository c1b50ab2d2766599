package iampolicy

import (
	"testing"

	"aws-provider-executor/pkg/action"
)

// TestConditions: k has two values, p one that is a pattern, gone is known to be absent, and of any
// other key nothing is known.
func TestConditions(t *testing.T) {
	of := call{resource: "arn:aws:ec2:r:1:instance/i-1", keys: map[string][]string{
		"k": {"a", "b"}, "p": {"x*"}, "gone": nil, "arn": {"arn:aws:ec2:r:1:vpc/v"}}}
	for _, tt := range []struct {
		operator, key, value string
		want                 truth
	}{
		{"StringEquals", "K", "a", yes}, {"StringEquals", "k", "c", no},
		{"StringNotEquals", "k", "a", no}, {"StringNotEquals", "k", "c", yes},
		{"ForAnyValue:StringNotEquals", "k", "a", yes}, {"ForAllValues:StringEquals", "k", "a", no},
		{"ForAllValues:StringNotEquals", "k", "c", yes}, {"ForAnyValue:StringEquals", "k", "b", yes},
		{"StringEqualsIgnoreCase", "k", "A", yes}, {"StringLike", "k", "?", yes},
		{"StringLike", "p", "*", yes}, {"StringLike", "p", "xy*", maybe}, {"StringLike", "p", "y*", no},
		{"StringEquals", "p", "xyz", maybe}, {"StringEquals", "p", "y", no},
		{"StringNotLike", "p", "x*", no}, {"StringNotLike", "p", "xy*", maybe},
		{"StringEquals", "gone", "a", no}, {"StringNotEquals", "gone", "a", yes},
		{"StringEqualsIfExists", "gone", "a", yes}, {"ForAllValues:StringEquals", "gone", "a", yes},
		{"ForAnyValue:StringNotEquals", "gone", "a", no},
		{"ForAnyValue:StringEqualsIfExists", "gone", "a", no},
		{"Null", "gone", "true", yes}, {"Null", "gone", "false", no}, {"Null", "k", "false", yes},
		{"ArnLike", "arn", "arn:*:ec2:*:*:vpc/*", yes}, {"ArnEquals", "arn", "arn:*", no},
		{"NumericEquals", "gone", "1", maybe}, {"stringnotequals", "gone", "a", maybe},
		{"NumericEquals", "k", "a", maybe}, {"StringEquals", "other", "a", maybe},
		{"Null", "other", "true", maybe}, {"StringEquals", "k", "${aws:username}", maybe},
	} {
		c := condition{operator: tt.operator, key: tt.key, values: []string{tt.value}}
		if got := c.holds(of); got != tt.want {
			t.Errorf("%s %s %s: %d, want %d", tt.operator, tt.key, tt.value, got, tt.want)
		}
	}
}

// TestConditionsOfSeveralValues: one of a condition's values has to match, and of a call's values
// one, all, or none. What is not known of one of them counts only where it could turn the answer.
func TestConditionsOfSeveralValues(t *testing.T) {
	of := call{resource: "arn:aws:ec2:r:1:instance/i-1", keys: map[string][]string{
		"one": {"a"}, "k": {"a", "b"}, "part": {"a", "x*"}, "gone": nil}}
	for _, tt := range []struct {
		operator, key string
		values        []string
		want          truth
	}{
		{"StringEquals", "one", []string{"c", "a"}, yes},
		{"StringEquals", "one", []string{"a", "c"}, yes},
		{"StringEquals", "one", []string{"c", "d"}, no},
		{"StringEquals", "one", nil, no},
		{"StringNotEquals", "one", nil, yes},
		{"StringNotEquals", "one", []string{"c", "a"}, no},
		{"StringNotEquals", "one", []string{"c", "d"}, yes},
		{"StringNotEquals", "k", []string{"b"}, no},
		{"StringEqualsIfExists", "one", []string{"c"}, no},
		{"StringEqualsIfExists", "one", []string{"a"}, yes},
		{"StringNotEqualsIfExists", "one", []string{"a"}, no},
		{"StringNotEqualsIfExists", "gone", []string{"a"}, yes},
		{"ForAllValues:StringEquals", "k", []string{"a", "b"}, yes},
		{"ForAllValues:StringEquals", "k", []string{"b", "c"}, no},
		{"ForAllValues:StringNotEquals", "k", []string{"b"}, no},
		{"ForAllValues:StringNotEquals", "gone", []string{"b"}, yes},
		{"ForAllValues:StringEqualsIfExists", "gone", []string{"b"}, yes},
		{"ForAnyValue:StringEquals", "k", []string{"c", "b"}, yes},
		{"ForAnyValue:StringEquals", "k", []string{"c", "d"}, no},
		{"ForAnyValue:StringEquals", "gone", []string{"a"}, no},
		{"ForAnyValue:StringNotEquals", "k", []string{"a", "b"}, no},
		{"ForAnyValue:StringNotEqualsIfExists", "gone", []string{"a"}, no},
		{"StringEquals", "part", []string{"a"}, yes},
		{"StringEquals", "part", []string{"c"}, no},
		{"StringEquals", "part", []string{"xyz"}, maybe},
		{"StringNotEquals", "part", []string{"xyz"}, maybe},
		{"StringNotEquals", "part", []string{"a", "xyz"}, no},
		{"StringNotEquals", "part", []string{"c"}, yes},
		{"ForAllValues:StringEquals", "part", []string{"a", "xyz"}, maybe},
		{"ForAllValues:StringEquals", "part", []string{"xyz"}, no},
		{"ForAllValues:StringLike", "part", []string{"a", "x*"}, yes},
		{"ForAnyValue:StringNotEquals", "part", []string{"a", "xyz"}, maybe},
		{"ForAnyValue:StringNotEquals", "part", []string{"xyz"}, yes},
		{"StringEquals", "one", []string{"a", "${aws:username}"}, maybe},
		{"StringEquals", "other", nil, maybe},
		{"Null", "gone", []string{"false", "true"}, yes},
		{"Null", "one", []string{"true"}, no},
	} {
		c := condition{operator: tt.operator, key: tt.key, values: tt.values}
		if got := c.holds(of); got != tt.want {
			t.Errorf("%s %s %q: %d, want %d", tt.operator, tt.key, tt.values, got, tt.want)
		}
	}
}

// TestKeysOfCalls: an instance has no VPC for IAM, and a reading nothing of EC2's but the region.
func TestKeysOfCalls(t *testing.T) {
	s := Scope{Region: "ap-northeast-1", VPC: "vpc-01234567"}
	change := func(kind action.Kind) call {
		p := action.Permission{Action: "ec2:X", Resource: string(kind)}
		arn := s.arn(string(kind), "id-1")
		return call{p, arn, s.changeKeys(p, arn)}
	}
	ec2Read := action.Permission{Action: "ec2:DescribeInstances", Resource: anything}
	ssmRead := action.Permission{Action: "ssm:ListCommands", Resource: anything}
	for _, tt := range []struct {
		name, key string
		of        call
		want      truth
	}{
		{"a reading's region, of another service", "aws:RequestedRegion",
			call{resource: anything, keys: s.readKeys(ssmRead)}, yes},
		{"EC2's key of another service", "ec2:Region",
			call{resource: anything, keys: s.readKeys(ssmRead)}, no},
		{"an interface's VPC", "ec2:Vpc", change(action.NetworkInterface), yes},
		{"an instance's VPC", "ec2:Vpc", change(action.Instance), no},
		{"an instance's id", "ec2:InstanceID", change(action.Instance), yes},
		{"an interface's tag", "aws:ResourceTag/a", change(action.NetworkInterface), maybe},
		{"a reading's region", "aws:RequestedRegion",
			call{resource: anything, keys: s.readKeys(ec2Read)}, yes},
		{"a reading's VPC", "ec2:Vpc", call{resource: anything, keys: s.readKeys(ec2Read)}, no},
		{"a reading's tag", "aws:ResourceTag/a", call{resource: anything, keys: s.readKeys(ec2Read)}, no},
		{"a reading's caller", "aws:SourceIp",
			call{resource: anything, keys: s.readKeys(ec2Read)}, maybe},
	} {
		c := condition{operator: "StringLike", key: tt.key, values: []string{"*"}}
		if got := c.holds(tt.of); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// TestRestrictedTo: only a condition that must hold, on that key and for no other value, narrows.
func TestRestrictedTo(t *testing.T) {
	for _, tt := range []struct {
		operator string
		values   []string
		want     bool
	}{
		{"StringEquals", []string{"r"}, true}, {"StringLike", []string{"r"}, true},
		{"StringEquals", []string{"r", "s"}, false}, {"StringNotEquals", []string{"r"}, false},
		{"StringEqualsIfExists", []string{"r"}, false}, {"StringLike", []string{"r*"}, false},
		{"ForAnyValue:StringEquals", []string{"r"}, false}, {"Bool", []string{"r"}, false},
		{"ForAllValues:StringEquals", []string{"r"}, true},
	} {
		g := grant{conditions: []condition{{tt.operator, "EC2:region", tt.values}}}
		if got := g.restrictedTo([]string{"r"}, regionKeys...); got != tt.want {
			t.Errorf("%s %q: %v", tt.operator, tt.values, got)
		}
		if g.restrictedTo([]string{"r"}, "ec2:Vpc") {
			t.Error("a condition on another key narrows")
		}
	}
}

// TestForAllValuesRestrictsNoTag: it holds for a resource without the tag, too.
func TestForAllValuesRestrictsNoTag(t *testing.T) {
	for operator, want := range map[string]bool{
		"StringEquals": true, "ForAllValues:StringEquals": false, "StringEqualsIfExists": false,
	} {
		g := grant{conditions: []condition{{operator, "aws:ResourceTag/lab", []string{"yes"}}}}
		if got := g.restrictedTo([]string{"yes"}, "aws:ResourceTag/lab"); got != want {
			t.Errorf("%s: %t, want %t", operator, got, want)
		}
	}
	keys := grant{conditions: []condition{
		{"ForAllValues:StringEquals", "aws:TagKeys", []string{"lastfence"}}}}
	if !keys.restrictedTo([]string{"lastfence"}, "aws:TagKeys") {
		t.Error("keys of tags are restricted by ForAllValues, and that is not seen")
	}
}
