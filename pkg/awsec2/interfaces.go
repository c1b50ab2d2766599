package awsec2

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// DescribeTaggedInterfaces reads every interface that has a tag whose text begins in a way. The
// beginning has neither wildcards nor a backslash.
func (r *Reader) DescribeTaggedInterfaces(
	ctx context.Context, key, beginning string,
) ([]ec2model.InterfaceDetail, error) {
	what := "find the interfaces with the tag " + protocol.Quote(key+"="+beginning+"*")
	in := &ec2.DescribeNetworkInterfacesInput{
		Filters:    []types.Filter{filterOf("tag:"+key, beginning+"*")},
		MaxResults: aws.Int32(pageSize),
	}
	return interfacesWith(ctx, r, what, in, interfaceDetail)
}

// made sends one change whose answer names what it made. An answer without the name does not tell
// what became of the change.
func made[I, O, F any](
	ctx context.Context, w *Writer, send func(context.Context, *I, ...F) (*O, error),
	operation, what string, in *I, name func(*O) *string,
) (string, error) {
	out, err := readExisting(ctx, w.absent, what, func(ctx context.Context) (*O, error) {
		out, err := call(ctx, send, in)
		return out, changeOutcome(operation, what, err)
	})
	if err != nil {
		return "", err
	}
	return named(operation, what, name(out), nil)
}

// CreateNetworkInterface makes an interface, and returns its id. It is an Unavailable where EC2
// remembers the token of one that was made by it and is deleted since.
func (w *Writer) CreateNetworkInterface(
	ctx context.Context, n ec2model.NewInterface,
) (string, error) {
	in := &ec2.CreateNetworkInterfaceInput{
		ClientToken: &n.Token, SubnetId: &n.Subnet, Groups: n.Groups,
	}
	if n.Description != "" {
		in.Description = &n.Description
	}
	for i, a := range n.Addresses {
		in.PrivateIpAddresses = append(in.PrivateIpAddresses, types.PrivateIpAddressSpecification{
			PrivateIpAddress: aws.String(a), Primary: aws.Bool(i == 0),
		})
	}
	what := "make an interface in " + n.Subnet
	tags, err := tagList(what, n.Tags)
	if err != nil {
		return "", err
	}
	in.TagSpecifications = []types.TagSpecification{{
		ResourceType: types.ResourceTypeNetworkInterface, Tags: tags,
	}}
	id, err := made(ctx, w, w.api.CreateNetworkInterface, "CreateNetworkInterface", what, in,
		func(out *ec2.CreateNetworkInterfaceOutput) *string {
			if out.NetworkInterface == nil {
				return nil
			}
			return out.NetworkInterface.NetworkInterfaceId
		})
	return id, spent(what, err)
}

// spent makes of a refusal to make an interface by a token again, what to do about it.
func spent(what string, err error) error {
	const code = "InvalidNetworkInterfaceID.NotFound"
	var f *protocol.Failure
	if !errors.As(err, &f) || f.Facts[protocol.FactAWSErrorCode] != code {
		return err
	}
	told := *f
	told.Class, told.Retryable = protocol.Unavailable, nil
	told.Message = "cannot " + what + ": EC2 remembers that this action made an interface before," +
		" which is deleted since; nothing was changed; send it again a minute later, or undo it" +
		" first if somebody deleted what it had made"
	return &told
}

// AttachNetworkInterface attaches an interface to an instance, and returns the id of the
// attachment. It does not wait.
func (w *Writer) AttachNetworkInterface(
	ctx context.Context, nic, instance string, index int,
) (string, error) {
	what := fmt.Sprintf("attach %s to %s at device index %d", nic, instance, index)
	return made(ctx, w, w.api.AttachNetworkInterface, "AttachNetworkInterface", what,
		&ec2.AttachNetworkInterfaceInput{
			NetworkInterfaceId: &nic, InstanceId: &instance, DeviceIndex: aws.Int32(int32(index)),
		},
		func(out *ec2.AttachNetworkInterfaceOutput) *string { return out.AttachmentId })
}

// DetachNetworkInterface ends an attachment, not by force. It does not wait.
func (w *Writer) DetachNetworkInterface(ctx context.Context, attachment string) error {
	return change(ctx, w, w.api.DetachNetworkInterface, "DetachNetworkInterface",
		"end the attachment "+attachment,
		&ec2.DetachNetworkInterfaceInput{AttachmentId: &attachment})
}

// DeleteNetworkInterface deletes an interface.
func (w *Writer) DeleteNetworkInterface(ctx context.Context, nic string) error {
	return change(ctx, w, w.api.DeleteNetworkInterface, "DeleteNetworkInterface", "delete "+nic,
		&ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: &nic})
}

// ModifyDeleteOnTermination has an attached interface go with its instance, or stay.
func (w *Writer) ModifyDeleteOnTermination(
	ctx context.Context, nic, attachment string, goes bool,
) error {
	what := fmt.Sprintf("set whether %s goes with its instance to %t", nic, goes)
	return change(ctx, w, w.api.ModifyNetworkInterfaceAttribute,
		"ModifyNetworkInterfaceAttribute", what,
		&ec2.ModifyNetworkInterfaceAttributeInput{
			NetworkInterfaceId: &nic,
			Attachment: &types.NetworkInterfaceAttachmentChanges{
				AttachmentId: &attachment, DeleteOnTermination: &goes,
			},
		})
}
