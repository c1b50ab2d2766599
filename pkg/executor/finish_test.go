package executor

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
)

// finishing is how long the end takes.
const finishing = 900 * time.Millisecond

// bringOn plans to bring the named switches to on.
func bringOn(ctx context.Context, r reader, req action.Request) (*action.Plan, error) {
	on := func(string) string { return "on" }
	return switches(ctx, r, strings.Split(req.Target["names"], ","), on, "")
}

// named is the target of the verbs here.
var named = []action.Field{
	{Name: "names", Form: action.Text, Required: true, Exclusive: true, Decides: true},
}

// closing has a verb that brings switches to on, and at the end looks at the last reading and
// switches the light; and one that has nothing to do.
var closing = action.NewRegistry([]action.Verb{
	{Name: "close", Target: named, Plan: action.PlanWith(planClose)},
	{Name: "rest", Undo: "close", Target: named, Plan: action.PlanWith(planRest)},
})

func planClose(ctx context.Context, r reader, req action.Request) (*action.Plan, error) {
	p, err := bringOn(ctx, r, req)
	if err != nil {
		return nil, err
	}
	p.Finally = func(ctx context.Context, w any, last action.Seen) string {
		time.Sleep(finishing)
		err := w.(writer).Switch(ctx, "light", strings.Join(last.Values, ","))
		if err != nil || ctx.Err() != nil {
			return "there was no time"
		}
		return "the light is on"
	}
	return p, nil
}

func planRest(ctx context.Context, r reader, req action.Request) (*action.Plan, error) {
	p, err := bringOn(ctx, r, req)
	if err != nil {
		return nil, err
	}
	p.Moot, p.Transitions = "it rests", nil
	p.Facts = func([]action.Transition, action.Seen) map[string]string {
		return map[string]string{"rests": "true"}
	}
	return p, nil
}

// ask gives a request to an executor of these verbs; a stop after 0 is none, and one before that
// comes with the first reading.
func ask(t *testing.T, c *cloud, dir, text string, stop time.Duration) protocol.Status {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	switch {
	case stop > 0:
		time.AfterFunc(stop, cancel)
	case stop < 0:
		c.onRead = cancel
	}
	e := &Executor{
		Registry: closing, Provider: "test", Timeout: 20 * time.Second,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Connect: func(context.Context, string, time.Duration) (Connection, error) {
			return connection{c}, nil
		},
		OpenStore: openStore(dir),
	}
	return e.Run(ctx, strings.NewReader(text)).Status
}

// TestFinally: however a run ends in which a change has begun, the plan has the last word.
func TestFinally(t *testing.T) {
	for _, c := range []struct {
		name    string
		world   map[string]string
		changes script
		stop    time.Duration
		want    protocol.State
		light   string
	}{
		{name: "made", want: protocol.Succeeded, light: "on,on"},
		{
			name: "one refused and the other put back", changes: script{"b": {"refuse"}},
			want: protocol.Failed, light: "off,off",
		},
		{
			name:    "one refused and the other not to be put back",
			changes: script{"a": {"ok", "refuse"}, "b": {"refuse"}},
			want:    protocol.Failed, light: "on,off",
		},
		{
			name: "one that does not show until the time is up", changes: script{"b": {"ignore"}},
			want: protocol.Failed, light: "on,off",
		},
		{
			name: "one of unknown outcome until the time is up", changes: script{"b": {"dropped"}},
			want: protocol.Failed, light: "on,off",
		},
		{
			name: "one that does not show until a signal", changes: script{"b": {"ignore"}},
			stop: time.Second, want: protocol.Failed, light: "on,off",
		},
		{
			name: "a signal before anything was changed", stop: -1, want: protocol.Failed,
		},
		{
			name: "nothing to do", world: map[string]string{"a": "on", "b": "on"},
			want: protocol.Succeeded,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := &cloud{values: map[string]string{"a": "off", "b": "off"}, changes: c.changes}
				if c.world != nil {
					world.values = c.world
				}
				began := time.Now()
				got := ask(t, world, t.TempDir(), request("close", "k", "a,b", ""), c.stop)
				if got.Status != c.want || world.values["light"] != c.light {
					t.Errorf("%s, and the light is %q, want %s and %q: %+v",
						got.Status, world.values["light"], c.want, c.light, got)
				}
				said := got.Message
				if got.Status == protocol.Failed {
					said = got.Error
				}
				if strings.Contains(said, "the light is on") != (c.light != "") {
					t.Errorf("it says %q", said)
				}
				if took := time.Since(began); took > 20*time.Second-plugin.Margin(20*time.Second) {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

// TestMoot: what has nothing to change succeeds, is not recorded, and can't be undone.
func TestMoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, verb := range []string{"rest?", "rest"} {
			c := &cloud{values: map[string]string{"a": "off"}}
			dir := t.TempDir()
			got := ask(t, c, dir, request(verb, "k", "a", ""), 0)
			if got.Status != protocol.Succeeded || got.UndoAvailable ||
				got.Message != "nothing to do: it rests" ||
				got.Observed["changed"] != "false" || got.Observed["rests"] != "true" {
				t.Errorf("%s: %+v", verb, got)
			}
			if !slices.Equal(c.calls, []string{"read a"}) {
				t.Errorf("%s: it called %v", verb, c.calls)
			}
			l, err := ledger.Open(t.Context(), dir, ledger.OSDisk{}, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			if _, kept, err := l.Get(t.Context(), "k"); kept || err != nil {
				t.Errorf("%s: it is on record, %v", verb, err)
			}
		}
	})
}
