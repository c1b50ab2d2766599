package api

import (
	"crypto/md5"
	"encoding/hex"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/queue"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// sqsOperations are SQS's. To receive a message changes the queue: it hides the message.
var sqsOperations = map[string]Operation{
	"GetQueueAttributes": reading(getQueueAttributes),
	"GetQueueUrl":        reading(getQueueURL),

	"ChangeMessageVisibility": changing(changeMessageVisibility),
	"CreateQueue":             changing(createQueue),
	"DeleteMessage":           changing(deleteMessage),
	"DeleteMessageBatch":      changing(deleteMessageBatch),
	"ReceiveMessage":          changing(receiveMessage),
	"SendMessage":             changing(sendMessage),
}

// ofQueue is embedded in the parameters of the operations on one queue.
type ofQueue struct {
	QueueUrl string `query:"required"`
}

func (q ofQueue) resources(w *world.World) []string {
	account, name := splitQueueURL(q.QueueUrl)
	return []string{w.QueueARN(account, name)}
}

// splitQueueURL takes a queue's URL apart, https://sqs.REGION.amazonaws.com/ACCOUNT/NAME.
func splitQueueURL(address string) (account, name string) {
	u, err := url.Parse(address)
	if err != nil {
		return "", ""
	}
	account, name, _ = strings.Cut(strings.Trim(u.Path, "/"), "/")
	return account, name
}

// queue finds the queue that a URL names. That of another account is as one that is not there.
func (c *call) queue(address string) (*queue.Queue, error) {
	account, name := splitQueueURL(address)
	q := c.World.Queues[name]
	if q == nil || account != c.World.Owner {
		return nil, noQueue()
	}
	return q, nil
}

func noQueue() error {
	return refusal.New("QueueDoesNotExist", "The specified queue does not exist.")
}

// queueURL is what callers name a queue by.
func (c *call) queueURL(name string) string {
	return c.Endpoint + "/" + c.World.Owner + "/" + name
}

type queueURLOut struct{ QueueUrl string }

// queueAttributes are those of a queue that can be set.
type queueAttributes struct {
	VisibilityTimeout             *int
	MessageRetentionPeriod        *int
	MaximumMessageSize            *int
	DelaySeconds                  string `query:"unheld"`
	ReceiveMessageWaitTimeSeconds string `query:"unheld"`
	RedrivePolicy                 string `query:"unheld"`
	Policy                        string `query:"unheld"`
	FifoQueue                     string `query:"unheld"`
}

type createQueueIn struct {
	QueueName  string `query:"required"`
	Attributes queueAttributes
}

var queueNameForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// Bounds of SQS.
const (
	longestVisibility = 12 * 60 * 60 // seconds
	longestPatience   = 20           // seconds
	mostAtOnce        = 10
)

func createQueue(c *call, in *createQueueIn) (any, error) {
	if !queueNameForm.MatchString(in.QueueName) {
		return nil, refusal.InvalidValue("Can only include alphanumeric characters, hyphens, or " +
			"underscores. 1 to 80 in length")
	}
	s := queue.Default()
	for _, a := range []struct {
		name       string
		given      *int
		least, max int
		set        func(int)
	}{
		{"VisibilityTimeout", in.Attributes.VisibilityTimeout, 0, longestVisibility,
			func(n int) { s.Visibility = seconds(n) }},
		{"MessageRetentionPeriod", in.Attributes.MessageRetentionPeriod, 60, 14 * 24 * 60 * 60,
			func(n int) { s.Retention = seconds(n) }},
		{"MaximumMessageSize", in.Attributes.MaximumMessageSize, 1024, queue.DefaultMaxBytes,
			func(n int) { s.MaxBytes = n }},
	} {
		switch {
		case a.given == nil:
		case *a.given < a.least || *a.given > a.max:
			return nil, refusal.New("InvalidAttributeValue", "Invalid value for the parameter %s.", a.name)
		default:
			a.set(*a.given)
		}
	}
	if known := c.World.Queues[in.QueueName]; known != nil && known.Settings != s {
		return nil, refusal.New("QueueNameExists", "A queue already exists with the same name and a "+
			"different value for an attribute")
	} else if known == nil {
		c.World.Queues[in.QueueName] = queue.New(in.QueueName, s, c.Now)
	}
	return queueURLOut{c.queueURL(in.QueueName)}, nil
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

type getQueueURLIn struct {
	QueueName              string `query:"required"`
	QueueOwnerAWSAccountId string
}

func getQueueURL(c *call, in *getQueueURLIn) (any, error) {
	if other := in.QueueOwnerAWSAccountId; c.World.Queues[in.QueueName] == nil ||
		other != "" && other != c.World.Owner {
		return nil, noQueue()
	}
	return queueURLOut{c.queueURL(in.QueueName)}, nil
}

type getQueueAttributesIn struct {
	ofQueue
	AttributeNames []string
}

func getQueueAttributes(c *call, in *getQueueAttributesIn) (any, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	visible, hidden, delayed := q.Clone().Count(c.Now)
	all := map[string]string{
		"ApproximateNumberOfMessages":           strconv.Itoa(visible),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(hidden),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(delayed),
		"CreatedTimestamp":                      strconv.FormatInt(q.Created.Unix(), 10),
		"DelaySeconds":                          "0",
		"MaximumMessageSize":                    strconv.Itoa(q.Settings.MaxBytes),
		"MessageRetentionPeriod":                intText(int(q.Settings.Retention.Seconds())),
		"QueueArn":                              c.World.QueueARN(c.World.Owner, q.Name),
		"ReceiveMessageWaitTimeSeconds":         "0",
		"VisibilityTimeout":                     intText(int(q.Settings.Visibility.Seconds())),
	}
	shown, err := pickAttributes(all, in.AttributeNames)
	return struct{ Attributes map[string]string }{shown}, err
}

// pickAttributes are those that were asked for.
func pickAttributes(all map[string]string, names []string) (map[string]string, error) {
	if slices.Contains(names, "All") {
		return all, nil
	}
	shown := map[string]string{}
	for _, name := range names {
		value, known := all[name]
		if !known {
			return nil, refusal.New("InvalidAttributeName", "Unknown Attribute %s.", name)
		}
		shown[name] = value
	}
	return shown, nil
}

type sendMessageIn struct {
	ofQueue
	MessageBody       string `query:"required"`
	DelaySeconds      *int
	MessageAttributes []string `query:"unheld"`
	MessageGroupId    string   `query:"unheld"`
}

func sendMessage(c *call, in *sendMessageIn) (any, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	delay := 0
	if in.DelaySeconds != nil {
		delay = *in.DelaySeconds
	}
	switch {
	case delay < 0 || delay > 900:
		return nil, refusal.InvalidValue("Value %d for parameter DelaySeconds is invalid. Reason: "+
			"DelaySeconds must be >= 0 and <= 900.", delay)
	case len(in.MessageBody) > q.Settings.MaxBytes:
		return nil, refusal.InvalidValue("One or more parameters are invalid. Reason: Message must be "+
			"shorter than %d bytes.", q.Settings.MaxBytes)
	}
	return struct{ MessageId, MD5OfMessageBody string }{
		q.Put(in.MessageBody, c.Now, c.Now.Add(seconds(delay))), digestOf(in.MessageBody),
	}, nil
}

// digestOf is what SQS lets a body be checked by.
func digestOf(body string) string {
	sum := md5.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}

type receiveMessageIn struct {
	ofQueue
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
	AttributeNames              []string
	MessageSystemAttributeNames []string
	MessageAttributeNames       []string
	ReceiveRequestAttemptId     string `query:"unheld"`
}

func (in *receiveMessageIn) patience() time.Duration {
	if in.WaitTimeSeconds == nil {
		return 0
	}
	return seconds(min(*in.WaitTimeSeconds, longestPatience))
}

type messageOut struct {
	MessageId, ReceiptHandle, Body, MD5OfBody string

	Attributes map[string]string `json:",omitempty"`
}

type receivedOut struct {
	Messages []messageOut `json:",omitempty"`
}

// Nothing reports whether no message was there.
func (r receivedOut) Nothing() bool { return len(r.Messages) == 0 }

func (in *receiveMessageIn) fault() error {
	for _, p := range []struct {
		name       string
		given      *int
		least, max int
	}{
		{"MaxNumberOfMessages", in.MaxNumberOfMessages, 1, mostAtOnce},
		{"VisibilityTimeout", in.VisibilityTimeout, 0, longestVisibility},
		{"WaitTimeSeconds", in.WaitTimeSeconds, 0, longestPatience},
	} {
		if p.given != nil && (*p.given < p.least || *p.given > p.max) {
			return refusal.InvalidValue("Value %d for parameter %s is invalid. Reason: Must be between "+
				"%d and %d, if provided.", *p.given, p.name, p.least, p.max)
		}
	}
	return nil
}

func receiveMessage(c *call, in *receiveMessageIn) (any, error) {
	q, err := c.queue(in.QueueUrl)
	if err == nil {
		err = in.fault()
	}
	if err != nil {
		return nil, err
	}
	n, hide := 1, q.Settings.Visibility
	if in.MaxNumberOfMessages != nil {
		n = *in.MaxNumberOfMessages
	}
	if in.VisibilityTimeout != nil {
		hide = seconds(*in.VisibilityTimeout)
	}
	var out receivedOut
	for _, m := range q.Take(n, hide, c.Now) {
		shown, err := pickAttributes(map[string]string{
			"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.First.UnixMilli(), 10),
			"ApproximateReceiveCount":          strconv.Itoa(m.Received),
			"SenderId":                         c.World.Owner,
			"SentTimestamp":                    strconv.FormatInt(m.Sent.UnixMilli(), 10),
		}, slices.Concat(in.AttributeNames, in.MessageSystemAttributeNames))
		if err != nil {
			return nil, err
		}
		out.Messages = append(out.Messages, messageOut{MessageId: m.ID, ReceiptHandle: m.Receipt,
			Body: m.Body, MD5OfBody: digestOf(m.Body), Attributes: shown})
	}
	return out, nil
}

// noMembers is the answer of what answers nothing.
type noMembers struct{}

func foreignReceipt(receipt string) *refusal.Error {
	return refusal.New("ReceiptHandleIsInvalid", "The input receipt handle %q is not valid.", receipt)
}

type deleteMessageIn struct {
	ofQueue
	ReceiptHandle string `query:"required"`
}

func deleteMessage(c *call, in *deleteMessageIn) (any, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if q.Delete(in.ReceiptHandle, c.Now) == queue.Foreign {
		return nil, foreignReceipt(in.ReceiptHandle)
	}
	return noMembers{}, nil
}

type batchEntry struct{ Id, ReceiptHandle string }

type deleteMessageBatchIn struct {
	ofQueue
	Entries []batchEntry `query:"required"`
}

type batchFailure struct {
	Id, Code, Message string
	SenderFault       bool
}

type batchOut struct {
	Successful []struct{ Id string }
	Failed     []batchFailure `json:",omitempty"`
}

// deleteMessageBatch deletes what it can. One entry that can't be deleted fails alone.
func deleteMessageBatch(c *call, in *deleteMessageBatchIn) (any, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if len(in.Entries) > mostAtOnce {
		return nil, refusal.New("TooManyEntriesInBatchRequest", "Maximum number of entries per request "+
			"are %d. You have sent %d.", mostAtOnce, len(in.Entries))
	}
	seen := map[string]bool{}
	out := batchOut{Successful: []struct{ Id string }{}}
	for _, e := range in.Entries {
		if seen[e.Id] {
			return nil, refusal.New("BatchEntryIdsNotDistinct", "Id %s repeated.", e.Id)
		}
		seen[e.Id] = true
		if q.Delete(e.ReceiptHandle, c.Now) == queue.Foreign {
			refused := foreignReceipt(e.ReceiptHandle)
			out.Failed = append(out.Failed, batchFailure{e.Id, refused.Code, refused.Message, true})
			continue
		}
		out.Successful = append(out.Successful, struct{ Id string }{e.Id})
	}
	return out, nil
}

type changeMessageVisibilityIn struct {
	ofQueue
	ReceiptHandle     string `query:"required"`
	VisibilityTimeout *int   `query:"required"`
}

func changeMessageVisibility(c *call, in *changeMessageVisibilityIn) (any, error) {
	q, err := c.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	n := *in.VisibilityTimeout
	if n < 0 || n > longestVisibility {
		return nil, refusal.InvalidValue("Value %d for parameter VisibilityTimeout is invalid. Reason: "+
			"VisibilityTimeout must be an integer between 0 and %d.", n, longestVisibility)
	}
	switch q.Hide(in.ReceiptHandle, seconds(n), c.Now) {
	case queue.Foreign:
		return nil, foreignReceipt(in.ReceiptHandle)
	case queue.Over:
		return nil, refusal.New("MessageNotInflight", "The message referred to is not in flight.")
	}
	return noMembers{}, nil
}
