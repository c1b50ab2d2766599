package ec2sim_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

const allowAll = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*",` +
	`"Resource":"*"}}`

func policy(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

func TestPolicies(t *testing.T) {
	const (
		reads   = `{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}`
		routers = `{"Effect":"Allow","Action":"ec2:*","Resource":"*",` +
			`"Condition":{"StringLike":{"aws:ResourceTag/Name":"router-*"}}}`
		here = `{"Effect":"Allow","Action":"ec2:*","Resource":"*",` +
			`"Condition":{"StringEquals":{"ec2:Region":"ap-northeast-1"}}}`
		there = `{"Effect":"Allow","Action":"ec2:*","Resource":"*",` +
			`"Condition":{"StringEquals":{"ec2:Region":"eu-west-1"}}}`
		oneENI = `{"Effect":"Allow","Action":"ec2:*",` +
			`"Resource":"arn:aws:ec2:ap-northeast-1:123456789012:network-interface/` +
			ec2sim.LabRouterAInterface + `"}`
		noTags  = `{"Effect":"Deny","Action":"ec2:CreateTags","Resource":"*"}`
		ownTags = `{"Effect":"Allow","Action":"ec2:CreateTags","Resource":"*",` +
			`"Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["mine"]}}}`
	)
	const arn = "arn:aws:ec2:ap-northeast-1:123456789012:"
	check := func(id string) []string {
		return []string{checkOp, eniParam(id), "SourceDestCheck.Value=false"}
	}
	groups := []string{checkOp, eniParam(ec2sim.LabRouterAInterface),
		"SecurityGroupId.1=" + ec2sim.LabGroupFence}
	tests := []struct {
		name     string
		policies []string
		call     []string
		denied   string // the resource of the refusal; empty when allowed
		because  string
	}{
		{"everything", []string{allowAll}, check(ec2sim.LabDBInterface0), "", ""},
		{"reads may read", []string{policy(reads)}, []string{"DescribeVpcs"}, "", ""},
		{"reads may not change", []string{policy(reads)}, check(ec2sim.LabRouterAInterface),
			arn + "network-interface/" + ec2sim.LabRouterAInterface,
			"because no identity-based policy allows the ec2:ModifyNetworkInterfaceAttribute action"},
		{"two policies together", []string{policy(reads), policy(routers)},
			check(ec2sim.LabRouterAInterface), "", ""},
		{"by tag, yes", []string{policy(routers)}, check(ec2sim.LabRouterAInterface), "", ""},
		{"by tag, no", []string{policy(routers)}, check(ec2sim.LabDBInterface0),
			arn + "network-interface/" + ec2sim.LabDBInterface0, "because"},
		{"a Describe has no tags", []string{policy(routers)}, []string{"DescribeVpcs"}, "*", "because"},
		{"by region, yes", []string{policy(here)}, []string{"DescribeVpcs"}, "", ""},
		{"by region, no", []string{policy(there)}, []string{"DescribeVpcs"}, "*", "because"},
		{"by resource, yes", []string{policy(oneENI)}, check(ec2sim.LabRouterAInterface), "", ""},
		{"by resource, no", []string{policy(oneENI)}, check(ec2sim.LabRouterBInterface),
			arn + "network-interface/" + ec2sim.LabRouterBInterface, "because"},
		{"groups are resources too", []string{policy(oneENI)}, groups,
			arn + "security-group/" + ec2sim.LabGroupFence, "because"},
		{"a deny wins", []string{allowAll, policy(noTags)},
			[]string{"CreateTags", "ResourceId.1=" + ec2sim.LabDB, "Tag.1.Key=k"},
			arn + "instance/" + ec2sim.LabDB, "with an explicit deny in an identity-based policy"},
		{"by tag keys, yes", []string{policy(ownTags)},
			[]string{"CreateTags", "ResourceId.1=" + ec2sim.LabDB, "Tag.1.Key=mine"}, "", ""},
		{"by tag keys, no", []string{policy(ownTags)},
			[]string{"CreateTags", "ResourceId.1=" + ec2sim.LabDB, "Tag.1.Key=mine", "Tag.2.Key=yours"},
			arn + "instance/" + ec2sim.LabDB, "because"},
		{"before it is known whether it exists", []string{policy(reads)}, check("eni-0123456789abcdef0"),
			arn + "network-interface/eni-0123456789abcdef0", "because"},
		{"before a dry run", []string{policy(reads)},
			append(check(ec2sim.LabRouterAInterface), "DryRun=true"),
			arn + "network-interface/" + ec2sim.LabRouterAInterface, "because"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := lab(t, ec2sim.WithPolicies(ec2sim.LabCredential.AccessKeyID, tt.policies...))
			before := p.sim.State()
			a := p.call(tt.call[0], tt.call[1:]...)
			if tt.denied == "" {
				if a.status != 200 {
					t.Errorf("refused: %d %s", a.status, a.message)
				}
				return
			}
			if a.status != 403 || a.code != "UnauthorizedOperation" {
				t.Fatalf("answered %d %s", a.status, a.code)
			}
			parts := []string{
				"You are not authorized to perform this operation. User: " +
					"arn:aws:iam::123456789012:user/lab-operator is not authorized to perform: ec2:" + tt.call[0],
				tt.because,
			}
			if tt.denied != "*" {
				parts = append(parts, " on resource: "+tt.denied+" ", "Encoded authorization failure message: ")
			}
			for _, part := range parts {
				if !strings.Contains(a.message, part) {
					t.Errorf("%q does not say %q", a.message, part)
				}
			}
			if tt.denied == "*" && strings.Contains(a.message, "resource") {
				t.Errorf("a Describe's refusal names a resource: %q", a.message)
			}
			if diff := cmp.Diff(before, p.sim.State()); diff != "" {
				t.Errorf("the refused call changed the world:\n%s", diff)
			}
		})
	}
}

func TestPoliciesAreOfOneKey(t *testing.T) {
	p := lab(t)
	if err := p.sim.SetPolicies(ec2sim.LabCredential.AccessKeyID,
		policy(`{"Effect":"Deny","Action":"*","Resource":"*"}`)); err != nil {
		t.Fatal(err)
	}
	if a := p.call("DescribeVpcs"); a.status != 403 {
		t.Errorf("answered %d", a.status)
	}
	role := *p
	role.key = ec2sim.LabRoleCredential
	role.ok("DescribeVpcs")
	if err := p.sim.SetPolicies(ec2sim.LabCredential.AccessKeyID, "{"); err == nil {
		t.Error("half a policy is one")
	}
	p.control("PUT", "policies",
		`{"accessKeyId":"`+ec2sim.LabCredential.AccessKeyID+`","policies":[`+allowAll+`]}`)
	p.ok("DescribeVpcs")
	p.sim.Reset()
	p.ok("DescribeVpcs")
}

// TestOnlyDry: what the stand-in does not carry out is refused aloud, and asked about by DryRun.
func TestOnlyDry(t *testing.T) {
	p := lab(t)
	before := p.sim.State()
	terminate := func(more ...string) answer {
		return p.call("RebootInstances", append([]string{"InstanceId.1=" + ec2sim.LabDB}, more...)...)
	}
	if a := terminate("DryRun=true"); a.code != "DryRunOperation" {
		t.Errorf("answered %d %s", a.status, a.code)
	}
	if a := terminate(); a.code != "UnsupportedOperation" {
		t.Errorf("answered %d %s", a.status, a.code)
	}
	if a := p.call("RebootInstances"); a.code != "MissingParameter" {
		t.Errorf("answered %d %s", a.status, a.code)
	}
	if err := p.sim.SetPolicies(ec2sim.LabCredential.AccessKeyID, policy(`{"Effect":"Allow",`+
		`"Action":"ec2:RebootInstances","Resource":"*","Condition":`+
		`{"StringEquals":{"aws:ResourceTag/Name":"router-a"}}}`)); err != nil {
		t.Fatal(err)
	}
	if a := terminate("DryRun=true"); a.code != "UnauthorizedOperation" {
		t.Errorf("answered %d %s", a.status, a.code)
	}
	if diff := cmp.Diff(before, p.sim.State()); diff != "" {
		t.Errorf("the world changed:\n%s", diff)
	}
}

// TestBoundaryOfARole: a refusal says that it is the boundary's.
func TestBoundaryOfARole(t *testing.T) {
	reads := policy(`{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}`)
	p := lab(t, ec2sim.WithRole(ec2sim.LabCredential.AccessKeyID, ec2sim.Role{Name: "r",
		Inline: map[string]string{"all": allowAll}, Boundary: reads}))
	p.ok("DescribeVpcs")
	a := p.call(checkOp, eniParam(ec2sim.LabRouterAInterface), "SourceDestCheck.Value=false")
	if a.code != "UnauthorizedOperation" ||
		!strings.Contains(a.message, "no permissions boundary allows the ec2:"+checkOp+" action") {
		t.Errorf("answered %s: %s", a.code, a.message)
	}
	if err := p.sim.SetRole(ec2sim.LabCredential.AccessKeyID, ec2sim.Role{Boundary: "{"}); err == nil {
		t.Error("half a boundary is one")
	}
}

// TestARoleWithoutPoliciesMayNothing: unlike a key of which nothing is said.
func TestARoleWithoutPoliciesMayNothing(t *testing.T) {
	p := lab(t, ec2sim.WithRole(ec2sim.LabCredential.AccessKeyID, ec2sim.Role{Name: "r"}))
	if a := p.call("DescribeVpcs"); a.code != "UnauthorizedOperation" {
		t.Errorf("answered %d %s", a.status, a.code)
	}
}
