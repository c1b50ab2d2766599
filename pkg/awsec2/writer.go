package awsec2

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Writer changes. Each method makes one change and returns nil when EC2 took
// it, *protocol.Failure when it certainly was not made, and *action.Unknown
// when nobody can tell without reading back.
type Writer struct {
	api *ec2.Client
	log *slog.Logger
}

// AssignPrivateIPAddress makes the address a secondary one of the interface. With
// allowReassignment it is taken from whichever interface of the VPC holds it.
func (w *Writer) AssignPrivateIPAddress(ctx context.Context, nic, address string, allowReassignment bool) error {
	_, err := call(ctx, w.api.AssignPrivateIpAddresses, &ec2.AssignPrivateIpAddressesInput{
		NetworkInterfaceId: &nic,
		PrivateIpAddresses: []string{address},
		AllowReassignment:  aws.Bool(allowReassignment),
	})
	return changeOutcome("AssignPrivateIpAddresses", fmt.Sprintf("assign %s to %s", address, nic), err)
}

// UnassignPrivateIPAddress takes a secondary address off the interface.
func (w *Writer) UnassignPrivateIPAddress(ctx context.Context, nic, address string) error {
	_, err := call(ctx, w.api.UnassignPrivateIpAddresses, &ec2.UnassignPrivateIpAddressesInput{
		NetworkInterfaceId: &nic,
		PrivateIpAddresses: []string{address},
	})
	return changeOutcome("UnassignPrivateIpAddresses", fmt.Sprintf("unassign %s from %s", address, nic), err)
}

// AssignIPv6Address makes the address one of the interface's. EC2 takes it from no other: whoever holds
// it has to let it go first.
func (w *Writer) AssignIPv6Address(ctx context.Context, nic, address string) error {
	_, err := call(ctx, w.api.AssignIpv6Addresses, &ec2.AssignIpv6AddressesInput{NetworkInterfaceId: &nic, Ipv6Addresses: []string{address}})
	return changeOutcome("AssignIpv6Addresses", fmt.Sprintf("assign %s to %s", address, nic), err)
}

// UnassignIPv6Address takes an IPv6 address off the interface.
func (w *Writer) UnassignIPv6Address(ctx context.Context, nic, address string) error {
	_, err := call(ctx, w.api.UnassignIpv6Addresses, &ec2.UnassignIpv6AddressesInput{NetworkInterfaceId: &nic, Ipv6Addresses: []string{address}})
	return changeOutcome("UnassignIpv6Addresses", fmt.Sprintf("unassign %s from %s", address, nic), err)
}

// ModifySourceDestCheck switches the interface's source/destination check.
func (w *Writer) ModifySourceDestCheck(ctx context.Context, nic string, check bool) error {
	_, err := call(ctx, w.api.ModifyNetworkInterfaceAttribute, &ec2.ModifyNetworkInterfaceAttributeInput{
		NetworkInterfaceId: &nic,
		SourceDestCheck:    &types.AttributeBooleanValue{Value: &check},
	})
	return changeOutcome("ModifyNetworkInterfaceAttribute", fmt.Sprintf("set the source/dest check of %s to %t", nic, check), err)
}
