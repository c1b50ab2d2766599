package ec2sim_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

// ipv6Only adds an IPv6-only subnet to the lab, and an instance in it.
func (p *peer) ipv6Only() (ec2sim.Subnet, ec2sim.Instance, ec2sim.Interface) {
	p.t.Helper()
	r := p.sim.Region(ec2sim.LabRegion)
	subnet := r.AddSubnet(ec2sim.Subnet{VPCID: ec2sim.LabVPC, IPv6CIDR: "2001:db8:1088:66::/64"})
	i := r.AddInstance(ec2sim.Instance{SubnetID: subnet.ID})
	return subnet, i, the(p.t, r.State().Interfaces, func(eni ec2sim.Interface) bool {
		return eni.SubnetID == subnet.ID
	})
}

func TestIPv6OnlySubnet(t *testing.T) {
	p := lab(t)
	subnet, i, eni := p.ipv6Only()
	if diff := cmp.Diff([]string{"2001:db8:1088:66::4"}, eni.IPv6Addresses); diff != "" ||
		len(eni.PrivateAddresses) != 0 {
		t.Errorf("the interface has %v, and of IPv6:\n%s", eni.PrivateAddresses, diff)
	}

	a := p.ok("DescribeSubnets", "Filter.1.Name=ipv6-native", "Filter.1.Value.1=true")
	const subnets = "subnetSet/item/"
	got := []string{a.one(subnets + "subnetId"), a.one(subnets + "ipv6Native"),
		a.one(subnets + "assignIpv6AddressOnCreation"),
		a.one(subnets + "availableIpAddressCount"),
		a.one(subnets + "ipv6CidrBlockAssociationSet/item/ipv6CidrBlock")}
	if diff := cmp.Diff([]string{subnet.ID, "true", "true", "0", "2001:db8:1088:66::/64"},
		got); diff != "" {
		t.Error(diff)
	}
	a = p.ok("DescribeNetworkInterfaces", "NetworkInterfaceId.1="+eni.ID)
	b := p.ok("DescribeInstances", "InstanceId.1="+i.ID)
	for _, body := range []string{a.body, b.body} {
		if strings.Contains(body, "privateIpAddress>") || strings.Contains(body, "cidrBlock>") {
			t.Errorf("an IPv4 address is told: %s", body)
		}
	}
	const instance = "reservationSet/item/instancesSet/item/"
	if b.one(instance+"ipv6Address") != "2001:db8:1088:66::4" ||
		b.one(instance+"privateDnsName") != i.ID+".ap-northeast-1.compute.internal" {
		t.Errorf("the instance is described as %s", b.body)
	}

	p.ok("AssignIpv6Addresses", eniParam(eni.ID), "Ipv6Addresses.1=2001:db8:1088:66::9")
	p.ok(checkOp, eniParam(eni.ID), "SourceDestCheck.Value=false")
	none := "The subnet '" + subnet.ID + "' does not have an IPv4 CIDR block associated with it."
	p.refuses(t, []refusal{
		{"IPv4", "AssignPrivateIpAddresses",
			[]string{eniParam(eni.ID), "PrivateIpAddress.1=10.88.60.9"}, 0,
			"InvalidParameterValue", none},
		{"any IPv4", "AssignPrivateIpAddresses",
			[]string{eniParam(eni.ID), "SecondaryPrivateIpAddressCount=1"}, 0,
			"InvalidParameterValue", none},
		{"no IPv4 to take away", "UnassignPrivateIpAddresses",
			[]string{eniParam(eni.ID), "PrivateIpAddress.1=10.88.60.9"}, 0,
			"InvalidParameterValue",
			"Some of the specified addresses are not assigned to interface " + eni.ID},
	})
}

func TestMetadataOfAnIPv6OnlyInstance(t *testing.T) {
	p := lab(t)
	_, i, eni := p.ipv6Only()
	m := served(t, p.sim, ec2sim.MetadataOptions{Region: ec2sim.LabRegion, Instance: i.ID})
	for path, want := range map[string]string{
		"meta-data/instance-id":    i.ID,
		"meta-data/ipv6":           "2001:db8:1088:66::4",
		"meta-data/local-hostname": i.ID + ".ap-northeast-1.compute.internal",
		"meta-data/network/interfaces/macs/" + eni.MAC +
			"/ipv6s": "2001:db8:1088:66::4",
		"meta-data/network/interfaces/macs/" + eni.MAC +
			"/subnet-ipv6-cidr-blocks": "2001:db8:1088:66::/64",
	} {
		if status, text, _ := m.ask("GET", path); status != 200 || text != want {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	for _, path := range []string{"meta-data/local-ipv4",
		"meta-data/network/interfaces/macs/" + eni.MAC + "/local-ipv4s"} {
		if status, text, _ := m.ask("GET", path); status != 404 {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if _, text, _ := m.ask("GET", "dynamic/instance-identity/document"); strings.Contains(text,
		"privateIp") {
		t.Errorf("the document has an address: %s", text)
	}
}

// A subnet that another account shares is its owner's, and so are the main route table and the
// default group; what is made in it is one's own.
func TestSharedSubnet(t *testing.T) {
	p := lab(t)
	r := p.sim.Region(ec2sim.LabRegion)
	const other = "999988887777"
	vpc := r.AddVPC(ec2sim.VPC{CIDR: "10.66.0.0/16", Owner: other})
	subnet := r.AddSubnet(ec2sim.Subnet{VPCID: vpc.ID, CIDR: "10.66.1.0/24"})
	group := r.AddSecurityGroup(ec2sim.SecurityGroup{VPCID: vpc.ID, Name: "mine"})
	mine := r.AddInterface(ec2sim.Interface{SubnetID: subnet.ID, Groups: []string{group.ID}})
	theirs := r.AddInterface(
		ec2sim.Interface{SubnetID: subnet.ID, Owner: other, PrivateAddresses: []ec2sim.PrivateAddress{
			{Address: "10.66.1.20", Primary: true}, {Address: "10.66.1.21"}}})
	table := the(t, r.State().RouteTables, func(table ec2sim.RouteTable) bool {
		return table.VPCID == vpc.ID
	})

	a := p.ok("DescribeSubnets", "Filter.1.Name=owner-id", "Filter.1.Value.1="+other)
	if a.one("subnetSet/item/subnetId") != subnet.ID || a.one("subnetSet/item/ownerId") != other ||
		a.one("subnetSet/item/subnetArn") != "arn:aws:ec2:ap-northeast-1:"+other+":subnet/"+subnet.ID {
		t.Errorf("the subnet is described as %s", a.body)
	}
	for id, want := range map[string]string{mine.ID: ec2sim.DefaultOwner, theirs.ID: other} {
		if got := p.ok("DescribeNetworkInterfaces",
			"NetworkInterfaceId.1="+id).one("networkInterfaceSet/item/ownerId"); got != want {
			t.Errorf("%s is %s's", id, got)
		}
	}
	p.ok("AssignPrivateIpAddresses", eniParam(mine.ID), "PrivateIpAddress.1=10.66.1.9")
	const no = "You do not have permission to access the specified resource."
	p.refuses(t, []refusal{
		{"their interface", checkOp, []string{eniParam(theirs.ID), "SourceDestCheck.Value=false"}, 401,
			"AuthFailure", no},
		{"an address of theirs", "AssignPrivateIpAddresses",
			[]string{eniParam(mine.ID), "PrivateIpAddress.1=10.66.1.21", "AllowReassignment=true"}, 401,
			"AuthFailure", no},
		{"their route table", "CreateRoute",
			[]string{"RouteTableId=" + table.ID, to("10.5.0.0/16"), "NetworkInterfaceId=" + mine.ID},
			401, "AuthFailure", no},
		{"tags of their subnet", "CreateTags",
			[]string{"ResourceId.1=" + subnet.ID, "Tag.1.Key=k", "Tag.1.Value=v"}, 401, "AuthFailure", no},
		{"an address that they have", "AssignPrivateIpAddresses",
			[]string{eniParam(mine.ID), "PrivateIpAddress.1=10.66.1.21"}, 0,
			"InvalidParameterValue", "[10.66.1.21] assigned, but move is not allowed."},
	})
}

func TestPartitionsOfARNs(t *testing.T) {
	for region, want := range map[string]string{"cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov",
		"eu-west-1": "aws"} {
		p := lab(t)
		p.region = region
		r := p.sim.Region(region)
		subnet := r.AddSubnet(
			ec2sim.Subnet{VPCID: r.AddVPC(ec2sim.VPC{CIDR: "10.0.0.0/16"}).ID, CIDR: "10.0.0.0/24"})
		arn := p.ok("DescribeSubnets").one("subnetSet/item/subnetArn")
		if arn != "arn:"+want+":ec2:"+region+":"+ec2sim.DefaultOwner+":subnet/"+subnet.ID {
			t.Errorf("%s: %s", region, arn)
		}
	}
}
