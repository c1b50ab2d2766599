// Package queue is a queue as SQS keeps it. A message is given out at least once and in no
// promised order. Whoever receives it has it alone for a time, and deletes it by a receipt.
//
// The package knows no requests, no cloud and no clock: whoever calls says what time it is. A
// Queue is not safe for concurrent use.
package queue

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settings are what a queue is set to.
type Settings struct {
	// Visibility is how long a message that was received is hidden from others.
	Visibility time.Duration
	// Retention is how long a message is kept.
	Retention time.Duration
	// MaxBytes bounds a message's body.
	MaxBytes int
	// Twice has each message given out a second time, by a receipt of its own, though the first one
	// was deleted. SQS may do so at any time.
	Twice bool
	// NewestFirst has messages given out in the wrong order, as SQS may.
	NewestFirst bool
}

// SQS's defaults.
const (
	DefaultVisibility = 30 * time.Second
	DefaultRetention  = 4 * 24 * time.Hour
	DefaultMaxBytes   = 1 << 20
)

// Default are SQS's settings of a queue for which nobody asked for others.
func Default() Settings {
	return Settings{Visibility: DefaultVisibility, Retention: DefaultRetention,
		MaxBytes: DefaultMaxBytes}
}

// Message is one of a queue, as whoever receives it sees it.
type Message struct {
	ID, Body string
	// Receipt is what this receipt of the message is deleted by. Each receipt has another.
	Receipt string
	// Sent and First are when it was sent, and when it was first received.
	Sent, First time.Time
	// Received counts the receipts, this one included.
	Received int
}

// held is a message in a queue.
type held struct {
	Message
	// visible is when it can be received.
	visible time.Time
}

// Queue is one queue.
type Queue struct {
	Name     string
	Created  time.Time
	Settings Settings

	messages []held
	sent     int // so far
	receipts int // given so far
}

// New returns an empty queue.
func New(name string, s Settings, now time.Time) *Queue {
	return &Queue{Name: name, Settings: s, Created: now}
}

// Clone returns a deep copy.
func (q *Queue) Clone() *Queue {
	c := *q
	c.messages = slices.Clone(q.messages)
	return &c
}

// Put adds a message that can be received from the time visible on, and returns its id.
func (q *Queue) Put(body string, now, visible time.Time) string {
	q.sent++
	m := held{Message: Message{ID: q.id(), Body: body, Sent: now}, visible: visible}
	q.messages = append(q.messages, m)
	if q.Settings.Twice {
		q.messages = append(q.messages, m)
	}
	return m.ID
}

// id makes the id of the last message, which follows from the messages before it alone.
func (q *Queue) id() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", q.Name, q.Created.UnixNano(), q.sent))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// Take gives out messages that nobody else has, n of them at most, and hides them for a time.
func (q *Queue) Take(n int, hide time.Duration, now time.Time) []Message {
	q.expire(now)
	var taken []Message
	for i := range q.messages {
		if q.Settings.NewestFirst {
			i = len(q.messages) - 1 - i
		}
		m := &q.messages[i]
		// A message is not in one answer twice.
		if len(taken) == n || now.Before(m.visible) || slices.ContainsFunc(taken,
			func(other Message) bool { return other.ID == m.ID }) {
			continue
		}
		if m.Received++; m.Received == 1 {
			m.First = now
		}
		q.receipts++
		m.Receipt = q.Name + "#" + strconv.Itoa(q.receipts)
		m.visible = now.Add(hide)
		taken = append(taken, m.Message)
	}
	return taken
}

// Receipt says what a receipt is worth.
type Receipt int

const (
	// Foreign is one that the queue never gave.
	Foreign Receipt = iota
	// Over is one of a message that was deleted, or received by somebody else since.
	Over
	// Good is one of a message that is hidden for whoever has it.
	Good
)

// Delete deletes the message of a receipt. One that is over deletes nothing.
func (q *Queue) Delete(receipt string, now time.Time) Receipt {
	at, r := q.find(receipt, now)
	if at >= 0 {
		q.messages = slices.Delete(q.messages, at, at+1)
	}
	return r
}

// Hide has the message of a good receipt be hidden for a time from now on; none gives it back.
func (q *Queue) Hide(receipt string, hide time.Duration, now time.Time) Receipt {
	at, r := q.find(receipt, now)
	if r == Good {
		q.messages[at].visible = now.Add(hide)
	}
	return r
}

// find finds the message that a receipt is the last one of; -1 where there is none. Until somebody
// else receives it, a message can be deleted though it is no longer hidden.
func (q *Queue) find(receipt string, now time.Time) (int, Receipt) {
	number, ours := strings.CutPrefix(receipt, q.Name+"#")
	if n, err := strconv.Atoi(number); !ours || err != nil || n < 1 || n > q.receipts {
		return -1, Foreign
	}
	at := slices.IndexFunc(q.messages, func(m held) bool { return m.Receipt == receipt })
	if at < 0 || !now.Before(q.messages[at].visible) {
		return at, Over
	}
	return at, Good
}

// Count is how many messages can be received, are hidden by a receipt, and are still to come.
func (q *Queue) Count(now time.Time) (visible, hidden, delayed int) {
	q.expire(now)
	for _, m := range q.messages {
		switch {
		case !now.Before(m.visible):
			visible++
		case m.Received > 0:
			hidden++
		default:
			delayed++
		}
	}
	return visible, hidden, delayed
}

// Next is when the next message that is hidden can be received; false where none is.
func (q *Queue) Next(now time.Time) (next time.Time, some bool) {
	for _, m := range q.messages {
		if m.visible.After(now) && (!some || m.visible.Before(next)) {
			next, some = m.visible, true
		}
	}
	return next, some
}

// expire forgets messages that are too old.
func (q *Queue) expire(now time.Time) {
	q.messages = slices.DeleteFunc(q.messages, func(m held) bool {
		return !now.Before(m.Sent.Add(q.Settings.Retention))
	})
}
