package awsec2

import (
	"cmp"
	"context"
	"fmt"
	"net/url"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// addressesOut is what EC2 answers to DescribeAddresses. It has no pages of them.
type addressesOut struct {
	Addresses []struct {
		AllocationID  string `xml:"allocationId"`
		PublicIP      string `xml:"publicIp"`
		AssociationID string `xml:"associationId"`
		InterfaceID   string `xml:"networkInterfaceId"`
		InstanceID    string `xml:"instanceId"`
		PrivateIP     string `xml:"privateIpAddress"`
		Pool          string `xml:"publicIpv4Pool"`
		Tags          tagSet `xml:"tagSet>item"`
	} `xml:"addressesSet>item"`
}

// describeAddresses reads Elastic IPs. What says what for.
func (r *Reader) describeAddresses(
	ctx context.Context, what string, in url.Values,
) ([]ec2model.Address, error) {
	var out addressesOut
	if err := r.ask(ctx, "DescribeAddresses", what, in, &out); err != nil {
		return nil, err
	}
	all := make([]ec2model.Address, len(out.Addresses))
	for i, a := range out.Addresses {
		all[i] = ec2model.Address{
			AllocationID: a.AllocationID, PublicIP: a.PublicIP, AssociationID: a.AssociationID,
			InterfaceID: a.InterfaceID, InstanceID: a.InstanceID, PrivateIP: a.PrivateIP,
			Pool: cmp.Or(a.Pool, ec2model.AmazonPool), Tags: a.Tags.byKey(),
		}
	}
	return all, nil
}

// DescribeAllocation reads one Elastic IP by its allocation. One that does not exist is not-found.
func (r *Reader) DescribeAllocation(ctx context.Context, id string) (ec2model.Address, error) {
	return readExisting(ctx, r.absent, id, func(ctx context.Context) (ec2model.Address, error) {
		all, err := r.describeAddresses(ctx, "describe "+id, url.Values{"AllocationId.1": {id}})
		if err != nil {
			return ec2model.Address{}, err
		}
		if len(all) != 1 || all[0].AllocationID != id {
			return ec2model.Address{}, leftOut(id)
		}
		return all[0], nil
	})
}

// DescribeTaggedAddresses reads every Elastic IP that has a tag whose text begins in a way. The
// beginning has neither wildcards nor a backslash.
func (r *Reader) DescribeTaggedAddresses(
	ctx context.Context, key, beginning string,
) ([]ec2model.Address, error) {
	in := url.Values{}
	setFilter(in, 1, "tag:"+key, beginning+"*")
	return r.describeAddresses(ctx,
		"find the Elastic IPs with the tag "+protocol.Quote(key+"="+beginning+"*"), in)
}

// DescribeAssociatedAddress reads the Elastic IP that is associated with a private address of an
// interface. It returns none where there is none.
func (r *Reader) DescribeAssociatedAddress(
	ctx context.Context, nic, private string,
) (a ec2model.Address, found bool, err error) {
	in := url.Values{}
	setFilter(in, 1, "network-interface-id", nic)
	setFilter(in, 2, "private-ip-address", private)
	all, err := r.describeAddresses(ctx, "find the Elastic IP of "+private+" on "+nic, in)
	if err != nil || len(all) == 0 {
		return ec2model.Address{}, false, err
	}
	return all[0], true, nil
}

// AllocateAddress takes an Elastic IP from a pool, and returns its allocation. EC2 has no client
// token for it: each call takes another one.
func (w *Writer) AllocateAddress(ctx context.Context, n ec2model.NewAddress) (string, error) {
	const operation = "AllocateAddress"
	what := "allocate an Elastic IP of the pool " + n.Pool
	in := url.Values{"Domain": {"vpc"}}
	if err := setTags(in, "elastic-ip", n.Tags); err != nil {
		return "", err
	}
	if n.Pool != ec2model.AmazonPool {
		in.Set("PublicIpv4Pool", n.Pool)
	}
	var out struct {
		ID string `xml:"allocationId"`
	}
	err := w.send(ctx, operation, what, in, &out)
	return named(operation, what, &out.ID, err)
}

// AssociateAddress has an Elastic IP lead to a private address of an interface, and returns the id
// of the association. It takes neither from another.
func (w *Writer) AssociateAddress(
	ctx context.Context, allocation, nic, private string,
) (string, error) {
	const operation = "AssociateAddress"
	what := fmt.Sprintf("associate %s with %s on %s", allocation, private, nic)
	var out struct {
		ID string `xml:"associationId"`
	}
	err := w.send(ctx, operation, what, url.Values{
		"AllocationId": {allocation}, "NetworkInterfaceId": {nic}, "PrivateIpAddress": {private},
		"AllowReassociation": {"false"},
	}, &out)
	return named(operation, what, &out.ID, err)
}

// DisassociateAddress ends an association of an Elastic IP.
func (w *Writer) DisassociateAddress(ctx context.Context, association string) error {
	return w.send(ctx, "DisassociateAddress", "end the association "+association,
		url.Values{"AssociationId": {association}}, &struct{}{})
}

// ReleaseAddress gives an Elastic IP back to its pool.
func (w *Writer) ReleaseAddress(ctx context.Context, allocation string) error {
	return w.send(ctx, "ReleaseAddress", "release "+allocation,
		url.Values{"AllocationId": {allocation}}, &struct{}{})
}
