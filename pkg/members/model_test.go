package members

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"aws-provider-executor/pkg/ledger/table"
)

// The model explores every interleaving of several handlers, over the functions that ship. Each
// call of a handler to the table is one move. A move may be lost before or after it took effect,
// and a handler may die with it: it never goes on then.
//
// A state is the table and, of each handler, how far it is and what it was answered since it began
// its present step. What a handler does next depends on nothing else. So a state that was seen is
// not explored again. To get to a state its moves are made again, from the beginning.

// op is one step of a handler. Its error ends the step alone, as it would an action that the gate
// sends again or not.
type op struct {
	name string
	do   func(ctx context.Context, h *handler) error
}

func join(i string) op {
	return op{"join " + i, func(ctx context.Context, h *handler) error {
		return h.group.Join(ctx, i, addressOf(i))
	}}
}

func becomeReady(i string) op {
	return op{"ready " + i, func(ctx context.Context, h *handler) error {
		return h.group.Ready(ctx, i)
	}}
}

func terminating(i string) op {
	return op{"terminating " + i, func(ctx context.Context, h *handler) error {
		return h.group.Terminating(ctx, i)
	}}
}

func leave(i string) op {
	return op{"leave " + i, func(ctx context.Context, h *handler) error {
		return h.group.Leave(ctx, i)
	}}
}

// electBut elects while these are known to be dead.
func electBut(dead ...string) op {
	return op{"elect but " + strings.Join(dead, ","),
		func(ctx context.Context, h *handler) error {
			p, err := h.group.Elect(ctx, but(dead...))
			h.heard = p
			if err == nil && slices.Contains(dead, p.Instance) {
				h.wrong = "elected is " + p.Instance + ", which is dead"
			}
			return err
		}}
}

// confirm confirms what was elected last.
var confirm = op{"confirm", func(ctx context.Context, h *handler) error {
	if h.heard.Instance == "" {
		return nil
	}
	return h.group.Confirm(ctx, h.heard)
}}

// handler is one handler on its way.
type handler struct {
	group *Group
	ops   []op
	// calls takes a call that is to be made, and answers has what it is answered.
	calls   chan func() string
	answers chan error
	// at is the step that it is at, told what it was answered in it, heard what it elected last.
	at    int
	told  string
	heard Primary
	// dead is set once it died, wrong once it was told what can't be.
	dead  bool
	wrong string
}

var errLost = errors.New("the answer is lost")

// wire is a handler's way to the table.
type wire struct {
	*table.Memory
	h *handler
}

func (w wire) ask(ctx context.Context, call func() string) error {
	select {
	case w.h.calls <- call:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-w.h.answers:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w wire) Read(
	ctx context.Context, places []table.Place,
) (items map[table.Place]table.Item, err error) {
	lost := w.ask(ctx, func() string {
		items, err = w.Memory.Read(ctx, places)
		return "read " + text(items)
	})
	if lost != nil {
		return nil, lost
	}
	return items, err
}

func (w wire) List(ctx context.Context, partition string) (names []string, err error) {
	lost := w.ask(ctx, func() string {
		names, err = w.Memory.List(ctx, partition)
		return "list " + strings.Join(names, ",")
	})
	if lost != nil {
		return nil, lost
	}
	return names, err
}

func (w wire) Write(ctx context.Context, changes []table.Change) (err error) {
	lost := w.ask(ctx, func() string {
		err = w.Memory.Write(ctx, changes)
		return fmt.Sprint("write ", err)
	})
	if lost != nil {
		return lost
	}
	return err
}

// text is what items hold, in order.
func text(items map[table.Place]table.Item) string {
	var b strings.Builder
	for _, place := range slices.SortedFunc(maps.Keys(items), func(a, b table.Place) int {
		return strings.Compare(a.Partition+a.Sort, b.Partition+b.Sort)
	}) {
		fmt.Fprintf(&b, "%s=%d:%s;", place.Sort, items[place].Revision, items[place].Record)
	}
	return b.String()
}

// move is one move: which handler's call, and what becomes of it.
type move struct {
	handler int
	fate    fate
}

type fate int

const (
	fine fate = iota
	// unsent is not done, unanswered is done; neither is answered.
	unsent
	unanswered
	// diesBefore and diesAfter end the handler.
	diesBefore
	diesAfter
	fates
)

// scenario is a beginning, and what handlers do then.
type scenario struct {
	name string
	// ready are members from the beginning, one of them the primary, and joined are others.
	ready    []string
	joined   []string
	handlers [][]op
	// dead are instances that are dead for all.
	dead []string
	// faults is how many moves may have another fate than fine.
	faults int
}

// run makes moves in a world of its own. It returns the state, and the moves that there are.
type run struct {
	memory   *table.Memory
	handlers []*handler
	cancel   context.CancelFunc
	// pending are the calls that wait, by handler.
	pending []func() string
	done    []chan struct{}
	faults  int
	before  recorded
	broken  string
}

func (s scenario) begin(t *testing.T) *run {
	ctx, cancel := context.WithCancel(context.Background())
	r := &run{memory: table.NewMemory(), cancel: cancel}
	g := New(r.memory, account, region, "edge")
	g.first = func() int { return 1 }
	ready(t, g, s.ready...)
	elect(t, g, everybody)
	for _, i := range s.joined {
		if err := g.Join(ctx, i, addressOf(i)); err != nil {
			t.Fatal(err)
		}
	}
	r.before = r.primary()
	for _, ops := range s.handlers {
		h := &handler{ops: ops, calls: make(chan func() string), answers: make(chan error)}
		h.group = New(wire{r.memory, h}, account, region, "edge")
		h.group.first = g.first
		h.group.pause = func(ctx context.Context, _ int) bool { return ctx.Err() == nil }
		r.handlers = append(r.handlers, h)
		done := make(chan struct{})
		r.done = append(r.done, done)
		r.pending = append(r.pending, nil)
		go func() {
			defer close(done)
			for h.at < len(h.ops) && ctx.Err() == nil {
				_ = h.ops[h.at].do(ctx, h)
				h.at, h.told = h.at+1, ""
			}
		}()
	}
	for n := range r.handlers {
		r.await(n)
	}
	return r
}

// await waits until a handler asks, or is through.
func (r *run) await(n int) {
	select {
	case r.pending[n] = <-r.handlers[n].calls:
	case <-r.done[n]:
		r.pending[n] = nil
	}
}

// make makes one move.
func (r *run) make(m move) {
	h, call := r.handlers[m.handler], r.pending[m.handler]
	r.pending[m.handler] = nil
	said := ""
	if m.fate != fine {
		r.faults++
	}
	if m.fate != unsent && m.fate != diesBefore {
		said = call()
	}
	r.check()
	if m.fate == diesBefore || m.fate == diesAfter {
		h.dead = true
		return
	}
	if h.told += said + "|"; m.fate == fine {
		h.answers <- nil
	} else {
		h.told += "lost|"
		h.answers <- errLost
	}
	r.await(m.handler)
	if h.wrong != "" && r.broken == "" {
		r.broken = h.wrong
	}
}

// primary is the primary's item.
func (r *run) primary() recorded {
	for place, i := range r.memory.Snapshot() {
		if strings.HasPrefix(place.Partition, "primary/") {
			p, err := decodePrimary(i)
			if err != nil {
				panic(err)
			}
			return p
		}
	}
	return recorded{}
}

// members are the members' items.
func (r *run) members() map[string]Member {
	all := map[string]Member{}
	for place, i := range r.memory.Snapshot() {
		if strings.HasPrefix(place.Partition, "member/") {
			m, _, err := decodeMember(place.Sort, i)
			if err != nil {
				panic(err)
			}
			all[m.Instance] = m
		}
	}
	return all
}

// check holds the rules after a move.
func (r *run) check() {
	now, was := r.primary(), r.before
	r.before = now
	m := r.members()[now.Instance]
	another := now.Instance != was.Instance || now.Address != was.Address
	switch {
	case now.Instance != "" && (m.State != Ready || m.Address != now.Address):
		r.broken = fmt.Sprintf("the primary is %v, and its member %v", now, m)
	case another && now.Epoch != was.Epoch+1, now.Epoch < was.Epoch:
		r.broken = fmt.Sprintf("the epoch of %v follows that of %v", now, was)
	case now.Confirmed && (another || now.Epoch != was.Epoch):
		r.broken = fmt.Sprintf("%v is confirmed in the place of %v", now, was)
	}
}

// state is what decides on all that can follow.
func (r *run) state() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d;%s", r.faults, text(r.memory.Snapshot()))
	for _, h := range r.handlers {
		fmt.Fprintf(&b, "/%d,%t,%v,%s", h.at, h.dead, h.heard, h.told)
	}
	return b.String()
}

// end stops all handlers.
func (r *run) end() {
	r.cancel()
	for _, done := range r.done {
		<-done
	}
}

// explorer explores a scenario.
type explorer struct {
	*testing.T
	scenario
	seen map[string]bool
	ends int
}

// explore explores all that follows some moves.
func (x *explorer) explore(moves []move) {
	if x.Failed() {
		return
	}
	r := x.begin(x.T)
	for _, m := range moves {
		r.make(m)
	}
	broken, state := r.broken, r.state()
	var next []int
	for n, call := range r.pending {
		if call != nil && !r.handlers[n].dead {
			next = append(next, n)
		}
	}
	faults := r.faults
	if len(next) == 0 && broken == "" {
		x.ends++
		broken = x.endsWell(r)
	}
	r.end()
	if broken != "" {
		x.Fatalf("%s after %v", broken, moves)
	}
	if x.seen[state] {
		return
	}
	x.seen[state] = true
	for _, n := range next {
		for f := fine; f < fates; f++ {
			if f == fine || faults < x.faults {
				x.explore(append(slices.Clip(moves), move{n, f}))
			}
		}
	}
}

// endsWell holds where all is over: whoever elects next gets a ready and living primary if there is
// one, and all who elect get the same.
func (x *explorer) endsWell(r *run) string {
	g := New(r.memory, account, region, "edge")
	one, err := g.Elect(context.Background(), but(x.dead...))
	two, again := g.Elect(context.Background(), but(x.dead...))
	if err = errors.Join(err, again); err != nil || one != two {
		return fmt.Sprintf("electing gives %v and %v (%v)", one, two, err)
	}
	fit := false
	for i, m := range r.members() {
		fit = fit || m.State == Ready && !slices.Contains(x.dead, i)
	}
	switch {
	case fit == (one.Instance == ""):
		return fmt.Sprintf("elected is %v among %v", one, r.members())
	case one.Instance != "" && slices.Contains(x.dead, one.Instance):
		return "elected is the dead " + one.Instance
	}
	return ""
}

// launched is what the handler of a launch does.
func launched(i string) []op {
	return []op{join(i), becomeReady(i), electBut(), confirm}
}

// TestModel explores joins, elections, terminations, deaths and lost answers (L5 to L8, L10).
func TestModel(t *testing.T) {
	ended := func(i string, others ...string) []op {
		return []op{terminating(i), electBut(append(others, i)...), leave(i)}
	}
	for _, s := range []scenario{
		{name: "L7 two launches", handlers: [][]op{launched("i-1"), launched("i-2")}, faults: 1},
		{name: "L7 three launches", joined: []string{"i-1", "i-2", "i-3"}, handlers: [][]op{
			{becomeReady("i-1"), electBut()}, {becomeReady("i-2"), electBut()},
			{becomeReady("i-3"), electBut()}}},
		{name: "one event twice", handlers: [][]op{launched("i-1"), launched("i-1")}, faults: 1},
		{name: "L8 both terminate", ready: []string{"i-1", "i-2"},
			handlers: [][]op{ended("i-1"), ended("i-2")}, faults: 1},
		{name: "L8 both terminate, a third comes", ready: []string{"i-1", "i-2"},
			handlers: [][]op{ended("i-1"), {terminating("i-2")}, {join("i-3"), becomeReady("i-3")}}},
		{name: "L10 the primary is dead, its successor terminates", ready: []string{"i-1", "i-2", "i-3"},
			handlers: [][]op{{electBut("i-1"), confirm}, ended("i-2", "i-1")}, dead: []string{"i-1"},
			faults: 1},
		{name: "a launch whose instance terminates", ready: []string{"i-1"},
			handlers: [][]op{launched("i-0"), ended("i-0")}, faults: 1},
		{name: "another address", ready: []string{"i-1", "i-2"}, handlers: [][]op{
			{{"moves i-1", func(ctx context.Context, h *handler) error {
				return h.group.Join(ctx, "i-1", "10.0.0.9")
			}}}, {terminating("i-1"), electBut("i-1")}, {electBut(), confirm}}},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			x := explorer{T: t, scenario: s, seen: map[string]bool{}}
			x.explore(nil)
			t.Logf("%d states, %d ends", len(x.seen), x.ends)
			if len(x.seen) < 50 {
				t.Errorf("only %d states were explored", len(x.seen))
			}
		})
	}
}
