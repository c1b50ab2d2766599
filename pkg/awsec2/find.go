package awsec2

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// FindInstances reads every instance that all the filters select, whole, page by page to the end.
// What says what the search is for, as in "find web-1". An error means that not all were read.
func (r *Reader) FindInstances(
	ctx context.Context, what string, by ...ec2model.Filter,
) ([]ec2model.Instance, error) {
	in := findInput(pageSize, by)
	var found []ec2model.Instance
	err := pages(what, func(token *string) (*string, error) {
		in.NextToken = token
		page, next, err := r.findPage(ctx, what, in)
		found = append(found, page...)
		return next, err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// fewestResults is the smallest page that EC2 gives.
const fewestResults = 5

// SomeInstances reads a few of the instances that the filters select, in one call. So it shows that
// EC2 answers this identity, however many instances there are.
func (r *Reader) SomeInstances(
	ctx context.Context, what string, by ...ec2model.Filter,
) ([]ec2model.Instance, error) {
	found, _, err := r.findPage(ctx, what, findInput(fewestResults, by))
	return found, err
}

func findInput(page int32, by []ec2model.Filter) *ec2.DescribeInstancesInput {
	in := &ec2.DescribeInstancesInput{
		MaxResults: aws.Int32(page), IncludeManagedResources: aws.Bool(true),
	}
	for _, f := range by {
		value := f.Value
		if !f.Pattern {
			value = literal.Replace(value)
		}
		in.Filters = append(in.Filters, filterOf(f.Name, value))
	}
	return in
}

// literal takes the meaning from what a filter's value would be a pattern by.
var literal = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`)

func (r *Reader) findPage(
	ctx context.Context, what string, in *ec2.DescribeInstancesInput,
) (found []ec2model.Instance, next *string, err error) {
	out, err := call(ctx, r.api.DescribeInstances, in)
	if err != nil {
		return nil, nil, failure("DescribeInstances", what, err)
	}
	for _, reservation := range out.Reservations {
		for _, i := range reservation.Instances {
			if !isWholeInstance(i) {
				return nil, nil, protocol.Refuse(protocol.Unavailable,
					"cannot %s: EC2's answer can't be right about %s; try again",
					what, protocol.Quote(aws.ToString(i.InstanceId)))
			}
			found = append(found, instance(i))
		}
	}
	return found, out.NextToken, nil
}

// isWholeInstance reports whether an instance has what every one has. One that is left out because
// it was not understood would look like one that does not exist.
func isWholeInstance(i types.Instance) bool {
	return aws.ToString(i.InstanceId) != "" && i.State != nil
}
