package awsec2

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// ec2Query has the operations of EC2 that are called without the SDK's client for it. In a program
// each operation of that client takes 25 KB, and an instance 100 KB more. Ours differ by a few
// lines. TestQueriesAreTheSDKs holds each request against the SDK's.
var ec2Query = service{
	provider: ofEC2, wire: ec2Wire{queryWire{"2016-11-15"}},
	operations: []operation{
		{"DescribeAddresses", reads, ""},
		{"DescribeInstances", reads, ""},
		{"AllocateAddress", changes, ""},
		{"AssociateAddress", changes, ""},
		{"DisassociateAddress", changes, ""},
		{"ReleaseAddress", changes, ""},
		{"StartInstances", changes, ""},
		{"StopInstances", changes, ""},
	},
}

// ec2Wire is EC2's form of the Query protocol: no result is around what an answer says, and a
// refusal is a list of one error.
type ec2Wire struct{ queryWire }

func (ec2Wire) whole(o operation, _ http.Header, body []byte) bool {
	return wholeAnswer(o.name, body)
}

// refusal reads an error document whatever its root is, as the SDK does.
func (ec2Wire) refusal(_ http.Header, body []byte) *refusal {
	var said struct {
		Code      string `xml:"Errors>Error>Code"`
		Message   string `xml:"Errors>Error>Message"`
		RequestID string
	}
	r := &refusal{}
	if xml.Unmarshal(body, &said) == nil {
		r.Code, r.Message = strings.TrimSpace(said.Code), strings.TrimSpace(said.Message)
		r.requestID = strings.TrimSpace(said.RequestID)
	}
	return r
}

// ask reads with one of EC2's operations. What says what for, as in "describe i-1".
func (r *Reader) ask(ctx context.Context, operation, what string, in url.Values, out any) error {
	err := ec2Query.call(ctx, r.of.serviceReader, operation, in, out)
	return ec2Query.failed(operation, what, err)
}

// send makes one change with one of EC2's operations, and reads the answer.
func (w *Writer) send(
	ctx context.Context, operation, what string, in url.Values, out any,
) error {
	_, err := readExisting(ctx, w.absent, what, func(ctx context.Context) (struct{}, error) {
		err := ec2Query.call(ctx, w.of.serviceWriter, operation, in, out)
		return struct{}{}, ec2Query.changed(operation, what, err)
	})
	return err
}

// named is the id in an answer to a change that made something. An answer without one does not tell
// what became of the change.
func named(operation, what string, id *string, err error) (string, error) {
	if err != nil {
		return "", err
	}
	if id := aws.ToString(id); id != "" {
		return id, nil
	}
	cause := failure(operation, what, errors.New("the answer does not name what was made"))
	return "", &action.Unknown{Cause: cause}
}

// setFilter adds a filter to what is asked, the nth from 1 on.
func setFilter(in url.Values, n int, name, value string) {
	in.Set(fmt.Sprintf("Filter.%d.Name", n), name)
	in.Set(fmt.Sprintf("Filter.%d.Value.1", n), value)
}

// setTags has what is made have tags from the first on.
func setTags(in url.Values, kind string, tags map[string]string) error {
	if len(tags) == 0 {
		return protocol.Refuse(protocol.Internal, "a bug in the executor stopped it: no tags are "+
			"named for what is made; nothing was sent")
	}
	in.Set("TagSpecification.1.ResourceType", kind)
	for i, key := range slices.Sorted(maps.Keys(tags)) {
		in.Set(fmt.Sprintf("TagSpecification.1.Tag.%d.Key", i+1), key)
		in.Set(fmt.Sprintf("TagSpecification.1.Tag.%d.Value", i+1), tags[key])
	}
	return nil
}

// tagSet are the tags of a thing, as EC2 answers with them.
type tagSet []struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

func (s tagSet) byKey() map[string]string {
	tags := map[string]string{}
	for _, t := range s {
		tags[t.Key] = t.Value
	}
	return tags
}
