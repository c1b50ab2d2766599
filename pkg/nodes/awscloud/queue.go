package awscloud

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/events"
)

const (
	// longPoll is how many seconds SQS waits for messages, and atOnce how many it gives and takes.
	longPoll, atOnce = 20, 10
	// queueTime is how long a call may take: the wait, and as much again.
	queueTime = 2 * longPoll * time.Second
)

// Queue is a queue of SQS.
type Queue struct {
	client *sqs.Client
	url    string
}

var _ events.Queue = (*Queue)(nil)

// OpenQueue opens a queue by its URL, with the identity that the program has. No call is sent.
func OpenQueue(ctx context.Context, address string, log *slog.Logger) (*Queue, error) {
	region, err := queueRegion(address)
	if err != nil {
		return nil, err
	}
	c, err := Open(ctx, nodes.Manager{Type: nodes.ManagerEC2,
		Access: nodes.Access{Kind: nodes.AccessAmbient}}, Options{Log: log, Timeout: queueTime})
	if err != nil {
		return nil, err
	}
	cfg := c.cfg.Copy()
	if region != "" {
		cfg.Region = region
	}
	return &Queue{client: sqs.NewFromConfig(cfg), url: address}, nil
}

// queueRegion is the region of a queue's URL: https://sqs.REGION.amazonaws.com/ACCOUNT/NAME. It is
// empty for an endpoint of another form, as a stand-in's.
func queueRegion(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") ||
		strings.Count(strings.Trim(u.Path, "/"), "/") != 1 {
		return "", fmt.Errorf("%q is no URL of a queue, as https://sqs.REGION.amazonaws.com/ACCOUNT/NAME",
			address)
	}
	parts := strings.Split(u.Hostname(), ".")
	if len(parts) >= 4 && parts[0] == "sqs" && slices.Contains(parts, "amazonaws") {
		return parts[1], nil
	}
	return "", nil
}

// Receive waits for messages.
func (q *Queue) Receive(ctx context.Context) ([]events.Message, error) {
	limited, cancel := context.WithTimeout(ctx, queueTime)
	defer cancel()
	out, err := q.client.ReceiveMessage(limited, &sqs.ReceiveMessageInput{QueueUrl: &q.url,
		MaxNumberOfMessages: atOnce, WaitTimeSeconds: longPoll})
	if err != nil {
		return nil, fmt.Errorf("cannot receive from the queue: %w", failure(err))
	}
	all := make([]events.Message, len(out.Messages))
	for i, m := range out.Messages {
		all[i] = events.Message{ID: aws.ToString(m.MessageId), Receipt: aws.ToString(m.ReceiptHandle),
			Body: aws.ToString(m.Body)}
	}
	return all, nil
}

// Delete deletes messages. One that can't be deleted comes again, which changes nothing.
func (q *Queue) Delete(ctx context.Context, receipts []string) error {
	for part := range slices.Chunk(receipts, atOnce) {
		entries := make([]types.DeleteMessageBatchRequestEntry, len(part))
		for i := range part {
			entries[i] = types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)),
				ReceiptHandle: &part[i]}
		}
		limited, cancel := context.WithTimeout(ctx, queueTime)
		out, err := q.client.DeleteMessageBatch(limited, &sqs.DeleteMessageBatchInput{QueueUrl: &q.url,
			Entries: entries})
		cancel()
		switch {
		case err != nil:
			return fmt.Errorf("cannot delete from the queue: %w", failure(err))
		case len(out.Failed) > 0:
			return fmt.Errorf("the queue did not delete %d messages, which will come again: %s",
				len(out.Failed), aws.ToString(out.Failed[0].Code))
		}
	}
	return nil
}
