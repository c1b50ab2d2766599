package inventory_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

// What a core makes of an address. Only clients' addresses are advertised.
const (
	ownAddress   = "the node's own"
	captured     = "captured by the node"
	routers      = "another router's own"
	toTakeOver   = "held by another router: to be taken over when it fails"
	client       = "a client's: advertised"
	notSelected  = "not asked for"
	stoppedHost  = "a stopped client's: released"
	anothersRole = "a service's: advertised"
)

// core reads a result as a core does. It knows nothing of what made the result.
type core struct {
	prefix   netip.Prefix
	selector map[string]string
}

// decide tells what becomes of each address in the prefix. Where a list is not there, a core reads
// the next one.
func (c core) decide(a answer) map[string]string {
	s := a.Status
	candidates, local := s.ObservedCandidates, s.LocalIPs
	if len(candidates) == 0 {
		candidates = s.IPs
	}
	if len(local) == 0 {
		local = candidates
	}
	verdicts := map[string]string{}
	resource := ""
	for _, e := range local {
		if e.NICRef == s.Self.NICRef {
			resource = e.ResourceRef
		}
	}
	for _, e := range local {
		if c.has(e) && e.ResourceRef == resource {
			verdicts[e.Address] = captured
			if e.Primary {
				verdicts[e.Address] = ownAddress
			}
		}
	}
	for _, e := range candidates {
		if _, decided := verdicts[e.Address]; !decided && c.has(e) {
			verdicts[e.Address] = c.of(e)
		}
	}
	return verdicts
}

func (c core) has(e entry) bool {
	a, err := netip.ParseAddr(e.Address)
	return err == nil && c.prefix.Contains(a)
}

func (c core) of(e entry) string {
	switch {
	case e.ResourceType == "router-nic" && e.Primary:
		return routers
	case e.ResourceType == "router-nic":
		return toTakeOver
	}
	for key, want := range c.selector {
		if e.Tags[key] != want {
			return notSelected
		}
	}
	switch {
	case e.InstanceState == "stopped":
		return stoppedHost
	case e.ResourceType == "private-endpoint":
		return anothersRole
	}
	return client
}

const (
	coreVPC    = "vpc-00000000000000001"
	coreSubnet = "subnet-00000000000000001"
	coreTable  = "rtb-00000000000000002"
)

// coreWorld is a pair of routers, more routers that are told by tag, by check and by name,
// clients, a load balancer, a NAT gateway, an endpoint, a stopped instance and a spare.
func coreWorld(key string) *ec2sim.Sim {
	sim := ec2sim.New(ec2sim.WithCredentials(ec2sim.LabCredential))
	w := sim.Region(region)
	w.AddVPC(ec2sim.VPC{ID: coreVPC, CIDR: "10.0.0.0/16"})
	w.AddSubnet(ec2sim.Subnet{ID: coreSubnet, VPCID: coreVPC, CIDR: "10.0.0.0/24"})
	n := 0
	add := func(instance, nic ec2sim.Tags, state string, check bool, addresses ...string) {
		n++
		id := string("0123456789abcdef"[n/16]) + string("0123456789abcdef"[n%16])
		eni := ec2sim.Interface{
			ID:              "eni-000000000000000" + id,
			SubnetID:        coreSubnet,
			SourceDestCheck: check,
			Tags:            nic,
		}
		for i, a := range addresses {
			eni.PrivateAddresses = append(
				eni.PrivateAddresses,
				ec2sim.PrivateAddress{Address: a, Primary: i == 0},
			)
		}
		if state == "" {
			w.AddInterface(eni)
			return
		}
		w.AddInstance(
			ec2sim.Instance{ID: "i-000000000000000" + id, Type: "m5.large", State: state, Tags: instance},
			eni,
		)
	}
	tags := func(pairs ...string) ec2sim.Tags {
		t := ec2sim.Tags{}
		for i := 0; i < len(pairs); i += 2 {
			t[pairs[i]] = pairs[i+1]
		}
		return t
	}
	pool := "pool"
	// The pair. The node itself is tagged as a client by mistake, and is none.
	add(tags("role", "client", pool, "lab"), nil, "running", true, "10.0.0.11", "10.0.0.100")
	add(
		tags("Routerd.Role", "routerd-cloud", pool, "lab"),
		nil,
		"running",
		true,
		"10.0.0.12",
		"10.0.0.101",
	)
	// Told by check, whatever the tags; by name; by an interface's tag; by purpose; stopped.
	add(tags("role", "client", pool, "lab"), nil, "running", false, "10.0.0.13", "10.0.0.102")
	add(tags("Name", "edge-router.1", pool, "lab"), nil, "running", true, "10.0.0.14", "10.0.0.103")
	add(tags(pool, "lab"), tags("node_role", "router"), "running", true, "10.0.0.15")
	add(tags("purpose", "router", pool, "lab"), nil, "stopped", true, "10.0.0.16", "10.0.0.104")
	// Clients, some of which look like routers.
	add(
		tags("role", "workload", "Name", "router-test", pool, "lab"),
		nil,
		"running",
		true,
		"10.0.0.21",
		"10.0.0.22",
	)
	add(
		tags("Name", "routerd-builder", pool, "lab"),
		tags("Name", "router"),
		"running",
		true,
		"10.0.0.23",
	)
	add(tags(pool, "lab"), nil, "running", true, "10.0.0.24")
	add(nil, tags(pool, "lab"), "running", true, "10.0.0.25")
	add(tags(pool, "other"), tags(pool, "lab"), "running", true, "10.0.0.26")
	add(nil, nil, "running", true, "10.0.0.27")
	add(tags(pool, "lab"), nil, "stopped", true, "10.0.0.28")
	add(nil, tags(pool, "lab"), "", true, "10.0.0.31")
	for _, s := range []struct {
		kind, address string
		check         bool
	}{{"network_load_balancer", "10.0.0.41", true}, {"vpc_endpoint", "10.0.0.42", true},
		{"nat_gateway", "10.0.0.43", false}} {
		n++
		id := string("0123456789abcdef"[n/16]) + string("0123456789abcdef"[n%16])
		w.AddInterface(ec2sim.Interface{
			ID:               "eni-000000000000000" + id,
			SubnetID:         coreSubnet,
			Type:             s.kind,
			RequesterManaged: true,
			SourceDestCheck:  s.check,
			Tags: tags(
				pool,
				"lab",
			),
			PrivateAddresses: []ec2sim.PrivateAddress{{Address: s.address, Primary: true}},
		})
	}
	w.AddRouteTable(ec2sim.RouteTable{
		ID: coreTable, VPCID: coreVPC, Associations: []ec2sim.RouteAssociation{{SubnetID: coreSubnet}},
		Routes: []ec2sim.Route{
			{Destination: "10.99.0.1/32", Target: "eni-00000000000000001", Origin: "CreateRoute"},
			{Destination: "10.99.0.2/32", Target: "eni-00000000000000006", Origin: "CreateRoute"},
			{Destination: "10.99.0.3/32", Target: "eni-0dead000000000000", Origin: "CreateRoute"},
		},
	})
	// What such a core's own role grants.
	role := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*","Action":[
		"ec2:DescribeNetworkInterfaces","ec2:DescribeInstances","ec2:DescribeRouteTables",
		"ec2:AssignPrivateIpAddresses","ec2:UnassignPrivateIpAddresses",
		"ec2:ModifyNetworkInterfaceAttribute",
		"ec2:CreateRoute","ec2:ReplaceRoute","ec2:DeleteRoute"]}]}`
	if err := sim.SetPolicies(key, role); err != nil {
		panic(err)
	}
	return sim
}

// TestWhatACoreMakesOfIt: of every address in a world that has all kinds, under the role that a
// core grants.
func TestWhatACoreMakesOfIt(t *testing.T) {
	sim := coreWorld(ec2sim.LabCredential.AccessKeyID)
	serve(t, sim)
	t.Setenv("AWS_ACCESS_KEY_ID", ec2sim.LabCredential.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", ec2sim.LabCredential.SecretAccessKey)
	want := map[string]string{
		"10.0.0.11":  ownAddress,
		"10.0.0.100": captured,
		"10.0.0.12":  routers,
		"10.0.0.101": toTakeOver,
		"10.0.0.13":  routers,
		"10.0.0.102": toTakeOver,
		"10.0.0.14":  routers,
		"10.0.0.103": toTakeOver,
		"10.0.0.15":  routers,
		"10.0.0.16":  routers,
		"10.0.0.104": toTakeOver,
		"10.0.0.21":  client,
		"10.0.0.22":  client,
		"10.0.0.23":  client,
		"10.0.0.24":  client,
		"10.0.0.25":  client,
		"10.0.0.26":  notSelected,
		"10.0.0.27":  notSelected,
		"10.0.0.28":  stoppedHost,
		"10.0.0.31":  client,
		"10.0.0.41":  anothersRole,
		"10.0.0.42":  anothersRole,
		"10.0.0.43":  routers,
	}
	c := core{prefix: netip.MustParsePrefix("10.0.0.0/24"), selector: map[string]string{"pool": "lab"}}
	for name, spec := range map[string]map[string]any{
		"the node is told":  {"selfNicRef": "eni-00000000000000001"},
		"the node is found": {},
		"by a prefix":       {"prefix": "10.0.0.0/24"},
		"by a subnet":       {"subnetRef": coreSubnet},
		"by routes":         {"strategy": "route-table"},
		"by a subnet that is not here": {"subnetRef": "subnet-00000000000000099",
			"selfNicRef": "eni-00000000000000001"},
	} {
		t.Run(name, func(t *testing.T) {
			spec["provider"], spec["target"] = "aws", map[string]string{"region": region}
			spec["selector"] = map[string]any{"tags": c.selector}
			got := observe(t, map[string]string{"EXECUTOR_LOG": "error"}, spec)
			if got.Status.Status != "succeeded" || got.Status.Self.ResourceType != "router-nic" {
				t.Fatalf("%+v", got.Status)
			}
			if name == "by a subnet that is not here" {
				if s := got.Status; len(s.NotRead) != 1 ||
					len(s.IPs)+len(s.LocalIPs)+len(s.ObservedCandidates) > 0 {
					t.Errorf("%+v", s)
				}
				return
			}
			if diff := cmp.Diff(want, c.decide(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, list := range [][]entry{got.Status.IPs, got.Status.LocalIPs} {
				for _, e := range list {
					if e.Selected != (e.Tags["pool"] == "lab") {
						t.Errorf("%+v", e)
					}
				}
			}
			// A result that is too large has ips alone.
			short := got
			short.Status.LocalIPs, short.Status.ObservedCandidates = nil, nil
			if diff := cmp.Diff(want, c.decide(short)); diff != "" {
				t.Errorf("of ips alone (-want +got):\n%s", diff)
			}
			if name != "by routes" {
				return
			}
			routes := []routeEntry{
				{
					Address:       "10.99.0.1/32",
					NextHopNICRef: "eni-00000000000000001",
					NextHopRef:    "i-00000000000000001",
					InstanceState: "running",
				},
				{
					Address:       "10.99.0.2/32",
					NextHopNICRef: "eni-00000000000000006",
					NextHopRef:    "i-00000000000000006",
					State:         "blackhole",
					InstanceState: "stopped",
				},
				{
					Address:       "10.99.0.3/32",
					NextHopNICRef: "eni-0dead000000000000",
					NextHopRef:    "eni-0dead000000000000",
					State:         "blackhole",
				},
			}
			if diff := cmp.Diff(routes, got.Status.Routes); diff != "" {
				t.Errorf("routes (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFailover: when the peer stops, what it holds is still a router's, so the node takes it over;
// once it did, nobody advertises it as a client's.
func TestFailover(t *testing.T) {
	sim := coreWorld("AKIAOTHER00000000000")
	serve(t, sim)
	t.Setenv("AWS_ACCESS_KEY_ID", ec2sim.LabCredential.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", ec2sim.LabCredential.SecretAccessKey)
	c := core{prefix: netip.MustParsePrefix("10.0.0.0/24")}
	look := func() string {
		spec := map[string]any{"provider": "aws", "target": map[string]string{"region": region}}
		return c.decide(observe(t, map[string]string{"EXECUTOR_LOG": "error"}, spec))["10.0.0.101"]
	}
	w := sim.Region(region)
	w.EditInstance("i-00000000000000002", func(i *ec2sim.Instance) { i.State = "stopped" })
	before := look()
	w.EditInterface(
		"eni-00000000000000002",
		func(n *ec2sim.Interface) { n.PrivateAddresses = n.PrivateAddresses[:1] },
	)
	w.EditInterface("eni-00000000000000001", func(n *ec2sim.Interface) {
		n.PrivateAddresses = append(n.PrivateAddresses, ec2sim.PrivateAddress{Address: "10.0.0.101"})
	})
	if diff := cmp.Diff([]string{toTakeOver, captured}, []string{before, look()}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestANodeInAnIPv6OnlySubnet: it is found by instance metadata, and its one address is its own,
// not one that it captured.
func TestANodeInAnIPv6OnlySubnet(t *testing.T) {
	sim := ec2sim.New()
	w := sim.Region(region)
	w.AddVPC(ec2sim.VPC{ID: coreVPC, CIDR: "10.0.0.0/16", IPv6CIDR: "2001:db8::/56"})
	w.AddSubnet(ec2sim.Subnet{ID: coreSubnet, VPCID: coreVPC, IPv6CIDR: "2001:db8:0:1::/64"})
	w.AddInstance(ec2sim.Instance{ID: "i-00000000000000001", State: "running"}, ec2sim.Interface{
		ID:              "eni-00000000000000001",
		SubnetID:        coreSubnet,
		SourceDestCheck: true,
		IPv6Addresses:   []string{"2001:db8:0:1::a", "2001:db8:0:1::100"},
	})
	w.AddInstance(ec2sim.Instance{ID: "i-00000000000000002", State: "running"}, ec2sim.Interface{
		ID:              "eni-00000000000000002",
		SubnetID:        coreSubnet,
		SourceDestCheck: true,
		IPv6Addresses:   []string{"2001:db8:0:1::b"},
	})
	serve(t, sim)
	got := observe(t, map[string]string{"EXECUTOR_LOG": "error"}, map[string]any{"provider": "aws"})
	if s := got.Status; s.Status != "succeeded" || s.Self.NICRef != "eni-00000000000000001" {
		t.Fatalf("%+v", s)
	}
	want := []string{"2001:db8:0:1::100"}
	if diff := cmp.Diff(want, got.Status.Self.CapturedAddresses); diff != "" {
		t.Errorf("captured (-want +got):\n%s", diff)
	}
	verdicts := core{prefix: netip.MustParsePrefix("2001:db8::/56")}.decide(got)
	if diff := cmp.Diff(map[string]string{
		"2001:db8:0:1::a": ownAddress, "2001:db8:0:1::100": captured, "2001:db8:0:1::b": client,
	}, verdicts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
