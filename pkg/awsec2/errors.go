package awsec2

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// unknownCode is the SDK's own code for an error body it could not read.
const unknownCode = "UnknownError"

// throttleCodes are refusals before anything was done.
var throttleCodes = map[string]bool{
	"RequestLimitExceeded": true, "Throttling": true, "ThrottlingException": true,
	"ThrottledException": true, "RequestThrottled": true, "RequestThrottledException": true,
	"TooManyRequestsException": true, "ConcurrentTagAccess": true, "EC2ThrottledException": true,
	"SlowDown": true, "ProvisionedThroughputExceededException": true,
}

// codeClasses gives the class of a code that tells by itself.
var codeClasses = map[string]protocol.FailureClass{
	"AuthFailure":                 protocol.Authentication,
	"InvalidClientTokenId":        protocol.Authentication,
	"UnrecognizedClientException": protocol.Authentication,
	"SignatureDoesNotMatch":       protocol.Authentication,
	"IncompleteSignature":         protocol.Authentication,
	"MissingAuthenticationToken":  protocol.Authentication,
	"RequestExpired":              protocol.Authentication,
	"ExpiredToken":                protocol.Authentication,
	"ExpiredTokenException":       protocol.Authentication,
	"OptInRequired":               protocol.Authentication,
	"PendingVerification":         protocol.Authentication,
	"Blocked":                     protocol.Authentication,

	"UnauthorizedOperation": protocol.Authorization,
	"AccessDenied":          protocol.Authorization,
	"AccessDeniedException": protocol.Authorization,
	"OperationNotPermitted": protocol.Authorization,

	"Unavailable":        protocol.Unavailable,
	"ServiceUnavailable": protocol.Unavailable,
	"InternalError":      protocol.Unavailable,
	"InternalFailure":    protocol.Unavailable,
	"ServerInternal":     protocol.Unavailable,
	"RequestTimeout":     protocol.Unavailable,

	"InsufficientFreeAddressesInSubnet": protocol.LimitExceeded,
	"InsufficientAddressCapacity":       protocol.LimitExceeded,

	"IncorrectState":           protocol.Conflict,
	"IncorrectInstanceState":   protocol.Conflict,
	"Resource.AlreadyAssigned": protocol.Conflict,
	"InvalidIPAddress.InUse":   protocol.Conflict,

	"InvalidNetworkInterface.InUse": protocol.Conflict,
	"IdempotentParameterMismatch":   protocol.Conflict,
	"Resource.AlreadyAssociated":    protocol.Conflict,

	"ResourceContention":        protocol.Conflict,
	"ScalingActivityInProgress": protocol.Conflict,

	"DependencyViolation": protocol.Conflict,
	"RouteAlreadyExists":  protocol.Conflict,
	// The route was read to be there, so it went meanwhile. It was not absent from the start.
	"InvalidRoute.NotFound": protocol.Conflict,
}

// textClasses tells apart what EC2 puts under the one code InvalidParameterValue.
var textClasses = []struct {
	text  string
	class protocol.FailureClass
}{
	{"assigned, but move is not allowed", protocol.Conflict},
	// EC2 has several texts for an address that another holds. Its text for an IPv6 one has not been
	// seen.
	{"already assigned", protocol.Conflict},
	{"already has an interface attached", protocol.Conflict},
	{"in use", protocol.Conflict},
	{"secondary-addresses", protocol.Conflict},
	{"are not assigned to interface", protocol.Conflict},
	{"There is no route defined for", protocol.Conflict},
}

// scalingClasses tells apart what Auto Scaling puts under the one code ValidationError. Its texts
// are not promised, so nothing but the class of a failure rests on them.
var scalingClasses = []struct {
	text  string
	class protocol.FailureClass
}{
	{"No active Lifecycle Action found", protocol.Conflict},
	{"is not in InService", protocol.Conflict},
	{"is not part of Auto Scaling group", protocol.NotFound},
	{"not found", protocol.NotFound},
}

// classOf classifies any error of the SDK.
func classOf(err error) protocol.FailureClass {
	var creds *credentialsError
	var unsent *unsendable
	var unreadable *unreadableAnswer
	var api smithy.APIError
	var netError net.Error
	switch {
	case errors.As(err, &creds):
		return creds.class
	case errors.As(err, &unsent):
		return protocol.Configuration
	case errors.Is(err, errNotDescribe), errors.Is(err, errNotDryRun), errors.Is(err, errUnlisted):
		return protocol.Internal
	case errors.As(err, &api):
		return classOfCode(api, statusOf(err))
	case errors.As(err, &unreadable),
		errors.As(err, &netError) && !errors.Is(err, context.DeadlineExceeded):
		return protocol.Unavailable
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return protocol.Timeout
	}
	return protocol.Unavailable
}

func classOfCode(api smithy.APIError, status int) protocol.FailureClass {
	code, text := api.ErrorCode(), api.ErrorMessage()
	if throttleCodes[code] {
		return protocol.Throttled
	}
	if code == unknownCode && status != http.StatusTooManyRequests {
		// Not EC2's form of an error: a proxy's page says nothing about the identity.
		return protocol.Unavailable
	}
	if code == "AuthFailure" && !strings.Contains(text, "credentials") {
		// The identity is good, the resource is not its own.
		return protocol.Authorization
	}
	if class, ok := codeClasses[code]; ok {
		return class
	}
	texts := textClasses
	if code == "ValidationError" {
		texts = scalingClasses
	}
	switch {
	case code == "InvalidParameterValue", code == "ValidationError":
		for _, t := range texts {
			if strings.Contains(text, t.text) {
				return t.class
			}
		}
	case strings.HasSuffix(code, ".NotFound"):
		return protocol.NotFound
	case strings.HasSuffix(code, "LimitExceeded"):
		return protocol.LimitExceeded
	}
	return classOfStatus(status, code == unknownCode)
}

// classOfStatus is the class of an error whose code tells none.
func classOfStatus(status int, unknown bool) protocol.FailureClass {
	switch {
	case status == http.StatusUnauthorized:
		return protocol.Authentication
	case status == http.StatusForbidden:
		return protocol.Authorization
	case status == http.StatusTooManyRequests:
		return protocol.Throttled
	case status >= http.StatusInternalServerError, unknown:
		return protocol.Unavailable
	}
	return protocol.InvalidRequest
}

// provider is a service that is called, for the texts of its failures.
type provider struct {
	// name is how people call it, prefix how IAM does.
	name, prefix string
}

var (
	ofEC2 = provider{serviceEC2, "ec2"}
	ofSTS = provider{"STS", "sts"}
)

// failure tells an error of one of EC2's operations to the person who has to act.
func failure(operation, what string, err error) *protocol.Failure {
	return ofEC2.failure(operation, what, err)
}

// failure tells an error of one operation to the person who has to act.
func (s provider) failure(operation, what string, err error) *protocol.Failure {
	f := &protocol.Failure{Class: classOf(err), Facts: map[string]string{}}
	var creds *credentialsError
	if errors.As(err, &creds) {
		f.Retryable = creds.retryable
		if creds.permission != "" {
			f.Facts[protocol.FactPermissionHint] = creds.permission
		}
		f.Message = "cannot " + what + ": " + creds.because + "; " + creds.hint
		return f
	}
	var call *callError
	if !errors.As(err, &call) {
		call = &callError{cause: err}
	}
	if call.own == nil {
		call.own = &credentials{chain: []source{{}}}
	}
	tell := call.own.secrets.tell
	because := ""
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() != unknownCode {
		f.Facts[protocol.FactAWSErrorCode] = tell(api.ErrorCode())
		because = s.name + " says " + call.own.words(api)
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.ServiceRequestID() != "" {
		f.Facts[protocol.FactRequestID] = tell(response.ServiceRequestID())
	}
	if f.Class == protocol.Authorization {
		operation = s.refused(err, operation)
		f.Facts[protocol.FactPermissionHint] = s.prefix + ":" + operation
	}
	reason, hint := call.advice(s, operation, f.Class)
	f.Message = "cannot " + what + ": " + cmp.Or(because, reason)
	if hint != "" {
		f.Message += "; " + hint
	}
	return f
}

// refused is the operation that IAM refused to a call: a call that tags what it makes needs another
// one than its own.
func (s provider) refused(err error, operation string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	var api smithy.APIError
	if !errors.As(err, &api) {
		return operation
	}
	_, rest, _ := strings.Cut(api.ErrorMessage(), "is not authorized to perform: "+s.prefix+":")
	if name, _, _ := strings.Cut(rest, " "); name != "" && strings.Trim(name, letters) == "" {
		return name
	}
	return operation
}

// advice is why a call failed, where the service did not say it, and what to do.
func (e *callError) advice(
	s provider, operation string, class protocol.FailureClass,
) (reason, hint string) {
	where := "region " + e.own.region + " (partition " + partitionOf(e.own.region) + ")"
	switch class {
	case protocol.Authentication:
		return s.name + " does not know the credentials", "they are those of " + e.own.identity() +
			"; use ones that are in force in the " + where + ", and check this machine's clock"
	case protocol.Authorization:
		return s.name + " does not allow it",
			"allow " + s.prefix + ":" + operation + " on it in the IAM policy of " +
				e.own.identity() + ", in the " + where
	case protocol.Configuration:
		return "the request can't be built (" + e.own.secrets.tell(e.cause.Error()) + ")",
			"mend the executor's environment: no call was made"
	case protocol.Throttled:
		return s.name + " throttled it",
			"too many calls of this kind in the account and region; try again later"
	case protocol.Unavailable:
		return s.name + " gave no answer (" + e.transportText(e.cause) + ")", e.wayHint(s)
	case protocol.Timeout:
		return "the deadline passed before " + s.name + " answered" + e.through(),
			"try again, or give it more time with EXECUTOR_TIMEOUT"
	}
	return transportText(e.cause), ""
}

func (e *callError) wayHint(s provider) string {
	if outOfFiles(e.cause) {
		return outOfFilesHint
	}
	if e.proxy != "" {
		return "check the proxy, or name " + s.name + "'s endpoint in NO_PROXY"
	}
	return "check the way to " + s.name + "'s endpoint, and the region's name"
}

// changeOutcome tells the outcome of a change: nil, a failure that certainly changed
// nothing, or *action.Unknown.
func changeOutcome(operation, what string, err error) error {
	return ofEC2.changeOutcome(operation, what, err)
}

func (s provider) changeOutcome(operation, what string, err error) error {
	if err == nil {
		return nil
	}
	f := s.failure(operation, what, err)
	if didNothing(err) {
		return f
	}
	return &action.Unknown{Cause: f}
}

// transportText names the kind of a transport failure in words that are the same on every run.
func transportText(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	var proxy *proxyRefusal
	var unreadable *unreadableAnswer
	var netError net.Error
	switch {
	case outOfFiles(err):
		return outOfFilesText
	case errors.As(err, &proxy):
		return proxy.Error()
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return "the proxy can't be connected to"
	case permanentTLS(err):
		return "its certificate is not trusted here; AWS_CA_BUNDLE names another authority"
	case errors.As(err, &dns):
		return "its name " + dns.Name + " can't be resolved"
	case errors.As(err, &unreadable):
		return unreadable.Error()
	case errors.As(err, &op) && op.Op == "dial":
		return "it can't be connected to"
	case errors.As(err, &netError) && netError.Timeout():
		return "it kept silent"
	case statusOf(err) != 0:
		return http.StatusText(statusOf(err))
	}
	return "the connection broke"
}

// withoutBlob takes the encoded authorization message off EC2's text: it is long and for
// sts:DecodeAuthorizationMessage only.
func withoutBlob(text string) string {
	text, _, _ = strings.Cut(text, "Encoded authorization failure message")
	return oneLine(text)
}

// maxProviderText is how much of a foreign text an error repeats.
const maxProviderText = 400

func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxProviderText {
		text = strings.ToValidUTF8(text[:maxProviderText], "") + "…"
	}
	return text
}
