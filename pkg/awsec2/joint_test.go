package awsec2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

// TestJointCallsOfABurst: fifty requests that read, keep a record, change and read again make three
// calls, though each takes its own time between them; and one alone waits for nobody after its
// first call.
func TestJointCallsOfABurst(t *testing.T) {
	for n, want := range map[int]int{1: 0, 50: 3} {
		synctest.Test(t, func(t *testing.T) {
			j := &joints{of: map[string]*nicJoints{}}
			var mu sync.Mutex
			calls := 0
			come := func(kind jointKind) {
				m := &member{ctx: t.Context(), call: func(context.Context, []*member) {
					time.Sleep(100 * time.Millisecond)
					mu.Lock()
					defer mu.Unlock()
					calls++
				}}
				if fate := j.come("eni-1", kind, m); fate != told {
					t.Errorf("the fate is %d", fate)
				}
			}
			began := time.Now()
			var all sync.WaitGroup
			for i := range n {
				all.Go(func() {
					time.Sleep(time.Duration(i) * 100 * time.Microsecond)
					come(jointRead)
					time.Sleep(time.Duration(i) * time.Millisecond)
					come(jointAssign)
					come(jointRead)
				})
			}
			all.Wait()
			// One that is alone makes its own calls.
			if calls != want {
				t.Errorf("%d requests make %d joint calls, want %d", n, calls, want)
			}
			if took := time.Since(began); n == 1 && took > 2*firstQuiet {
				t.Errorf("one alone waited %s", took)
			}
		})
	}
}

// TestJointReadingBeginsAfterItWasAskedFor: who asks while one is under way gets another.
func TestJointReadingBeginsAfterItWasAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &joints{of: map[string]*nicJoints{}}
		var mu sync.Mutex
		var began []time.Time
		ask := func() (asked time.Time) {
			asked = time.Now()
			m := &member{ctx: t.Context(), call: func(_ context.Context, members []*member) {
				now := time.Now()
				time.Sleep(10 * time.Second)
				mu.Lock()
				defer mu.Unlock()
				began = append(began, now)
				for _, m := range members {
					m.address = now.Format(time.RFC3339Nano)
				}
			}}
			j.come("eni-1", jointRead, m)
			if read, err := time.Parse(time.RFC3339Nano, m.address); err != nil || read.Before(asked) {
				t.Errorf("asked at %s, and the reading began at %s", asked, m.address)
			}
			return asked
		}
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				time.Sleep(time.Duration(i/2) * time.Second)
				ask()
			})
		}
		all.Wait()
		if len(began) != 4 {
			t.Errorf("%d readings", len(began))
		}
	})
}

// TestJointMembersThatGo: one that goes before the call is left out, one that goes during it is
// told so, and the others get their answer. Nothing goes on once all are gone.
func TestJointMembersThatGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &joints{of: map[string]*nicJoints{}}
		var mu sync.Mutex
		fates := map[int]fate{}
		sizes := []int{}
		ended := false
		for i, patience := range []time.Duration{time.Millisecond, time.Second, 3 * time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			go func() {
				m := &member{ctx: ctx, call: func(ctx context.Context, members []*member) {
					mu.Lock()
					sizes = append(sizes, len(members))
					mu.Unlock()
					<-ctx.Done()
					mu.Lock()
					defer mu.Unlock()
					ended = true
				}}
				f := j.come("eni-1", jointAssign, m)
				mu.Lock()
				defer mu.Unlock()
				fates[i] = f
			}()
		}
		time.Sleep(2 * time.Second)
		mu.Lock()
		if ended || fates[0] != unbegun || fates[1] != abandoned {
			t.Errorf("ended %t, fates %v", ended, fates)
		}
		mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if !ended || !slices.Equal(sizes, []int{2}) || !j.of["eni-1"].idle() {
			t.Errorf("ended %t, of %v", ended, sizes)
		}
	})
}

// TestJointsForgetInterfaces: however many there were.
func TestJointsForgetInterfaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &joints{of: map[string]*nicJoints{}}
		for i := range 3 * maxIdleNICs {
			j.come(fmt.Sprint("eni-", i), jointRead, &member{ctx: t.Context()})
		}
		if n := len(j.of); n > maxIdleNICs+1 {
			t.Errorf("%d are remembered", n)
		}
	})
}

// jointPeer is an EC2 that answers by a script, and what it was asked.
type jointPeer struct {
	mu     sync.Mutex
	asked  []string
	answer func(w http.ResponseWriter, operation string, addresses []string)
	kept   *Kept
}

func newJointPeer(
	t *testing.T, answer func(w http.ResponseWriter, operation string, addresses []string),
) *jointPeer {
	t.Helper()
	p := &jointPeer{answer: answer, kept: NewKept(slog.New(slog.DiscardHandler))}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		var addresses []string
		for i := 1; r.Form.Has(fmt.Sprint("PrivateIpAddress.", i)); i++ {
			addresses = append(addresses, r.Form.Get(fmt.Sprint("PrivateIpAddress.", i)))
		}
		slices.Sort(addresses)
		p.mu.Lock()
		p.asked = append(p.asked, strings.Join(addresses, " "))
		p.mu.Unlock()
		p.answer(w, r.Form.Get("Action"), addresses)
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_EC2", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the-secret-of-the-test")
	t.Setenv("AWS_SESSION_TOKEN", "")
	t.Setenv("HOME", "")
	return p
}

// change has each address assigned or unassigned by a request of its own, at the same time.
func (p *jointPeer) change(
	t *testing.T, addresses []string, with func(ctx context.Context, address string) context.Context,
	do func(ctx context.Context, w *Writer, address string) error,
) map[string]error {
	t.Helper()
	errs := map[string]error{}
	var mu sync.Mutex
	var all sync.WaitGroup
	ready := make(chan struct{})
	for _, address := range addresses {
		ctx := t.Context()
		if with != nil {
			ctx = with(ctx, address)
		}
		c, err := p.kept.Connect(ctx, "ap-northeast-1", 5*time.Second, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if c.joints != nil {
			// However slow this machine is, they wait for each other.
			c.joints.of[jointNIC] = &nicJoints{all: c.joints, queues: map[jointKind]*joint{},
				expected: len(addresses), until: time.Now().Add(time.Hour)}
		}
		all.Go(func() {
			<-ready
			err := do(ctx, c.Writer().(*Writer), address)
			mu.Lock()
			defer mu.Unlock()
			errs[address] = err
		})
	}
	close(ready)
	all.Wait()
	return errs
}

// jointNIC is the interface of the tests.
const jointNIC = "eni-0123456789abcdef0"

func assignJointly(ctx context.Context, w *Writer, address string) error {
	return w.AssignPrivateIPAddress(ctx, jointNIC, address, false)
}

func took(w http.ResponseWriter, operation string) {
	_, _ = io.WriteString(w, "<"+operation+"Response><return>true</return></"+operation+"Response>")
}

func refuses(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<Response><Errors><Error><Code>"+code+"</Code><Message>"+message+
		"</Message></Error></Errors></Response>")
}

var jointAddresses = []string{"10.0.0.4", "10.0.0.5", "10.0.0.6"}

// TestJointChanges: one call for all that come together; and each change has the answer that one of
// its own would have: also when EC2 refuses the joint one, for one of them or for what may pass.
func TestJointChanges(t *testing.T) {
	const held = "[10.0.0.5] assigned, but move is not allowed."
	for _, c := range []struct {
		name   string
		answer func(w http.ResponseWriter, operation string, addresses []string)
		// calls is how many there are, want what each address comes to: ok, unknown, or a class.
		calls int
		want  map[string]string
	}{
		{"taken", func(w http.ResponseWriter, operation string, _ []string) { took(w, operation) }, 1,
			map[string]string{"10.0.0.4": "ok", "10.0.0.5": "ok", "10.0.0.6": "ok"}},
		{"one of them refused", func(w http.ResponseWriter, operation string, addresses []string) {
			if slices.Contains(addresses, "10.0.0.5") {
				refuses(w, http.StatusBadRequest, "InvalidParameterValue", held)
				return
			}
			took(w, operation)
		}, 4, map[string]string{"10.0.0.4": "ok", "10.0.0.5": "conflict", "10.0.0.6": "ok"}},
		{"the joint one throttled", func(w http.ResponseWriter, operation string, addresses []string) {
			if len(addresses) > 1 {
				refuses(w, http.StatusServiceUnavailable, "RequestLimitExceeded", "Request limit exceeded.")
				return
			}
			took(w, operation)
		}, 4, map[string]string{"10.0.0.4": "ok", "10.0.0.5": "ok", "10.0.0.6": "ok"}},
		{"all refused", func(w http.ResponseWriter, _ string, _ []string) {
			refuses(w, http.StatusForbidden, "UnauthorizedOperation", "You are not authorized.")
		}, 4, map[string]string{"10.0.0.4": "authorization", "10.0.0.5": "authorization",
			"10.0.0.6": "authorization"}},
		// Whether a part was made is not known then: the first refusal was EC2's own.
		{"refused, then not allowed", func(w http.ResponseWriter, _ string, addresses []string) {
			if len(addresses) > 1 {
				refuses(w, http.StatusBadRequest, "InvalidParameterValue", held)
				return
			}
			refuses(w, http.StatusForbidden, "UnauthorizedOperation", "You are not authorized.")
		}, 4, map[string]string{"10.0.0.4": "unknown", "10.0.0.5": "unknown", "10.0.0.6": "unknown"}},
		{"the answer lost", func(w http.ResponseWriter, _ string, _ []string) {
			refuses(w, http.StatusInternalServerError, "InternalError", "An internal error.")
		}, 1, map[string]string{"10.0.0.4": "unknown", "10.0.0.5": "unknown", "10.0.0.6": "unknown"}},
		{"no answer that can be read", func(w http.ResponseWriter, _ string, _ []string) {
			_, _ = io.WriteString(w, "<html>welcome</html>")
		}, 1, map[string]string{"10.0.0.4": "unknown", "10.0.0.5": "unknown", "10.0.0.6": "unknown"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newJointPeer(t, c.answer)
			errs := p.change(t, jointAddresses, nil, assignJointly)
			for address, want := range c.want {
				if got := comesTo(errs[address]); got != want {
					t.Errorf("%s: %s (%v), want %s", address, got, errs[address], want)
				}
			}
			if len(p.asked) != c.calls || p.asked[0] != strings.Join(jointAddresses, " ") {
				t.Errorf("%d calls, want %d: %v", len(p.asked), c.calls, p.asked)
			}
		})
	}
}

// comesTo names what an error of a change tells.
func comesTo(err error) string {
	var unknown *action.Unknown
	var f *protocol.Failure
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &unknown):
		return "unknown"
	case errors.As(err, &f):
		return string(f.Class)
	}
	return err.Error()
}

// TestJointCallsThatPanic: the answer counts as lost, and the process lives on. A reading is made
// by each alone then.
func TestJointCallsThatPanic(t *testing.T) {
	var log strings.Builder
	c := &Connection{way: &way{own: &credentials{}},
		asker: asker{log: slog.New(slog.NewTextHandler(&log, nil))}}
	err := c.survive(func() error { panic("boom") })
	if err == nil || didNothing(err) || comesTo(changeOutcome("AssignPrivateIpAddresses", "assign",
		err)) != "unknown" || !strings.Contains(log.String(), "boom") {
		t.Errorf("%v, %s", err, &log)
	}
	if err := c.survive(func() error { return nil }); err != nil {
		t.Error(err)
	}
}

// TestWhatIsNotJoined: an address that may be taken from its holder, and what is to be alone.
func TestWhatIsNotJoined(t *testing.T) {
	p := newJointPeer(t, func(w http.ResponseWriter, operation string, _ []string) {
		took(w, operation)
	})
	p.change(t, jointAddresses, nil, func(ctx context.Context, w *Writer, address string) error {
		return w.AssignPrivateIPAddress(ctx, jointNIC, address, true)
	})
	p.change(t, jointAddresses, func(ctx context.Context, _ string) context.Context {
		return action.Alone(ctx)
	}, assignJointly)
	// Nor is one of another interface.
	p.change(t, jointAddresses, nil, func(ctx context.Context, w *Writer, address string) error {
		return w.UnassignPrivateIPAddress(ctx, "eni-"+strings.ReplaceAll(address, ".", ""), address)
	})
	if len(p.asked) != 9 {
		t.Errorf("%d calls: %q", len(p.asked), p.asked)
	}
}

// TestJointChangeHeedsEachLease: none is sent once the lease of one of them has ended, which is
// refused. The others are asked alone.
func TestJointChangeHeedsEachLease(t *testing.T) {
	p := newJointPeer(t, func(w http.ResponseWriter, operation string, _ []string) {
		took(w, operation)
	})
	errs := p.change(t, jointAddresses, func(ctx context.Context, address string) context.Context {
		if address == "10.0.0.5" {
			return action.WithLease(ctx, time.Now())
		}
		return ctx
	}, assignJointly)
	if got := comesTo(errs["10.0.0.5"]); got != "denied" {
		t.Errorf("%s: %v", got, errs["10.0.0.5"])
	}
	slices.Sort(p.asked)
	if !slices.Equal(p.asked, []string{"10.0.0.4", "10.0.0.6"}) {
		t.Errorf("asked %q", p.asked)
	}
}

// TestJointReadings: one call for all that come together, and each gets what it asked for. What
// fails is asked alone.
func TestJointReadings(t *testing.T) {
	const nic = jointNIC
	for _, fails := range []bool{false, true} {
		calls := 0
		p := newJointPeer(t, nil)
		p.answer = func(w http.ResponseWriter, operation string, _ []string) {
			p.mu.Lock()
			calls++
			first := calls == 1
			p.mu.Unlock()
			if first && fails {
				refuses(w, http.StatusServiceUnavailable, "RequestLimitExceeded", "Request limit exceeded.")
				return
			}
			_, _ = io.WriteString(w, "<"+operation+"Response><networkInterfaceSet><item>"+
				"<networkInterfaceId>"+nic+"</networkInterfaceId><vpcId>vpc-1</vpcId>"+
				"</item></networkInterfaceSet></"+operation+"Response>")
		}
		errs := p.change(t, jointAddresses, nil, func(ctx context.Context, w *Writer, _ string) error {
			found, err := w.of.reader().DescribeNetworkInterfaces(ctx, nic)
			if err == nil && (len(found) != 1 || found[0].ID != nic || found[0].VPCID != "vpc-1") {
				err = fmt.Errorf("found %v", found)
			}
			return err
		})
		for address, err := range errs {
			if err != nil {
				t.Errorf("fails %t, %s: %v", fails, address, err)
			}
		}
		if want := map[bool]int{false: 1, true: 4}[fails]; len(p.asked) != want {
			t.Errorf("fails %t: %d calls, want %d", fails, len(p.asked), want)
		}
	}
}
