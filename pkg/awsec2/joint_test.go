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

// jointWorld is a world in which requests are about one interface. Each call takes some time.
type jointWorld struct {
	*joining
	kept *Kept

	mu sync.Mutex
	// calls are how many members each joint call had, in the order of their ends.
	calls []string
}

func newJointWorld() *jointWorld {
	k := &Kept{joints: newJoints()}
	return &jointWorld{kept: k, joining: k.joints.joining(keptBy{timeout: time.Minute})}
}

// callTakes is how long a joint call takes.
const callTakes = 60 * time.Millisecond

// request is one that looks, changes and looks again, and works for a while before each. It returns
// how long it waited for others.
func (w *jointWorld) request(t *testing.T, work ...time.Duration) (waited time.Duration) {
	r := w.kept.Expect(map[string]string{"nicRef": "eni-1"})
	r.Begin()
	defer r.Over()
	for i, kind := range []jointKind{jointRead, jointAssign, jointRead} {
		time.Sleep(work[i])
		began := time.Now()
		m := &member{ctx: r.In(t.Context()), call: func(_ context.Context, members []*member) {
			time.Sleep(callTakes)
			for _, m := range members {
				m.answer = &jointAnswer{}
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.calls = append(w.calls, fmt.Sprint(kind, "x", len(members)))
		}}
		if fate := w.come("eni-1", kind, m); fate != told {
			t.Errorf("the fate is %d", fate)
		}
		if m.answer == nil {
			waited += time.Since(began)
			goesApart(m.ctx)
			time.Sleep(callTakes)
			w.mu.Lock()
			w.calls = append(w.calls, fmt.Sprint(kind, "x1"))
			w.mu.Unlock()
		}
	}
	return waited
}

// TestJointCallsOfABurst: requests that look, keep a record, change and look again make three calls
// if all are known before the first one changes something, and five if some come then. Each takes
// its own time between its calls. One alone waits for nobody after its first call.
func TestJointCallsOfABurst(t *testing.T) {
	const (
		look, assign = "0x", "1x"
		ms           = time.Millisecond
	)
	for _, c := range []struct {
		name string
		// begins is when the nth of fifty begins, and work how long it works before each call.
		n      int
		begins func(i int) time.Duration
		work   func(i int) []time.Duration
		want   []string
	}{
		{"one", 1, func(int) time.Duration { return 0 },
			func(int) []time.Duration { return []time.Duration{0, ms, ms} },
			[]string{look + "1", assign + "1", look + "1"}},
		{"at once", 50, func(int) time.Duration { return 0 },
			func(i int) []time.Duration { return []time.Duration{time.Duration(i) * ms, 0, 0} },
			[]string{look + "50", assign + "50", look + "50"}},
		{"slow between calls", 50, func(i int) time.Duration { return time.Duration(i) * ms },
			func(i int) []time.Duration {
				return []time.Duration{0, time.Duration(i) * 2 * ms, time.Duration(50-i) * ms}
			},
			[]string{look + "50", assign + "50", look + "50"}},
		// The first is on its way alone. What it changes, it changes with the others.
		{"the first early", 50, func(i int) time.Duration { return time.Duration(min(i, 1)) * 50 * ms },
			func(i int) []time.Duration { return []time.Duration{ms, time.Duration(i) * ms, 0} },
			[]string{look + "1", look + "49", assign + "50", look + "50"}},
		// The last look is one for all.
		{"during the change", 50,
			func(i int) time.Duration { return time.Duration(i/25) * (callTakes + 20*ms) },
			func(int) []time.Duration { return []time.Duration{ms, ms, ms} },
			[]string{look + "25", assign + "25", look + "25", assign + "25", look + "50"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newJointWorld()
				var all sync.WaitGroup
				for i := range c.n {
					all.Go(func() {
						time.Sleep(c.begins(i))
						if waited := w.request(t, c.work(i)...); c.n == 1 && waited > 2*firstQuiet {
							t.Errorf("one alone waited %s", waited)
						}
					})
				}
				all.Wait()
				if !slices.Equal(w.calls, c.want) {
					t.Errorf("the calls are %v, want %v", w.calls, c.want)
				}
			})
		})
	}
}

// TestJointCallsGoWithoutWhomDoesNotCome: a request that makes calls of its own, or does nothing
// that shows, is waited for once at most, and no call waits for long.
func TestJointCallsGoWithoutWhomDoesNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newJointWorld()
		hangs := w.kept.Expect(map[string]string{"nicRef": "eni-1"})
		hangs.Begin()
		own := w.kept.Expect(map[string]string{"nicRef": "eni-1"})
		own.Begin()
		goesApart(own.In(t.Context()))
		if waited := w.request(t, 0, 0, 0); waited != afterQuiet {
			t.Errorf("it waited %s", waited)
		}
		elsewhere := w.kept.Expect(map[string]string{"nicRef": "eni-1"})
		elsewhere.Begin()
		go w.come("eni-2", jointRead, &member{ctx: elsewhere.In(t.Context())})
		synctest.Wait()
		if waited := w.request(t, 0, 0, 0); waited != firstQuiet {
			t.Errorf("it waited %s", waited)
		}
		// Many that come one after another are not waited for without end.
		stop := make(chan struct{})
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(afterQuiet / 2):
					w.kept.Expect(map[string]string{"nicRef": "eni-1"}).Begin()
				}
			}
		}()
		if waited := w.request(t, 0, 0, 0); waited > 3*maxGather {
			t.Errorf("it waited %s", waited)
		}
		close(stop)
		for _, r := range []*Requester{hangs, own, elsewhere} {
			r.Over()
		}
	})
}

// TestJointReadingBeginsAfterItWasAskedFor: who asks while one is under way gets another.
func TestJointReadingBeginsAfterItWasAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJoints().joining(keptBy{})
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
		j := newJoints().joining(keptBy{})
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
		if !ended || !slices.Equal(sizes, []int{2}) || !j.of[nicAt{"", "eni-1"}].idle() {
			t.Errorf("ended %t, of %v", ended, sizes)
		}
	})
}

// TestJointsForgetInterfaces: however many there were.
func TestJointsForgetInterfaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJoints().joining(keptBy{})
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
		// However slow this machine is, they wait for each other.
		r := p.kept.Expect(map[string]string{"region": "ap-northeast-1", "nicRef": jointNIC})
		r.Begin()
		ctx = r.In(ctx)
		c, err := p.kept.Connect(ctx, "ap-northeast-1", 5*time.Second, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			defer r.Over()
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
		// calls is how many there are at most, want what each address comes to: ok, unknown, or a class.
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
		}, 5, map[string]string{"10.0.0.4": "ok", "10.0.0.5": "conflict", "10.0.0.6": "ok"}},
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
		}, 5, map[string]string{"10.0.0.4": "unknown", "10.0.0.5": "unknown", "10.0.0.6": "unknown"}},
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
			if len(p.asked) > c.calls || p.asked[0] != strings.Join(jointAddresses, " ") {
				t.Errorf("%d calls, want %d: %v", len(p.asked), c.calls, p.asked)
			}
		})
	}
}

// TestJointChangeThatIsRefused: each member that EC2 would take alone is taken, no other is, and
// those that need not ask alone cost few calls.
func TestJointChangeThatIsRefused(t *testing.T) {
	all := func(int) bool { return true }
	for _, c := range []struct {
		name  string
		n     int
		room  int
		good  func(i int) bool
		class protocol.FailureClass
		// alone is how many may ask alone, and calls how many joint ones there are, both at most.
		alone, calls int
	}{
		{"all are taken", 50, 50, all, "", 0, 1},
		{"one more than there is room for", 50, 49, all, "", 1, 6},
		{"room for most", 50, 40, all, "", 13, 8},
		{"room for a few", 50, 10, all, "", 42, 8},
		{"no room", 50, 0, all, "", 50, 6},
		{"the first is held", 50, 50, func(i int) bool { return i != 0 }, protocol.Conflict, 2, 12},
		{"the last is held", 50, 50, func(i int) bool { return i != 49 }, protocol.Conflict, 1, 6},
		{"two are wrong", 50, 50, func(i int) bool { return i != 13 && i != 30 },
			protocol.InvalidRequest, 6, 15},
		{"each other one is held", 50, 50, func(i int) bool { return i%2 == 0 }, protocol.Conflict,
			50, 8},
		{"all are held", 50, 50, func(int) bool { return false }, protocol.Conflict, 50, 7},
		{"the interface is gone", 50, 50, func(int) bool { return false }, protocol.NotFound, 50, 1},
		{"throttled", 50, 50, func(int) bool { return false }, protocol.Throttled, 50, 1},
		{"two, one of them held", 2, 2, func(i int) bool { return i == 0 }, protocol.Conflict, 2, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			number := map[*member]int{}
			var members []*member
			for i := range c.n {
				members = append(members, &member{})
				number[members[i]] = i
			}
			calls, room := 0, c.room
			newHalving(c.n, func(some []*member) protocol.FailureClass {
				calls++
				if slices.ContainsFunc(some, func(m *member) bool { return !c.good(number[m]) }) {
					return c.class
				}
				if len(some) > room {
					return protocol.LimitExceeded
				}
				for _, m := range some {
					if m.answer != nil {
						t.Errorf("%d is taken twice", number[m])
					}
					m.answer = &jointAnswer{}
				}
				room -= len(some)
				return ""
			}).try(members, "")
			alone := 0
			for _, m := range members {
				if m.answer == nil {
					alone++
				} else if !c.good(number[m]) {
					t.Errorf("%d is taken", number[m])
				}
			}
			if calls > c.calls || alone > c.alone {
				t.Errorf("%d joint calls, and %d ask alone", calls, alone)
			}
		})
	}
}

// TestJointChangeIsNotHalvedOnceUnknown: after an answer that was lost nothing more is sent for
// several at a time.
func TestJointChangeIsNotHalvedOnceUnknown(t *testing.T) {
	var sizes []int
	newHalving(8, func(some []*member) protocol.FailureClass {
		if sizes = append(sizes, len(some)); len(sizes) > 1 {
			return answerLost
		}
		return protocol.Conflict
	}).try(make([]*member, 8), "")
	if !slices.Equal(sizes, []int{8, 4}) {
		t.Errorf("calls for %v", sizes)
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
	asked := strings.Fields(strings.Join(p.asked, " "))
	slices.Sort(asked)
	if !slices.Equal(asked, []string{"10.0.0.4", "10.0.0.6"}) {
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
