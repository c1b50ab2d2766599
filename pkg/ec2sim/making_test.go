package ec2sim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/ec2sim"
)

const (
	createOp    = "CreateNetworkInterface"
	deleteOp    = "DeleteNetworkInterface"
	allocateOp  = "AllocateAddress"
	associateOp = "AssociateAddress"
	releaseOp   = "ReleaseAddress"

	spec = "TagSpecification.1.ResourceType="
	key1 = "TagSpecification.1.Tag.1.Key="
	val1 = "TagSpecification.1.Tag.1.Value="
)

// TestCreateAndDelete: an interface has what was asked for from its creation, and goes whole.
func TestCreateAndDelete(t *testing.T) {
	p := lab(t)
	before := p.sim.State()
	a := p.ok(createOp, "SubnetId="+ec2sim.LabSubnetC, "Description=edge",
		"SecurityGroupId.1="+ec2sim.LabGroupWeb, "SecurityGroupId.2="+ec2sim.LabGroupRouter,
		"PrivateIpAddresses.1.PrivateIpAddress=10.88.61.77", "PrivateIpAddresses.1.Primary=true",
		"PrivateIpAddresses.2.PrivateIpAddress=10.88.61.78", "SecondaryPrivateIpAddressCount=1",
		spec+"network-interface", key1+"role", val1+"router", "ClientToken=t")
	const in = "networkInterface/"
	id := a.one(in + "networkInterfaceId")
	if a.one(in+"status") != "pending" || a.one(in+"privateIpAddress") != "10.88.61.77" ||
		a.one(in+"tagSet/item/value") != "router" || a.one("clientToken") != "t" {
		t.Errorf("answered %s", a.body)
	}
	p.whole(id)
	if got := p.ok("DescribeNetworkInterfaces", "NetworkInterfaceId.1="+id).one(
		"networkInterfaceSet/item/status"); got != "available" {
		t.Errorf("it is %s", got)
	}
	p.ok(deleteOp, eniParam(id))
	if d := difference(before, p.sim.State()); d != "" {
		t.Errorf("there and back is not as it was:\n%s", d)
	}
	plain := p.eni(p.ok(createOp, "SubnetId="+ec2sim.LabSubnetC).one(in + "networkInterfaceId"))
	if len(plain.Groups) != 1 || plain.Groups[0] != ec2sim.LabGroupDefault ||
		len(plain.PrivateAddresses) != 1 || plain.Tags != nil {
		t.Errorf("asked for nothing: %+v", plain)
	}
}

// whole holds the interface that TestCreateAndDelete makes against what it asks for.
func (p *peer) whole(id string) {
	p.t.Helper()
	eni := p.eni(id)
	if eni.AvailabilityZone != ec2sim.LabRegion+"c" || eni.VPCID != ec2sim.LabVPC ||
		!eni.SourceDestCheck || eni.Description != "edge" || eni.Tags["role"] != "router" ||
		len(eni.Groups) != 2 || p.held(id) != "10.88.61.77 10.88.61.4 10.88.61.78" {
		p.t.Errorf("made %+v, which holds %s", eni, p.held(id))
	}
}

// TestClientTokens: one token makes one thing, whatever becomes of the answer, and only for what
// was asked for first. Tokens of two operations are two.
func TestClientTokens(t *testing.T) {
	p := lab(t)
	params := []string{"SubnetId=" + ec2sim.LabSubnetA, "ClientToken=t", spec + "network-interface",
		key1 + "a", val1 + "b"}
	p.inject(ec2sim.Fault{Operation: createOp, Count: 1, Answer: ec2sim.AnswerLost})
	if _, err := p.try(createOp, params...); err == nil {
		t.Fatal("the answer is not lost")
	}
	made := p.sim.State()
	again := p.ok(createOp, params...)
	if d := difference(made, p.sim.State()); d != "" {
		t.Errorf("made twice:\n%s", d)
	}
	id := again.one("networkInterface/networkInterfaceId")
	mismatch := "Arguments on this idempotent request are inconsistent with arguments used in " +
		"previous request(s)."
	p.refuses(t, []refusal{
		{"another subnet", createOp, []string{"SubnetId=" + ec2sim.LabSubnetC, "ClientToken=t"}, 0,
			"IdempotentParameterMismatch", mismatch},
		{"another tag", createOp, append(params[:4:4], val1+"c"), 0, "IdempotentParameterMismatch",
			mismatch},
	})
	other := p.ok(createOp, append([]string{params[0], "ClientToken=u"}, params[2:]...)...)
	if got := other.one("networkInterface/networkInterfaceId"); got == id {
		t.Errorf("two tokens made one interface")
	}
	run := []string{"ImageId=ami-1", "MinCount=1", "MaxCount=1", "SubnetId=" + ec2sim.LabSubnetA,
		"ClientToken=t"}
	first, second := p.ok("RunInstances", run...), p.ok("RunInstances", run...)
	const instance = "instancesSet/item/instanceId"
	if first.one(instance) != second.one(instance) || first.one(instance) == "" {
		t.Errorf("%s and %s", first.one(instance), second.one(instance))
	}
	// What was made is gone.
	p.ok(deleteOp, eniParam(id))
	p.refuses(t, []refusal{{"deleted since", createOp, params, 0,
		"InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '" + id + "' does not exist"}})
}

func TestCreateRefusals(t *testing.T) {
	p := lab(t)
	small := p.sim.Region(ec2sim.LabRegion).AddSubnet(ec2sim.Subnet{VPCID: ec2sim.LabVPC,
		CIDR: "10.88.70.0/28"})
	full := []string{"SubnetId=" + small.ID, "SecondaryPrivateIpAddressCount=11"}
	subnet := "SubnetId=" + ec2sim.LabSubnetA
	address := func(a string) []string { return []string{subnet, "PrivateIpAddress=" + a} }
	var six []string
	for n := range 6 {
		g := p.sim.Region(ec2sim.LabRegion).AddSecurityGroup(ec2sim.SecurityGroup{VPCID: ec2sim.LabVPC})
		six = append(six, fmt.Sprintf("SecurityGroupId.%d=%s", n+1, g.ID))
	}
	const value, combination = "InvalidParameterValue", "InvalidParameterCombination"
	p.refuses(t, []refusal{
		{"no subnet", createOp, nil, 0, "MissingParameter",
			"The request must contain the parameter subnetId"},
		{"no such subnet", createOp, []string{"SubnetId=subnet-0123456789abcdef0"}, 0,
			"InvalidSubnetID.NotFound", "The subnet ID 'subnet-0123456789abcdef0' does not exist"},
		{"the subnet is full", createOp, full, 0, "InsufficientFreeAddressesInSubnet",
			"The specified subnet does not have enough free addresses to satisfy the request."},
		{"the address is held", createOp, address(ec2sim.LabServiceAddress), 0,
			"InvalidIPAddress.InUse", "Address 10.88.60.100 is in use."},
		{"the address is outside", createOp, address("10.88.61.9"), 0, value,
			"Address does not fall within the subnet's address range"},
		{"the address is AWS's", createOp, address("10.88.60.3"), 0, value,
			"Address 10.88.60.3 is in subnet's reserved address range"},
		{"no address", createOp, address("x"), 0, value, "invalid value for parameter address: x"},
		{"two primary ones", createOp, []string{subnet,
			"PrivateIpAddresses.1.PrivateIpAddress=10.88.60.50", "PrivateIpAddresses.1.Primary=true",
			"PrivateIpAddresses.2.PrivateIpAddress=10.88.60.51", "PrivateIpAddresses.2.Primary=true"},
			0, combination, "Only one primary private IP address can be specified."},
		{"too many addresses", createOp, []string{subnet, "SecondaryPrivateIpAddressCount=50"}, 0,
			"PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit."},
		{"no such group", createOp, []string{subnet, "SecurityGroupId.1=sg-0123456789abcdef0"}, 0,
			"InvalidGroup.NotFound", "The security group 'sg-0123456789abcdef0' does not exist"},
		{"a group of another VPC", createOp,
			[]string{subnet, "SecurityGroupId.1=" + ec2sim.LabOtherGroup}, 0, "InvalidParameter",
			"Security group " + ec2sim.LabOtherGroup + " and subnet " + ec2sim.LabSubnetA +
				" belong to different networks."},
		{"too many groups", createOp, append(six, subnet), 0,
			"SecurityGroupsPerInterfaceLimitExceeded",
			"The maximum number of security groups per interface has been reached."},
		{"tags of something else", createOp, []string{subnet, spec + "instance", key1 + "a"}, 0, value,
			"'instance' is not a valid taggable resource type for this operation."},
		{"a tag of AWS", createOp, []string{subnet, spec + "network-interface", key1 + "aws:a"}, 0,
			value, "Tag keys starting with 'aws:' are reserved for internal use"},
		{"delete what is attached", deleteOp, []string{eniParam(ec2sim.LabDBInterface1)}, 0, value,
			"Network interface '" + ec2sim.LabDBInterface1 + "' is currently in use."},
		{"delete what is a service's", deleteOp, []string{eniParam(ec2sim.LabManagedInterface)}, 0,
			"OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments."},
		{"delete no such interface", deleteOp, []string{eniParam("eni-0123456789abcdef0")}, 0,
			"InvalidNetworkInterfaceID.NotFound",
			"The networkInterface ID 'eni-0123456789abcdef0' does not exist"},
	})
}

// TestElasticIPs: allocated with its tags, bound and unbound, released; each step twice.
func TestElasticIPs(t *testing.T) {
	p := lab(t)
	before := p.sim.State()
	a := p.ok(allocateOp, "Domain=vpc", spec+"elastic-ip", key1+"role", val1+"router")
	id, public := a.one("allocationId"), a.one("publicIp")
	const address = "addressesSet/item/"
	shown := func() string {
		d := p.ok("DescribeAddresses", "AllocationId.1="+id)
		return d.one(address+"publicIp") + " " + d.one(address+"tagSet/item/value") + " " +
			d.one(address+"networkInterfaceId") + " " + d.one(address+"privateIpAddress")
	}
	if got, want := shown(), public+" router  "; got != want {
		t.Errorf("allocated: %q, want %q", got, want)
	}
	bind := []string{"AllocationId=" + id, "NetworkInterfaceId=" + ec2sim.LabDBInterface1,
		"AllowReassociation=false"}
	first, again := p.ok(associateOp, bind...), p.ok(associateOp, bind...)
	if first.one("associationId") != again.one("associationId") {
		t.Errorf("the same binding is %s and %s", first.body, again.body)
	}
	if got, want := shown(), public+" router "+ec2sim.LabDBInterface1+" 10.88.60.21"; got != want {
		t.Errorf("bound: %q, want %q", got, want)
	}
	lab := "eipassoc-01088600000000011"
	already := func(what, association string) string {
		return "resource " + what + " is already associated with associate-id " + association
	}
	p.refuses(t, []refusal{
		{"release what is bound", releaseOp, []string{"AllocationId=" + id}, 0,
			"InvalidIPAddress.InUse", "Address " + public + " is in use."},
		{"bound elsewhere", associateOp, []string{"AllocationId=" + id,
			"NetworkInterfaceId=" + ec2sim.LabSpareInterface, "AllowReassociation=false"}, 0,
			"Resource.AlreadyAssociated", already(id, first.one("associationId"))},
		{"the interface has another", associateOp, []string{"AllocationId=" + id,
			"NetworkInterfaceId=" + ec2sim.LabRouterAInterface, "AllowReassociation=false"}, 0,
			"Resource.AlreadyAssociated", already(id, first.one("associationId"))},
		{"an address of another interface", associateOp, []string{"AllocationId=" + id,
			"NetworkInterfaceId=" + ec2sim.LabDBInterface1, "PrivateIpAddress=10.88.60.20"}, 0,
			"InvalidParameterValue", "The private IP address '10.88.60.20' is not assigned to network " +
				"interface '" + ec2sim.LabDBInterface1 + "'."},
		{"an instance with two interfaces", associateOp, []string{"AllocationId=" + id,
			"InstanceId=" + ec2sim.LabDB}, 0, "InvalidInstanceID", "There are multiple interfaces " +
			"attached to instance '" + ec2sim.LabDB +
			"'. Please specify an interface ID for the operation instead."},
		{"unbind what is not", "DisassociateAddress", []string{
			"AssociationId=eipassoc-0123456789abcdef0"}, 0, "InvalidAssociationID.NotFound",
			"The association ID 'eipassoc-0123456789abcdef0' does not exist"},
		{"release no such", releaseOp, []string{"AllocationId=eipalloc-0123456789abcdef0"}, 0,
			"InvalidAllocationID.NotFound", "The allocation ID 'eipalloc-0123456789abcdef0' does not exist"},
		{"no such pool", allocateOp, []string{"PublicIpv4Pool=ipv4pool-ec2-0123"}, 0,
			"InvalidPublicIpv4PoolID.NotFound",
			"The public IPv4 pool ID 'ipv4pool-ec2-0123' does not exist"},
	})
	p.ok("DisassociateAddress", "AssociationId="+first.one("associationId"))
	p.ok(releaseOp, "AllocationId="+id)
	if d := difference(before, p.sim.State()); d != "" {
		t.Errorf("there and back is not as it was:\n%s", d)
	}
	// By default a binding moves, and what was bound there before is bound to nothing.
	id = p.ok(allocateOp).one("allocationId")
	p.refuses(t, []refusal{{"the interface has another, and this one is free", associateOp, []string{
		"AllocationId=" + id, "NetworkInterfaceId=" + ec2sim.LabRouterAInterface,
		"AllowReassociation=false"}, 0, "Resource.AlreadyAssociated",
		already(ec2sim.LabRouterAInterface, lab)}})
	p.ok(associateOp, "AllocationId="+id, "InstanceId="+ec2sim.LabRouterA)
	for _, a := range p.sim.Region(ec2sim.LabRegion).State().Addresses {
		if want := a.AllocationID == id; (a.AssociationID != "") != want {
			t.Errorf("bound: %+v", a)
		}
	}
}

// TestPublicPools: a pool of the account's own gives addresses of its network, as many as it has.
func TestPublicPools(t *testing.T) {
	const pool = "ipv4pool-ec2-01088600000000001"
	p := lab(t)
	p.sim.Region(ec2sim.LabRegion).SetPublicPool(pool, "198.51.100.8/31")
	for _, want := range []string{"198.51.100.8", "198.51.100.9"} {
		a := p.ok(allocateOp, "PublicIpv4Pool="+pool)
		shown := p.ok("DescribeAddresses", "AllocationId.1="+a.one("allocationId"))
		if got := a.one("publicIp"); got != want || a.one("publicIpv4Pool") != pool ||
			shown.one("addressesSet/item/publicIpv4Pool") != pool {
			t.Errorf("%s, want %s:\n%s\n%s", got, want, a.body, shown.body)
		}
	}
	p.refuses(t, []refusal{{"none left", allocateOp, []string{"PublicIpv4Pool=" + pool}, 0,
		"InsufficientAddressCapacity", "The public IPv4 pool '" + pool + "' has no free addresses."}})
	of := p.ok(allocateOp, "PublicIpv4Pool=amazon")
	shown := p.ok("DescribeAddresses", "AllocationId.1="+of.one("allocationId"))
	if of.one("publicIpv4Pool") != "amazon" ||
		shown.one("addressesSet/item/publicIpv4Pool") != "amazon" {
		t.Errorf("%s\n%s", of.body, shown.body)
	}
	// What somebody removes by hand leaves nothing bound to it.
	p.sim.Region(ec2sim.LabRegion).Remove(ec2sim.LabRouterAInterface)
	for _, a := range p.sim.Region(ec2sim.LabRegion).State().Addresses {
		if a.AssociationID != "" || a.InterfaceID != "" {
			t.Errorf("bound to what is gone: %+v", a)
		}
	}
}

// TestMakingQuotas: what is made is limited in its number.
func TestMakingQuotas(t *testing.T) {
	p := lab(t, ec2sim.WithQuotas(ec2sim.Quotas{Interfaces: 8}))
	var last refusal
	for n := range 20 {
		a := p.call(createOp, "SubnetId="+ec2sim.LabSubnetA)
		if a.status != http.StatusOK {
			last = refusal{code: a.code, message: a.message}
			break
		}
		if n == 19 {
			t.Fatal("there is no limit")
		}
	}
	if last.code != "NetworkInterfaceLimitExceeded" ||
		len(p.sim.Region(ec2sim.LabRegion).State().Interfaces) != 8 {
		t.Errorf("%+v", last)
	}
	for range 4 {
		p.ok(allocateOp)
	}
	p.refuses(t, []refusal{{"the sixth address", allocateOp, nil, 0, "AddressLimitExceeded",
		"The maximum number of addresses has been reached."}})
}

// TestRunAndTerminate: an instance goes with the interfaces that are to go with it. Others, and
// Elastic IPs, stay.
func TestRunAndTerminate(t *testing.T) {
	clock := newClock()
	p := lab(t, ec2sim.WithClock(clock.Now), ec2sim.WithTransitionTime(time.Second))
	a := p.ok("RunInstances", "ImageId=ami-1", "InstanceType=t3.medium", "MinCount=1", "MaxCount=2",
		"SubnetId="+ec2sim.LabSubnetA, spec+"instance", key1+"Name", val1+"edge")
	ids := a.values["instancesSet/item/instanceId"]
	if len(ids) != 2 || a.one("instancesSet/item/instanceState/name") != "pending,pending" ||
		a.one("instancesSet/item/tagSet/item/value") != "edge,edge" {
		t.Fatalf("answered %s", a.body)
	}
	state := func() string {
		return p.ok("DescribeInstances", "InstanceId.1="+ids[0]).one(
			"reservationSet/item/instancesSet/item/instanceState/name")
	}
	if got := state(); got != "pending" {
		t.Errorf("at first it is %s", got)
	}
	clock.advance(time.Second)
	if got := state(); got != "running" {
		t.Errorf("then it is %s", got)
	}
	stays := p.ok(createOp, "SubnetId="+ec2sim.LabSubnetA).one("networkInterface/networkInterfaceId")
	goes := p.ok(createOp, "SubnetId="+ec2sim.LabSubnetA).one("networkInterface/networkInterfaceId")
	p.ok(attachOp, attaching(stays, ids[0], "1")...)
	attachment := p.ok(attachOp, attaching(goes, ids[0], "2")...).one("attachmentId")
	p.ok("ModifyNetworkInterfaceAttribute", eniParam(goes), "Attachment.AttachmentId="+attachment,
		"Attachment.DeleteOnTermination=true")
	id := p.ok(allocateOp).one("allocationId")
	p.ok(associateOp, "AllocationId="+id, "NetworkInterfaceId="+goes)
	clock.advance(time.Second)
	p.ok("TerminateInstances", "InstanceId.1="+ids[0])
	clock.advance(time.Second)
	if got := state(); got != "terminated" {
		t.Errorf("at last it is %s", got)
	}
	if eni := p.eni(stays); eni.Attachment != nil {
		t.Errorf("it has %+v", eni.Attachment)
	}
	for _, eni := range p.sim.Region(ec2sim.LabRegion).State().Interfaces {
		if eni.ID == goes || eni.Instance() == ids[0] {
			t.Errorf("left: %+v", eni)
		}
	}
	if got := p.ok("DescribeAddresses", "AllocationId.1="+id).one(
		"addressesSet/item/associationId"); got != "" {
		t.Errorf("the Elastic IP is bound: %s", got)
	}
	p.refuses(t, []refusal{
		{"more than the subnet has", "RunInstances", []string{"ImageId=ami-1", "MinCount=252",
			"MaxCount=252", "SubnetId=" + ec2sim.LabSubnetA}, 0, "InsufficientFreeAddressesInSubnet",
			"There are not enough free addresses in subnet '" + ec2sim.LabSubnetA +
				"' to satisfy the requested number of instances."},
		{"fewer than one", "RunInstances", []string{"ImageId=ami-1",
			"SubnetId=" + ec2sim.LabSubnetA}, 0, "MissingParameter",
			"The request must contain the parameter minCount"},
	})
}

// TestTaggingAtCreationNeedsAPermission: whoever may create may not tag for that.
func TestTaggingAtCreationNeedsAPermission(t *testing.T) {
	allow := func(statements ...map[string]any) string {
		for _, s := range statements {
			s["Effect"] = "Allow"
		}
		text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	create := map[string]any{"Action": "ec2:CreateNetworkInterface", "Resource": []string{
		"arn:aws:ec2:*:*:network-interface/*", "arn:aws:ec2:*:*:subnet/" + ec2sim.LabSubnetA}}
	tag := map[string]any{"Action": "ec2:CreateTags",
		"Resource": "arn:aws:ec2:*:*:network-interface/*",
		"Condition": map[string]any{"StringEquals": map[string]string{
			"ec2:CreateAction": createOp}}}
	plain := []string{"SubnetId=" + ec2sim.LabSubnetA}
	tagged := append(plain[:1:1], spec+"network-interface", key1+"a", val1+"b")
	for _, c := range []struct {
		name     string
		document string
		params   []string
		refused  string
	}{
		{"create", allow(create), plain, ""},
		{"create and tag", allow(create), tagged, "ec2:CreateTags"},
		{"create and tag, allowed", allow(create, tag), tagged, ""},
		{"in another subnet", allow(create, tag), []string{"SubnetId=" + ec2sim.LabSubnetC},
			"ec2:CreateNetworkInterface"},
		{"tag alone", allow(create, tag), nil, "MissingParameter"},
	} {
		p := lab(t, ec2sim.WithPolicies(ec2sim.LabCredential.AccessKeyID, c.document))
		a := p.call(createOp, c.params...)
		if (a.status == http.StatusOK) != (c.refused == "") ||
			!strings.Contains(a.code+" "+a.message, c.refused) {
			t.Errorf("%s: %d %s: %s", c.name, a.status, a.code, a.message)
		}
	}
	p := lab(t, ec2sim.WithPolicies(ec2sim.LabCredential.AccessKeyID, allow(create, tag)))
	a := p.call("CreateTags", "ResourceId.1="+ec2sim.LabSpareInterface, "Tag.1.Key=a", "Tag.1.Value=b")
	if a.code != "UnauthorizedOperation" {
		t.Errorf("a tag of what was there: %d %s", a.status, a.code)
	}
}
