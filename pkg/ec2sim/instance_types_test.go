package ec2sim_test

import (
	"testing"

	"aws-provider-executor/pkg/ec2sim"
)

func TestDescribeInstanceTypes(t *testing.T) {
	p := lab(t)
	const item = "instanceTypeSet/item/"
	a := p.ok("DescribeInstanceTypes", "InstanceType.1=t3.medium", "InstanceType.2=m5.large")
	for path, want := range map[string]string{
		item + "instanceType":                          "t3.medium,m5.large",
		item + "networkInfo/maximumNetworkInterfaces":  "3,3",
		item + "networkInfo/ipv4AddressesPerInterface": "6,10",
		item + "networkInfo/ipv6AddressesPerInterface": "6,10",
	} {
		if got := a.one(path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	a = p.ok("DescribeInstanceTypes", "Filter.1.Name=instance-type", "Filter.1.Value.1=t3.s*")
	if got := a.one(item + "instanceType"); got != "t3.small" {
		t.Errorf("the filter finds %s", got)
	}
	a = p.ok("DescribeInstanceTypes", "MaxResults=5")
	if got := a.values[item+"instanceType"]; len(got) != 5 || a.one("nextToken") == "" {
		t.Errorf("a page has %v, next %q", got, a.one("nextToken"))
	}
	p.refuses(t, []refusal{
		{name: "no such type", operation: "DescribeInstanceTypes",
			params: []string{"InstanceType.1=t3.medium", "InstanceType.2=t9.nano"},
			code:   "InvalidInstanceType",
			message: "The following supplied instance types do not exist: " +
				"[t9.nano]"},
		{name: "a page of named types", operation: "DescribeInstanceTypes",
			params: []string{"InstanceType.1=t3.medium", "MaxResults=5"},
			code:   "InvalidParameterCombination",
			message: "The parameter instanceTypesSet cannot be used with the parameter " +
				"maxResults"},
		{name: "no such filter", operation: "DescribeInstanceTypes",
			params: []string{"Filter.1.Name=colour", "Filter.1.Value.1=red"},
			code:   "InvalidParameterValue", message: "The filter 'colour' is invalid"},
	})
}

// A quota that is set for the account is what its types have: the limit that an assignment meets is
// the one that was described.
func TestDescribedLimitIsTheOneInForce(t *testing.T) {
	p := lab(t, ec2sim.WithQuotas(ec2sim.Quotas{AddressesPerInterface: 2}))
	a := p.ok("DescribeInstanceTypes", "InstanceType.1=t3.medium")
	got := a.one("instanceTypeSet/item/networkInfo/ipv4AddressesPerInterface")
	if got != "2" {
		t.Errorf("the type has %s addresses, want 2", got)
	}
	p.refuses(t, []refusal{{name: "one more", operation: "AssignPrivateIpAddresses",
		params: []string{"NetworkInterfaceId=" + ec2sim.LabRouterBInterface,
			"PrivateIpAddress.1=10.88.60.9"},
		code:    "PrivateIpAddressLimitExceeded",
		message: "Number of private addresses will exceed limit."}})
}

// A type that only an instance of the world has can be described, too.
func TestTypeOfAnInstance(t *testing.T) {
	p := serve(t, ec2sim.Seed(func(s *ec2sim.Sim) {
		r := s.Region(ec2sim.LabRegion)
		r.AddVPC(ec2sim.VPC{ID: ec2sim.LabVPC, CIDR: "10.88.0.0/16"})
		r.AddSubnet(ec2sim.Subnet{ID: ec2sim.LabSubnetA, VPCID: ec2sim.LabVPC, CIDR: "10.88.60.0/24"})
		r.AddInstance(ec2sim.Instance{ID: ec2sim.LabDB, Type: "x9.huge", SubnetID: ec2sim.LabSubnetA})
	}))
	p.ok("DescribeInstanceTypes", "InstanceType.1=x9.huge")
}
