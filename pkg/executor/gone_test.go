package executor

import (
	"context"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// resetWithout takes back what was set of a switch that was not found. With elsewhere another
// switch is brought to what was before, as an address goes back to its prior holder.
func resetWithout(
	ctx context.Context, r reader, req action.Request, told action.Told, cause error,
) (*action.Plan, error) {
	name, to := req.Target["switch"], req.Parameters["to"]
	err := action.Vanished(req, cause, func(own action.Recorded) bool {
		return own.Resource == name && own.To == to
	})
	if err != nil {
		return nil, err
	}
	if other := req.Parameters["elsewhere"]; other != "" {
		p, err := switchTo(ctx, r, other, "", func(action.Transition, action.Seen) map[string]string {
			return nil
		})
		if err != nil {
			return nil, err
		}
		// What changes is one thing, wherever it is: so it is recorded as what was set.
		p.TargetGone = true
		at := action.At{Resource: name, Attribute: "value", Now: p.Seen.Values[0], What: name}
		return p, back(req, p, 0, at, told)
	}
	return action.NothingLeft(map[string]string{"now": gone}, name+" does not exist any more"), nil
}

// TestUndoOfWhatIsGone: an undo whose target does not exist any more closes, once the action's
// record is older than a minute.
func TestUndoOfWhatIsGone(t *testing.T) {
	set := func(t *testing.T) (*core, protocol.Status) {
		t.Helper()
		c := newCore(t, "a=off", "b=off")
		got := is(t, c.set("k", "a", "on"), protocol.Succeeded)
		c.cloud.values["a"] = gone
		return c, got
	}
	rule(t, "the record is fresh", func(t *testing.T) {
		c, got := set(t)
		failed(t, c.undo("k", "a", got), protocol.NotFound, "retryable=true", "targetGone=")
		time.Sleep(50 * time.Second)
		fresh := failed(t, c.undo("k", "a", got), protocol.NotFound, "retryable=true", "targetGone=")
		if !strings.Contains(fresh.Error, "less than a minute old") {
			t.Errorf("it does not say why: %s", fresh.Error)
		}
		c.free("k", false)
		time.Sleep(11 * time.Second)
		is(t, c.undo("k", "a", got), protocol.Succeeded, "targetGone=true", "changed=false", "now=gone")
		c.free("k", true)
		if c.changes() != 1 {
			t.Errorf("something was changed: %v", c.cloud.calls)
		}
	})
	rule(t, "it comes back", func(t *testing.T) {
		c, got := set(t)
		failed(t, c.undo("k", "a", got), protocol.NotFound)
		c.cloud.values["a"] = "on"
		is(t, c.undo("k", "a", got), protocol.Succeeded, "targetGone=", "changed=true")
		c.now("a=off b=off")
	})
	rule(t, "the key is of another target", func(t *testing.T) {
		c, got := set(t)
		time.Sleep(2 * time.Minute)
		c.cloud.values["c"] = gone
		failed(t, c.undo("k", "c", got), protocol.Conflict, "recorded=on", "targetGone=")
		failed(t, c.undo("k", "a", got, "to=dim"), protocol.Conflict, "recorded=on", "targetGone=")
		c.free("k", false)
	})
	rule(t, "the key is of another region", func(t *testing.T) {
		c, got := set(t)
		time.Sleep(2 * time.Minute)
		elsewhere := failed(t, c.send("reset", "k:undo", `a","region":"r2`, got.Observed),
			protocol.Conflict, "targetGone=")
		says(t, elsewhere, "had another target than the request, or the region was another")
		c.free("k", false)
		says(t, is(t, c.undo("k", "a", got), protocol.Succeeded, "targetGone=true"),
			"nothing to do: a does not exist any more")
	})
	rule(t, "no record tells of it", func(t *testing.T) {
		c, got := set(t)
		time.Sleep(2 * time.Minute)
		is(t, c.undo("k", "a", got), protocol.Succeeded, "targetGone=true")
		is(t, c.undo("k", "a", got), protocol.Succeeded, "targetGone=true", "changed=false")
		is(t, c.undo("lost", "a", got), protocol.Succeeded, "targetGone=true", "changed=false")
		// Prior facts alone may be written by hand, and the target mistyped.
		failed(t, c.send("reset", "lost:undo", "a", map[string]string{"prior": "off"}), protocol.NotFound,
			"targetGone=")
		c.dir = ""
		is(t, c.undo("k", "a", got), protocol.Succeeded, "targetGone=true", "changed=false")
	})
	rule(t, "under a key of its own it may be mistyped", func(t *testing.T) {
		c, got := set(t)
		time.Sleep(2 * time.Minute)
		failed(t, c.send("reset", "own", "a", got.Observed), protocol.NotFound, "retryable=true",
			"targetGone=")
		c.free("k", false)
	})
	for _, point := range []string{"before remove", "after remove"} {
		rule(t, "the process dies "+point, func(t *testing.T) {
			c, got := set(t)
			time.Sleep(2 * time.Minute)
			c.dies = point
			is(t, c.undo("k", "a", got), died)
			is(t, c.undo("k", "a", got), protocol.Succeeded, "targetGone=true", "changed=false")
			c.free("k", true)
		})
	}
}

// TestUndoOfWhatIsGoneElsewhere: what was before comes back where that still can be, though the
// target is gone.
func TestUndoOfWhatIsGoneElsewhere(t *testing.T) {
	for _, point := range []string{"", "before change", "after change", "before remove",
		"after remove"} {
		rule(t, "the process dies "+point, func(t *testing.T) {
			c := newCore(t, "a=off", "b=on")
			got := is(t, c.set("k", "a", "on"), protocol.Succeeded)
			c.cloud.values["a"] = gone
			failed(t, c.undo("k", "a", got, "elsewhere=b"), protocol.NotFound)
			time.Sleep(2 * time.Minute)
			if c.dies = point; point != "" {
				is(t, c.undo("k", "a", got, "elsewhere=b"), died)
			}
			last := is(t, c.undo("k", "a", got, "elsewhere=b"), protocol.Succeeded, "targetGone=true")
			if point == "" && last.Observed["changed"] != "true" {
				t.Errorf("%+v", last)
			}
			c.now("a=gone b=off")
			c.free("k", true)
		})
	}
}
