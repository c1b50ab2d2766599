package awsec2

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"aws-provider-executor/pkg/awsec2/ec2model"
)

// DescribeAllocation reads one Elastic IP by its allocation. One that does not exist is not-found.
func (r *Reader) DescribeAllocation(ctx context.Context, id string) (ec2model.Address, error) {
	return readExisting(ctx, r.absent, id, func(ctx context.Context) (ec2model.Address, error) {
		out, err := call(ctx, r.api.DescribeAddresses,
			&ec2.DescribeAddressesInput{AllocationIds: []string{id}})
		if err != nil {
			return ec2model.Address{}, failure("DescribeAddresses", "describe "+id, err)
		}
		if len(out.Addresses) != 1 || aws.ToString(out.Addresses[0].AllocationId) != id {
			return ec2model.Address{}, leftOut(id)
		}
		return address(out.Addresses[0]), nil
	})
}

func address(a types.Address) ec2model.Address {
	return ec2model.Address{
		AllocationID: aws.ToString(a.AllocationId), PublicIP: aws.ToString(a.PublicIp),
		AssociationID: aws.ToString(a.AssociationId), InterfaceID: aws.ToString(a.NetworkInterfaceId),
		InstanceID: aws.ToString(a.InstanceId), PrivateIP: aws.ToString(a.PrivateIpAddress),
		Tags: tagsOf(a.Tags),
	}
}

// tagsOf are EC2's tags by key.
func tagsOf(list []types.Tag) map[string]string {
	tags := map[string]string{}
	for _, t := range list {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tags
}
