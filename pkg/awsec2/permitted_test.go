package awsec2

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

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
