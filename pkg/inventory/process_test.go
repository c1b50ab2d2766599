package inventory

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// interrupted is a cloud in which the stop comes while it is read.
type interrupted struct {
	cloud
	stop func()
}

func (c *interrupted) EachInterface(
	ctx context.Context,
	what string,
	_ ec2model.InterfaceQuery,
	_ func(ec2model.Interface),
) error {
	c.stop()
	<-ctx.Done()
	return protocol.Refuse(protocol.Unavailable, "cannot read %s", what)
}

// TestStoppedIsTold: what a signal kept from being read is told to be the signal's doing, not
// EC2's.
func TestStoppedIsTold(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	p := &Process{
		Provider: "aws",
		Connect: func(context.Context, string, time.Duration, *slog.Logger) (Reader, error) {
			return &interrupted{stop: stop}, nil
		},
	}
	var stdout, stderr bytes.Buffer
	code := p.Main(
		ctx,
		[]string{"x"},
		nil,
		strings.NewReader(
			request(`"provider":"aws","selfNicRef":"eni-01234567","target":{"region":"eu-west-1"}`),
		),
		&stdout,
		&stderr,
	)
	if code != 0 || !strings.Contains(stdout.String(), "timeout: a signal stopped the inventory") {
		t.Errorf("exit code %d: %s%s", code, stdout.String(), stderr.String())
	}
}
