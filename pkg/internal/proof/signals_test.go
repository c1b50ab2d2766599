package proof

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/protocol"
)

// signalled is one case: a signal to stop, while a call is at a point. One that hangs is answered
// only when the process has ended.
type signalled struct {
	s     scenario
	c     clean
	undo  bool
	n     int
	at    ec2sim.Phase
	hangs bool
	with  syscall.Signal
	count *atomic.Int64
}

func (x signalled) run(t testing.TB) {
	t.Helper()
	l := newLab(t, x.s.seed)
	r := x.s.request("k")
	when := fmt.Sprintf("%s (undo %t), %s during call %d, phase %d, hangs %t", x.s.name, x.undo,
		x.with, x.n, x.at, x.hangs)
	was, goal, victim := x.c.before, x.c.after, r
	var did answer
	if x.undo {
		did = l.must(l.run(r), protocol.Succeeded, when+", execute")
		x.s.happens(l)
		was, goal, victim = x.c.ready, x.c.undone, x.s.undoOf(r, did.Status)
	}
	a := x.signal(l, victim)
	if a.killed {
		t.Errorf("%s: no result", when)
		return
	}
	x.s.trueOf(l, a, was, goal, x.c, x.undo, when)
	last := a.calls[len(a.calls)-1]
	if during := slices.IndexFunc(a.calls, func(c ec2sim.Call) bool {
		return changing(c)
	}); x.hangs && during >= 0 && changing(last) {
		t.Errorf("%s: it did not try to find out what became of its change: %+v", when, a.Status)
	}
	if x.undo {
		x.s.undoes(l, r, did.Status, x.c, when)
	} else {
		x.s.recovers(l, r, x.c, when)
	}
}

func (x signalled) signal(l *lab, r request) answer {
	l.t.Helper()
	var p *process
	started := make(chan struct{})
	var count, during atomic.Int64
	remove := l.sim.OnCall(func(c ec2sim.Call) ec2sim.Verdict {
		if <-started; !p.made(c) {
			return ec2sim.Proceed
		}
		if c.Phase == ec2sim.BeforeEffect && count.Add(1) == int64(x.n) {
			during.Store(int64(c.Seq))
		}
		if during.Load() == int64(c.Seq) && c.Phase == x.at {
			_ = p.cmd.Process.Signal(x.with)
			x.count.Add(1)
			if x.hangs {
				<-p.ended
			}
		}
		return ec2sim.Proceed
	})
	defer remove()
	// No deadline ends it: only the signal does.
	p = l.start(r, way{timeout: time.Hour})
	close(started)
	return p.wait()
}

// TestSignals: SIGTERM and SIGINT, during every call of every verb: a true result is written, and
// the exit code is 0. A call that never answers does not keep it.
func TestSignals(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	var cases []func()
	for _, s := range scenarios {
		if !s.plain {
			continue
		}
		c := s.clean(t)
		with := syscall.SIGTERM
		for _, undo := range []bool{false, true} {
			for n := 1; n <= c.callsOf(undo); n++ {
				for _, at := range []ec2sim.Phase{ec2sim.BeforeEffect, ec2sim.AfterEffect} {
					for _, hangs := range []bool{false, true} {
						x := signalled{s, c, undo, n, at, hangs, with, &sent}
						cases = append(cases, func() { x.run(t) })
						with = syscall.SIGTERM + syscall.SIGINT - with
					}
				}
			}
		}
	}
	abreast(cases)
	t.Logf("%d signals during calls: a true result each time", sent.Load())
	promised(t, "signals", sent.Load())
}

// slowly gives a request in two parts. The first is more than a pipe holds, so the process has read
// some of it, and heeds signals, once it is written.
func slowly(t *testing.T, text string) (stdin *os.File, begun <-chan struct{}, rest func()) {
	t.Helper()
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		_, _ = io.WriteString(out, strings.Repeat(" ", 200<<10))
		close(done)
	}()
	return in, done, func() {
		_, _ = io.WriteString(out, text)
		_ = out.Close()
	}
}

func TestSignalBeforeTheRequestEnds(t *testing.T) {
	for _, with := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(with.String(), func(t *testing.T) {
			l := newLab(t, nil)
			before := l.state()
			r := scenarios[0].request("k")
			stdin, begun, rest := slowly(t, r.json())
			defer rest()
			p := l.start(r, way{timeout: time.Hour, stdin: stdin})
			<-begun
			_ = p.cmd.Process.Signal(with)
			a := l.must(p.wait(), protocol.Failed, "stopped while it read")
			if a.Observed["failureClass"] != string(protocol.Timeout) || a.Observed["retryable"] != "true" {
				t.Errorf("got %+v", a.Status)
			}
			l.same(before, "afterwards")
		})
	}
}

func TestSignalWhileItWaitsForItsTurn(t *testing.T) {
	l := newLab(t, nil)
	before := l.state()
	store, err := ledger.Open(t.Context(), l.store, ledger.OSDisk{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	release, err := store.Lock(t.Context(), "another", ec2sim.LabRouterAInterface)
	if err != nil {
		t.Fatal(err)
	}
	r := scenarios[0].request("k")
	stdin, begun, rest := slowly(t, r.json())
	p := l.start(r, way{timeout: time.Hour, stdin: stdin})
	<-begun
	rest()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	a := l.must(p.wait(), protocol.Failed, "stopped while it waited")
	if a.Observed["failureClass"] != string(protocol.Timeout) || len(a.calls) != 0 {
		t.Errorf("got %+v, after %d calls", a.Status, len(a.calls))
	}
	l.same(before, "afterwards")
	release()
	l.must(l.run(r), protocol.Succeeded, "the same key again")
}
