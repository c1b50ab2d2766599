package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aws-provider-executor/pkg/ec2sim/dynamosim"
	"aws-provider-executor/pkg/testprograms"
)

const instanceA = "i-0000000000000000a"

// licensed is a world of two licences.
func licensed(t *testing.T) *world {
	t.Helper()
	dir, err := testprograms.Build("appliance-provider-executor")
	if err != nil {
		t.Fatal(err)
	}
	licences := t.TempDir()
	for _, n := range []string{"1", "2"} {
		err := os.WriteFile(filepath.Join(licences, "L"+n+".lic"), []byte("SECRET"+n), 0o600)
		if err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(filepath.Join(dir, "appliance-provider-executor"), licences+"/")
	t.Cleanup(w.close)
	// The leases of who is killed are taken over after a second.
	w.extra = []string{"EXECUTOR_TIMEOUT=4s"}
	return w.world
}

// step is one request of the life of a licence.
type step struct {
	verb, key, instance string
	fields              []string
	// held is who has what after it.
	held string
}

// lives are what becomes of a licence.
var lives = map[string][]step{
	"undone": {
		{"assign-license", "k1", instanceA, nil, "edge:L1.lic=" + instanceA},
		{"release-license", "k1:undo", instanceA,
			[]string{"priorLicense=none", "assignedLicense=L1.lic"}, ""},
	},
	"released": {
		{"assign-license", "k1", instanceA, nil, "edge:L1.lic=" + instanceA},
		{"release-license", "end", instanceA, nil, ""},
	},
}

// do runs a step until it succeeds: as a gate does, under the same key.
func (w *world) do(t *testing.T, s step) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 5 {
		got, text, err := w.run(ctx, w.request(s.verb, "execute", s.key, s.instance, s.fields...))
		if strings.Contains(text, "SECRET") {
			t.Fatalf("it tells the text of a licence: %s", text)
		}
		switch {
		case err != nil:
			t.Fatal(err)
		case got.Status == "succeeded":
			return
		case got.Observed["retryable"] != "true":
			t.Fatalf("%s %s: %s", s.verb, s.key, text)
		}
	}
	t.Fatalf("%s %s does not succeed", s.verb, s.key)
}

// callsOf counts the calls to the table of each step of a life.
func callsOf(t *testing.T, life []step) (calls []int) {
	t.Helper()
	w := licensed(t)
	for _, s := range life {
		before := w.sim.Calls()
		w.do(t, s)
		calls = append(calls, w.sim.Calls()-before)
	}
	return calls
}

// TestLicenseKilledAtEveryCall: the program is killed before and after every call to the table that
// it makes. Sent again, it comes to the same end as without, and nothing is lost.
func TestLicenseKilledAtEveryCall(t *testing.T) {
	for name, life := range lives {
		calls := callsOf(t, life)
		for at, s := range life {
			if name == "released" && at == 0 {
				continue
			}
			for n := 1; n <= calls[at]; n++ {
				for _, after := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s/%s/%d/after=%t", name, s.verb, n, after),
						func(t *testing.T) {
							t.Parallel()
							killed(t, life, at, n, after)
						})
				}
			}
		}
	}
}

// killed has a step's program killed at one of its calls, and then goes through the whole life.
func killed(t *testing.T, life []step, at, call int, after bool) {
	w := licensed(t)
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	// last is the call at which it is killed. What it sends at the same moment is not done either.
	var last atomic.Int64
	var dead atomic.Bool
	isLast := func(c dynamosim.Call) bool { return int64(c.N) == last.Load() }
	w.sim.Judge = func(c dynamosim.Call) dynamosim.Verdict {
		switch {
		case isLast(c) && after:
			return dynamosim.Unanswered
		case isLast(c):
			dead.Store(true)
			kill()
			return dynamosim.Undone
		case dead.Load():
			return dynamosim.Undone
		}
		return dynamosim.Answer
	}
	w.sim.Over = func(c dynamosim.Call) {
		if isLast(c) {
			dead.Store(true)
			kill()
		}
	}
	for i, s := range life {
		if i == at {
			last.Store(int64(w.sim.Calls() + call))
			request := w.request(s.verb, "execute", s.key, s.instance, s.fields...)
			if _, text, err := w.run(ctx, request); err == nil {
				t.Fatalf("it was not killed: %s", text)
			}
			dead.Store(false)
		}
		w.do(t, s)
		w.is(t, s)
	}
}

// is holds the table against what it is after a step. It has no lock.
func (w *world) is(t *testing.T, s step) {
	t.Helper()
	if got := w.held(); got != s.held {
		t.Fatalf("after %s %s held are %q, want %q", s.verb, s.key, got, s.held)
	}
	if n := w.locks(); n != 0 {
		t.Fatalf("after %s %s %d locks are left", s.verb, s.key, n)
	}
}

// TestLicenseFaultsOfTheTable: an answer of the table is lost, or the table is busy, at every call.
// The program itself comes to the same end.
func TestLicenseFaultsOfTheTable(t *testing.T) {
	life := lives["undone"]
	calls := callsOf(t, life)
	for n := 1; n <= calls[0]+calls[1]; n++ {
		for name, verdict := range map[string]dynamosim.Verdict{
			"unanswered": dynamosim.Unanswered, "undone": dynamosim.Undone, "busy": dynamosim.Busy,
		} {
			t.Run(fmt.Sprintf("%s/%d", name, n), func(t *testing.T) {
				t.Parallel()
				w := licensed(t)
				w.sim.Judge = func(c dynamosim.Call) dynamosim.Verdict {
					if c.N == n {
						return verdict
					}
					return dynamosim.Answer
				}
				for _, s := range life {
					w.do(t, s)
					if got := w.held(); got != s.held {
						t.Fatalf("after %s %s held are %q, want %q", s.verb, s.key, got, s.held)
					}
				}
			})
		}
	}
}

// TestL3ManyTakeAtOnce: instances that are launched together each get a licence of their own, while
// there are any. One that finds the pool busy waits, and does not go without.
func TestL3ManyTakeAtOnce(t *testing.T) {
	w := licensed(t)
	w.extra = nil
	got := make(chan string)
	for n := range 4 {
		go func() {
			instance := fmt.Sprintf("i-0000000000000000%d", n)
			s, text, err := w.run(t.Context(),
				w.request("assign-license", "execute", instance, instance))
			if err != nil {
				t.Error(err, text)
			}
			got <- s.Status + " " + s.Observed["assignedLicense"] + s.Observed["failureClass"]
		}()
	}
	counts := map[string]int{}
	for range 4 {
		counts[<-got]++
	}
	if counts["succeeded L1.lic"] != 1 || counts["succeeded L2.lic"] != 1 ||
		counts["failed limit-exceeded"] != 2 {
		t.Errorf("they got %v", counts)
	}
	if n := w.locks(); n != 0 {
		t.Errorf("%d locks are left", n)
	}
}
