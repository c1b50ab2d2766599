package awsec2

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// DescribeTags reads the tags of each resource, by its id. One without tags, or that does not
// exist, has none.
func (r *Reader) DescribeTags(
	ctx context.Context, ids ...string,
) (map[string]map[string]string, error) {
	tags := map[string]map[string]string{}
	in := &ec2.DescribeTagsInput{Filters: []types.Filter{filterOf("resource-id", ids...)}}
	what := "read the tags of " + strings.Join(ids, ", ")
	err := pages(what, func(token *string) (*string, error) {
		in.NextToken = token
		out, err := call(ctx, r.api.DescribeTags, in)
		if err != nil {
			return nil, failure("DescribeTags", what, err)
		}
		for _, t := range out.Tags {
			id := aws.ToString(t.ResourceId)
			if tags[id] == nil {
				tags[id] = map[string]string{}
			}
			tags[id][aws.ToString(t.Key)] = aws.ToString(t.Value)
		}
		return out.NextToken, nil
	})
	return tags, err
}
