package executor

import (
	"slices"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/protocol"
)

// TestReadingsThatContradict: they are asked again, ever more slowly, until the time is up. Then
// nothing is changed.
func TestReadingsThatContradict(t *testing.T) {
	rule(t, "without end", func(t *testing.T) {
		c := newCore(t, "a=on")
		var times []time.Time
		c.cloud.onRead = func() {
			times = append(times, time.Now())
			c.cloud.values["a"] = []string{"on", "dim"}[(len(times)-1)%2]
		}
		got := failed(t, c.set("k", "a", "on"), protocol.Unavailable, "retryable=true")
		says(t, got, "the provider's answers contradict each other; nothing was changed; try again")
		if c.changes() != 0 {
			t.Errorf("calls %v", c.cloud.calls)
		}
		var gaps []time.Duration
		for i := 1; i < 12; i++ {
			gaps = append(gaps, times[i].Sub(times[i-1])/time.Millisecond)
		}
		want := []time.Duration{100, 100, 100, 200, 100, 400, 100, 800, 100, 1000, 100}
		if !slices.Equal(gaps, want) {
			t.Errorf("between the readings lie %v ms, want %v", gaps, want)
		}
		c.logged(`level=WARN msg="two readings differ, planning again" first=[on] second=[dim]`)
		c.free("k", true)
	})
	rule(t, "until the time is up", func(t *testing.T) {
		c := newCore(t, "a=on")
		c.timeout = time.Second
		c.cloud.onRead = func() { time.Sleep(800 * time.Millisecond) }
		got := failed(t, c.set("k", "a", "on"), protocol.Timeout)
		says(t, got, "the time for it was up before anything was changed")
	})
}

// TestHowLongAReadingHasToStand: an undo that does not find what a fresh record says that the
// action made waits; nothing else does.
func TestHowLongAReadingHasToStand(t *testing.T) {
	const once, long = 100 * time.Millisecond, 2500 * time.Millisecond
	for _, tt := range []struct {
		name string
		// send prepares the world, and returns the request that is measured.
		send func(t *testing.T, c *core) func() protocol.Status
		want time.Duration
	}{
		{"an action that is so", func(t *testing.T, c *core) func() protocol.Status {
			return func() protocol.Status { return c.set("k", "a", "off") }
		}, once},
		{"a retry that finds a stranger's value", func(t *testing.T, c *core) func() protocol.Status {
			c.set("k", "a", "on")
			c.cloud.values["a"] = "dim"
			return func() protocol.Status { return c.set("k", "a", "on") }
		}, once},
		{"an undo that finds it back already", func(t *testing.T, c *core) func() protocol.Status {
			facts := c.set("k", "a", "on")
			c.cloud.values["a"] = "off"
			return func() protocol.Status { return c.undo("k", "a", facts) }
		}, long},
		{"an undo with more time", func(t *testing.T, c *core) func() protocol.Status {
			facts := c.set("k", "a", "on")
			c.cloud.values["a"], c.timeout = "off", 40*time.Second
			return func() protocol.Status { return c.undo("k", "a", facts) }
		}, 3 * time.Second},
		{"an undo of what was made long ago", func(t *testing.T, c *core) func() protocol.Status {
			facts := c.set("k", "a", "on")
			c.cloud.values["a"] = "off"
			time.Sleep(2 * time.Minute)
			return func() protocol.Status { return c.undo("k", "a", facts) }
		}, once},
		{"an undo of what was made a minute ago", func(t *testing.T, c *core) func() protocol.Status {
			facts := c.set("k", "a", "on")
			c.cloud.values["a"] = "off"
			r, _ := c.record("k")
			time.Sleep(time.Until(r.Acted.Add(time.Minute)))
			return func() protocol.Status { return c.undo("k", "a", facts) }
		}, once},
		{"an undo of what changed nothing", func(t *testing.T, c *core) func() protocol.Status {
			facts := c.set("k", "a", "off")
			c.cloud.values["a"] = "dim"
			return func() protocol.Status { return c.undo("k", "a", facts) }
		}, once},
		{"an undo of what another counts on", func(t *testing.T, c *core) func() protocol.Status {
			facts := c.set("k", "a", "on")
			c.set("k2", "a", "on")
			return func() protocol.Status { return c.undo("k", "a", facts) }
		}, once},
		{"an undo below a later action", func(t *testing.T, c *core) func() protocol.Status {
			facts := c.set("k", "a", "on")
			c.set("k2", "a", "dim")
			return func() protocol.Status { return c.undo("k", "a", facts) }
		}, once},
		{"an undo that finds what an earlier action led to",
			func(t *testing.T, c *core) func() protocol.Status {
				c.set("k0", "a", "dim")
				facts := c.set("k", "a", "on")
				c.cloud.values["a"] = "dim"
				return func() protocol.Status { return c.undo("k", "a", facts) }
			}, long},
		{"an undo below a later action, that finds another value",
			func(t *testing.T, c *core) func() protocol.Status {
				facts := c.set("k", "a", "on")
				c.set("k2", "a", "dim")
				c.cloud.values["a"] = "off"
				return func() protocol.Status { return c.undo("k", "a", facts) }
			}, long},
	} {
		rule(t, tt.name, func(t *testing.T) {
			c := newCore(t, "a=off")
			send := tt.send(t, c)
			began := time.Now()
			got := send()
			if took := time.Since(began); took != tt.want {
				t.Errorf("it took %s, want %s: %+v", took, tt.want, got)
			}
		})
	}
}

// TestWhatIsReadTwice: what the plan may not rest on one reading of.
func TestWhatIsReadTwice(t *testing.T) {
	readings := func(c *core, name string) int {
		return len(slices.DeleteFunc(slices.Clone(c.cloud.calls), func(s string) bool {
			return s != "read "+name
		}))
	}
	rule(t, "the undo of an action that died", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.dies = "after change"
		is(t, c.set("k", "a", "on"), died)
		c.cloud.calls = nil
		is(t, c.send("reset", "k:undo", "a", nil), protocol.Succeeded, "changed=true")
		if got := strings.Join(c.cloud.calls, ", "); got != "read a, read a, a=off, read a" {
			t.Errorf("calls %s", got)
		}
	})
	rule(t, "what is back already where the target is gone", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		facts := is(t, c.set("k", "a", "on"), protocol.Succeeded)
		c.cloud.values["a"] = gone
		time.Sleep(2 * time.Minute)
		is(t, c.undo("k", "a", facts, "elsewhere=b"), protocol.Succeeded, "targetGone=true")
		if got := readings(c, "b"); got != 2 {
			t.Errorf("%d readings: %v", got, c.cloud.calls)
		}
	})
	rule(t, "not what is not planned for want of the past", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.breaks = "history"
		failed(t, c.set("k", "a", "on"), protocol.StateStore)
		if got := readings(c, "a"); got != 1 {
			t.Errorf("%d readings: %v", got, c.cloud.calls)
		}
	})
}
