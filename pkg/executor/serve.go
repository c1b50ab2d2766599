package executor

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
)

// maxAtOnce is how many requests of a stream are acted on at a time.
const maxAtOnce = 64

// server answers the requests of a stream. They have the connections to the provider in common, and
// nothing else: each reads the policy and the ledger for itself.
type server struct {
	*Process
	kept  Kept
	turns turns
	// acting holds one for each request that is acted on.
	acting chan struct{}
}

func (p *Process) serve(call plugin.Call) plugin.Server {
	s := &server{
		Process: p, kept: Kept{Connect: p.Connect}, turns: turns{last: map[string]*turn{}},
		acting: make(chan struct{}, maxAtOnce),
	}
	if p.Keep != nil {
		s.kept = p.Keep(call.Log)
	}
	return s
}

// Begin takes in a request. It has its place behind the earlier requests of the same key or of the
// same thing from now on.
func (s *server) Begin(call plugin.Call) func(context.Context) plugin.Result {
	var wire protocol.Request
	var faults protocol.Faults
	var t *turn
	if err := survive(call.Log, func() {
		wire, faults = s.decode(call)
		t = s.take(wire, faults)
	}); err != nil {
		return func(context.Context) plugin.Result { return result{failedEarly(err)} }
	}
	return func(ctx context.Context) plugin.Result {
		defer t.end()
		var answer protocol.Result
		if err := survive(call.Log, func() {
			if t.expected != nil {
				ctx = t.expected.In(ctx)
			}
			answer = s.answer(ctx, call, s.kept.Connect, func(e *Executor) protocol.Result {
				e.Turn = func(ctx context.Context) error { return s.wait(ctx, t) }
				return e.RunDecoded(ctx, wire, faults)
			})
		}); err != nil {
			answer = failedEarly(err)
		}
		return result{answer}
	}
}

// survive makes an error of a panic that no run of an executor has taken: the other requests go on.
func survive(log *slog.Logger, do func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = bug(p)
		}
	}()
	do()
	return nil
}

// decode reads a request.
func (s *server) decode(call plugin.Call) (wire protocol.Request, faults protocol.Faults) {
	wire, faults = protocol.Decode(call.Request)
	if call.Last {
		faults = append(faults, protocol.Fault{Reason: "where the request ends can't be told, so " +
			"nothing after it is read: mend it, and begin a new stream"})
	}
	return wire, faults
}

// failedEarly is the answer to a request that nothing is known of.
func failedEarly(err error) protocol.Result {
	r := &run{Executor: &Executor{Log: slog.New(slog.DiscardHandler)}, past: &action.Past{}}
	return r.failed(err)
}

// take gives a request its place among those that contend for the same. If it need not wait, it
// may be acted on from now on. A request that is at fault contends for nothing.
func (s *server) take(wire protocol.Request, faults protocol.Faults) *turn {
	verb, known := s.Registry.Resolve(wire)
	if !known || len(faults) > 0 {
		return s.turns.take(nil)
	}
	req, more := s.Registry.Check(verb, wire)
	if len(more) > 0 {
		return s.turns.take(nil)
	}
	t := s.turns.take(s.contended(verb, req, wire.IdempotencyKey))
	if s.kept.Expect != nil {
		t.expected = s.kept.Expect(req.Target)
	}
	if !t.waits() {
		select {
		case s.acting <- struct{}{}:
			s.begin(t)
		default:
		}
	}
	return t
}

// contended names what no other request may be acted on for at the same time: the key that counts
// for a request, and the things that it acts on.
func (s *server) contended(verb action.Verb, req action.Request, key string) []string {
	if undone, ok := s.Registry.Undone(verb, key); ok {
		key = undone
	}
	return append(exclusive(verb, req), "the key "+key)
}

// begin has a request acted on, for which there is room.
func (s *server) begin(t *turn) {
	t.onEnd = func() { <-s.acting }
	if t.expected != nil {
		t.expected.Begin()
	}
}

// wait waits until no earlier request has anything that this one contends for, and until there is
// room to act. What is acted on goes on in the order in which the requests came.
func (s *server) wait(ctx context.Context, t *turn) error {
	if t.onEnd != nil {
		return nil
	}
	if of, ok := t.wait(ctx); !ok {
		again := true
		f := protocol.Refuse(protocol.Conflict,
			"an earlier request of the stream has %s and did not finish in time; nothing was changed;"+
				" try again", protocol.Quote(of))
		f.Retryable = &again
		return f
	}
	select {
	case s.acting <- struct{}{}:
		s.begin(t)
		return nil
	case <-ctx.Done():
		return protocol.Refuse(protocol.Timeout,
			"other requests of the stream took all of the time; nothing was changed; try again")
	}
}

// turns are the requests that contend for something, in the order in which they came.
type turns struct {
	mu sync.Mutex
	// last is the latest request that contends for a thing.
	last map[string]*turn
}

// turn is a request's place among those that contend for the same things.
type turn struct {
	of    *turns
	names []string
	// before are the requests to wait for, nil for none, in the order of the names.
	before []*turn
	ended  chan struct{}
	// onEnd, if not nil, is called at the end. It is set once the request is acted on.
	onEnd func()
	// expected, if not nil, is the request for those that make calls together with it.
	expected Expected
}

// take takes the place behind all earlier requests that contend for one of these names.
func (t *turns) take(names []string) *turn {
	mine := &turn{of: t, names: names, ended: make(chan struct{})}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range names {
		before := t.last[name]
		if before == mine {
			before = nil
		}
		mine.before = append(mine.before, before)
		t.last[name] = mine
	}
	return mine
}

// waits reports whether an earlier request has to end before this one begins.
func (t *turn) waits() bool {
	return slices.ContainsFunc(t.before, func(before *turn) bool { return before != nil })
}

// wait waits for all earlier requests. If the context ends before, it names what one of them has.
func (t *turn) wait(ctx context.Context) (of string, ok bool) {
	for i, before := range t.before {
		for before != nil {
			select {
			case <-before.ended:
				before = t.of.rest(before, t.names[i])
			case <-ctx.Done():
				return t.names[i], false
			}
		}
	}
	return "", true
}

// rest is the request that one which has ended did not wait for to its end, nil for none.
func (t *turns) rest(ended *turn, name string) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return ended.behind(name)
}

// behind is the request before this one that contends for a name, nil for none.
func (t *turn) behind(name string) *turn {
	return t.before[slices.Index(t.names, name)]
}

func (t *turn) hasEnded() bool {
	select {
	case <-t.ended:
		return true
	default:
		return false
	}
}

// end lets the later requests go on: behind those that this one did not wait for, if it gave up.
func (t *turn) end() {
	if t.onEnd != nil {
		t.onEnd()
	}
	if t.expected != nil {
		t.expected.Over()
	}
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	for i, name := range t.names {
		// What has ended must not keep all that came before it.
		before := t.before[i]
		for before != nil && before.hasEnded() {
			before = before.behind(name)
		}
		t.before[i] = before
		switch {
		case t.of.last[name] != t:
		case before != nil:
			t.of.last[name] = before
		default:
			delete(t.of.last, name)
		}
	}
	close(t.ended)
}
