package awsec2

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"aws-provider-executor/pkg/protocol"
)

// credentials bounds the SDK's chain in time, explains why a source gave none, and knows the
// secrets that must not be shown.
type credentials struct {
	inner   aws.CredentialsProvider
	limit   time.Duration
	chain   []source
	secrets *secrets
	log     *slog.Logger
	// region is the one that is connected to.
	region string
	// instanceRole is the role that the metadata service named.
	instanceRole atomic.Pointer[string]
	// account is the account of the credentials that were got last, where they tell it.
	account atomic.Pointer[string]
	// refused is set once they are not good any more, or there are none.
	refused atomic.Bool
}

var _ aws.CredentialsProvider = (*credentials)(nil)

// credentialsError means that there are no credentials to sign with, and says why.
type credentialsError struct {
	class     protocol.FailureClass
	retryable *bool
	// because is what the source said or did, hint what to do about it.
	because, hint string
	// permission is the IAM action that was refused.
	permission string
}

func (e *credentialsError) Error() string { return e.because }

// Retrieve asks the chain for credentials, for as long as the limit is.
func (c *credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	log := &attempts{own: c, knownAttempts: knownAttempts{reads: true}}
	limited, cancel := context.WithTimeout(context.WithValue(ctx, attemptsKey{}, log), c.limit)
	defer cancel()
	got, err := c.inner.Retrieve(limited)
	if err != nil {
		// Once the limit is reached the SDK says only that it is.
		known := log.seen()
		if told := known.told(); limited.Err() != nil && known.sent && told != nil {
			err = told
		}
		if known.wanting != nil && (wasLost(err) || limited.Err() != nil) {
			// Later attempts only waited.
			err = known.wanting
		}
		failure := c.explain(ctx, err, known)
		c.logOf(ctx).Debug("no credentials", "class", failure.class, "because", failure.because)
		return aws.Credentials{}, failure
	}
	c.secrets.add(got.SecretAccessKey, got.SessionToken)
	if fault := keyFault(got); fault != "" {
		return aws.Credentials{}, c.unusable(fault)
	}
	c.account.Store(&got.AccountID)
	c.logOf(ctx).Debug("credentials found", "from", c.base().text, "expire", got.CanExpire)
	return got, nil
}

func (c *credentials) base() source { return c.chain[len(c.chain)-1] }

// identity names whose credentials requests are signed with.
func (c *credentials) identity() string {
	switch first := c.chain[0]; {
	case first.role != "" && first.kind != fromSSO:
		return "the role " + first.role
	case first.role != "":
		return "the role " + first.role + " (SSO)"
	case c.instanceRole.Load() != nil:
		return "the instance's role " + c.secrets.tell(*c.instanceRole.Load())
	default:
		return "the owner of " + first.text
	}
}

// keyFault names what is wrong with keys that can't be sent, or is empty.
func keyFault(k aws.Credentials) string {
	for _, part := range []struct{ name, value string }{
		{"access key id", k.AccessKeyID},
		{"secret access key", k.SecretAccessKey},
		{"session token", k.SessionToken},
	} {
		for _, r := range part.value {
			if r <= ' ' || r >= 0x7f {
				return "the " + part.name +
					" has a blank, a line end or another character in it that no key has"
			}
		}
	}
	return ""
}

// unusable is the error of keys that can't be sent.
func (c *credentials) unusable(fault string) *credentialsError {
	return &credentialsError{class: protocol.Configuration, because: c.base().text + ": " + fault,
		hint: "write it again, without that"}
}

// explain tells why the chain gave no credentials.
func (c *credentials) explain(ctx context.Context, err error, log knownAttempts) *credentialsError {
	s := c.failing(err, log)
	e := &credentialsError{class: c.classOf(ctx, err)}
	what, api := c.said(err, log)
	e.because = "there are no credentials: " + s.text + ": " + what
	if s.kind == fromHelper {
		e.because = "there are no credentials: " + s.text + " " + what
	}
	if e.hint = c.hint(e.class, s); outOfFiles(err) {
		e.hint = outOfFilesHint
	}
	var operation *smithy.OperationError
	if e.class == protocol.Authentication && api == "AccessDenied" && errors.As(err, &operation) {
		e.permission = "sts:" + log.operation
	}
	// Whether there is a metadata service here is not known.
	if s.implied && e.class == protocol.Unavailable && statusOf(err) == 0 && !outOfFiles(err) {
		yes := true
		e.class, e.retryable = protocol.Authentication, &yes
		e.hint = "nothing else in the environment names credentials; " +
			c.hint(protocol.Authentication, s)
	}
	return e
}

// failing is the link of the chain that failed: the role whose assumption was asked for last, else
// the base.
func (c *credentials) failing(err error, log knownAttempts) source {
	const assume = "AssumeRole"
	var helper *helperError
	if log.operation != assume || errors.As(err, &helper) {
		return c.base()
	}
	depth := 0
	for rest := err; rest != nil; rest = errors.Unwrap(rest) {
		// Each link is looked at, so errors.As won't do.
		if op, ok := rest.(*smithy.OperationError); ok && op.OperationName == assume {
			depth++
		}
	}
	return c.chain[min(max(depth-1, 0), len(c.chain)-1)]
}

// classOf classifies what credential sources answer. Their refusals are not EC2's.
func (c *credentials) classOf(ctx context.Context, err error) protocol.FailureClass {
	var helper *helperError
	var unsent *unsendable
	var api smithy.APIError
	var file *fs.PathError
	switch status := statusOf(err); {
	case outOfFiles(err):
		return protocol.Unavailable
	case errors.As(err, &helper):
		return helper.class()
	case errors.As(err, &file):
		// A system's error number looks like one of the network.
		return protocol.Authentication
	case ctx.Err() != nil:
		return protocol.Timeout
	case errors.As(err, &unsent):
		return protocol.Configuration
	case errors.As(err, &api) && throttleCodes[api.ErrorCode()], status == http.StatusTooManyRequests:
		return protocol.Throttled
	case status >= http.StatusInternalServerError, api != nil && busyCode(api.ErrorCode()):
		return protocol.Unavailable
	case api != nil, status != 0:
		return protocol.Authentication
	case wasLost(err):
		return protocol.Unavailable
	}
	return protocol.Authentication
}

// busyCode reports whether a source says that it may answer later.
func busyCode(code string) bool {
	return code == "IDPCommunicationError" || codeClasses[code] == protocol.Unavailable
}

// wasLost reports whether a source was not reached, or its answer not read.
func wasLost(err error) bool {
	var send *smithyhttp.RequestSendError
	var unread *smithy.DeserializationError
	var canceled *smithy.CanceledError
	var netError net.Error
	return errors.As(err, &send) || errors.As(err, &unread) || errors.As(err, &canceled) ||
		errors.As(err, &netError) ||
		errors.Is(err, context.DeadlineExceeded)
}

// said is what a source said or did, in its own words where it has any, and the code it gave.
func (c *credentials) said(err error, log knownAttempts) (text, code string) {
	var helper *helperError
	var unsent *unsendable
	var api smithy.APIError
	var login *ssocreds.InvalidTokenError
	var file *fs.PathError
	status := statusOf(err)
	switch {
	case errors.As(err, &helper):
		return helper.text, ""
	case errors.As(err, &unsent):
		return "the request can't be built (" + c.secrets.tell(unsent.Error()) + ")", ""
	case errors.As(err, &api) && api.ErrorCode() != unknownCode:
		return "it says " + c.words(api) + log.through(), api.ErrorCode()
	case status == http.StatusNotFound && c.base().kind == fromMetadata:
		return "it has no role for this instance", ""
	case status == http.StatusForbidden && c.base().kind == fromMetadata:
		return "it is switched off (403 Forbidden)", ""
	case status != 0:
		return "it answered " + strconv.Itoa(status) + " " + http.StatusText(status) + log.through(), ""
	case errors.As(err, &login):
		return c.secrets.tell(login.Error()), ""
	case errors.As(err, &file):
		return "cannot read " + file.Path + " (" + file.Err.Error() + ")", ""
	case wasLost(err):
		return log.transportText(err), ""
	}
	text = strings.TrimPrefix(err.Error(), "failed to refresh cached credentials, ")
	return c.secrets.tell(text), ""
}

// words are a service's own. What it says of a signature may repeat what was signed.
func (c *credentials) words(api smithy.APIError) string {
	code := c.secrets.tell(api.ErrorCode())
	text := withoutBlob(c.secrets.redact(api.ErrorMessage()))
	if strings.Contains(code, "Signature") || text == "" {
		return code
	}
	return strings.TrimPrefix(code+": "+text, ": ")
}

// hint tells what to do about a source that gave no credentials.
func (c *credentials) hint(class protocol.FailureClass, s source) string {
	switch class {
	case protocol.Throttled, protocol.Unavailable, protocol.Timeout:
		return "send the same request again later"
	case protocol.Configuration:
		return "mend it in the executor's environment, or in the files that it names"
	}
	where := " (region " + c.region + ", partition " + partitionOf(c.region) + ")"
	switch s.kind {
	case fromRole:
		return "let the role's trust policy, and the policy of the identity that assumes it, allow " +
			"sts:AssumeRole, and check that identity's keys" + where
	case fromWebIdentity:
		return "renew the token, and let the role's trust policy allow sts:AssumeRoleWithWebIdentity " +
			"for it" + where
	case fromSSO, fromLogin:
		return "log in again, as with aws sso login --profile " + s.profile +
			", as the user that the executor runs as"
	case fromContainer:
		return "check the role of the task or pod, and AWS_CONTAINER_AUTHORIZATION_TOKEN or its file"
	case fromMetadata:
		return "give the instance a profile with a role, or the executor another identity in the AWS " +
			"SDK's variables" + where
	}
	return "give the executor an identity of its own: an instance profile, or the AWS SDK's " +
		"variables in the plugin's environment" + where
}

// maxSourceBytes bounds what a credential source may answer.
const maxSourceBytes = 1 << 20

// addSourceLog tells the log which source is asked, and what came back, without secrets. It
// stands next to the wire, bounds the answer, and learns what must not be told.
func (c *credentials) addSourceLog(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("SourceLog",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
			middleware.DeserializeOutput, middleware.Metadata, error,
		) {
			request, ok := in.Request.(*smithyhttp.Request)
			if !ok {
				return next.HandleDeserialize(ctx, in)
			}
			c.notes(ctx, request)
			out, metadata, err := next.HandleDeserialize(ctx, in)
			line := []any{
				"service", awsmiddleware.GetServiceID(ctx), "operation", awsmiddleware.GetOperationName(ctx),
				"host", request.URL.Host,
			}
			if log, ok := ctx.Value(attemptsKey{}).(*attempts); ok && log.seen().proxy != "" {
				line = append(line, "proxy", log.seen().proxy)
			}
			if response, ok := out.RawResponse.(*smithyhttp.Response); ok {
				line = append(line, "httpStatus", response.StatusCode)
				response.Body = struct {
					io.Reader
					io.Closer
				}{io.LimitReader(response.Body, maxSourceBytes), response.Body}
			}
			if err != nil {
				line = append(line, "error", transportText(err))
			}
			c.logOf(ctx).Debug("asked for an identity", line...)
			return out, metadata, err
		}), middleware.After)
}

// secretHeaders carry what proves an identity.
var secretHeaders = []string{"X-Amz-Security-Token", "X-Aws-Ec2-Metadata-Token",
	"X-Amz-Sso_bearer_token"}

// notes learns from a request to a source: what it asks for, and what must not be told.
func (c *credentials) notes(ctx context.Context, r *smithyhttp.Request) {
	for _, name := range secretHeaders {
		c.secrets.add(r.Header.Get(name))
	}
	if sent := r.Header.Get("Authorization"); !strings.HasPrefix(sent, "AWS4-") {
		c.secrets.add(sent)
	}
	role, ok := strings.CutPrefix(r.URL.Path, "/latest/meta-data/iam/security-credentials/")
	if ok && role != "" {
		c.instanceRole.Store(&role)
	}
	if body, ok := r.GetStream().(*bytes.Reader); ok &&
		awsmiddleware.GetOperationName(ctx) == "AssumeRoleWithWebIdentity" {
		c.notesToken(body)
	}
}

// notesToken learns the web identity token of a request's form.
func (c *credentials) notesToken(body *bytes.Reader) {
	form := make([]byte, body.Size())
	_, _ = body.ReadAt(form, 0)
	for _, field := range strings.Split(string(form), "&") {
		if token, ok := strings.CutPrefix(field, "WebIdentityToken="); ok {
			c.secrets.add(token)
		}
	}
}

// logChain logs the links of the chain of credentials.
func (c *credentials) logChain() {
	if !c.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	for i, s := range c.chain {
		c.log.Debug("credential chain", "link", i+1, "of", len(c.chain), "source", s.text,
			"fallback", s.implied)
	}
}

// partitionOf is the partition of a region: accounts, credentials and ARNs are of one.
func partitionOf(region string) string {
	for _, p := range []struct{ prefix, name string }{
		{"cn-", "aws-cn"}, {"us-gov-", "aws-us-gov"},
		{"us-isob-", "aws-iso-b"}, {"us-isof-", "aws-iso-f"},
		{"us-iso-", "aws-iso"}, {"eu-isoe-", "aws-iso-e"}, {"eusc-", "aws-eusc"},
	} {
		if strings.HasPrefix(region, p.prefix) {
			return p.name
		}
	}
	return "aws"
}
