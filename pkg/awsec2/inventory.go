package awsec2

import (
	"context"
	"net/netip"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// pageSize is the most that EC2 gives in one answer.
const pageSize = 1000

// EachInterface reads every interface that the query selects, those of AWS services included, page
// by page to the end. One may come twice, when it moves from page to page; what is read later
// counts. An error means that not all of them were read.
func (r *Reader) EachInterface(
	ctx context.Context,
	what string,
	q ec2model.InterfaceQuery,
	each func(ec2model.Interface),
) error {
	for {
		found := 0
		err := r.eachInterfaceOnce(ctx, what, q, func(n ec2model.Interface) {
			found++
			each(n)
		})
		if err != nil || !q.Expected {
			return err
		}
		if found > 0 {
			r.absent.found(what)
			return nil
		}
		if again, err := r.absent.again(ctx, what); err != nil || !again {
			return err
		}
	}
}

func (r *Reader) eachInterfaceOnce(
	ctx context.Context,
	what string,
	q ec2model.InterfaceQuery,
	each func(ec2model.Interface),
) error {
	in := &ec2.DescribeNetworkInterfacesInput{
		MaxResults:              aws.Int32(pageSize),
		Filters:                 interfaceFilters(q),
		IncludeManagedResources: aws.Bool(true),
	}
	return pages("read "+what, func(token *string) (*string, error) {
		in.NextToken = token
		out, err := call(ctx, r.api.DescribeNetworkInterfaces, in)
		if err != nil {
			return nil, failure("DescribeNetworkInterfaces", "read "+what, err)
		}
		for _, n := range out.NetworkInterfaces {
			if !isWhole(n) {
				return nil, protocol.Refuse(
					protocol.Unavailable,
					"cannot read %s: EC2's answer can't be right about %s; try again",
					what,
					protocol.Quote(aws.ToString(n.NetworkInterfaceId)),
				)
			}
			each(interfaceOf(n))
		}
		return out.NextToken, nil
	})
}

// DescribeRouteTableOf reads the route table that a subnet uses: its own, or else the main one of
// its VPC. With an empty VPC only the subnet's own is looked for; not-found says that it has none.
func (r *Reader) DescribeRouteTableOf(
	ctx context.Context, vpc, subnet string,
) (ec2model.RouteTable, error) {
	what := "find the route table of " + subnet
	filters := [][]types.Filter{{filterOf("association.subnet-id", subnet)}}
	if vpc != "" {
		inVPC := filterOf("vpc-id", vpc)
		filters = [][]types.Filter{
			{inVPC, filterOf("association.subnet-id", subnet)},
			{inVPC, filterOf("association.main", "true")},
		}
	}
	for _, f := range filters {
		in := &ec2.DescribeRouteTablesInput{Filters: f}
		out, err := call(ctx, r.api.DescribeRouteTables, in)
		if err != nil {
			return ec2model.RouteTable{}, failure("DescribeRouteTables", what, err)
		}
		if len(out.RouteTables) == 1 {
			return wholeTable(out.RouteTables[0])
		}
	}
	if vpc == "" {
		return ec2model.RouteTable{}, protocol.Refuse(protocol.NotFound,
			"%s has no route table of its own", subnet)
	}
	return ec2model.RouteTable{}, protocol.Refuse(protocol.Unavailable,
		"cannot %s: EC2 shows neither one of its own nor the main one of %s; name it in routeTableRef",
		what, vpc)
}

func interfaceFilters(q ec2model.InterfaceQuery) []types.Filter {
	return filters(
		filterOf("vpc-id", q.VPCID),
		filterOf("subnet-id", q.SubnetID),
		filterOf("attachment.instance-id", q.InstanceID),
		filterOf("network-interface-id", q.IDs...),
	)
}

func filterOf(name string, values ...string) types.Filter {
	return types.Filter{Name: &name, Values: values}
}

// filters drops the filters that have no value.
func filters(all ...types.Filter) []types.Filter {
	return slices.DeleteFunc(all, func(f types.Filter) bool {
		return len(f.Values) == 0 || f.Values[0] == ""
	})
}

// isWhole reports whether an interface has what every interface has, and addresses that can be
// read. An interface that is left out because it was not understood would look like one that is
// absent.
func isWhole(n types.NetworkInterface) bool {
	for _, a := range n.PrivateIpAddresses {
		if _, err := netip.ParseAddr(aws.ToString(a.PrivateIpAddress)); err != nil {
			return false
		}
	}
	for _, a := range n.Ipv6Addresses {
		if _, err := netip.ParseAddr(aws.ToString(a.Ipv6Address)); err != nil {
			return false
		}
	}
	return aws.ToString(n.NetworkInterfaceId) != "" && aws.ToString(n.VpcId) != "" &&
		len(networkInterface(n).Prefixes) == len(n.Ipv4Prefixes)+len(n.Ipv6Prefixes)
}

func interfaceOf(n types.NetworkInterface) ec2model.Interface {
	m := ec2model.Interface{NetworkInterface: networkInterface(n)}
	m.Service = m.RequesterManaged || !isOrdinary(n.InterfaceType)
	if a := n.Attachment; a != nil && a.Status != types.AttachmentStatusDetached {
		owner := aws.ToString(a.InstanceOwnerId)
		switch {
		case owner != m.OwnerID && owner != "":
			m.Service = true
		case owner == m.OwnerID && aws.ToString(a.InstanceId) != "":
			m.InstanceID, m.DeviceIndex = *a.InstanceId, int(aws.ToInt32(a.DeviceIndex))
		}
	}
	for _, t := range n.TagSet {
		m.Tags = append(m.Tags, ec2model.Tag{Key: aws.ToString(t.Key), Value: aws.ToString(t.Value)})
	}
	return m
}

// isOrdinary reports whether EC2's interface type is one that instances have. Every other type is a
// service's.
func isOrdinary(t types.NetworkInterfaceType) bool {
	switch t {
	case "", types.NetworkInterfaceTypeInterface, types.NetworkInterfaceTypeEfa,
		types.NetworkInterfaceTypeEfaOnly, types.NetworkInterfaceTypeTrunk,
		types.NetworkInterfaceTypeBranch:
		return true
	}
	return false
}
