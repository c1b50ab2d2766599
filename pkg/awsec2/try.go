package awsec2

import (
	"context"
	"net/url"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// shortPage is the least that EC2 lets a page be limited to.
const shortPage = 5

// Try finds out whether this identity may make a reading operation, named as IAM does, but one of
// EC2's without its service: it asks for one short page, and nobody looks at that. It returns nil
// where it may.
func (r *Reader) Try(ctx context.Context, operation string) error {
	what := "read with " + operation
	page := aws.Int32(shortPage)
	var err error
	switch operation {
	case "DescribeAddresses":
		// It has no pages.
		return r.ask(ctx, operation, what, url.Values{}, &struct{}{})
	case "DescribeInstances":
		return r.ask(ctx, operation, what,
			url.Values{"MaxResults": {strconv.Itoa(shortPage)}}, &struct{}{})
	case "DescribeNetworkInterfaces":
		_, err = call(ctx, r.api.DescribeNetworkInterfaces,
			&ec2.DescribeNetworkInterfacesInput{MaxResults: page})
	case "DescribeRouteTables":
		_, err = call(ctx, r.api.DescribeRouteTables, &ec2.DescribeRouteTablesInput{MaxResults: page})
	case "DescribeSecurityGroups":
		_, err = call(ctx, r.api.DescribeSecurityGroups,
			&ec2.DescribeSecurityGroupsInput{MaxResults: page})
	case "DescribeSubnets":
		_, err = call(ctx, r.api.DescribeSubnets, &ec2.DescribeSubnetsInput{MaxResults: page})
	case "DescribeTags":
		_, err = call(ctx, r.api.DescribeTags, &ec2.DescribeTagsInput{MaxResults: page})
	default:
		return r.tryOther(ctx, operation)
	}
	if err != nil {
		return failure(operation, what, err)
	}
	return nil
}

// nowhere is the id of a command that there is not.
const nowhere = "00000000-0000-0000-0000-000000000000"

// tryOther tries an operation of another service than EC2. What a service does not have it may be
// asked about all the same.
func (r *Reader) tryOther(ctx context.Context, operation string) error {
	const instance = "i-00000000000000000"
	var err error
	switch operation {
	case "autoscaling:DescribeAutoScalingInstances":
		err = r.tryScaling(ctx, "DescribeAutoScalingInstances", url.Values{"MaxRecords": {"1"}})
	case "autoscaling:DescribeLifecycleHooks":
		err = r.tryScaling(ctx, "DescribeLifecycleHooks",
			url.Values{"AutoScalingGroupName": {"no-such-group"}})
	case "ssm:DescribeDocument":
		_, _, err = r.Document(ctx, "AWS-RunShellScript", "")
	case "ssm:DescribeInstanceInformation":
		_, _, err = r.ManagedInstance(ctx, instance)
	case "ssm:GetCommandInvocation":
		_, _, err = r.Invocation(ctx, nowhere, instance, "")
	case "ssm:ListCommands":
		_, _, err = r.ListCommands(ctx, ec2model.CommandQuery{ID: nowhere})
	default:
		return protocol.Refuse(protocol.Internal, "there is no way to try %s", operation)
	}
	return err
}

// tryScaling tries an operation of Auto Scaling. That a group is not there is said to those who may
// ask.
func (r *Reader) tryScaling(ctx context.Context, operation string, in url.Values) error {
	err := autoScaling.call(ctx, r.of.serviceReader, operation, in, &struct{}{})
	if code, _ := codeOf(err); code == "ValidationError" {
		return nil
	}
	return autoScaling.failed(operation, "read with "+operation, err)
}
