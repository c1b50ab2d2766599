package executor

import (
	"context"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/protocol"
)

func (c *cloud) KnownAccount() string { return c.known }

func (c *cloud) Account(context.Context) (string, error) {
	c.asked++
	if c.account == "" {
		return "", protocol.Refuse(protocol.Throttled, "too many questions")
	}
	return c.account, nil
}

// TestUndoOfWhatIsGoneInItsAccount: what is not found is taken for gone only in the account of the
// action, if the record tells that.
func TestUndoOfWhatIsGoneInItsAccount(t *testing.T) {
	set := func(t *testing.T, known string) (*core, protocol.Status) {
		t.Helper()
		c := newCore(t, "a=off", "b=off")
		c.cloud.known = known
		got := is(t, c.set("k", "a", "on"), protocol.Succeeded)
		c.cloud.values["a"] = gone
		if r, _ := c.record("k"); r.Owner != known {
			t.Errorf("the record is of the account %q, want %q", r.Owner, known)
		}
		time.Sleep(2 * time.Minute)
		return c, got
	}
	rule(t, "another account", func(t *testing.T) {
		c, got := set(t, "one")
		c.cloud.account, c.cloud.known = "two", "two"
		for _, more := range [][]string{nil, {"elsewhere=b"}} {
			f := failed(t, c.undo("k", "a", got, more...), protocol.Configuration, "retryable=false",
				"targetGone=")
			says(t, f, `of the account "two", and the action was made in the account "one"`)
		}
		c.now("a=gone b=off")
		c.free("k", false)
		c.cloud.account = "one"
		is(t, c.undo("k", "a", got), protocol.Succeeded, "targetGone=true")
		c.free("k", true)
	})
	rule(t, "the account can't be asked for", func(t *testing.T) {
		c, got := set(t, "one")
		f := failed(t, c.undo("k", "a", got), protocol.Throttled, "retryable=true", "targetGone=")
		says(t, f, "too many questions")
		c.free("k", false)
	})
	rule(t, "a record without an account", func(t *testing.T) {
		c, got := set(t, "")
		is(t, c.undo("k", "a", got), protocol.Succeeded, "targetGone=true")
		if c.cloud.asked != 0 {
			t.Errorf("it was asked for %d times", c.cloud.asked)
		}
	})
	rule(t, "by facts", func(t *testing.T) {
		c, got := set(t, "one")
		if got.Observed["targetAccount"] != "one" {
			t.Errorf("%+v", got)
		}
		c.cloud.account, c.dir = "two", ""
		f := failed(t, c.undo("k", "a", got), protocol.Configuration, "targetGone=")
		says(t, f, `the target was not found, but this identity is of the account "two"`)
		c.cloud.account = "one"
		is(t, c.undo("k", "a", got), protocol.Succeeded, "targetGone=true")
		// The record comes before the facts.
		c, got = set(t, "one")
		c.cloud.account, got.Observed["targetAccount"] = "two", "two"
		failed(t, c.undo("k", "a", got), protocol.Configuration)
		c.free("k", false)
	})
	rule(t, "what is found is not asked about", func(t *testing.T) {
		c, got := set(t, "one")
		c.cloud.values["a"] = "on"
		is(t, c.undo("k", "a", got), protocol.Succeeded, "changed=true")
		if c.cloud.asked != 0 {
			t.Errorf("it was asked for %d times", c.cloud.asked)
		}
	})
	rule(t, "a later attempt of another identity", func(t *testing.T) {
		c, got := set(t, "one")
		c.cloud.values["a"], c.cloud.known = "off", "two"
		is(t, c.set("k", "a", "on"), protocol.Succeeded)
		if r, _ := c.record("k"); r.Owner != "one" {
			t.Errorf("the record is of the account %q", r.Owner)
		}
		time.Sleep(2 * time.Minute)
		c.cloud.values["a"], c.cloud.account = gone, "two"
		f := failed(t, c.undo("k", "a", got), protocol.Configuration)
		if !strings.Contains(f.Error, `account "one"`) {
			t.Errorf("it says %s", f.Error)
		}
	})
}

// TestAgainByWhatIsUnseen: an attempt that rests on an absence and on the record of an earlier one
// is made only in the account of that.
func TestAgainByWhatIsUnseen(t *testing.T) {
	rule(t, "another account", func(t *testing.T) {
		c := newCore(t, "a=off", "b=off")
		c.cloud.known, c.cloud.account = "one", "two"
		is(t, c.set("k", "a", "on", "unseen=true"), protocol.Succeeded, "changed=true")
		c.cloud.values["a"] = "off"
		f := failed(t, c.set("k", "a", "on", "unseen=true"), protocol.Configuration, "retryable=false")
		says(t, f, `of the account "two", and the action was made in the account "one"`)
		says(t, f, "try again with an identity of that account")
		c.now("a=off b=off")
		c.free("k", false)
		c.cloud.account = "one"
		is(t, c.set("k", "a", "on", "unseen=true"), protocol.Succeeded)
	})
	rule(t, "a first attempt is not asked about", func(t *testing.T) {
		c := newCore(t, "a=off")
		c.cloud.known, c.cloud.account = "one", "two"
		is(t, c.set("k", "a", "on", "unseen=true"), protocol.Succeeded)
		if c.cloud.asked != 0 {
			t.Errorf("it was asked for %d times", c.cloud.asked)
		}
	})
}

// TestNamedAccount: a request that names the account of its target is refused by an identity of
// another one, before the target is read.
func TestNamedAccount(t *testing.T) {
	named := func(t *testing.T, account, known string) *core {
		t.Helper()
		c := newCore(t, "a=off")
		c.cloud.named, c.cloud.account, c.cloud.known = "one", account, known
		return c
	}
	for name, c := range map[string]struct {
		account, known string
		asked          int
	}{"asked for": {"two", "", 1}, "known": {"", "two", 0}} {
		rule(t, "another, "+name, func(t *testing.T) {
			x := named(t, c.account, c.known)
			f := failed(t, x.set("k", "a", "on"), protocol.Configuration, "retryable=false")
			says(t, f, `the target is of the account "one", as the caller knows it, and this identity `+
				`is of the account "two"`)
			if len(x.cloud.calls) > 0 || x.cloud.asked != c.asked {
				t.Errorf("it called %q, and asked %d times", x.cloud.calls, x.cloud.asked)
			}
			x.free("k", true)
		})
	}
	rule(t, "its own", func(t *testing.T) {
		is(t, named(t, "one", "").set("k", "a", "on"), protocol.Succeeded, "changed=true")
		is(t, named(t, "two", "one").set("k", "a", "on"), protocol.Succeeded, "changed=true")
	})
	rule(t, "not to be found out", func(t *testing.T) {
		is(t, named(t, "", "").set("k", "a", "on"), protocol.Succeeded, "changed=true")
	})
	rule(t, "an undo", func(t *testing.T) {
		c := named(t, "one", "")
		got := is(t, c.set("k", "a", "on"), protocol.Succeeded)
		c.cloud.account = "two"
		failed(t, c.undo("k", "a", got), protocol.Configuration)
		c.now("a=on")
		c.cloud.account = "one"
		is(t, c.undo("k", "a", got), protocol.Succeeded, "changed=true")
	})
}
