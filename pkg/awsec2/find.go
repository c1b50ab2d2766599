package awsec2

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// FindInstances reads every instance that all the filters select, whole, page by page to the end.
// What says what the search is for, as in "find web-1". An error means that not all were read.
func (r *Reader) FindInstances(
	ctx context.Context, what string, by ...ec2model.Filter,
) ([]ec2model.Instance, error) {
	in := findInput(pageSize, by)
	var found []ec2model.Instance
	err := pages(what, func(token *string) (*string, error) {
		if token != nil {
			in.Set("NextToken", *token)
		}
		page, next, err := r.findPage(ctx, what, in)
		found = append(found, page...)
		return &next, err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// fewestResults is the smallest page that EC2 gives.
const fewestResults = 5

// SomeInstances reads a few of the instances that the filters select, in one call. So it shows that
// EC2 answers this identity, however many instances there are.
func (r *Reader) SomeInstances(
	ctx context.Context, what string, by ...ec2model.Filter,
) ([]ec2model.Instance, error) {
	found, _, err := r.findPage(ctx, what, findInput(fewestResults, by))
	return found, err
}

func findInput(page int, by []ec2model.Filter) url.Values {
	in := url.Values{"MaxResults": {strconv.Itoa(page)}, "IncludeManagedResources": {"true"}}
	for i, f := range by {
		value := f.Value
		if !f.Pattern {
			value = literal.Replace(value)
		}
		setFilter(in, i+1, f.Name, value)
	}
	return in
}

// literal takes the meaning from what a filter's value would be a pattern by.
var literal = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`)

func (r *Reader) findPage(
	ctx context.Context, what string, in url.Values,
) (found []ec2model.Instance, next string, err error) {
	var out instancesOut
	if err := r.ask(ctx, "DescribeInstances", what, in, &out); err != nil {
		return nil, "", err
	}
	for _, reservation := range out.Reservations {
		for _, i := range reservation.Instances {
			if !i.isWhole() {
				return nil, "", protocol.Refuse(protocol.Unavailable,
					"cannot %s: EC2's answer can't be right about %s; try again", what, protocol.Quote(i.ID))
			}
			found = append(found, i.model())
		}
	}
	return found, out.NextToken, nil
}
