// Package bucket reads objects of S3, with the identity and the limits of a connection.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"aws-provider-executor/pkg/awsec2"
	"aws-provider-executor/pkg/protocol"
)

// Bucket is a bucket of S3, which is only read.
type Bucket struct {
	name string
	api  *s3.Client
}

// Open returns a bucket in the region of a connection. Nothing is sent yet.
func Open(c *awsec2.Connection, name string) *Bucket {
	return &Bucket{name: name, api: s3.NewFromConfig(c.Config(), func(o *s3.Options) {
		// A stand-in has no names for its buckets.
		o.UsePathStyle = o.BaseEndpoint != nil
	})}
}

// Names lists the names of all objects right below a prefix.
func (b *Bucket) Names(ctx context.Context, prefix string) ([]string, error) {
	pages := s3.NewListObjectsV2Paginator(b.api, &s3.ListObjectsV2Input{
		Bucket: &b.name, Prefix: &prefix, Delimiter: aws.String("/"),
	})
	var names []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, b.failure("s3:ListBucket", prefix, err)
		}
		for _, o := range page.Contents {
			if name := strings.TrimPrefix(aws.ToString(o.Key), prefix); name != "" {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// Object returns an object that has at most so many bytes.
func (b *Bucket) Object(ctx context.Context, key string, most int64) ([]byte, error) {
	out, err := b.api.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key})
	if err != nil {
		return nil, b.failure("s3:GetObject", key, err)
	}
	defer out.Body.Close()
	data, err := io.ReadAll(io.LimitReader(out.Body, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("it has more than %d bytes", most)
	}
	if err != nil {
		return nil, b.failure("s3:GetObject", key, err)
	}
	return data, nil
}

// failure is the answer where S3 could not be asked, or said no.
func (b *Bucket) failure(call, key string, err error) error {
	class := awsec2.ClassOf(err)
	var noKey *types.NoSuchKey
	var noBucket *types.NoSuchBucket
	if errors.As(err, &noKey) || errors.As(err, &noBucket) {
		class = protocol.NotFound
	}
	f := protocol.Refuse(class, "cannot read s3://%s/%s: %s", b.name, key, awsec2.Explain(err))
	if class == protocol.Authorization {
		f = f.With(protocol.FactPermissionHint, call)
	}
	if code := awsec2.CodeOf(err); code != "" {
		f = f.With(protocol.FactAWSErrorCode, code)
	}
	return f
}
