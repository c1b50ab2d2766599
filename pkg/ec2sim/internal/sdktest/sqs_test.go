package sdktest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

// clock goes on as time does, and further when it is told to.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// bench is a queue of a lab, and a client of SQS.
type bench struct {
	*testing.T
	*sqs.Client
	sim   *ec2sim.Sim
	clock clock
	url   string
}

func newBench(t *testing.T, q ec2sim.Queue) *bench {
	t.Helper()
	b := &bench{T: t}
	b.sim = ec2sim.New(ec2sim.Lab(), ec2sim.WithClock(b.clock.now))
	srv, err := ec2sim.Start(b.sim, ec2sim.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	client(t, srv.Env())
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.Client = sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.Retryer = aws.NopRetryer{} })
	q.Region, q.Name = ec2sim.LabRegion, "nodes"
	if err := b.sim.SetQueue(q); err != nil {
		t.Fatal(err)
	}
	out, err := b.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: &q.Name})
	if err != nil {
		t.Fatal(err)
	}
	b.url = *out.QueueUrl
	return b
}

func (b *bench) send(body string) {
	b.Helper()
	if _, err := b.SendMessage(b.Context(), &sqs.SendMessageInput{QueueUrl: &b.url,
		MessageBody: &body}); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) receive() []types.Message {
	b.Helper()
	out, err := b.ReceiveMessage(b.Context(), &sqs.ReceiveMessageInput{QueueUrl: &b.url,
		MaxNumberOfMessages: 10,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{
			types.MessageSystemAttributeNameApproximateReceiveCount}})
	if err != nil {
		b.Fatal(err)
	}
	return out.Messages
}

func (b *bench) hide(receipt *string, seconds int32) error {
	_, err := b.ChangeMessageVisibility(b.Context(), &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &b.url, ReceiptHandle: receipt, VisibilityTimeout: seconds})
	return err
}

func (b *bench) remove(receipt *string) error {
	_, err := b.DeleteMessage(b.Context(), &sqs.DeleteMessageInput{QueueUrl: &b.url,
		ReceiptHandle: receipt})
	return err
}

func bodies(messages []types.Message) string {
	var all []string
	for _, m := range messages {
		all = append(all, *m.Body+" "+m.Attributes["ApproximateReceiveCount"])
	}
	return strings.Join(all, ", ")
}

func wantBodies(t *testing.T, got []types.Message, want string) {
	t.Helper()
	if bodies(got) != want {
		t.Errorf("received %q, want %q", bodies(got), want)
	}
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var refused smithy.APIError
	if !errors.As(err, &refused) || refused.ErrorCode() != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

// A message that was received is hidden for a time, comes again, and goes when it is deleted.
func TestQueueHidesWhatWasReceived(t *testing.T) {
	b := newBench(t, ec2sim.Queue{})
	b.send("one")
	b.send("two")
	first := b.receive()
	wantBodies(t, first, "one 1, two 1")
	wantBodies(t, b.receive(), "")
	if err := b.hide(first[1].ReceiptHandle, 0); err != nil {
		t.Fatal(err)
	}
	again := b.receive()
	wantBodies(t, again, "two 2")
	b.clock.advance(31 * time.Second)
	wantCode(t, b.hide(first[0].ReceiptHandle, 10), "MessageNotInflight")
	last := b.receive()
	wantBodies(t, last, "one 2, two 3")
	// A receipt that is not the last one deletes nothing.
	if err := b.remove(again[0].ReceiptHandle); err != nil {
		t.Fatal(err)
	}
	for _, m := range last {
		if err := b.remove(m.ReceiptHandle); err != nil {
			t.Fatal(err)
		}
	}
	if left := b.sim.Queues()[0]; left.Visible+left.Hidden != 0 {
		t.Error(left)
	}
	wantCode(t, b.remove(aws.String("nodes#99")), "ReceiptHandleIsInvalid")
	wantCode(t, b.remove(aws.String("other#1")), "ReceiptHandleIsInvalid")
}

// What SQS may do at any time, a queue does on demand.
func TestQueueRepeatsAndReorders(t *testing.T) {
	b := newBench(t, ec2sim.Queue{Twice: true, NewestFirst: true})
	b.send("one")
	b.send("two")
	first := b.receive()
	wantBodies(t, first, "two 1, one 1")
	second := b.receive()
	wantBodies(t, second, "two 1, one 1")
	if *first[0].MessageId != *second[0].MessageId ||
		*first[0].ReceiptHandle == *second[0].ReceiptHandle {
		t.Error(first[0], second[0])
	}
	out, err := b.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: &b.url,
		Entries: []types.DeleteMessageBatchRequestEntry{
			{Id: aws.String("a"), ReceiptHandle: first[0].ReceiptHandle},
			{Id: aws.String("b"), ReceiptHandle: aws.String("stray")}}})
	if err != nil || len(out.Successful) != 1 || *out.Successful[0].Id != "a" ||
		len(out.Failed) != 1 || *out.Failed[0].Code != "ReceiptHandleIsInvalid" {
		t.Error(out, err)
	}
	if left := b.sim.Queues()[0]; left.Hidden != 3 {
		t.Error(left)
	}
}

// A call that waits is answered as soon as an instance changes its state, also by time alone.
func TestQueueWaitsForChanges(t *testing.T) {
	b := newBench(t, ec2sim.Queue{Events: []string{ec2sim.EC2Events}})
	region := b.sim.Region(ec2sim.LabRegion)
	var states []string
	b.sim.OnCall(func(c ec2sim.Call) ec2sim.Verdict {
		if c.Operation == "ReceiveMessage" && c.Phase == ec2sim.BeforeEffect && len(states) == 0 {
			go region.Terminate(ec2sim.LabDB)
		}
		return ec2sim.Proceed
	})
	for len(states) < 2 {
		out, err := b.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &b.url,
			WaitTimeSeconds: 20})
		if err != nil || len(out.Messages) != 1 {
			t.Fatal(out, err)
		}
		states = append(states, stateTold(t, *out.Messages[0].Body))
	}
	if !slices.Equal(states, []string{"shutting-down", "terminated"}) {
		t.Error(states)
	}
}

// event is what EventBridge passes on of an instance's state.
type event struct {
	Version    string    `json:"version"`
	ID         string    `json:"id"`
	DetailType string    `json:"detail-type"`
	Source     string    `json:"source"`
	Account    string    `json:"account"`
	Time       time.Time `json:"time"`
	Region     string    `json:"region"`
	Resources  []string  `json:"resources"`
	Detail     struct {
		ID    string `json:"instance-id"`
		State string `json:"state"`
	} `json:"detail"`
}

// stateTold is the state that a message about the lab's database tells, in EventBridge's form.
func stateTold(t *testing.T, body string) string {
	t.Helper()
	var e event
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Fatal(err)
	}
	want := event{Version: "0", ID: e.ID, DetailType: "EC2 Instance State-change Notification",
		Source: "aws.ec2", Account: ec2sim.DefaultOwner, Time: e.Time.Truncate(time.Second),
		Region:    ec2sim.LabRegion,
		Resources: []string{"arn:aws:ec2:ap-northeast-1:123456789012:instance/" + ec2sim.LabDB}}
	want.Detail.ID, want.Detail.State = ec2sim.LabDB, e.Detail.State
	if diff := cmp.Diff(want, e); diff != "" || e.Time.IsZero() || len(e.ID) != 36 {
		t.Errorf("%s\n%s", diff, body)
	}
	return e.Detail.State
}

// Nobody gets a message for whom nobody waits any more.
func TestQueueForgetsWhoIsGone(t *testing.T) {
	b := newBench(t, ec2sim.Queue{})
	ctx, leave := context.WithCancel(t.Context())
	b.sim.OnCall(func(c ec2sim.Call) ec2sim.Verdict {
		if c.Operation == "ReceiveMessage" && c.Phase == ec2sim.BeforeEffect && ctx.Err() == nil {
			leave()
		}
		return ec2sim.Proceed
	})
	_, err := b.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &b.url, WaitTimeSeconds: 20})
	if err == nil {
		t.Error("a call that was given up has an answer")
	}
	b.send("one")
	wantBodies(t, b.receive(), "one 1")
}

// Faults strike as they strike other operations, and what is refused is refused in SQS's words.
func TestQueueFaultsAndRights(t *testing.T) {
	b := newBench(t, ec2sim.Queue{})
	b.send("one")
	for _, f := range []ec2sim.Fault{ec2sim.Fail("ReceiveMessage", "ServiceUnavailable"),
		ec2sim.LoseRequest("ReceiveMessage")} {
		if err := b.sim.Inject(f); err != nil {
			t.Fatal(err)
		}
		if _, err := b.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: &b.url}); err == nil {
			t.Error("no fault struck")
		}
	}
	// An answer that was lost leaves the message hidden.
	if err := b.sim.Inject(ec2sim.LoseAnswer("ReceiveMessage")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &b.url}); err == nil {
		t.Error("an answer came")
	}
	if q := b.sim.Queues()[0]; q.Hidden != 1 || q.Visible != 0 {
		t.Error(q)
	}
	for _, address := range []string{
		strings.Replace(b.url, "/nodes", "/other", 1),
		strings.Replace(b.url, ec2sim.DefaultOwner, "222233334444", 1),
		"https://sqs.eu-west-1.amazonaws.com/" + ec2sim.DefaultOwner + "/gone",
	} {
		_, err := b.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &address})
		wantCode(t, err, "AWS.SimpleQueueService.NonExistentQueue")
	}
	_, err := b.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &b.url,
		MaxNumberOfMessages: 11})
	wantCode(t, err, "InvalidParameterValue")
	err = b.sim.SetPolicies(ec2sim.LabCredential.AccessKeyID, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"sqs:*","Resource":"arn:aws:sqs:*:*:other"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &b.url,
		WaitTimeSeconds: 20})
	wantCode(t, err, "AccessDenied")
}
