package awsec2

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Writer changes. Each method makes one change. It returns nil when EC2 took the change and
// *protocol.Failure when it certainly was not made. It returns *action.Unknown when only reading
// back can show which.
//
// A change that EC2 refused since it does not know a thing that it names is sent a second time, a
// pause later: the refusal changed nothing, and EC2 learns of new things late.
type Writer struct {
	api    *ec2.Client
	absent *absences
	log    *slog.Logger
	// of is the connection that it changes by.
	of *Connection
}

// change sends one change.
func change[I, O, F any](
	ctx context.Context, w *Writer, send func(context.Context, *I, ...F) (*O, error),
	operation, what string, in *I,
) error {
	_, err := readExisting(ctx, w.absent, what, func(ctx context.Context) (*O, error) {
		out, err := call(ctx, send, in)
		return out, changeOutcome(operation, what, err)
	})
	return err
}

// AssignPrivateIPAddress makes the address a secondary one of the interface. With
// allowReassignment it is taken from whichever interface of the VPC holds it.
func (w *Writer) AssignPrivateIPAddress(
	ctx context.Context, nic, address string, allowReassignment bool,
) error {
	alone := func(ctx context.Context) error {
		return change(ctx, w, w.api.AssignPrivateIpAddresses, "AssignPrivateIpAddresses",
			assigning(nic, address), &ec2.AssignPrivateIpAddressesInput{
				NetworkInterfaceId: &nic,
				PrivateIpAddresses: []string{address},
				AllowReassignment:  aws.Bool(allowReassignment),
			})
	}
	if allowReassignment {
		return alone(ctx)
	}
	return w.jointly(ctx, jointAssign, nic, address, alone)
}

func assigning(nic, address string) string { return fmt.Sprintf("assign %s to %s", address, nic) }

func unassigning(nic, address string) string {
	return fmt.Sprintf("unassign %s from %s", address, nic)
}

// UnassignPrivateIPAddress takes a secondary address off the interface.
func (w *Writer) UnassignPrivateIPAddress(ctx context.Context, nic, address string) error {
	alone := func(ctx context.Context) error {
		return change(ctx, w, w.api.UnassignPrivateIpAddresses, "UnassignPrivateIpAddresses",
			unassigning(nic, address), &ec2.UnassignPrivateIpAddressesInput{
				NetworkInterfaceId: &nic,
				PrivateIpAddresses: []string{address},
			})
	}
	return w.jointly(ctx, jointUnassign, nic, address, alone)
}

// AssignIPv6Address makes the address one of the interface's. EC2 takes it from no other: whoever
// holds it has to let it go first.
func (w *Writer) AssignIPv6Address(ctx context.Context, nic, address string) error {
	what := assigning(nic, address)
	return change(ctx, w, w.api.AssignIpv6Addresses, "AssignIpv6Addresses", what,
		&ec2.AssignIpv6AddressesInput{
			NetworkInterfaceId: &nic, Ipv6Addresses: []string{address},
		})
}

// UnassignIPv6Address takes an IPv6 address off the interface.
func (w *Writer) UnassignIPv6Address(ctx context.Context, nic, address string) error {
	what := unassigning(nic, address)
	return change(ctx, w, w.api.UnassignIpv6Addresses, "UnassignIpv6Addresses", what,
		&ec2.UnassignIpv6AddressesInput{
			NetworkInterfaceId: &nic, Ipv6Addresses: []string{address},
		})
}

// ModifySourceDestCheck switches the interface's source/destination check.
func (w *Writer) ModifySourceDestCheck(ctx context.Context, nic string, check bool) error {
	what := fmt.Sprintf("set the source/dest check of %s to %t", nic, check)
	return change(ctx, w, w.api.ModifyNetworkInterfaceAttribute,
		"ModifyNetworkInterfaceAttribute", what,
		&ec2.ModifyNetworkInterfaceAttributeInput{
			NetworkInterfaceId: &nic,
			SourceDestCheck:    &types.AttributeBooleanValue{Value: &check},
		})
}
