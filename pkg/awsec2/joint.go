package awsec2

import (
	"context"
	"maps"
	"math/bits"
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
//   - What EC2 refuses to one request is asked by that request alone, with its own retries. That
//     answer counts.
//   - A change whose answer is lost is unknown to each, and is not sent again.
//   - A joint call is attempted once, and not begun for a request that has gone, or whose lease
//     has ended.
type joints struct {
	mu sync.Mutex
	of map[nicAt]*nicJoints
}

func newJoints() *joints { return &joints{of: map[nicAt]*nicJoints{}} }

// nicAt is an interface in a region.
type nicAt struct{ region, nic string }

// The limits of waiting for others.
const (
	// firstQuiet is how long nothing happens before the first call of a request goes, as far as is
	// known alone.
	firstQuiet = 3 * time.Millisecond
	// afterQuiet is how long nothing happens before a call goes without requests that are expected.
	afterQuiet = 100 * time.Millisecond
	// maxGather is how long any call waits for others, and as long for a call under way.
	maxGather = 500 * time.Millisecond
	// maxJoined is how many addresses are in one call: no interface has more.
	maxJoined = 64
)

// nicJoints are the calls about one interface.
type nicJoints struct {
	all *joints
	// known are the requests about the interface that have begun and are not over.
	known  map[*Requester]bool
	queues map[queueKey]*joint
}

// queueKey tells apart the calls that are not joined with each other.
type queueKey struct {
	kind jointKind
	// files are the shared files, which tell who asks. Patience is the time of the request, within
	// a factor of two.
	files    [2]fileState
	patience int
}

// joining is how a connection has its calls joined.
type joining struct {
	*joints
	region string
	// key is without a kind.
	key queueKey
}

func (j *joints) joining(by keptBy) *joining {
	patience := bits.Len64(uint64(max(0, by.timeout/time.Second)))
	return &joining{j, by.region, queueKey{files: by.files, patience: patience}}
}

// joint is a call that requests wait for.
type joint struct {
	of *nicJoints

	waiting   []*member
	gathering bool
	// changed has one when something happened that may end the waiting.
	changed chan struct{}
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
	// by is the request, nil if others did not expect it.
	by *Requester
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
func (j *joining) come(nic string, kind jointKind, m *member) fate {
	m.done = make(chan struct{})
	key := j.key
	key.kind = kind
	q := j.enter(nicAt{j.region, nic}, key, m)
	select {
	case <-m.done:
		return told
	case <-m.ctx.Done():
		return q.leave(m)
	}
}

// maxIdleNICs is how many interfaces are remembered about which no call is wanted.
const maxIdleNICs = 1024

// about is what is known about an interface. The joints are locked.
func (j *joints) about(at nicAt) *nicJoints {
	if len(j.of) > maxIdleNICs {
		maps.DeleteFunc(j.of, func(_ nicAt, of *nicJoints) bool { return of.idle() })
	}
	of := j.of[at]
	if of == nil {
		of = &nicJoints{all: j, known: map[*Requester]bool{}, queues: map[queueKey]*joint{}}
		j.of[at] = of
	}
	return of
}

// enter adds a member to those that wait.
func (j *joints) enter(at nicAt, key queueKey, m *member) *joint {
	j.mu.Lock()
	defer j.mu.Unlock()
	of := j.about(at)
	if m.by = requesterOf(m.ctx); !of.known[m.by] {
		// It is for another interface.
		m.by.moves(apart)
		m.by = nil
	}
	q := of.queues[key]
	if q == nil {
		q = &joint{of: of, changed: make(chan struct{}, 1), underWay: make(chan struct{}, 1)}
		of.queues[key] = q
	}
	m.by.moves(waits)
	q.waiting = append(q.waiting, m)
	of.changes()
	if !q.gathering {
		q.gathering = true
		go q.gather()
	}
	return q
}

// idle reports whether nobody waits for a call about the interface, or is going to.
func (n *nicJoints) idle() bool {
	for _, q := range n.queues {
		if q.gathering {
			return false
		}
	}
	return len(n.known) == 0
}

// changes has all that gather look again. The joints are locked.
func (n *nicJoints) changes() {
	for _, q := range n.queues {
		select {
		case q.changed <- struct{}{}:
		default:
		}
	}
}

// leave takes a member out that waits no longer.
func (q *joint) leave(m *member) fate {
	q.of.all.mu.Lock()
	defer q.of.all.mu.Unlock()
	m.by.moves(apart)
	q.of.changes()
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

// awaits waits for something to happen, and reports whether that is worth while still.
func (q *joint) awaits(began time.Time) bool {
	quiet := min(q.quiet(), maxGather-time.Since(began))
	if quiet <= 0 {
		return false
	}
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	select {
	case <-q.changed:
		return true
	case <-timer.C:
		return false
	}
}

// quiet is how long nothing has to happen before the call goes.
func (q *joint) quiet() time.Duration {
	q.of.all.mu.Lock()
	defer q.of.all.mu.Unlock()
	stage := q.stage()
	switch {
	case len(q.waiting) == 0, len(q.waiting) >= maxJoined:
		return 0
	case len(q.of.awaited(stage)) > 0:
		return afterQuiet
	case stage == 0:
		return firstQuiet
	}
	return 0
}

// stage is how many joint calls that member has had that has had the fewest.
func (q *joint) stage() int {
	fewest := 0
	for i, m := range q.waiting {
		if stage := m.by.stage(); i == 0 || stage < fewest {
			fewest = stage
		}
	}
	return fewest
}

// begin takes the members of one call. Those that come later gather for another.
func (q *joint) begin() []*member {
	q.of.all.mu.Lock()
	defer q.of.all.mu.Unlock()
	if len(q.waiting) < maxJoined {
		// Nobody waits for these a second time.
		for _, r := range q.of.awaited(q.stage()) {
			r.moves(apart)
		}
	}
	n := min(len(q.waiting), maxJoined)
	members := slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	for _, m := range members {
		m.begun = true
		m.by.moves(called)
	}
	q.of.changes()
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
		members[0].call(ctx, members)
	}
	q.of.all.mu.Lock()
	for _, m := range members {
		m.by.wasCalled()
	}
	q.of.changes()
	q.of.all.mu.Unlock()
	for _, m := range members {
		close(m.done)
	}
}
