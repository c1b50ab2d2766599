package awscloud

import (
	"log/slog"
	"os"
	"strings"
	"testing"

	"aws-provider-executor/pkg/ec2sim"
)

const many = 13

// filled opens a queue of a stand-in, into which many messages were put.
func filled(t *testing.T) (*ec2sim.Sim, *Queue) {
	t.Helper()
	s, c := cloud(t)
	if err := s.SetQueue(ec2sim.Queue{Region: c.cfg.Region, Name: "nodes"}); err != nil {
		t.Fatal(err)
	}
	for range many {
		err := s.Put(ec2sim.Message{Region: c.cfg.Region, Queue: "nodes", Body: "one"})
		if err != nil {
			t.Fatal(err)
		}
	}
	q, err := OpenQueue(t.Context(), os.Getenv("AWS_ENDPOINT_URL_SQS")+s.Queues()[0].URL,
		slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s, q
}

// TestQueue: messages come with what they are deleted by, and more are deleted than one call takes.
func TestQueue(t *testing.T) {
	s, q := filled(t)
	var receipts []string
	for len(receipts) < many {
		all, err := q.Receive(t.Context())
		if err != nil || len(all) == 0 {
			t.Fatal(all, err)
		}
		for _, m := range all {
			if m.ID == "" || m.Body != "one" {
				t.Error(m)
			}
			receipts = append(receipts, m.Receipt)
		}
	}
	if waits := s.Calls()[0].Params["WaitTimeSeconds"]; waits != "20" {
		t.Errorf("it waits for %s s", waits)
	}
	if err := q.Delete(t.Context(), receipts); err != nil {
		t.Error(err)
	}
	if left := s.Queues()[0]; left.Visible+left.Hidden != 0 {
		t.Error(left)
	}
}

// TestQueueFails: what fails is told with SQS's word, and nothing is taken for deleted.
func TestQueueFails(t *testing.T) {
	s, q := filled(t)
	err := q.Delete(t.Context(), []string{"stray"})
	if err == nil || !strings.Contains(err.Error(), "ReceiptHandleIsInvalid") {
		t.Error(err)
	}
	if err := s.Inject(ec2sim.Fail("ReceiveMessage", "AccessDenied")); err != nil {
		t.Fatal(err)
	}
	all, err := q.Receive(t.Context())
	if err == nil || len(all) > 0 || !strings.Contains(err.Error(), "AccessDenied") {
		t.Error(all, err)
	}
	if left := s.Queues()[0]; left.Visible != many {
		t.Error(left)
	}
}

func TestNoQueue(t *testing.T) {
	for _, address := range []string{"", "nodes", "arn:aws:sqs:eu-west-1:123456789012:nodes",
		"https://sqs.eu-west-1.amazonaws.com/", "ftp://h/1/n"} {
		_, err := OpenQueue(t.Context(), address, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "is no URL of a queue") {
			t.Error(address, err)
		}
	}
}
