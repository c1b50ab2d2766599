package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"

	"github.com/google/go-cmp/cmp"
)

// cloud is a provider of switches, each of which has a value. Its scripts say what becomes of
// the changes of each switch, and of the readings, in order, one word each; calls beyond are "ok":
//
//	ok       the change is made and answered
//	refuse   the change is refused
//	conflict the change is refused for what is there
//	missing  the change is refused, as its target is not found
//	lost     the change is made, its answer is lost
//	dropped  the change is not made, and no answer comes
//	ignore   the change is answered and not made
//	late     the change is made, and the next reading is from before it
//	fail     (a reading) cannot be answered
type cloud struct {
	mu     sync.Mutex
	values map[string]string
	stale  []map[string]string
	// changes and reads are the scripts; calls is what was called.
	changes script
	reads   []string
	calls   []string
	// leased tells of each change whether its context bears the lease.
	leased []bool
	// known is the account that calls are known to be made in, account the one that is told if it is
	// asked for, and asked how often it was.
	known, account string
	asked          int
	// named is the account that requests say the target is of.
	named string

	onChange func()
	onRead   func()
}

type script map[string][]string

func next(words []string) (string, []string) {
	if len(words) == 0 {
		return "ok", nil
	}
	return words[0], words[1:]
}

func (c *cloud) Read(_ context.Context, name string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, "read "+name)
	if c.onRead != nil {
		c.onRead()
	}
	var word string
	if word, c.reads = next(c.reads); word == "fail" {
		return "", protocol.Refuse(protocol.Unavailable, "cannot read %s", name)
	}
	if len(c.stale) > 0 {
		old := c.stale[0]
		c.stale = c.stale[1:]
		return old[name], nil
	}
	if c.values[name] == gone {
		return "", protocol.Refuse(protocol.NotFound, "%s does not exist", name)
	}
	return c.values[name], nil
}

// gone is the value of a switch that does not exist any more.
const gone = "gone"

func (c *cloud) Switch(ctx context.Context, name, value string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, leased := action.LeaseOf(ctx)
	c.leased = append(c.leased, leased)
	c.calls = append(c.calls, name+"="+value)
	if c.onChange != nil {
		c.onChange()
	}
	var word string
	if c.changes == nil {
		c.changes = script{}
	}
	word, c.changes[name] = next(c.changes[name])
	if word == "late" {
		c.stale = append(c.stale, maps.Clone(c.values))
	}
	if word == "ok" || word == "lost" || word == "late" {
		c.values[name] = value
	}
	switch word {
	case "conflict":
		return protocol.Refuse(protocol.Conflict, "cannot switch %s: it is not so", name)
	case "missing":
		return protocol.Refuse(protocol.NotFound, "cannot switch %s: it is not found", name)
	case "refuse":
		return protocol.Refuse(protocol.Throttled, "cannot switch %s: throttled", name)
	case "lost", "dropped":
		cause := protocol.Refuse(protocol.Unavailable, "the connection broke")
		return &action.Unknown{Cause: cause.With("lost", name)}
	}
	return nil
}

type reader interface {
	Read(ctx context.Context, name string) (string, error)
}

type writer interface {
	Switch(ctx context.Context, name, value string) error
}

// switches plans to bring each named switch to a value, in one stage. A name that ends in > ends
// a stage, one that ends in ~ may fail, one that ends in + is a backup, and one that ends in !
// comes before all stages.
func switches(
	ctx context.Context, r reader, names []string, to func(string) string, via string,
) (*action.Plan, error) {
	stages, stage, mayFail := make([]int, len(names)), 0, make([]bool, len(names))
	backup, atVia := make([]bool, len(names)), ""
	if via != "" {
		atVia = "half-way"
	}
	names = slices.Clone(names)
	for i := range names {
		var ends bool
		stages[i] = stage
		names[i], mayFail[i] = strings.CutSuffix(names[i], "~")
		if names[i], ends = strings.CutSuffix(names[i], ">"); ends {
			stage++
		}
		names[i], backup[i] = strings.CutSuffix(names[i], "+")
		if names[i], ends = strings.CutSuffix(names[i], "!"); ends {
			stages[i] = -1
		}
	}
	read := func(ctx context.Context) (action.Seen, error) {
		var seen action.Seen
		for _, n := range names {
			v, err := r.Read(ctx, n)
			if err != nil {
				return seen, err
			}
			seen.Values = append(seen.Values, v)
		}
		return seen, nil
	}
	seen, err := read(ctx)
	if err != nil {
		return nil, err
	}
	p := &action.Plan{
		Seen: seen, Read: read,
		Facts: func(t []action.Transition, seen action.Seen) map[string]string {
			facts := map[string]string{}
			for i, n := range names {
				facts["prior."+n], facts["now."+n] = t[i].From, seen.Values[i]
			}
			return facts
		},
		Words: action.Words{Would: "switch", Did: "switched", Already: "switched"},
	}
	for i, n := range names {
		p.Transitions = append(p.Transitions, action.Transition{
			Resource: n, Attribute: "value", From: seen.Values[i], To: to(n), Call: "test:Switch",
			Stage: stages[i], Via: via, AtVia: atVia, MayFail: mayFail[i], Backup: backup[i],
			Set: action.SetWith(func(ctx context.Context, w writer, _, to string) error {
				return w.Switch(ctx, n, to)
			}),
		})
	}
	return p, nil
}

// onOff brings several switches to on, and back to what they were.
var onOff = []action.Verb{
	{
		Name: "on", Undo: "off",
		Target: []action.Field{
			{Name: "names", Form: action.Text, Required: true, Exclusive: true, Decides: true}},
		Parameters: []action.Field{{Name: "via", Form: action.Text, Decides: true}},
		Plan: action.PlanWith(
			func(ctx context.Context, r reader, req action.Request) (*action.Plan, error) {
				return switches(ctx, r, strings.Split(req.Target["names"], ","), func(string) string {
					return "on"
				}, req.Parameters["via"])
			}),
	},
	{
		Name: "off",
		Target: []action.Field{
			{Name: "names", Form: action.Text, Required: true, Exclusive: true, Decides: true}},
		Parameters: []action.Field{{Name: "prior.a", Form: action.Text},
			{Name: "prior.b", Form: action.Text}, action.IgnoreHolders},
		Plan: action.PlanWith(
			func(ctx context.Context, r reader, req action.Request) (*action.Plan, error) {
				p, err := switches(ctx, r, strings.Split(req.Target["names"], ","), func(string) string {
					return ""
				}, "")
				if err != nil {
					return nil, err
				}
				for i, t := range p.Transitions {
					at := action.At{Resource: t.Resource, Attribute: t.Attribute, Now: t.From, What: t.Resource}
					err = errors.Join(err,
						back(req, p, i, at, action.Told{Before: req.Parameters["prior."+t.Resource], After: "on"}))
				}
				return p, err
			}),
	},
}

var testRegistry = action.NewRegistry(onOff)

type connection struct{ *cloud }

func (c connection) Reader() any { return c.cloud }
func (c connection) Writer() any { return c.cloud }

// send gives one request to an executor of its own, as a process would.
func send(t *testing.T, stop context.Context, c *cloud, stateDir, request string) protocol.Status {
	t.Helper()
	e := &Executor{
		Registry: testRegistry, Provider: "test", Timeout: 20 * time.Second,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Connect: func(context.Context, string, time.Duration) (Connection, error) {
			return connection{c}, nil
		},
	}
	if stateDir != "" {
		e.OpenStore = openStore(stateDir)
	}
	return e.Run(stop, strings.NewReader(request)).Status
}

// openStore opens a ledger below a directory.
func openStore(dir string) func(ctx context.Context, dryRun bool) (Store, error) {
	return func(ctx context.Context, dryRun bool) (Store, error) {
		if dryRun {
			return ledger.Read(ctx, dir, ledger.OSDisk{}, time.Now)
		}
		return ledger.Open(ctx, dir, ledger.OSDisk{}, time.Now)
	}
}

func request(verb, key, names, parameters string) string {
	mode := "execute"
	if verb, dry := strings.CutSuffix(verb, "?"); dry {
		return strings.Replace(request(verb, key, names, parameters), `"execute"`, `"dry-run"`, 1)
	}
	return `{"apiVersion":"provideraction.routerd.net/v1alpha1","kind":"ExecuteActionRequest",` +
		`"spec":{"provider":"test","action":"` +
		verb + `","mode":"` + mode + `","idempotencyKey":"` + key + `","target":{"names":"` + names +
		`"},"parameters":{` + parameters + `}}}`
}

func TestExecuteTellsTheTruth(t *testing.T) {
	tests := []struct {
		name        string
		world       map[string]string
		changes     script
		reads       []string
		verb, names string
		parameters  string
		want        protocol.State
		class       protocol.FailureClass
		observed    map[string]string
		after       map[string]string
		calls       []string
	}{
		{
			name:  "the plain case takes one reading, one change, one reading",
			world: map[string]string{"a": "off"}, verb: "on", names: "a",
			want:     protocol.Succeeded,
			observed: map[string]string{"prior.a": "off", "now.a": "on", "changed": "true"},
			after:    map[string]string{"a": "on"}, calls: []string{"read a", "a=on", "read a"},
		},
		{
			name:  "what is so already is read twice and not changed",
			world: map[string]string{"a": "on"}, verb: "on", names: "a",
			want:     protocol.Succeeded,
			observed: map[string]string{"prior.a": "on", "now.a": "on", "changed": "false"},
			after:    map[string]string{"a": "on"}, calls: []string{"read a", "read a"},
		},
		{
			name:  "a dry-run changes nothing",
			world: map[string]string{"a": "off"}, verb: "on?", names: "a",
			want: protocol.Succeeded, observed: map[string]string{"prior.a": "off", "now.a": "off"},
			after: map[string]string{"a": "off"}, calls: []string{"read a"},
		},
		{
			name:  "a stale reading back is not believed, nor is one lucky one after it",
			world: map[string]string{"a": "off"}, changes: script{"a": {"late"}}, verb: "on", names: "a",
			want:     protocol.Succeeded,
			observed: map[string]string{"prior.a": "off", "now.a": "on", "changed": "true"},
			after:    map[string]string{"a": "on"},
			calls:    []string{"read a", "a=on", "read a", "read a", "read a"},
		},
		{
			name:  "a lost answer is found out, and sent only once",
			world: map[string]string{"a": "off"}, changes: script{"a": {"lost"}}, verb: "on", names: "a",
			want:     protocol.Succeeded,
			observed: map[string]string{"prior.a": "off", "now.a": "on", "changed": "true"},
			after:    map[string]string{"a": "on"}, calls: []string{"read a", "a=on", "read a", "read a"},
		},
		{
			name:  "a change that never showed after its answer was lost is ambiguous",
			world: map[string]string{"a": "off"}, changes: script{"a": {"dropped"}}, verb: "on", names: "a",
			want: protocol.Failed, class: protocol.Ambiguous,
			observed: map[string]string{"prior.a": "off", "now.a": "off", "lost": "a"},
			after:    map[string]string{"a": "off"},
		},
		{
			name:  "a change that was answered and does not show is unverified",
			world: map[string]string{"a": "off"}, changes: script{"a": {"ignore"}}, verb: "on", names: "a",
			want: protocol.Failed, class: protocol.Unverified,
			observed: map[string]string{"prior.a": "off", "now.a": "off"},
			after:    map[string]string{"a": "off"},
		},
		{
			name:  "a refused change keeps the facts",
			world: map[string]string{"a": "off"}, changes: script{"a": {"refuse"}}, verb: "on", names: "a",
			want: protocol.Failed, class: protocol.Throttled,
			observed: map[string]string{"prior.a": "off", "now.a": "off"},
			after:    map[string]string{"a": "off"}, calls: []string{"read a", "a=on"},
		},
		{
			name:  "one that is refused puts back the one before",
			world: map[string]string{"a": "off", "b": "dim"}, changes: script{"b": {"refuse"}},
			verb: "on", names: "a,b",
			want: protocol.Failed, class: protocol.Throttled,
			observed: map[string]string{"prior.a": "off", "now.a": "off", "prior.b": "dim", "now.b": "dim"},
			after:    map[string]string{"a": "off", "b": "dim"},
		},
		{
			name:  "a stage that was read back stays when a later one is refused",
			world: map[string]string{"a": "off", "b": "dim"}, changes: script{"b": {"refuse"}}, verb: "on",
			names: "a>,b",
			want:  protocol.Failed, class: protocol.Throttled,
			observed: map[string]string{"prior.a": "off", "now.a": "on", "prior.b": "dim", "now.b": "dim"},
			after:    map[string]string{"a": "on", "b": "dim"},
			calls:    []string{"read a", "read b", "a=on", "read a", "read b", "b=on"},
		},
		{
			name:  "a detour is read back before the way is gone on",
			world: map[string]string{"a": "off"}, verb: "on", names: "a", parameters: `"via":"dim"`,
			want:     protocol.Succeeded,
			observed: map[string]string{"prior.a": "off", "now.a": "on", "changed": "true"},
			after:    map[string]string{"a": "on"},
			calls:    []string{"read a", "a=dim", "read a", "a=on", "read a"},
		},
		{
			name:  "a way that ends on the detour is gone back",
			world: map[string]string{"a": "off"}, changes: script{"a": {"ok", "refuse"}}, verb: "on",
			names: "a", parameters: `"via":"dim"`,
			want: protocol.Failed, class: protocol.Throttled,
			observed: map[string]string{"prior.a": "off", "now.a": "off"},
			after:    map[string]string{"a": "off"},
			calls:    []string{"read a", "a=dim", "read a", "a=on", "a=off", "read a"},
		},
		{
			name:    "one that can't be put back is said so",
			world:   map[string]string{"a": "off", "b": "dim"},
			changes: script{"a": {"ok", "refuse"}, "b": {"refuse"}}, verb: "on", names: "a,b",
			want: protocol.Failed, class: protocol.Throttled,
			observed: map[string]string{"prior.a": "off", "now.a": "on", "prior.b": "dim", "now.b": "dim"},
			after:    map[string]string{"a": "on", "b": "dim"},
		},
		{
			name:  "a reading that fails is not an outcome",
			world: map[string]string{"a": "off"}, reads: []string{"ok", "fail", "fail"},
			verb: "on", names: "a",
			want:     protocol.Succeeded,
			observed: map[string]string{"prior.a": "off", "now.a": "on", "changed": "true"},
			after:    map[string]string{"a": "on"},
			calls:    []string{"read a", "a=on", "read a", "read a", "read a", "read a"},
		},
		{
			name:  "a first reading that fails changes nothing",
			world: map[string]string{"a": "off"}, reads: []string{"fail"}, verb: "on", names: "a",
			want: protocol.Failed, class: protocol.Unavailable, after: map[string]string{"a": "off"},
			calls: []string{"read a"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &cloud{values: maps.Clone(tt.world), changes: maps.Clone(tt.changes), reads: tt.reads}
				got := send(t, t.Context(), c, t.TempDir(), request(tt.verb, "k", tt.names, tt.parameters))
				want := maps.Clone(tt.observed)
				if tt.class != "" {
					want = action.Merge(want,
						map[string]string{"failureClass": string(tt.class), "retryable": got.Observed["retryable"]})
				}
				if got.Status != tt.want {
					t.Errorf("status %s, want %s: %+v", got.Status, tt.want, got)
				}
				if diff := cmp.Diff(want, got.Observed); diff != "" {
					t.Errorf("observed (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.after, c.values); diff != "" {
					t.Errorf("world (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.calls, c.calls); tt.calls != nil && diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestStaleAlreadySoIsNotBelieved: the first reading shows, staly, what the action is to bring
// about.
func TestStaleAlreadySoIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{values: map[string]string{"a": "off"}, stale: []map[string]string{{"a": "on"}}}
		got := send(t, t.Context(), c, t.TempDir(), request("on", "k", "a", ""))
		if got.Status != protocol.Succeeded || got.Observed["prior.a"] != "off" ||
			got.Observed["changed"] != "true" || c.values["a"] != "on" {
			t.Errorf("got %+v, world %v", got, c.values)
		}
	})
}

func TestStopBeforeTheFirstChangeChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, cancel := context.WithCancel(t.Context())
		cancel()
		c := &cloud{values: map[string]string{"a": "off"}}
		got := send(t, stop, c, t.TempDir(), request("on", "k", "a", ""))
		if got.Status != protocol.Failed || got.Observed["failureClass"] != "timeout" ||
			got.Observed["retryable"] != "true" {
			t.Errorf("got %+v", got)
		}
		if c.values["a"] != "off" || slices.Contains(c.calls, "a=on") {
			t.Errorf("changed after the signal to stop: %v", c.calls)
		}
	})
}

func TestStopOnTheDetourGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, cancel := context.WithCancel(t.Context())
		c := &cloud{values: map[string]string{"a": "off", "b": "off"}, onChange: cancel}
		got := send(t, stop, c, t.TempDir(), request("on", "k", "a,b", `"via":"dim"`))
		if got.Status != protocol.Failed || !strings.Contains(got.Error, "was put back") ||
			c.values["a"] != "off" || c.values["b"] != "off" {
			t.Errorf("got %+v, world %v", got, c.values)
		}
	})
}

func TestStopDuringTheLastChangeFinishesWithATrueResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, cancel := context.WithCancel(t.Context())
		c := &cloud{values: map[string]string{"a": "off"}, onChange: cancel,
			changes: script{"a": {"lost"}}}
		got := send(t, stop, c, t.TempDir(), request("on", "k", "a", ""))
		if got.Status != protocol.Succeeded || c.values["a"] != "on" {
			t.Errorf("got %+v, world %v", got, c.values)
		}
	})
}

func TestACallerThatNeverEndsItsRequestIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &Executor{Registry: testRegistry, Provider: "test", Timeout: time.Second,
			Log: slog.New(slog.DiscardHandler)}
		in, out := io.Pipe()
		got := e.Run(t.Context(), in).Status
		_ = out.CloseWithError(errors.New("done"))
		if got.Status != protocol.Failed || got.Observed["failureClass"] != "invalid-request" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestAPanicIsAnInternalFailure(t *testing.T) {
	var logged strings.Builder
	e := &Executor{
		Registry: testRegistry, Provider: "test", Timeout: time.Second,
		Log:     slog.New(slog.NewTextHandler(&logged, nil)),
		Connect: func(context.Context, string, time.Duration) (Connection, error) { panic("boom") },
	}
	got := e.Run(t.Context(), strings.NewReader(request("on", "k", "a", ""))).Status
	if got.Status != protocol.Failed || got.Observed["failureClass"] != "internal" {
		t.Errorf("got %+v", got)
	}
	log := logged.String()
	if !strings.Contains(log, "msg=panic value=boom stack=") || !strings.Contains(got.Error, "boom") {
		t.Errorf("the log is %s, and the answer %+v", log, got)
	}
}

// TestPanicsOfChangesAreOneFailure: of several changes at once, too, each in the log.
func TestPanicsOfChangesAreOneFailure(t *testing.T) {
	var logged strings.Builder
	e := &Executor{
		Registry: testRegistry, Provider: "test", Timeout: time.Second,
		Log: slog.New(slog.NewTextHandler(&logged, nil)),
		Connect: func(context.Context, string, time.Duration) (Connection, error) {
			return clumsy{connection{&cloud{values: map[string]string{"a": "off", "b": "off"}}}}, nil
		},
	}
	got := e.Run(t.Context(), strings.NewReader(request("on", "k", "a,b", ""))).Status
	if got.Status != protocol.Failed || got.Observed["failureClass"] != "internal" ||
		!strings.Contains(got.Error, "cannot hold ") {
		t.Errorf("got %+v", got)
	}
	for _, name := range []string{"a", "b"} {
		if want := `msg=panic value="cannot hold ` + name + `" stack=`; !strings.Contains(
			logged.String(), want) {
			t.Errorf("%s is not in %s", want, &logged)
		}
	}
}

// clumsy is a connection whose changes panic.
type clumsy struct{ connection }

func (c clumsy) Writer() any { return c }

func (c clumsy) Switch(_ context.Context, name, _ string) error { panic("cannot hold " + name) }

// TestASignalKeepsNoFaultBack: what was decoded before the signal is told to be wrong.
func TestASignalKeepsNoFaultBack(t *testing.T) {
	stop, cancel := context.WithCancel(t.Context())
	cancel()
	e := &Executor{Registry: testRegistry, Provider: "test", Timeout: time.Second,
		Log: slog.New(slog.DiscardHandler)}
	wire, faults := protocol.Decode(strings.NewReader(request("jump", "k", "a", "")))
	got := e.RunDecoded(stop, wire, faults).Status
	if got.Observed["failureClass"] != "invalid-request" || !strings.Contains(got.Error, "jump") {
		t.Errorf("got %+v", got)
	}
}

// TestAReserveIsKeptToFindOut: the time for changes ends well before the time for reading back.
func TestAReserveIsKeptToFindOut(t *testing.T) {
	for timeout, reserve := range map[time.Duration]time.Duration{25 * time.Second: 5 * time.Second,
		8 * time.Second: 2 * time.Second} {
		ts := newTimes(t.Context(), timeout)
		change, _ := ts.change.Deadline()
		verify, _ := ts.verify.Deadline()
		if got := verify.Sub(change); got != reserve {
			t.Errorf("of %s %s are kept, want %s", timeout, got, reserve)
		}
		ts.cancel()
		if ts.verify.Err() == nil {
			t.Error("the times of a finished run go on")
		}
	}
}

// TestStopDuringAReading: what was read before the signal is no reason to go on, and the answer
// names the signal, not the reading that it broke off.
func TestStopDuringAReading(t *testing.T) {
	for _, word := range []string{"ok", "fail"} {
		synctest.Test(t, func(t *testing.T) {
			stop, cancel := context.WithCancel(t.Context())
			dir := t.TempDir()
			c := &cloud{values: map[string]string{"a": "off"}, reads: []string{word}, onRead: cancel}
			got := send(t, stop, c, dir, request("on", "k", "a", ""))
			if got.Observed["failureClass"] != "timeout" || !strings.Contains(got.Error, "signal") ||
				got.UndoAvailable {
				t.Errorf("%s: %+v", word, got)
			}
			l, err := ledger.Open(t.Context(), dir, ledger.OSDisk{}, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			if r, ok, err := l.Get(t.Context(), "k"); ok || err != nil {
				t.Errorf("%s: the key holds %+v (%v) although nothing was to be changed", word, r, err)
			}
		})
	}
}

// TestASignalEndsTheTimes one after the other: nothing is begun any more, and what is on its way
// is found out about.
func TestASignalEndsTheTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop, cancel := context.WithCancel(t.Context())
		began := time.Now()
		ts := newTimes(stop, 20*time.Second)
		defer ts.cancel()
		time.Sleep(time.Second)
		cancel()
		for _, c := range []struct {
			name string
			of   context.Context
			ends time.Duration
		}{
			{"planning", ts.plan, time.Second},
			{"changes on their way", ts.change, time.Second + stopGrace/2},
			{"reading back", ts.verify, time.Second + stopGrace},
		} {
			<-c.of.Done()
			if took := time.Since(began); took != c.ends || !errors.Is(c.of.Err(), context.Canceled) {
				t.Errorf("%s ends after %s, want %s: %v", c.name, took, c.ends, c.of.Err())
			}
		}
	})
}

// TestStateDirectory: systemd gives a list; what an operator sets comes first.
func TestStateDirectory(t *testing.T) {
	for _, c := range []struct {
		own, systemd, want string
	}{
		{"", "", defaultStateDir},
		{"", "/var/lib/a", "/var/lib/a"},
		{"", "/var/lib/a:/var/lib/b", "/var/lib/a"},
		// systemd sorts them, so that another program's may be the first.
		{"", "/var/lib/actionctl:/var/lib/aws-provider-executor", "/var/lib/aws-provider-executor"},
		{"", "/srv/aws-provider-executor:/srv/x", "/srv/aws-provider-executor"},
		{"/srv/x", "/var/lib/a:/var/lib/b", "/srv/x"},
		{"none", "/var/lib/a", "none"},
	} {
		s, faults := settingsOf("EXECUTOR_STATE_DIR="+c.own, "STATE_DIRECTORY="+c.systemd)
		if s.stateDir != c.want || len(faults) > 0 {
			t.Errorf("%q and %q: %q, %v, want %q", c.own, c.systemd, s.stateDir, faults, c.want)
		}
	}
}

// TestACallersDeadline: an executor that begins late, its caller long gone, does not act beside
// the one that was begun in its place.
func TestACallersDeadline(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"":                          25 * time.Second,
		"2026-01-02T15:04:15.5Z":    10500 * time.Millisecond,
		"2026-01-02T16:05:00Z":      25 * time.Second,
		"2026-01-02T15:04:04Z":      -time.Second,
		"2026-01-02T16:04:10+01:00": 5 * time.Second,
	} {
		s, faults := settingsOf("EXECUTOR_DEADLINE=" + text)
		if got := s.left(now); got != want || len(faults) > 0 {
			t.Errorf("%q leaves %s, want %s; %v", text, got, want, faults)
		}
	}
	if _, faults := settingsOf("EXECUTOR_DEADLINE=15:04:05"); len(faults) != 1 {
		t.Errorf("no time: %v", faults)
	}
	e := &Executor{
		Registry: testRegistry, Provider: "test", Timeout: -time.Second,
		Log:     slog.New(slog.DiscardHandler),
		Connect: func(context.Context, string, time.Duration) (Connection, error) { panic("too late") },
	}
	got := e.Run(t.Context(), strings.NewReader(request("on", "k", "a", ""))).Status
	if got.Observed["failureClass"] != "timeout" || got.Observed["retryable"] != "true" {
		t.Errorf("got %+v", got)
	}
}

// settingsOf reads an environment as the program does.
func settingsOf(environ ...string) (settings, []string) {
	call := plugin.Call{Env: plugin.Environment(environ)}
	call.Settings, call.Faults = plugin.Parse(call.Env)
	return parseSettings(call)
}

// clinging is a store that takes long to have a lock given back.
type clinging struct{ Store }

func (c clinging) Lock(ctx context.Context, key string, things ...string) (func(), error) {
	release, err := c.Store.Lock(ctx, key, things...)
	return func() { time.Sleep(time.Minute); release() }, err
}

// TestAnswersInTimeWhateverTheLocks: a store that is slow to take its locks back, as a table out of
// reach is, does not keep the answer beyond its time.
func TestAnswersInTimeWhateverTheLocks(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		for _, changes := range []script{nil, {"a": {"dropped"}}} {
			c := &cloud{values: map[string]string{"a": "off"}, changes: changes}
			e := &Executor{
				Registry: testRegistry, Provider: "test", Timeout: 20 * time.Second,
				Log: slog.New(slog.DiscardHandler),
				Connect: func(context.Context, string, time.Duration) (Connection, error) {
					return connection{c}, nil
				},
				OpenStore: func(ctx context.Context, dryRun bool) (Store, error) {
					store, err := openStore(dir)(ctx, dryRun)
					return clinging{store}, err
				},
			}
			began := time.Now()
			key := fmt.Sprint("k", len(changes))
			status := e.Run(t.Context(), strings.NewReader(request("on", key, "a", ""))).Status
			if took := time.Since(began); took > e.Timeout || status.Observed["now.a"] == "" {
				t.Errorf("after %s it answers %+v", took, status)
			}
			time.Sleep(time.Hour)
		}
	})
}
