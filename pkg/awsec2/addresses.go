package awsec2

import (
	"cmp"
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
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

// DescribeTaggedAddresses reads every Elastic IP that has a tag whose text begins in a way. The
// beginning has neither wildcards nor a backslash.
func (r *Reader) DescribeTaggedAddresses(
	ctx context.Context, key, beginning string,
) ([]ec2model.Address, error) {
	return r.addressesWith(ctx,
		"find the Elastic IPs with the tag "+protocol.Quote(key+"="+beginning+"*"),
		filterOf("tag:"+key, beginning+"*"))
}

// DescribeAssociatedAddress reads the Elastic IP that is associated with a private address of an
// interface. It returns none where there is none.
func (r *Reader) DescribeAssociatedAddress(
	ctx context.Context, nic, private string,
) (a ec2model.Address, found bool, err error) {
	all, err := r.addressesWith(ctx, "find the Elastic IP of "+private+" on "+nic,
		filterOf("network-interface-id", nic), filterOf("private-ip-address", private))
	if err != nil || len(all) == 0 {
		return ec2model.Address{}, false, err
	}
	return all[0], true, nil
}

// addressesWith reads the Elastic IPs that filters select: EC2 has no pages of them.
func (r *Reader) addressesWith(
	ctx context.Context, what string, filters ...types.Filter,
) ([]ec2model.Address, error) {
	out, err := call(ctx, r.api.DescribeAddresses, &ec2.DescribeAddressesInput{Filters: filters})
	if err != nil {
		return nil, failure("DescribeAddresses", what, err)
	}
	all := make([]ec2model.Address, len(out.Addresses))
	for i, a := range out.Addresses {
		all[i] = address(a)
	}
	return all, nil
}

// AllocateAddress takes an Elastic IP from a pool, and returns its allocation. EC2 has no client
// token for it: each call takes another one.
func (w *Writer) AllocateAddress(ctx context.Context, n ec2model.NewAddress) (string, error) {
	what := "allocate an Elastic IP of the pool " + n.Pool
	tags, err := tagList(what, n.Tags)
	if err != nil {
		return "", err
	}
	in := &ec2.AllocateAddressInput{
		Domain: types.DomainTypeVpc,
		TagSpecifications: []types.TagSpecification{{
			ResourceType: types.ResourceTypeElasticIp, Tags: tags,
		}},
	}
	if n.Pool != ec2model.AmazonPool {
		in.PublicIpv4Pool = &n.Pool
	}
	return made(ctx, w, w.api.AllocateAddress, "AllocateAddress", what, in,
		func(out *ec2.AllocateAddressOutput) *string { return out.AllocationId })
}

// AssociateAddress has an Elastic IP lead to a private address of an interface, and returns the id
// of the association. It takes neither from another.
func (w *Writer) AssociateAddress(
	ctx context.Context, allocation, nic, private string,
) (string, error) {
	what := fmt.Sprintf("associate %s with %s on %s", allocation, private, nic)
	return made(ctx, w, w.api.AssociateAddress, "AssociateAddress", what,
		&ec2.AssociateAddressInput{
			AllocationId: &allocation, NetworkInterfaceId: &nic, PrivateIpAddress: &private,
			AllowReassociation: aws.Bool(false),
		},
		func(out *ec2.AssociateAddressOutput) *string { return out.AssociationId })
}

// DisassociateAddress ends an association of an Elastic IP.
func (w *Writer) DisassociateAddress(ctx context.Context, association string) error {
	return change(ctx, w, w.api.DisassociateAddress, "DisassociateAddress",
		"end the association "+association,
		&ec2.DisassociateAddressInput{AssociationId: &association})
}

// ReleaseAddress gives an Elastic IP back to its pool.
func (w *Writer) ReleaseAddress(ctx context.Context, allocation string) error {
	return change(ctx, w, w.api.ReleaseAddress, "ReleaseAddress", "release "+allocation,
		&ec2.ReleaseAddressInput{AllocationId: &allocation})
}

func address(a types.Address) ec2model.Address {
	return ec2model.Address{
		AllocationID: aws.ToString(a.AllocationId), PublicIP: aws.ToString(a.PublicIp),
		AssociationID: aws.ToString(a.AssociationId), InterfaceID: aws.ToString(a.NetworkInterfaceId),
		InstanceID: aws.ToString(a.InstanceId), PrivateIP: aws.ToString(a.PrivateIpAddress),
		Pool: cmp.Or(aws.ToString(a.PublicIpv4Pool), ec2model.AmazonPool),
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
