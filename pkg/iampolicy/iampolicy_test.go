package iampolicy_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/iampolicy"
	"aws-provider-executor/pkg/protocol"
)

const (
	nic      = "eni-01088600000000011"
	holder   = "eni-01088600000000012"
	instance = "i-01088600000000020"
	table    = "rtb-01088000000000060"
)

func wanted(c iampolicy.Choice, s iampolicy.Scope) iampolicy.Wanted {
	if s.Region == "" {
		s.Region = "ap-northeast-1"
	}
	if s.IDs == nil {
		s.IDs = map[action.Kind][]string{}
	}
	return iampolicy.Wanted{Choice: c, Scope: s, Extras: iampolicy.Extras()}
}

// resolved fails the test where the choice or the scope is wrong.
func resolved(t *testing.T, w iampolicy.Wanted) iampolicy.Wanted {
	t.Helper()
	if err := w.Resolve(actions.Registry(), nil); err != nil {
		t.Fatal(err)
	}
	return w
}

// grants lists "action kind" of a policy, sorted.
func grants(d iampolicy.Document) string {
	var all []string
	for _, s := range d.Statement {
		resource := s.Resource[0]
		kind, _, _ := strings.Cut(resource[strings.LastIndex(resource, ":")+1:], "/")
		for _, a := range s.Action {
			all = append(all, strings.TrimPrefix(a, "ec2:")+" "+kind)
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

func TestSmallestPolicies(t *testing.T) {
	const modify = "ModifyNetworkInterfaceAttribute "
	for _, tt := range []struct {
		name   string
		choice iampolicy.Choice
		want   []string
	}{
		{"the four interface verbs of an IPv4 lab", iampolicy.Choice{Family: action.IPv4,
			Verbs: []string{"assign-secondary-ip", "unassign-secondary-ip", "ensure-forwarding-enabled",
				"ensure-forwarding-disabled"}},
			[]string{"AssignPrivateIpAddresses network-interface", "DescribeNetworkInterfaces *",
				modify + "network-interface", "UnassignPrivateIpAddresses network-interface"}},
		{"a verb brings its undo", iampolicy.Choice{Verbs: []string{"assign-secondary-ip"},
			Family: action.IPv6},
			[]string{"AssignIpv6Addresses network-interface", "DescribeNetworkInterfaces *",
				"UnassignIpv6Addresses network-interface"}},
		{"a release alone", iampolicy.Choice{Verbs: []string{"unassign-secondary-ip"},
			Family: action.IPv4},
			[]string{"DescribeNetworkInterfaces *", "UnassignPrivateIpAddresses network-interface"}},
		{"an undo that gives back", iampolicy.Choice{Verbs: []string{"unassign-secondary-ip"},
			Family: action.IPv4, With: []string{"priorHolder"}},
			[]string{"AssignPrivateIpAddresses network-interface", "DescribeNetworkInterfaces *",
				"UnassignPrivateIpAddresses network-interface"}},
		{"a new route", iampolicy.Choice{Verbs: []string{"assign-route-table-route"}},
			[]string{"CreateRoute route-table", "DeleteRoute route-table", "DescribeRouteTables *"}},
		{"a route taken over, and foreseen", iampolicy.Choice{
			Verbs: []string{"assign-route-table-route"},
			With:  []string{"allowReassignment", iampolicy.Foresight}},
			[]string{"CreateRoute route-table", "DeleteRoute route-table", "DescribeNetworkInterfaces *",
				"DescribeRouteTables *", "DescribeSubnets *", "ReplaceRoute route-table"}},
		{"a fence", iampolicy.Choice{Verbs: []string{"fence-security-groups"}},
			[]string{"CreateTags instance", "DeleteTags instance", "DescribeInstances *",
				"DescribeSecurityGroups *", modify + "network-interface", modify + "security-group"}},
		{"a fence with power", iampolicy.Choice{Verbs: []string{"fence-security-groups"},
			With: []string{"onFencePoweroff", "powerOn"}},
			[]string{"CreateTags instance", "DeleteTags instance", "DescribeInstances *",
				"DescribeSecurityGroups *", modify + "network-interface", modify + "security-group",
				"StartInstances instance", "StopInstances instance"}},
		{"the inventory", iampolicy.Choice{With: []string{iampolicy.Inventory}},
			[]string{"DescribeInstances *", "DescribeNetworkInterfaces *", "DescribeRouteTables *",
				"DescribeSubnets *"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := resolved(t, wanted(tt.choice, iampolicy.Scope{}))
			if diff := cmp.Diff(strings.Join(tt.want, "\n"), grants(w.Policy())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestScopeOfStatements: reading is restricted to the region alone; changing to what is named.
func TestScopeOfStatements(t *testing.T) {
	w := resolved(t, wanted(
		iampolicy.Choice{Verbs: []string{"fence-security-groups", "ensure-forwarding-enabled"}},
		iampolicy.Scope{Region: "cn-north-1", Account: "123456789012", VPC: "vpc-01088000000000000",
			IDs: map[action.Kind][]string{action.NetworkInterface: {holder, nic, nic},
				action.Instance: {instance}},
			Tags: map[string]string{"routerd": "managed"}}))
	const arn, vpc = "arn:aws-cn:ec2:cn-north-1:123456789012:", "vpc/vpc-01088000000000000"
	tag := map[string]iampolicy.Texts{"aws:ResourceTag/routerd": {"managed"}}
	inVPC := map[string]iampolicy.Texts{"ec2:Vpc": {arn + vpc}}
	modify := []string{"ec2:ModifyNetworkInterfaceAttribute"}
	want := []iampolicy.Statement{
		{Sid: "Read", Effect: "Allow", Resource: iampolicy.Texts{"*"},
			Action: []string{"ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces",
				"ec2:DescribeSecurityGroups"},
			Condition: map[string]map[string]iampolicy.Texts{
				"StringEquals": {"ec2:Region": {"cn-north-1"}}}},
		{Sid: "ChangeInstanceTags", Effect: "Allow",
			Action:   []string{"ec2:CreateTags", "ec2:DeleteTags"},
			Resource: iampolicy.Texts{arn + "instance/" + instance},
			Condition: map[string]map[string]iampolicy.Texts{"StringEquals": tag,
				"ForAllValues:StringLike": {"aws:TagKeys": {"lastfence", "Original_SG_Backup_*"}},
				"Null":                    {"aws:TagKeys": {"false"}}}},
		{Sid: "ChangeNetworkInterface", Effect: "Allow", Action: modify,
			Resource: iampolicy.Texts{arn + "network-interface/" + nic,
				arn + "network-interface/" + holder},
			Condition: map[string]map[string]iampolicy.Texts{"StringEquals": tag, "ArnLike": inVPC}},
		{Sid: "ChangeSecurityGroup", Effect: "Allow", Action: modify,
			Resource:  iampolicy.Texts{arn + "security-group/*"},
			Condition: map[string]map[string]iampolicy.Texts{"ArnLike": inVPC}},
	}
	d := w.Policy()
	if diff := cmp.Diff(want, d.Statement); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	text, err := d.JSON()
	var again iampolicy.Document
	if err != nil || json.Unmarshal(text, &again) != nil || !cmp.Equal(d, again) {
		t.Errorf("the document does not survive JSON: %v\n%s", err, text)
	}
	if n := len(strings.Join(strings.Fields(string(text)), "")); d.Size() != n {
		t.Errorf("size %d, want %d", d.Size(), n)
	}
}

func TestFaultsAreToldTogether(t *testing.T) {
	for _, tt := range []struct {
		name   string
		choice iampolicy.Choice
		scope  iampolicy.Scope
		want   []string
	}{
		{"nothing", iampolicy.Choice{}, iampolicy.Scope{}, []string{"the policy is for nothing"}},
		{"everything wrong", iampolicy.Choice{Verbs: []string{"fly"}, Family: "ipv5",
			With: []string{"wings"}},
			iampolicy.Scope{Region: "moon", Account: "1", VPC: "x", Tags: map[string]string{"a": "*"},
				IDs: map[action.Kind][]string{"balloon": {"b"}, action.Instance: {"i-1"}}},
			[]string{`no action "fly"`, `the family is "ipv5"`, `--with has no "wings"`,
				`the region "moon"`, `the account "1"`, `the VPC "x"`, `the tag "a"="*"`,
				"balloon is no kind", `the instance "i-1"`}},
		{"another partition", iampolicy.Choice{With: []string{"inventory"}},
			iampolicy.Scope{Partition: "aws-cn"}, []string{"is in the partition aws, not in"}},
		{"a resource that nothing changes", iampolicy.Choice{Verbs: []string{"assign-secondary-ip"}},
			iampolicy.Scope{IDs: map[action.Kind][]string{action.RouteTable: {table}}},
			[]string{table + " is named, and nothing that the policy is for changes a route-table"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := wanted(tt.choice, tt.scope)
			err := w.Resolve(actions.Registry(), iampolicy.Faults{"known before"})
			for _, word := range append(tt.want, "known before") {
				if err == nil || !strings.Contains(err.Error(), word) {
					t.Errorf("%v does not say %q", err, word)
				}
			}
		})
	}
}

// TestPolicyOfRequests: verbs, parameters, family, region and resources are the requests'.
func TestPolicyOfRequests(t *testing.T) {
	request := func(verb string, target, parameters map[string]string) protocol.Request {
		target["region"] = "ap-northeast-1"
		return protocol.Request{Action: verb, Target: target, Parameters: parameters,
			IdempotencyKey: "k-" + verb}
	}
	assign := func(parameters map[string]string) protocol.Request {
		return request("assign-secondary-ip", map[string]string{"nicRef": nic, "address": "10.0.0.9"},
			parameters)
	}
	const take = "allowReassignment"
	for _, tt := range []struct {
		name     string
		requests []protocol.Request
		ids      []string
		with     []string
		family   action.AddressFamily
		noted    bool
	}{
		{"a free address", []protocol.Request{assign(nil)}, []string{nic}, nil, action.IPv4, false},
		{"false is no parameter", []protocol.Request{assign(map[string]string{take: "no"})},
			[]string{nic}, nil, action.IPv4, false},
		{"taken from a named holder",
			[]protocol.Request{assign(map[string]string{take: "1", "expectedHolderRef": holder})},
			[]string{nic, holder}, []string{take}, action.IPv4, false},
		{"taken from whoever has it", []protocol.Request{assign(map[string]string{take: "true"})},
			nil, []string{take}, action.IPv4, true},
		{"both families", []protocol.Request{assign(nil), request("assign-secondary-ip",
			map[string]string{"nicRef": holder, "address": "2001:db8::9"}, nil)},
			[]string{nic, holder}, nil, "", false},
		{"a route by its strategy", []protocol.Request{request("assign-secondary-ip",
			map[string]string{"nicRef": nic, "routeTableRef": table, "address": "10.0.0.9",
				"captureStrategy": "route-table"}, nil)},
			[]string{table}, nil, action.IPv4, false},
		{"a fence names no interface", []protocol.Request{request("fence-security-groups",
			map[string]string{"instanceRef": instance},
			map[string]string{"securityGroups": "sg-01088000000000003", "onFencePoweroff": "true"})},
			[]string{instance}, []string{"onFencePoweroff"}, "", true},
		{"tags of an instance", []protocol.Request{request("ensure-tags",
			map[string]string{"resourceRef": instance}, map[string]string{"tag.a": "b"})},
			[]string{instance}, nil, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := wanted(iampolicy.Choice{}, iampolicy.Scope{})
			w.Scope.Region = ""
			if faults := w.Add(actions.Registry(), tt.requests); len(faults) > 0 {
				t.Fatal(faults)
			}
			w = resolved(t, w)
			var ids []string
			for _, kind := range action.Kinds() {
				ids = append(ids, w.Scope.IDs[kind]...)
			}
			if diff := cmp.Diff(tt.ids, ids); diff != "" {
				t.Errorf("resources (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.with, w.Choice.With); diff != "" {
				t.Errorf("with (-want +got):\n%s", diff)
			}
			if w.Choice.Family != tt.family || (len(w.Notes) > 0) != tt.noted ||
				w.Scope.Region != "ap-northeast-1" {
				t.Errorf("family %q, notes %q, region %q", w.Choice.Family, w.Notes, w.Scope.Region)
			}
		})
	}
	w := wanted(iampolicy.Choice{}, iampolicy.Scope{Region: "eu-west-1"})
	faults := w.Add(actions.Registry(), []protocol.Request{assign(nil), {Action: "fly"}})
	if len(faults) != 2 || !strings.Contains(faults.Error(), `is for the region "ap-northeast-1"`) ||
		!strings.Contains(faults.Error(), `no action "fly"`) {
		t.Errorf("faults: %v", faults)
	}
}

// TestLeftOutIsTold: what some request for the verbs needs besides, and nothing else.
func TestLeftOutIsTold(t *testing.T) {
	w := resolved(t, wanted(iampolicy.Choice{Verbs: []string{"assign-route-table-route"}},
		iampolicy.Scope{}))
	var names []string
	for _, p := range w.LeftOut(actions.Registry()) {
		names = append(names, p.Action)
	}
	want := []string{"ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:ReplaceRoute"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTagKeysAreMergedByTheWider: one verb's limit on tags is not put on another that has none.
func TestTagKeysAreMergedByTheWider(t *testing.T) {
	verb := func(name string, keys ...string) action.Verb {
		return action.Verb{Name: name, Plan: noPlan, Permissions: []action.Permission{
			{Action: "ec2:CreateTags", Change: true, Resource: "instance", TagKeys: keys}}}
	}
	registry := action.NewRegistry([]action.Verb{verb("a", "x"), verb("b", "y", "x"),
		verb("c")})
	for _, tt := range []struct {
		verbs []string
		want  []string
	}{
		{[]string{"a"}, []string{"x"}}, {[]string{"a", "b"}, []string{"x", "y"}},
		{[]string{"a", "c", "b"}, nil}, {[]string{"c", "a"}, nil},
	} {
		needed, err := iampolicy.Needs(registry, nil, iampolicy.Choice{Verbs: tt.verbs})
		if err != nil || len(needed) != 1 || !slices.Equal(needed[0].TagKeys, tt.want) {
			t.Errorf("%v: %v %v, want the keys %v", tt.verbs, needed, err, tt.want)
		}
	}
}

func noPlan(context.Context, any, action.Request) (*action.Plan, error) { return nil, nil }

// TestKindsOfTargets: a verb whose target may be of several kinds needs to change those alone that
// the scope names; without any of them, all.
func TestKindsOfTargets(t *testing.T) {
	all := []string{"network-interface", "instance", "elastic-ip"}
	describes := map[string]string{"network-interface": "DescribeNetworkInterfaces",
		"instance": "DescribeInstances", "elastic-ip": "DescribeAddresses"}
	for _, c := range []struct {
		name string
		ids  map[action.Kind][]string
		want []string
	}{
		{"none is named", nil, all},
		{"an instance", map[action.Kind][]string{action.Instance: {instance}}, []string{"instance"}},
		{"two", map[action.Kind][]string{action.Instance: {instance}, action.NetworkInterface: {nic}},
			[]string{"network-interface", "instance"}},
	} {
		w := resolved(t, wanted(iampolicy.Choice{Verbs: []string{"ensure-tags"}},
			iampolicy.Scope{IDs: c.ids}))
		want := []string{"DescribeTags *"}
		for _, kind := range c.want {
			want = append(want, describes[kind]+" *", "CreateTags "+kind, "DeleteTags "+kind)
		}
		slices.Sort(want)
		if diff := cmp.Diff(strings.Join(want, "\n"), grants(w.Policy())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	// What is named is of no kind that the verb takes.
	verbs := []string{"ensure-tags", "assign-route-table-route"}
	ids := map[action.Kind][]string{action.RouteTable: {table}}
	w := resolved(t, wanted(iampolicy.Choice{Verbs: verbs}, iampolicy.Scope{IDs: ids}))
	for _, kind := range all {
		if !strings.Contains(grants(w.Policy()), "CreateTags "+kind) {
			t.Errorf("without %s: %s", kind, grants(w.Policy()))
		}
	}
}
