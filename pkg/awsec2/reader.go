package awsec2

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// Reader describes. Its methods are named for EC2's operations; each returns
// *protocol.Failure, and an absent resource is never an empty answer. That something does not
// exist is said only after two readings, some time apart.
type Reader struct {
	api    *ec2.Client
	absent *absences
	log    *slog.Logger
	// of is the connection that it reads by.
	of *Connection
}

// CredentialSource tells where the credentials come from, and no secret of them. It asks nobody.
func (r *Reader) CredentialSource() string {
	return r.of.own.secrets.tell(r.of.own.base().text)
}

// DescribeNetworkInterfaces reads the interfaces with these ids, in their order. One that does not
// exist fails the whole, as not-found.
func (r *Reader) DescribeNetworkInterfaces(
	ctx context.Context, ids ...string,
) ([]ec2model.NetworkInterface, error) {
	found, gone, err := r.interfacesByID(ctx, ids)
	if err == nil && gone != nil {
		err = askedTwice(gone)
	}
	if err != nil {
		return nil, err
	}
	return found, nil
}

// ExistingNetworkInterfaces reads those of the interfaces with these ids that exist, in their
// order.
func (r *Reader) ExistingNetworkInterfaces(
	ctx context.Context, ids ...string,
) ([]ec2model.NetworkInterface, error) {
	found, _, err := r.interfacesByID(ctx, ids)
	return found, err
}

// interfacesByID reads interfaces until the absence of each that is not found is confirmed. Gone
// is what EC2 says of one that does not exist; it is nil if all do.
func (r *Reader) interfacesByID(
	ctx context.Context, ids []string,
) (found []ec2model.NetworkInterface, gone, err error) {
	for {
		found, gone, err = r.interfacesOnce(ctx, ids)
		if err != nil {
			return nil, nil, err
		}
		absent := slices.Clone(ids)
		for _, n := range found {
			r.absent.found(n.ID)
			absent = slices.DeleteFunc(absent, func(id string) bool { return id == n.ID })
		}
		again, err := r.absent.again(ctx, absent...)
		if err != nil || !again {
			return found, gone, err
		}
	}
}

// interfacesOnce reads interfaces. EC2 refuses a call that names one it does not know, so each is
// then asked for alone.
func (r *Reader) interfacesOnce(
	ctx context.Context, ids []string,
) (found []ec2model.NetworkInterface, gone, err error) {
	found, err = r.interfacesNamed(ctx, ids)
	if !isNotFound(err) {
		return found, nil, err
	}
	if len(ids) == 1 {
		return nil, err, nil
	}
	for _, id := range ids {
		one, err := r.interfacesNamed(ctx, []string{id})
		switch {
		case isNotFound(err):
			gone = cmp.Or(gone, err)
		case err != nil:
			return nil, nil, err
		}
		found = append(found, one...)
	}
	return found, gone, nil
}

func (r *Reader) interfacesNamed(
	ctx context.Context, ids []string,
) ([]ec2model.NetworkInterface, error) {
	if out := r.jointly(ctx, ids); out != nil {
		return ordered(ids, out, "describe "+ids[0])
	}
	what := "describe " + strings.Join(ids, ", ")
	out, err := call(ctx, r.api.DescribeNetworkInterfaces,
		&ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: ids})
	if err != nil {
		return nil, failure("DescribeNetworkInterfaces", what, err)
	}
	return ordered(ids, out, what)
}

// ordered are the interfaces that an answer has, in the order of the ids.
func ordered(
	ids []string, out *ec2.DescribeNetworkInterfacesOutput, what string,
) ([]ec2model.NetworkInterface, error) {
	found := map[string]ec2model.NetworkInterface{}
	for _, n := range out.NetworkInterfaces {
		found[aws.ToString(n.NetworkInterfaceId)] = networkInterface(n)
	}
	ordered := make([]ec2model.NetworkInterface, len(ids))
	for i, id := range ids {
		n, ok := found[id]
		if !ok {
			return nil, protocol.Refuse(protocol.Unavailable,
				"cannot %s: EC2's answer leaves out %s; try again", what, id)
		}
		ordered[i] = n
	}
	return ordered, nil
}

// DescribeNetworkInterfacesWithAddress reads every interface of the VPC that holds the private IPv4
// address or the IPv6 address, as primary or secondary.
func (r *Reader) DescribeNetworkInterfacesWithAddress(
	ctx context.Context, vpc, address string,
) ([]ec2model.NetworkInterface, error) {
	filter := "addresses.private-ip-address"
	if isIPv6(address) {
		filter = "ipv6-addresses.ipv6-address"
	}
	return interfacesWith(ctx, r, fmt.Sprintf("find who holds %s in %s", address, vpc),
		&ec2.DescribeNetworkInterfacesInput{
			Filters: []types.Filter{
				{Name: aws.String("vpc-id"), Values: []string{vpc}},
				{Name: &filter, Values: []string{address}},
			},
		}, networkInterface)
}

// DescribeNetworkInterfacesOfSubnet reads the interfaces of the subnet, as many as one answer
// holds, and reports whether those are all.
func (r *Reader) DescribeNetworkInterfacesOfSubnet(
	ctx context.Context, subnet string,
) (found []ec2model.NetworkInterface, all bool, err error) {
	out, err := call(ctx, r.api.DescribeNetworkInterfaces, &ec2.DescribeNetworkInterfacesInput{
		MaxResults: aws.Int32(pageSize),
		Filters:    []types.Filter{{Name: aws.String("subnet-id"), Values: []string{subnet}}},
	})
	if err != nil {
		return nil, false, failure("DescribeNetworkInterfaces", "read the interfaces of "+subnet, err)
	}
	for _, n := range out.NetworkInterfaces {
		found = append(found, networkInterface(n))
	}
	return found, aws.ToString(out.NextToken) == "", nil
}

// interfacesWith reads all pages of interfaces, and makes something of each.
func interfacesWith[T any](
	ctx context.Context, r *Reader, what string, in *ec2.DescribeNetworkInterfacesInput,
	of func(types.NetworkInterface) T,
) ([]T, error) {
	var found []T
	err := pages(what, func(token *string) (*string, error) {
		in.NextToken = token
		out, err := call(ctx, r.api.DescribeNetworkInterfaces, in)
		if err != nil {
			return nil, failure("DescribeNetworkInterfaces", what, err)
		}
		for _, n := range out.NetworkInterfaces {
			found = append(found, of(n))
		}
		return out.NextToken, nil
	})
	return found, err
}

// DescribeSubnet reads one subnet. One that does not exist is not-found.
func (r *Reader) DescribeSubnet(ctx context.Context, id string) (ec2model.Subnet, error) {
	return readExisting(ctx, r.absent, id, func(ctx context.Context) (ec2model.Subnet, error) {
		return r.subnetOnce(ctx, id)
	})
}

func (r *Reader) subnetOnce(ctx context.Context, id string) (ec2model.Subnet, error) {
	out, err := call(ctx, r.api.DescribeSubnets, &ec2.DescribeSubnetsInput{SubnetIds: []string{id}})
	if err != nil {
		return ec2model.Subnet{}, failure("DescribeSubnets", "describe "+id, err)
	}
	if len(out.Subnets) != 1 {
		return ec2model.Subnet{},
			protocol.Refuse(protocol.Unavailable,
				"cannot describe %s: EC2's answer leaves it out; try again",
				id)
	}
	return subnet(out.Subnets[0]), nil
}

func networkInterface(n types.NetworkInterface) ec2model.NetworkInterface {
	m := ec2model.NetworkInterface{
		ID:              aws.ToString(n.NetworkInterfaceId),
		SubnetID:        aws.ToString(n.SubnetId),
		VPCID:           aws.ToString(n.VpcId),
		OwnerID:         aws.ToString(n.OwnerId),
		SourceDestCheck: n.SourceDestCheck,
		NoAddresses:     n.InterfaceType == types.NetworkInterfaceTypeEfaOnly,
		RequesterManaged: aws.ToBool(n.RequesterManaged) ||
			(n.Operator != nil && aws.ToBool(n.Operator.Managed)),
		Primary: aws.ToString(n.PrivateIpAddress),
	}
	for _, a := range n.PrivateIpAddresses {
		switch address := aws.ToString(a.PrivateIpAddress); {
		case aws.ToBool(a.Primary):
			m.Primary = address
		case address != m.Primary:
			m.Secondary = append(m.Secondary, address)
		}
	}
	for _, p := range n.Ipv4Prefixes {
		m.Prefixes = appendPrefix(m.Prefixes, p.Ipv4Prefix)
	}
	for _, p := range n.Ipv6Prefixes {
		m.Prefixes = appendPrefix(m.Prefixes, p.Ipv6Prefix)
	}
	for _, a := range n.Ipv6Addresses {
		address := canonicalAddress(aws.ToString(a.Ipv6Address))
		m.IPv6 = append(m.IPv6, address)
		if aws.ToBool(a.IsPrimaryIpv6) {
			m.PrimaryIPv6 = address
		}
	}
	return m
}

func appendPrefix(all []netip.Prefix, text *string) []netip.Prefix {
	p, err := netip.ParsePrefix(aws.ToString(text))
	if err != nil {
		return all
	}
	return append(all, p.Masked())
}

// canonicalAddress is the one spelling of an IPv6 address that texts are compared in.
func canonicalAddress(text string) string {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return text
	}
	return a.String()
}

func isIPv6(address string) bool { return strings.Contains(address, ":") }
