package executor

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/protocol"

	"github.com/google/go-cmp/cmp"
)

// The rules of the ledger, each as a named test, on a verb of the plainest kind: "set" brings one
// switch to a value, "reset" takes that back, comparing what was before, after and is now.

var ruleRegistry = action.NewRegistry(
	slices.Concat(pair("set", "reset"), pair("paint", "strip"), []action.Verb{follow}, onOff))

// follow brings a switch to what the switch named goal is at: one request, whose outcome the
// world decides.
var follow = action.Verb{
	Name: "follow", Undo: "reset",
	Target: []action.Field{
		{Name: "switch", Form: action.Text, Required: true, Exclusive: true, Decides: true}},
	Plan: action.PlanWith(
		func(ctx context.Context, r reader, req action.Request) (*action.Plan, error) {
			goal, err := r.Read(ctx, "goal")
			if err != nil {
				return nil, err
			}
			return switchTo(ctx, r, req.Target["switch"], goal,
				func(t action.Transition, _ action.Seen) map[string]string {
					return map[string]string{"prior": t.From, "to": t.To}
				})
		}),
}

func pair(do, undo string) []action.Verb {
	target := []action.Field{
		{Name: "switch", Form: action.Text, Required: true, Exclusive: true, Decides: true},
		{Name: "region", Form: action.Text, Decides: true}, {Name: "address", Form: action.Text},
	}
	return []action.Verb{
		{
			Name: do, Undo: undo, Target: target,
			Facts: []action.Field{{Name: "prior", Form: action.Text}, {Name: "to", Form: action.Text}},
			Parameters: []action.Field{
				{Name: "to", Form: action.Text, Required: true, Decides: true},
				{Name: "by", Form: action.Text}, {Name: "below", Form: action.Text},
				{Name: "danger", Form: action.Text}, {Name: "unforeseen", Form: action.Text},
				{Name: "quickly", Form: action.Boolean, Decides: true},
				{Name: "kept", Form: action.Boolean, Default: "true", Decides: true},
				{Name: "tone", Form: action.Text, Default: "low", Decides: true},
				{Name: "passes", Form: action.Boolean}, {Name: "unseen", Form: action.Boolean},
			},
			Plan: action.PlanWith(planSet),
		},
		{
			Name: undo, Target: target,
			Parameters: []action.Field{
				{Name: "prior", Form: action.Text}, {Name: "to", Form: action.Text}, action.OnDrift,
				action.IgnoreHolders,
				{Name: "elsewhere", Form: action.Text}, {Name: "leaves", Form: action.Boolean},
			},
			Plan: action.PlanWith(planReset),
		},
	}
}

// planSet brings a switch to a value, by way of another if the request says so. Below is what was
// before an action that only the provider tells of. What is dangerous and what can't be foreseen is
// as the request says.
func planSet(ctx context.Context, r reader, req action.Request) (*action.Plan, error) {
	p, err := switchTo(ctx, r, req.Target["switch"], req.Parameters["to"],
		func(t action.Transition, seen action.Seen) map[string]string {
			return map[string]string{"prior": t.From, "to": t.To, "now": seen.Values[0]}
		})
	if err != nil {
		return nil, err
	}
	p.Transitions[0].Via, p.Transitions[0].Passes = req.Parameters["by"], req.Bool("passes")
	p.Unseen = req.Bool("unseen")
	if danger := req.Parameters["danger"]; danger != "" {
		p.Dangers = func([]action.Transition, action.Seen) []string { return []string{danger} }
	}
	if gaps := req.Parameters["unforeseen"]; gaps != "" {
		p.Foresee = func(context.Context) ([]string, error) { return strings.Split(gaps, ","), nil }
	}
	if from := req.Parameters["below"]; from != "" {
		p.Transitions[0].Below = &action.Below{Key: "provider", From: from}
	}
	return p, nil
}

func switchTo(
	ctx context.Context, r reader, name, to string,
	facts func(action.Transition, action.Seen) map[string]string,
) (*action.Plan, error) {
	p, err := switches(ctx, r, []string{name}, func(string) string { return to }, "")
	if err != nil {
		return nil, err
	}
	p.Facts = func(t []action.Transition, seen action.Seen) map[string]string {
		return facts(t[0], seen)
	}
	return p, nil
}

func planReset(ctx context.Context, r reader, req action.Request) (*action.Plan, error) {
	name, told := req.Target["switch"],
		action.Told{Before: req.Parameters["prior"], After: req.Parameters["to"]}
	if req.Bool("leaves") {
		return &action.Plan{Skip: "it is to be left", KeepRecord: true,
			Facts: func([]action.Transition, action.Seen) map[string]string {
				return nil
			}}, nil
	}
	p, err := switchTo(ctx, r, name, "",
		func(_ action.Transition, seen action.Seen) map[string]string {
			return map[string]string{"now": seen.Values[0]}
		})
	if err != nil {
		return resetWithout(ctx, r, req, told, err)
	}
	at := action.At{Resource: name, Attribute: "value", Now: p.Seen.Values[0], What: name}
	return p, back(req, p, 0, at, told)
}

// back lets a transition of an undo lead where it is to lead. Without facts, under a key of its
// own, it is a release, that switches off.
func back(req action.Request, p *action.Plan, i int, at action.At, told action.Told) error {
	var b action.Back
	var err error
	if told.Before == "" && !req.Undoes {
		b, err = req.Release(at, at.Now, "off")
	} else {
		b, err = req.Undo(at, told)
	}
	p.Transitions[i].To, p.Transitions[i].Back = b.To, &b
	return err
}

// core is a caller with its own store and cloud. Each of its requests is given to a new executor,
// as to a new process.
type core struct {
	t       *testing.T
	cloud   *cloud
	dir     string
	timeout time.Duration
	// dies names the point at which the next process dies: before or after a change, a put or a
	// removal ("before change", "after put"), the nth time as in "after put 2".
	dies string
	// breaks names the call of the store that fails.
	breaks string
	// unswept leaves the store alone once a request is answered.
	unswept bool
	// byFacts decides on undos that rest on the facts that they carry.
	byFacts func(protocol.Request) error
	mu      *sync.Mutex
	// opened counts the histories that were read.
	opened int
	// log is what the processes said to people.
	log *lines
}

// lines are the lines of a log, without their times.
type lines struct {
	mu  sync.Mutex
	all []string
	// answered are those that tell an answer.
	answered []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := strings.TrimSpace(string(p))
	if strings.HasPrefix(line, "level=INFO msg=answered ") {
		l.answered = append(l.answered, line)
	} else {
		l.all = append(l.all, line)
	}
	return len(p), nil
}

// handler writes to the lines.
func (l *lines) handler() slog.Handler {
	return slog.NewTextHandler(l, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})
}

func newCore(t *testing.T, values ...string) *core {
	c := &core{t: t, dir: t.TempDir(), timeout: 20 * time.Second, mu: new(sync.Mutex),
		log: new(lines), cloud: &cloud{values: map[string]string{}}}
	for _, v := range values {
		name, value, _ := strings.Cut(v, "=")
		c.cloud.values[name] = value
	}
	return c
}

// point is a place where a process may die.
func (c *core) point(counts map[string]int, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts[name]++
	if c.dies == name || c.dies == fmt.Sprint(name, " ", counts[name]) {
		c.dies = ""
		runtime.Goexit()
	}
}

// mortal is what a process works with, and may die at.
type mortal struct {
	*core
	Store
	counts map[string]int
}

func (m mortal) Reader() any { return m.cloud }
func (m mortal) Writer() any { return m }

func (m mortal) Switch(ctx context.Context, name, value string) error {
	m.point(m.counts, "before change")
	defer m.point(m.counts, "after change")
	return m.cloud.Switch(ctx, name, value)
}

var errDisk = protocol.Refuse(protocol.StateStore, "the disk is broken; nothing was changed")

func (m mortal) Lock(ctx context.Context, key string, things ...string) (func(), error) {
	if m.breaks == "lock" {
		return nil, errDisk
	}
	return m.Store.Lock(ctx, key, things...)
}

func (m mortal) Get(ctx context.Context, key string) (ledger.Record, bool, error) {
	if m.breaks == "get" {
		return ledger.Record{}, false, errDisk
	}
	return m.Store.Get(ctx, key)
}

func (m mortal) History(ctx context.Context, resource, attribute string) ([]ledger.Record, error) {
	if m.breaks == "history" || m.breaks == "history "+resource {
		return nil, errDisk
	}
	m.opened++
	return m.Store.History(ctx, resource, attribute)
}

func (m mortal) Put(ctx context.Context, r ledger.Record) error {
	if m.breaks == "put" {
		return errDisk
	}
	m.point(m.counts, "before put")
	defer m.point(m.counts, "after put")
	return m.Store.Put(ctx, r)
}

func (m mortal) Done(ctx context.Context, r ledger.Record) error {
	if m.breaks == "put" {
		return errDisk
	}
	m.point(m.counts, "before put")
	defer m.point(m.counts, "after put")
	return m.Store.Done(ctx, r)
}

func (m mortal) Remove(ctx context.Context, key string) error {
	if m.breaks == "remove" {
		return errDisk
	}
	m.point(m.counts, "before remove")
	defer m.point(m.counts, "after remove")
	return m.Store.Remove(ctx, key)
}

func (m mortal) Sweep(ctx context.Context) {
	if !m.unswept {
		m.Store.Sweep(ctx)
	}
}

// died is the status of a process that did.
const died protocol.State = "died"

// send starts a process and waits for its end.
func (c *core) send(verb, key, name string, parameters map[string]string) protocol.Status {
	c.t.Helper()
	m := mortal{core: c, counts: map[string]int{}}
	e := &Executor{
		Registry: ruleRegistry, Provider: "test", Timeout: c.timeout,
		Log: slog.New(c.log.handler()), ByFacts: c.byFacts,
		Connect: func(context.Context, string, time.Duration) (Connection, error) { return m, nil },
	}
	if c.dir != "" {
		e.OpenStore = func(ctx context.Context, dryRun bool) (Store, error) {
			if c.breaks == "open" {
				return nil, errDisk
			}
			open := ledger.Open
			if dryRun {
				open = ledger.Read
			}
			l, err := open(ctx, c.dir, ledger.OSDisk{}, time.Now)
			m.Store = l
			return m, err
		}
		// The store is made by the connection's process, and dies with it.
		e.Connect = func(context.Context, string, time.Duration) (Connection, error) { return &m, nil }
	}
	var fields []string
	for k, v := range parameters {
		fields = append(fields, fmt.Sprintf("%q:%q", k, v))
	}
	text := request(verb, key, name, strings.Join(fields, ","))
	if verb != "on" && verb != "off" {
		text = strings.Replace(text, `"names"`, `"switch"`, 1)
	}
	if c.cloud.named != "" {
		text = strings.Replace(text, `"spec":{`, `"spec":{"context":{"targetAccount":"`+c.cloud.named+
			`"},`, 1)
	}
	status := protocol.Status{Status: died}
	done := make(chan struct{})
	go func() {
		defer close(done)
		status = e.Run(context.Background(), strings.NewReader(text)).Status
	}()
	<-done
	return status
}

// set sends the action, and undo its undo with the facts it had answered, as a core does.
func (c *core) set(key, name, to string, more ...string) protocol.Status {
	c.t.Helper()
	return c.send("set", key, name, with(map[string]string{"to": to}, more))
}

func (c *core) undo(key, name string, facts protocol.Status, more ...string) protocol.Status {
	c.t.Helper()
	return c.send("reset", key+":undo", name, with(facts.Observed, more))
}

// both brings the switches a and b to on together, by way of another value.
func (c *core) both(key, via string) protocol.Status {
	c.t.Helper()
	return c.send("on", key, "a,b", map[string]string{"via": via})
}

func with(m map[string]string, more []string) map[string]string {
	m = action.Merge(m)
	for _, kv := range more {
		k, v, _ := strings.Cut(kv, "=")
		m[k] = v
	}
	return m
}

// now holds the world against what it should be: "a=on b=off".
func (c *core) now(want string) {
	c.t.Helper()
	var all []string
	for _, n := range slices.Sorted(maps.Keys(c.cloud.values)) {
		all = append(all, n+"="+c.cloud.values[n])
	}
	if got := strings.Join(all, " "); got != want {
		c.t.Errorf("the world is %s, want %s", got, want)
	}
}

// is holds a status against its state, and its facts against those given.
func is(t *testing.T, got protocol.Status, state protocol.State, facts ...string) protocol.Status {
	t.Helper()
	if got.Status != state {
		t.Errorf("status %s, want %s: %+v", got.Status, state, got)
	}
	for _, f := range facts {
		k, v, _ := strings.Cut(f, "=")
		if got.Observed[k] != v {
			t.Errorf("%s is %q, want %q: %+v", k, got.Observed[k], v, got)
		}
	}
	return got
}

// failed holds a status against a failure's class.
func failed(
	t *testing.T, got protocol.Status, class protocol.FailureClass, facts ...string,
) protocol.Status {
	t.Helper()
	return is(t, got, protocol.Failed, append(facts, "failureClass="+string(class))...)
}

// free reports whether nothing is recorded under a key that is not undone.
func (c *core) free(key string, want bool) {
	c.t.Helper()
	r, _ := c.record(key)
	if is := len(open(r)) == 0; is != want {
		c.t.Errorf("the key %s is free: %t, want %t (%+v)", key, is, want, r)
	}
}

// record is what is recorded under a key.
func (c *core) record(key string) (ledger.Record, bool) {
	c.t.Helper()
	l, err := ledger.Open(c.t.Context(), c.dir, ledger.OSDisk{}, time.Now)
	if err != nil {
		c.t.Fatal(err)
	}
	r, found, err := l.Get(c.t.Context(), key)
	if err != nil {
		c.t.Fatal(err)
	}
	return r, found
}

// entries are those that are recorded under a key, one a line, without what the clock tells.
func (c *core) entries(key string) string {
	c.t.Helper()
	r, _ := c.record(key)
	var all []string
	for _, e := range r.Entries {
		said := fmt.Sprintf("%s %d %s>%s %s", e.Resource, e.Seq, e.From, e.To, e.State)
		if e.Undone != 0 {
			said += fmt.Sprintf(" %d to %q", e.Undone, e.Aim)
		}
		if e.Backup {
			said += " backup"
		}
		all = append(all, said)
	}
	return strings.Join(all, "\n")
}

// says holds a failure's or a success's sentence against what it should contain.
func says(t *testing.T, got protocol.Status, want string) {
	t.Helper()
	if said := got.Error + got.Message; !strings.Contains(said, want) {
		t.Errorf("it says %q, want %q", said, want)
	}
}

// logged holds the log against a line that should be there.
func (c *core) logged(want string) {
	c.t.Helper()
	if !slices.Contains(c.log.all, want) {
		c.t.Errorf("the log has no line\n\t%s\nbut\n\t%s", want, strings.Join(c.log.all, "\n\t"))
	}
}

// changes counts the changing calls.
func (c *core) changes() int {
	return len(slices.DeleteFunc(slices.Clone(c.cloud.calls), func(s string) bool {
		return strings.HasPrefix(s, "read ")
	}))
}

// rule runs a test of one rule, in time of its own.
func rule(t *testing.T, name string, test func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// TestFirstPriorWins guards against the commonest fault in this field: the process dies, or its
// answer is lost, after the change; the retry reads the changed state as prior; the undo then
// restores nothing, for ever.
func TestFirstPriorWins(t *testing.T) {
	for _, point := range []string{
		"before put 1", "after put 1", "before change", "after change", "before put 2", "after put 2",
	} {
		rule(t, "the process dies "+point, func(t *testing.T) {
			c := newCore(t, "a=off")
			c.dies = point
			is(t, c.set("k", "a", "on"), died)
			got := is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=off", "now=on", "changed=true")
			c.now("a=on")
			is(t, c.undo("k", "a", got), protocol.Succeeded)
			c.now("a=off")
			c.free("k", true)
		})
	}
	for _, word := range []string{"lost", "late", "dropped", "ignore"} {
		rule(t, "the first answer is "+word, func(t *testing.T) {
			c := newCore(t, "a=off")
			c.timeout = time.Second
			c.cloud.changes = script{"a": {word}}
			first := c.set("k", "a", "on")
			if first.Observed["prior"] != "off" {
				t.Errorf("the first answer: %+v", first)
			}
			got := is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=off", "changed=true")
			is(t, c.undo("k", "a", got), protocol.Succeeded)
			c.now("a=off")
		})
	}
	rule(t, "the deadline passes while the change is on its way", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.timeout = time.Second
		c.cloud.changes, c.cloud.reads = script{"a": {"lost"}}, slices.Repeat([]string{"fail"}, 100)
		c.cloud.reads[0] = "ok"
		failed(t, c.set("k", "a", "on"), protocol.Ambiguous, "prior=off")
		c.cloud.reads = nil
		got := is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=off", "changed=true")
		is(t, c.undo("k", "a", got), protocol.Succeeded)
		c.now("a=off")
	})
	rule(t, "a core asks again and again", func(t *testing.T) {
		c := newCore(t, "a=dim")
		for range 4 {
			is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=dim", "changed=true")
		}
		if n := c.changes(); n != 1 {
			t.Errorf("%d changes, want 1", n)
		}
	})
	rule(t, "what was so before stays known as that", func(t *testing.T) {
		c := newCore(t, "a=on")
		c.dies = "after put 1"
		is(t, c.set("k", "a", "on"), died)
		got := is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=on", "changed=false")
		is(t, c.undo("k", "a", got), protocol.Skipped)
		c.now("a=on")
	})
	rule(t, "a second process dies too", func(t *testing.T) {
		c := newCore(t, "a=off")
		for _, point := range []string{"after change", "before put 1", "after put 1"} {
			c.dies = point
			is(t, c.set("k", "a", "on"), died)
		}
		is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=off", "changed=true")
	})
}

// TestPresentValueNeither: what is neither our doing nor what we found is somebody else's, and is
// the prior fact from then on.
func TestPresentValueNeither(t *testing.T) {
	rule(t, "it is read afresh", func(t *testing.T) {
		c := newCore(t, "a=off")
		is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=off")
		c.cloud.values["a"] = "dim" // by somebody else
		got := is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=dim", "changed=true")
		is(t, c.undo("k", "a", got), protocol.Succeeded)
		c.now("a=dim")
	})
	rule(t, "what another brought to a new goal is not our own doing", func(t *testing.T) {
		c := newCore(t, "a=off", "goal=on")
		is(t, c.send("follow", "k", "a", nil), protocol.Succeeded, "prior=off", "to=on")
		c.cloud.values["goal"], c.cloud.values["a"] = "dim", "dim"
		is(t, c.send("follow", "k", "a", nil), protocol.Succeeded, "prior=dim", "to=dim", "changed=false")
	})
	rule(t, "one stale reading of it is not believed", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.dies = "after change"
		is(t, c.set("k", "a", "on"), died)
		// A replica that knows neither our change nor the one before it.
		c.cloud.stale = []map[string]string{{"a": "dim"}}
		got := is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=off", "changed=true")
		is(t, c.undo("k", "a", got), protocol.Succeeded)
		c.now("a=off")
	})
	rule(t, "one stale reading from before the change is no harm", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.dies = "after change"
		is(t, c.set("k", "a", "on"), died)
		c.cloud.stale = []map[string]string{{"a": "off"}}
		got := is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=off", "changed=true")
		is(t, c.undo("k", "a", got), protocol.Succeeded)
		c.now("a=off")
	})
}

// TestDigestConflict: one key is for one request, for as long as it has something in force.
func TestDigestConflict(t *testing.T) {
	rule(t, "while it is in force", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		is(t, c.set("k", "a", "on"), protocol.Succeeded)
		calls := len(c.cloud.calls)
		failed(t, c.set("k", "a", "dim"), protocol.Conflict, "retryable=false")
		failed(t, c.set("k", "b", "on"), protocol.Conflict)
		failed(t, c.send("paint", "k", "a", map[string]string{"to": "on"}), protocol.Conflict)
		failed(t, c.send("reset", "k", "a", nil), protocol.Conflict)
		if len(c.cloud.calls) != calls {
			t.Errorf("calls were made: %v", c.cloud.calls[calls:])
		}
		c.now("a=on b=off")
	})
	rule(t, "what was before the one is no fact of the other", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=off")
		if got := failed(t, c.set("k", "b", "on"), protocol.Conflict, "prior="); got.UndoAvailable {
			t.Errorf("an undo is offered: %+v", got)
		}
	})
	rule(t, "while it may be in force", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.dies = "after put 1"
		is(t, c.set("k", "a", "on"), died)
		failed(t, c.set("k", "a", "dim"), protocol.Conflict)
		c.now("a=off")
	})
	rule(t, "not for what a planner adds of its own", func(t *testing.T) {
		c := newCore(t, "a=off")
		is(t, c.set("k", "a", "on", "mobilityLease=1"), protocol.Succeeded)
		is(t, c.set("k", "a", "on", "mobilityLease=2", "nextHopIPAddress=10.0.0.1"), protocol.Succeeded,
			"prior=off")
		is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=off")
	})
	rule(t, "not for what goes without saying", func(t *testing.T) {
		c := newCore(t, "a=off")
		is(t, c.set("k", "a", "on"), protocol.Succeeded)
		for _, said := range []string{"quickly=false", "quickly=no", "kept=true", "kept=1", "tone=low"} {
			is(t, c.set("k", "a", "on", said), protocol.Succeeded, "prior=off")
		}
		for _, said := range []string{"quickly=true", "kept=false", "tone=high", "tone=false"} {
			failed(t, c.set("k", "a", "on", said), protocol.Conflict)
		}
	})
	rule(t, "not after a definite failure that changed nothing", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.changes = script{"a": {"refuse"}}
		failed(t, c.set("k", "a", "on"), protocol.Throttled, "prior=off")
		c.free("k", true)
		is(t, c.set("k", "b", "on"), protocol.Succeeded, "prior=off")
	})
	rule(t, "not when nothing could be read", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.reads = []string{"fail"}
		failed(t, c.set("k", "a", "on"), protocol.Unavailable)
		c.free("k", true)
		is(t, c.set("k", "b", "on"), protocol.Succeeded)
	})
	rule(t, "not after a finished undo, and the key starts afresh", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		first := is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=off")
		is(t, c.undo("k", "a", first), protocol.Succeeded)
		c.free("k", true)
		c.cloud.values["a"] = "dim"
		again := is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=dim")
		is(t, c.undo("k", "a", again), protocol.Succeeded)
		c.now("a=dim b=off")
		is(t, c.set("k", "b", "on"), protocol.Succeeded)
	})
	rule(t, "still after a failure that may have changed something", func(t *testing.T) {
		for _, word := range []string{"dropped", "ignore"} {
			c := newCore(t, "a=off")
			c.timeout = time.Second
			c.cloud.changes = script{"a": {word}}
			is(t, c.set("k", "a", "on"), protocol.Failed, "prior=off")
			failed(t, c.set("k", "a", "dim"), protocol.Conflict)
		}
	})
	rule(t, "a refusal of the second attempt does not free what the first may have done",
		func(t *testing.T) {
			c := newCore(t, "a=off")
			c.timeout = time.Second
			c.cloud.changes = script{"a": {"dropped", "refuse"}}
			failed(t, c.set("k", "a", "on"), protocol.Ambiguous, "prior=off")
			failed(t, c.set("k", "a", "on"), protocol.Throttled, "prior=off")
			c.free("k", false)
			c.cloud.values["a"] = "on" // the first one comes through after all
			got := is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=off", "changed=true")
			is(t, c.undo("k", "a", got), protocol.Succeeded)
			c.now("a=off")
		})
}

// TestUndo: before, after and now are compared; what the action changed is restored, exactly, and
// nothing else.
func TestUndo(t *testing.T) {
	rule(t, "it restores a value of any kind, as a takeover needs", func(t *testing.T) {
		c := newCore(t, "a=eni-x")
		got := is(t, c.set("k", "a", "eni-mine"), protocol.Succeeded, "prior=eni-x")
		is(t, c.undo("k", "a", got), protocol.Succeeded)
		c.now("a=eni-x")
	})
	rule(t, "it can be asked for twice", func(t *testing.T) {
		c := newCore(t, "a=off")
		got := c.set("k", "a", "on")
		for range 3 {
			is(t, c.undo("k", "a", got), protocol.Succeeded)
			c.now("a=off")
		}
		if n := c.changes(); n != 2 {
			t.Errorf("%d changes, want one there and one back", n)
		}
	})
	for _, point := range []string{"before change", "after change", "before remove", "after remove"} {
		rule(t, "its process dies "+point, func(t *testing.T) {
			c := newCore(t, "a=off")
			got := c.set("k", "a", "on")
			c.dies = point
			is(t, c.undo("k", "a", got), died)
			is(t, c.undo("k", "a", got), protocol.Succeeded)
			c.now("a=off")
			c.free("k", true)
		})
	}
	for _, word := range []string{"lost", "late", "dropped", "ignore", "refuse"} {
		rule(t, "its answer is "+word, func(t *testing.T) {
			c := newCore(t, "a=off")
			c.timeout = time.Second
			got := c.set("k", "a", "on")
			c.cloud.changes = script{"a": {word}}
			if first := c.undo("k", "a", got); first.Status == protocol.Failed {
				c.now("a=on")
				c.free("k", false)
			}
			is(t, c.undo("k", "a", got), protocol.Succeeded)
			c.now("a=off")
			c.free("k", true)
		})
	}
	rule(t, "what was so before the action stays", func(t *testing.T) {
		c := newCore(t, "a=on")
		got := is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=on", "changed=false")
		is(t, c.undo("k", "a", got), protocol.Skipped)
		c.now("a=on")
		c.free("k", true)
	})
	rule(t, "somebody put it back already", func(t *testing.T) {
		c := newCore(t, "a=off")
		got := c.set("k", "a", "on")
		c.cloud.values["a"] = "off"
		is(t, c.undo("k", "a", got), protocol.Succeeded)
		c.now("a=off")
		if n := c.changes(); n != 1 {
			t.Errorf("%d changes, want 1", n)
		}
	})
	rule(t, "one that fails offers no undo of itself", func(t *testing.T) {
		c := newCore(t, "a=off")
		got := c.set("k", "a", "on")
		c.cloud.reads = []string{"fail"}
		if failure := failed(t, c.undo("k", "a", got), protocol.Unavailable,
			"prior="); failure.UndoAvailable {
			t.Errorf("got %+v", failure)
		}
	})
	rule(t, "somebody made it a third thing", func(t *testing.T) {
		c := newCore(t, "a=off")
		got := c.set("k", "a", "on")
		c.cloud.values["a"] = "dim"
		failed(t, c.undo("k", "a", got), protocol.Drift, "drift=dim")
		c.now("a=dim")
		c.free("k", false)
		is(t, c.undo("k", "a", got, "onDrift=restore"), protocol.Succeeded)
		c.now("a=off")
	})
	rule(t, "one stale reading of a third thing is not believed", func(t *testing.T) {
		c := newCore(t, "a=off")
		got := c.set("k", "a", "on")
		c.cloud.stale = []map[string]string{{"a": "dim"}}
		is(t, c.undo("k", "a", got), protocol.Succeeded)
		c.now("a=off")
	})
	rule(t, "one stale reading that it is back already is not believed", func(t *testing.T) {
		c := newCore(t, "a=off")
		got := c.set("k", "a", "on")
		c.cloud.stale = []map[string]string{{"a": "off"}}
		is(t, c.undo("k", "a", got), protocol.Succeeded)
		c.now("a=off")
		c.free("k", true)
	})
	rule(t, "an action that failed half-way is undone with the facts it had learnt",
		func(t *testing.T) {
			for _, word := range []string{"dropped", "ignore"} {
				c := newCore(t, "a=off")
				c.timeout = time.Second
				c.cloud.changes = script{"a": {word}}
				got := is(t, c.set("k", "a", "on"), protocol.Failed, "prior=off")
				if !got.UndoAvailable {
					t.Errorf("no undo: %+v", got)
				}
				c.cloud.values["a"] = "on" // it comes through after all
				is(t, c.undo("k", "a", got), protocol.Succeeded)
				c.now("a=off")
			}
		})
}

// TestUndoThatContradictsTheRecord: parameters that can't be what the action answered change
// nothing, and the record stays.
func TestUndoThatContradictsTheRecord(t *testing.T) {
	tests := []struct {
		name   string
		switc  string
		params map[string]string
	}{
		{"another prior", "a", map[string]string{"prior": "dim", "to": "on"}},
		{"that there was nothing to change", "a", map[string]string{"prior": "on", "to": "on"}},
		{"another switch", "b", map[string]string{"prior": "eni-x", "to": "on"}},
	}
	for _, tt := range tests {
		rule(t, tt.name, func(t *testing.T) {
			c := newCore(t, "a=eni-x", "b=on")
			got := is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=eni-x")
			failed(t, c.send("reset", "k:undo", tt.switc, tt.params), protocol.Conflict)
			c.now("a=on b=on")
			c.free("k", false)
			is(t, c.undo("k", "a", got), protocol.Succeeded)
			c.now("a=eni-x b=on")
		})
	}
	for _, params := range []map[string]string{{}, {"prior": "off", "to": "on"}} {
		rule(t, fmt.Sprint("another switch, of an action that changed nothing: ", params),
			func(t *testing.T) {
				c := newCore(t, "a=on", "b=on")
				is(t, c.set("k", "a", "on"), protocol.Succeeded, "changed=false")
				failed(t, c.send("reset", "k:undo", "b", params), protocol.Conflict)
				c.now("a=on b=on")
				c.free("k", false)
			})
	}
	rule(t, "another action's key is none of its business", func(t *testing.T) {
		c := newCore(t, "a=eni-x", "b=on")
		is(t, c.set("k", "a", "on"), protocol.Succeeded)
		is(t, c.send("reset", "other:undo", "b", map[string]string{"prior": "off", "to": "on"}),
			protocol.Succeeded)
		c.now("a=on b=off")
	})
	rule(t, "the undo verb of another action is not this one's", func(t *testing.T) {
		c := newCore(t, "a=off", "b=on")
		got := is(t, c.set("k", "a", "on"), protocol.Succeeded)
		failed(t, c.send("strip", "k:undo", "a", got.Observed), protocol.Conflict)
		failed(t, c.send("strip", "k:undo", "b", map[string]string{"prior": "dim", "to": "off"}),
			protocol.Conflict)
		c.now("a=on b=on")
		c.free("k", false)
		is(t, c.undo("k", "a", got), protocol.Succeeded)
	})
	rule(t, "without facts the record decides", func(t *testing.T) {
		c := newCore(t, "a=eni-x")
		is(t, c.set("k", "a", "on"), protocol.Succeeded)
		is(t, c.send("reset", "k:undo", "a", nil), protocol.Succeeded, "changed=true")
		c.now("a=eni-x")
		c.free("k", true)
	})
	rule(t, "an undo that leaves the action in force leaves its record", func(t *testing.T) {
		c := newCore(t, "a=off")
		got := is(t, c.set("k", "a", "on"), protocol.Succeeded)
		is(t, c.undo("k", "a", got, "leaves=true"), protocol.Skipped)
		c.free("k", false)
		is(t, c.undo("k", "a", got), protocol.Succeeded)
		c.now("a=off")
	})
	rule(t, "readings from before the action do not undo it, however many agree", func(t *testing.T) {
		c := newCore(t, "a=off")
		got := is(t, c.set("k", "a", "on"), protocol.Succeeded)
		c.cloud.stale = slices.Repeat([]map[string]string{{"a": "off"}}, 10)
		is(t, c.undo("k", "a", got), protocol.Succeeded)
		c.now("a=off")
	})
	rule(t, "a record that is gone is no obstacle", func(t *testing.T) {
		c := newCore(t, "a=off")
		got := c.set("k", "a", "on")
		c.dir = t.TempDir()
		is(t, c.undo("k", "a", got), protocol.Succeeded)
		c.now("a=off")
	})
}

// TestHolders guards the second run under another key: undoing in the other order must not take
// away what the second action needs.
func TestHolders(t *testing.T) {
	two := func(t *testing.T) (*core, protocol.Status, protocol.Status) {
		c := newCore(t, "a=off")
		first := is(t, c.set("k1", "a", "on"), protocol.Succeeded, "prior=off")
		second := is(t, c.set("k2", "a", "on"), protocol.Succeeded, "prior=on", "changed=false")
		return c, first, second
	}
	rule(t, "undone in the reverse order it is as before the first", func(t *testing.T) {
		c, first, second := two(t)
		is(t, c.undo("k2", "a", second), protocol.Skipped, `heldBy=["k1"]`, "withdrawn=true")
		c.now("a=on")
		is(t, c.undo("k1", "a", first), protocol.Succeeded, "heldBy=", "changed=true")
		c.now("a=off")
		c.free("k1", true)
		c.free("k2", true)
	})
	rule(t, "undone in their order the last one brings back what was before the first",
		func(t *testing.T) {
			c, first, second := two(t)
			is(t, c.undo("k1", "a", first), protocol.Succeeded, `heldBy=["k2"]`, "withdrawn=true",
				"changed=false")
			c.now("a=on")
			c.free("k1", true)
			is(t, c.undo("k2", "a", second), protocol.Succeeded, "heldBy=", "changed=true")
			c.now("a=off")
			c.free("k1", true)
			c.free("k2", true)
			// Sent again, as after a lost answer, neither goes by its facts alone.
			is(t, c.undo("k2", "a", second), protocol.Skipped, "changed=")
			is(t, c.undo("k1", "a", first), protocol.Succeeded, "changed=false")
			c.now("a=off")
		})
	rule(t, "all of them are named", func(t *testing.T) {
		c, first, _ := two(t)
		is(t, c.set("k3", "a", "on"), protocol.Succeeded)
		is(t, c.undo("k1", "a", first), protocol.Succeeded, `heldBy=["k2","k3"]`, "changed=false")
	})
	rule(t, "ignoreHolders overrides", func(t *testing.T) {
		c, first, _ := two(t)
		is(t, c.undo("k1", "a", first, "ignoreHolders=true"), protocol.Succeeded)
		c.now("a=off")
	})
	rule(t, "one that may be in force holds too", func(t *testing.T) {
		c := newCore(t, "a=off")
		first := c.set("k1", "a", "on")
		c.dies = "after put 1"
		is(t, c.set("k2", "a", "on"), died)
		is(t, c.undo("k1", "a", first), protocol.Succeeded, `heldBy=["k2"]`)
		c.now("a=on")
	})
	rule(t, "one on top of it holds, and its undo goes below both", func(t *testing.T) {
		c := newCore(t, "a=off")
		first := c.set("k1", "a", "on")
		second := is(t, c.set("k2", "a", "dim"), protocol.Succeeded, "prior=on")
		is(t, c.undo("k1", "a", first), protocol.Succeeded, `heldBy=["k2"]`)
		c.now("a=dim")
		is(t, c.undo("k2", "a", second), protocol.Succeeded)
		c.now("a=off")
		is(t, c.undo("k1", "a", first), protocol.Succeeded, "changed=false")
		c.now("a=off")
	})
	rule(t, "one that was killed after its change has changed it, whoever found it so since",
		func(t *testing.T) {
			c := newCore(t, "a=off")
			c.dies = "after change"
			is(t, c.set("k1", "a", "on"), died)
			is(t, c.set("k2", "a", "on"), protocol.Succeeded, "prior=on", "changed=false")
			first := is(t, c.set("k1", "a", "on"), protocol.Succeeded, "changed=true")
			is(t, c.undo("k2", "a", protocol.Status{}), protocol.Skipped, `heldBy=["k1"]`)
			is(t, c.undo("k1", "a", first), protocol.Succeeded, "changed=true")
			c.now("a=off")
		})
	rule(t, "one below it does not hold", func(t *testing.T) {
		c := newCore(t, "a=off")
		first := c.set("k1", "a", "on")
		second := is(t, c.set("k2", "a", "dim"), protocol.Succeeded, "prior=on")
		is(t, c.undo("k2", "a", second), protocol.Succeeded, "heldBy=")
		c.now("a=on")
		is(t, c.undo("k1", "a", first), protocol.Succeeded)
		c.now("a=off")
	})
	rule(t, "two that both changed it do not wait for each other for ever", func(t *testing.T) {
		for _, order := range [][2]string{{"k1", "k2"}, {"k2", "k1"}} {
			c := newCore(t, "a=off")
			facts := map[string]protocol.Status{}
			c.dies = "before change"
			is(t, c.set("k1", "a", "on"), died)
			facts["k2"] = is(t, c.set("k2", "a", "on"), protocol.Succeeded, "prior=off", "changed=true")
			facts["k1"] = is(t, c.set("k1", "a", "on"), protocol.Succeeded, "prior=on", "changed=false")
			held := c.undo(order[0], "a", facts[order[0]])
			if want := `["` + order[1] + `"]`; held.Status == protocol.Failed ||
				held.Observed["heldBy"] != want {
				t.Errorf("got %+v, want held by %s", held, want)
			}
			c.now("a=on")
			is(t, c.undo(order[1], "a", facts[order[1]]), protocol.Succeeded, "changed=true")
			c.now("a=off")
			c.free("k1", true)
			c.free("k2", true)
		}
	})
	rule(t, "one that somebody's own undo took away holds nothing", func(t *testing.T) {
		c := newCore(t, "a=off")
		first := is(t, c.set("k1", "a", "on"), protocol.Succeeded)
		// By a key of its own, as an operator does.
		is(t, c.send("reset", "by hand", "a", nil), protocol.Succeeded)
		c.now("a=off")
		second := is(t, c.set("k2", "a", "on"), protocol.Succeeded, "prior=off")
		is(t, c.undo("k2", "a", second), protocol.Succeeded)
		is(t, c.undo("k1", "a", first), protocol.Succeeded)
		c.now("a=off")
		c.free("k1", true)
	})
	rule(t, "tried again after that, what another has brought about since was there before",
		func(t *testing.T) {
			c := newCore(t, "a=off")
			is(t, c.set("k1", "a", "on"), protocol.Succeeded)
			is(t, c.send("reset", "by hand", "a", nil), protocol.Succeeded)
			second := is(t, c.set("k2", "a", "on"), protocol.Succeeded, "prior=off")
			first := is(t, c.set("k1", "a", "on"), protocol.Succeeded, "prior=on", "changed=false")
			is(t, c.undo("k2", "a", second), protocol.Succeeded, `heldBy=["k1"]`)
			is(t, c.undo("k1", "a", first), protocol.Succeeded, "heldBy=", "changed=true")
			c.now("a=off")
		})
	rule(t, "one that died before it came to be holds for a minute, and is undone",
		func(t *testing.T) {
			c := newCore(t, "a=off")
			first := is(t, c.set("k1", "a", "on"), protocol.Succeeded)
			c.dies = "before change"
			is(t, c.set("k2", "a", "dim"), died)
			second := protocol.Status{Observed: map[string]string{"prior": "on", "to": "dim"}}
			is(t, c.undo("k1", "a", first), protocol.Succeeded, `heldBy=["k2"]`)
			is(t, c.undo("k2", "a", second), protocol.Succeeded)
			c.now("a=off")
			c.free("k1", true)
			c.free("k2", true)
		})
	rule(t, "three in a row, undone in any order", func(t *testing.T) {
		for _, dies := range []string{"", "after change"} {
			c := newCore(t, "a=off")
			c.dies = dies
			c.set("k1", "a", "on")
			first := protocol.Status{Observed: map[string]string{"prior": "off", "to": "on"}}
			second := is(t, c.set("k2", "a", "dim"), protocol.Succeeded, "prior=on")
			third := is(t, c.set("k3", "a", "bright"), protocol.Succeeded, "prior=dim")
			is(t, c.undo("k3", "a", third), protocol.Succeeded)
			c.now("a=dim")
			is(t, c.undo("k1", "a", first), protocol.Succeeded, `heldBy=["k2"]`)
			is(t, c.undo("k2", "a", second), protocol.Succeeded)
			c.now("a=off")
			c.free("k1", true)
		}
	})
	rule(t, "what a release ended is nothing to undo", func(t *testing.T) {
		c := newCore(t, "a=off")
		second := is(t, c.set("k2", "a", "dim"), protocol.Succeeded)
		is(t, c.set("k3", "a", "dim"), protocol.Succeeded, "prior=dim")
		is(t, c.send("reset", "by hand", "a", nil), protocol.Succeeded)
		c.cloud.values["a"] = "bright" // by somebody else
		is(t, c.undo("k2", "a", second), protocol.Succeeded, "released=by hand", "changed=false")
		c.now("a=bright")
	})
	rule(t, "a release under one key, over and over, keeps one entry", func(t *testing.T) {
		c := newCore(t, "a=off")
		for range 3 {
			first := is(t, c.set("k", "a", "dim"), protocol.Succeeded, "prior=off", "changed=true")
			is(t, c.send("reset", "own", "a", nil), protocol.Succeeded, "changed=true")
			c.now("a=off")
			if got := c.entries("own"); strings.Count(got, "\n") != 0 || got == "" {
				t.Errorf("recorded:\n%s", got)
			}
			c.free("k", true)
			is(t, c.undo("k", "a", first), protocol.Succeeded, "released=own", "changed=false")
		}
	})
	rule(t, "one whose state somebody took away holds what is so again", func(t *testing.T) {
		c, first, second := two(t)
		c.cloud.values["a"] = "off" // by somebody else
		is(t, c.undo("k1", "a", first), protocol.Succeeded, "changed=false")
		third := is(t, c.set("k3", "a", "on"), protocol.Succeeded, "prior=off")
		is(t, c.undo("k3", "a", third), protocol.Succeeded, `heldBy=["k2"]`, "changed=false")
		is(t, c.undo("k2", "a", second), protocol.Succeeded, "changed=true")
		c.now("a=off")
	})
	rule(t, "one that needs what an undo finds back already is no obstacle", func(t *testing.T) {
		c := newCore(t, "a=off")
		first := c.set("k1", "a", "on")
		c.cloud.values["a"] = "off" // by somebody else
		is(t, c.set("k2", "a", "off"), protocol.Succeeded, "changed=false")
		is(t, c.undo("k1", "a", first), protocol.Succeeded, "changed=false")
		c.free("k1", true)
	})
	rule(t, "each part is held for itself", func(t *testing.T) {
		for _, b := range []string{"on", "off", "dim"} {
			c := newCore(t, "a=off", "b=off")
			first := is(t, c.both("k1", "dim"), protocol.Succeeded)
			second := is(t, c.both("k2", "dim"), protocol.Succeeded, "prior.a=on")
			_ = second
			c.cloud.values["b"] = b // by somebody else
			got := c.send("off", "k1:undo", "a,b", first.Observed)
			if b == "dim" {
				failed(t, got, protocol.Drift)
			} else {
				is(t, got, protocol.Succeeded, `heldBy=["k2"]`, "changed=false")
			}
			c.now("a=on b=" + b)
		}
	})
	rule(t, "one that asks anew after its undo holds again", func(t *testing.T) {
		c, first, second := two(t)
		is(t, c.undo("k1", "a", first), protocol.Succeeded, `heldBy=["k2"]`)
		again := is(t, c.set("k1", "a", "on"), protocol.Succeeded, "prior=on", "changed=false")
		is(t, c.undo("k2", "a", second), protocol.Skipped, `heldBy=["k1"]`)
		third := is(t, c.set("k3", "a", "on"), protocol.Succeeded, "prior=on")
		is(t, c.undo("k1", "a", again), protocol.Skipped, `heldBy=["k3"]`)
		is(t, c.undo("k3", "a", third), protocol.Succeeded, "changed=true")
		c.now("a=off")
	})
}

// TestUndoByFacts: an undo under a key that names no action is that of the action whose facts it
// gives.
func TestUndoByFacts(t *testing.T) {
	own := func(c *core, facts protocol.Status, more ...string) protocol.Status {
		return c.send("reset", "own", "a", with(facts.Observed, more))
	}
	rule(t, "of the one action in force", func(t *testing.T) {
		c := newCore(t, "a=dim")
		got := is(t, c.set("k", "a", "on"), protocol.Succeeded)
		is(t, c.send("reset?", "own", "a", got.Observed), protocol.Succeeded)
		is(t, own(c, got), protocol.Succeeded, "changed=true", "heldBy=")
		c.now("a=dim")
		c.free("k", true)
		c.free("own", true)
	})
	rule(t, "of one of two, by what it reported", func(t *testing.T) {
		c := newCore(t, "a=off")
		first := is(t, c.set("k1", "a", "on"), protocol.Succeeded, "prior=off")
		second := is(t, c.set("k2", "a", "on"), protocol.Succeeded, "prior=on")
		is(t, own(c, second), protocol.Skipped, `heldBy=["k1"]`)
		is(t, own(c, first), protocol.Succeeded, "changed=true")
		c.now("a=off")
		c.free("k1", true)
		c.free("k2", true)
	})
	rule(t, "several fit: each is named, and nothing is changed", func(t *testing.T) {
		c := newCore(t, "a=on")
		first := is(t, c.set("k1", "a", "on"), protocol.Succeeded, "prior=on")
		is(t, c.set("k2", "a", "on"), protocol.Succeeded, "prior=on")
		got := failed(t, own(c, first), protocol.Conflict)
		if !strings.Contains(got.Error, `"k1:undo", "k2:undo"`) {
			t.Errorf("it does not name them: %s", got.Error)
		}
		c.free("k1", false)
		c.free("k2", false)
	})
	rule(t, "none fits: what others count on stays", func(t *testing.T) {
		c := newCore(t, "a=on")
		is(t, c.set("k1", "a", "on"), protocol.Succeeded, "prior=on")
		is(t, own(c, protocol.Status{}, "prior=dim", "to=on"), protocol.Succeeded, `heldBy=["k1"]`,
			"changed=false")
		c.now("a=on")
		// What the unknown action found is not lost: the last one brings it back.
		is(t, c.send("reset", "k1:undo", "a", nil), protocol.Succeeded, "changed=true")
		c.now("a=dim")
		c.free("own", true)
	})
	rule(t, "while another process has the action's key", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		got := is(t, c.set("k", "a", "on"), protocol.Succeeded)
		l, err := ledger.Open(t.Context(), c.dir, ledger.OSDisk{}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		release, err := l.Lock(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		failed(t, own(c, got), protocol.Conflict, "retryable=true")
		c.now("a=on b=off")
		release()
		is(t, own(c, got), protocol.Succeeded, "changed=true")
	})
}

// TestStateStore: prior facts that can't be kept are a reason to change nothing.
func TestStateStore(t *testing.T) {
	for _, call := range []string{"open", "lock", "get", "put"} {
		rule(t, "cannot "+call, func(t *testing.T) {
			c := newCore(t, "a=off")
			c.breaks = call
			got := failed(t, c.set("k", "a", "on"), protocol.StateStore, "retryable=false")
			if got.UndoAvailable || !strings.Contains(got.Error, "nothing was changed") {
				t.Errorf("got %+v", got)
			}
			if c.changes() != 0 {
				t.Errorf("changed: %v", c.cloud.calls)
			}
			c.breaks = ""
			is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=off")
		})
	}
	rule(t, "cannot put again: what is in force can be undone", func(t *testing.T) {
		c := newCore(t, "a=off")
		is(t, c.set("k", "a", "on"), protocol.Succeeded)
		c.breaks = "put"
		got := failed(t, c.set("k", "a", "on"), protocol.StateStore, "prior=off")
		if !got.UndoAvailable {
			t.Errorf("no undo is offered: %+v", got)
		}
		c.breaks = ""
		is(t, c.undo("k", "a", got), protocol.Succeeded)
		c.now("a=off")
	})
	for _, call := range []string{"open", "lock", "get", "history"} {
		rule(t, "cannot "+call+", for an undo", func(t *testing.T) {
			c := newCore(t, "a=off")
			facts := c.set("k", "a", "on")
			c.breaks = call
			failed(t, c.undo("k", "a", facts), protocol.StateStore)
			c.now("a=on")
			c.breaks = ""
			is(t, c.undo("k", "a", facts), protocol.Succeeded)
			c.now("a=off")
		})
	}
	rule(t, "cannot remove: the undo is done, and can be done again", func(t *testing.T) {
		c := newCore(t, "a=off")
		facts := c.set("k", "a", "on")
		c.breaks = "remove"
		is(t, c.undo("k", "a", facts), protocol.Succeeded)
		c.now("a=off")
		c.free("k", false)
		c.breaks = ""
		is(t, c.undo("k", "a", facts), protocol.Succeeded)
		c.free("k", true)
	})
	rule(t, "cannot put the second time: the action is done, and can be undone", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.cloud.onChange = func() { c.breaks = "put" }
		facts := is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=off",
			"priorFactsKept=", "warning=")
		c.breaks, c.cloud.onChange = "", nil
		is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=off")
		is(t, c.undo("k", "a", facts), protocol.Succeeded)
		c.now("a=off")
	})
	rule(t, "a record that somebody spoilt", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		facts := c.set("k", "a", "on")
		names, _ := filepath.Glob(filepath.Join(c.dir, "keys", "*.json"))
		whole, _ := os.ReadFile(names[0])
		if err := os.WriteFile(names[0], whole[:len(whole)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		for _, got := range []protocol.Status{c.set("k", "a", "on"), c.undo("k", "a", facts)} {
			failed(t, got, protocol.StateStore)
			if !strings.Contains(got.Error, names[0]) {
				t.Errorf("does not name the file: %s", got.Error)
			}
		}
		c.now("a=on b=off")
		is(t, c.set("k2", "b", "on"), protocol.Succeeded)
		if err := os.WriteFile(names[0], whole, 0o600); err != nil {
			t.Fatal(err)
		}
		is(t, c.undo("k", "a", facts), protocol.Succeeded)
		c.now("a=off b=on")
	})
}

// TestWithAndWithoutAStore: what a result says of where prior facts are kept, in a dry-run too.
func TestWithAndWithoutAStore(t *testing.T) {
	rule(t, "none: it works, and says what a crash would lose", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.dir = ""
		facts := is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=off", "priorFactsKept=false")
		is(t, c.undo("k", "a", facts), protocol.Succeeded, "priorFactsKept=")
		c.now("a=off")
	})
	rule(t, "removed after the change: it says that the result alone has prior facts",
		func(t *testing.T) {
			c := newCore(t, "a=off")
			c.cloud.onChange = func() {
				if err := os.RemoveAll(c.dir); err != nil {
					t.Error(err)
				}
			}
			got := is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=off", "priorFactsKept=false")
			c.cloud.onChange = nil
			if w := got.Observed["warning"]; !strings.Contains(w, "keep the result") ||
				!strings.Contains(got.Message, w) {
				t.Errorf("it says %q, and warns %q", got.Message, w)
			}
			is(t, c.undo("k", "a", got), protocol.Succeeded, "priorFactsKept=")
			c.now("a=off")
		})
	rule(t, "some: it says nothing of it", func(t *testing.T) {
		c := newCore(t, "a=off")
		is(t, c.set("k", "a", "on"), protocol.Succeeded, "priorFactsKept=")
	})
	rule(t, "a dry-run of an undo says what the undo would", func(t *testing.T) {
		c := newCore(t, "a=off")
		first := c.set("k1", "a", "on")
		is(t, c.set("k2", "a", "on"), protocol.Succeeded)
		is(t, c.send("reset?", "k1:undo", "a", first.Observed), protocol.Succeeded, `heldBy=["k2"]`,
			"withdrawn=", "ledger=")
		is(t, c.send("reset?", "k2:undo", "a", nil), protocol.Skipped, `heldBy=["k1"]`)
		is(t, c.undo("k1", "a", first), protocol.Succeeded, `heldBy=["k2"]`)
		would := is(t, c.send("reset?", "k2:undo", "a", nil), protocol.Succeeded, "heldBy=")
		if would.Message != "would switch" {
			t.Errorf("it says %q", would.Message)
		}
		c.now("a=on")
		c.free("k2", false)
	})
	rule(t, "a dry-run says that an earlier attempt left nothing to do", func(t *testing.T) {
		c := newCore(t, "a=off")
		is(t, c.set("k", "a", "on"), protocol.Succeeded, "changed=true")
		again := is(t, c.send("set?", "k", "a", map[string]string{"to": "on"}), protocol.Succeeded)
		if !strings.HasPrefix(again.Message, "nothing to do: ") {
			t.Errorf("it says %q", again.Message)
		}
		if got := c.set("k", "a", "on"); strings.HasPrefix(got.Message, "nothing to do") {
			t.Errorf("execute says %q", got.Message)
		}
	})
	rule(t, "a dry-run neither needs nor touches it", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.breaks = "open"
		is(t, c.send("set?", "k", "a", map[string]string{"to": "on"}), protocol.Succeeded, "prior=off",
			"priorFactsKept=", "ledger=unread")
		if c.changes() != 0 {
			t.Errorf("changed: %v", c.cloud.calls)
		}
	})
}

// TestTwoAtOnce: one goes, the other waits inside its deadline, then answers conflict; never two
// plans on stale reads.
func TestTwoAtOnce(t *testing.T) {
	tests := []struct {
		name, key, other string
		prior            string
	}{
		{"on one key", "k", "k", "off"},
		{"on one resource", "k", "k2", "on"},
	}
	for _, tt := range tests {
		rule(t, tt.name+", the other waits", func(t *testing.T) {
			c := newCore(t, "a=off")
			var second protocol.Status
			begun, ended := make(chan struct{}), make(chan struct{})
			c.cloud.onChange = func() {
				c.cloud.onChange = nil
				go func() {
					close(begun)
					second = c.set(tt.other, "a", "on")
					close(ended)
				}()
				<-begun
				time.Sleep(3 * time.Second) // the other has asked for its lock meanwhile
			}
			is(t, c.set(tt.key, "a", "on"), protocol.Succeeded, "prior=off", "changed=true")
			<-ended
			is(t, second, protocol.Succeeded, "prior="+tt.prior)
			if n := c.changes(); n != 1 {
				t.Errorf("%d changes, want 1: %v", n, c.cloud.calls)
			}
		})
		rule(t, tt.name+", the other's time is up", func(t *testing.T) {
			c := newCore(t, "a=off")
			var second protocol.Status
			ended := make(chan struct{})
			c.cloud.onChange = func() {
				c.cloud.onChange = nil
				go func() {
					hasty := *c
					hasty.timeout = time.Second
					second = hasty.set(tt.other, "a", "on")
					close(ended)
				}()
				<-ended
			}
			is(t, c.set(tt.key, "a", "on"), protocol.Succeeded, "prior=off")
			failed(t, second, protocol.Conflict, "retryable=true")
			if n := c.changes(); n != 1 {
				t.Errorf("%d changes, want 1: %v", n, c.cloud.calls)
			}
		})
	}
	rule(t, "two requests with one key", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		ended := make(chan protocol.Status, 1)
		c.cloud.onChange = func() {
			c.cloud.onChange = nil
			go func() { ended <- c.set("k", "b", "on") }()
			time.Sleep(3 * time.Second)
		}
		// Refused for certain, so that the key is free when the other gets it.
		c.cloud.changes = script{"a": {"refuse"}}
		failed(t, c.set("k", "a", "on"), protocol.Throttled)
		is(t, <-ended, protocol.Succeeded, "prior=off")
		c.now("a=off b=on")
		l, _ := ledger.Open(t.Context(), c.dir, ledger.OSDisk{}, time.Now)
		if r, ok, err := l.Get(t.Context(), "k"); err != nil || !ok || r.Entries[0].Resource != "b" {
			t.Errorf("the record of the second: %t, %+v, %v", ok, r, err)
		}
	})
	rule(t, "on two things neither waits", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.onChange = func() {
			c.cloud.onChange = nil
			c.cloud.mu.Unlock()
			defer c.cloud.mu.Lock()
			is(t, c.set("k2", "b", "on"), protocol.Succeeded)
		}
		is(t, c.set("k", "a", "on"), protocol.Succeeded)
	})
	rule(t, "a key and its undo wait for each other", func(t *testing.T) {
		c := newCore(t, "a=off")
		facts := c.set("k", "a", "on")
		ended := make(chan protocol.Status, 1)
		c.cloud.onChange = func() {
			c.cloud.onChange = nil
			go func() { ended <- c.set("k", "a", "on") }()
			time.Sleep(3 * time.Second)
		}
		is(t, c.undo("k", "a", facts), protocol.Succeeded)
		is(t, <-ended, protocol.Succeeded, "prior=off", "changed=true")
		c.now("a=on")
	})
}

// TestFailuresKeepPriorFacts guards against a failure that drops what was learnt before it.
func TestFailuresKeepPriorFacts(t *testing.T) {
	for word, class := range map[string]protocol.FailureClass{
		"refuse": protocol.Throttled, "dropped": protocol.Ambiguous, "ignore": protocol.Unverified,
	} {
		rule(t, string(class), func(t *testing.T) {
			c := newCore(t, "a=dim")
			c.timeout = time.Second
			c.cloud.changes = script{"a": {word}}
			got := failed(t, c.set("k", "a", "on"), class, "prior=dim", "now=dim")
			if diff := cmp.Diff(class != protocol.Throttled, got.UndoAvailable); diff != "" {
				t.Errorf("undoAvailable (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOneChangeOfUnknownOutcomeIsOnTheWire: it is found out by reading, never by sending it again.
func TestOneChangeOfUnknownOutcomeIsOnTheWire(t *testing.T) {
	for _, word := range []string{"lost", "dropped", "ignore", "late"} {
		rule(t, word, func(t *testing.T) {
			c := newCore(t, "a=off")
			c.cloud.changes = script{"a": {word, word, word, word}}
			_ = c.set("k", "a", "on")
			if n := c.changes(); n != 1 {
				t.Errorf("%d changes were sent: %v", n, c.cloud.calls)
			}
		})
	}
}

// TestWhatWasMadeMustStand: an action of several parts is done when all of them are read to be so
// in the end, not each at some time.
func TestWhatWasMadeMustStand(t *testing.T) {
	rule(t, "a part that looked done in one stale reading is made", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.stale = []map[string]string{{"a": "on"}}
		is(t, c.both("k", ""), protocol.Succeeded, "prior.a=off", "prior.b=off")
		c.now("a=on b=on")
	})
	for _, names := range []string{"a,b", "a>,b", "a>,b~"} {
		rule(t, "a part that was so is changed by somebody else while the other is made: "+names,
			func(t *testing.T) {
				c := newCore(t, "a=off", "b=off")
				if names == "a,b" {
					c.cloud.values["a"] = "on"
				}
				c.cloud.onChange = func() {
					if c.cloud.values["a"] == "on" {
						c.cloud.values["a"] = "dim"
					}
				}
				got := failed(t, c.send("on", "k", names, nil), protocol.Unverified)
				if !strings.Contains(got.Error, "a is dim, not on") || !got.UndoAvailable {
					t.Errorf("got %+v", got)
				}
			})
	}
}

// TestARetryDoesNotUndoWhatWasInForce: the rollback of a retry gives back what the retry changed,
// and leaves what had been brought about before it.
func TestARetryDoesNotUndoWhatWasInForce(t *testing.T) {
	rule(t, "in force", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		first := is(t, c.both("k", ""), protocol.Succeeded)
		c.cloud.values["b"] = "off" // by somebody else
		c.cloud.changes = script{"b": {"refuse"}}
		got := failed(t, c.both("k", ""), protocol.Throttled)
		c.now("a=on b=off")
		c.free("k", false)
		if !got.UndoAvailable {
			t.Errorf("got %+v", got)
		}
		is(t, c.send("off", "k:undo", "a,b", first.Observed), protocol.Succeeded)
		c.now("a=off b=off")
	})
	rule(t, "in force, and one of it taken away under a key of its own", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		is(t, c.both("k", ""), protocol.Succeeded)
		is(t, c.send("reset", "own", "b", nil), protocol.Succeeded)
		c.cloud.changes = script{"b": {"refuse"}}
		failed(t, c.both("k", ""), protocol.Throttled)
		c.now("a=on b=off")
		c.free("k", false)
	})
	rule(t, "all of it taken away under a key of its own", func(t *testing.T) {
		c := newCore(t, "a=dim", "b=dim")
		first := is(t, c.both("k", ""), protocol.Succeeded)
		is(t, c.send("reset", "own", "a", nil), protocol.Succeeded)
		is(t, c.send("reset", "own", "b", nil), protocol.Succeeded)
		c.cloud.changes = script{"b": {"refuse"}}
		failed(t, c.both("k", ""), protocol.Throttled)
		c.now("a=off b=off")
		// The releases ended it: what was before the first attempt is not for it to give back.
		c.free("k", true)
		is(t, c.send("off", "k:undo", "a,b", first.Observed), protocol.Succeeded, "released=own",
			"changed=false")
		c.now("a=off b=off")
	})
	rule(t, "in force, and refused on the way", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		is(t, c.both("k", "dim"), protocol.Succeeded)
		c.cloud.values["b"] = "off" // by somebody else
		c.cloud.changes = script{"b": {"ok", "refuse"}}
		failed(t, c.both("k", "dim"), protocol.Throttled)
		c.now("a=on b=off")
		c.free("k", false)
	})
	rule(t, "in force, and asked for once more by a process that died", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		is(t, c.both("k", ""), protocol.Succeeded)
		c.dies = "after put 1"
		is(t, c.both("k", ""), died)
		c.cloud.values["b"] = "off" // by somebody else
		c.cloud.changes = script{"b": {"refuse"}}
		failed(t, c.both("k", ""), protocol.Throttled)
		c.now("a=on b=off")
	})
	rule(t, "not in force yet", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.dies = "before put 2"
		is(t, c.both("k", ""), died)
		c.cloud.values["b"] = "off" // by somebody else
		c.cloud.changes = script{"b": {"refuse"}}
		failed(t, c.both("k", ""), protocol.Throttled)
		c.now("a=off b=off")
	})
}

// TestARetryThatFailsKeepsWhatIsKnown: a kill, and then one more fault: the facts and the undo
// that a core needs come from the record, whatever the retry could or could not read.
func TestARetryThatFailsKeepsWhatIsKnown(t *testing.T) {
	killed := func(t *testing.T, when string) *core {
		c := newCore(t, "a=off")
		c.dies = when
		is(t, c.set("k", "a", "on"), died)
		return c
	}
	undone := func(t *testing.T, c *core, facts protocol.Status) {
		t.Helper()
		is(t, c.undo("k", "a", facts, "to=on"), protocol.Succeeded)
		c.now("a=off")
		c.free("k", true)
	}
	for name, reads := range map[string][]string{"cannot read": {"fail"},
		"cannot read twice": {"ok", "fail"}} {
		rule(t, name, func(t *testing.T) {
			c := killed(t, "after change")
			c.cloud.reads = reads
			got := failed(t, c.set("k", "a", "on"), protocol.Unavailable, "prior=off")
			if !got.UndoAvailable {
				t.Errorf("no undo is offered: %+v", got)
			}
			undone(t, c, got)
		})
	}
	rule(t, "reads what was, and is refused", func(t *testing.T) {
		c := killed(t, "after change")
		c.cloud.stale, c.cloud.changes = []map[string]string{{"a": "off"}}, script{"a": {"refuse"}}
		got := failed(t, c.set("k", "a", "on"), protocol.Throttled, "prior=off")
		if !got.UndoAvailable {
			t.Errorf("no undo is offered: %+v", got)
		}
		undone(t, c, got)
	})
	rule(t, "reads what was, and is refused for what is", func(t *testing.T) {
		c := killed(t, "after change")
		c.cloud.stale, c.cloud.changes = []map[string]string{{"a": "off"}}, script{"a": {"conflict"}}
		undone(t, c, is(t, c.set("k", "a", "on"), protocol.Succeeded, "prior=off", "changed=true"))
	})
	for name, after := range map[string]time.Duration{"at once": 0, "later": 2 * time.Minute} {
		rule(t, "is refused, and nothing was changed before, "+name, func(t *testing.T) {
			c := killed(t, "before change")
			time.Sleep(after)
			c.cloud.changes = script{"a": {"refuse"}}
			got := failed(t, c.set("k", "a", "on"), protocol.Throttled, "prior=off")
			// What was sent a moment ago may still come.
			c.free("k", after > 0)
			if got.UndoAvailable == (after > 0) {
				t.Errorf("got %+v", got)
			}
			undone(t, c, got)
		})
	}
}

// TestOneStaleReadingForgetsNothing: a retry that is refused long after the first attempt forgets
// it only when two readings show that it changed nothing.
func TestOneStaleReadingForgetsNothing(t *testing.T) {
	rule(t, "it was made", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.dies = "after change"
		is(t, c.set("k", "a", "on"), died)
		time.Sleep(2 * time.Minute)
		c.cloud.stale, c.cloud.changes = slices.Repeat([]map[string]string{{"a": "off"}}, 2),
			script{"a": {"refuse"}}
		got := failed(t, c.set("k", "a", "on"), protocol.Throttled, "prior=off")
		if !got.UndoAvailable {
			t.Errorf("no undo is offered: %+v", got)
		}
		c.free("k", false)
		is(t, c.undo("k", "a", got), protocol.Succeeded)
		c.now("a=off")
	})
}

// TestAConflictIsNoReasonToTryAgain: what another holds it holds still; only an undo, which has
// seen that it may restore, is told to look again.
func TestAConflictIsNoReasonToTryAgain(t *testing.T) {
	rule(t, "refused for what is there", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.cloud.changes = script{"a": {"conflict"}}
		failed(t, c.set("k", "a", "on"), protocol.Conflict, "retryable=false", "prior=off")
		c.free("k", true)
	})
}

// TestAnUndoThatWasMadeIsDone: the undo was killed after it took effect, and what the next
// attempt reads first is from before that: EC2 refuses it what is made already.
func TestAnUndoThatWasMadeIsDone(t *testing.T) {
	for name, changes := range map[string]script{"shows": {"a": {"conflict"}}, "taken again": nil} {
		rule(t, name, func(t *testing.T) {
			c := newCore(t, "a=off")
			got := is(t, c.set("k", "a", "on"), protocol.Succeeded)
			c.dies = "after change"
			is(t, c.undo("k", "a", got), died)
			c.cloud.stale, c.cloud.changes = []map[string]string{{"a": "on"}}, changes
			is(t, c.undo("k", "a", got), protocol.Succeeded)
			c.now("a=off")
			c.free("k", true)
		})
	}
	rule(t, "never shows", func(t *testing.T) {
		c := newCore(t, "a=off")
		got := is(t, c.set("k", "a", "on"), protocol.Succeeded)
		c.cloud.changes = script{"a": {"conflict"}}
		failed(t, c.undo("k", "a", got), protocol.Conflict, "retryable=true")
		c.now("a=on")
		c.free("k", false)
		if n := c.changes(); n != 2 {
			t.Errorf("%d changes: %v", n, c.cloud.calls)
		}
	})
}

// TestRollback: what was made is put back, the last first, and believed to be back as little as
// anything else.
func TestRollback(t *testing.T) {
	rule(t, "the last first", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off", "c=off")
		c.cloud.changes = script{"c": {"refuse"}}
		failed(t, c.send("on", "k", "a,b,c", nil), protocol.Throttled)
		c.now("a=off b=off c=off")
		if a, b := slices.Index(c.cloud.calls, "a=off"),
			slices.Index(c.cloud.calls, "b=off"); b < 0 || b > a {
			t.Errorf("calls %v", c.cloud.calls)
		}
		c.free("k", true)
	})
	rule(t, "what was sent without an answer may still come", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.changes = script{"a": {"dropped"}, "b": {"refuse"}}
		got := failed(t, c.both("k", ""), protocol.Throttled, "prior.a=off", "prior.b=off")
		if !got.UndoAvailable {
			t.Errorf("no undo is offered: %+v", got)
		}
		c.free("k", false)
		c.cloud.values["a"] = "on"
		is(t, c.both("k", ""), protocol.Succeeded, "prior.a=off", "prior.b=off")
		is(t, c.send("off", "k:undo", "a,b", got.Observed), protocol.Succeeded)
		c.now("a=off b=off")
	})
	rule(t, "one lucky reading is not believed where the answer was lost", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.changes = script{"a": {"ok", "dropped"}, "b": {"refuse"}}
		c.cloud.onChange = func() {
			if c.cloud.values["a"] == "on" && len(c.cloud.changes["b"]) == 0 {
				c.cloud.stale = []map[string]string{{"a": "off", "b": "off"}}
			}
		}
		got := failed(t, c.both("k", ""), protocol.Throttled, "prior.a=off")
		if !strings.Contains(got.Error, "may not be back") || !got.UndoAvailable {
			t.Errorf("got %+v", got)
		}
		c.free("k", false)
	})
}

// TestTwoReadingsInARow: a reading that could not be made is between them.
func TestTwoReadingsInARow(t *testing.T) {
	rule(t, "one fails between", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.cloud.changes, c.cloud.reads = script{"a": {"lost"}}, []string{"ok", "ok", "fail"}
		is(t, c.set("k", "a", "on"), protocol.Succeeded)
		if got := len(c.cloud.calls) - c.changes(); got != 5 {
			t.Errorf("%d readings: %v", got, c.cloud.calls)
		}
	})
}
