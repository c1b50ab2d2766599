package awsec2

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"aws-provider-executor/pkg/protocol"
)

// CreateTags writes tags on a resource, all of them or none; tags of the same keys are overwritten.
func (w *Writer) CreateTags(ctx context.Context, resource string, tags map[string]string) error {
	list, err := tagList(resource, tags)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("write %d tags on %s", len(list), resource)
	return change(ctx, w, w.api.CreateTags, "CreateTags", what,
		&ec2.CreateTagsInput{Resources: []string{resource}, Tags: list})
}

// DeleteTags removes those of the tags that have these very values.
func (w *Writer) DeleteTags(ctx context.Context, resource string, tags map[string]string) error {
	list, err := tagList(resource, tags)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("remove %d tags from %s", len(list), resource)
	return change(ctx, w, w.api.DeleteTags, "DeleteTags", what,
		&ec2.DeleteTagsInput{Resources: []string{resource}, Tags: list})
}

// tagList makes EC2's list of tags, in the order of their keys. No tags are refused: EC2 takes
// a DeleteTags without any for "every tag of the user".
func tagList(resource string, tags map[string]string) ([]types.Tag, error) {
	if len(tags) == 0 {
		return nil, protocol.Refuse(protocol.Internal, "a bug in the executor stopped it: no tags are "+
			"named for %s, which EC2 takes for all of them; nothing was sent", resource)
	}
	var list []types.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
	}
	return list, nil
}

// tagsOf are EC2's tags by key.
func tagsOf(list []types.Tag) map[string]string {
	tags := map[string]string{}
	for _, t := range list {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tags
}
