package sdktest

import (
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"

	"aws-provider-executor/pkg/ec2sim"
)

// client makes a client of nothing but the server's environment.
func client(t *testing.T, env []string) *ec2.Client {
	t.Helper()
	for _, name := range []string{"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
		"AWS_SESSION_TOKEN"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	for _, line := range env {
		name, value, _ := strings.Cut(line, "=")
		t.Setenv(name, value)
	}
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ec2.NewFromConfig(cfg)
}

func start(t *testing.T, o ec2sim.ServerOptions) (*ec2sim.Sim, *ec2sim.Server) {
	t.Helper()
	s := ec2sim.New(ec2sim.Lab())
	srv, err := ec2sim.Start(s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	return s, srv
}

func describe(t *testing.T, c *ec2.Client, id string) types.NetworkInterface {
	t.Helper()
	out, err := c.DescribeNetworkInterfaces(t.Context(),
		&ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{id}})
	if err != nil {
		t.Fatal(err)
	}
	return out.NetworkInterfaces[0]
}

func TestSDKOverTLS(t *testing.T) {
	_, srv := start(t, ec2sim.ServerOptions{TLS: true})
	c := client(t, srv.Env())
	id := ec2sim.LabRouterAInterface

	out, err := c.AssignPrivateIpAddresses(t.Context(), &ec2.AssignPrivateIpAddressesInput{
		NetworkInterfaceId: &id, PrivateIpAddresses: []string{ec2sim.LabServiceAddress},
		AllowReassignment: aws.Bool(true),
	})
	if err != nil || aws.ToString(out.NetworkInterfaceId) != id ||
		aws.ToString(out.AssignedPrivateIpAddresses[0].PrivateIpAddress) != ec2sim.LabServiceAddress {
		t.Fatalf("assigned %+v: %v", out, err)
	}
	_, err = c.ModifyNetworkInterfaceAttribute(t.Context(), &ec2.ModifyNetworkInterfaceAttributeInput{
		NetworkInterfaceId: &id, SourceDestCheck: &types.AttributeBooleanValue{Value: aws.Bool(false)},
	})
	if err != nil {
		t.Fatal(err)
	}
	eni := describe(t, c, id)
	if aws.ToBool(eni.SourceDestCheck) || len(eni.PrivateIpAddresses) != 2 ||
		aws.ToString(eni.Groups[0].GroupName) != "router" ||
		eni.Status != types.NetworkInterfaceStatusInUse || aws.ToInt32(eni.Attachment.DeviceIndex) != 0 ||
		eni.Attachment.AttachTime == nil {
		t.Errorf("described %+v", eni)
	}
}

func TestSDKReadsEverything(t *testing.T) {
	_, srv := start(t, ec2sim.ServerOptions{})
	c, ctx := client(t, srv.Env()), context.Background()

	instances, err := c.DescribeInstances(ctx,
		&ec2.DescribeInstancesInput{InstanceIds: []string{ec2sim.LabDB}})
	if err != nil {
		t.Fatal(err)
	}
	db := instances.Reservations[0].Instances[0]
	if db.State.Name != types.InstanceStateNameRunning || len(db.NetworkInterfaces) != 2 ||
		aws.ToInt32(db.NetworkInterfaces[1].Attachment.DeviceIndex) != 1 {
		t.Errorf("instance %+v", db)
	}
	tables, err := c.DescribeRouteTables(ctx,
		&ec2.DescribeRouteTablesInput{RouteTableIds: []string{ec2sim.LabRouteTable}})
	if err != nil {
		t.Fatal(err)
	}
	routes := tables.RouteTables[0].Routes
	at := slices.IndexFunc(routes, func(r types.Route) bool {
		return aws.ToString(r.DestinationCidrBlock) == ec2sim.LabRoute
	})
	if at < 0 || aws.ToString(routes[at].InstanceId) != ec2sim.LabRouterA ||
		routes[at].State != types.RouteStateActive {
		t.Errorf("routes %+v", routes)
	}
}

func TestSDKReadsWhatInterfacesAreIn(t *testing.T) {
	_, srv := start(t, ec2sim.ServerOptions{})
	c, ctx := client(t, srv.Env()), context.Background()
	groups, err := c.DescribeSecurityGroups(ctx,
		&ec2.DescribeSecurityGroupsInput{GroupIds: []string{ec2sim.LabGroupWeb}})
	if err != nil || aws.ToInt32(groups.SecurityGroups[0].IpPermissions[1].FromPort) != 443 {
		t.Errorf("groups %+v: %v", groups, err)
	}
	subnets, err := c.DescribeSubnets(ctx,
		&ec2.DescribeSubnetsInput{SubnetIds: []string{ec2sim.LabSubnetA}})
	if err != nil || aws.ToString(subnets.Subnets[0].Ipv6CidrBlockAssociationSet[0].Ipv6CidrBlock) !=
		"2001:db8:1088:60::/64" {
		t.Errorf("subnets %+v: %v", subnets, err)
	}
	vpcs, err := c.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})
	if err != nil || len(vpcs.Vpcs) != 2 {
		t.Errorf("VPCs %+v: %v", vpcs, err)
	}
	tags, err := c.DescribeTags(ctx, &ec2.DescribeTagsInput{})
	if err != nil || len(tags.Tags) == 0 {
		t.Errorf("tags %+v: %v", tags, err)
	}
	regions, err := c.DescribeRegions(ctx, &ec2.DescribeRegionsInput{})
	if err != nil || len(regions.Regions) < 10 {
		t.Errorf("regions %+v: %v", regions, err)
	}
}

func TestSDKErrors(t *testing.T) {
	s, srv := start(t, ec2sim.ServerOptions{})
	c := client(t, srv.Env())
	_, err := c.DescribeNetworkInterfaces(t.Context(),
		&ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{"eni-0123456789abcdef0"}})
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "InvalidNetworkInterfaceID.NotFound" ||
		api.ErrorMessage() != "The networkInterface ID 'eni-0123456789abcdef0' does not exist" {
		t.Errorf("got %v", err)
	}
	var response *awshttp.ResponseError
	if !errors.As(err, &response) || response.ServiceRequestID() != s.Calls()[0].RequestID {
		t.Errorf("got %v", err)
	}
	_, err = c.ModifyNetworkInterfaceAttribute(t.Context(), &ec2.ModifyNetworkInterfaceAttributeInput{
		NetworkInterfaceId: aws.String(ec2sim.LabRouterAInterface), DryRun: aws.Bool(true),
		Description: &types.AttributeValue{Value: aws.String("x")},
	})
	if !errors.As(err, &response) || response.HTTPStatusCode() != http.StatusPreconditionFailed {
		t.Errorf("got %v", err)
	}
}

// The SDK sends a change whose answer was lost again, and again: the figures of the fact sheet.
func TestSDKRetriesWhatWasLost(t *testing.T) {
	s, srv := start(t, ec2sim.ServerOptions{})
	c := client(t, srv.Env())
	if err := s.Inject(ec2sim.LoseAnswer("UnassignPrivateIpAddresses")); err != nil {
		t.Fatal(err)
	}
	_, err := c.UnassignPrivateIpAddresses(t.Context(), &ec2.UnassignPrivateIpAddressesInput{
		NetworkInterfaceId: aws.String(ec2sim.LabRouterBInterface),
		PrivateIpAddresses: []string{ec2sim.LabServiceAddress},
	})
	var api smithy.APIError
	if !errors.As(err, &api) ||
		api.ErrorMessage() !=
			"Some of the specified addresses are not assigned to interface "+ec2sim.LabRouterBInterface {
		t.Errorf("got %v", err)
	}
	calls := s.Calls()
	if len(calls) != 2 || !calls[0].Effect || calls[0].Status != 0 || calls[1].Effect ||
		!strings.HasPrefix(calls[1].Attempt, "attempt=2") {
		t.Errorf("calls %+v", calls)
	}
}

func TestSDKTakesNothingForAnswer(t *testing.T) {
	s, srv := start(t, ec2sim.ServerOptions{})
	c := client(t, srv.Env())
	if err := s.Inject(ec2sim.NotXML("AssignPrivateIpAddresses")); err != nil {
		t.Fatal(err)
	}
	out, err := c.AssignPrivateIpAddresses(t.Context(), &ec2.AssignPrivateIpAddressesInput{
		NetworkInterfaceId: aws.String(ec2sim.LabRouterAInterface),
		PrivateIpAddresses: []string{ec2sim.LabFreeAddress},
	})
	if err != nil || out.NetworkInterfaceId != nil {
		t.Errorf("got %+v, %v", out, err)
	}
}

func TestSDKWithTheRoleOfTheInstance(t *testing.T) {
	s, srv := start(t, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	describe(t, client(t, srv.RoleEnv()), ec2sim.LabRouterAInterface)
	if k := s.Calls()[0].AccessKeyID; k != ec2sim.LabRoleCredential.AccessKeyID {
		t.Errorf("called with %s", k)
	}
}
