package ec2sim_test

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

func dump(t *testing.T, s *ec2sim.Sim) []byte {
	t.Helper()
	data, err := json.MarshalIndent(s.State(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// loads makes a Sim of a world's text.
func loads(t *testing.T, text string) *ec2sim.Sim {
	t.Helper()
	s := ec2sim.New()
	if err := s.Load([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return s
}

// Whatever the world is, what State tells of it makes it again.
func TestDumpedWorldsLoad(t *testing.T) {
	p := lab(t, ec2sim.WithTransitionTime(0), ec2sim.WithQuotas(ec2sim.Quotas{TagsPerResource: 7}))
	r := p.sim.Region(ec2sim.LabRegion)
	p.ipv6Only()
	r.SetPublicPool("ipv4pool-ec2-01088600000000001", "198.51.100.0/24")
	p.ok("AllocateAddress", "PublicIpv4Pool=ipv4pool-ec2-01088600000000001")
	trunk := r.AddInterface(
		ec2sim.Interface{ID: "eni-0ffffffffffffffff", SubnetID: ec2sim.LabSubnetA, Type: "trunk"})
	r.AddInterface(
		ec2sim.Interface{ID: "eni-00000000000000001", SubnetID: ec2sim.LabSubnetA, Type: "branch",
			TrunkID: trunk.ID})
	r.AddInterface(ec2sim.Interface{SubnetID: ec2sim.LabSubnetA, Type: "efa-only"})
	r.AddSubnet(
		ec2sim.Subnet{VPCID: r.AddVPC(ec2sim.VPC{CIDR: "10.66.0.0/16", Owner: "999988887777"}).ID,
			CIDR: "10.66.0.0/24"})
	r.EditInterface(ec2sim.LabRouterCInterface, func(i *ec2sim.Interface) { i.Groups = nil })
	p.ok("ReplaceRoute", rtb, to("10.88.0.0/16"), viaA)
	random := rand.New(rand.NewPCG(3, 4))
	for range 5 {
		for range 10 {
			operation, params := randomChange(random)
			p.call(operation, params...)
		}
		want := p.sim.State()
		if diff := cmp.Diff(want, loads(t, string(dump(t, p.sim))).State()); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestExampleWorld(t *testing.T) {
	data, err := os.ReadFile("../../examples/worlds/two-routers.yaml")
	if err != nil {
		t.Fatal(err)
	}
	world, err := ec2sim.World(data)
	if err != nil {
		t.Fatal(err)
	}
	p := serve(t, world, ec2sim.WithClock(newClock().Now))
	p.region = "eu-west-1"
	first := p.sim.State()
	state := first.Regions["eu-west-1"]
	checkExampleInterfaces(t, state)
	checkExampleInstance(t, state)
	p.ok("AssignPrivateIpAddresses", eniParam("eni-0000000b"), "PrivateIpAddress.1=10.20.1.50")
	p.sim.Reset()
	if diff := cmp.Diff(first, p.sim.State()); diff != "" {
		t.Errorf("after a reset it is another world:\n%s", diff)
	}
}

func checkExampleInterfaces(t *testing.T, state ec2sim.RegionState) {
	t.Helper()
	nic := func(id string) ec2sim.Interface {
		return the(t, state.Interfaces, func(i ec2sim.Interface) bool { return i.ID == id })
	}
	a := nic("eni-0000000a")
	if a.SourceDestCheck ||
		a.PrivateAddresses[0] != (ec2sim.PrivateAddress{Address: "10.20.1.10", Primary: true}) ||
		a.PrivateAddresses[1].Primary ||
		a.Attachment.DeviceIndex != 0 || a.Attachment.Status != "attached" ||
		a.Attachment.InstanceOwner != ec2sim.DefaultOwner {
		t.Errorf("%+v %+v", a, a.Attachment)
	}
	if b := nic("eni-0000000b"); !b.SourceDestCheck {
		t.Errorf("%+v", b)
	}
	if pods := nic("eni-0000000c"); len(pods.Groups) != 1 || pods.Groups[0] == "sg-0000000a" ||
		len(pods.PrivateAddresses) != 1 {
		t.Errorf("%+v", pods)
	}
	if six := nic("eni-00000006"); len(six.PrivateAddresses) != 0 || len(six.IPv6Addresses) != 1 {
		t.Errorf("%+v", six)
	}
}

func checkExampleInstance(t *testing.T, state ec2sim.RegionState) {
	t.Helper()
	i := the(t, state.Instances, func(i ec2sim.Instance) bool { return i.ID == "i-0000000a" })
	if i.SubnetID != "subnet-0000000a" || i.VPCID != "vpc-0000000a" ||
		i.AvailabilityZone != "eu-west-1a" || i.State != "running" {
		t.Errorf("%+v", i)
	}
	if len(state.RouteTables) != 3 || len(state.SecurityGroups) != 4 {
		t.Errorf("%d tables, %d groups", len(state.RouteTables), len(state.SecurityGroups))
	}
}

// Every fault is told with its line; a world with any is not taken.
func TestRefusedWorlds(t *testing.T) {
	const vpc = "regions:\n  eu-west-1:\n    vpcs: [{id: vpc-0000000a, cidr: 10.0.0.0/16}]\n"
	const subnet = vpc +
		"    subnets: [{id: subnet-0000000a, vpcId: vpc-0000000a, cidr: 10.0.0.0/24}]\n"
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "there is no document"},
		{"not YAML", "regions: [", "is not YAML"},
		{"no regions", "quotas: {}", "line 1: regions: is required"},
		{"unknown field", vpc + "    subnet: []\n",
			"line 4: regions.eu-west-1.subnet: is unknown (did you mean subnets?), want vpcs, subnets"},
		{"unknown field below", "regions: {eu-west-1: {vpcs: [{cdir: 10.0.0.0/16}]}}",
			"line 1: regions.eu-west-1.vpcs[0].cdir: is unknown (did you mean cidr?), want id, cidr"},
		{"a number for a text", vpc + "    subnets: [{vpcId: 7}]\n",
			"line 4: regions.eu-west-1.subnets[0].vpcId: is a number, want a string: put it in quotes"},
		{"a text for a list", "regions: {eu-west-1: {vpcs: all}}",
			"line 1: regions.eu-west-1.vpcs: is a string, want a list"},
		{"a text for a number", vpc + "    interfaces: [{attachment: {deviceIndex: first}}]\n",
			"line 4: regions.eu-west-1.interfaces[0].attachment.deviceIndex: is not a whole number"},
		{"no time", vpc + "    instances: [{launchTime: today}]\n",
			"line 4: regions.eu-west-1.instances[0].launchTime: is not a time"},
		{"key twice", vpc + "    vpcs: []\n", "line 4: vpcs: the key is there twice"},
		{"region", "regions: {mars: {}}", "line 1: regions.mars: is not the name of a region"},
		{"quota", "regions: {}\nquotas: {tagsPerResource: -1}",
			"line 2: quotas: cannot set a quota of -1"},
		{"id", "regions: {eu-west-1: {vpcs: [{id: vpc-lab, cidr: 10.0.0.0/16}]}}",
			`line 1: regions.eu-west-1.vpcs[0]: "vpc-lab" is not an id: want vpc- and 8 or 17 ` +
				`hexadecimal digits`},
		{"id of another kind", vpc + "    gateways: [{id: eni-0000000a}]\n",
			`"eni-0000000a" is not an id: want igw- or eigw-`},
		{"network", "regions: {eu-west-1: {vpcs: [{cidr: 10.0.0.1/16}]}}",
			`vpcs[0]: "10.0.0.1/16" is not a network`},
		{"no such VPC", "regions:\n  eu-west-1:\n    subnets:\n      - vpcId: vpc-0000000b\n        " +
			"cidr: 10.0.0.0/24\n",
			`line 4: regions.eu-west-1.subnets[0]: there is no "vpc-0000000b"`},
		{"subnets overlap", vpc + "    subnets:\n      - {vpcId: vpc-0000000a, cidr: 10.0.0.0/24}\n   " +
			"   - {vpcId: vpc-0000000a, cidr: 10.0.0.0/28}\n",
			"line 6: regions.eu-west-1.subnets[1]: the subnet 10.0.0.0/28 overlaps subnet-"},
		{"zone", vpc + "    subnets: [{vpcId: vpc-0000000a, cidr: 10.0.0.0/24, availabilityZone: " +
			"eu-west-2a}]\n",
			"the zone eu-west-2a is none of eu-west-1"},
		{"families changed over", vpc + "    subnets: [{vpcId: vpc-0000000a, ipv6Cidr: 10.0.0.0/24}]\n",
			"cidr is an IPv4 block, ipv6Cidr an IPv6 one"},
		{"address taken", subnet +
			"    interfaces:\n      - {subnetId: subnet-0000000a, privateAddresses: [10.0.0.5]}\n" +
			"      - {subnetId: subnet-0000000a, privateAddresses: [10.0.0.5]}\n",
			"line 7: regions.eu-west-1.interfaces[1]: the address 10.0.0.5 is not free in subnet-0000000a"},
		{"no address", subnet +
			"    interfaces: [{subnetId: subnet-0000000a, privateAddresses: [here]}]\n",
			`interfaces[0]: "here" is not an address in its usual form`},
		{"no IPv6 there", subnet +
			"    interfaces: [{subnetId: subnet-0000000a, ipv6Addresses: ['2001:db8::4']}]\n",
			"interfaces[0]: the subnet subnet-0000000a has no IPv6 addresses"},
		{"type", subnet + "    interfaces: [{subnetId: subnet-0000000a, type: trunck}]\n",
			"interfaces[0]: no type of interface is trunck"},
		{"efa-only with an address",
			subnet + "    interfaces: [{subnetId: subnet-0000000a, type: efa-only, privateAddresses: " +
				"[10.0.0.5]}]\n",
			"interfaces[0]: an efa-only interface has no addresses"},
		{"branch of no trunk",
			subnet + "    interfaces: [{id: eni-0000000a, subnetId: subnet-0000000a}, " +
				"{subnetId: subnet-0000000a, type: branch, trunkId: eni-0000000a}]\n",
			"interfaces[1]: eni-0000000a is not a trunk"},
		{"attached to nothing there",
			subnet + "    interfaces: [{subnetId: subnet-0000000a, attachment: {instanceId: i-0000000a}}]\n",
			`interfaces[0]: there is no "i-0000000a"`},
		{"two at one index", subnet + "    instances: [{id: i-0000000a}]\n    interfaces:\n" +
			strings.Repeat("      - {subnetId: subnet-0000000a, attachment: {instanceId: i-0000000a}}\n", 2),
			"line 8: regions.eu-west-1.interfaces[1]: eni-"},
		{"instance nowhere", subnet + "    instances: [{id: i-0000000a}]\n",
			`instances[0]: there is no ""`},
		{"instance state", subnet + "    instances: [{subnetId: subnet-0000000a, state: asleep}]\n",
			"no instance state is asleep"},
		{"attachment status",
			subnet + "    instances: [{id: i-0000000a, subnetId: subnet-0000000a}]\n    interfaces: " +
				"[{subnetId: subnet-0000000a, attachment: {instanceId: i-0000000a, status: gone}}]\n",
			"no status of an attachment is gone"},
		{"route", vpc + "    routeTables: [{vpcId: vpc-0000000a, routes: [{destination: all, target: " +
			"igw-0000000a}]}]\n",
			`routeTables[0]: "all" is not a network`},
		{"route to nowhere",
			vpc + "    routeTables: [{vpcId: vpc-0000000a, routes: [{destination: 0.0.0.0/0}]}]\n",
			"routeTables[0]: the route to 0.0.0.0/0 has no target"},
		{"the same id twice", vpc + "    gateways: [{id: igw-0000000a}, {id: igw-0000000a}]\n",
			"gateways[1]: igw-0000000a is there already"},
		{"rule", vpc + "    securityGroups: [{vpcId: vpc-0000000a, name: x, ingress: [{protocol: tcp, " +
			"cidrs: [all]}]}]\n",
			`securityGroups[0]: "all" is not a network`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := ec2sim.New(ec2sim.Lab())
			before := s.State()
			err := s.Load([]byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			if diff := cmp.Diff(before, s.State()); diff != "" {
				t.Errorf("the refused world is there:\n%s", diff)
			}
		})
	}
}

func TestAllFaultsOfAWorldAreTold(t *testing.T) {
	err := ec2sim.New().Load(
		[]byte("regions:\n  mars: {}\n  eu-west-1:\n    vpcs:\n      - {cidr: x}\n      - {cidr: y}\n" +
			"  eu-west-2:\n    publicIpv4Pools:\n      ipv4pool-ec2-0000000a: 198.51.100.1/24\n" +
			"      mine: 198.51.100.0/24\n"))
	want := "line 2: regions.mars: is not the name of a region\n" +
		"line 5: regions.eu-west-1.vpcs[0]: \"x\" is not a network\nline 6: " +
		"regions.eu-west-1.vpcs[1]: \"y\" is not a network\n" +
		"line 9: regions.eu-west-2.publicIpv4Pools.ipv4pool-ec2-0000000a: is \"198.51.100.1/24\", " +
		"want an IPv4 network of a pool ipv4pool-ec2-…\n" +
		"line 10: regions.eu-west-2.publicIpv4Pools.mine: is \"198.51.100.0/24\", want an IPv4 " +
		"network of a pool ipv4pool-ec2-…"
	if err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

func TestControlLoadsWorlds(t *testing.T) {
	p := lab(t)
	begin := p.sim.State()
	_, told := p.control(http.MethodGet, "state", "")
	world := "regions:\n  eu-west-1:\n    vpcs: [{id: vpc-0000000a, cidr: 10.0.0.0/16}]\nquotas: " +
		"{tagsPerResource: 3}\n"
	if status, text := p.control(http.MethodPut, "state", world); status != 204 {
		t.Fatalf("%d %s", status, text)
	}
	if now := p.sim.State(); len(now.Regions) != 1 ||
		now.Regions["eu-west-1"].VPCs[0].CIDR != "10.0.0.0/16" || now.Quotas.TagsPerResource != 3 {
		t.Errorf("%+v", now)
	}
	status, text := p.control(http.MethodPut, "state", "regions: {eu-west-1: {vpc: []}}")
	if status != 400 || !strings.Contains(text,
		"the world is refused:\nline 1: regions.eu-west-1.vpc: is unknown") {
		t.Errorf("%d %s", status, text)
	}
	if status, text := p.control(http.MethodPut, "state", told); status != 204 {
		t.Fatalf("%d %s", status, text)
	}
	if diff := cmp.Diff(begin, p.sim.State()); diff != "" {
		t.Errorf("what was told is not what it was:\n%s", diff)
	}
}
