package ec2sim_test

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

func TestStateIsACopy(t *testing.T) {
	s := ec2sim.New(ec2sim.Lab())
	before, spoilt := s.State(), s.State()
	r := spoilt.Regions[ec2sim.LabRegion]
	for i := range r.Interfaces {
		r.Interfaces[i].PrivateAddresses[0].Address = "x"
		if len(r.Interfaces[i].Groups) > 0 {
			r.Interfaces[i].Groups[0] = "x"
		}
		if r.Interfaces[i].Attachment != nil {
			r.Interfaces[i].Attachment.Status = "x"
		}
	}
	for i := range r.VPCs {
		r.VPCs[i].Tags["Name"] = "x"
	}
	for i := range r.RouteTables {
		r.RouteTables[i].Routes[0].Target = "x"
		r.RouteTables[i].Associations[0].ID = "x"
	}
	for i := range r.SecurityGroups {
		for n := range r.SecurityGroups[i].Egress {
			r.SecurityGroups[i].Egress[n].Protocol = "x"
		}
	}
	if diff := cmp.Diff(before, s.State()); diff != "" {
		t.Errorf("what was done to the copy reached the Sim:\n%s", diff)
	}
}

func TestEqualWorldsAreEqualStates(t *testing.T) {
	if diff := cmp.Diff(ec2sim.New(ec2sim.Lab()).State(), ec2sim.New(ec2sim.Lab()).State()); diff !=
		"" {
		t.Errorf("two labs differ:\n%s", diff)
	}
	p := lab(t)
	before := p.sim.State()
	b := eniParam(ec2sim.LabRouterBInterface)
	p.ok("AssignPrivateIpAddresses", b, "PrivateIpAddress.1=10.88.60.9")
	p.ok("UnassignPrivateIpAddresses", b, "PrivateIpAddress.1=10.88.60.100")
	p.ok("AssignPrivateIpAddresses", b, "PrivateIpAddress.1=10.88.60.100")
	p.ok("UnassignPrivateIpAddresses", b, "PrivateIpAddress.1=10.88.60.9")
	db := eniParam(ec2sim.LabDBInterface0)
	p.ok(checkOp, db, "SecurityGroupId.1="+ec2sim.LabGroupFence)
	p.ok(checkOp, db, "SecurityGroupId.1="+ec2sim.LabGroupDefault,
		"SecurityGroupId.2="+ec2sim.LabGroupWeb)
	if diff := cmp.Diff(before, p.sim.State()); diff != "" {
		t.Errorf("there and back is not as it was:\n%s", diff)
	}
}

func TestLabIDs(t *testing.T) {
	form := regexp.MustCompile(`^[a-z-]+-[0-9a-f]{17}$`)
	r := ec2sim.New(ec2sim.Lab()).Region(ec2sim.LabRegion).State()
	var ids []string
	for _, v := range r.VPCs {
		ids = append(ids, v.ID)
	}
	for _, s := range r.Subnets {
		ids = append(ids, s.ID)
	}
	for _, g := range r.SecurityGroups {
		ids = append(ids, g.ID)
	}
	for _, g := range r.Gateways {
		ids = append(ids, g.ID)
	}
	for _, table := range r.RouteTables {
		ids = append(ids, table.ID)
		for _, a := range table.Associations {
			ids = append(ids, a.ID)
		}
	}
	for _, i := range r.Instances {
		ids = append(ids, i.ID, i.ReservationID)
	}
	for _, i := range r.Interfaces {
		ids = append(ids, i.ID)
		if i.Attachment != nil {
			ids = append(ids, i.Attachment.ID)
		}
	}
	for _, a := range r.Addresses {
		ids = append(ids, a.AllocationID, a.AssociationID)
	}
	for _, id := range ids {
		if !form.MatchString(id) {
			t.Errorf("%q is not an id", id)
		}
	}
	if len(ids) < 40 {
		t.Errorf("only %d ids", len(ids))
	}
}

func TestSeedsMakeTheSameIDs(t *testing.T) {
	world := func(seed uint64) ec2sim.State {
		s := ec2sim.New(ec2sim.WithSeed(seed), ec2sim.WithClock(newClock().Now))
		r := s.Region("eu-west-1")
		vpc := r.AddVPC(ec2sim.VPC{CIDR: "10.0.0.0/16"})
		subnet := r.AddSubnet(ec2sim.Subnet{VPCID: vpc.ID, CIDR: "10.0.0.0/28"})
		r.AddInterface(ec2sim.Interface{SubnetID: subnet.ID})
		return s.State()
	}
	if !cmp.Equal(world(1), world(1)) {
		t.Error("one seed, two worlds")
	}
	if cmp.Equal(world(1), world(2)) {
		t.Error("two seeds, one world")
	}
}

func TestBuilderFillsIn(t *testing.T) {
	r := ec2sim.New().Region("eu-west-1")
	vpc := r.AddVPC(ec2sim.VPC{CIDR: "10.0.0.0/16"})
	subnet := r.AddSubnet(ec2sim.Subnet{VPCID: vpc.ID, CIDR: "10.0.0.0/28"})
	i := r.AddInstance(ec2sim.Instance{SubnetID: subnet.ID})
	if i.Type != "t3.micro" || i.State != "running" || i.AvailabilityZone != "eu-west-1a" ||
		i.VPCID != vpc.ID {
		t.Errorf("instance %+v", i)
	}
	eni := r.State().Interfaces[0]
	if eni.PrivateAddresses[0] != (ec2sim.PrivateAddress{Address: "10.0.0.4", Primary: true}) ||
		eni.Attachment.InstanceID != i.ID || len(eni.Groups) != 1 || !eni.SourceDestCheck {
		t.Errorf("interface %+v", eni)
	}
	r.Remove(eni.ID)
	if len(r.State().Interfaces) != 0 {
		t.Error("the removed interface is there")
	}
}

func TestBuilderPanics(t *testing.T) {
	r := ec2sim.New(ec2sim.Lab()).Region(ec2sim.LabRegion)
	for name, build := range map[string]func(){
		"malformed network": func() { r.AddVPC(ec2sim.VPC{CIDR: "10.0.0.1/16"}) },
		"subnet of no VPC": func() {
			r.AddSubnet(ec2sim.Subnet{VPCID: "vpc-1", CIDR: "10.0.0.0/24"})
		},
		"subnet outside": func() {
			r.AddSubnet(ec2sim.Subnet{VPCID: ec2sim.LabVPC, CIDR: "10.0.0.0/24"})
		},
		"subnet overlapping": func() {
			r.AddSubnet(ec2sim.Subnet{VPCID: ec2sim.LabVPC, CIDR: "10.88.60.0/28"})
		},
		"the same id again": func() {
			r.AddVPC(ec2sim.VPC{ID: ec2sim.LabVPC, CIDR: "10.0.0.0/16"})
		},
		"address that is taken": func() { r.AddInterface(withAddress("10.88.60.100")) },
		"address that is kept":  func() { r.AddInterface(withAddress("10.88.60.255")) },
		"no such state": func() {
			r.AddInstance(ec2sim.Instance{SubnetID: ec2sim.LabSubnetA, State: "asleep"})
		},
		"edit of nothing": func() {
			r.EditInterface("eni-1", func(*ec2sim.Interface) {})
		},
		"edit of an id": func() {
			r.EditInstance(ec2sim.LabDB, func(i *ec2sim.Instance) { i.ID = "i-1" })
		},
		"removal of a subnet that is in use": func() { r.Remove(ec2sim.LabSubnetA) },
		"removal of a VPC that is in use":    func() { r.Remove(ec2sim.LabVPC) },
		"removal of nothing":                 func() { r.Remove("eni-1") },
		"address of nobody": func() {
			r.AddAddress(ec2sim.Address{InterfaceID: ec2sim.LabRouterAInterface, PrivateIP: "10.88.60.9"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it did")
				}
			}()
			build()
		})
	}
}

func withAddress(a string) ec2sim.Interface {
	return ec2sim.Interface{SubnetID: ec2sim.LabSubnetA,
		PrivateAddresses: []ec2sim.PrivateAddress{{Address: a, Primary: true}}}
}
