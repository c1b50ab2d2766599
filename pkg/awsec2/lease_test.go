package awsec2

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// TestNoAttemptAfterTheLease: what EC2 throttles is sent again, but not where the lease could end
// before; the answer is EC2's own then, and a certain one.
func TestNoAttemptAfterTheLease(t *testing.T) {
	c, requests := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write(
			[]byte(`<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit ` +
				`exceeded.</Message></Error></Errors></Response>`))
	})
	attempts := func(ctx context.Context) int64 {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		before := requests.Load()
		err := c.Writer().(*Writer).AssignPrivateIPAddress(ctx, "eni-0123456789abcdef0", "10.0.0.9",
			false)
		var f *protocol.Failure
		if !errors.As(err, &f) || f.Class != protocol.Throttled {
			t.Errorf("%v, want it throttled", err)
		}
		return requests.Load() - before
	}
	if n := attempts(t.Context()); n < 2 {
		t.Errorf("without a lease %d attempts, want it sent again", n)
	}
	if n := attempts(action.WithLease(t.Context(), time.Now().Add(time.Hour))); n < 2 {
		t.Errorf("with a long lease %d attempts, want it sent again", n)
	}
	if n := attempts(action.WithLease(t.Context(), time.Now().Add(lastBackoff/2))); n != 1 {
		t.Errorf("with a lease about to end %d attempts, want 1", n)
	}
}
