package awsec2

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"

	"aws-provider-executor/pkg/protocol"
)

// Prober asks EC2 whether a change would be permitted, and makes none: under it a guard lets
// nothing out that does not say DryRun. What it asks for would change nothing of weight even if
// an endpoint did not heed that.
//
// Each method returns nil where the identity may make the change, and a *protocol.Failure with
// its class where it may not, or where that could not be found out.
type Prober struct{ api *ec2.Client }

// Prober returns a Prober.
func (c *Connection) Prober() *Prober {
	return &Prober{api: ec2.NewFromConfig(c.cfg, func(o *ec2.Options) {
		o.Retryer = retryer(retryRead)
		o.APIOptions = append(o.APIOptions, append(c.eachCall(), addDryRunOnly)...)
	})}
}

// ModifySecurityGroups asks whether the groups of an interface may be set to these.
func (p *Prober) ModifySecurityGroups(ctx context.Context, nic string, groups []string) error {
	return probe(ctx, p.api.ModifyNetworkInterfaceAttribute, "ModifyNetworkInterfaceAttribute",
		"give "+nic+" security groups", dryGroups(nic, groups...))
}

// CreateTag asks whether a tag of a resource may be written.
func (p *Prober) CreateTag(ctx context.Context, resource, key, value string) error {
	return probe(ctx, p.api.CreateTags, "CreateTags", "write the tag "+key+" of "+resource,
		dryCreateTag(resource, key, value))
}

// DeleteTag asks whether a tag of a resource may be removed.
func (p *Prober) DeleteTag(ctx context.Context, resource, key, value string) error {
	return probe(ctx, p.api.DeleteTags, "DeleteTags", "remove the tag "+key+" of "+resource,
		dryDeleteTag(resource, key, value))
}

// StopInstance asks whether an instance may be stopped.
func (p *Prober) StopInstance(ctx context.Context, id string) error {
	return probe(ctx, p.api.StopInstances, "StopInstances", "stop "+id, dryStop(id))
}

// StartInstance asks whether an instance may be started.
func (p *Prober) StartInstance(ctx context.Context, id string) error {
	return probe(ctx, p.api.StartInstances, "StartInstances", "start "+id, dryStart(id))
}

// The inputs of questions that are asked in more than one way. Each says DryRun.

func dryGroups(nic string, groups ...string) *ec2.ModifyNetworkInterfaceAttributeInput {
	return &ec2.ModifyNetworkInterfaceAttributeInput{
		NetworkInterfaceId: &nic, Groups: groups, DryRun: dryRun,
	}
}

func dryCreateTag(resource, key, value string) *ec2.CreateTagsInput {
	return &ec2.CreateTagsInput{Resources: []string{resource},
		Tags: []types.Tag{{Key: &key, Value: &value}}, DryRun: dryRun}
}

func dryDeleteTag(resource, key, value string) *ec2.DeleteTagsInput {
	return &ec2.DeleteTagsInput{Resources: []string{resource},
		Tags: []types.Tag{{Key: &key, Value: &value}}, DryRun: dryRun}
}

func dryStop(id string) *ec2.StopInstancesInput {
	return &ec2.StopInstancesInput{InstanceIds: []string{id}, DryRun: dryRun}
}

func dryStart(id string) *ec2.StartInstancesInput {
	return &ec2.StartInstancesInput{InstanceIds: []string{id}, DryRun: dryRun}
}

// probe asks one question. EC2 refuses each in one way or another: that it would have been carried
// out is a refusal of its own.
func probe[I, O, F any](
	ctx context.Context, send func(context.Context, *I, ...F) (*O, error),
	operation, what string, in *I,
) error {
	_, err := call(ctx, send, in)
	var api smithy.APIError
	switch {
	case err == nil:
		return protocol.Refuse(protocol.Internal,
			"cannot find out whether this identity may %s: the endpoint does not heed DryRun", what)
	case errors.As(err, &api) && api.ErrorCode() == "DryRunOperation":
		return nil
	}
	return failure(operation, what, err)
}
