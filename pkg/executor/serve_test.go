package executor

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// served is a program that answers a stream, and the ends of its pipes.
type served struct {
	t      *testing.T
	in     *io.PipeWriter
	lines  *bufio.Scanner
	out    *io.PipeReader
	stderr safeBuilder
	stop   context.CancelFunc
	code   chan int
}

// safeBuilder is a text that several write to.
type safeBuilder struct {
	mu sync.Mutex
	strings.Builder
}

func (b *safeBuilder) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Builder.Write(p)
}

// connecting makes a Connect that asks for a cloud, by the budget of a request.
func connecting(connect func(ctx context.Context) (Connection, error)) Connect {
	return func(ctx context.Context, _ string, _ time.Duration, _ *slog.Logger) (Connection, error) {
		return connect(ctx)
	}
}

// serve starts a program. Its connections are what connect gives.
func serve(t *testing.T, connect Connect, environ ...string) *served {
	t.Helper()
	return serveProcess(t, &Process{Name: "switcher", Version: "v9", Registry: testRegistry,
		Provider: "test", Connect: connect}, environ...)
}

// serveProcess starts a program that is as it is given.
func serveProcess(t *testing.T, p *Process, environ ...string) *served {
	t.Helper()
	stdin, in := io.Pipe()
	out, stdout := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	s := &served{t: t, in: in, out: out, lines: bufio.NewScanner(out), stop: stop,
		code: make(chan int, 1)}
	s.lines.Buffer(nil, 16<<20)
	environ = append([]string{"EXECUTOR_STATE_DIR=none"}, environ...)
	go func() {
		code := p.program().ServeStream(ctx, environ, stdin, stdout, &s.stderr)
		_ = stdout.Close()
		_ = stdin.Close()
		s.code <- code
	}()
	return s
}

// ask sends requests.
func (s *served) ask(requests ...string) {
	for _, r := range requests {
		_, _ = io.WriteString(s.in, r+"\n")
	}
}

// answer is the next answer.
func (s *served) answer() (n int, status protocol.Status) {
	s.t.Helper()
	if !s.lines.Scan() {
		s.t.Fatalf("no answer: %v\n%s", s.lines.Err(), &s.stderr)
	}
	n, r, faults := protocol.DecodeStreamed(s.lines.Bytes())
	if len(faults) > 0 {
		s.t.Fatalf("%v: %s", faults, s.lines.Text())
	}
	return n, r.Status
}

// answers are the next so many answers, by their numbers: what waits for a turn may be answered
// before the answer of the one that gave it is written.
func (s *served) answers(count int) map[int]protocol.Status {
	s.t.Helper()
	all := map[int]protocol.Status{}
	for range count {
		n, status := s.answer()
		all[n] = status
	}
	return all
}

// end closes the input, and returns the exit code.
func (s *served) end() int {
	_ = s.in.Close()
	for s.lines.Scan() {
		s.t.Errorf("one more answer: %s", s.lines.Text())
	}
	return <-s.code
}

// TestServeInOrderByKeyAndParallelOtherwise: what has a key in common is answered in order, also an
// undo with its action; other requests do not wait for it.
func TestServeInOrderByKeyAndParallelOtherwise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{values: map[string]string{"a": "off", "b": "off"}}
		held := make(chan struct{})
		var once sync.Once
		s := serve(t, connecting(func(context.Context) (Connection, error) {
			wait := false
			once.Do(func() { wait = true })
			if wait {
				<-held
			}
			return connection{c}, nil
		}))
		s.ask(request("on", "k", "a", ""))
		synctest.Wait()
		s.ask(request("off", "k:undo", "a", `"prior.a":"off"`), request("on?", "k", "a", ""),
			request("on", "l", "b", ""))
		if n, status := s.answer(); n != 4 || status.Status != protocol.Succeeded {
			t.Errorf("first came %d, %+v", n, status)
		}
		synctest.Wait()
		close(held)
		got := s.answers(3)
		for n, changed := range map[int]string{1: "true", 2: "true", 3: ""} {
			if got[n].Status != protocol.Succeeded || got[n].Observed["changed"] != changed {
				t.Errorf("%d: %+v", n, got[n])
			}
		}
		if code := s.end(); code != 0 || c.values["a"] != "off" || c.values["b"] != "on" {
			t.Errorf("exit %d, %v", code, c.values)
		}
	})
}

// TestServeOutlivesARequestThatHangs: it harms nobody but those that wait for its key, who are told
// so in time, and may come again.
func TestServeOutlivesARequestThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{values: map[string]string{"a": "off", "b": "off"}}
		held := make(chan struct{})
		var once sync.Once
		s := serve(t, connecting(func(context.Context) (Connection, error) {
			wait := false
			once.Do(func() { wait = true })
			if wait {
				<-held // deaf to its context
			}
			return connection{c}, nil
		}), "EXECUTOR_TIMEOUT=10s")
		s.ask(request("on", "k", "a", ""))
		synctest.Wait()
		s.ask(request("on", "k", "a", ""), request("on", "l", "b", ""))
		if n, status := s.answer(); n != 3 || status.Status != protocol.Succeeded {
			t.Errorf("%d: %+v", n, status)
		}
		began := time.Now()
		n, status := s.answer()
		if took := time.Since(began); n != 2 || status.Observed["failureClass"] != "conflict" ||
			status.Observed["retryable"] != "true" || took > 10*time.Second ||
			!strings.Contains(status.Error, `"a"`) {
			t.Errorf("%d after %s: %+v", n, took, status)
		}
		time.Sleep(time.Second)
		close(held)
		if n, status := s.answer(); n != 1 || status.Status != protocol.Failed {
			t.Errorf("%d: %+v", n, status)
		}
		s.end()
		if c.values["a"] != "off" || c.values["b"] != "on" {
			t.Error(c.values)
		}
	})
}

// TestServeOutlivesAPanic: it is the answer of its own request, and no other's.
func TestServeOutlivesAPanic(t *testing.T) {
	c := &cloud{values: map[string]string{"a": "off"}}
	calls := 0
	s := serve(t, connecting(func(context.Context) (Connection, error) {
		if calls++; calls == 1 {
			panic("boom")
		}
		return connection{c}, nil
	}))
	s.ask(request("on", "k", "a", ""), request("on", "k", "a", ""))
	got := s.answers(2)
	if got[1].Observed["failureClass"] != "internal" || got[2].Status != protocol.Succeeded {
		t.Errorf("%+v", got)
	}
	if code := s.end(); code != 0 || !strings.Contains(s.stderr.String(), `"request":1`) {
		t.Errorf("exit %d: %s", code, &s.stderr)
	}
}

// TestServeOutlivesABugBeforeTheRun: one in what finds a request's place in the order, as in a
// check of a field, is the answer of its own request.
func TestServeOutlivesABugBeforeTheRun(t *testing.T) {
	c := &cloud{values: map[string]string{"a": "off"}}
	checked := action.Text
	checked.Canonical = func(text string) (string, error) {
		if text == "boom" {
			panic(text)
		}
		return action.Text.Canonical(text)
	}
	verbs := slices.Clone(onOff)
	for i := range verbs {
		verbs[i].Target = slices.Clone(verbs[i].Target)
		verbs[i].Target[0].Form = checked
	}
	s := serveProcess(t, &Process{Name: "switcher", Version: "v9", Provider: "test",
		Registry: action.NewRegistry(verbs),
		Connect: connecting(func(context.Context) (Connection, error) {
			return connection{c}, nil
		})})
	s.ask(request("on", "k", "boom", ""), request("on", "k", "a", ""))
	got := s.answers(2)
	if got[1].Observed["failureClass"] != "internal" || got[2].Status != protocol.Succeeded ||
		!strings.Contains(got[1].Error, "a bug in the executor stopped it: boom") {
		t.Errorf("%+v", got)
	}
	if code := s.end(); code != 0 || !strings.Contains(s.stderr.String(), `"request":1`) {
		t.Errorf("exit %d: %s", code, &s.stderr)
	}
}

// TestServeBoundsWhatIsActedOn: so many requests at a time. The time of the others runs from when
// they came.
func TestServeBoundsWhatIsActedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{values: map[string]string{}}
		held := make(chan struct{})
		var mu sync.Mutex
		at, most := 0, 0
		s := serve(t, connecting(func(context.Context) (Connection, error) {
			mu.Lock()
			at++
			most = max(most, at)
			mu.Unlock()
			<-held
			mu.Lock()
			at--
			mu.Unlock()
			return connection{c}, nil
		}), "EXECUTOR_TIMEOUT=10s")
		const n = maxAtOnce + 5
		for i := range n {
			c.values[fmt.Sprint("v", i)] = "off"
			s.ask(request("on?", fmt.Sprint("k", i), fmt.Sprint("v", i), ""))
		}
		synctest.Wait()
		if most != maxAtOnce {
			t.Errorf("%d are acted on at once, want %d", most, maxAtOnce)
		}
		answered := map[int]bool{}
		for range 5 {
			n, status := s.answer()
			if answered[n] = true; status.Observed["failureClass"] != "timeout" ||
				!strings.Contains(status.Error, "other requests of the stream") {
				t.Errorf("%d: %+v", n, status)
			}
		}
		close(held)
		for range maxAtOnce {
			n, _ := s.answer()
			answered[n] = true
		}
		if len(answered) != n {
			t.Errorf("%d are answered", len(answered))
		}
		s.end()
	})
}

// TestServeStops: at a signal nothing more is read or begun, what is under way gets a true answer,
// and the exit code is 0.
func TestServeStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{values: map[string]string{"a": "off", "b": "off"}}
		var s *served
		c.onChange = func() { s.stop() }
		s = serve(t, connecting(func(context.Context) (Connection, error) { return connection{c}, nil }))
		s.ask(request("on", "k", "a", ""))
		n, status := s.answer()
		if n != 1 || status.Status != protocol.Succeeded || c.values["a"] != "on" {
			t.Errorf("%d: %+v, %v", n, status, c.values)
		}
		if s.lines.Scan() {
			t.Errorf("one more answer: %s", s.lines.Text())
		}
		if code := <-s.code; code != 0 || c.values["b"] != "off" {
			t.Errorf("exit %d, %v", code, c.values)
		}
	})
}

// TestServeBeginsNothingAfterTheStop: what was written before a signal and is read after it is
// answered as a single run answers that is stopped before it begins.
func TestServeBeginsNothingAfterTheStop(t *testing.T) {
	c := &cloud{values: map[string]string{"a": "off", "b": "off"}}
	connect := connecting(func(context.Context) (Connection, error) { return connection{c}, nil })
	p := &Process{Name: "switcher", Version: "v9", Registry: testRegistry, Provider: "test",
		Connect: connect}
	stdin, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	defer in.Close()
	asked := request("on", "k", "a", "")
	_, _ = io.WriteString(in, asked+request("on", "l", "b", "")+request("off", "k:undo", "a",
		`"prior.a":"off"`))
	ctx, stop := context.WithCancel(t.Context())
	stop()
	environ := []string{"EXECUTOR_STATE_DIR=none"}
	var alone, stdout, stderr strings.Builder
	p.program().Main(ctx, []string{"p"}, environ, strings.NewReader(asked), &alone, &stderr)
	want, faults := protocol.DecodeResult([]byte(alone.String()))
	if len(faults) > 0 || !strings.Contains(want.Status.Error, "before anything was changed") {
		t.Fatalf("alone: %s%s", &alone, &stderr)
	}
	code := p.program().ServeStream(ctx, environ, stdin, &stdout, &stderr)
	answered := 0
	for line := range strings.Lines(stdout.String()) {
		answered++
		_, r, faults := protocol.DecodeStreamed([]byte(line))
		if len(faults) > 0 || r.Status.Error != want.Status.Error ||
			r.Status.Observed["failureClass"] != want.Status.Observed["failureClass"] {
			t.Errorf("%v: %s", faults, line)
		}
	}
	if code != 0 || answered != 3 || c.values["a"] != "off" || c.values["b"] != "off" {
		t.Errorf("exit %d, %d answers, %v", code, answered, c.values)
	}
}

// TestServeReadsThePolicyForEachRequest: a policy that was made stricter counts from the next one
// on.
func TestServeReadsThePolicyForEachRequest(t *testing.T) {
	c := &cloud{values: map[string]string{"a": "off", "b": "off"}}
	path := filepath.Join(t.TempDir(), "policy.yaml")
	allow := func(actions string) {
		text := "apiVersion: hybrid.routerd.net/v1alpha1\nkind: ProviderActionPolicy\n" +
			"metadata: {name: lab}\nspec: {enabled: true, dryRunOnly: false, maxActionsPerRun: 9,\n" +
			"  allowedProviders: [test],\n" +
			"  allowedActions: [" + actions + "]}\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	allow("on")
	s := serve(t, connecting(func(context.Context) (Connection, error) { return connection{c}, nil }),
		"EXECUTOR_POLICY="+path)
	s.ask(request("on", "k", "a", ""))
	if n, status := s.answer(); n != 1 || status.Status != protocol.Succeeded {
		t.Errorf("%d: %+v", n, status)
	}
	allow("off")
	s.ask(request("on", "l", "b", ""))
	if n, status := s.answer(); n != 2 || status.Observed["failureClass"] != "denied" {
		t.Errorf("%d: %+v", n, status)
	}
	if code := s.end(); code != 0 || c.values["b"] != "off" {
		t.Errorf("exit %d, %v", code, c.values)
	}
}

// TestServeHasALogForEachRequest: one that says much does not keep another from being heard.
func TestServeHasALogForEachRequest(t *testing.T) {
	c := &cloud{values: map[string]string{"a": "off"}}
	first := true
	s := serve(t, func(_ context.Context, _ string, _ time.Duration, log *slog.Logger) (
		Connection, error,
	) {
		if first {
			for range 2000 {
				log.Warn("this is a line of a log of one request that says the same again and again")
			}
		}
		first = false
		return connection{c}, nil
	}, "EXECUTOR_LOG=info")
	s.ask(request("on", "k", "a", ""), request("on", "k", "a", ""))
	s.answer()
	s.answer()
	s.end()
	log := s.stderr.String()
	if len(log) > 2*protocol.MaxLogBytes || strings.Count(log, "the log is full") != 1 ||
		!strings.Contains(log, `"msg":"answered","request":2`) {
		t.Errorf("%d bytes: %.3000s", len(log), log)
	}
}

// TestServeKeepsWhatRequestsHaveInCommon: a stream connects by what is kept for all of its
// requests. A single request has nothing to keep.
func TestServeKeepsWhatRequestsHaveInCommon(t *testing.T) {
	c := &cloud{values: map[string]string{"a": "off"}}
	var alone, kept, joint int
	counted := func(n *int) Connect {
		return connecting(func(context.Context) (Connection, error) {
			*n++
			return connection{c}, nil
		})
	}
	p := &Process{Name: "switcher", Version: "v9", Registry: testRegistry, Provider: "test",
		Connect: counted(&alone),
		Keep:    func(*slog.Logger) Kept { kept++; return Kept{Connect: counted(&joint)} }}
	s := serveProcess(t, p)
	for _, verb := range []string{"on", "off"} {
		s.ask(request(verb, verb, "a", ""))
		if n, status := s.answer(); status.Status != protocol.Succeeded {
			t.Errorf("%d: %+v", n, status)
		}
	}
	if code := s.end(); code != 0 || alone != 0 || kept != 1 || joint != 2 {
		t.Errorf("exit %d; %d alone, %d by what was kept %d times", code, alone, joint, kept)
	}
	p.program().Main(t.Context(), []string{"switcher"}, []string{"EXECUTOR_STATE_DIR=none"},
		strings.NewReader(request("on", "k", "a", "")), io.Discard, io.Discard)
	if alone != 1 || kept != 1 || joint != 2 {
		t.Errorf("a single request: %d alone, %d by what was kept %d times", alone, joint, kept)
	}
}

// TestServedTableIsReachedByWhatIsKept: the requests of a stream reach the table by the connection
// that they have in common. One of its own for each would stay open, one after the other.
func TestServedTableIsReachedByWhatIsKept(t *testing.T) {
	var kept atomic.Int64
	enough := protocol.Refuse(protocol.StateStore, "that is enough")
	s := serveProcess(t, &Process{
		Name: "switcher", Version: "v9", Registry: testRegistry, Provider: "test",
		Connect: connecting(func(context.Context) (Connection, error) {
			return nil, protocol.Refuse(protocol.Internal, "a connection of its own")
		}),
		Keep: func(*slog.Logger) Kept {
			return Kept{Connect: connecting(func(context.Context) (Connection, error) {
				kept.Add(1)
				return connection{&cloud{values: map[string]string{"a": "off"}}}, nil
			})}
		},
		Shared: func(ctx context.Context, s Shared) (CountedStore, error) {
			if _, err := s.Connect(ctx, "region", s.Timeout, s.Log); err != nil {
				return nil, err
			}
			return nil, enough
		},
	}, "EXECUTOR_STATE_DIR=", StateTableVariable+"=state")
	s.ask(request("on", "k", "a", ""))
	if _, got := s.answer(); got.Error != enough.Message || kept.Load() != 2 {
		t.Errorf("it answers %+v, and %d connections are those that are kept", got, kept.Load())
	}
	s.end()
}
