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

// DescribeSecurityGroups reads those of these groups that exist; the others are left out. It asks
// by a filter, which an unknown id does not fail and which EC2 throttles less.
func (r *Reader) DescribeSecurityGroups(
	ctx context.Context, ids ...string,
) ([]ec2model.SecurityGroup, error) {
	for {
		found, err := r.securityGroupsOnce(ctx, ids)
		if err != nil {
			return nil, err
		}
		absent := slices.Clone(ids)
		for _, g := range found {
			r.absent.found(g.ID)
			absent = slices.DeleteFunc(absent, func(id string) bool { return id == g.ID })
		}
		again, err := r.absent.again(ctx, absent...)
		if err != nil || !again {
			return found, err
		}
	}
}

func (r *Reader) securityGroupsOnce(
	ctx context.Context, ids []string,
) ([]ec2model.SecurityGroup, error) {
	in := &ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{filterOf("group-id", ids...)}}
	what := "describe " + strings.Join(ids, ", ")
	var found []ec2model.SecurityGroup
	err := pages(what, func(token *string) (*string, error) {
		in.NextToken = token
		out, err := call(ctx, r.api.DescribeSecurityGroups, in)
		if err != nil {
			return nil, failure("DescribeSecurityGroups", what, err)
		}
		for _, g := range out.SecurityGroups {
			found = append(found, ec2model.SecurityGroup{
				ID: aws.ToString(g.GroupId), VPCID: aws.ToString(g.VpcId),
			})
		}
		return out.NextToken, nil
	})
	return found, err
}

// ModifySecurityGroups gives the interface exactly these groups, of which there must be one at
// least.
func (w *Writer) ModifySecurityGroups(ctx context.Context, nic string, groups []string) error {
	if len(groups) == 0 {
		return protocol.Refuse(protocol.Internal,
			"a bug in the executor stopped it: %s would be left without a security group; nothing was sent",
			nic)
	}
	what := fmt.Sprintf("give %s the security groups %s", nic, strings.Join(groups, ","))
	return change(ctx, w, w.api.ModifyNetworkInterfaceAttribute,
		"ModifyNetworkInterfaceAttribute", what,
		&ec2.ModifyNetworkInterfaceAttributeInput{
			NetworkInterfaceId: &nic, Groups: groups,
		})
}
