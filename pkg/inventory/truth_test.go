package inventory_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/awsec2"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/inventory"
)

const region = "ap-northeast-1"

// entry is what the tests compare of an address or a route.
type entry struct {
	Address, NICRef, ResourceRef, ResourceType, InstanceState string
	Primary, Selected                                         bool
	Tags                                                      map[string]string
}

// routeEntry is what they compare of a route.
type routeEntry struct{ Address, NextHopNICRef, NextHopRef, State, InstanceState string }

type answer struct {
	Status struct {
		Status, Message, Error string
		NotRead                []string
		Self                   *struct {
			NICRef, ResourceType string
			PrivateIPs           []string
			CapturedAddresses    []string
		}
		IPs, ObservedCandidates, LocalIPs []entry
		Routes                            []routeEntry
	}
}

// observe runs the program's body against a server.
func observe(t *testing.T, env map[string]string, spec map[string]any) answer {
	t.Helper()
	p := &inventory.Process{
		Name:     "aws-provider-inventory",
		Version:  "test",
		Provider: "aws",
		Connect: func(ctx context.Context, region string, budget time.Duration,
			log *slog.Logger) (inventory.Reader, error) {
			return awsec2.ConnectReader(ctx, region, budget, log)
		},
		OwnRegion: awsec2.OwnRegion,
	}
	request, err := json.Marshal(
		map[string]any{"apiVersion": inventory.APIVersion, "kind": inventory.RequestKind, "spec": spec},
	)
	if err != nil {
		t.Fatal(err)
	}
	var environ []string
	for k, v := range env {
		environ = append(environ, k+"="+v)
	}
	var stdout, stderr bytes.Buffer
	code := p.Main(t.Context(), []string{"x"}, environ, bytes.NewReader(request), &stdout, &stderr)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	var a answer
	if err := json.Unmarshal(stdout.Bytes(), &a); err != nil {
		t.Fatalf("%v: %s", err, stdout.String())
	}
	return a
}

// serve starts a server, and points the SDK of this process at it.
func serve(t *testing.T, sim *ec2sim.Sim) {
	t.Helper()
	server, err := ec2sim.Start(
		sim,
		ec2sim.ServerOptions{
			Metadata: &ec2sim.MetadataOptions{Region: region, Instance: "i-00000000000000001"},
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	for _, e := range server.Env() {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
}

var (
	subnets = []string{"subnet-00000000000000001", "subnet-00000000000000002"}
	states  = []string{
		"running",
		"running",
		"stopped",
		"stopping",
		"pending",
		"shutting-down",
		"terminated",
	}
	names = []string{"a", "b*", "b", "c?", `d\e`, "router-b"}
	// kinds are interface types with what each is to a core when it is on no instance.
	kinds = map[string]string{
		"interface":             "interface",
		"branch":                "interface",
		"efa":                   "interface",
		"nat_gateway":           "private-endpoint",
		"network_load_balancer": "private-endpoint",
		"vpc_endpoint":          "private-endpoint",
	}
)

// anyWorld has a node and some others, with whatever interfaces can have.
func anyWorld(r *rand.Rand) *ec2sim.Sim {
	const vpc = "vpc-00000000000000001"
	sim := ec2sim.New()
	w := sim.Region(region)
	w.AddVPC(ec2sim.VPC{ID: vpc, CIDR: "10.0.0.0/16", IPv6CIDR: "2001:db8::/56"})
	for i, id := range subnets {
		w.AddSubnet(
			ec2sim.Subnet{
				ID:       id,
				VPCID:    vpc,
				CIDR:     fmt.Sprintf("10.0.%d.0/24", i),
				IPv6CIDR: fmt.Sprintf("2001:db8:0:%x::/64", i+1),
			},
		)
	}
	w.AddVPC(ec2sim.VPC{ID: "vpc-00000000000000009", CIDR: "10.0.0.0/16"})
	w.AddSubnet(
		ec2sim.Subnet{
			ID:    "subnet-00000000000000009",
			VPCID: "vpc-00000000000000009",
			CIDR:  "10.0.0.0/24",
		},
	)
	w.AddInterface(ec2sim.Interface{ID: "eni-00000000000000999", SubnetID: "subnet-00000000000000009"})
	nics := &nicMaker{r: r, last: map[int]int{0: 9, 1: 9}}
	for i := range 1 + r.IntN(5) {
		interfaces := []ec2sim.Interface{nics.next()}
		if r.IntN(3) == 0 {
			interfaces = append(interfaces, nics.next())
		}
		state := states[r.IntN(len(states))]
		if i == 0 {
			state = "running"
		}
		instance := ec2sim.Instance{ID: fmt.Sprintf("i-%017x", i+1), Type: "m5.large", State: state}
		if r.IntN(2) == 0 {
			instance.Tags = ec2sim.Tags{
				"Name": names[r.IntN(len(names))],
				"role": []string{"client", "router", "db"}[r.IntN(3)],
			}
		}
		w.AddInstance(instance, interfaces...)
	}
	for range r.IntN(3) {
		n := nics.next()
		n.Type = slices.Sorted(maps.Keys(kinds))[r.IntN(len(kinds))]
		switch r.IntN(3) {
		case 0:
			n.RequesterManaged = true
		case 1:
			n.Operator = &ec2sim.Operator{Principal: "eks.amazonaws.com", Hidden: true}
		}
		w.AddInterface(n)
	}
	table := ec2sim.RouteTable{
		ID:           "rtb-00000000000000002",
		VPCID:        vpc,
		Associations: []ec2sim.RouteAssociation{{SubnetID: subnets[0]}},
	}
	for i := range r.IntN(5) {
		table.Routes = append(
			table.Routes,
			ec2sim.Route{
				Destination: fmt.Sprintf("10.99.0.%d/32", 9+i),
				Target: append(nics.ids, "eni-00000000000000999",
					"eni-0000000000000dead")[r.IntN(len(nics.ids)+2)],
			},
		)
	}
	w.AddRouteTable(table)
	return sim
}

// nicMaker makes interfaces with whatever they can have.
type nicMaker struct {
	r    *rand.Rand
	last map[int]int // address by subnet
	ids  []string
}

func (m *nicMaker) next() ec2sim.Interface {
	s := m.r.IntN(len(subnets))
	address := func() string {
		m.last[s]++
		return fmt.Sprintf("10.0.%d.%d", s, m.last[s])
	}
	id := fmt.Sprintf("eni-%017x", len(m.ids)+1)
	m.ids = append(m.ids, id)
	n := ec2sim.Interface{
		ID:               id,
		SubnetID:         subnets[s],
		SourceDestCheck:  m.r.IntN(2) == 0,
		PrivateAddresses: []ec2sim.PrivateAddress{{Address: address(), Primary: true}},
	}
	for range m.r.IntN(3) {
		n.PrivateAddresses = append(n.PrivateAddresses, ec2sim.PrivateAddress{Address: address()})
	}
	if m.r.IntN(3) == 0 {
		m.last[s]++
		n.IPv6Addresses = []string{fmt.Sprintf("2001:db8:0:%x::%x", s+1, m.last[s])}
		if m.r.IntN(2) == 0 {
			n.PrimaryIPv6 = n.IPv6Addresses[0]
		}
	}
	if m.r.IntN(3) == 0 {
		// From the end of the subnet down; no address comes so far up.
		n.Prefixes = []string{fmt.Sprintf("10.0.%d.%d/28", s, 256-16*len(m.ids))}
		if m.r.IntN(2) == 0 {
			n.Prefixes = append(n.Prefixes, fmt.Sprintf("2001:db8:0:%x:%x::/80", s+1, len(m.ids)))
		}
	}
	if m.r.IntN(2) == 0 {
		n.Tags = ec2sim.Tags{"Name": names[m.r.IntN(len(names))]}
	}
	return n
}

// network is a block, or an address as a network of one.
func network(text string) netip.Prefix {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p
	}
	a := netip.MustParseAddr(text)
	return netip.PrefixFrom(a, a.BitLen())
}

// truth is what an observation has to say, worked out from the world itself: what is in the
// prefix, and all that there is in the scope.
func truth(
	s ec2sim.RegionState,
	self, subnet string,
	prefix netip.Prefix,
	tag string,
) (inPrefix, all []entry) {
	instances := map[string]ec2sim.Instance{}
	for _, i := range s.Instances {
		instances[i.ID] = i
	}
	at := slices.IndexFunc(s.Interfaces, func(n ec2sim.Interface) bool { return n.ID == self })
	own := s.Interfaces[at]
	for _, n := range s.Interfaces {
		if subnet == "" && n.VPCID != own.VPCID || subnet != "" && n.SubnetID != subnet {
			continue
		}
		e := holderOf(n, own, instances)
		if e.Selected = tag == "" || e.Tags["Name"] == tag; len(e.Tags) == 0 {
			e.Tags = nil
		}
		add := func(address string, primary bool) {
			e.Address, e.Primary = address, primary
			all = append(all, e)
			if !prefix.IsValid() || prefix.Overlaps(network(address)) {
				inPrefix = append(inPrefix, e)
			}
		}
		for _, a := range n.PrivateAddresses {
			add(a.Address, a.Primary)
		}
		for _, a := range n.IPv6Addresses {
			add(a, a == n.PrimaryIPv6)
		}
		for _, p := range n.Prefixes {
			add(p, false)
		}
	}
	byAddress := func(a, b entry) int {
		return network(a.Address).Addr().Compare(network(b.Address).Addr())
	}
	slices.SortFunc(inPrefix, byAddress)
	slices.SortFunc(all, byAddress)
	return inPrefix, all
}

// holderOf is what there is to say of an interface whatever address is asked for.
func holderOf(n, own ec2sim.Interface, instances map[string]ec2sim.Instance) entry {
	e := entry{
		NICRef: n.ID, ResourceRef: n.ID, ResourceType: kinds[n.Type],
		Tags: map[string]string{},
	}
	maps.Copy(e.Tags, n.Tags)
	if n.RequesterManaged || n.Operator != nil {
		e.ResourceType = "private-endpoint"
	}
	if n.Attachment != nil && n.Attachment.InstanceID != "" {
		i := instances[n.Attachment.InstanceID]
		e.ResourceRef, e.InstanceState, e.ResourceType = i.ID, i.State, "instance-nic"
		maps.Copy(e.Tags, i.Tags)
	}
	isSelf := n.ID == own.ID || own.Attachment != nil && own.Attachment.InstanceID == e.ResourceRef
	marked := e.Tags["role"] == "router" || e.Tags["role"] != "client" && e.Tags["Name"] == "router-b"
	if isSelf || !n.SourceDestCheck || marked {
		e.ResourceType = "router-nic"
	}
	return e
}

// TestObservationIsTheTruth: over random worlds and requests, every list is what is so, whole.
func TestObservationIsTheTruth(t *testing.T) {
	prefixes := []string{"", "10.0.0.0/24", "10.0.1.0/28", "10.0.0.1/32", "2001:db8::/60", "0.0.0.0/0"}
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			sim := anyWorld(r)
			serve(t, sim)
			before := sim.State()
			spec := map[string]any{"provider": "aws", "target": map[string]string{"region": region}}
			var prefix netip.Prefix
			if text := prefixes[r.IntN(len(prefixes))]; text != "" {
				spec["prefix"], prefix = text, netip.MustParsePrefix(text)
			}
			subnet := append(subnets, "", "")[r.IntN(4)]
			if subnet != "" {
				spec["subnetRef"] = subnet
			}
			tag := ""
			if r.IntN(3) == 0 {
				tag = names[r.IntN(len(names))]
				spec["selector"] = map[string]any{"tags": map[string]string{"Name": tag}}
			}
			if r.IntN(2) == 0 {
				spec["selfNicRef"] = "eni-00000000000000001"
			}
			byRoute := r.IntN(2) == 0
			if byRoute {
				spec["strategy"] = "route-table"
			}
			got := observe(t, map[string]string{"EXECUTOR_LOG": "error"}, spec).Status
			if got.Status != "succeeded" {
				t.Fatal(got.Error)
			}
			inPrefix, all := truth(before.Regions[region], got.Self.NICRef, subnet, prefix, tag)
			same := cmp.Transformer("empty", func(l []entry) []entry { return append([]entry{}, l...) })
			want := map[string][]entry{"ips": inPrefix, "observedCandidates": inPrefix, "localIPs": all}
			lists := map[string][]entry{
				"ips":                got.IPs,
				"observedCandidates": got.ObservedCandidates,
				"localIPs":           got.LocalIPs,
			}
			if diff := cmp.Diff(want, lists, same); diff != "" {
				t.Errorf("%v (-want +got):\n%s", spec, diff)
			}
			if got.Self.ResourceType != "router-nic" {
				t.Errorf("the node itself is %s", got.Self.ResourceType)
			}
			if diff := cmp.Diff(before, sim.State()); diff != "" {
				t.Errorf("the world changed:\n%s", diff)
			}
		})
	}
}

// TestFaultsNeverMakeItLess: whatever goes wrong with whichever call, the result is the whole
// truth or failed, without lists.
func TestFaultsNeverMakeItLess(t *testing.T) {
	spec := map[string]any{
		"provider":   "aws",
		"target":     map[string]string{"region": region},
		"strategy":   "route-table",
		"subnetRef":  subnets[0],
		"selfNicRef": "eni-00000000000000001",
	}
	// Time enough for what passes, and little for what does not.
	env := func(passes bool) map[string]string {
		if passes {
			return map[string]string{"EXECUTOR_TIMEOUT": "20s", "EXECUTOR_LOG": "error"}
		}
		return map[string]string{"EXECUTOR_TIMEOUT": "400ms", "EXECUTOR_LOG": "error"}
	}
	fresh := func() *ec2sim.Sim { return anyWorld(rand.New(rand.NewPCG(7, 7))) }
	sim := fresh()
	serve(t, sim)
	whole := observe(t, env(true), spec)
	calls := len(sim.Calls())
	if whole.Status.Status != "succeeded" || calls < 4 {
		t.Fatalf("%s after %d calls", whole.Status.Error, calls)
	}
	passing := []string{"throttled", "failing", "lost", "cut", "no XML"}
	for name, fault := range map[string]ec2sim.Fault{
		"throttled": ec2sim.Fail("", "RequestLimitExceeded"),
		"refused":   ec2sim.Fail("", "UnauthorizedOperation"),
		"failing":   ec2sim.Fail("", "InternalError"),
		"lost":      ec2sim.LoseAnswer(""), "cut": ec2sim.CutAnswer(""), "no XML": ec2sim.NotXML(""),
		"silent":      ec2sim.Delay("", time.Hour),
		"a bad token": ec2sim.Fail("", "InvalidNextToken"),
	} {
		for _, times := range []int{1, ec2sim.Always} {
			if times != 1 && !slices.Contains([]string{"throttled", "silent", "cut"}, name) {
				continue // the end of it is the same
			}
			for n := 1; n <= calls; n++ {
				t.Run(fmt.Sprintf("%s, %d times from call %d", name, times, n), func(t *testing.T) {
					sim := fresh()
					serve(t, sim)
					if err := sim.Inject(fault.OnNth(n).Times(times)); err != nil {
						t.Fatal(err)
					}
					got := observe(t, env(times == 1 && name != "silent"), spec)
					holdWhole(t, whole, got)
					if got.Status.Status != "succeeded" && times == 1 && slices.Contains(passing, name) {
						t.Errorf("one time is not the end of it: %s", got.Status.Error)
					}
				})
			}
		}
	}
}

// holdWhole checks that the answer is the whole truth, or failed with an error and no lists.
func holdWhole(t *testing.T, whole, got answer) {
	t.Helper()
	s := got.Status
	if s.Status == "succeeded" {
		if diff := cmp.Diff(whole, got); diff != "" {
			t.Errorf("less, or other, than the truth (-want +got):\n%s", diff)
		}
		return
	}
	if s.Error == "" || s.Self != nil || s.IPs != nil || s.LocalIPs != nil ||
		s.ObservedCandidates != nil || s.Routes != nil {
		t.Errorf("failed with lists, or without an error: %+v", s)
	}
}
