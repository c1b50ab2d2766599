package ec2sim

import (
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// The lab's region, and what is in it. Interfaces and instances have the digits of their address:
// 01088600000000011 is 10.88.60.11.
const (
	LabRegion = "ap-northeast-1"

	LabVPC     = "vpc-01088000000000000"    // 10.88.0.0/16 and 2001:db8:1088::/56
	LabSubnetA = "subnet-01088600000000000" // 10.88.60.0/24 and 2001:db8:1088:60::/64, in zone a
	LabSubnetC = "subnet-01088610000000000" // 10.88.61.0/24, in zone c

	LabGroupDefault  = "sg-01088000000000000"
	LabGroupRouter   = "sg-01088000000000001"
	LabGroupWeb      = "sg-01088000000000002"
	LabGroupFence    = "sg-01088000000000003" // no rules at all
	LabGroupAllowAll = "sg-01088000000000004"

	LabRouterA = "i-01088600000000011" // t3.medium, one interface
	LabRouterB = "i-01088600000000012" // t3.medium, one interface, which also holds LabServiceAddress
	LabRouterC = "i-01088610000000013" // m5.large, one interface that forwards already
	LabDB      = "i-01088600000000020" // t3.small, two interfaces

	LabRouterAInterface = "eni-01088600000000011" // source/destination check on
	LabRouterBInterface = "eni-01088600000000012" // source/destination check on
	LabRouterCInterface = "eni-01088610000000013" // source/destination check off
	LabDBInterface0     = "eni-01088600000000020" // groups web and default
	LabDBInterface1     = "eni-01088600000000021" // group web
	LabSpareInterface   = "eni-01088600000000030" // attached to nothing
	LabManagedInterface = "eni-01088610000000040" // a load balancer's: requesterManaged

	LabServiceAddress = "10.88.60.100" // secondary of LabRouterBInterface
	LabFreeAddress    = "10.88.60.9"   // nobody's

	LabMainRouteTable = "rtb-01088000000000000" // 0.0.0.0/0 to LabInternetGateway
	// LabRouteTable is of LabSubnetA. It leads LabRoute to LabRouterAInterface.
	LabRouteTable       = "rtb-01088000000000060"
	LabRoute            = "10.99.0.0/24"
	LabInternetGateway  = "igw-01088000000000000"
	LabNATGateway       = "nat-01088000000000000"
	LabTransitGateway   = "tgw-01088000000000000"
	LabPeering          = "pcx-01088000000000000"
	LabEgressOnlyGW     = "eigw-01088000000000000"
	LabVPCEndpoint      = "vpce-01088000000000000"
	LabElasticIP        = "203.0.113.11" // bound to the primary address of router-a
	LabElasticIPAddress = "eipalloc-01088600000000011"

	LabOtherVPC    = "vpc-01077000000000000" // 10.77.0.0/16
	LabOtherSubnet = "subnet-01077010000000000"
	LabOtherGroup  = "sg-01077000000000001"
)

// LabCredential is the access key of somebody at the lab.
var LabCredential = Credential{
	AccessKeyID:     "AKIALABEC2SIM0000001",
	SecretAccessKey: "lab-secret-of-ec2sim-nothing-real-000001",
	ARN:             "arn:aws:iam::" + DefaultOwner + ":user/lab-operator",
}

// LabRoleCredential is what the metadata service of the lab gives its instance.
var LabRoleCredential = Credential{
	AccessKeyID:     "ASIALABEC2SIM0000001",
	SecretAccessKey: "role-secret-of-ec2sim-nothing-real-00001",
	SessionToken:    "role-session-token-of-ec2sim-nothing-real",
	ARN:             "arn:aws:sts::" + DefaultOwner + ":assumed-role/" + labRole + "/" + LabRouterA,
}

const labRole = "lab-router"

// LabMetadata is the metadata service of router-a.
func LabMetadata() *MetadataOptions {
	return &MetadataOptions{Region: LabRegion, Instance: LabRouterA, Role: labRole,
		Credential: LabRoleCredential}
}

// Lab seeds a small network with two kinds of credentials.
func Lab() Option {
	return func(c *config) {
		WithCredentials(LabCredential, LabRoleCredential)(c)
		Seed(fillLab)(c)
	}
}

var labBegin = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

func named(name string) Tags { return Tags{"Name": name} }

func fillLab(s *Sim) {
	r := s.Region(LabRegion)
	r.AddVPC(VPC{ID: LabVPC, CIDR: "10.88.0.0/16", IPv6CIDR: "2001:db8:1088::/56", Tags: named("lab")})
	r.AddSubnet(
		Subnet{ID: LabSubnetA, VPCID: LabVPC, CIDR: "10.88.60.0/24", IPv6CIDR: "2001:db8:1088:60::/64",
			AvailabilityZone: LabRegion + "a", Tags: named("lab-a")})
	r.AddSubnet(Subnet{ID: LabSubnetC, VPCID: LabVPC, CIDR: "10.88.61.0/24",
		AvailabilityZone: LabRegion + "c", Tags: named("lab-c")})
	fillLabGroups(r)
	fillLabInstances(r)
	fillLabRoutes(r)

	r.AddVPC(VPC{ID: LabOtherVPC, CIDR: "10.77.0.0/16", Tags: named("other")})
	r.AddSubnet(Subnet{ID: LabOtherSubnet, VPCID: LabOtherVPC, CIDR: "10.77.1.0/24",
		AvailabilityZone: LabRegion + "a", Tags: named("other-a")})
	r.AddSecurityGroup(
		SecurityGroup{ID: LabOtherGroup, VPCID: LabOtherVPC, Name: "other", Tags: named("other")})
}

func fillLabGroups(r *Region) {
	everywhere := []Rule{{Protocol: "-1", CIDRs: []string{"0.0.0.0/0"}, IPv6: []string{"::/0"}}}
	inside := []Rule{{Protocol: "-1", CIDRs: []string{"10.0.0.0/8"}}}
	web := []Rule{
		{Protocol: "tcp", FromPort: 80, ToPort: 80, CIDRs: []string{"0.0.0.0/0"}},
		{Protocol: "tcp", FromPort: 443, ToPort: 443, CIDRs: []string{"0.0.0.0/0"}},
	}
	for _, g := range []SecurityGroup{
		{ID: LabGroupRouter, Name: "router", Ingress: inside, Egress: everywhere},
		{ID: LabGroupWeb, Name: "web", Ingress: web, Egress: everywhere},
		{ID: LabGroupFence, Name: "fence"},
		{ID: LabGroupAllowAll, Name: "allow-all", Ingress: everywhere, Egress: everywhere},
	} {
		g.VPCID, g.Tags = LabVPC, named(g.Name)
		r.AddSecurityGroup(g)
	}
}

func fillLabInstances(r *Region) {
	secondary := []PrivateAddress{{Address: LabServiceAddress}}
	router := []string{LabGroupRouter}

	addLabInstance(r, LabRouterA, "router-a", "t3.medium", labInterface{id: LabRouterAInterface,
		subnet: LabSubnetA, address: "10.88.60.11", check: true, groups: router,
		ipv6: []string{"2001:db8:1088:60::11"}})
	addLabInstance(r, LabRouterB, "router-b", "t3.medium", labInterface{id: LabRouterBInterface,
		subnet: LabSubnetA, address: "10.88.60.12", check: true, groups: router, more: secondary})
	addLabInstance(r, LabRouterC, "router-c", "m5.large", labInterface{id: LabRouterCInterface,
		subnet: LabSubnetC, address: "10.88.61.13", groups: router})
	addLabInstance(r, LabDB, "db", "t3.small",
		labInterface{id: LabDBInterface0, subnet: LabSubnetA, address: "10.88.60.20", check: true,
			groups: []string{LabGroupWeb, LabGroupDefault}},
		labInterface{id: LabDBInterface1, subnet: LabSubnetA, address: "10.88.60.21", check: true,
			groups: []string{LabGroupWeb}})

	spare := labInterface{id: LabSpareInterface, subnet: LabSubnetA, address: "10.88.60.30",
		check: true}.spec("spare")
	spare.Attachment = nil
	r.AddInterface(spare)

	managed := labInterface{id: LabManagedInterface, subnet: LabSubnetC, address: "10.88.61.40",
		check: true}.spec("")
	managed.Description, managed.Type = "ELB net/lab/0123456789abcdef", "network_load_balancer"
	managed.RequesterManaged, managed.RequesterID = true, "amazon-elb"
	managed.Attachment.ID = "ela-attach-01088610000000040"
	managed.Attachment.InstanceOwner, managed.Attachment.Status = "amazon-elb", "attached"
	r.AddInterface(managed)

	r.AddAddress(Address{AllocationID: LabElasticIPAddress, PublicIP: LabElasticIP,
		AssociationID: world.SameDigits("eipassoc", LabElasticIPAddress),
		InterfaceID:   LabRouterAInterface, PrivateIP: "10.88.60.11", Tags: named("router-a")})
}

// labInterface is what differs between the lab's interfaces.
type labInterface struct {
	id, subnet, address string
	check               bool
	groups              []string
	more                []PrivateAddress
	ipv6                []string
}

func (l labInterface) spec(name string) Interface {
	i := Interface{
		ID: l.id, SubnetID: l.subnet, Description: name, Groups: l.groups, SourceDestCheck: l.check,
		PrivateAddresses: append([]PrivateAddress{{Address: l.address, Primary: true}}, l.more...),
		IPv6Addresses:    l.ipv6,
		MAC:              "06:10:88:60:00:" + l.id[len(l.id)-2:],
		Attachment:       &Attachment{ID: world.SameDigits("eni-attach", l.id), AttachTime: labBegin},
	}
	if name != "" {
		i.Tags = named(name)
	}
	return i
}

func addLabInstance(r *Region, id, name, kind string, interfaces ...labInterface) {
	var specs []Interface
	for n, l := range interfaces {
		spec := l.spec(name)
		spec.Attachment.DeviceIndex, spec.Attachment.DeleteOnTermination = n, n == 0
		specs = append(specs, spec)
	}
	// SSM reaches the routers alone.
	var agent *Agent
	if id != LabDB {
		agent = &Agent{Ping: "Online"}
	}
	r.AddInstance(Instance{
		Agent: agent,
		ID:    id, Type: kind, KeyName: "lab", LaunchTime: labBegin,
		ReservationID: world.SameDigits("r", id), Tags: named(name),
		Profile: "arn:aws:iam::" + DefaultOwner + ":instance-profile/" + labRole,
	}, specs...)
}

func fillLabRoutes(r *Region) {
	for _, id := range []string{LabInternetGateway, LabNATGateway, LabTransitGateway, LabPeering,
		LabEgressOnlyGW, LabVPCEndpoint} {
		r.AddGateway(Gateway{ID: id, VPCID: LabVPC, Tags: named("lab")})
	}
	world := Route{Destination: "0.0.0.0/0", Target: LabInternetGateway, Origin: "CreateRoute"}
	r.EditRouteTable(LabMainRouteTable, func(t *RouteTable) {
		t.Routes = append(t.Routes, world)
		t.Tags = named("lab-main")
	})
	r.AddRouteTable(RouteTable{
		ID: LabRouteTable, VPCID: LabVPC, Tags: named("lab-a"),
		Associations: []RouteAssociation{{ID: "rtbassoc-01088000000000060", SubnetID: LabSubnetA}},
		Routes:       []Route{world, {Destination: LabRoute, Target: LabRouterAInterface}},
	})
}
