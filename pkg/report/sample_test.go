package report_test

import (
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/network"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/report"
	"aws-provider-executor/pkg/view"
)

var now = time.Date(2026, 11, 28, 22, 0, 0, 0, time.UTC)

// lan is the network around a machine with two interfaces and two routers.
func lan() network.Network {
	return network.Network{
		VPCs: []network.VPC{{ID: "vpc-01088000000000000", Name: "lab", CIDRs: []string{"10.88.0.0/16"}}},
		Subnets: []network.Subnet{
			{ID: "subnet-0108800000000000a", Name: "front", VPC: "vpc-01088000000000000",
				CIDRs: []string{"10.88.60.0/24", "2001:db8:1088:60::/64"}},
			{ID: "subnet-0108800000000000b", Name: "back", VPC: "vpc-01088000000000000",
				CIDRs: []string{"10.88.61.0/24"}},
		},
		Instances: []network.Instance{
			{ID: "i-01088600000000011", Name: "router-a", State: "running"},
			{ID: "i-01088600000000012", Name: "router-b", State: "running"},
			{ID: "i-01088600000000020", Name: "db", State: "running"},
		},
		Interfaces: []network.Interface{
			nic("eni-01088600000000011", "a", "i-01088600000000011", "10.88.60.11"),
			nic("eni-01088600000000012", "a", "i-01088600000000012", "10.88.60.12", "10.88.60.100"),
			nic("eni-01088600000000020", "a", "i-01088600000000020", "10.88.60.20"),
			nic("eni-01088600000000021", "b", "i-01088600000000020", "10.88.61.20"),
		},
		Groups: []network.Group{
			{ID: "sg-01088000000000001", Name: "web"}, {ID: "sg-01088000000000002", Name: "fence"}},
		RouteTables: []network.RouteTable{{
			ID: "rtb-01088000000000001", Name: "private", VPC: "vpc-01088000000000000",
			Subnets: []string{"subnet-0108800000000000a"},
			Routes: []network.Route{
				{Destination: "10.88.0.0/16", Target: "local"},
				{Destination: "10.99.0.0/24", Target: "tgw-01088000000000000"},
				{Destination: "0.0.0.0/0", Target: "nat-01088000000000000", Blackhole: true},
			},
		}},
	}.Sorted()
}

func nic(id, subnet, instance, primary string, more ...string) network.Interface {
	return network.Interface{
		ID: id, Subnet: "subnet-0108800000000000" + subnet, Instance: instance, Primary: primary,
		VPC: "vpc-01088000000000000", Secondary: more, SourceDestCheck: "true",
		Groups: []string{"sg-01088000000000001"},
	}
}

// takeover is an action that takes an address from another router.
func takeover() report.Item {
	n := lan()
	move := func(from, to string) []protocol.Change {
		return []protocol.Change{{Resource: "vpc-01088000000000000/10.88.60.100", Attribute: "holder",
			From: from, To: to}}
	}
	return report.Item{
		Card: view.Card{
			Title: "7 mobility-7/assign", Action: "assign-secondary-ip",
			Says: "would assign 10.88.60.100 to eni-01088600000000011, taking it from " +
				"eni-01088600000000012",
			Risk: action.Risk{Level: action.Medium,
				Doc: "Whoever used the address loses it at once, and their connections with it."},
			Planned: "high",
			Changes: move("eni-01088600000000012", "eni-01088600000000011"),
			Undo:    move("eni-01088600000000011", "eni-01088600000000012"),
			Names:   n.Name, UndoVerb: "unassign-secondary-ip", Asked: now.Add(-4 * time.Minute),
			Evidence: "sha256:ab", EvidenceAt: now.Add(-5 * time.Minute), Now: now,
		},
		Status: "approved", Network: n,
		Target: []report.Fact{{Name: "nicRef", Value: "eni-01088600000000011"},
			{Name: "address", Value: "10.88.60.100"}, {Name: "region", Value: "ap-northeast-1"}},
		Checks: []preflight.Check{
			{Name: "target", Verdict: preflight.Pass, Seen: "eni-01088600000000011 of router-a, running"},
			{Name: "address-free", Verdict: preflight.Warn, Seen: "held by eni-01088600000000012 (router-b)",
				Advice: "make sure that router-b is to lose it"},
			{Name: "room", Verdict: preflight.Unknown,
				Seen:   "the limit of t3.medium could not be read: ec2:DescribeInstanceTypes is not allowed",
				Advice: "grant it, or count the addresses by hand"},
		},
		Approvals: []report.Approval{
			{By: "ann", At: now.Add(-3 * time.Minute),
				How: "signed, SHA256:5fT0Qk2a7YkXz7jP9m3d1rC8vLw6hN4bU0eSgItJxQo"},
			{By: "bob", At: now.Add(-time.Hour), How: "self-declared", Other: true},
		},
		Digests: []report.Fact{{Name: "plan",
			Value: "sha256:1f40fc92da241694750979ee6cf582f2d5d7d28e18335de05abc54d0560e0f53"}},
	}
}

// fence is an action that cuts a machine off.
func fence() report.Item {
	i := takeover()
	groups := func(nic, from, to string) protocol.Change {
		return protocol.Change{Resource: nic, Attribute: "securityGroups", From: from, To: to}
	}
	const web, cut = "sg-01088000000000001", "sg-01088000000000002"
	i.Title, i.Action = "8 fence/db", "fence-security-groups"
	i.Says = "would fence i-01088600000000020"
	i.Risk = action.Risk{Level: action.High,
		Doc: "The instance is cut off, but for connections that are tracked already."}
	i.Planned, i.UndoVerb, i.Status, i.Approvals = "", "unfence-security-groups", "pending", nil
	i.Changes = []protocol.Change{
		{Resource: "i-01088600000000020", Attribute: "fenceBackup", From: "none",
			To: "1700000000 eni-01088600000000020=" + web},
		groups("eni-01088600000000020", web, cut), groups("eni-01088600000000021", web, cut),
		{Resource: "i-01088600000000020", Attribute: "power", From: "on", To: "off"},
	}
	i.Undo = []protocol.Change{
		groups("eni-01088600000000020", cut, web), groups("eni-01088600000000021", cut, web)}
	return i
}

// unfence is the undo of the fence, as an action.
func unfence() report.Item {
	i := fence()
	i.Title, i.Action = "fence/db:undo", i.UndoVerb
	i.Says = "would give i-01088600000000020 its groups"
	i.Changes, i.Undo, i.UndoVerb, i.IsUndo = i.Undo, nil, "", true
	return i
}

// page is a page of items.
func page(items ...report.Item) report.Page {
	return report.Page{
		Items: items, Made: now, By: "actionctl v1",
		Checks: []preflight.Check{
			{Name: "identity", Verdict: preflight.Pass,
				Seen: "arn:aws:sts::123456789012:assumed-role/lab/i"}},
		Facts: []report.Fact{{Name: "by", Value: "ann at ops-1 (self-declared)"}},
	}
}
