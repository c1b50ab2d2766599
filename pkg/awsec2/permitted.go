package awsec2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

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
		o.HTTPClient = steadyClient{o.HTTPClient}
		o.Retryer = retryer(retryRead)
		o.APIOptions = append(o.APIOptions, append(c.eachCall(), addDryRunOnly)...)
	})}
}

// errNotDryRun says that a prober was about to change something: a bug.
var errNotDryRun = errors.New("a prober may only ask with DryRun")

// addDryRunOnly puts a guard into the SDK's own stack, over the request as it is sent: without
// DryRun=true it stays here.
func addDryRunOnly(stack *middleware.Stack) error {
	return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("DryRunOnly",
		func(
			ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
		) (middleware.FinalizeOutput, middleware.Metadata, error) {
			request, ok := in.Request.(*smithyhttp.Request)
			if !ok || !saysDryRun(request) {
				return middleware.FinalizeOutput{}, middleware.Metadata{},
					fmt.Errorf("%w, not %s", errNotDryRun, awsmiddleware.GetOperationName(ctx))
			}
			return next.HandleFinalize(ctx, in)
		}), middleware.Before)
}

func saysDryRun(request *smithyhttp.Request) bool {
	body, err := io.ReadAll(request.GetStream())
	if err != nil || request.RewindStream() != nil {
		return false
	}
	form, err := url.ParseQuery(string(bytes.TrimSpace(body)))
	return err == nil && len(form["DryRun"]) == 1 && form.Get("DryRun") == "true"
}

// ModifySecurityGroups asks whether the groups of an interface may be set to these.
func (p *Prober) ModifySecurityGroups(ctx context.Context, nic string, groups []string) error {
	return probe(ctx, p.api.ModifyNetworkInterfaceAttribute, "ModifyNetworkInterfaceAttribute",
		"give "+nic+" security groups", &ec2.ModifyNetworkInterfaceAttributeInput{
			NetworkInterfaceId: &nic, Groups: groups, DryRun: aws.Bool(true),
		})
}

// CreateTag asks whether a tag of a resource may be written.
func (p *Prober) CreateTag(ctx context.Context, resource, key, value string) error {
	return probe(ctx, p.api.CreateTags, "CreateTags", "write the tag "+key+" of "+resource,
		&ec2.CreateTagsInput{
			Resources: []string{resource}, Tags: []types.Tag{{Key: &key, Value: &value}},
			DryRun: aws.Bool(true),
		})
}

// DeleteTag asks whether a tag of a resource may be removed.
func (p *Prober) DeleteTag(ctx context.Context, resource, key, value string) error {
	return probe(ctx, p.api.DeleteTags, "DeleteTags", "remove the tag "+key+" of "+resource,
		&ec2.DeleteTagsInput{
			Resources: []string{resource}, Tags: []types.Tag{{Key: &key, Value: &value}},
			DryRun: aws.Bool(true),
		})
}

// StopInstance asks whether an instance may be stopped.
func (p *Prober) StopInstance(ctx context.Context, id string) error {
	return probe(ctx, p.api.StopInstances, "StopInstances", "stop "+id,
		&ec2.StopInstancesInput{InstanceIds: []string{id}, DryRun: aws.Bool(true)})
}

// StartInstance asks whether an instance may be started.
func (p *Prober) StartInstance(ctx context.Context, id string) error {
	return probe(ctx, p.api.StartInstances, "StartInstances", "start "+id,
		&ec2.StartInstancesInput{InstanceIds: []string{id}, DryRun: aws.Bool(true)})
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
