// Package events takes changes of state from a queue that a cloud's bus fills, as they happen.
//
// It guarantees:
//
//   - A message is deleted after the store has committed what it says, and never before. One that
//     comes twice, or late, changes nothing more.
//   - What is not for the store's managers is left: another account, a region that none covers. It
//     may be for somebody else.
//   - What is not understood is left, and counted. The queue's own rules say what becomes of it.
//   - Events only hasten: scans find out what was lost.
package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"aws-provider-executor/pkg/nodes"
)

// Message is one of a queue.
type Message struct {
	// ID is for people, and Receipt is what it is deleted by.
	ID, Receipt, Body string
}

// Queue gives messages out, each at least once, in no order.
type Queue interface {
	// Receive waits a while for messages. None is no error.
	Receive(ctx context.Context) ([]Message, error)
	// Delete deletes messages by their receipts.
	Delete(ctx context.Context, receipts []string) error
}

// Store is what a listener needs of a store of nodes.
type Store interface {
	Managers(ctx context.Context) ([]nodes.Manager, error)
	ApplyEvent(ctx context.Context, e nodes.Event) (nodes.Received, error)
}

// Fate is what became of a message.
type Fate string

const (
	// Applied is that of one which the store took over; it was deleted.
	Applied Fate = "applied"
	// Foreign is that of one which is for no manager of the store; it was left.
	Foreign Fate = "foreign"
	// Malformed is that of one which is not understood; it was left.
	Malformed Fate = "malformed"
)

// Told is what a message came to.
type Told struct {
	Message Message
	Fate    Fate
	// Reason says why it was left.
	Reason   string
	Event    nodes.Event
	Received nodes.Received
}

// change is an event of the bus: EC2's change of state of an instance.
type change struct {
	DetailType string    `json:"detail-type"`
	Source     string    `json:"source"`
	Account    string    `json:"account"`
	Time       time.Time `json:"time"`
	Region     string    `json:"region"`
	Detail     struct {
		InstanceID string `json:"instance-id"`
		State      string `json:"state"`
	} `json:"detail"`
}

const (
	busSource = "aws.ec2"
	busType   = "EC2 Instance State-change Notification"
)

// states are EC2's.
var states = map[string]nodes.State{
	"pending": nodes.StatePending, "running": nodes.StateRunning,
	"shutting-down": nodes.StateShuttingDown, "stopping": nodes.StateStopping,
	"stopped": nodes.StateStopped, "terminated": nodes.StateTerminated,
}

// parse reads a message. What the bus says of later than now is of now: its clock may be wrong.
func parse(body string, now time.Time) (nodes.Event, error) {
	var c change
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		return nodes.Event{}, errors.New("it is no event in JSON")
	}
	state, known := states[c.Detail.State]
	switch {
	case c.Source != busSource || c.DetailType != busType:
		return nodes.Event{}, fmt.Errorf("it is a %.40q of %.40q, want %q of %q", c.DetailType, c.Source,
			busType, busSource)
	case !known:
		return nodes.Event{}, fmt.Errorf("EC2 has no state %.40q", c.Detail.State)
	case !strings.HasPrefix(c.Detail.InstanceID, "i-") || c.Account == "" || c.Region == "":
		return nodes.Event{}, errors.New("it does not say which instance, account and region")
	case c.Time.IsZero():
		return nodes.Event{}, errors.New("it does not say when")
	}
	if c.Time.After(now) {
		c.Time = now
	}
	return nodes.Event{Type: nodes.TypeInstance, State: state, At: c.Time.UTC(),
		Source: nodes.Source{ID: c.Detail.InstanceID, Region: c.Region, AccountID: c.Account}}, nil
}

// Listener takes messages over until it is told to stop.
type Listener struct {
	Queue Queue
	Store Store
	// Now is the clock, and After a timer; time.Now and time.After when nil.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
	// Told is called with what became of each message, and Failed with what failed in the queue or the
	// store. The listener goes on.
	Told   func(Told)
	Failed func(error)
}

const (
	firstWait = time.Second
	lastWait  = time.Minute
)

// Run listens until the context ends. What it has received and not deleted comes again.
func (l *Listener) Run(ctx context.Context) {
	now, after := l.Now, l.After
	if now == nil {
		now = time.Now
	}
	if after == nil {
		after = time.After
	}
	wait := firstWait
	for ctx.Err() == nil {
		err := l.round(ctx, now)
		if err == nil {
			wait = firstWait
			continue
		}
		if ctx.Err() != nil {
			return
		}
		l.Failed(err)
		select {
		case <-ctx.Done():
		case <-after(wait):
		}
		wait = min(2*wait, lastWait)
	}
}

// round receives once, and deletes what the store took over.
func (l *Listener) round(ctx context.Context, now func() time.Time) error {
	messages, err := l.Queue.Receive(ctx)
	if err != nil || len(messages) == 0 {
		return err
	}
	managers, err := l.Store.Managers(ctx)
	if err != nil {
		return err
	}
	var done []string
	var errs []error
	for _, m := range messages {
		told, err := l.take(ctx, m, managers, now())
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if told.Fate == Applied {
			done = append(done, m.Receipt)
		}
		l.Told(told)
	}
	if len(done) > 0 {
		// What was committed need not come again, also where the listener is told to stop.
		errs = append(errs, l.Queue.Delete(context.WithoutCancel(ctx), done))
	}
	return errors.Join(errs...)
}

// take has the store take a message over.
func (l *Listener) take(
	ctx context.Context, m Message, managers []nodes.Manager, now time.Time,
) (Told, error) {
	e, err := parse(m.Body, now)
	if err != nil {
		return Told{Message: m, Fate: Malformed, Reason: err.Error()}, nil
	}
	for _, x := range managers {
		// A manager that never found out its account speaks for none.
		if x.Type == nodes.ManagerEC2 && x.Checked.AccountID == e.Source.AccountID &&
			x.Covers(e.Source.AccountID, e.Source.Region) {
			e.Manager = x.ID
			received, err := l.Store.ApplyEvent(context.WithoutCancel(ctx), e)
			return Told{Message: m, Fate: Applied, Event: e, Received: received}, err
		}
	}
	return Told{Message: m, Fate: Foreign, Event: e, Reason: fmt.Sprintf(
		"no manager looks at %s in the account %s", e.Source.Region, e.Source.AccountID)}, nil
}
