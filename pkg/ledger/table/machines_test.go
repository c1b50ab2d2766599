package table

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"aws-provider-executor/pkg/history"
	"aws-provider-executor/pkg/ledger"
)

// The world of two machines that want one thing: an attribute of a resource, which each machine's
// request sets to a value of its own.

// fault is what becomes of one call of one machine to the table.
type fault int

const (
	fine fault = iota
	// unsent: the call does not reach the table.
	unsent
	// unanswered: the table does what is asked, and the answer is lost.
	unanswered
	// crashes: the machine dies before the call, and is gone.
	crashesBefore
	// crashesAfter: it dies once the table did what was asked.
	crashesAfter
	// sleeps: the machine stands still before the call for longer than any lease.
	sleeps
	// cutOff: neither this call nor any later one of the machine reaches the table.
	cutOff
	faults
)

var errFault = errors.New("the table gave no answer")

// errDied ends a machine: whatever it would do next is never done.
var errDied = errors.New("the machine died")

// machine is one machine's way to the table, one call at a time.
type machine struct {
	*Memory
	name string
	// key is that of its request, dawdles how long it takes before the change.
	key     string
	dawdles time.Duration
	// turn gives the machine its next turn, with what becomes of the call.
	turn chan fault
	// waiting counts its calls that wait for one: a request and its beat may ask at once.
	waiting atomic.Int32
	dead    atomic.Bool
	off     atomic.Bool
	// wakes is when it wakes up that stands still.
	mu    sync.Mutex
	wakes time.Time
}

// asks waits for the machine's turn, and makes a call as its fault has it.
func (m *machine) asks(ctx context.Context, call func() error) error {
	m.waiting.Add(1)
	var f fault
	select {
	case f = <-m.turn:
		m.waiting.Add(-1)
	case <-ctx.Done():
		m.waiting.Add(-1)
		return ctx.Err()
	}
	if f == sleeps {
		m.sleep()
	}
	if m.awake(); m.dead.Load() {
		return errDied
	}
	if f == cutOff {
		m.off.Store(true)
	}
	if m.off.Load() {
		return errFault
	}
	switch f {
	case unsent:
		return errFault
	case unanswered:
		_ = call()
		return errFault
	case crashesBefore:
		m.dead.Store(true)
		return errDied
	case crashesAfter:
		_ = call()
		m.dead.Store(true)
		return errDied
	}
	return call()
}

func (m *machine) sleep() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wakes = time.Now().Add(3 * longestPeriod)
}

// awake waits until the machine does not stand still.
func (m *machine) awake() {
	m.mu.Lock()
	wakes := m.wakes
	m.mu.Unlock()
	time.Sleep(time.Until(wakes))
}

func (m *machine) Read(ctx context.Context, p []Place) (items map[Place]Item, err error) {
	err = m.asks(ctx, func() (err error) { items, err = m.Memory.Read(ctx, p); return err })
	return items, err
}

func (m *machine) List(ctx context.Context, p string) (names []string, err error) {
	err = m.asks(ctx, func() (err error) { names, err = m.Memory.List(ctx, p); return err })
	return names, err
}

func (m *machine) Write(ctx context.Context, c []Change) error {
	return m.asks(ctx, func() error { return m.Memory.Write(ctx, c) })
}

// cloud is the attribute that both machines change.
type cloud struct {
	value string
	// changing are the machines with a change on its way.
	changing map[string]bool
	// together is set once two had one at the same time.
	together bool
	// made are the keys of the changes, in order.
	made []string
}

// flight is how long a change is on its way at most.
const flight = time.Second

// change makes a change that is on its way as long as one may be.
func (c *cloud) change(name string) {
	c.together = c.together || len(c.changing) > 0
	c.changing[name] = true
	time.Sleep(flight)
	delete(c.changing, name)
	c.value = name
	c.made = append(c.made, name)
}

var attribute = ledger.Attribute{Resource: "eni-1", Name: "groups"}

// run is one request of a machine: lock, record, change, record, release.
func (m *machine) run(c *cloud) error {
	timeout := 25 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	t := New(m, Options{Name: "test", Timeout: timeout})
	release, err := t.Lock(ctx, m.key, attribute.Resource)
	if err != nil {
		return err
	}
	defer release()
	record, found, err := t.Get(ctx, m.key)
	if err != nil {
		return err
	}
	past, err := t.History(ctx, attribute.Resource, attribute.Name)
	if err != nil {
		return err
	}
	if !found {
		record = ledger.Record{Key: m.key, Action: "set", Entries: []ledger.Entry{{
			Resource: attribute.Resource, Attribute: attribute.Name, Entry: history.Entry{
				Key: m.key, Seq: int64(len(past) + 1), From: c.value, To: m.key,
				State: history.Pending}}}}
	}
	if err := t.Put(ctx, record); err != nil {
		return err
	}
	time.Sleep(m.dawdles)
	holding, end := t.Holding(ctx)
	defer end()
	if m.dead.Load() || holding.Err() != nil {
		return context.Cause(holding)
	}
	c.change(m.key)
	record.Entries[0].State = history.Live
	return t.Done(ctx, record)
}

// plan says what happens in a world.
type plan struct {
	// order has a bit for each of the first turns: which machine's it is, where both ask.
	order int
	// at is the turn with a fault, what the fault.
	at   int
	what fault
	// sameKey has both machines send the same request.
	sameKey bool
	// dawdles is how long the first machine takes before its change.
	dawdles time.Duration
}

// orders is how many turns an order says anything of; it holds again for later ones.
const orders = 6

// world runs two machines by a plan.
func world(t *testing.T, p plan) {
	synctest.Test(t, func(t *testing.T) {
		table := NewMemory()
		c := &cloud{value: "before", changing: map[string]bool{}}
		machines := []*machine{
			{Memory: table, name: "a", key: "a", turn: make(chan fault), dawdles: p.dawdles},
			{Memory: table, name: "b", key: "b", turn: make(chan fault)},
		}
		if p.sameKey {
			machines[1].key = "a"
		}
		var ended atomic.Int32
		errs := make([]error, 2)
		for i, m := range machines {
			go func() { errs[i] = m.run(c); ended.Add(1) }()
		}
		turns := 0
		for synctest.Wait(); ended.Load() < 2; synctest.Wait() {
			var ready []*machine
			for _, m := range machines {
				if m.waiting.Load() > 0 {
					ready = append(ready, m)
				}
			}
			if len(ready) == 0 {
				time.Sleep(10 * time.Millisecond)
				continue
			}
			f := fine
			if turns == p.at {
				f = p.what
			}
			ready[p.order>>(turns%orders)&1%len(ready)].turn <- f
			turns++
		}
		judge(t, table, c, machines, fmt.Sprintf("%+v: %v, errors %v", p, c.made, errs))
		if p.what == fine && (errs[0] != nil || errs[1] != nil || len(c.made) != 2) {
			t.Errorf("without a fault not all is done: %+v: %v, errors %v", p, c.made, errs)
		}
	})
}

// judge holds the end of a world against what is promised.
func judge(t *testing.T, table *Memory, c *cloud, machines []*machine, story string) {
	t.Helper()
	if c.together {
		t.Errorf("two changes were on their way at once: %s", story)
	}
	fresh := New(table, Options{Name: "test", Timeout: time.Minute, Reading: true})
	records, err := fresh.History(context.Background(), attribute.Resource, attribute.Name)
	if err != nil {
		t.Fatalf("%s: %s", story, err)
	}
	prior, seqs := map[string]string{}, map[int64]bool{}
	for _, r := range records {
		prior[r.Key] = r.Entries[0].From
		if seqs[r.Entries[0].Seq] {
			t.Errorf("two entries have one place: %s", story)
		}
		seqs[r.Entries[0].Seq] = true
	}
	value := "before"
	for i, name := range c.made {
		if again := slices.Contains(c.made[:i], name); !again && prior[name] != value {
			t.Errorf("%s recorded %q as prior, and it was %q: %s", name, prior[name], value, story)
		}
		value = name
	}
	for _, m := range machines {
		_, found, err := fresh.Get(context.Background(), m.key)
		if _, indexed := prior[m.key]; err != nil || found != indexed {
			t.Errorf("the record of %s is there: %t, its index entry: %t, %v: %s",
				m.key, found, indexed, err, story)
		}
	}
}

// TestTwoMachines explores two machines that want one thing, with each fault at each of their
// calls, in every order of their first turns. Whatever happens, no two changes are on their way
// at once, and what was there before a change is recorded.
func TestTwoMachines(t *testing.T) {
	const turns = 14
	worlds := 0
	explore := func(p plan) {
		world(t, p)
		worlds++
		if t.Failed() {
			t.Fatalf("after %d worlds", worlds)
		}
	}
	for order := range 1 << orders {
		for _, sameKey := range []bool{false, true} {
			explore(plan{order: order, sameKey: sameKey})
			for what := fine + 1; what < faults; what++ {
				for at := order % 2; at < turns; at += 2 {
					explore(plan{order: order, at: at, what: what, sameKey: sameKey})
				}
			}
		}
		for _, dawdles := range []time.Duration{1, 2, 3, 4, 6, 8, 12} {
			for at := order % 4; at < turns; at += 4 {
				explore(plan{order: order, at: at, what: cutOff, dawdles: dawdles * time.Second})
			}
		}
	}
	t.Logf("%d worlds", worlds)
}
