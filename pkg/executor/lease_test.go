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
	"aws-provider-executor/pkg/protocol"

	"github.com/google/go-cmp/cmp"
)

// leased has a verb that switches on until its lease ends, and its undo.
var leased = func() *action.Registry {
	on := onOff[0]
	on.Parameters = append([]action.Field{action.Lease}, on.Parameters...)
	return action.NewRegistry([]action.Verb{on, onOff[1]})
}()

// The lease of the tests, and times before and after it.
var (
	leaseEnd = time.Date(2026, 11, 28, 15, 0, 0, 0, time.UTC)
	during   = leaseEnd.Add(-time.Second)
	after    = leaseEnd.Add(time.Second)
)

const lease = `"mobilityAssignmentLeaseUntil":"2026-11-28T15:00:00Z"`

// leaseRig sends requests with a lease. Clock says what each look at the clock shows, the last one
// from then on.
type leaseRig struct {
	t     *testing.T
	cloud *cloud
	dir   string
	clock []time.Time
}

func newLeaseRig(t *testing.T, value string) *leaseRig {
	return &leaseRig{t: t, cloud: &cloud{values: map[string]string{"a": value}}, dir: t.TempDir()}
}

func (l *leaseRig) now() time.Time {
	first := l.clock[0]
	if len(l.clock) > 1 {
		l.clock = l.clock[1:]
	}
	return first
}

// send gives a request to a process of its own, and tells the changes that it sent.
func (l *leaseRig) send(request string, clock ...time.Time) (protocol.Status, []string) {
	l.t.Helper()
	l.clock = clock
	before := len(l.cloud.calls)
	e := &Executor{
		Registry: leased, Provider: "test", Timeout: 20 * time.Second,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: l.now,
		Connect: func(context.Context, string, time.Duration) (Connection, error) {
			return connection{l.cloud}, nil
		},
		OpenStore: openStore(l.dir),
	}
	status := e.Run(l.t.Context(), strings.NewReader(request)).Status
	var changes []string
	for _, c := range l.cloud.calls[before:] {
		if !strings.HasPrefix(c, "read ") {
			changes = append(changes, c)
		}
	}
	return status, changes
}

// record is the state and the prior value that are kept under the key; empty where nothing is.
func (l *leaseRig) record() string {
	l.t.Helper()
	store, err := ledger.Open(l.t.Context(), l.dir, ledger.OSDisk{}, time.Now)
	if err != nil {
		l.t.Fatal(err)
	}
	rec, ok, err := store.Get(l.t.Context(), "k")
	switch {
	case err != nil:
		l.t.Fatal(err)
	case !ok:
		return ""
	}
	return string(rec.Entries[0].State) + " " + rec.Entries[0].From
}

// denied holds that nothing was sent, and that the sentence tells both times.
func denied(t *testing.T, s protocol.Status, changes []string) {
	t.Helper()
	if s.Observed[protocol.FactFailureClass] != string(protocol.Denied) ||
		s.Observed[protocol.FactRetryable] != "false" || len(changes) > 0 {
		t.Fatalf("%+v after %q, want denied and no change", s, changes)
	}
	const times = "ended at 2026-11-28T15:00:00Z (mobilityAssignmentLeaseUntil), and it is " +
		"2026-11-28T15:00:01Z by this machine's clock"
	if !strings.Contains(s.Error, times) || s.Message != s.Error {
		t.Errorf("%q does not say %q", s.Error, times)
	}
}

// inTime runs a test in time of its own.
func inTime(f func(*testing.T, *leaseRig)) func(*testing.T) {
	return func(t *testing.T) { synctest.Test(t, func(t *testing.T) { f(t, newLeaseRig(t, "off")) }) }
}

func TestLease(t *testing.T) {
	execute := request("on", "k", "a", lease)
	dryRun := request("on?", "k", "a", lease)
	t.Run("it holds", inTime(func(t *testing.T, l *leaseRig) {
		if s, changes := l.send(execute, during); s.Status != protocol.Succeeded || len(changes) != 1 ||
			l.record() != "live off" {
			t.Errorf("%+v after %q, record %q", s, changes, l.record())
		}
	}))
	t.Run("it has ended", inTime(func(t *testing.T, l *leaseRig) {
		s, changes := l.send(execute, after)
		denied(t, s, changes)
		if s.UndoAvailable || l.record() != "" || !strings.Contains(s.Error, "nothing was changed") ||
			s.Observed["prior.a"] != "off" {
			t.Errorf("%+v, record %q", s, l.record())
		}
	}))
	t.Run("at its very end", inTime(func(t *testing.T, l *leaseRig) {
		if s, changes := l.send(execute, leaseEnd); s.Status != protocol.Failed || len(changes) > 0 {
			t.Errorf("%+v after %q", s, changes)
		}
	}))
	t.Run("a dry-run says what execute would", inTime(func(t *testing.T, l *leaseRig) {
		s, changes := l.send(dryRun, after)
		denied(t, s, changes)
		if s, _ := l.send(dryRun, during); s.Status != protocol.Succeeded {
			t.Errorf("%+v", s)
		}
	}))
	t.Run("it ends right before the change", inTime(func(t *testing.T, l *leaseRig) {
		s, changes := l.send(execute, during, after)
		denied(t, s, changes)
		if s.UndoAvailable || l.record() != "" {
			t.Errorf("%+v, record %q", s, l.record())
		}
	}))
}

// TestLeaseOfWhatIsBegun: what is begun under a lease is brought to its end, and what is so needs
// none.
func TestLeaseOfWhatIsBegun(t *testing.T) {
	execute := request("on", "k", "a", lease)
	t.Run("what is begun is brought to its end", inTime(func(t *testing.T, l *leaseRig) {
		through := request("on", "k", "a", `"via":"dim",`+lease)
		s, changes := l.send(through, during, during, after)
		if diff := cmp.Diff([]string{"a=dim", "a=on"}, changes); diff != "" ||
			s.Status != protocol.Succeeded {
			t.Errorf("%+v %s", s, diff)
		}
		if diff := cmp.Diff([]bool{true, false}, l.cloud.leased); diff != "" {
			t.Errorf("which changes may not be sent again after the lease (-want +got):\n%s", diff)
		}
	}))
	t.Run("it is so already", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLeaseRig(t, "on")
			if s, changes := l.send(execute, after); s.Status != protocol.Succeeded || len(changes) > 0 ||
				s.Observed[protocol.FactChanged] != "false" {
				t.Errorf("%+v after %q", s, changes)
			}
		})
	})
}

// TestLeaseOfAnEarlierAttempt: what was begun under the key is found out about after the lease, and
// nothing more is sent.
func TestLeaseOfAnEarlierAttempt(t *testing.T) {
	execute := request("on", "k", "a", lease)
	t.Run("an earlier attempt made it", inTime(func(t *testing.T, l *leaseRig) {
		l.cloud.changes, l.cloud.reads = script{"a": {"lost"}}, []string{"ok", "fail"}
		l.cloud.onChange = func() {
			l.cloud.reads = []string{"fail", "fail", "fail", "fail", "fail", "fail", "fail", "fail", "fail",
				"fail", "fail", "fail"}
		}
		l.send(execute, during)
		l.cloud.onChange, l.cloud.reads = nil, nil
		s, changes := l.send(execute, after)
		if s.Status != protocol.Succeeded || !strings.Contains(s.Message, "in an earlier attempt") ||
			s.Observed["prior.a"] != "off" || len(changes) > 0 {
			t.Errorf("%+v after %q", s, changes)
		}
	}))
	t.Run("an earlier attempt only just shows", inTime(func(t *testing.T, l *leaseRig) {
		l.cloud.changes = script{"a": {"dropped"}}
		l.send(execute, during)
		// It comes after all, while it is waited for: planning reads once.
		reads := 0
		l.cloud.onRead = func() {
			if reads++; reads == 3 {
				l.cloud.values["a"] = "on"
			}
		}
		s, changes := l.send(execute, after)
		if s.Status != protocol.Succeeded || s.Observed["prior.a"] != "off" ||
			s.Observed[protocol.FactChanged] != "true" || len(changes) > 0 || l.record() != "live off" {
			t.Errorf("%+v after %q, record %q", s, changes, l.record())
		}
	}))
}

// TestLeaseOfAnAttemptLongAgo: what it began would show by now, so nothing is waited for, and
// nothing more is sent.
func TestLeaseOfAnAttemptLongAgo(t *testing.T) {
	inTime(func(t *testing.T, l *leaseRig) {
		l.cloud.changes = script{"a": {"dropped"}}
		l.send(request("on", "k", "a", lease), during)
		time.Sleep(2 * staleFor)
		before := len(l.cloud.calls)
		s, changes := l.send(request("on", "k", "a", lease), after)
		denied(t, s, changes)
		if read := l.cloud.calls[before:]; !slices.Equal(read, []string{"read a"}) {
			t.Errorf("it called %v", read)
		}
	})(t)
}

// TestLeaseOfAnEarlierAttemptThatDoesNotShow: it may still come, so it can be undone or sent again.
func TestLeaseOfAnEarlierAttemptThatDoesNotShow(t *testing.T) {
	execute := request("on", "k", "a", lease)
	t.Run("an earlier attempt does not show", inTime(func(t *testing.T, l *leaseRig) {
		l.cloud.changes = script{"a": {"dropped"}}
		if s, _ := l.send(execute, during); s.Observed[protocol.FactFailureClass] !=
			string(protocol.Ambiguous) {
			t.Fatalf("%+v", s)
		}
		s, changes := l.send(execute, after)
		denied(t, s, changes)
		const told = "an earlier attempt under this key began, and now the value of a is off, not on; " +
			"nothing more was sent"
		if !s.UndoAvailable || s.Observed["prior.a"] != "off" || l.record() != "pending off" ||
			!strings.Contains(s.Error, told) {
			t.Errorf("%+v, record %q", s, l.record())
		}
		// A new lease under the same key is the same request.
		renewed := strings.Replace(execute, "15:00:00Z", "16:00:00Z", 1)
		if s, changes := l.send(renewed, after); s.Status != protocol.Succeeded ||
			s.Observed["prior.a"] != "off" || len(changes) != 1 {
			t.Errorf("%+v after %q", s, changes)
		}
	}))
	t.Run("an earlier attempt left it on the way", inTime(func(t *testing.T, l *leaseRig) {
		through := request("on", "k", "a", `"via":"dim",`+lease)
		l.cloud.changes = script{"a": {"ok", "dropped"}}
		l.send(through, during)
		s, changes := l.send(through, after)
		denied(t, s, changes)
		if !s.UndoAvailable || s.Observed["prior.a"] != "off" || l.record() != "pending off" ||
			!strings.Contains(s.Error, "now the value of a is dim, not on") {
			t.Errorf("%+v, record %q", s, l.record())
		}
	}))
}

// TestLeaseOfAnUndo: no undo looks at it.
func TestLeaseOfAnUndo(t *testing.T) {
	execute := request("on", "k", "a", lease)
	t.Run("an undo does not look at it", inTime(func(t *testing.T, l *leaseRig) {
		l.send(execute, during)
		s, changes := l.send(request("off", "k:undo", "a", `"prior.a":"off",`+lease), after)
		if s.Status != protocol.Succeeded || len(changes) != 1 || l.record() != "" ||
			s.Observed[protocol.FactIgnoredKeys] != `["mobilityAssignmentLeaseUntil"]` {
			t.Errorf("%+v after %q, record %q", s, changes, l.record())
		}
	}))
	t.Run("one that is no time", inTime(func(t *testing.T, l *leaseRig) {
		s, changes := l.send(request("on", "k", "a", `"mobilityAssignmentLeaseUntil":"15:00"`), after)
		if s.Observed[protocol.FactFailureClass] != string(protocol.InvalidRequest) || len(changes) > 0 ||
			l.record() != "" {
			t.Errorf("%+v after %q", s, changes)
		}
	}))
}
