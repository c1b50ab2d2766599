package awsec2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// ec2Error answers with an error as EC2 writes it.
func ec2Error(status int, code, message string) func(http.ResponseWriter, *http.Request) {
	return fails(status, fmt.Sprintf(`<Response><Errors><Error><Code>%s</Code><Message>%s</Message>`+
		`</Error></Errors><RequestID>r-1</RequestID></Response>`, code, message))
}

// questions are all that a prober can ask.
func (p *Prober) questions() map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"ModifyNetworkInterfaceAttribute": func(ctx context.Context) error {
			return p.ModifySecurityGroups(ctx, "eni-1", []string{"sg-1"})
		},
		"CreateTags": func(ctx context.Context) error { return p.CreateTag(ctx, "i-1", "key", "value") },
		"DeleteTags": func(ctx context.Context) error { return p.DeleteTag(ctx, "i-1", "key", "value") },
		"StopInstances": func(ctx context.Context) error {
			return p.StopInstance(ctx, "i-1")
		},
		"StartInstances": func(ctx context.Context) error { return p.StartInstance(ctx, "i-1") },
	}
}

// TestAProberAsksWithDryRun: each question says DryRun, and EC2's answer decides.
func TestAProberAsksWithDryRun(t *testing.T) {
	var asked, dryRun string
	answer := ec2Error(http.StatusPreconditionFailed, "DryRunOperation",
		"Request would have succeeded, but DryRun flag is set.")
	c, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		asked, dryRun = r.PostForm.Get("Action"), r.PostForm.Get("DryRun")
		answer(w, r)
	})
	for operation, ask := range c.Prober().questions() {
		if err := ask(t.Context()); err != nil || asked != operation || dryRun != "true" {
			t.Errorf("%s: asked %s with DryRun %q: %v", operation, asked, dryRun, err)
		}
	}
	answer = ec2Error(http.StatusForbidden, "UnauthorizedOperation",
		"You are not authorized to perform this operation.")
	for operation, ask := range c.Prober().questions() {
		var f *protocol.Failure
		if err := ask(t.Context()); !errors.As(err, &f) || f.Class != protocol.Authorization ||
			f.Facts[protocol.FactPermissionHint] != "ec2:"+operation {
			t.Errorf("%s: %v", operation, err)
		}
	}
	answer = func(w http.ResponseWriter, r *http.Request) {
		op := r.PostForm.Get("Action")
		fmt.Fprintf(w, "<%sResponse><requestId>r</requestId></%sResponse>", op, op)
	}
	for operation, ask := range c.Prober().questions() {
		var f *protocol.Failure
		if err := ask(t.Context()); !errors.As(err, &f) || f.Class != protocol.Internal {
			t.Errorf("%s, where DryRun is not heeded: %v", operation, err)
		}
	}
}

// TestAProberCannotChange: what does not say DryRun does not leave, and is not tried again.
func TestAProberCannotChange(t *testing.T) {
	c, requests := answering(t, func(http.ResponseWriter, *http.Request) {})
	api := c.Prober().api
	for _, dryRun := range []*bool{nil, aws.Bool(false)} {
		_, err := call(t.Context(), api.StopInstances,
			&ec2.StopInstancesInput{InstanceIds: []string{"i-1"}, DryRun: dryRun})
		if !errors.Is(err, errNotDryRun) || classOf(err) != protocol.Internal {
			t.Errorf("%v", err)
		}
	}
	if _, err := api.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{}); err == nil {
		t.Error("a reading left that does not say DryRun")
	}
	if requests.Load() != 0 {
		t.Errorf("%d requests left", requests.Load())
	}
}

// everyThing names a resource of each kind.
var everyThing = Things{
	action.NetworkInterface: "eni-1", action.Instance: "i-1", action.RouteTable: "rtb-1",
	action.Subnet: "subnet-1", action.SecurityGroup: "sg-1",
}

// TestEveryQuestionSaysDryRun: all that a prober can ask about is asked by its own operation, with
// DryRun, and by nothing else.
func TestEveryQuestionSaysDryRun(t *testing.T) {
	var asked []string
	refusal := ec2Error(http.StatusPreconditionFailed, "DryRunOperation", "It would have succeeded.")
	c, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.PostForm.Get("Action")+" "+r.PostForm.Get("DryRun"))
		refusal(w, r)
	})
	p := c.Prober()
	for name := range p.asked() {
		asked = nil
		if err := p.Ask(t.Context(), name, everyThing); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		want := []string{strings.TrimPrefix(name, "ec2:") + " true"}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("%s (-want +asked):\n%s", name, diff)
		}
	}
	asked = nil
	for _, name := range append(withoutDryRun, "ec2:RunInstances", "ec2:StopInstances") {
		var not *errNotAsked
		if err := p.Ask(t.Context(), name, nil); !errors.As(err, &not) {
			t.Errorf("%s: %v, want not asked", name, err)
		}
	}
	if len(asked) > 0 {
		t.Errorf("asked %v", asked)
	}
	if err := p.Heeds(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestAProberStopsWhereDryRunIsNotHeeded: the first question is one that changes nothing.
func TestAProberStopsWhereDryRunIsNotHeeded(t *testing.T) {
	c, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "<DescribeInstancesResponse></DescribeInstancesResponse>")
	})
	if err := c.Prober().Heeds(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "does not heed DryRun") {
		t.Errorf("%v", err)
	}
	c, _ = answering(t, ec2Error(http.StatusForbidden, "UnauthorizedOperation", "no"))
	if err := c.Prober().Heeds(t.Context()); err != nil {
		t.Errorf("refused to an identity without reads: %v", err)
	}
}

// TestAProberWhoseSerializerDropsDryRun: what counts is the request as it is sent, not the input.
func TestAProberWhoseSerializerDropsDryRun(t *testing.T) {
	c, requests := answering(t, func(http.ResponseWriter, *http.Request) {})
	p := c.Prober()
	for name, change := range map[string]func(url.Values){
		"dropped": func(form url.Values) { form.Del("DryRun") },
		"false":   func(form url.Values) { form.Set("DryRun", "false") },
		"renamed": func(form url.Values) { form.Del("DryRun"); form.Set("dryRun", "true") },
		"twice":   func(form url.Values) { form.Add("DryRun", "false") },
	} {
		drops := func(stack *middleware.Stack) error {
			return stack.Serialize.Add(middleware.SerializeMiddlewareFunc("Drops",
				func(
					ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler,
				) (middleware.SerializeOutput, middleware.Metadata, error) {
					request := in.Request.(*smithyhttp.Request)
					body, _ := io.ReadAll(request.GetStream())
					form, _ := url.ParseQuery(string(body))
					change(form)
					in.Request, _ = request.SetStream(strings.NewReader(form.Encode()))
					return next.HandleSerialize(ctx, in)
				}), middleware.After)
		}
		_, err := p.api.TerminateInstances(t.Context(),
			&ec2.TerminateInstancesInput{InstanceIds: []string{"i-1"}, DryRun: aws.Bool(true)},
			func(o *ec2.Options) { o.APIOptions = append(o.APIOptions, drops) })
		if !errors.Is(err, errNotDryRun) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if requests.Load() != 0 {
		t.Errorf("%d requests left", requests.Load())
	}
}
