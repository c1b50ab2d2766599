package awsec2

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	lan "aws-provider-executor/pkg/network"
)

// NetworkSource is a region's network as package network reads it.
type NetworkSource struct{ reader *Reader }

var _ lan.Source = NetworkSource{}

// NetworkOf returns the network of a connection's region, read with its identity.
func NetworkOf(c *Connection) NetworkSource {
	return NetworkSource{c.reader()}
}

// InterfacesOf reads the interfaces that a query selects.
func (s NetworkSource) InterfacesOf(
	ctx context.Context, q lan.Query,
) ([]lan.Interface, []lan.Group, error) {
	by := "addresses.private-ip-address"
	if a, err := netip.ParseAddr(q.Address); err == nil && a.Is6() {
		by = "ipv6-addresses.ipv6-address"
	}
	in := &ec2.DescribeNetworkInterfacesInput{
		IncludeManagedResources: aws.Bool(true),
		Filters: filters(
			filterOf("network-interface-id", q.IDs...),
			filterOf("attachment.instance-id", q.Instances...),
			filterOf("vpc-id", q.VPC), filterOf(by, q.Address),
		),
	}
	var found []lan.Interface
	var groups []lan.Group
	const what = "read interfaces"
	err := pages(what, func(token *string) (*string, error) {
		in.NextToken = token
		out, err := call(ctx, s.reader.api.DescribeNetworkInterfaces, in)
		if err != nil {
			return nil, failure("DescribeNetworkInterfaces", what, err)
		}
		for _, n := range out.NetworkInterfaces {
			i := drawnInterface(n)
			for _, g := range n.Groups {
				groups = append(groups, lan.Group{
					ID: aws.ToString(g.GroupId), Name: aws.ToString(g.GroupName), VPC: i.VPC,
				})
			}
			found = append(found, i)
		}
		return out.NextToken, nil
	})
	return found, groups, err
}

// drawnInterface is an interface as package network has it.
func drawnInterface(n types.NetworkInterface) lan.Interface {
	known := networkInterface(n)
	i := lan.Interface{
		ID: known.ID, VPC: known.VPCID, Subnet: known.SubnetID, Name: nameOf(n.TagSet),
		Primary: cmp.Or(known.Primary, known.PrimaryIPv6), Managed: known.RequesterManaged,
	}
	i.Secondary = slices.DeleteFunc(append(slices.Clone(known.Secondary), known.IPv6...),
		func(a string) bool { return a == i.Primary })
	if known.SourceDestCheck != nil {
		i.SourceDestCheck = strconv.FormatBool(*known.SourceDestCheck)
	}
	for _, g := range n.Groups {
		i.Groups = append(i.Groups, aws.ToString(g.GroupId))
	}
	if a := n.Attachment; a != nil {
		i.Instance, i.Index = aws.ToString(a.InstanceId), int(aws.ToInt32(a.DeviceIndex))
	}
	return i
}

// nameOf is the value of the tag Name.
func nameOf(tags []types.Tag) string {
	for _, t := range tags {
		if aws.ToString(t.Key) == "Name" {
			return aws.ToString(t.Value)
		}
	}
	return ""
}

// InstancesOf reads instances by their ids.
func (s NetworkSource) InstancesOf(ctx context.Context, ids []string) ([]lan.Instance, error) {
	const what = "read instances"
	in := &ec2.DescribeInstancesInput{
		IncludeManagedResources: aws.Bool(true), Filters: filters(filterOf("instance-id", ids...)),
	}
	var found []lan.Instance
	err := pages(what, func(token *string) (*string, error) {
		in.NextToken = token
		out, err := call(ctx, s.reader.api.DescribeInstances, in)
		if err != nil {
			return nil, failure("DescribeInstances", what, err)
		}
		for _, r := range out.Reservations {
			for _, i := range r.Instances {
				one := lan.Instance{ID: aws.ToString(i.InstanceId), Name: nameOf(i.Tags)}
				if i.State != nil {
					one.State = string(i.State.Name)
				}
				found = append(found, one)
			}
		}
		return out.NextToken, nil
	})
	return found, err
}

// SubnetsOf reads subnets by their ids.
func (s NetworkSource) SubnetsOf(ctx context.Context, ids []string) ([]lan.Subnet, error) {
	const what = "read subnets"
	in := &ec2.DescribeSubnetsInput{Filters: filters(filterOf("subnet-id", ids...))}
	var found []lan.Subnet
	err := pages(what, func(token *string) (*string, error) {
		in.NextToken = token
		out, err := call(ctx, s.reader.api.DescribeSubnets, in)
		if err != nil {
			return nil, failure("DescribeSubnets", what, err)
		}
		for _, n := range out.Subnets {
			one := lan.Subnet{
				ID: aws.ToString(n.SubnetId), VPC: aws.ToString(n.VpcId), Name: nameOf(n.Tags),
				CIDRs: present(n.CidrBlock),
			}
			for _, block := range n.Ipv6CidrBlockAssociationSet {
				one.CIDRs = append(one.CIDRs, present(block.Ipv6CidrBlock)...)
			}
			found = append(found, one)
		}
		return out.NextToken, nil
	})
	return found, err
}

// present is a text in a list, or an empty list where there is none.
func present(text *string) []string {
	if aws.ToString(text) == "" {
		return nil
	}
	return []string{*text}
}

// VPCsOf reads VPCs by their ids.
func (s NetworkSource) VPCsOf(ctx context.Context, ids []string) ([]lan.VPC, error) {
	const what = "read VPCs"
	in := &ec2.DescribeVpcsInput{Filters: filters(filterOf("vpc-id", ids...))}
	var found []lan.VPC
	err := pages(what, func(token *string) (*string, error) {
		in.NextToken = token
		out, err := call(ctx, s.reader.api.DescribeVpcs, in)
		if err != nil {
			return nil, failure("DescribeVpcs", what, err)
		}
		for _, v := range out.Vpcs {
			one := lan.VPC{ID: aws.ToString(v.VpcId), Name: nameOf(v.Tags), CIDRs: present(v.CidrBlock)}
			for _, block := range v.CidrBlockAssociationSet {
				one.CIDRs = append(one.CIDRs, present(block.CidrBlock)...)
			}
			for _, block := range v.Ipv6CidrBlockAssociationSet {
				one.CIDRs = append(one.CIDRs, present(block.Ipv6CidrBlock)...)
			}
			found = append(found, one)
		}
		return out.NextToken, nil
	})
	return found, err
}

// GroupsOf reads security groups by their ids.
func (s NetworkSource) GroupsOf(ctx context.Context, ids []string) ([]lan.Group, error) {
	const what = "read security groups"
	in := &ec2.DescribeSecurityGroupsInput{Filters: filters(filterOf("group-id", ids...))}
	var found []lan.Group
	err := pages(what, func(token *string) (*string, error) {
		in.NextToken = token
		out, err := call(ctx, s.reader.api.DescribeSecurityGroups, in)
		if err != nil {
			return nil, failure("DescribeSecurityGroups", what, err)
		}
		for _, g := range out.SecurityGroups {
			found = append(found, lan.Group{
				ID: aws.ToString(g.GroupId), Name: aws.ToString(g.GroupName), VPC: aws.ToString(g.VpcId),
			})
		}
		return out.NextToken, nil
	})
	return found, err
}

// RouteTablesOf reads route tables by their ids.
func (s NetworkSource) RouteTablesOf(
	ctx context.Context, ids []string,
) ([]lan.RouteTable, error) {
	return s.tables(ctx, filterOf("route-table-id", ids...))
}

// RouteTableOfSubnet reads the table that a subnet uses.
func (s NetworkSource) RouteTableOfSubnet(
	ctx context.Context, vpc, subnet string,
) ([]lan.RouteTable, error) {
	own, err := s.tables(ctx, filterOf("association.subnet-id", subnet))
	if err != nil || len(own) > 0 {
		return own, err
	}
	return s.tables(ctx, filterOf("vpc-id", vpc), filterOf("association.main", "true"))
}

func (s NetworkSource) tables(
	ctx context.Context, by ...types.Filter,
) ([]lan.RouteTable, error) {
	const what = "read route tables"
	in := &ec2.DescribeRouteTablesInput{Filters: filters(by...)}
	var found []lan.RouteTable
	err := pages(what, func(token *string) (*string, error) {
		in.NextToken = token
		out, err := call(ctx, s.reader.api.DescribeRouteTables, in)
		if err != nil {
			return nil, failure("DescribeRouteTables", what, err)
		}
		for _, t := range out.RouteTables {
			table, err := drawnTable(t)
			if err != nil {
				return nil, err
			}
			found = append(found, table)
		}
		return out.NextToken, nil
	})
	return found, err
}

// drawnTable is a route table as package network has it.
func drawnTable(t types.RouteTable) (lan.RouteTable, error) {
	known, err := wholeTable(t)
	if err != nil {
		return lan.RouteTable{}, err
	}
	table := lan.RouteTable{ID: known.ID, VPC: known.VPCID, Name: nameOf(t.Tags)}
	for _, r := range known.Routes {
		table.Routes = append(table.Routes, lan.Route{
			Destination: r.Destination.String(), Target: r.Target, Blackhole: r.Blackhole,
		})
	}
	for _, r := range known.ToLists {
		table.Routes = append(table.Routes, lan.Route{
			Destination: r.List, Target: r.Target, Blackhole: r.Blackhole,
		})
	}
	return table, nil
}
