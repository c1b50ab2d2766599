package awsec2

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"aws-provider-executor/pkg/protocol"
)

// retryRead allows another attempt at a call that changes nothing.
func retryRead(err error) aws.Ternary {
	switch {
	case permanent(err):
		return aws.FalseTernary
	case skewed(err), notSent(err):
		return aws.TrueTernary
	}
	switch classOf(err) {
	case protocol.Throttled, protocol.Unavailable, protocol.Timeout:
		return aws.TrueTernary
	}
	return aws.FalseTernary
}

// retryChange allows another attempt at a change only where the last one
// provably did nothing.
func retryChange(err error) aws.Ternary {
	return aws.BoolTernary(!permanent(err) && (skewed(err) || notSent(err) || classOf(err) == protocol.Throttled && didNothing(err)))
}

// permanent errors are the same on every attempt.
func permanent(err error) bool {
	var creds *credentialsError
	var dns *net.DNSError
	return permanentTLS(err) || errors.As(err, &creds) ||
		errors.Is(err, errNotDescribe) || (errors.As(err, &dns) && dns.IsNotFound)
}

// permanentTLS tells that the peer is not who it should be; nothing was sent to it.
func permanentTLS(err error) bool {
	var certificate *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	return errors.As(err, &certificate) || errors.As(err, &authority)
}

// notSent tells that the request never left: no connection was made, or the time for it was up before.
func notSent(err error) bool {
	var op *net.OpError
	var unsent *unsentError
	return permanent(err) || errors.As(err, &unsent) || (errors.As(err, &op) && op.Op == "dial")
}

// unsentError says that no attempt of a call got as far as the wire.
type unsentError struct{ cause error }

func (e *unsentError) Error() string { return e.cause.Error() }
func (e *unsentError) Unwrap() error { return e.cause }

// skewed tells that EC2 refused the signature for this machine's clock, which the SDK has since
// learnt to correct.
func skewed(err error) bool {
	var r interface{ RetryableError() bool }
	var api smithy.APIError
	return errors.As(err, &api) && errors.As(err, &r) && r.RetryableError()
}

// didNothing tells that a change that ended in this error was certainly not
// made: it never left, or EC2 answered with a refusal.
func didNothing(err error) bool {
	if notSent(err) {
		return true
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	if throttleCodes[api.ErrorCode()] {
		return true
	}
	status := statusOf(err)
	return status >= http.StatusBadRequest && status < http.StatusInternalServerError && api.ErrorCode() != unknownCode
}

func statusOf(err error) int {
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}

// attempts remembers the last attempt's own error: once the context has ended
// the SDK says only that it has. Sent is set once a request may have left.
type attempts struct {
	last error
	sent bool
}

type attemptsKey struct{}

func addAttemptLog(stack *middleware.Stack) error {
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("AttemptLog",
		func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			out, metadata, err := next.HandleFinalize(ctx, in)
			if log, ok := ctx.Value(attemptsKey{}).(*attempts); ok {
				log.last = err
			}
			return out, metadata, err
		}), "Retry", middleware.After)
}

// call runs one operation and returns the error that tells most.
func call[I, O, F any](ctx context.Context, operation func(context.Context, *I, ...F) (*O, error), in *I) (*O, error) {
	log := &attempts{}
	out, err := operation(context.WithValue(ctx, attemptsKey{}, log), in)
	if err != nil && !log.sent {
		return out, &unsentError{err}
	}
	if err != nil && ctx.Err() != nil && log.last != nil {
		return out, log.last
	}
	return out, err
}
