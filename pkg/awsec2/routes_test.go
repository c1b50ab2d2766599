package awsec2

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// TestRouteTargets: whatever EC2 shows a route to lead to is one text, and that text leads there
// again.
func TestRouteTargets(t *testing.T) {
	const core, odb = "arn:aws:networkmanager::123456789012:core-network/core-network-01234567",
		"arn:aws:odb:us-east-1:123456789012:odb-network/odbnet_1"
	for _, c := range []struct {
		shown types.Route
		want  string
		field func(target) *string
	}{
		{types.Route{NetworkInterfaceId: aws.String("eni-01234567")}, "eni-01234567",
			func(t target) *string {
				return t.nic
			}},
		{types.Route{NetworkInterfaceId: aws.String("eni-01234567"),
			InstanceId: aws.String("i-01234567")}, "eni-01234567", func(t target) *string {
			return t.nic
		}},
		{types.Route{InstanceId: aws.String("i-01234567")}, "i-01234567", func(t target) *string {
			return t.instance
		}},
		{types.Route{GatewayId: aws.String("igw-01234567")}, "igw-01234567", func(t target) *string {
			return t.gateway
		}},
		{types.Route{GatewayId: aws.String("vgw-01234567")}, "vgw-01234567", func(t target) *string {
			return t.gateway
		}},
		{types.Route{GatewayId: aws.String("vpce-01234567")}, "vpce-01234567", func(t target) *string {
			return t.endpoint
		}},
		{types.Route{NatGatewayId: aws.String("nat-01234567")}, "nat-01234567", func(t target) *string {
			return t.nat
		}},
		{types.Route{EgressOnlyInternetGatewayId: aws.String("eigw-01234567")}, "eigw-01234567",
			func(t target) *string {
				return t.egressOnly
			}},
		{types.Route{TransitGatewayId: aws.String("tgw-01234567")}, "tgw-01234567",
			func(t target) *string {
				return t.transit
			}},
		{types.Route{VpcPeeringConnectionId: aws.String("pcx-01234567")}, "pcx-01234567",
			func(t target) *string {
				return t.peering
			}},
		{types.Route{LocalGatewayId: aws.String("lgw-01234567")}, "lgw-01234567", func(t target) *string {
			return t.localGateway
		}},
		{types.Route{CarrierGatewayId: aws.String("cagw-01234567")}, "cagw-01234567",
			func(t target) *string {
				return t.carrier
			}},
		{types.Route{CoreNetworkArn: aws.String(core)}, core, func(t target) *string { return t.core }},
		{types.Route{OdbNetworkArn: aws.String(odb)}, odb, func(t target) *string { return t.odb }},
	} {
		got := routeTarget(c.shown)
		if got != c.want {
			t.Errorf("shown as %q, want %q", got, c.want)
		}
		if _, err := action.RouteTarget.Canonical(got); err != nil {
			t.Errorf("%s: %v", got, err)
		}
		led, err := newTarget(got)
		if err != nil || led.local {
			t.Errorf("%s: %v", got, err)
			continue
		}
		if id := c.field(led); id == nil || *id != c.want {
			t.Errorf("%s goes into another field", got)
		}
	}
	if led, err := newTarget(ec2model.Local); err != nil || !led.local {
		t.Errorf("local: %v, %v", led, err)
	}
	for _, bad := range []string{"", "none", "subnet-01234567", "10.0.0.1", "pl-01234567"} {
		if _, err := newTarget(bad); err == nil {
			t.Errorf("%q is taken for a target", bad)
		}
	}
}

// TestRouteFieldsAreAllKnown: a kind of target that the SDK learns later must be looked at.
func TestRouteFieldsAreAllKnown(t *testing.T) {
	notTargets := "DestinationCidrBlock DestinationIpv6CidrBlock DestinationPrefixListId " +
		"InstanceOwnerId Origin State noSmithyDocumentSerde"
	shown := reflect.TypeFor[types.Route]()
	for i := range shown.NumField() {
		f := shown.Field(i)
		if strings.Contains(" "+notTargets+" ", " "+f.Name+" ") {
			continue
		}
		r := types.Route{}
		text := "x"
		reflect.ValueOf(&r).Elem().Field(i).Set(reflect.ValueOf(&text))
		if routeTarget(r) != "x" {
			t.Errorf("a route to a %s leads nowhere", f.Name)
		}
	}
	inputs := reflect.TypeFor[ec2.CreateRouteInput]()
	if n := inputs.NumField(); n != 18 {
		t.Errorf(
			"CreateRoute takes %d fields, and not the 18 that were looked at: is one of them a new target?",
			n)
	}
}

func TestRouteTable(t *testing.T) {
	got := routeTable(
		types.RouteTable{RouteTableId: aws.String("rtb-1"), VpcId: aws.String("vpc-1"),
			Routes: []types.Route{
				{DestinationCidrBlock: aws.String("10.0.0.0/16"), GatewayId: aws.String("local"),
					Origin: types.RouteOriginCreateRouteTable, State: types.RouteStateActive},
				{DestinationIpv6CidrBlock: aws.String("2001:DB8::/64"), NetworkInterfaceId: aws.String("eni-1"),
					Origin: types.RouteOriginCreateRoute, State: types.RouteStateBlackhole},
				{DestinationPrefixListId: aws.String("pl-1"), GatewayId: aws.String("vpce-1"),
					Origin: types.RouteOriginCreateRoute},
				{DestinationCidrBlock: aws.String("10.9.0.0/16"), GatewayId: aws.String("vgw-1"),
					Origin: types.RouteOriginEnableVgwRoutePropagation},
			}})
	v4, v6, far := netip.MustParsePrefix("10.0.0.0/16"), netip.MustParsePrefix("2001:db8::/64"),
		netip.MustParsePrefix("10.9.0.0/16")
	want := ec2model.RouteTable{ID: "rtb-1", VPCID: "vpc-1", Routes: []ec2model.Route{
		{Destination: v4, Target: "local", Own: true},
		{Destination: v6, Target: "eni-1", Static: true, Blackhole: true},
		{Destination: far, Target: "vgw-1"},
	}, ToLists: []ec2model.ListRoute{{List: "pl-1", Target: "vpce-1"}}}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool {
		return a == b
	})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if r, ok := got.To(v6); !ok || r.Target != "eni-1" {
		t.Errorf("To: %v %t", r, ok)
	}
	if _, ok := got.To(far); ok {
		t.Error("a propagated route is no route to change")
	}
	if r, ok := got.Propagated(far); !ok || r.Target != "vgw-1" {
		t.Errorf("Propagated: %v %t", r, ok)
	}
	for text, want := range map[string]bool{"10.0.0.9/32": true, "10.0.0.0/16": true,
		"10.0.0.0/15": false, "10.1.0.0/32": false, "2001:db8::9/128": false} {
		if _, got := got.BlockOf(netip.MustParsePrefix(text)); got != want {
			t.Errorf("%s is inside the VPC: %t", text, got)
		}
	}
}

// TestTableWithoutRoutes: a table has the VPC's own routes at least; shown without, it is not read.
func TestTableWithoutRoutes(t *testing.T) {
	r := readerOf(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(
			w, "<DescribeRouteTablesResponse><routeTableSet><item><routeTableId>rtb-1</routeTableId>"+
				"</item></routeTableSet></DescribeRouteTablesResponse>")
	})
	_, named := r.DescribeRouteTable(t.Context(), "rtb-1")
	_, ofSubnet := r.DescribeRouteTableOf(t.Context(), "vpc-1", "subnet-1")
	for _, err := range []error{named, ofSubnet} {
		var f *protocol.Failure
		if !errors.As(err, &f) || f.Class != protocol.Unavailable ||
			!strings.Contains(f.Message, "leaves out its routes") {
			t.Errorf("got %v", err)
		}
	}
}

func TestInterfaceFilters(t *testing.T) {
	got := interfaceFilters(ec2model.InterfaceQuery{VPCID: "vpc-1", IDs: []string{"eni-1", "eni-2"}})
	var texts []string
	for _, f := range got {
		texts = append(texts, *f.Name+"="+strings.Join(f.Values, ","))
	}
	want := []string{"vpc-id=vpc-1", "network-interface-id=eni-1,eni-2"}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
