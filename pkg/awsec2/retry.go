package awsec2

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"

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
	return aws.BoolTernary(!permanent(err) && (skewed(err) || notSent(err) ||
		classOf(err) == protocol.Throttled && didNothing(err)))
}

// sourceAttempts is how often a credential source is asked at most, unless the limit for the whole
// chain comes first.
const sourceAttempts = 5

// retryer retries at a credential source what is only busy or out of reach.
func (c *credentials) retryer() aws.Retryer {
	return retry.AddWithMaxAttempts(standardRetryer(func(err error) aws.Ternary {
		var again interface{ RetryableError() bool }
		if errors.As(err, &again) && again.RetryableError() {
			return aws.TrueTernary
		}
		if permanent(err) {
			return aws.FalseTernary
		}
		switch c.classOf(context.Background(), err) {
		case protocol.Throttled, protocol.Unavailable:
			return aws.TrueTernary
		}
		return aws.FalseTernary
	}), sourceAttempts)
}

// permanent errors are the same on every attempt.
func permanent(err error) bool {
	var creds *credentialsError
	var helper *helperError
	var unsent *unsendable
	var proxy *proxyRefusal
	var dns *net.DNSError
	return permanentTLS(err) || errors.As(err, &creds) || errors.As(err, &helper) ||
		errors.As(err, &unsent) ||
		errors.As(err, &proxy) && proxy.lasting() ||
		errors.Is(err, errNotDescribe) || errors.Is(err, errNotDryRun) || errors.Is(err, errUnlisted) ||
		errors.As(err, &dns) && dns.IsNotFound
}

// permanentTLS reports whether the peer is not who it should be; nothing was sent to it.
func permanentTLS(err error) bool {
	var certificate *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	return errors.As(err, &certificate) || errors.As(err, &authority)
}

// notSent reports whether the request never left: no connection was made, or the time for it was
// up before.
func notSent(err error) bool {
	var op *net.OpError
	var call *callError
	var proxy *proxyRefusal
	return permanent(err) || errors.As(err, &proxy) || (errors.As(err, &call) && !call.sent) ||
		(errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect"))
}

// skewed reports whether EC2 refused the signature for this machine's clock, which the SDK has
// since learnt to correct.
func skewed(err error) bool {
	var r interface{ RetryableError() bool }
	var api smithy.APIError
	return errors.As(err, &api) && errors.As(err, &r) && r.RetryableError()
}

// didNothing reports whether a change that ended in this error was certainly not made: it never
// left, or EC2 answered with a refusal.
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
	return status >= http.StatusBadRequest && status < http.StatusInternalServerError &&
		api.ErrorCode() != unknownCode
}

// statusOf is the HTTP status that an error came with, 0 for none.
func statusOf(err error) int {
	var answered interface{ HTTPStatusCode() int }
	if errors.As(err, &answered) {
		return answered.HTTPStatusCode()
	}
	return 0
}
