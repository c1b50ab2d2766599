package awsec2

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

func answered(status int, code, message string) error {
	return &awshttp.ResponseError{
		RequestID: "11111111-2222-3333-4444-555555555555",
		ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}},
			Err:      &smithy.GenericAPIError{Code: code, Message: message},
		},
	}
}

func transport(err error) error { return &smithyhttp.RequestSendError{Err: err} }

func TestErrors(t *testing.T) {
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	tests := []struct {
		name        string
		err         error
		class       protocol.FailureClass
		nothingDone bool
		readAgain   bool
		sendAgain   bool
	}{
		{"bad signature", answered(401, "AuthFailure",
			"AWS was not able to validate the provided access credentials"), protocol.Authentication, true,
			false, false},
		{"not the owner", answered(400, "AuthFailure",
			"You do not have permission to access the specified resource."), protocol.Authorization, true,
			false, false},
		{"refused by IAM", answered(403, "UnauthorizedOperation",
			"You are not authorized to perform this operation."), protocol.Authorization, true,
			false, false},
		{"service-managed", answered(400, "OperationNotPermitted",
			"You are not allowed to manage 'ela-attach' attachments."), protocol.Authorization, true,
			false, false},
		{"no such interface",
			answered(400, "InvalidNetworkInterfaceID.NotFound",
				"The networkInterface ID 'eni-1' does not exist"), protocol.NotFound, true, false, false},
		{"malformed id", answered(400, "InvalidNetworkInterfaceId.Malformed", "Invalid id"),
			protocol.InvalidRequest, true, false, false},
		{"held by another", answered(400, "InvalidParameterValue",
			"[10.0.0.5] assigned, but move is not allowed."), protocol.Conflict, true, false, false},
		{"primary of another", answered(400, "InvalidParameterValue", "secondary-addresses"),
			protocol.Conflict, true, false, false},
		{"not assigned", answered(400, "InvalidParameterValue",
			"Some of the specified addresses are not assigned to interface eni-1"), protocol.Conflict, true,
			false, false},
		{"outside the subnet",
			answered(400, "InvalidParameterValue",
				"Address does not fall within the subnet's address range"), protocol.InvalidRequest, true,
			false, false},
		{"address limit", answered(400, "PrivateIpAddressLimitExceeded",
			"Number of private addresses will exceed limit."), protocol.LimitExceeded, true, false, false},
		{"throttled", answered(503, "RequestLimitExceeded", "Request limit exceeded."),
			protocol.Throttled, true, true, true},
		{"internal error", answered(500, "InternalError", "An internal error has occurred"),
			protocol.Unavailable, false, true, false},
		{"unavailable", answered(503, "Unavailable", "The server is overloaded"), protocol.Unavailable,
			false, true, false},
		{"a proxy's page", answered(502, unknownCode, unknownCode), protocol.Unavailable,
			false, true, false},
		{"a proxy's 400", answered(400, unknownCode, unknownCode), protocol.Unavailable,
			false, true, false},
		{"refused connection", transport(dial), protocol.Unavailable, true, true, true},
		{"broken connection", transport(io.EOF), protocol.Unavailable, false, true, false},
		{"cut short", fmt.Errorf("read: %w", &unreadableAnswer{serviceEC2, "DescribeSubnets"}),
			protocol.Unavailable, false, true, false},
		{"silent peer", transport(context.DeadlineExceeded), protocol.Timeout, false, true, false},
		{"untrusted certificate", transport(x509.UnknownAuthorityError{}), protocol.Unavailable, true,
			false, false},
		{"no such host", transport(
			&net.OpError{Op: "dial", Err: &net.DNSError{Name: "ec2.nowhere", IsNotFound: true}}),
			protocol.Unavailable, true, false, false},
		{"no credentials", fmt.Errorf("get identity: %w",
			&credentialsError{class: protocol.Authentication, because: "no role"}), protocol.Authentication,
			true, false, false},
		{"a reader that changes", fmt.Errorf("%w, not ModifyX", errNotDescribe), protocol.Internal, true,
			false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := classOf(tt.err); got != tt.class {
				t.Errorf("class %s, want %s", got, tt.class)
			}
			if got := didNothing(tt.err); got != tt.nothingDone {
				t.Errorf("didNothing = %t, want %t", got, tt.nothingDone)
			}
			if got := retryRead(tt.err) == aws.TrueTernary; got != tt.readAgain {
				t.Errorf("retryRead = %t, want %t", got, tt.readAgain)
			}
			if got := retryChange(tt.err) == aws.TrueTernary; got != tt.sendAgain {
				t.Errorf("retryChange = %t, want %t", got, tt.sendAgain)
			}
			var unknown *action.Unknown
			if got := errors.As(changeOutcome("X", "do x", tt.err), &unknown); got == tt.nothingDone {
				t.Errorf("the outcome is unknown: %t", got)
			}
		})
	}
}

// TestASentChangeIsNeverSentAgain: only what provably did nothing may be.
func TestASentChangeIsNeverSentAgain(t *testing.T) {
	for _, status := range []int{200, 400, 401, 403, 412, 429, 500, 502, 503, 504} {
		for _, code := range []string{unknownCode, "InternalError", "Unavailable", "ServiceUnavailable",
			"RequestLimitExceeded", "InvalidParameterValue", "RequestTimeout"} {
			err := answered(status, code, "text")
			if retryChange(err) == aws.TrueTernary && !didNothing(err) {
				t.Errorf("%d %s is sent again, and may have been done", status, code)
			}
		}
	}
}

func TestFailuresTellNoSecrets(t *testing.T) {
	const token = "FwoGZXIvYXdzE-session-token"
	f := failure("DescribeSubnets", "describe subnet-1",
		answered(403, "SignatureDoesNotMatch",
			"The Canonical String should have been x-amz-security-token:"+token))
	if strings.Contains(f.Message, token) {
		t.Errorf("the session token is in %q", f.Message)
	}
	f = failure("ModifyX", "modify",
		answered(403, "UnauthorizedOperation",
			"You are not authorized. Encoded authorization failure message: blobblob"))
	if strings.Contains(f.Message, "blobblob") {
		t.Errorf("the encoded message is in %q", f.Message)
	}
	if f.Facts["permissionHint"] != "ec2:ModifyX" || f.Facts["requestId"] == "" {
		t.Errorf("facts %v", f.Facts)
	}
}
