package awsec2

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// DescribeInterface reads one interface with all that a preflight looks at. One that does not exist
// is not-found.
func (r *Reader) DescribeInterface(
	ctx context.Context, id string,
) (ec2model.InterfaceDetail, error) {
	return readExisting(ctx, r.absent, id,
		func(ctx context.Context) (d ec2model.InterfaceDetail, err error) {
			out, err := call(ctx, r.api.DescribeNetworkInterfaces,
				&ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{id}})
			if err != nil {
				return d, failure("DescribeNetworkInterfaces", "describe "+id, err)
			}
			if len(out.NetworkInterfaces) != 1 ||
				aws.ToString(out.NetworkInterfaces[0].NetworkInterfaceId) != id {
				return d, leftOut(id)
			}
			return interfaceDetail(out.NetworkInterfaces[0]), nil
		})
}

func leftOut(what string) *protocol.Failure {
	return protocol.Refuse(protocol.Unavailable,
		"cannot describe %s: EC2's answer leaves it out; try again", what)
}

func interfaceDetail(n types.NetworkInterface) ec2model.InterfaceDetail {
	d := ec2model.InterfaceDetail{
		NetworkInterface: networkInterface(n),
		Type:             string(n.InterfaceType), Status: string(n.Status),
		Description: aws.ToString(n.Description), Zone: aws.ToString(n.AvailabilityZone),
		Tags: tagsOf(n.TagSet),
	}
	if a := n.Attachment; a != nil {
		d.InstanceID, d.Attachment = aws.ToString(a.InstanceId), string(a.Status)
		d.DeviceIndex = int(aws.ToInt32(a.DeviceIndex))
		d.AttachmentID = aws.ToString(a.AttachmentId)
		d.DeleteOnTermination = aws.ToBool(a.DeleteOnTermination)
	}
	for _, g := range n.Groups {
		d.Groups = append(d.Groups, aws.ToString(g.GroupId))
	}
	slices.Sort(d.Groups)
	if t := n.ConnectionTrackingConfiguration; t != nil {
		d.TrackedFor = int(aws.ToInt32(t.TcpEstablishedTimeout))
	}
	return d
}

// InstanceTypeLimits reads what one interface of an instance type may have.
func (r *Reader) InstanceTypeLimits(
	ctx context.Context, kind string,
) (ec2model.TypeLimits, error) {
	out, err := call(ctx, r.api.DescribeInstanceTypes, &ec2.DescribeInstanceTypesInput{
		InstanceTypes: []types.InstanceType{types.InstanceType(kind)},
	})
	if err != nil {
		return ec2model.TypeLimits{},
			failure("DescribeInstanceTypes", "read the limits of the instance type "+kind, err)
	}
	if len(out.InstanceTypes) != 1 || out.InstanceTypes[0].NetworkInfo == nil {
		return ec2model.TypeLimits{}, leftOut("the instance type " + kind)
	}
	n := out.InstanceTypes[0].NetworkInfo
	return ec2model.TypeLimits{
		IPv4: int(aws.ToInt32(n.Ipv4AddressesPerInterface)),
		IPv6: int(aws.ToInt32(n.Ipv6AddressesPerInterface)),
	}, nil
}

// DescribeTableOfSubnet reads the route table that a subnet goes by: its own, or the main one of
// its VPC.
func (r *Reader) DescribeTableOfSubnet(
	ctx context.Context, vpc, subnet string,
) (ec2model.SubnetTable, error) {
	found, err := r.tablesWith(ctx, "find the route table of "+subnet,
		filterOf("association.subnet-id", subnet))
	main := err == nil && len(found) == 0
	if main {
		found, err = r.tablesWith(ctx, "find the main route table of "+vpc,
			filterOf("vpc-id", vpc), filterOf("association.main", "true"))
	}
	if err != nil {
		return ec2model.SubnetTable{}, err
	}
	if len(found) != 1 {
		return ec2model.SubnetTable{}, leftOut("the route table of " + subnet)
	}
	table, err := wholeTable(found[0])
	return ec2model.SubnetTable{RouteTable: table, Main: main}, err
}

func (r *Reader) tablesWith(
	ctx context.Context, what string, by ...types.Filter,
) ([]types.RouteTable, error) {
	var found []types.RouteTable
	in := &ec2.DescribeRouteTablesInput{Filters: by}
	err := pages(what, func(token *string) (*string, error) {
		in.NextToken = token
		out, err := call(ctx, r.api.DescribeRouteTables, in)
		if err != nil {
			return nil, failure("DescribeRouteTables", what, err)
		}
		found = append(found, out.RouteTables...)
		return out.NextToken, nil
	})
	return found, err
}

// DescribeGroupRules reads those of these security groups that exist, with their rules, by id.
func (r *Reader) DescribeGroupRules(
	ctx context.Context, ids ...string,
) (map[string]ec2model.GroupRules, error) {
	in := &ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{filterOf("group-id", ids...)}}
	what := "read the rules of " + strings.Join(ids, ", ")
	found := map[string]ec2model.GroupRules{}
	err := pages(what, func(token *string) (*string, error) {
		in.NextToken = token
		out, err := call(ctx, r.api.DescribeSecurityGroups, in)
		if err != nil {
			return nil, failure("DescribeSecurityGroups", what, err)
		}
		for _, g := range out.SecurityGroups {
			found[aws.ToString(g.GroupId)] = groupRules(g)
		}
		return out.NextToken, nil
	})
	return found, err
}

func groupRules(g types.SecurityGroup) ec2model.GroupRules {
	m := ec2model.GroupRules{
		ID: aws.ToString(g.GroupId), VPCID: aws.ToString(g.VpcId), Name: aws.ToString(g.GroupName),
		Ingress: ruleTexts(g.IpPermissions), Egress: ruleTexts(g.IpPermissionsEgress),
	}
	const everything = "all 0.0.0.0/0"
	m.Open = slices.Contains(m.Ingress, everything) && slices.Contains(m.Egress, everything)
	return m
}

// ruleTexts tells rules, one for each peer, as in "tcp 443 10.0.0.0/8".
func ruleTexts(rules []types.IpPermission) []string {
	var all []string
	for _, p := range rules {
		what := ruleTraffic(p)
		for _, r := range p.IpRanges {
			all = append(all, what+" "+aws.ToString(r.CidrIp))
		}
		for _, r := range p.Ipv6Ranges {
			all = append(all, what+" "+aws.ToString(r.CidrIpv6))
		}
		for _, r := range p.PrefixListIds {
			all = append(all, what+" "+aws.ToString(r.PrefixListId))
		}
		for _, r := range p.UserIdGroupPairs {
			all = append(all, what+" "+aws.ToString(r.GroupId))
		}
	}
	slices.Sort(all)
	return all
}

func ruleTraffic(p types.IpPermission) string {
	protocol := aws.ToString(p.IpProtocol)
	from, to := aws.ToInt32(p.FromPort), aws.ToInt32(p.ToPort)
	switch {
	case protocol == "-1":
		return "all"
	case p.FromPort == nil:
		return protocol
	case from == to:
		return fmt.Sprintf("%s %d", protocol, from)
	}
	return fmt.Sprintf("%s %d-%d", protocol, from, to)
}
