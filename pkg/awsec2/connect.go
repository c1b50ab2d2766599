// Package awsec2 is the EC2 seam: the only place that speaks to EC2.
//
// It guarantees that a Reader can make Describe calls and nothing else, that a
// change whose outcome is unknown is sent at most once and reported as
// *action.Unknown, and that every other error is a *protocol.Failure with
// its class. Credentials come from the SDK's own chain, never from a caller.
package awsec2

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/smithy-go/logging"

	"aws-provider-executor/pkg/protocol"
)

// Connection is one region, seen with the executor's own identity.
type Connection struct {
	cfg    aws.Config
	own    *credentials
	absent *absences
	log    *slog.Logger
}

// Connect prepares calls to a region; nothing is sent yet. Timeout bounds the
// whole of what the connection is for; a single attempt gets a part of it.
func Connect(ctx context.Context, region string, timeout time.Duration, log *slog.Logger) (*Connection, error) {
	options := []func(*config.LoadOptions) error{
		config.WithRegion(region),
		config.WithHTTPClient(httpClient(timeout)),
		config.WithLogger(logging.LoggerFunc(func(_ logging.Classification, format string, args ...any) {
			log.Debug("the AWS SDK says", "text", fmt.Sprintf(format, args...))
		})),
		// For the credential sources only: EC2's own retry policies are in retry.go.
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts = 2
				o.MaxBackoff = 200 * time.Millisecond
			})
		}),
	}
	if os.Getenv("HOME") == "" {
		// Without a home the SDK would look for .aws below the working
		// directory, where anyone may have put one.
		if os.Getenv("AWS_CONFIG_FILE") == "" {
			options = append(options, config.WithSharedConfigFiles([]string{}))
		}
		if os.Getenv("AWS_SHARED_CREDENTIALS_FILE") == "" {
			options = append(options, config.WithSharedCredentialsFiles([]string{}))
		}
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, &protocol.Failure{
			Class:   protocol.Authentication,
			Message: "cannot set up the AWS SDK from the environment: " + oneLine(err.Error()) + "; check the AWS_… variables and the files they name",
		}
	}
	own := &credentials{inner: cfg.Credentials, limit: min(4*time.Second, timeout/2)}
	cfg.Credentials = own
	return &Connection{cfg: cfg, own: own, absent: newAbsences(timeout, log), log: log}, nil
}

// ConnectReader prepares calls to a region that can only describe.
func ConnectReader(ctx context.Context, region string, timeout time.Duration, log *slog.Logger) (*Reader, error) {
	c, err := Connect(ctx, region, timeout, log)
	if err != nil {
		return nil, err
	}
	return c.reader(), nil
}

// Reader returns a *Reader, which can only describe.
func (c *Connection) Reader() any { return c.reader() }

func (c *Connection) reader() *Reader {
	return &Reader{api: ec2.NewFromConfig(c.cfg, func(o *ec2.Options) {
		o.HTTPClient = steadyClient{o.HTTPClient}
		o.Retryer = retryer(retryRead)
		o.APIOptions = append(o.APIOptions, addAttemptLog, c.own.addAnswerCheck, addDescribeOnly)
	}), cfg: c.cfg, absent: c.absent, log: c.log}
}

// Writer returns a *Writer, which changes.
func (c *Connection) Writer() any {
	return &Writer{api: ec2.NewFromConfig(c.cfg, func(o *ec2.Options) {
		o.HTTPClient = steadyClient{o.HTTPClient}
		o.Retryer = retryer(retryChange)
		o.APIOptions = append(o.APIOptions, addAttemptLog, c.own.addAnswerCheck)
	}), log: c.log}
}

// retryer retries what the rule allows, with exponential backoff and jitter,
// until the context ends.
func retryer(rule func(error) aws.Ternary) aws.Retryer {
	standard := retry.NewStandard(func(o *retry.StandardOptions) {
		o.Backoff = retry.BackoffDelayerFunc(backoff)
		o.RateLimiter = ratelimit.None
		o.Retryables = []retry.IsErrorRetryable{retry.IsErrorRetryableFunc(rule)}
	})
	// As an option of the standard retryer zero would mean three.
	return retry.AddWithMaxAttempts(standard, 0)
}

const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 2 * time.Second
)

// backoff doubles a window from firstBackoff to lastBackoff and picks from all of it: a
// failover is not kept waiting by the first refusal, and many clients do not come back at once.
func backoff(attempt int, _ error) (time.Duration, error) {
	window := lastBackoff
	if doublings := max(attempt-1, 0); doublings < 5 {
		window = min(firstBackoff<<doublings, lastBackoff)
	}
	return time.Duration(rand.Int64N(int64(window))), nil
}

// httpClient bounds each step of an attempt, so that one silent peer can't use up the
// deadline that others need.
func httpClient(timeout time.Duration) *awshttp.BuildableClient {
	step := max(timeout/5, 200*time.Millisecond)
	return awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = min(step, 3*time.Second) }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout = step
			t.ResponseHeaderTimeout = step
			// A handful of calls gains nothing from HTTP/2, and pays for setting it up.
			t.ForceAttemptHTTP2 = false
			t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
		})
}

// credentials puts a bound on the SDK's chain and gives its errors a type.
type credentials struct {
	inner aws.CredentialsProvider
	limit time.Duration
	// last are those that requests are signed with.
	last atomic.Pointer[aws.Credentials]
}

// redact takes the secrets that requests are signed with out of a text.
func (c *credentials) redact(text []byte) []byte {
	last := c.last.Load()
	if last == nil {
		return text
	}
	for _, secret := range []string{last.SecretAccessKey, last.SessionToken} {
		if secret != "" {
			text = bytes.ReplaceAll(text, []byte(secret), []byte("(redacted)"))
		}
	}
	return text
}

var _ aws.CredentialsProvider = (*credentials)(nil)

// credentialsError says that there are no credentials to sign with. What the
// chain says stays out of the message: it may repeat what it read.
type credentialsError struct{ cause error }

func (e *credentialsError) Error() string { return fmt.Sprintf("no credentials (%T)", e.cause) }

func (c *credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if c.inner == nil {
		return aws.Credentials{}, &credentialsError{}
	}
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	got, err := c.inner.Retrieve(ctx)
	if err != nil {
		return got, &credentialsError{cause: err}
	}
	c.last.Store(&got)
	return got, nil
}
