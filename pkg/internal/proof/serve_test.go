package proof

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/protocol"
)

// stream is a process that serves, with all of its requests.
type stream struct {
	*process
	requests []request
	kills    atomic.Int64
}

// serve starts a process that gets all of these requests at once.
func (l *lab) serve(requests []request, env ...string) *stream {
	l.t.Helper()
	p := &process{lab: l, ended: make(chan struct{}), app: fmt.Sprintf("run-%d", l.runs.Add(1))}
	s := &stream{process: p, requests: requests}
	var all strings.Builder
	for _, r := range requests {
		all.WriteString(r.json())
	}
	p.cmd = exec.Command(executorBinary(l.t), "serve")
	p.cmd.Env = append(append(l.env(p.app), "EXECUTOR_TIMEOUT="+normally.String()), env...)
	p.cmd.Stdin = filled(l.t, all.String())
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.log
	if err := p.cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	_ = p.cmd.Stdin.(io.Closer).Close()
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	return s
}

// answers waits for the end, and returns those answers that there are, by the number of a request
// from 0. Each is held against what every answer must be.
func (s *stream) answers() map[int]protocol.Status {
	l := s.lab
	l.t.Helper()
	<-s.ended
	l.under.none()
	got := map[int]protocol.Status{}
	lines := bufio.NewScanner(bytes.NewReader(s.out.Bytes()))
	lines.Buffer(nil, protocol.MaxResultBytes)
	for lines.Scan() {
		n, r, faults := protocol.DecodeStreamed(lines.Bytes())
		_, twice := got[n-1]
		if wrong := misput(r.Status); len(faults) > 0 || twice || n < 1 || n > len(s.requests) ||
			wrong != "" {
			l.t.Errorf("%v, twice %t, %s: %s", faults, twice, wrong, lines.Text())
			continue
		}
		got[n-1] = r.Status
	}
	var calls []ec2sim.Call
	for _, c := range l.sim.Calls() {
		if s.made(c) {
			calls = append(calls, c)
		}
	}
	if err := onceOfUnknownOutcome(calls); err != nil {
		l.t.Error(err)
	}
	return got
}

// hosts are the interfaces that streams assign addresses to.
var hosts = []string{ec2sim.LabSpareInterface, ec2sim.LabRouterAInterface}

// freeAddresses are n requests to assign a free address each, every fourth to the second host,
// whose instance is small.
func freeAddresses(n int) (all []request) {
	for i := range n {
		all = append(all, request{verb: "assign-secondary-ip", key: fmt.Sprint("stream-", i),
			target: map[string]string{"nicRef": hosts[i%4/3],
				"address": fmt.Sprint("10.88.60.", 150+i)}})
	}
	return all
}

// onTheirOwn is an answer without what tells of other requests, and of the time.
func onTheirOwn(s protocol.Status) protocol.Status {
	s.Observed = maps.Clone(s.Observed)
	delete(s.Observed, "currentSecondaryIps")
	delete(s.Observed, "requestId")
	return s
}

// independent are requests that have nothing in common, so that their order makes no difference.
func independent(r *rand.Rand) []request {
	all := freeAddresses(6 + r.IntN(10))
	take := map[string]string{"allowReassignment": "true"}
	more := []request{
		{verb: "assign-secondary-ip", target: map[string]string{
			"nicRef": ec2sim.LabSpareInterface, "address": ec2sim.LabServiceAddress}},
		{verb: "assign-secondary-ip", target: map[string]string{
			"nicRef": ec2sim.LabSpareInterface, "address": "10.88.99.9"}},
		{verb: "assign-secondary-ip", target: map[string]string{
			"nicRef": ec2sim.LabSpareInterface, "address": newIPv6}},
		{verb: "assign-secondary-ip", parameters: take, target: map[string]string{
			"nicRef": ec2sim.LabSpareInterface, "address": ec2sim.LabFreeAddress}},
		{verb: "unassign-secondary-ip", target: map[string]string{
			"nicRef": ec2sim.LabRouterAInterface, "address": "10.88.60.140"}},
		{verb: "ensure-forwarding-enabled", target: map[string]string{
			"nicRef": ec2sim.LabRouterAInterface}},
		{verb: "assign-secondary-ip", target: map[string]string{
			"nicRef": "eni-0000000000000dead", "address": "10.88.60.141"}},
		{verb: "assign-route-table-route", target: map[string]string{"nicRef": hosts[1],
			"routeTableRef": ec2sim.LabRouteTable, "address": "10.200.0.9/32"}},
	}
	for i, m := range more {
		if r.IntN(2) == 0 {
			m.key = fmt.Sprint("more-", i)
			all = append(all, m)
		}
	}
	for i := range all {
		all[i].dryRun = r.IntN(5) == 0
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// TestStreamsAreAsSingleRuns: of random requests that have nothing in common, the answers and the
// world are those of single runs, whether calls are joined or not; and so are those of their undos.
func TestStreamsAreAsSingleRuns(t *testing.T) {
	t.Parallel()
	var joined, alone atomic.Int64
	var cases []func()
	for seed := range uint64(8) {
		for _, join := range []string{"true", "false"} {
			cases = append(cases, func() {
				all := independent(rand.New(rand.NewPCG(seed, 1)))
				singly, streamed := newLab(t, nil), newLab(t, nil)
				for _, undo := range []bool{false, true} {
					var want []protocol.Status
					for _, r := range all {
						want = append(want, singly.run(r).Status)
					}
					got := streamed.serve(all, "EXECUTOR_JOIN="+join).answers()
					for i, r := range all {
						if diff := cmp.Diff(onTheirOwn(want[i]), onTheirOwn(got[i])); diff != "" {
							t.Errorf("seed %d, join %s, undo %t: %s (-single +stream):\n%s", seed, join, undo,
								r.json(), diff)
						}
					}
					if diff := sameWorld(singly.state(), streamed.state()); diff != "" {
						t.Errorf("seed %d, join %s, undo %t: the worlds differ (-single +stream):\n%s", seed,
							join, undo, diff)
					}
					all = undosOf(all, want)
				}
				n := &alone
				if join == "true" {
					n = &joined
				}
				n.Add(int64(len(streamed.sim.Calls())))
			})
		}
	}
	abreast(cases)
	if joined.Load() >= alone.Load() {
		t.Errorf("%d calls joined, %d alone", joined.Load(), alone.Load())
	}
	t.Logf("%d calls where they are joined, %d where they are not", joined.Load(), alone.Load())
}

// TestAPolicyLeavesEachCallToOneRequest: with joinCalls: false the process that serves makes as
// many calls as without joining at all; a policy that does not say it leaves fewer. The answers
// are the same.
func TestAPolicyLeavesEachCallToOneRequest(t *testing.T) {
	t.Parallel()
	all := freeAddresses(12)
	calls := map[string]int{}
	for _, spec := range []string{"", "joinCalls: true", "joinCalls: false"} {
		l := newLab(t, nil)
		l.warm()
		policy := filepath.Join(t.TempDir(), "policy.yaml")
		text := "apiVersion: hybrid.routerd.net/v1alpha1\nkind: ProviderActionPolicy\n" +
			"metadata: {name: lab}\nspec:\n  enabled: true\n  dryRunOnly: false\n" +
			"  maxActionsPerRun: 100\n  allowedProviders: [aws]\n" +
			"  allowedActions: [assign-secondary-ip]\n  " + spec + "\n"
		if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		before := len(l.sim.Calls())
		s := l.serve(all, "EXECUTOR_POLICY="+policy)
		got := s.answers()
		calls[spec] = len(l.sim.Calls()) - before
		for i := range all {
			if got[i].Status != protocol.Succeeded || got[i].Observed["changed"] != "true" {
				t.Errorf("%q: %+v", spec, got[i])
			}
		}
		s.claimed(got, spec)
	}
	// Each reads, assigns and reads back.
	if alone := calls["joinCalls: false"]; alone != 3*len(all) || calls[""] >= alone ||
		calls["joinCalls: true"] >= alone {
		t.Errorf("%v", calls)
	}
}

// undosOf are the undos of those that can be undone.
func undosOf(all []request, did []protocol.Status) (undos []request) {
	for i, r := range all {
		verb, _ := actions.Registry().Lookup(r.verb)
		if did[i].UndoAvailable {
			undos = append(undos, r.undo(verb.Undo, did[i], nil))
		}
	}
	return undos
}

// recoversAll sends each request again, alone, and then its undo: nothing is lost.
func (l *lab) recoversAll(all []request, before ec2sim.State, when string) {
	l.t.Helper()
	var did []protocol.Status
	for _, r := range all {
		a := l.must(l.run(r), protocol.Succeeded, when+", the same key again")
		if a.Observed["priorAssigned"] != "false" || a.Observed["changed"] != "true" {
			l.t.Errorf("%s, the same key again: %+v", when, a.Status)
		}
		did = append(did, a.Status)
	}
	for _, u := range undosOf(all, did) {
		l.must(l.run(u), protocol.Succeeded, when+", the undo")
	}
	l.same(before, when+", and the undos,")
	if left := l.records(); len(left) > 0 {
		l.t.Errorf("%s, and the undos, records are left: %v", when, left)
	}
}

// claimed holds that every answer of an assignment is true of the world.
func (s *stream) claimed(got map[int]protocol.Status, when string) {
	s.lab.t.Helper()
	world := s.lab.state()
	for i, a := range got {
		if a.Status != protocol.Succeeded {
			continue
		}
		// Others are assigned at the same time.
		if wrong := claims(world, s.requests[i], onTheirOwn(a).Observed); len(wrong) > 0 {
			s.lab.t.Errorf("%s: not true of the world: %v\n%+v", when, wrong, a)
		}
	}
}

// partly are requests for one interface that has room for all but some of them: one asks for an
// address that another interface holds.
func partly(t *testing.T, n, room int) (*lab, []request) {
	l := newLab(t, nil, ec2sim.WithQuotas(ec2sim.Quotas{AddressesPerInterface: 1 + room}))
	var all []request
	for i := range n {
		all = append(all, request{verb: "assign-secondary-ip", key: fmt.Sprint("stream-", i),
			target: map[string]string{"nicRef": ec2sim.LabSpareInterface,
				"address": fmt.Sprint("10.88.60.", 150+i)}})
	}
	all[n/3].target["address"] = ec2sim.LabServiceAddress
	return l, all
}

// withoutAddress is an answer in which the address that the request is for is not told.
func withoutAddress(r request, s protocol.Status) string {
	return strings.ReplaceAll(fmt.Sprintf("%+v", onTheirOwn(s)), r.target["address"], "ADDRESS")
}

// TestStreamsOfWhichEC2RefusesAPart: of many addresses for one interface one is held by another,
// and not all have room. As many are assigned as by single runs, and each answer is one that a
// single run gives: that of the held address is the same. Few calls are made.
func TestStreamsOfWhichEC2RefusesAPart(t *testing.T) {
	t.Parallel()
	const n = 20
	for room, calls := range map[int]int{n: 16, n - 2: 22, 7: 36, 0: 36} {
		singly, all := partly(t, n, room)
		var want []protocol.Status
		told := map[string]int{}
		for _, r := range all {
			a := singly.run(r).Status
			want = append(want, a)
			told[withoutAddress(r, a)]++
		}
		streamed, _ := partly(t, n, room)
		before := streamed.state()
		s := streamed.serve(all)
		got := s.answers()
		s.claimed(got, fmt.Sprintf("room for %d", room))
		for i, r := range all {
			told[withoutAddress(r, got[i])]--
		}
		for what, more := range told {
			if more != 0 {
				t.Errorf("room for %d, told by %+d more of the single runs: %s", room, more, what)
			}
		}
		if diff := cmp.Diff(onTheirOwn(want[n/3]), onTheirOwn(got[n/3])); room == n && diff != "" {
			t.Errorf("of the held address (-single +stream):\n%s", diff)
		}
		if made := len(streamed.sim.Calls()); made > calls {
			t.Errorf("room for %d: %d calls, want at most %d", room, made, calls)
		}
		var did []protocol.Status
		for i := range all {
			did = append(did, got[i])
		}
		for _, a := range streamed.serve(undosOf(all, did)).answers() {
			if a.Status != protocol.Succeeded {
				t.Errorf("room for %d, an undo: %+v", room, a)
			}
		}
		streamed.same(before, fmt.Sprintf("room for %d, after the undos,", room))
	}
}

// TestPartlyRefusedStreamsKilledAtEveryCall: the process is killed between the parts. Then the same
// keys again assign as many as there is room for, and their undos leave the world as it was.
func TestPartlyRefusedStreamsKilledAtEveryCall(t *testing.T) {
	t.Parallel()
	const n, room = 8, 6
	var cases []func()
	for _, instant := range instants {
		for call := 2; call <= 8; call++ {
			cases = append(cases, func() {
				l, all := partly(t, n, room)
				before := l.state()
				when := fmt.Sprintf("killed at call %d %s", call, instant.name)
				l.serveKilled(all, call, instant.at, instant.verdict).claimedAll(when)
				var assigned []request
				var did []protocol.Status
				for _, r := range all {
					if a := l.run(r).Status; a.Status == protocol.Succeeded {
						assigned, did = append(assigned, r), append(did, a)
					}
				}
				if len(did) != room {
					t.Errorf("%s: %d succeeded, want %d", when, len(did), room)
				}
				for _, u := range undosOf(assigned, did) {
					l.must(l.run(u), protocol.Succeeded, when+", the undo")
				}
				l.same(before, when+", and the undos,")
			})
		}
	}
	abreast(cases)
}

// serveKilled starts a process that serves, and kills it at its nth call.
func (l *lab) serveKilled(
	all []request, n int, at ec2sim.Phase, verdict ec2sim.Verdict, env ...string,
) (s *stream) {
	l.t.Helper()
	started := make(chan struct{})
	var count, victim atomic.Int64
	remove := l.sim.OnCall(func(c ec2sim.Call) ec2sim.Verdict {
		if <-started; !s.made(c) {
			return ec2sim.Proceed
		}
		if c.Phase == ec2sim.BeforeEffect && count.Add(1) == int64(n) {
			victim.Store(int64(c.Seq))
		}
		if victim.Load() != int64(c.Seq) || c.Phase != at {
			return ec2sim.Proceed
		}
		s.kill()
		s.kills.Add(1)
		return verdict
	})
	defer remove()
	s = l.serve(all, env...)
	close(started)
	<-s.ended
	return s
}

// claimedAll holds that every answer that there is is true of the world.
func (s *stream) claimedAll(when string) {
	s.lab.t.Helper()
	s.claimed(s.answers(), when)
}

// TestStreamsKilledAtEveryCall: the process that serves, killed at every call with several requests
// under way, calls joined and not; then the same keys again; then the undos.
func TestStreamsKilledAtEveryCall(t *testing.T) {
	t.Parallel()
	var kills atomic.Int64
	var cases []func()
	for _, join := range []string{"true", "false"} {
		for _, instant := range instants {
			for n := 1; n <= map[string]int{"true": 6, "false": 12}[join]; n++ {
				cases = append(cases, func() {
					l := newLab(t, nil)
					l.warm()
					before, all := l.state(), freeAddresses(6)
					when := fmt.Sprintf("join %s, killed at call %d %s", join, n, instant.name)
					s := l.serveKilled(all, n, instant.at, instant.verdict, "EXECUTOR_JOIN="+join)
					s.claimedAll(when)
					kills.Add(s.kills.Load())
					l.recoversAll(all, before, when)
				})
			}
		}
	}
	abreast(cases)
	t.Logf("%d kills of a process that serves: nothing lost", kills.Load())
	promised(t, "kills of a process that serves", kills.Load())
}

// TestStreamsMeetFaults: every fault of the stand-in at each of the first calls of a stream, joined
// and not: every answer is true; the same keys again, and their undos, lose nothing.
func TestStreamsMeetFaults(t *testing.T) {
	t.Parallel()
	var struck atomic.Int64
	var cases []func()
	for _, join := range []string{"true", "false"} {
		for _, f := range faults {
			for n := 1; n <= 4; n++ {
				cases = append(cases, func() {
					l := newLab(t, nil)
					l.warm()
					before, all := l.state(), freeAddresses(6)
					when := fmt.Sprintf("join %s, %s at call %d", join, f.name, n)
					if err := l.sim.Inject(f.of.OnNth(n)); err != nil {
						t.Fatal(err)
					}
					s := l.serve(all, "EXECUTOR_JOIN="+join, "EXECUTOR_TIMEOUT="+(2*time.Second).String())
					got := s.answers()
					if len(got) != len(all) {
						t.Errorf("%s: %d answers of %d\n%s", when, len(got), len(all), s.log.String())
					}
					l.sim.ClearFaults()
					s.claimed(got, when)
					struck.Add(1)
					l.recoversAll(all, before, when)
				})
			}
		}
	}
	abreast(cases)
	t.Logf("%d faults of streams: every answer true, nothing lost", struck.Load())
	promised(t, "faults of streams", struck.Load())
}
