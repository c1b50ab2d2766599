package awsec2

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// EachInstance reads every instance that the query selects, those of AWS services included. One may
// come several times; what is read later counts. An error means that not all of them were read.
//
// It asks for all at once: there may be as many instances as interfaces, and an instance is large.
// Where there are very many, EC2 may not answer that in time. So that gets a quarter of the time,
// and asking page by page the rest.
func (r *Reader) EachInstance(
	ctx context.Context, what string, q ec2model.InstanceQuery, each func(ec2model.InstanceSummary),
) error {
	in := &ec2.DescribeInstancesInput{
		IncludeManagedResources: aws.Bool(true),
		Filters: filters(
			filterOf("network-interface.vpc-id", q.VPCID),
			filterOf("network-interface.subnet-id", q.SubnetID),
			filterOf("instance-id", q.IDs...),
		),
	}
	atOnce, cancel := quarterOf(ctx)
	err := r.instancePages(atOnce, what, in, each)
	tooSlow := atOnce.Err() != nil
	cancel()
	if err == nil || !tooSlow || ctx.Err() != nil {
		return err
	}
	in.MaxResults, in.NextToken = aws.Int32(pageSize), nil
	paged := r.instancePages(ctx, what, in, each)
	if isTimeout(paged) && !isTimeout(err) {
		// EC2's earlier answer says more than that the time was up later.
		return err
	}
	return paged
}

// isTimeout reports whether EC2 did not answer in time.
func isTimeout(err error) bool {
	var f *protocol.Failure
	return errors.As(err, &f) && f.Class == protocol.Timeout
}

// quarterOf bounds a context by a quarter of the time that it has left.
func quarterOf(ctx context.Context) (context.Context, context.CancelFunc) {
	end, bounded := ctx.Deadline()
	if !bounded {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/4)
}

func (r *Reader) instancePages(
	ctx context.Context,
	what string,
	in *ec2.DescribeInstancesInput,
	each func(ec2model.InstanceSummary),
) error {
	read := func(o *ec2.Options) { o.APIOptions = append(o.APIOptions, addSummaries(each)) }
	describe := func(
		ctx context.Context, in *ec2.DescribeInstancesInput, _ ...func(*ec2.Options),
	) (*ec2.DescribeInstancesOutput, error) {
		return r.api.DescribeInstances(ctx, in, read)
	}
	return pages("read "+what, func(token *string) (*string, error) {
		in.NextToken = token
		out, err := call(ctx, describe, in)
		if err != nil {
			return nil, failure("DescribeInstances", "read "+what, err)
		}
		return out.NextToken, nil
	})
}

// addSummaries reads the answer of DescribeInstances as it comes off the wire, so that thousands
// of instances are never in memory whole. To the layers above it the answer has the next page's
// token and no instance.
func addSummaries(each func(ec2model.InstanceSummary)) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("Summaries",
			func(
				ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
			) (middleware.DeserializeOutput, middleware.Metadata, error) {
				out, metadata, err := next.HandleDeserialize(ctx, in)
				response, ok := out.RawResponse.(*smithyhttp.Response)
				if err != nil || !ok || response.StatusCode/100 != 2 {
					return out, metadata, err
				}
				token, err := readSummaries(response.Body, each)
				_ = response.Body.Close()
				if err != nil {
					return out, metadata, fmt.Errorf("%w: %w",
						&unreadableAnswer{serviceEC2, "DescribeInstances"}, err)
				}
				response.Body = io.NopCloser(strings.NewReader(withoutInstances(token)))
				return out, metadata, nil
			}), middleware.After)
	}
}

func withoutInstances(token string) string {
	var text strings.Builder
	text.WriteString("<DescribeInstancesResponse><nextToken>")
	_ = xml.EscapeText(&text, []byte(token)) // a Builder takes everything
	text.WriteString("</nextToken></DescribeInstancesResponse>")
	return text.String()
}

// readSummaries reads one answer of DescribeInstances to its end.
func readSummaries(body io.Reader, each func(ec2model.InstanceSummary)) (token string, err error) {
	x := &elements{xml.NewDecoder(body)}
	whole := false
	err = x.children(func(name string) error {
		if whole = name == "DescribeInstancesResponse"; !whole {
			return errors.New("it is another document")
		}
		return x.children(func(name string) error {
			switch name {
			case "nextToken":
				return x.text(&token)
			case "reservationSet":
				return x.items(func() error { return x.reservation(each) })
			}
			return x.Skip()
		})
	})
	if err == nil && !whole {
		err = io.ErrUnexpectedEOF
	}
	return token, err
}

// elements goes through XML element by element.
type elements struct{ *xml.Decoder }

// children calls read for each child of the element that was begun last. Read has to read the
// child to its end.
func (x *elements) children(read func(name string) error) error {
	for {
		token, err := x.Token()
		if errors.Is(err, io.EOF) {
			return nil // the end of the document; inside of an element it is another error
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if err := read(t.Name.Local); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

// items calls read for each item of a list.
func (x *elements) items(read func() error) error {
	return x.children(func(name string) error {
		if name != "item" {
			return x.Skip()
		}
		return read()
	})
}

// text reads the text of the element that was begun last.
func (x *elements) text(into *string) error {
	var text strings.Builder
	for {
		token, err := x.Token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			if err := x.Skip(); err != nil {
				return err
			}
		case xml.EndElement:
			*into = text.String()
			return nil
		}
	}
}

func (x *elements) reservation(each func(ec2model.InstanceSummary)) error {
	return x.children(func(name string) error {
		if name != "instancesSet" {
			return x.Skip()
		}
		return x.items(func() error {
			var i ec2model.InstanceSummary
			err := x.instance(&i)
			if err == nil && (i.ID == "" || i.State == "") {
				err = errors.New("an instance has no id or no state")
			}
			if err == nil {
				each(i)
			}
			return err
		})
	})
}

func (x *elements) instance(i *ec2model.InstanceSummary) error {
	return x.children(func(name string) error {
		switch name {
		case "instanceId":
			return x.text(&i.ID)
		case "instanceState":
			return x.children(func(name string) error {
				if name != "name" {
					return x.Skip()
				}
				return x.text(&i.State)
			})
		case "tagSet":
			return x.items(func() error { return x.tag(i) })
		}
		return x.Skip()
	})
}

func (x *elements) tag(i *ec2model.InstanceSummary) error {
	var t ec2model.Tag
	err := x.children(func(name string) error {
		switch name {
		case "key":
			return x.text(&t.Key)
		case "value":
			return x.text(&t.Value)
		}
		return x.Skip()
	})
	i.Tags = append(i.Tags, t)
	return err
}
