package awsec2

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// TestInventoryAsksForAll: those of AWS services too, which EC2 may hide.
func TestInventoryAsksForAll(t *testing.T) {
	var asked url.Values
	r := readerOf(t, func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		asked = r.PostForm
		op := r.PostForm.Get("Action")
		fmt.Fprintf(w, "<%sResponse><requestId>r</requestId></%sResponse>", op, op)
	})
	interfaces := func(q ec2model.InterfaceQuery) error {
		return r.EachInterface(t.Context(), "all", q, func(ec2model.Interface) {})
	}
	instances := func(q ec2model.InstanceQuery) error {
		return r.EachInstance(t.Context(), "all", q, func(ec2model.InstanceSummary) {})
	}
	for _, c := range []struct {
		err  func() error
		want map[string]string
	}{
		{func() error { return interfaces(ec2model.InterfaceQuery{VPCID: "vpc-1"}) }, map[string]string{
			"Action": "DescribeNetworkInterfaces", "IncludeManagedResources": "true", "MaxResults": "1000",
			"Filter.1.Name": "vpc-id", "Filter.1.Value.1": "vpc-1",
		}},
		{func() error { return instances(ec2model.InstanceQuery{VPCID: "vpc-1"}) }, map[string]string{
			"Action": "DescribeInstances", "IncludeManagedResources": "true",
			"Filter.1.Name": "network-interface.vpc-id", "Filter.1.Value.1": "vpc-1",
		}},
		{func() error {
			return instances(ec2model.InstanceQuery{SubnetID: "subnet-1"})
		}, map[string]string{
			"Action": "DescribeInstances", "IncludeManagedResources": "true",
			"Filter.1.Name": "network-interface.subnet-id", "Filter.1.Value.1": "subnet-1",
		}},
		{func() error {
			return instances(ec2model.InstanceQuery{IDs: []string{"i-1", "i-2"}})
		}, map[string]string{
			"Action": "DescribeInstances", "IncludeManagedResources": "true",
			"Filter.1.Name": "instance-id", "Filter.1.Value.1": "i-1", "Filter.1.Value.2": "i-2",
		}},
	} {
		if err := c.err(); err != nil {
			t.Error(err)
		}
		got := map[string]string{}
		for key := range asked {
			if key != "Version" {
				got[key] = asked.Get(key)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// readerOf reads from a server that answers so.
func readerOf(t *testing.T, answer http.HandlerFunc) *Reader {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{"AWS_ENDPOINT_URL_EC2": server.URL,
		"AWS_ACCESS_KEY_ID": "AKIAX", "AWS_SECRET_ACCESS_KEY": "x"} {
		t.Setenv(name, value)
	}
	r, err := ConnectReader(t.Context(), "eu-west-1", 5*time.Second, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestInterfacesAreToldWhole: what of an interface is not understood fails the reading, and is not
// left out.
func TestInterfacesAreToldWhole(t *testing.T) {
	const ids = "<networkInterfaceId>eni-1</networkInterfaceId><vpcId>vpc-1</vpcId>"
	answer := ""
	r := readerOf(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(
			w,
			"<DescribeNetworkInterfacesResponse><networkInterfaceSet><item>%s</item>"+
				"</networkInterfaceSet></DescribeNetworkInterfacesResponse>",
			answer,
		)
	})
	for text, whole := range map[string]bool{
		ids: true,
		ids + "<privateIpAddressesSet><item><privateIpAddress>10.0.0.5</privateIpAddress></item>" +
			"</privateIpAddressesSet>": true,
		ids + "<ipv6PrefixSet><item><ipv6Prefix>2001:db8::/80</ipv6Prefix></item>" +
			"</ipv6PrefixSet>": true,
		"<vpcId>vpc-1</vpcId>":                           false,
		"<networkInterfaceId>eni-1</networkInterfaceId>": false,
		ids + "<privateIpAddressesSet><item><privateIpAddress>10.0.0</privateIpAddress></item>" +
			"</privateIpAddressesSet>": false,
		ids + "<ipv6AddressesSet><item/></ipv6AddressesSet>": false,
		ids + "<ipv4PrefixSet><item><ipv4Prefix>10.0.0.5</ipv4Prefix></item>" +
			"</ipv4PrefixSet>": false,
	} {
		answer = text
		err := r.EachInterface(
			t.Context(),
			"all",
			ec2model.InterfaceQuery{VPCID: "vpc-1"},
			func(ec2model.Interface) {},
		)
		var f *protocol.Failure
		if whole && err != nil || !whole && (!errors.As(err, &f) || f.Class != protocol.Unavailable) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestInterfaceOf: an interface is on an instance that is the account's own, for as long as it is
// attached, and everything else that instances do not have is a service's.
func TestInterfaceOf(t *testing.T) {
	attached := func(owner string, status types.AttachmentStatus) types.NetworkInterface {
		return types.NetworkInterface{
			NetworkInterfaceId: aws.String("eni-1"), OwnerId: aws.String("1"),
			Attachment: &types.NetworkInterfaceAttachment{
				InstanceId: aws.String(
					"i-1",
				),
				InstanceOwnerId: aws.String(owner),
				Status:          status,
				DeviceIndex:     aws.Int32(2),
			},
		}
	}
	kind := func(kind types.NetworkInterfaceType, managed bool) types.NetworkInterface {
		return types.NetworkInterface{InterfaceType: kind, RequesterManaged: aws.Bool(managed)}
	}
	for _, c := range []struct {
		n       types.NetworkInterface
		want    string
		service bool
	}{
		{attached("1", types.AttachmentStatusAttached), "i-1", false},
		{attached("1", types.AttachmentStatusDetaching), "i-1", false},
		{attached("1", types.AttachmentStatusDetached), "", false},
		{attached("amazon-elb", types.AttachmentStatusAttached), "", true},
		{attached("amazon-elb", types.AttachmentStatusDetached), "", false},
		{types.NetworkInterface{}, "", false},
		{kind("interface", false), "", false}, {kind("trunk", false), "", false},
		{kind("branch", false), "", false},
		{kind("efa", false), "", false}, {kind("efa-only", false), "", false},
		{kind("interface", true), "", true}, {kind("vpc_endpoint", false), "", true},
		{kind("nat_gateway", false), "", true},
		{kind("a_new_service", false), "", true},
	} {
		got := interfaceOf(c.n)
		if got.InstanceID != c.want || got.DeviceIndex != 2 && c.want != "" || got.Service != c.service {
			t.Errorf(
				"%s %+v is on %q, a service's: %t",
				c.n.InterfaceType,
				c.n.Attachment,
				got.InstanceID,
				got.Service,
			)
		}
	}
}

func TestDelegatedBlocksAreRead(t *testing.T) {
	n := networkInterface(types.NetworkInterface{
		Ipv4Prefixes: []types.Ipv4PrefixSpecification{{Ipv4Prefix: aws.String("10.0.0.32/28")}, {}},
		Ipv6Prefixes: []types.Ipv6PrefixSpecification{{Ipv6Prefix: aws.String("2001:DB8:0:1:a::/80")}},
	})
	for address, want := range map[string]string{"10.0.0.35": "10.0.0.32/28",
		"10.0.0.48": "invalid Prefix", "2001:db8:0:1:a::9": "2001:db8:0:1:a::/80",
		"x": "invalid Prefix"} {
		if got, in := n.Delegated(address); got.String() != want || in != got.IsValid() {
			t.Errorf("%s is in %s (%t), want %s", address, got, in, want)
		}
	}
}

// TestSubnetBlocks: a block that is on its way out of the subnet, or not yet in, is none of its.
func TestSubnetBlocks(t *testing.T) {
	block := func(cidr string,
		state types.SubnetCidrBlockStateCode) types.SubnetIpv6CidrBlockAssociation {
		return types.SubnetIpv6CidrBlockAssociation{
			Ipv6CidrBlock:      &cidr,
			Ipv6CidrBlockState: &types.SubnetCidrBlockState{State: state},
		}
	}
	got := subnet(
		types.Subnet{
			SubnetId:  aws.String("subnet-1"),
			VpcId:     aws.String("vpc-1"),
			CidrBlock: aws.String("10.0.0.0/24"),
			Ipv6CidrBlockAssociationSet: []types.SubnetIpv6CidrBlockAssociation{
				block(
					"2001:db8:0:1::/64",
					types.SubnetCidrBlockStateCodeDisassociated,
				),
				block("2001:db8:0:2::/64", types.SubnetCidrBlockStateCodeAssociated),
				block(
					"2001:db8:0:3::/64",
					types.SubnetCidrBlockStateCodeAssociating,
				),
				{Ipv6CidrBlock: aws.String("2001:db8:0:4::/64")},
			},
		},
	)
	want := ec2model.Subnet{
		ID:        "subnet-1",
		VPCID:     "vpc-1",
		CIDR:      "10.0.0.0/24",
		IPv6CIDRs: []string{"2001:db8:0:2::/64", "2001:db8:0:4::/64"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	only := subnet(types.Subnet{SubnetId: aws.String("subnet-2"), Ipv6Native: aws.Bool(true)})
	if diff := cmp.Diff(ec2model.Subnet{ID: "subnet-2", IPv6Only: true}, only); diff != "" {
		t.Errorf("IPv6-only (-want +got):\n%s", diff)
	}
}

// TestRouteShowsItsInstance: what a route to an interface is shown with is another name of its
// target.
func TestRouteShowsItsInstance(t *testing.T) {
	table := routeTable(types.RouteTable{Routes: []types.Route{
		{
			DestinationCidrBlock: aws.String(
				"10.9.0.0/16",
			),
			NetworkInterfaceId: aws.String("eni-1"),
			InstanceId:         aws.String("i-1"),
			Origin:             types.RouteOriginCreateRoute,
		},
	}})
	route, found := table.To(netip.MustParsePrefix("10.9.0.0/16"))
	for target, want := range map[string]bool{"eni-1": true, "i-1": true, "i-2": false} {
		if !found || route.LeadsTo(target) != want {
			t.Errorf("it leads to %q: %t", target, !want)
		}
	}
}
