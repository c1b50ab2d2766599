package ec2sim_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

const (
	attachOp = "AttachNetworkInterface"
	detachOp = "DetachNetworkInterface"
	db1      = "eni-attach-01088600000000021"
)

// attaching are the parameters of an attachment.
func attaching(eni, instance, index string) []string {
	return []string{eniParam(eni), "InstanceId=" + instance, "DeviceIndex=" + index}
}

func TestAttachAndDetach(t *testing.T) {
	clock := newClock()
	p := lab(t, ec2sim.WithClock(clock.Now), ec2sim.WithTransitionTime(time.Second))
	before := p.sim.State()

	a := p.ok(attachOp, attaching(ec2sim.LabSpareInterface, ec2sim.LabRouterA, "1")...)
	eni := p.eni(ec2sim.LabSpareInterface)
	if id := a.one("attachmentId"); eni.Attachment == nil || eni.Attachment.ID != id ||
		a.one("networkCardIndex") != "0" {
		t.Fatalf("answered %s, and the interface has %+v", a.body, eni.Attachment)
	}
	if got := eni.Attachment; got.Status != "attaching" || got.InstanceID != ec2sim.LabRouterA ||
		got.DeviceIndex != 1 ||
		got.InstanceOwner != ec2sim.DefaultOwner || got.DeleteOnTermination {
		t.Errorf("attachment %+v", got)
	}
	is := func(when, want string) {
		t.Helper()
		a := p.ok("DescribeNetworkInterfaces", "NetworkInterfaceId.1="+ec2sim.LabSpareInterface)
		const item = "networkInterfaceSet/item/"
		if got := a.one(item+"status") + " " + a.one(item+"attachment/status"); got != want {
			t.Errorf("%s it is %q, want %q", when, got, want)
		}
	}
	is("at first", "attaching attaching")
	clock.advance(time.Second)
	is("attached", "in-use attached")
	described := p.ok("DescribeInstances", "InstanceId.1="+ec2sim.LabRouterA)
	const shown = "reservationSet/item/instancesSet/item/networkInterfaceSet/item/networkInterfaceId"
	if got := described.one(shown); !strings.Contains(got, ec2sim.LabSpareInterface) {
		t.Errorf("the instance has %s", got)
	}

	if a := p.ok(detachOp, "AttachmentId="+eni.Attachment.ID); a.one("return") != "true" {
		t.Errorf("answered %s", a.body)
	}
	is("on its way", "detaching detaching")
	clock.advance(time.Second)
	is("detached", "available ")
	if diff := cmp.Diff(before, p.sim.State()); diff != "" {
		t.Errorf("there and back is not as it was:\n%s", diff)
	}
}

// What was attached for a moment is another attachment the next time.
func TestAttachmentsHaveIDsOfTheirOwn(t *testing.T) {
	p := lab(t)
	first := p.sim.Region(ec2sim.LabRegion).Attach(ec2sim.LabSpareInterface, ec2sim.LabDB,
		2).Attachment
	if detached := p.sim.Region(ec2sim.LabRegion).Detach(
		ec2sim.LabSpareInterface); detached.Attachment != nil {
		t.Errorf("detached, and has %+v", detached.Attachment)
	}
	second := p.sim.Region(ec2sim.LabRegion).Attach(ec2sim.LabSpareInterface, ec2sim.LabDB,
		2).Attachment
	if first.Status != "attached" || first.ID == second.ID {
		t.Errorf("%+v and %+v", first, second)
	}
}

func TestAttachRefusals(t *testing.T) {
	p := lab(t)
	r := p.sim.Region(ec2sim.LabRegion)
	away := r.AddInterface(ec2sim.Interface{SubnetID: ec2sim.LabSubnetC})
	trunk := r.AddInterface(ec2sim.Interface{SubnetID: ec2sim.LabSubnetA, Type: "trunk"})
	branch := r.AddInterface(
		ec2sim.Interface{SubnetID: ec2sim.LabSubnetA, Type: "branch", TrunkID: trunk.ID})
	var many []ec2sim.PrivateAddress
	for _, a := range []string{"150", "151", "152", "153", "154"} {
		many = append(many, ec2sim.PrivateAddress{Address: "10.88.60." + a})
	}
	full := r.AddInterface(ec2sim.Interface{SubnetID: ec2sim.LabSubnetA, PrivateAddresses: many})
	six := r.AddInterface(ec2sim.Interface{SubnetID: ec2sim.LabSubnetA, IPv6Addresses: []string{
		"2001:db8:1088:60::51", "2001:db8:1088:60::52", "2001:db8:1088:60::53", "2001:db8:1088:60::54",
		"2001:db8:1088:60::55"}})
	small := r.AddInstance(ec2sim.Instance{SubnetID: ec2sim.LabSubnetA, Type: "t3.micro"})
	r.Attach(r.AddInterface(ec2sim.Interface{SubnetID: ec2sim.LabSubnetA}).ID, small.ID, 1)
	gone := r.AddInstance(ec2sim.Instance{SubnetID: ec2sim.LabSubnetA, State: "terminated"})

	spare := ec2sim.LabSpareInterface
	p.refuses(t, []refusal{
		{"no index", attachOp, attaching(spare, ec2sim.LabDB, "2")[:2], 0,
			"MissingParameter", "The request must contain the parameter deviceIndex"},
		{"index taken", attachOp, attaching(spare, ec2sim.LabDB, "1"), 0, "InvalidParameterValue",
			"Instance '" + ec2sim.LabDB + "' already has an interface attached at device index '1'."},
		{"index below 0", attachOp, attaching(spare, ec2sim.LabDB, "-1"), 0,
			"InvalidParameterValue", "Value (-1) for parameter deviceIndex is invalid."},
		{"attached already", attachOp, attaching(ec2sim.LabDBInterface1, ec2sim.LabRouterA, "1"), 0,
			"InvalidNetworkInterface.InUse", "Interface: [" + ec2sim.LabDBInterface1 + "] in use."},
		{"another zone", attachOp, attaching(away.ID, ec2sim.LabDB, "2"), 0,
			"InvalidParameterCombination",
			"You may not attach a network interface to an instance if they are not in the same " +
				"availability zone"},
		{"too many for the type", attachOp, attaching(spare, small.ID, "2"), 0,
			"AttachmentLimitExceeded", "Interface count 3 exceeds the limit for t3.micro"},
		{"too many addresses for the type", attachOp, attaching(full.ID, ec2sim.LabDB, "2"), 0,
			"PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit."},
		{"too many IPv6 addresses for the type", attachOp, attaching(six.ID, ec2sim.LabDB, "2"), 0,
			"PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit."},
		{"terminated", attachOp, attaching(spare, gone.ID, "1"), 0,
			"IncorrectState", "Instance '" + gone.ID + "' is not 'running' or 'stopped'."},
		{"a branch", attachOp, attaching(branch.ID, ec2sim.LabDB, "2"), 0, "InvalidParameterValue",
			"Interface " + branch.ID + " of type branch cannot be attached to an instance."},
		{"another network card", attachOp,
			append(attaching(spare, ec2sim.LabDB, "2"), "NetworkCardIndex=1"), 0,
			"InvalidParameterValue", "Network card index 1 exceeds the limit for t3.small"},
		{"no such instance", attachOp, attaching(spare, "i-0123456789abcdef0", "1"), 0,
			"InvalidInstanceID.NotFound", "The instance ID 'i-0123456789abcdef0' does not exist"},
		{"a service's interface", attachOp,
			attaching(ec2sim.LabManagedInterface, ec2sim.LabRouterC, "1"), 0,
			"OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments."},
		{"dry run", attachOp, append(attaching(spare, ec2sim.LabDB, "2"), "DryRun=true"), 412,
			"DryRunOperation", "Request would have succeeded, but DryRun flag is set."},

		{"detach the first", detachOp,
			[]string{"AttachmentId=eni-attach-01088600000000020", "Force=true"}, 0,
			"OperationNotPermitted",
			"The network interface at device index 0 and networkCard index 0 cannot be detached."},
		{"detach a service's", detachOp, []string{"AttachmentId=ela-attach-01088610000000040"}, 0,
			"OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments."},
		{"detach what is not attached", detachOp,
			[]string{"AttachmentId=eni-attach-0123456789abcdef0"}, 0,
			"InvalidAttachmentID.NotFound",
			"The networkInterfaceAttachment ID 'eni-attach-0123456789abcdef0' does not exist"},
		{"detach an interface's id", detachOp, []string{"AttachmentId=" + spare}, 0,
			"InvalidNetworkInterfaceAttachmentId.Malformed",
			`Invalid id: "` + spare + `" (expecting "eni-attach-...")`},
		{"detach, dry", detachOp, []string{"AttachmentId=" + db1, "DryRun=true"}, 412,
			"DryRunOperation", "Request would have succeeded, but DryRun flag is set."},
	})
}

// IAM has a say about both ends of an attachment.
func TestDetachNeedsInstanceAndInterface(t *testing.T) {
	p := lab(t)
	allow := func(resources string) {
		t.Helper()
		err := p.sim.SetPolicies(p.key.AccessKeyID, `{"Version":"2012-10-17","Statement":[`+
			`{"Effect":"Allow","Action":"ec2:DetachNetworkInterface","Resource":[`+resources+`]}]}`)
		if err != nil {
			t.Fatal(err)
		}
	}
	const interfaces, instances = `"arn:aws:ec2:*:*:network-interface/*"`,
		`"arn:aws:ec2:*:*:instance/*"`
	for _, half := range []string{interfaces, instances} {
		allow(half)
		if a := p.call(detachOp, "AttachmentId="+db1); a.code != "UnauthorizedOperation" {
			t.Errorf("with %s alone: %d %s", half, a.status, a.code)
		}
	}
	allow(interfaces + "," + instances)
	p.ok(detachOp, "AttachmentId="+db1)
}

func TestTrunk(t *testing.T) {
	p := lab(t)
	r := p.sim.Region(ec2sim.LabRegion)
	trunk := r.AddInterface(ec2sim.Interface{SubnetID: ec2sim.LabSubnetA, Type: "trunk"})
	branch := r.AddInterface(
		ec2sim.Interface{SubnetID: ec2sim.LabSubnetA, Type: "branch", TrunkID: trunk.ID,
			Groups: []string{ec2sim.LabGroupWeb}})
	p.ok(attachOp, attaching(trunk.ID, ec2sim.LabRouterA, "1")...)
	const item = "networkInterfaceSet/item/"
	a := p.ok("DescribeNetworkInterfaces", "Filter.1.Name=interface-type", "Filter.1.Value.1=branch")
	if a.one(item+"networkInterfaceId") != branch.ID || a.one(item+"status") != "in-use" ||
		a.one(item+"attachment/instanceId") != "" {
		t.Errorf("the branch is described as %s", a.body)
	}
	b := p.ok("DescribeInstances", "InstanceId.1="+ec2sim.LabRouterA)
	if got := b.one(
		"reservationSet/item/instancesSet/item/networkInterfaceSet/item/interfaceType"); got !=
		"interface,trunk" {
		t.Errorf("the instance's interfaces are of types %s", got)
	}
	p.ok(checkOp, eniParam(branch.ID), "SecurityGroupId.1="+ec2sim.LabGroupFence)
}

func TestEFAOnlyHasNoAddresses(t *testing.T) {
	p := lab(t)
	r := p.sim.Region(ec2sim.LabRegion)
	efa := r.AddInterface(ec2sim.Interface{SubnetID: ec2sim.LabSubnetA, Type: "efa-only"})
	if len(efa.PrivateAddresses)+len(efa.IPv6Addresses) != 0 {
		t.Errorf("it has %v %v", efa.PrivateAddresses, efa.IPv6Addresses)
	}
	text := "Interface " + efa.ID + " is of type efa-only, which does not support IP addresses."
	p.refuses(t, []refusal{
		{"IPv4", "AssignPrivateIpAddresses",
			[]string{eniParam(efa.ID), "PrivateIpAddress.1=10.88.60.9"}, 0,
			"InvalidParameterValue", text},
		{"IPv6", "AssignIpv6Addresses", []string{eniParam(efa.ID), "Ipv6AddressCount=1"}, 0,
			"InvalidParameterValue", text},
	})
	p.ok(attachOp, attaching(efa.ID, ec2sim.LabRouterA, "1")...)
	a := p.ok("DescribeNetworkInterfaces", "NetworkInterfaceId.1="+efa.ID)
	if strings.Contains(a.body, "privateIpAddress>") || strings.Contains(a.body, "privateDnsName>") {
		t.Errorf("it is described with an address: %s", a.body)
	}
	filtered := p.ok("DescribeNetworkInterfaces", "Filter.1.Name=private-ip-address",
		"Filter.1.Value.1=*",
		"Filter.2.Name=network-interface-id", "Filter.2.Value.1="+efa.ID)
	if got := filtered.one("networkInterfaceSet/item/networkInterfaceId"); got != "" {
		t.Errorf("a filter of addresses finds %s", got)
	}
}

// What an attached interface had goes with it: its Elastic IP, its routes, its groups.
func TestDetachedInterfaceKeepsWhatIsItsOwn(t *testing.T) {
	p := lab(t, ec2sim.WithTransitionTime(0))
	r := p.sim.Region(ec2sim.LabRegion)
	r.EditRouteTable(ec2sim.LabRouteTable, func(table *ec2sim.RouteTable) {
		table.Routes = append(table.Routes,
			ec2sim.Route{Destination: "10.98.0.0/24", Target: ec2sim.LabDBInterface1, Origin: "CreateRoute"})
	})
	r.AddAddress(
		ec2sim.Address{PublicIP: "203.0.113.21", InterfaceID: ec2sim.LabDBInterface1,
			PrivateIP: "10.88.60.21"})
	want := p.eni(ec2sim.LabDBInterface1)
	want.Attachment = nil

	p.ok(detachOp, "AttachmentId="+db1)
	if diff := cmp.Diff(want, p.eni(ec2sim.LabDBInterface1)); diff != "" {
		t.Error(diff)
	}
	state := func() string {
		return p.ok("DescribeRouteTables", "Filter.1.Name=route.state", "Filter.1.Value.1=blackhole").
			one("routeTableSet/item/routeTableId")
	}
	if got := state(); got != ec2sim.LabRouteTable {
		t.Errorf("black holes in %q", got)
	}
	p.ok(attachOp, attaching(ec2sim.LabDBInterface1, ec2sim.LabRouterA, "1")...)
	a := p.ok("DescribeAddresses", "PublicIp.1=203.0.113.21")
	if a.one("addressesSet/item/instanceId") != ec2sim.LabRouterA || state() != "" {
		t.Errorf("the address is at %s, black holes in %q", a.body, state())
	}
}

func TestControlAttaches(t *testing.T) {
	p := lab(t)
	before := p.sim.State()
	post := func(path, body string) (int, string) {
		t.Helper()
		return p.control(http.MethodPost, path, body)
	}
	spare := `{"interfaceId":"` + ec2sim.LabSpareInterface + `"`
	if status, text := post("attach",
		spare+`,"instanceId":"`+ec2sim.LabRouterA+`","deviceIndex":1}`); status != 204 {
		t.Fatalf("%d %s", status, text)
	}
	if got := p.eni(ec2sim.LabSpareInterface).Attachment; got == nil || got.Status != "attached" ||
		got.DeviceIndex != 1 {
		t.Errorf("attachment %+v", got)
	}
	if status, text := post("detach", spare+`}`); status != 204 {
		t.Fatalf("%d %s", status, text)
	}
	for _, tt := range []struct{ path, body, text string }{
		{"detach", spare + `}`, "InvalidAttachmentID.NotFound"},
		{"attach", spare + `,"instanceId":"` + ec2sim.LabDB + `","deviceIndex":1}`,
			"already has an interface"},
		{"attach", spare + `,"instance":"` + ec2sim.LabDB + `"}`, "unknown field"},
		{"detach", `{"interfaceId":"eni-0123456789abcdef0"}`, "InvalidNetworkInterfaceID.NotFound"},
	} {
		if status, text := post(tt.path, tt.body); status != 400 || !strings.Contains(text, tt.text) {
			t.Errorf("%s %s: %d %s", tt.path, tt.body, status, text)
		}
	}
	if diff := cmp.Diff(before, p.sim.State()); diff != "" {
		t.Error(diff)
	}
	if calls := p.sim.Calls(); len(calls) != 0 {
		t.Errorf("the log has %v", calls)
	}
}

func TestControlRemoves(t *testing.T) {
	p := lab(t)
	post := func(id string) (int, string) {
		return p.control(http.MethodPost, "remove", `{"id":"`+id+`"}`)
	}
	before := p.sim.State()
	for id, text := range map[string]string{
		"eni-0123456789abcdef0": "there is no eni-0123456789abcdef0",
		ec2sim.LabSubnetA:       ec2sim.LabSubnetA + " holds eni-",
		ec2sim.LabVPC:           ec2sim.LabVPC + " holds subnet-",
	} {
		if status, said := post(id); status != 400 || !strings.Contains(said, text) {
			t.Errorf("%s: %d %s", id, status, said)
		}
	}
	if diff := cmp.Diff(before, p.sim.State()); diff != "" {
		t.Error(diff)
	}
	if status, said := post(ec2sim.LabSpareInterface); status != 204 {
		t.Fatalf("%d %s", status, said)
	}
	for _, n := range p.sim.State().Regions[ec2sim.LabRegion].Interfaces {
		if n.ID == ec2sim.LabSpareInterface {
			t.Error("it is still there")
		}
	}
}
