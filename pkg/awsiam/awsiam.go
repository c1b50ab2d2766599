// Package awsiam reads a role's policies from IAM, for a comparison with what the role needs.
//
// It only reads: a guard in the SDK's stack lets nothing but Get and List operations out. What
// could not be read is named in the answer, so that it never looks like what is not there.
package awsiam

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"aws-provider-executor/pkg/iampolicy"
)

// Permissions are the IAM actions that the reading needs, on the role, its instance profile and its
// policies.
var Permissions = []string{
	"iam:GetInstanceProfile", "iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole",
	"iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies",
}

// Reader reads roles.
type Reader struct{ api *iam.Client }

// New returns a Reader that asks with this configuration.
func New(cfg aws.Config) *Reader {
	return &Reader{iam.NewFromConfig(cfg, func(o *iam.Options) {
		o.APIOptions = append(o.APIOptions, addReadOnly)
	})}
}

// errNotRead says that a reader was asked to change something: a bug.
var errNotRead = errors.New("a reader of IAM may only get and list")

func addReadOnly(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("ReadOnly",
		func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			op := awsmiddleware.GetOperationName(ctx)
			if !strings.HasPrefix(op, "Get") && !strings.HasPrefix(op, "List") {
				return middleware.InitializeOutput{}, middleware.Metadata{},
					fmt.Errorf("%w, not %s", errNotRead, op)
			}
			return next.HandleInitialize(ctx, in)
		}), middleware.Before)
}

// RoleOf returns the name of the role that an instance profile has.
func (r *Reader) RoleOf(ctx context.Context, profile string) (string, error) {
	out, err := r.api.GetInstanceProfile(ctx,
		&iam.GetInstanceProfileInput{InstanceProfileName: &profile})
	if err != nil {
		return "", fmt.Errorf("cannot read the instance profile %s: %w", profile, told(err))
	}
	if out.InstanceProfile == nil || len(out.InstanceProfile.Roles) == 0 {
		return "", fmt.Errorf("the instance profile %s has no role", profile)
	}
	return aws.ToString(out.InstanceProfile.Roles[0].RoleName), nil
}

// Role reads the policies of a role: attached ones in the version that is in force, inline ones,
// and its permissions boundary. An error means that there is no such role. What else could not be
// read is in the answer's Unread.
func (r *Reader) Role(ctx context.Context, name string) (iampolicy.Granted, error) {
	g := iampolicy.Granted{Role: "the role " + name}
	unread := func(what string, err error) {
		g.Unread = append(g.Unread, "cannot read "+what+": "+told(err).Error())
	}
	out, err := r.api.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	var gone *types.NoSuchEntityException
	switch {
	case errors.As(err, &gone):
		return g, fmt.Errorf("there is no role %s", name)
	case err != nil:
		unread("the role's boundary", err)
	case out.Role != nil && out.Role.PermissionsBoundary != nil:
		arn := aws.ToString(out.Role.PermissionsBoundary.PermissionsBoundaryArn)
		// A boundary that can't be read bounds all the same.
		text, err := r.managed(ctx, arn)
		if err != nil {
			unread("the boundary "+arn, err)
		} else {
			g.Boundary = &iampolicy.Source{Name: arn, Text: text}
		}
	}
	attached, err := r.attached(ctx, name)
	if err != nil {
		unread("which policies are attached", err)
	}
	for _, p := range attached {
		arn := aws.ToString(p.PolicyArn)
		text, err := r.managed(ctx, arn)
		if err != nil {
			unread("the policy "+arn, err)
			continue
		}
		g.Policies = append(g.Policies, iampolicy.Source{Name: aws.ToString(p.PolicyName), Text: text})
	}
	inline, err := r.inline(ctx, name)
	if err != nil {
		unread("which inline policies there are", err)
	}
	for _, policy := range inline {
		text, err := r.inlineText(ctx, name, policy)
		if err != nil {
			unread("the inline policy "+policy, err)
			continue
		}
		g.Policies = append(g.Policies, iampolicy.Source{Name: policy, Text: text})
	}
	return g, nil
}

// managed reads a managed policy in the version that is in force.
func (r *Reader) managed(ctx context.Context, arn string) (string, error) {
	policy, err := r.api.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn})
	if err != nil {
		return "", err
	}
	if policy.Policy == nil {
		return "", errLeavesOut
	}
	version, err := r.api.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{
		PolicyArn: &arn, VersionId: policy.Policy.DefaultVersionId})
	if err != nil {
		return "", err
	}
	if version.PolicyVersion == nil {
		return "", errLeavesOut
	}
	return document(version.PolicyVersion.Document)
}

func (r *Reader) inlineText(ctx context.Context, role, policy string) (string, error) {
	out, err := r.api.GetRolePolicy(ctx,
		&iam.GetRolePolicyInput{RoleName: &role, PolicyName: &policy})
	if err != nil {
		return "", err
	}
	return document(out.PolicyDocument)
}

// errLeavesOut means that an answer is not whole.
var errLeavesOut = errors.New("IAM's answer leaves it out; try again")

// document is a policy's text, which IAM answers in the escapes of a URL.
func document(text *string) (string, error) {
	plain, err := url.PathUnescape(aws.ToString(text))
	if err == nil && plain == "" {
		err = errLeavesOut
	}
	return plain, err
}

func (r *Reader) attached(ctx context.Context, role string) ([]types.AttachedPolicy, error) {
	var all []types.AttachedPolicy
	in := &iam.ListAttachedRolePoliciesInput{RoleName: &role}
	err := pages(func(marker *string) (bool, *string, error) {
		in.Marker = marker
		out, err := r.api.ListAttachedRolePolicies(ctx, in)
		if err != nil {
			return false, nil, err
		}
		all = append(all, out.AttachedPolicies...)
		return out.IsTruncated, out.Marker, nil
	})
	return all, err
}

func (r *Reader) inline(ctx context.Context, role string) ([]string, error) {
	var all []string
	in := &iam.ListRolePoliciesInput{RoleName: &role}
	err := pages(func(marker *string) (bool, *string, error) {
		in.Marker = marker
		out, err := r.api.ListRolePolicies(ctx, in)
		if err != nil {
			return false, nil, err
		}
		all = append(all, out.PolicyNames...)
		return out.IsTruncated, out.Marker, nil
	})
	return all, err
}

// pages reads a list to its end. A marker that comes twice would go on for ever.
func pages(read func(marker *string) (more bool, next *string, err error)) error {
	seen := map[string]bool{}
	for marker := (*string)(nil); ; {
		more, next, err := read(marker)
		switch at := aws.ToString(next); {
		case err != nil || !more:
			return err
		case at == "" || seen[at]:
			return errors.New("IAM's list does not end: it gives the same page again")
		default:
			seen[at], marker = true, next
		}
	}
}

// told is an error in one line, for people.
func told(err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		return fmt.Errorf("IAM says %s: %s", api.ErrorCode(), oneLine(api.ErrorMessage()))
	}
	return errors.New(oneLine(err.Error()))
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
