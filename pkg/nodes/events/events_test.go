package events_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/events"
	"aws-provider-executor/pkg/nodes/store"
)

const account = "123456789012"

var day = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// body is a change of state as EventBridge has it.
func body(id, state, account, region string, at time.Time) string {
	return fmt.Sprintf(`{"version":"0","id":"e","detail-type":"EC2 Instance State-change Notification",
"source":"aws.ec2","account":%q,"time":%q,"region":%q,"resources":["arn:aws:ec2:x"],
"detail":{"instance-id":%q,"state":%q}}`, account, at.Format(time.RFC3339), region, id, state)
}

// queue gives out rounds of messages, one after the other.
type queue struct {
	rounds  [][]string
	deleted []string
	stop    context.CancelFunc
	fails   error
}

func (q *queue) Receive(context.Context) ([]events.Message, error) {
	if err := q.fails; err != nil {
		q.fails = nil
		return nil, err
	}
	if len(q.rounds) == 0 {
		q.stop()
		return nil, nil
	}
	var all []events.Message
	for i, b := range q.rounds[0] {
		all = append(all, events.Message{ID: fmt.Sprint(i), Receipt: b, Body: b})
	}
	q.rounds = q.rounds[1:]
	return all, nil
}

func (q *queue) Delete(_ context.Context, receipts []string) error {
	q.deleted = append(q.deleted, receipts...)
	return nil
}

// bed is a store with a manager of the account in the regions eu-*.
type bed struct {
	*testing.T
	*store.Store
	manager nodes.Manager
	fates   []string
	failed  []error
}

func newBed(t *testing.T) *bed {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "nodes.db"),
		store.Options{Create: true, Now: func() time.Time { return day.Add(time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	m, err := s.CreateManager(t.Context(), nodes.Manager{Name: "own", Type: nodes.ManagerEC2,
		Regions: []string{"eu-*"}, Access: nodes.Access{Kind: nodes.AccessAmbient}})
	if err == nil {
		err = s.RecordCheck(t.Context(), m.ID, nodes.Check{At: day, Status: nodes.StatusReachable,
			AccountID: account})
	}
	if err != nil {
		t.Fatal(err)
	}
	return &bed{T: t, Store: s, manager: m}
}

// listen has a listener take rounds of messages, and returns what was deleted.
func (b *bed) listen(on events.Store, rounds ...[]string) []string {
	b.Helper()
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	q := &queue{rounds: rounds, stop: stop}
	b.run(ctx, on, q)
	return q.deleted
}

func (b *bed) run(ctx context.Context, on events.Store, q *queue) {
	l := events.Listener{Queue: q, Store: on, Now: func() time.Time { return day.Add(time.Hour) },
		After: func(time.Duration) <-chan time.Time {
			at := make(chan time.Time, 1)
			at <- day
			return at
		},
		Told:   func(x events.Told) { b.fates = append(b.fates, string(x.Fate)+" "+x.Reason) },
		Failed: func(err error) { b.failed = append(b.failed, err) }}
	l.Run(ctx)
}

func (b *bed) state(id string) nodes.State {
	b.Helper()
	n, err := b.Find(context.Background(), id)
	if err != nil {
		b.Fatal(err)
	}
	return n.State
}

// TestOutOfOrder: late and repeated messages never lower what is known, and are done with.
func TestOutOfOrder(t *testing.T) {
	b := newBed(t)
	running := body("i-1", "running", account, "eu-west-1", day)
	stopping := body("i-1", "stopping", account, "eu-west-1", day.Add(time.Minute))
	stopped := body("i-1", "stopped", account, "eu-west-1", day.Add(2*time.Minute))
	deleted := b.listen(b.Store, []string{running, stopped}, []string{stopping, running, stopped})
	if len(deleted) != 5 || b.state("i-1") != nodes.StateStopped {
		t.Error(len(deleted), b.state("i-1"))
	}
	n, err := b.Find(t.Context(), "i-1")
	if err != nil {
		t.Fatal(err)
	}
	history, err := b.History(t.Context(), n.ID)
	if err != nil || len(history) == 0 {
		t.Error(history, err)
	}
	for _, c := range history {
		if c.Field == "state" && c.To == string(nodes.StateStopping) {
			t.Error("the late one was taken over")
		}
	}
}

// TestLeft: what is for others, and what is not understood, is left in the queue and changes
// nothing.
func TestLeft(t *testing.T) {
	b := newBed(t)
	all := []string{
		body("i-1", "running", "999999999999", "eu-west-1", day),
		body("i-1", "running", account, "us-west-2", day),
		"no JSON", "{}",
		body("i-1", "rebooting", account, "eu-west-1", day),
		body("vol-1", "running", account, "eu-west-1", day),
		body("i-1", "running", "", "eu-west-1", day),
		strings.Replace(body("i-1", "running", account, "eu-west-1", day), "aws.ec2", "mine", 1),
		strings.Replace(body("i-1", "running", account, "eu-west-1", day), `"time"`, `"when"`, 1),
	}
	if deleted := b.listen(b.Store, all); len(deleted) != 0 {
		t.Error(deleted)
	}
	for i, fate := range b.fates {
		want := events.Malformed
		if i < 2 {
			want = events.Foreign
		}
		if !strings.HasPrefix(fate, string(want)) {
			t.Error(i, fate)
		}
	}
	totals, err := b.Count(t.Context(), nil)
	if err != nil || totals.All != 0 || len(b.fates) != len(all) {
		t.Error(totals, err, b.fates)
	}
}

// TestUnknownInstance: a change alone makes an instance known that runs, and no other.
func TestUnknownInstance(t *testing.T) {
	b := newBed(t)
	b.listen(b.Store, []string{body("i-1", "running", account, "eu-west-1", day),
		body("i-2", "stopped", account, "eu-west-1", day)})
	totals, err := b.Count(t.Context(), nil)
	if err != nil || totals.All != 1 || b.state("i-1") != nodes.StateRunning {
		t.Error(totals, err)
	}
}

// sick is a store that can't be written.
type sick struct{ *store.Store }

var errSick = errors.New("the disk is full")

func (sick) ApplyEvent(context.Context, nodes.Event) (nodes.Received, error) {
	return nodes.Received{}, errSick
}

// TestNothingIsDeletedThatIsNotKept: a message whose change is not committed stays in the queue.
func TestNothingIsDeletedThatIsNotKept(t *testing.T) {
	b := newBed(t)
	deleted := b.listen(sick{b.Store}, []string{body("i-1", "running", account, "eu-west-1", day)})
	if len(deleted) != 0 || len(b.failed) != 1 || !errors.Is(b.failed[0], errSick) {
		t.Error(deleted, b.failed)
	}
}

// TestSickQueue: the listener goes on after a queue that gives no answer.
func TestSickQueue(t *testing.T) {
	b := newBed(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	q := &queue{stop: stop, fails: errors.New("no answer"),
		rounds: [][]string{{body("i-1", "running", account, "eu-west-1", day)}}}
	b.run(ctx, b.Store, q)
	if len(b.failed) != 1 || len(q.deleted) != 1 {
		t.Error(b.failed, q.deleted)
	}
}

// TestClockAhead: what is said to be of later than now is of now, so that a later change holds.
func TestClockAhead(t *testing.T) {
	b := newBed(t)
	b.listen(b.Store, []string{body("i-1", "running", account, "eu-west-1", day.Add(48*time.Hour))})
	n, err := b.Find(t.Context(), "i-1")
	if err != nil || n.Said.At.After(day.Add(time.Hour)) {
		t.Error(n.Said, err)
	}
}
