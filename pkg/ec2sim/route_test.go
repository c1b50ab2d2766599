package ec2sim_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

// rtb names the route table the tests here work on.
const rtb = "RouteTableId=" + ec2sim.LabRouteTable

func to(cidr string) string { return "DestinationCidrBlock=" + cidr }

func toIPv6(cidr string) string { return "DestinationIpv6CidrBlock=" + cidr }

const (
	viaA   = "NetworkInterfaceId=" + ec2sim.LabRouterAInterface
	viaB   = "NetworkInterfaceId=" + ec2sim.LabRouterBInterface
	viaIGW = "GatewayId=" + ec2sim.LabInternetGateway
)

func TestRouteRefusals(t *testing.T) {
	const create, replace, remove = "CreateRoute", "ReplaceRoute", "DeleteRoute"
	p := lab(t)
	r := p.sim.Region(ec2sim.LabRegion)
	stranger := r.AddInterface(ec2sim.Interface{SubnetID: ec2sim.LabOtherSubnet})
	other := r.AddGateway(ec2sim.Gateway{VPCID: ec2sim.LabOtherVPC})
	targets := "The request must contain exactly one of gatewayId, natGatewayId, " +
		"networkInterfaceId, " +
		"vpcPeeringConnectionId, egressOnlyInternetGatewayId, transitGatewayId, vpcEndpointId or " +
		"instanceId"
	inside := func(cidr string) string {
		return "The destination CIDR block " + cidr +
			" is equal to or more specific than one of this VPC's CIDR blocks. " +
			"This route can target only an interface or an instance."
	}
	missing := func(kind, id string) string { return "The " + kind + " '" + id + "' does not exist" }

	p.refuses(t, []refusal{
		{"no table", create, []string{to("10.5.0.0/16"), viaA}, 0, "MissingParameter",
			"The request must contain the parameter routeTableId"},
		{"unknown table", create, []string{"RouteTableId=rtb-12345678", to("10.5.0.0/16"), viaA}, 0,
			"InvalidRouteTableID.NotFound", missing("routeTable ID", "rtb-12345678")},
		{"malformed table", remove, []string{"RouteTableId=x", to("10.5.0.0/16")}, 0,
			"InvalidRouteTableId.Malformed", `Invalid id: "x" (expecting "rtb-...")`},
		{"no destination", create, []string{rtb, viaA}, 0, "MissingParameter",
			"The request must contain the parameter destinationCidrBlock"},
		{"two destinations", create, []string{rtb, to("10.5.0.0/16"), toIPv6("2001:db8::/32"), viaA}, 0,
			"InvalidParameterCombination",
			"The parameter destinationCidrBlock cannot be used with the parameter destinationIpv6CidrBlock"},
		{"malformed destination", create, []string{rtb, to("10.5.0.0"), viaA}, 0, "InvalidParameterValue",
			"Value (10.5.0.0) for parameter destinationCidrBlock is invalid. This is not a valid CIDR " +
				"block."},
		{"IPv6 as IPv4", create, []string{rtb, to("2001:db8::/32"), viaA}, 0, "InvalidParameterValue",
			"Value (2001:db8::/32) for parameter destinationCidrBlock is invalid. This is not a valid " +
				"CIDR block."},
		{"no target", create, []string{rtb, to("10.5.0.0/16")}, 0, "MissingParameter", targets},
		{"two targets", create, []string{rtb, to("10.5.0.0/16"), viaA, viaIGW}, 0,
			"InvalidParameterCombination", targets},
		{"target and local", replace, []string{rtb, to("10.88.0.0/16"), viaA, "LocalTarget=true"}, 0,
			"InvalidParameterCombination", targets},
		{"unknown interface", create,
			[]string{rtb, to("10.5.0.0/16"), "NetworkInterfaceId=eni-12345678"}, 0,
			"InvalidNetworkInterfaceID.NotFound", missing("networkInterface ID", "eni-12345678")},
		{"unknown instance", create, []string{rtb, to("10.5.0.0/16"), "InstanceId=i-12345678"}, 0,
			"InvalidInstanceID.NotFound", missing("instance ID", "i-12345678")},
		{"unknown gateway", create, []string{rtb, to("10.5.0.0/16"), "GatewayId=igw-12345678"}, 0,
			"InvalidGatewayID.NotFound", missing("gateway ID", "igw-12345678")},
		{"unknown virtual private gateway", create,
			[]string{rtb, to("10.5.0.0/16"), "GatewayId=vgw-12345678"}, 0,
			"InvalidGatewayID.NotFound", missing("gateway ID", "vgw-12345678")},
		{"unknown NAT gateway", create, []string{rtb, to("10.5.0.0/16"), "NatGatewayId=nat-12345678"}, 0,
			"InvalidNatGatewayID.NotFound", missing("natGateway ID", "nat-12345678")},
		{"unknown peering", create,
			[]string{rtb, to("10.5.0.0/16"), "VpcPeeringConnectionId=pcx-12345678"}, 0,
			"InvalidVpcPeeringConnectionID.NotFound", missing("vpcPeeringConnection ID", "pcx-12345678")},
		{"unknown transit gateway", create,
			[]string{rtb, to("10.5.0.0/16"), "TransitGatewayId=tgw-12345678"}, 0,
			"InvalidTransitGatewayID.NotFound", missing("transitGateway ID", "tgw-12345678")},
		{"unknown endpoint", create, []string{rtb, to("10.5.0.0/16"), "VpcEndpointId=vpce-12345678"}, 0,
			"InvalidVpcEndpointId.NotFound", missing("Vpc Endpoint Id", "vpce-12345678")},
		{"unknown egress-only gateway", create,
			[]string{rtb, toIPv6("2001:db8::/32"), "EgressOnlyInternetGatewayId=eigw-12345678"}, 0,
			"InvalidGatewayID.NotFound", missing("eigw ID", "eigw-12345678")},
		{"malformed gateway", create, []string{rtb, to("10.5.0.0/16"), "GatewayId=x"}, 0,
			"InvalidGatewayID.Malformed", `Invalid id: "x" (expecting "igw-...")`},
		{"interface of another VPC", create,
			[]string{rtb, to("10.5.0.0/16"), "NetworkInterfaceId=" + stranger.ID}, 0,
			"InvalidParameterValue",
			"route table " + ec2sim.LabRouteTable + " and interface " + stranger.ID +
				" belong to different networks"},
		{"gateway of another VPC", create, []string{rtb, to("10.5.0.0/16"), "GatewayId=" + other.ID}, 0,
			"InvalidParameterValue",
			"route table " + ec2sim.LabRouteTable + " and network gateway " + other.ID +
				" belong to different networks"},
		{"instance with two interfaces", create,
			[]string{rtb, to("10.5.0.0/16"), "InstanceId=" + ec2sim.LabDB}, 0, "InvalidInstanceID",
			"There are multiple interfaces attached to instance '" + ec2sim.LabDB +
				"'. Please specify an interface ID for the operation instead."},
		{"there already, with another target", create, []string{rtb, to(ec2sim.LabRoute), viaB}, 0,
			"RouteAlreadyExists", "The route identified by 10.99.0.0/24 already exists."},
		{"there already, written otherwise", create, []string{rtb, to("10.99.0.7/24"), viaB}, 0,
			"RouteAlreadyExists", "The route identified by 10.99.0.0/24 already exists."},
		{"local there already", create, []string{rtb, to("10.88.0.0/16"), viaA}, 0,
			"RouteAlreadyExists", "The route identified by 10.88.0.0/16 already exists."},
		{"the VPC itself to a gateway", create, []string{rtb, to("10.88.0.0/16"), viaIGW}, 0,
			"InvalidParameterValue", inside("10.88.0.0/16")},
		{"a subnet to a gateway", create, []string{rtb, to("10.88.61.0/24"), viaIGW}, 0,
			"InvalidParameterValue", inside("10.88.61.0/24")},
		{"a subnet to a transit gateway", create,
			[]string{rtb, to("10.88.61.0/24"), "TransitGatewayId=" + ec2sim.LabTransitGateway}, 0,
			"InvalidParameterValue", inside("10.88.61.0/24")},
		{"one address of a subnet", create, []string{rtb, to("10.88.60.9/32"), viaA}, 0,
			"InvalidParameterValue", inside("10.88.60.9/32")},
		{"half a subnet", create, []string{rtb, to("10.88.60.0/25"), viaA}, 0, "InvalidParameterValue",
			inside("10.88.60.0/25")},
		{"IPv6 inside the VPC", create, []string{rtb, toIPv6("2001:db8:1088:60::9/128"), viaA}, 0,
			"InvalidParameterValue", inside("2001:db8:1088:60::9/128")},
		{"what is kept for AWS", create, []string{rtb, to("169.254.169.0/24"), viaA}, 0,
			"InvalidParameterValue",
			"The destination CIDR block 169.254.169.0/24 is reserved."},
		{"what is kept for AWS, IPv6", create, []string{rtb, toIPv6("fd00:ec2::254/128"), viaA}, 0,
			"InvalidParameterValue",
			"The destination CIDR block fd00:ec2::254/128 is reserved."},
		{"replace what is not there", replace, []string{rtb, to("10.5.0.0/16"), viaB}, 0,
			"InvalidParameterValue",
			"There is no route defined for '10.5.0.0/16' in the route table. Use CreateRoute instead."},
		{"replace, written otherwise", replace, []string{rtb, to("10.99.0.7/24"), viaB}, 0,
			"InvalidParameterValue",
			"There is no route defined for '10.99.0.7/24' in the route table. Use CreateRoute instead."},
		{"replace by local what is not", replace, []string{rtb, to(ec2sim.LabRoute), "LocalTarget=true"},
			0, "InvalidParameterValue",
			"The route identified by 10.99.0.0/24 cannot target local."},
		{"delete what is not there", remove, []string{rtb, to("10.5.0.0/16")}, 0, "InvalidRoute.NotFound",
			"no route with destination-cidr-block 10.5.0.0/16 in route table " + ec2sim.LabRouteTable},
		{"delete what is not there, IPv6", remove, []string{rtb, toIPv6("2001:db8::/32")}, 0,
			"InvalidRoute.NotFound",
			"no route with destination-ipv6-cidr-block 2001:db8::/32 in route table " +
				ec2sim.LabRouteTable},
		{"delete, written otherwise", remove, []string{rtb, to("10.99.0.7/24")}, 0,
			"InvalidRoute.NotFound",
			"no route with destination-cidr-block 10.99.0.7/24 in route table " + ec2sim.LabRouteTable},
		{"delete local", remove, []string{rtb, to("10.88.0.0/16")}, 0, "InvalidParameterValue",
			"cannot remove local route 10.88.0.0/16 in route table " + ec2sim.LabRouteTable},
		{"prefix list, which the stand-in has not", remove,
			[]string{rtb, "DestinationPrefixListId=pl-1"}, 0,
			"UnsupportedOperation", "ec2sim does not implement the parameter DestinationPrefixListId."},
		{"dry run", create, []string{rtb, to("10.5.0.0/16"), viaA, "DryRun=true"}, 412,
			"DryRunOperation", "Request would have succeeded, but DryRun flag is set."},
	})
}

// routes are the lab table's routes as Describe shows them: destination and where it leads.
func (p *peer) routes() map[string]string {
	p.t.Helper()
	a := p.ok("DescribeRouteTables", "RouteTableId.1="+ec2sim.LabRouteTable)
	list := map[string]string{}
	state := p.sim.Region(ec2sim.LabRegion).State()
	table := the(p.t, state.RouteTables, func(t ec2sim.RouteTable) bool {
		return t.ID == ec2sim.LabRouteTable
	})
	for _, r := range table.Routes {
		list[r.Destination] = r.Target
		if !strings.Contains(a.body, r.Destination) {
			p.t.Errorf("%s is not described", r.Destination)
		}
	}
	return list
}

func TestRoutes(t *testing.T) {
	tests := []struct {
		name      string
		operation string
		params    []string
		dest      string
		target    string // empty: gone
		shown     string // element of the answer that shows the target
	}{
		{"interface", "CreateRoute", []string{to("10.5.0.0/16"), viaB}, "10.5.0.0/16",
			ec2sim.LabRouterBInterface, "networkInterfaceId"},
		{"canonical form", "CreateRoute", []string{to("100.68.0.18/18"), viaB}, "100.68.0.0/18",
			ec2sim.LabRouterBInterface, "networkInterfaceId"},
		{"instance", "CreateRoute", []string{to("10.5.0.0/16"), "InstanceId=" + ec2sim.LabRouterB},
			"10.5.0.0/16", ec2sim.LabRouterBInterface, "networkInterfaceId"},
		{"internet gateway", "CreateRoute", []string{to("10.5.0.0/16"), viaIGW}, "10.5.0.0/16",
			ec2sim.LabInternetGateway, "gatewayId"},
		{"NAT gateway", "CreateRoute",
			[]string{to("10.5.0.0/16"), "NatGatewayId=" + ec2sim.LabNATGateway}, "10.5.0.0/16",
			ec2sim.LabNATGateway, "natGatewayId"},
		{"transit gateway", "CreateRoute",
			[]string{to("10.5.0.0/16"), "TransitGatewayId=" + ec2sim.LabTransitGateway}, "10.5.0.0/16",
			ec2sim.LabTransitGateway, "transitGatewayId"},
		{"peering", "CreateRoute",
			[]string{to("10.5.0.0/16"), "VpcPeeringConnectionId=" + ec2sim.LabPeering}, "10.5.0.0/16",
			ec2sim.LabPeering, "vpcPeeringConnectionId"},
		{"endpoint", "CreateRoute", []string{to("10.5.0.0/16"), "VpcEndpointId=" + ec2sim.LabVPCEndpoint},
			"10.5.0.0/16", ec2sim.LabVPCEndpoint, "gatewayId"},
		{"egress-only gateway", "CreateRoute",
			[]string{toIPv6("::/0"), "EgressOnlyInternetGatewayId=" + ec2sim.LabEgressOnlyGW}, "::/0",
			ec2sim.LabEgressOnlyGW, "egressOnlyInternetGatewayId"},
		{"IPv6 to an interface", "CreateRoute", []string{toIPv6("2001:DB8:5::1/48"), viaB},
			"2001:db8:5::/48", ec2sim.LabRouterBInterface, "networkInterfaceId"},
		{"there already, with the same target", "CreateRoute", []string{to(ec2sim.LabRoute), viaA},
			ec2sim.LabRoute, ec2sim.LabRouterAInterface, "networkInterfaceId"},
		{"a whole subnet", "CreateRoute", []string{to("10.88.61.0/24"), viaA}, "10.88.61.0/24",
			ec2sim.LabRouterAInterface, "networkInterfaceId"},
		{"a whole subnet to a NAT gateway", "CreateRoute",
			[]string{to("10.88.61.0/24"), "NatGatewayId=" + ec2sim.LabNATGateway}, "10.88.61.0/24",
			ec2sim.LabNATGateway, "natGatewayId"},
		{"replace", "ReplaceRoute", []string{to(ec2sim.LabRoute), viaB}, ec2sim.LabRoute,
			ec2sim.LabRouterBInterface, "networkInterfaceId"},
		{"replace by another kind", "ReplaceRoute", []string{to(ec2sim.LabRoute), viaIGW},
			ec2sim.LabRoute, ec2sim.LabInternetGateway, "gatewayId"},
		{"replace local", "ReplaceRoute", []string{to("10.88.0.0/16"), viaA}, "10.88.0.0/16",
			ec2sim.LabRouterAInterface, "networkInterfaceId"},
		{"local as it is", "ReplaceRoute", []string{to("10.88.0.0/16"), "LocalTarget=true"},
			"10.88.0.0/16", "local", "gatewayId"},
		{"delete", "DeleteRoute", []string{to(ec2sim.LabRoute)}, ec2sim.LabRoute, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := lab(t)
			want := p.routes()
			want[tt.dest] = tt.target
			if tt.target == "" {
				delete(want, tt.dest)
			}
			a := p.ok(tt.operation, append(tt.params, rtb)...)
			if a.one("return") != "true" {
				t.Errorf("answered %s", a.body)
			}
			if diff := cmp.Diff(want, p.routes()); diff != "" {
				t.Error(diff)
			}
			shown := p.ok("DescribeRouteTables",
				"RouteTableId.1="+ec2sim.LabRouteTable).one("routeTableSet/item/routeSet/item/" + tt.shown)
			if !strings.Contains(shown, tt.target) {
				t.Errorf("%s shows %s", tt.shown, shown)
			}
		})
	}
}

func TestSameRouteMayBeRefused(t *testing.T) {
	lab(t, ec2sim.WithSameRouteRefused()).refuses(t,
		[]refusal{{"same target", "CreateRoute", []string{rtb, to(ec2sim.LabRoute), viaA}, 0,
			"RouteAlreadyExists", "The route identified by 10.99.0.0/24 already exists."}})
}

func TestBlackHoles(t *testing.T) {
	tests := []struct {
		name string
		edit func(*ec2sim.Region)
		want string
	}{
		{"as it is", func(*ec2sim.Region) {}, "active"},
		{"interface gone", func(r *ec2sim.Region) { r.Remove(ec2sim.LabRouterAInterface) }, "blackhole"},
		{"interface detached", func(r *ec2sim.Region) {
			r.EditInterface(ec2sim.LabRouterAInterface, func(i *ec2sim.Interface) { i.Attachment = nil })
		}, "blackhole"},
		{"instance stopped", func(r *ec2sim.Region) {
			r.EditInstance(ec2sim.LabRouterA, func(i *ec2sim.Instance) { i.State = "stopped" })
		}, "blackhole"},
		{"instance gone", func(r *ec2sim.Region) { r.Remove(ec2sim.LabRouterA) }, "blackhole"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := lab(t)
			tt.edit(p.sim.Region(ec2sim.LabRegion))
			a := p.ok("DescribeRouteTables",
				append(filterParams(1, "route.state", tt.want), "RouteTableId.1="+ec2sim.LabRouteTable)...)
			states := a.values["routeTableSet/item/routeSet/item/state"]
			if len(states) == 0 || states[len(states)-1] != tt.want {
				t.Errorf("states %v", states)
			}
		})
	}
	p := lab(t)
	p.sim.Region(ec2sim.LabRegion).Remove(ec2sim.LabInternetGateway)
	if got := p.ok("DescribeRouteTables",
		filterParams(1, "route.state",
			"blackhole")...).values[idPaths["DescribeRouteTables"]]; len(got) != 2 {
		t.Errorf("black holes in %v", got)
	}
}
