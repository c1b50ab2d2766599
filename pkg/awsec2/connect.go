// Package awsec2 is the EC2 seam: the only place that speaks to EC2.
//
// A Reader can make Describe calls and nothing else. A change whose outcome is unknown is sent at
// most once and reported as *action.Unknown. Every other error is a *protocol.Failure with its
// class. Credentials come from the SDK's own chain, never from a caller. What is on this machine or
// its link is never asked through a proxy. No text of a failure or a log line has a secret in it.
package awsec2

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/smithy-go/middleware"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/trace"
)

// Connection is one region, seen with the executor's own identity.
type Connection struct {
	*way
	asker
	absent *absences
	dates  *dates
	// joints, if not nil, join its calls with those of others.
	joints *joining
}

// way is how a region is reached, and as whom. Connections may have it in common.
type way struct {
	cfg      aws.Config
	own      *credentials
	metadata *metadataService
	// skews are how far the clocks of services are ahead of this machine's, by service.
	skews sync.Map
}

// Connect prepares calls to a region; nothing is sent yet. Timeout bounds the
// whole of what the connection is for; a single attempt gets a part of it.
func Connect(ctx context.Context, region string, timeout time.Duration,
	log *slog.Logger) (*Connection, error) {
	return connect(ctx, machine(), region, timeout, log)
}

func connect(ctx context.Context, out network, region string, timeout time.Duration,
	log *slog.Logger) (*Connection, error) {
	return connectAs(ctx, out, region, "", timeout, log)
}

func connectAs(ctx context.Context, out network, region, profile string, timeout time.Duration,
	log *slog.Logger) (*Connection, error) {
	a := asker{log, trace.FromContext(ctx)}
	w, err := findWay(a.asks(ctx), out, region, profile, timeout, log)
	if err != nil {
		return nil, err
	}
	return w.connection(a, timeout), nil
}

// connection is one asker's use of a way, for calls that may take so long together.
func (w *way) connection(a asker, timeout time.Duration) *Connection {
	return &Connection{way: w, asker: a, absent: newAbsences(timeout, a.log), dates: &dates{}}
}

// findWay reads the environment and the shared files, and checks them. The log is for what no asker
// is behind.
func findWay(ctx context.Context, out network, region, profile string, timeout time.Duration,
	log *slog.Logger) (*way, error) {
	own := &credentials{limit: timeout / 2, secrets: &secrets{}, region: region, log: log}
	metadata, container := &metadataService{}, &lateClient{}
	options := append(sharedFiles(),
		config.WithRegion(region),
		config.WithHTTPClient(out.client(timeout)),
		config.WithLogger(sdkLog{own, ctx}),
		// The modes set time-outs and retries, which are ours; "auto" would ask the metadata service.
		config.WithDefaultsMode(aws.DefaultsModeLegacy),
		// For the credential sources only, like the middleware: EC2's own are below.
		config.WithRetryer(own.retryer),
		config.WithAPIOptions([]func(*middleware.Stack) error{
			own.addAttemptLog, own.addSourceLog, own.addCallCount, addTrace,
		}),
		config.WithEC2RoleCredentialOptions(func(o *ec2rolecreds.Options) { o.Client = metadata }),
		config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = container }),
	)
	if profile != "" {
		options = append(options, config.WithSharedConfigProfile(profile))
	}
	if err := sharedFilesOpen(); err != nil {
		return nil, err
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, unloadable(own.secrets, err)
	}
	env, shared := loaded(cfg)
	own.secrets.add(knownSecrets(env, shared)...)
	if own.chain = chainOf(env, shared); profile != "" {
		// A profile that is asked for holds before the keys of the environment.
		own.chain = profileChain(env, shared, false)
	}
	own.logChain()
	own.inner = cfg.Credentials
	if with := withHelper(cfg, own.chain, shared, own.secrets); with != nil {
		own.inner = with
	}
	client, ok := cfg.HTTPClient.(*awshttp.BuildableClient)
	if !ok {
		return nil, fmt.Errorf("the SDK's client is a %T", cfg.HTTPClient)
	}
	metadata.out, container.build = out, func() aws.HTTPClient { return out.containerClient(client) }
	metadata.cfg, metadata.from = cfg.Copy(), client
	cfg.Credentials, cfg.APIOptions = own, nil
	cfg.HTTPClient = steadyClient{&http.Client{
		Transport: client.GetTransport(), CheckRedirect: noRedirect,
	}}
	w := &way{cfg: cfg, own: own, metadata: metadata}
	if err := w.check(env, shared); err != nil {
		return nil, err
	}
	return w, nil
}

// sharedFiles keeps the SDK from looking for .aws below the working directory, where anyone may
// have put one: it does so without a home.
func sharedFiles() []func(*config.LoadOptions) error {
	var options []func(*config.LoadOptions) error
	if os.Getenv("HOME") != "" {
		return nil
	}
	if os.Getenv("AWS_CONFIG_FILE") == "" {
		options = append(options, config.WithSharedConfigFiles([]string{}))
	}
	if os.Getenv("AWS_SHARED_CREDENTIALS_FILE") == "" {
		options = append(options, config.WithSharedCredentialsFiles([]string{}))
	}
	return options
}

// loaded is what the SDK read from the environment and the shared files.
func loaded(cfg aws.Config) (env config.EnvConfig, shared config.SharedConfig) {
	for _, source := range cfg.ConfigSources {
		switch s := source.(type) {
		case config.EnvConfig:
			env = s
		case config.SharedConfig:
			shared = s
		}
	}
	return env, shared
}

// DescribeReader returns a Reader.
func (c *Connection) DescribeReader() *Reader { return c.reader() }

// Config is what clients of other services than EC2 are made of: the same region, credentials and
// way out.
func (c *Connection) Config() aws.Config {
	cfg := c.cfg.Copy()
	cfg.Retryer = func() aws.Retryer { return retryer(retryRead) }
	return cfg
}

// ConnectReader prepares calls to a region that can only describe.
func ConnectReader(ctx context.Context, region string, timeout time.Duration,
	log *slog.Logger) (*Reader, error) {
	c, err := Connect(ctx, region, timeout, log)
	if err != nil {
		return nil, err
	}
	return c.reader(), nil
}

// eachCall is what every call to EC2 goes through.
func (c *Connection) eachCall() []func(*middleware.Stack) error {
	return []func(*middleware.Stack) error{
		c.asker.add, addMembers, c.own.addAttemptLog, c.own.addCallCount, addAnswerCheck, addTrace,
	}
}

// Reader returns a *Reader, which can only describe.
func (c *Connection) Reader() any { return c.reader() }

func (c *Connection) reader() *Reader {
	return &Reader{api: ec2.NewFromConfig(c.cfg, func(o *ec2.Options) {
		o.Retryer = retryer(retryRead)
		o.APIOptions = append(o.APIOptions, append(c.eachCall(), addDescribeOnly, c.dates.add)...)
	}), absent: c.absent, log: c.log, of: c}
}

// Writer returns a *Writer, which changes.
func (c *Connection) Writer() any {
	return &Writer{api: ec2.NewFromConfig(c.cfg, func(o *ec2.Options) {
		o.Retryer = changeRetryer{retryer(retryChange)}
		o.APIOptions = append(o.APIOptions, c.eachCall()...)
	}), absent: c.absent, log: c.log, of: c}
}

// retryer retries what the rule allows, with exponential backoff and jitter,
// until the context ends.
func retryer(rule func(error) aws.Ternary) aws.Retryer {
	// As an option of the standard retryer zero would mean three.
	return retry.AddWithMaxAttempts(standardRetryer(rule), 0)
}

// changeRetryer makes no further attempt at a change that could begin after the call's lease has
// ended, nor one that begins right before the deadline.
type changeRetryer struct{ aws.Retryer }

var _ aws.RetryerV2 = changeRetryer{}

// errTooLate says that there was no time for another attempt at a change.
var errTooLate = errors.New("the deadline could pass before another attempt is answered")

// GetAttemptToken refuses an attempt for which there is no time.
func (c changeRetryer) GetAttemptToken(ctx context.Context) (func(error) error, error) {
	if log, ok := ctx.Value(attemptsKey{}).(*attempts); ok && !log.beginsChange(ctx) {
		return nil, errTooLate
	}
	return c.GetInitialToken(), nil
}

// GetRetryToken refuses another attempt by an error, which comes beside that of the last one.
func (c changeRetryer) GetRetryToken(ctx context.Context, last error) (func(error) error, error) {
	if until, ok := action.LeaseOf(ctx); ok && !time.Now().Add(lastBackoff).Before(until) {
		return nil, errors.New("the lease ends before another attempt")
	}
	return c.Retryer.GetRetryToken(ctx, last)
}

func standardRetryer(rule func(error) aws.Ternary) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.Backoff = retry.BackoffDelayerFunc(backoff)
		o.RateLimiter = ratelimit.None
		o.Retryables = []retry.IsErrorRetryable{retry.IsErrorRetryableFunc(rule)}
	})
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
