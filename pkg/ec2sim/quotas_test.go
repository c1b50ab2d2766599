package ec2sim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

// numbered are parameters whose names are numbered from 1.
func numbered(name string, values ...string) []string {
	var list []string
	for i, v := range values {
		list = append(list, fmt.Sprintf("%s.%d=%s", name, i+1, v))
	}
	return list
}

// Each quota lets through what it is, and refuses one more.
func TestQuotas(t *testing.T) {
	type change struct {
		operation string
		params    []string
	}
	a := eniParam(ec2sim.LabRouterAInterface)
	groups := []string{ec2sim.LabGroupRouter, ec2sim.LabGroupWeb, ec2sim.LabGroupFence}
	tag := func(n string) change {
		return change{"CreateTags",
			[]string{"ResourceId.1=" + ec2sim.LabDB, "Tag.1.Key=" + n, "Tag.1.Value=v"}}
	}
	route := func(cidr string) change { return change{"CreateRoute", []string{rtb, to(cidr), viaA}} }
	for _, tt := range []struct {
		name          string
		quotas        ec2sim.Quotas
		most, more    change
		code, message string
	}{
		{"groups", ec2sim.Quotas{GroupsPerInterface: 2},
			change{checkOp, append(numbered("SecurityGroupId", groups[:2]...), a)},
			change{checkOp, append(numbered("SecurityGroupId", groups...), a)},
			"SecurityGroupsPerInterfaceLimitExceeded",
			"The maximum number of security groups per interface has been reached."},
		{"addresses", ec2sim.Quotas{AddressesPerInterface: 3},
			change{"AssignPrivateIpAddresses",
				[]string{a, "PrivateIpAddress.1=10.88.60.200", "PrivateIpAddress.2=10.88.60.201"}},
			change{"AssignPrivateIpAddresses", []string{a, "PrivateIpAddress.1=10.88.60.202"}},
			"PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit."},
		{"IPv6 addresses", ec2sim.Quotas{AddressesPerInterface: 2},
			change{"AssignIpv6Addresses", []string{a, "Ipv6AddressCount=1"}},
			change{"AssignIpv6Addresses", []string{a, "Ipv6AddressCount=1"}},
			"PrivateIpAddressLimitExceeded", "Number of IPv6 addresses will exceed limit."},
		{"interfaces", ec2sim.Quotas{InterfacesPerInstance: 2},
			change{attachOp, attaching(ec2sim.LabSpareInterface, ec2sim.LabRouterA, "1")},
			change{attachOp, attaching(ec2sim.LabSpareInterface, ec2sim.LabDB, "2")},
			"AttachmentLimitExceeded", "Interface count 3 exceeds the limit for t3.small"},
		// The table has two routes beside the local ones.
		{"routes", ec2sim.Quotas{RoutesPerTable: 3}, route("10.1.0.0/16"), route("10.2.0.0/16"),
			"RouteLimitExceeded", "The maximum number of routes has been reached."},
		// The instance has a Name.
		{"tags", ec2sim.Quotas{TagsPerResource: 2}, tag("a"), tag("b"),
			"TagLimitExceeded", "The maximum number of Tags for a resource has been reached."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := lab(t, ec2sim.WithQuotas(tt.quotas))
			if tt.name == "interfaces" {
				p.refuses(t, []refusal{{"one more", tt.more.operation, tt.more.params, 0, tt.code, tt.message}})
				p.ok(tt.most.operation, tt.most.params...)
				return
			}
			p.ok(tt.most.operation, tt.most.params...)
			p.refuses(t, []refusal{{"one more", tt.more.operation, tt.more.params, 0, tt.code, tt.message}})
		})
	}
}

// The families of routes are counted apart, and a replaced route is none more.
func TestQuotaOfRoutesIsPerFamily(t *testing.T) {
	p := lab(t, ec2sim.WithQuotas(ec2sim.Quotas{RoutesPerTable: 2}))
	p.ok("CreateRoute", rtb, "DestinationIpv6CidrBlock=2001:db8:9::/48", viaA)
	p.ok("ReplaceRoute", rtb, to(ec2sim.LabRoute), viaB)
	p.refuses(t, []refusal{{"one more", "CreateRoute", []string{rtb, to("10.1.0.0/16"), viaA}, 0,
		"RouteLimitExceeded", "The maximum number of routes has been reached."}})
}

func TestControlOfQuotas(t *testing.T) {
	p := lab(t)
	put := func(body string) (int, string) { return p.control(http.MethodPut, "quotas", body) }
	if status, text := put(`{"groupsPerInterface":16,"tagsPerResource":3}`); status != 204 {
		t.Fatalf("%d %s", status, text)
	}
	want := ec2sim.Quotas{GroupsPerInterface: 16, TagsPerResource: 3}
	if diff := cmp.Diff(want, p.sim.Quotas()); diff != "" {
		t.Error(diff)
	}
	if _, text := p.control(http.MethodGet, "quotas", ""); !strings.Contains(text,
		`"groupsPerInterface": 16`) {
		t.Errorf("told %s", text)
	}
	for body, why := range map[string]string{
		`{"groupsPerInterface":-1}`: "cannot set a quota of -1", `{"groups":1}`: "unknown field",
		`[]`: "cannot read",
	} {
		if status, text := put(body); status != 400 || !strings.Contains(text, why) {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
	if diff := cmp.Diff(want, p.sim.Quotas()); diff != "" {
		t.Errorf("a refused quota is in force:\n%s", diff)
	}
	p.control(http.MethodPost, "reset", "")
	if diff := cmp.Diff(ec2sim.Quotas{}, p.sim.Quotas()); diff != "" {
		t.Errorf("after a reset:\n%s", diff)
	}
}
