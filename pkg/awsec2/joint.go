package awsec2

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// joints join calls that several requests of a stream make about one interface at about the same
// time: readings of it, and assigning or unassigning IPv4 addresses. It is safe for concurrent use.
//
// It guarantees to each request that the answer means what that of a call of its own would:
//
//   - A reading begins after each request asked that it answers.
//   - Only addresses that are taken from nobody are joined: one call means what several do.
//   - What EC2 refuses is asked by each request alone, with its own retries. That answer counts.
//   - A change whose answer is lost is unknown to each, and is not sent again.
//   - A joint call is attempted once, and not begun for a request that has gone, or whose lease
//     has ended.
type joints struct {
	mu sync.Mutex
	of map[string]*nicJoints
}

// The limits of waiting for others.
const (
	// firstQuiet is how long nobody else came when a first call goes. afterQuiet is that of a later
	// one, for which those are expected who had a call before.
	firstQuiet = 3 * time.Millisecond
	afterQuiet = 100 * time.Millisecond
	// maxGather is how long any call waits for others, and as long for a call under way.
	maxGather = 500 * time.Millisecond
	// maxJoined is how many addresses are in one call: no interface has more.
	maxJoined = 64
)

// nicJoints are the calls about one interface.
type nicJoints struct {
	all *joints
	// expected is how many requests have had a call and none since. They may have another until a
	// time.
	expected int
	until    time.Time
	queues   map[jointKind]*joint
}

// joint is a call that requests wait for.
type joint struct {
	of *nicJoints

	waiting   []*member
	gathering bool
	arrived   chan struct{}
	// underWay holds one while a call is under way.
	underWay chan struct{}
}

// member is a request that waits for a joint call.
type member struct {
	ctx context.Context
	// call makes the call for all members, if this one leads them. It gives each what it gets, and
	// does not panic.
	call func(ctx context.Context, members []*member)
	// address is what is assigned or unassigned; empty for a reading.
	address string
	// begun is set once a call for it may be sent, done is closed once it has its answer.
	begun bool
	done  chan struct{}

	// answer is what EC2 answered. It is nil if the member has to ask alone.
	answer *jointAnswer
	// refused reports whether EC2 looked at the joint call, and refused it.
	refused bool
}

// fate is what became of a member.
type fate int

const (
	// told members have an answer, or ask alone.
	told fate = iota
	// unbegun members have gone before any call was made for them.
	unbegun
	// abandoned members have gone while a call was under way.
	abandoned
)

// come waits for a call of a kind about an interface, together with others.
func (j *joints) come(nic string, kind jointKind, m *member) fate {
	m.done = make(chan struct{})
	q := j.enter(nic, kind, m)
	select {
	case q.arrived <- struct{}{}:
	default:
	}
	select {
	case <-m.done:
		return told
	case <-m.ctx.Done():
		return q.leave(m)
	}
}

// maxIdleNICs is how many interfaces are remembered about which no call is wanted.
const maxIdleNICs = 1024

// enter adds a member to those that wait.
func (j *joints) enter(nic string, kind jointKind, m *member) *joint {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.of) > maxIdleNICs {
		maps.DeleteFunc(j.of, func(_ string, of *nicJoints) bool { return of.idle() })
	}
	of := j.of[nic]
	if of == nil {
		of = &nicJoints{all: j, queues: map[jointKind]*joint{}}
		j.of[nic] = of
	}
	q := of.queues[kind]
	if q == nil {
		q = &joint{of: of, arrived: make(chan struct{}, 1), underWay: make(chan struct{}, 1)}
		of.queues[kind] = q
	}
	if q.waiting = append(q.waiting, m); !q.gathering {
		q.gathering = true
		go q.gather()
	}
	return q
}

// idle reports whether nobody waits for a call about the interface.
func (n *nicJoints) idle() bool {
	for _, q := range n.queues {
		if q.gathering {
			return false
		}
	}
	return true
}

// leave takes a member out that waits no longer.
func (q *joint) leave(m *member) fate {
	q.of.all.mu.Lock()
	defer q.of.all.mu.Unlock()
	if m.begun {
		return abandoned
	}
	q.waiting = slices.DeleteFunc(q.waiting, func(w *member) bool { return w == m })
	return unbegun
}

// gather waits for the members of one call, and has it made.
func (q *joint) gather() {
	began := time.Now()
	for q.awaits(began) {
		continue
	}
	late := time.NewTimer(maxGather)
	defer late.Stop()
	held := false
	select {
	case q.underWay <- struct{}{}:
		held = true
	case <-late.C:
		// A call that hangs keeps nobody else.
	}
	members := q.begin()
	if len(members) > 0 {
		q.make(members)
	}
	if held {
		<-q.underWay
	}
}

// awaits waits for one more member, and reports whether that is worth while still.
func (q *joint) awaits(began time.Time) bool {
	q.of.all.mu.Lock()
	if time.Now().After(q.of.until) {
		q.of.expected = 0
	}
	n, expected := len(q.waiting), q.of.expected
	q.of.all.mu.Unlock()
	quiet := firstQuiet
	if expected > 0 {
		quiet = afterQuiet
	}
	left := maxGather - time.Since(began)
	if n >= maxJoined || expected > 0 && n >= expected || left <= 0 {
		return false
	}
	timer := time.NewTimer(min(quiet, left))
	defer timer.Stop()
	select {
	case <-q.arrived:
		return true
	case <-timer.C:
		return false
	}
}

// begin takes the members of one call. Those that come later gather for another.
func (q *joint) begin() []*member {
	q.of.all.mu.Lock()
	defer q.of.all.mu.Unlock()
	n := min(len(q.waiting), maxJoined)
	members := slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	q.of.expected = max(0, q.of.expected-n)
	for _, m := range members {
		m.begun = true
	}
	if q.gathering = len(q.waiting) > 0; q.gathering {
		go q.gather()
	}
	return members
}

// make has the call made. Its context ends once all members have gone.
func (q *joint) make(members []*member) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(members[0].ctx))
	defer cancel()
	var left atomic.Int64
	left.Store(int64(len(members)))
	for _, m := range members {
		stop := context.AfterFunc(m.ctx, func() {
			if left.Add(-1) == 0 {
				cancel()
			}
		})
		defer stop()
	}
	// A call of one is that one's own: with its retries, and in its time.
	if len(members) > 1 {
		members[0].call(context.WithValue(ctx, membersKey{}, members), members)
	}
	q.of.all.mu.Lock()
	q.of.expected += len(members)
	q.of.until = time.Now().Add(maxGather)
	q.of.all.mu.Unlock()
	for _, m := range members {
		close(m.done)
	}
}
