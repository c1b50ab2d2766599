package awsec2

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"

	"aws-provider-executor/pkg/action"
)

// metadataPatience bounds a question to the instance metadata service, which there is none of off EC2.
const metadataPatience = 2 * time.Second

// InstanceID asks the instance metadata service which instance this program runs on. It
// answers within two seconds; an error means that it could not be found out.
func (r *Reader) InstanceID(ctx context.Context) (string, error) {
	id, err := ask(ctx, r.cfg, "instance-id")
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
	region, err := ask(ctx, c.cfg, "placement/region")
	if err != nil {
		return "", err
	}
	return action.Region.Canonical(region)
}

// ask asks one question, and gives up on silence.
func ask(ctx context.Context, cfg aws.Config, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, metadataPatience)
	defer cancel()
	type answer struct {
		text string
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		text, err := metadata(ctx, cfg, path)
		done <- answer{text, err}
	}()
	select {
	case a := <-done:
		return a.text, a.err
	case <-ctx.Done():
		return "", errors.New("the metadata service kept silent")
	}
}

func metadata(ctx context.Context, of aws.Config, path string) (string, error) {
	cfg := of.Copy()
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	out, err := imds.NewFromConfig(cfg).GetMetadata(ctx, &imds.GetMetadataInput{Path: path})
	if err != nil {
		return "", err
	}
	defer out.Content.Close()
	text, err := io.ReadAll(io.LimitReader(out.Content, 1<<10))
	return strings.TrimSpace(string(text)), err
}
