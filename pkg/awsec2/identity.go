package awsec2

import (
	"context"
	"errors"
	"io"
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
	ctx, cancel := context.WithTimeout(ctx, metadataPatience)
	defer cancel()
	type answer struct {
		id  string
		err error
	}
	done := make(chan answer, 1)
	go func() {
		id, err := r.metadata(ctx, "instance-id")
		done <- answer{id, err}
	}()
	select {
	case a := <-done:
		if a.err != nil {
			return "", a.err
		}
		return action.InstanceID.Canonical(a.id)
	case <-ctx.Done():
		return "", errors.New("the metadata service kept silent")
	}
}

func (r *Reader) metadata(ctx context.Context, path string) (string, error) {
	cfg := r.cfg.Copy()
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	out, err := imds.NewFromConfig(cfg).GetMetadata(ctx, &imds.GetMetadataInput{Path: path})
	if err != nil {
		return "", err
	}
	defer out.Content.Close()
	text, err := io.ReadAll(io.LimitReader(out.Content, 1<<10))
	return strings.TrimSpace(string(text)), err
}
