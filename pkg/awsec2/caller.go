package awsec2

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// CallerIdentity asks STS whose credentials calls are signed with. It needs no permission.
func (r *Reader) CallerIdentity(ctx context.Context) (ec2model.Identity, error) {
	api := sts.NewFromConfig(r.of.cfg, func(o *sts.Options) {
		o.Retryer = retryer(retryRead)
		o.APIOptions = append(o.APIOptions, append(r.of.eachCall(), addIdentityOnly, r.of.dates.add)...)
	})
	out, err := call(ctx, api.GetCallerIdentity, &sts.GetCallerIdentityInput{})
	if err != nil {
		return ec2model.Identity{}, ofSTS.failure("GetCallerIdentity", "ask STS who this is", err)
	}
	id := ec2model.Identity{Account: aws.ToString(out.Account), ARN: aws.ToString(out.Arn)}
	if id.Account == "" || id.ARN == "" {
		return id, protocol.Refuse(protocol.Unavailable,
			"cannot ask STS who this is: its answer names no account or no ARN; try again")
	}
	return id, nil
}

// Account asks STS in which account calls are made.
func (r *Reader) Account(ctx context.Context) (string, error) {
	id, err := r.CallerIdentity(ctx)
	return id.Account, err
}

// KnownAccount returns the account that calls were signed for, if the credentials told it. It asks
// nobody.
func (r *Reader) KnownAccount() string {
	return aws.ToString(r.of.own.account.Load())
}

// addIdentityOnly lets nothing but the question who this is out to STS.
func addIdentityOnly(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("IdentityOnly",
		func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			if op := awsmiddleware.GetOperationName(ctx); op != "GetCallerIdentity" {
				return middleware.InitializeOutput{}, middleware.Metadata{},
					fmt.Errorf("%w, not %s", errNotDescribe, op)
			}
			return next.HandleInitialize(ctx, in)
		}), middleware.Before)
}
