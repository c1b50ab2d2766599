package awsec2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"

	"aws-provider-executor/pkg/action"
)

// metadataPatience bounds a question to the instance metadata service, which is unreachable off
// EC2.
const metadataPatience = 2 * time.Second

// InstanceID asks the instance metadata service which instance this program runs on. It
// answers within two seconds; an error means that it could not be found out.
func (r *Reader) InstanceID(ctx context.Context) (string, error) {
	id, err := r.of.metadata.ask(r.of.asker.asks(ctx), "instance-id")
	if err != nil {
		return "", err
	}
	return action.InstanceID.Canonical(id)
}

// OwnRegion asks the instance metadata service which region this program runs in, under the same
// bound.
func OwnRegion(ctx context.Context, log *slog.Logger) (string, error) {
	c, err := Connect(ctx, "", 2*metadataPatience, log)
	if err != nil {
		return "", err
	}
	region, err := c.metadata.ask(ctx, "placement/region")
	if err != nil {
		return "", err
	}
	return action.Region.Canonical(region)
}

// metadataService is the instance metadata service, asked directly. Its client is made at the
// first question; most runs have none.
type metadataService struct {
	cfg  aws.Config
	from *awshttp.BuildableClient
	out  network

	once sync.Once
	api  *imds.Client

	probe sync.Once
	mode  imds.EndpointModeState
}

// GetMetadata is what the SDK asks for the instance's role.
func (m *metadataService) GetMetadata(ctx context.Context, in *imds.GetMetadataInput,
	options ...func(*imds.Options)) (*imds.GetMetadataOutput, error) {
	m.once.Do(func() { m.api = m.connect(ctx, m.cfg.Retryer()) })
	return m.api.GetMetadata(ctx, in, options...)
}

func (m *metadataService) connect(ctx context.Context, retryer aws.Retryer) *imds.Client {
	return imds.NewFromConfig(m.cfg, func(o *imds.Options) {
		o.HTTPClient, o.Retryer = m.out.metadataClient(m.from), retryer
		told := o.Endpoint != "" || o.EndpointMode != imds.EndpointModeStateUnset
		if !told && o.ClientEnableState != imds.ClientDisabled {
			o.EndpointMode = m.reachable(ctx)
		}
	})
}

// reachable finds which address of the service can be connected to, if nobody said so. A node
// without IPv4 reaches only the IPv6 one, and the SDK by itself asks only the other.
func (m *metadataService) reachable(ctx context.Context) imds.EndpointModeState {
	m.probe.Do(func() {
		if !m.out.connects(ctx, metadataAtIPv4) && m.out.connects(ctx, metadataAtIPv6) {
			m.mode = imds.EndpointModeStateIPv6
		}
	})
	return m.mode
}

// The addresses of the instance metadata service.
const (
	metadataAtIPv4 = "169.254.169.254:80"
	metadataAtIPv6 = "[fd00:ec2::254]:80"
)

// ask asks one question, and gives up on silence.
func (m *metadataService) ask(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, metadataPatience)
	defer cancel()
	type answer struct {
		text string
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			if p := recover(); p != nil {
				a.err = fmt.Errorf("a bug stopped the question: %v", p)
			}
			done <- a
		}()
		a.text, a.err = m.read(ctx, path)
	}()
	select {
	case a := <-done:
		return a.text, metadataFailure(a.err)
	case <-ctx.Done():
		return "", errors.New("it kept silent")
	}
}

// metadataFailure says what the metadata service did in place of an answer.
func metadataFailure(err error) error {
	switch status := statusOf(err); {
	case err == nil:
		return nil
	case status == http.StatusForbidden:
		return errors.New("it is switched off: 403 Forbidden")
	case status != 0:
		return fmt.Errorf("it answered %d %s", status, http.StatusText(status))
	case wasLost(err):
		return errors.New(transportText(err))
	}
	return err
}

func (m *metadataService) read(ctx context.Context, path string) (string, error) {
	out, err := m.connect(ctx, aws.NopRetryer{}).GetMetadata(ctx, &imds.GetMetadataInput{Path: path})
	if err != nil {
		return "", err
	}
	defer out.Content.Close()
	text, err := io.ReadAll(io.LimitReader(out.Content, 1<<10))
	return strings.TrimSpace(string(text)), err
}

// lateClient is made at its first request. The SDK wants a client before all that it is made of is
// known.
type lateClient struct {
	build func() aws.HTTPClient
	once  sync.Once
	made  aws.HTTPClient
}

// Do sends a request.
func (l *lateClient) Do(r *http.Request) (*http.Response, error) {
	l.once.Do(func() { l.made = l.build() })
	return l.made.Do(r)
}
