package awsec2

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// withStatus is an error that came with an HTTP status.
func withStatus(status int, cause error) error {
	response := &smithyhttp.Response{}
	response.Response = &http.Response{StatusCode: status}
	return &smithyhttp.ResponseError{Response: response, Err: cause}
}

// TestCodesOfAttempts: what an attempt came to has one name, and is a fault where the provider did
// not answer as it should. Being throttled is an answer.
func TestCodesOfAttempts(t *testing.T) {
	said := func(code string) error { return &smithy.GenericAPIError{Code: code, Message: "text"} }
	for _, c := range []struct {
		name             string
		err              error
		code             string
		fault, throttled bool
	}{
		{"an answer", nil, "OK", false, false},
		{"a refusal", withStatus(400, said("InvalidParameterValue")), "InvalidParameterValue", false,
			false},
		{"throttled", withStatus(503, said("RequestLimitExceeded")), "RequestLimitExceeded", false, true},
		{"throttled by a proxy", withStatus(429, said("UnknownError")), "HTTP429", false, true},
		{"EC2 fails", withStatus(500, said("InternalError")), "InternalError", true, false},
		{"a proxy's page", withStatus(502, said("UnknownError")), "HTTP502", true, false},
		{"no code", withStatus(400, errors.New("no XML")), "HTTP400", true, false},
		{"a cut answer", fmt.Errorf("read: %w", &unreadableAnswer{serviceEC2, "DescribeInstances"}),
			"Unreadable", true, false},
		{"out of time", fmt.Errorf("ask: %w", context.DeadlineExceeded), "Timeout", true, false},
		{"stopped", context.Canceled, "Timeout", true, false},
		{"nothing", errors.New("connection reset"), "NoAnswer", true, false},
	} {
		code, fault := codeOf(c.err)
		if code != c.code || fault != c.fault || throttled(c.err) != c.throttled {
			t.Errorf("%s: %s, %t, %t", c.name, code, fault, throttled(c.err))
		}
	}
}
