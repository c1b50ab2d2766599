package awsec2

import (
	"context"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// identityQuery is the one question to STS that is no part of getting credentials. It is not among
// services: whatever is asked of STS is asked for an identity.
var identityQuery = service{
	provider: ofSTS, wire: queryWire{"2011-06-15"},
	operations: []operation{{"GetCallerIdentity", reads, ""}},
}

// CallerIdentity asks STS whose credentials calls are signed with. It needs no permission.
func (r *Reader) CallerIdentity(ctx context.Context) (ec2model.Identity, error) {
	const operation, what = "GetCallerIdentity", "ask STS who this is"
	var out struct {
		Account string `xml:"GetCallerIdentityResult>Account"`
		ARN     string `xml:"GetCallerIdentityResult>Arn"`
	}
	err := identityQuery.call(ctx, r.of.serviceReader, operation, url.Values{}, &out)
	if err != nil {
		return ec2model.Identity{}, identityQuery.failed(operation, what, err)
	}
	id := ec2model.Identity{Account: out.Account, ARN: out.ARN}
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
