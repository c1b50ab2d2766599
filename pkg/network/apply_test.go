package network_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/network"
	"aws-provider-executor/pkg/protocol"
)

// TestBeforeAndAfter: whichever of the two the network was read in, both are the same.
func TestBeforeAndAfter(t *testing.T) {
	before := network.Network{
		Instances: []network.Instance{{ID: "i-1", State: "running"}},
		Interfaces: []network.Interface{
			{ID: "eni-a", Primary: "10.0.0.1", Secondary: []string{"10.0.0.9"}, Groups: []string{"sg-1"},
				SourceDestCheck: "true"},
			{ID: "eni-b", Primary: "10.0.0.2", Groups: []string{"sg-1", "sg-2"}},
		},
		RouteTables: []network.RouteTable{{ID: "rtb-1", Routes: []network.Route{
			{Destination: "10.1.0.0/24", Target: "tgw-1"}, {Destination: "10.3.0.0/24", Target: "eni-b"}}}},
	}.Sorted()
	changes := []protocol.Change{
		{Resource: "vpc-1/10.0.0.9", Attribute: "holder", From: "eni-a", To: "eni-b"},
		{Resource: "vpc-1/2001:db8::9", Attribute: "holder", From: "none", To: "eni-b"},
		{Resource: "eni-a", Attribute: "sourceDestCheck", From: "true", To: "false"},
		{Resource: "eni-b", Attribute: "securityGroups", From: "sg-1,sg-2", To: "sg-3"},
		{Resource: "rtb-1/10.1.0.0/24", Attribute: "target", From: "tgw-1", To: "eni-a"},
		{Resource: "rtb-1/10.2.0.0/24", Attribute: "target", From: "none", To: "eni-a"},
		{Resource: "rtb-1/10.3.0.0/24", Attribute: "target", From: "eni-b", To: "none"},
		{Resource: "i-1", Attribute: "power", From: "on", To: "off"},
		{Resource: "i-1", Attribute: "fenceBackup", From: "none", To: "1 eni-b=sg-1"},
		{Resource: "eni-gone", Attribute: "sourceDestCheck", From: "true", To: "false"},
	}
	after := network.Network{
		Instances: []network.Instance{{ID: "i-1", State: "stopped"}},
		Interfaces: []network.Interface{
			{ID: "eni-a", Primary: "10.0.0.1", Groups: []string{"sg-1"}, SourceDestCheck: "false"},
			{ID: "eni-b", Primary: "10.0.0.2", Secondary: []string{"10.0.0.9", "2001:db8::9"},
				Groups: []string{"sg-3"}},
		},
		RouteTables: []network.RouteTable{{ID: "rtb-1", Routes: []network.Route{
			{Destination: "10.1.0.0/24", Target: "eni-a"}, {Destination: "10.2.0.0/24", Target: "eni-a"}}}},
	}.Sorted()
	for name, n := range map[string]network.Network{"before": before, "after": after} {
		if diff := cmp.Diff(before, n.Before(changes)); diff != "" {
			t.Errorf("read %s, before (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(after, n.After(changes)); diff != "" {
			t.Errorf("read %s, after (-want +got):\n%s", name, diff)
		}
	}
}

// TestWith: what both have is there once.
func TestWith(t *testing.T) {
	a := network.Network{VPCs: []network.VPC{{ID: "vpc-1"}}, NotRead: []string{"x"},
		Interfaces: []network.Interface{{ID: "eni-2"}}}
	b := network.Network{VPCs: []network.VPC{{ID: "vpc-1"}}, Groups: []network.Group{{ID: "sg-1"}},
		Interfaces: []network.Interface{{ID: "eni-1"}}}
	want := network.Network{VPCs: a.VPCs, Groups: b.Groups, NotRead: a.NotRead,
		Interfaces: []network.Interface{{ID: "eni-1"}, {ID: "eni-2"}}}.Sorted()
	if diff := cmp.Diff(want, a.With(b)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
