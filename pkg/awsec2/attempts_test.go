package awsec2

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/protocol"
)

const throttledAnswer = `<Response><Errors><Error><Code>RequestLimitExceeded</Code>` +
	`<Message>Request limit exceeded.</Message></Error></Errors></Response>`

// throttlesThen answers the first request with a refusal, and does as told at each later one, to
// which nobody gets an answer.
func throttlesThen(t *testing.T, later func()) *Connection {
	t.Helper()
	var requests atomic.Int64
	c, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) > 1 {
			later()
			<-r.Context().Done()
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(throttledAnswer))
	})
	return c
}

// TestACutReadingTellsWhatWasSaidBefore: a reading whose last attempt the end of the context cut
// off tells what EC2 said to the one before.
func TestACutReadingTellsWhatWasSaidBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := throttlesThen(t, cancel)
	_, err := c.DescribeReader().DescribeInstance(ctx, ec2sim.LabRouterA)
	if f, ok := errors.AsType[*protocol.Failure](err); !ok || f.Class != protocol.Throttled {
		t.Errorf("%v, want it throttled", err)
	}
}

// TestACutChangeIsUnknown: a refusal before says nothing of an attempt at a change that left.
func TestACutChangeIsUnknown(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := throttlesThen(t, cancel)
	err := c.Writer().(*Writer).ModifySourceDestCheck(ctx, ec2sim.LabRouterAInterface, false)
	if _, ok := errors.AsType[*action.Unknown](err); !ok {
		t.Errorf("%v, want it unknown", err)
	}
}

// ending is a context whose deadline is set while it is in use, and does not end it.
type ending struct {
	context.Context
	at atomic.Pointer[time.Time]
}

func (e *ending) Deadline() (time.Time, bool) { return *e.at.Load(), true }

func (e *ending) ends(at time.Time) { e.at.Store(&at) }

// TestNoAttemptAtAChangeRightBeforeTheDeadline: the deadline could hide its answer. What EC2
// refused before is the answer then, and a certain one.
func TestNoAttemptAtAChangeRightBeforeTheDeadline(t *testing.T) {
	under, cancel := context.WithCancel(t.Context())
	defer cancel()
	ctx := &ending{Context: under}
	ctx.ends(time.Now().Add(time.Hour))
	var asked atomic.Int64
	c, requests := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) > 1 {
			cancel()
		}
		ctx.ends(time.Now())
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(throttledAnswer))
	})
	err := c.Writer().(*Writer).ModifySourceDestCheck(ctx, ec2sim.LabRouterAInterface, false)
	if f, ok := errors.AsType[*protocol.Failure](err); !ok || f.Class != protocol.Throttled {
		t.Errorf("%v, want it throttled", err)
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("%d attempts, want 1", n)
	}
}

func TestTimeForAnotherAttempt(t *testing.T) {
	for _, tt := range []struct {
		name  string
		since time.Duration
		want  bool
	}{
		{"the first", 0, true},
		{"with a ninth of the time left", 8 * time.Hour, true},
		{"with an eleventh of the time left", 10 * time.Hour, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Now()
			ctx := &ending{Context: t.Context()}
			ctx.ends(now.Add(time.Hour))
			a := &attempts{}
			if tt.since > 0 {
				a.changing = now.Add(-tt.since)
			}
			if got := a.beginsChange(ctx); got != tt.want {
				t.Errorf("it reports %t", got)
			}
		})
	}
	a := &attempts{knownAttempts: knownAttempts{changing: time.Now().Add(-time.Hour)}}
	if !a.beginsChange(context.Background()) {
		t.Error("without a deadline there is no time for it")
	}
}

// TestWhatAttemptsTell holds which attempt's error is told when the time for them is up.
func TestWhatAttemptsTell(t *testing.T) {
	began := time.Now()
	said, cut := errors.New("said"), errors.New("cut")
	for _, tt := range []struct {
		name string
		of   knownAttempts
		want error
	}{
		{"an answer", knownAttempts{last: said, said: said}, said},
		{"a reading that was cut", knownAttempts{last: cut, cut: true, said: said, reads: true,
			reached: true}, said},
		{"nothing was said", knownAttempts{last: cut, cut: true, reads: true}, cut},
		{"a change that was cut before it left", knownAttempts{last: cut, cut: true, said: said,
			changing: began}, said},
		{"a change that may have left", knownAttempts{last: cut, cut: true, said: said,
			changing: began, reached: true}, cut},
		{"a change that was sent again blindly", knownAttempts{last: cut, cut: true, said: said}, cut},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.of.told(); got != tt.want {
				t.Errorf("it tells %q", got)
			}
		})
	}
}

// TestOperationsTellForThemselves: what one operation said is not told of another.
func TestOperationsTellForThemselves(t *testing.T) {
	a := &attempts{knownAttempts: knownAttempts{reads: true}}
	a.begins("GetToken", false)
	_ = a.ends(answered(http.StatusForbidden, "AccessDenied", "no"), false)
	a.begins("GetMetadata", false)
	_ = a.ends(context.Canceled, true)
	if got := a.seen().told(); !errors.Is(got, context.Canceled) {
		t.Errorf("it tells %v", got)
	}
}
