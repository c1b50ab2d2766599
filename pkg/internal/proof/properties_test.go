package proof

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/protocol"
)

// episode is one random world, in which random things are done and undone. Its seed decides
// everything but how two processes at once come to alternate, which it only sways.
type episode struct {
	*lab
	seed uint64
	mu   sync.Mutex
	r    *rand.Rand
	// troubled has processes meet faults, kills and signals; atOnce leaves out the faults, which two
	// processes would have in common.
	troubled, atOnce bool
	tally            *tally
}

// tally counts, over episodes.
type tally struct {
	episodes, runs, deeds, refusals, troubles, drifts atomic.Int64
}

func (y *tally) String() string {
	return fmt.Sprintf("%d episodes, %d runs: %d actions done and undone, %d refused, %d changes "+
		"by somebody else, %d faults, kills and signals survived",
		y.episodes.Load(), y.runs.Load(), y.deeds.Load(), y.refusals.Load(), y.drifts.Load(),
		y.troubles.Load())
}

func (e *episode) wrong(format string, args ...any) {
	e.t.Helper()
	e.t.Errorf("PROOF_SEED=%d: %s", e.seed, fmt.Sprintf(format, args...))
}

func (e *episode) intn(n int) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.r.IntN(n)
}

// deed is an action that was done, and what there was before.
type deed struct {
	q      request
	facts  protocol.Status
	before ec2sim.State
}

func (d deed) undo(more map[string]string) request {
	verb, _ := actions.Registry().Lookup(d.q.verb)
	return d.q.undo(verb.Undo, d.facts, more)
}

// dry asks what would be done, which changes nothing and makes only Describe calls.
func (e *episode) dry(q request) answer {
	e.t.Helper()
	q.dryRun = true
	before := e.state()
	a := e.run(q)
	if diff := sameWorld(before, e.state()); diff != "" || slices.ContainsFunc(a.calls, changing) {
		e.wrong("a dry-run changed something: %s\n%v\n%s", q.json(), a.calls, diff)
	}
	return a
}

// ask sends a request as a core does: when it met trouble, again.
func (e *episode) ask(q request) answer {
	e.t.Helper()
	for range 3 {
		if !e.troubled || e.intn(3) == 0 {
			break
		}
		if a := e.trouble(q); !a.killed && a.Status.Status != protocol.Failed {
			return a
		}
	}
	return e.run(q)
}

// trouble runs a request that meets something.
func (e *episode) trouble(q request) answer {
	e.t.Helper()
	what, n := e.intn(6), 1+e.intn(7)
	instant := instants[e.intn(len(instants))]
	if what > 2 && e.atOnce {
		what = 0
	}
	var a answer
	switch what {
	case 0:
		a = e.runKilled(q, n, instant.at, instant.verdict)
	case 1:
		a = e.start(
			q, way{mortal: fmt.Sprint([]string{"before ", "after "}[e.intn(2)], 1+e.intn(16))}).wait()
	case 2:
		with := []syscall.Signal{syscall.SIGTERM, syscall.SIGINT}[e.intn(2)]
		a = signalled{n: n, at: instant.at, with: with, count: &e.tally.troubles}.signal(e.lab, q)
	default:
		var struck bool
		if a, struck = e.meets(q, faults[e.intn(len(faults))], n); struck {
			e.tally.troubles.Add(1)
		}
	}
	if a.killed {
		e.tally.troubles.Add(1)
		return a
	}
	if a.Status.Status == protocol.Succeeded && !e.atOnce {
		e.isSo(q, a)
	}
	return a
}

// isSo holds what an answer claims against the world.
func (e *episode) isSo(q request, a answer) {
	e.t.Helper()
	if wrong := claims(e.state(), q, a.Observed); len(wrong) > 0 {
		e.wrong("not true of the world: %v\n%s\n%+v", wrong, q.json(), a.Status)
	}
}

// do does one thing, and holds the properties of an action.
func (e *episode) do(q request) (deed, bool) {
	e.t.Helper()
	d := deed{q: q, before: e.state()}
	foreseen := e.dry(q)
	a := e.ask(q)
	if !e.troubled {
		e.asForeseen(q, foreseen, a)
	}
	if a.Status.Status != protocol.Succeeded {
		if diff := sameWorld(withoutBackup(d.before), withoutBackup(e.state())); diff != "" {
			e.wrong("refused, and changed: %s\n%+v\n%s", q.json(), a.Status, diff)
		}
		e.tally.refusals.Add(1)
		return d, false
	}
	e.isSo(q, a)
	after := e.state()
	again := e.must(e.run(q), protocol.Succeeded, fmt.Sprintf("PROOF_SEED=%d: executed twice", e.seed))
	if diff := sameWorld(after, e.state()); diff != "" ||
		!maps.Equal(priors(a.Observed), priors(again.Observed)) {
		e.wrong("executed twice is not executed once: %s\nfirst %+v\nthen %+v\n%s", q.json(), a.Status,
			again.Status, diff)
	}
	// Without its record, which a dry-run does not read, a fence that left what was there before
	// another one is not known for a fence.
	known := a.Observed["priorFence"] != "other"
	if p := e.dry(q); known &&
		(p.Status.Status != protocol.Succeeded || !strings.HasPrefix(p.Message, "nothing to do")) {
		e.wrong("the plan after it was executed is not empty: %s\n%+v", q.json(), p.Status)
	}
	d.facts = again.Status
	e.tally.deeds.Add(1)
	return d, true
}

// asForeseen holds an answer against the dry-run before it.
func (e *episode) asForeseen(q request, dry, a answer) {
	e.t.Helper()
	class := a.Observed[protocol.FactFailureClass]
	same := dry.Status.Status == a.Status.Status && dry.Observed[protocol.FactFailureClass] == class
	would := strings.HasPrefix(dry.Message, "would ")
	switch {
	case would && class == string(protocol.LimitExceeded): // no reading tells
	case would && a.Observed[protocol.FactAWSErrorCode] == "InvalidPublicIpv4PoolID.NotFound":
		// The verb does not read pools.
	case !same, a.Status.Status == protocol.Succeeded &&
		would != (a.Observed[protocol.FactChanged] == "true"):
		e.wrong("not as foreseen: %s\ndry-run %+v\nexecute %+v", q.json(), dry.Status, a.Status)
	}
}

// takeBack undoes one thing, and holds the properties of an undo: it is over with at once, whatever
// others hold, and sent again it changes nothing. Exactly has the world be the one before the deed.
// Last reports whether it is the last of several: what is undone altogether is forgotten, and then
// the facts alone decide what an undo comes to.
func (e *episode) takeBack(d deed, exactly, last bool) {
	e.t.Helper()
	q := d.undo(nil)
	foreseen := e.dry(q)
	was := e.state()
	a := e.ask(q)
	now := e.state()
	if !e.troubled {
		e.asForeseen(q, foreseen, a)
	}
	if a.Status.Status == protocol.Succeeded && a.Observed["warning"] != "" {
		// The tags of a fence could not be removed: asked again, they can.
		a, now = e.run(q), e.state()
	}
	e.isTakenBack(d, a, was, now, exactly)
	if last {
		return
	}
	again, idle := e.run(q), d.idle()
	// What changed nothing itself and was the last to let go of what another did is skipped then.
	same := again.Status.Status == a.Status.Status || idle && again.Status.Status == protocol.Skipped
	if !same || sameWorld(now, e.state()) != "" {
		e.wrong("undone twice is not undone once: %s\nfirst %+v\nthen %+v", q.json(), a.Status,
			again.Status)
	}
}

// idle reports whether a deed found everything as it was to be.
func (d deed) idle() bool { return d.facts.Observed[protocol.FactChanged] != "true" }

// isTakenBack holds the answer to the undo of a deed against the world before and after it.
func (e *episode) isTakenBack(d deed, a answer, was, now ec2sim.State, exactly bool) {
	e.t.Helper()
	q := d.undo(nil)
	held := a.Observed["heldBy"] != "" && a.Observed[protocol.FactChanged] == "true"
	switch changed := sameWorld(was, now) != ""; {
	case a.Status.Status == protocol.Failed:
		e.wrong("not undone: %s\nafter %+v\n%+v\n%s", q.json(), d.facts, a.Status, a.log)
	case a.Status.Status == protocol.Skipped && (!d.idle() || changed && !e.troubled):
		e.wrong("skipped: %s\nafter %+v\n%+v", q.json(), d.facts, a.Status)
	case held && q.verb != "unfence-security-groups":
		e.wrong("taken away from %s: %s\n%+v", a.Observed["heldBy"], q.json(), a.Status)
	case a.Status.Status == protocol.Succeeded:
		e.isSo(q, a)
		if diff := sameWorld(d.before, now); exactly && diff != "" {
			e.wrong("undone is not as before: %s\n%+v\n%s", q.json(), a.Status, diff)
		}
	}
}

// meddle changes, as somebody else, what a deed changed, to a third thing. It reports whether it
// could.
func (e *episode) meddle(d deed) bool {
	if d.facts.Observed[protocol.FactChanged] != "true" {
		return false
	}
	region := e.sim.Region(ec2sim.LabRegion)
	switch nic, to := d.q.target["nicRef"], d.facts.Observed["assignedAddress"]; {
	case to != "" && !strings.Contains(to, ":") && slices.Contains(inSubnetA, nic):
		other := inSubnetA[e.intn(len(inSubnetA))]
		if other == nic || other == d.facts.Observed["priorHolder"] {
			return false
		}
		region.EditInterface(nic, func(i *ec2sim.Interface) {
			i.PrivateAddresses = slices.DeleteFunc(i.PrivateAddresses, func(a ec2sim.PrivateAddress) bool {
				return a.Address == to
			})
		})
		region.EditInterface(other, func(i *ec2sim.Interface) {
			i.PrivateAddresses = append(i.PrivateAddresses, ec2sim.PrivateAddress{Address: to})
		})
	case d.facts.Observed["assignedRoute"] != "":
		other := gateways[e.intn(len(gateways))]
		if other == d.facts.Observed["priorRouteTarget"] {
			return false
		}
		region.EditRouteTable(d.q.target["routeTableRef"], func(t *ec2sim.RouteTable) {
			for i := range t.Routes {
				if t.Routes[i].Destination == d.facts.Observed["assignedRoute"] {
					t.Routes[i].Target = other
				}
			}
		})
	default:
		return false
	}
	e.tally.drifts.Add(1)
	return true
}

// restoreOverDrift: an undo leaves what somebody else made, unless it is told not to.
func (e *episode) restoreOverDrift(d deed) {
	e.t.Helper()
	was := e.state()
	a := e.ask(d.undo(nil))
	if a.Status.Status != protocol.Failed ||
		a.Observed[protocol.FactFailureClass] != string(protocol.Drift) {
		e.wrong("somebody else's change is no drift: %+v", a.Status)
	}
	if diff := sameWorld(was, e.state()); diff != "" {
		e.wrong("somebody else's change was undone:\n%s", diff)
	}
	e.must(e.ask(d.undo(map[string]string{"onDrift": "restore"})), protocol.Succeeded,
		fmt.Sprintf("PROOF_SEED=%d: told to restore", e.seed))
	if diff := sameWorld(d.before, e.state()); diff != "" {
		e.wrong("restored is not as before:\n%s", diff)
	}
}

// inTurn does some things one after the other, and undoes them, last first.
func (e *episode) inTurn() {
	e.t.Helper()
	before := e.state()
	var deeds []deed
	for i := range 1 + e.intn(3) {
		e.mu.Lock()
		q := randomRequest(e.r, fmt.Sprint("mobility-", i, "/do"))
		e.mu.Unlock()
		if d, ok := e.do(q); ok {
			deeds = append(deeds, d)
		}
	}
	exactly := true
	for i, d := range slices.Backward(deeds) {
		if i == len(deeds)-1 && e.intn(3) == 0 && e.meddle(d) {
			e.restoreOverDrift(d)
			continue
		}
		// The undo of a fence over a fence restores what was there before the first.
		exactly = exactly && d.facts.Observed["priorFence"] != "other"
		e.takeBack(d, exactly, false)
	}
	if diff := sameWorld(withoutBackup(before), withoutBackup(e.state())); diff != "" {
		e.wrong("all is undone, and not as before:\n%s", diff)
	}
}

// both has two processes at once do one thing each, on one key, on one resource, or on any, and
// undoes both in any order, again where it was put off.
func (e *episode) both() {
	e.t.Helper()
	e.atOnce = true
	before := e.state()
	e.mu.Lock()
	one := randomRequest(e.r, "one")
	two := randomRequest(e.r, "two")
	e.mu.Unlock()
	switch e.intn(3) {
	case 0:
		two = one
	case 1:
		two = request{verb: one.verb, key: "two", target: maps.Clone(one.target),
			parameters: maps.Clone(one.parameters)}
		// Two that want it for themselves. Who asks again takes it back.
		if nic, ok := two.target["nicRef"]; ok && slices.Contains(inSubnetA, nic) {
			two.target["nicRef"] = inSubnetA[e.intn(len(inSubnetA))]
			one.parameters["allowReassignment"], two.parameters["allowReassignment"] = "true", "true"
		}
	}
	deeds := e.alternately(one, two)
	if len(deeds) == 2 && one.key == two.key {
		if a, b := deeds[0].facts, deeds[1].facts; !maps.Equal(priors(a.Observed), priors(b.Observed)) {
			e.wrong("two at once on one key tell different prior facts: %s\n%+v\n%+v", one.json(), a, b)
		}
		deeds = deeds[:1]
	}
	if e.intn(2) == 0 {
		slices.Reverse(deeds)
	}
	for i, d := range deeds {
		e.takeBack(d, false, i > 0)
	}
	if diff := sameWorld(withoutBackup(before), withoutBackup(e.state())); diff != "" {
		e.wrong("both are undone, and it is not as before: %s %s\n%s", one.json(), two.json(), diff)
	}
}

// alternately runs two requests at once, each call held up for as long as the seed says.
func (e *episode) alternately(one, two request) (deeds []deed) {
	e.t.Helper()
	remove := e.sim.OnCall(func(c ec2sim.Call) ec2sim.Verdict {
		time.Sleep(time.Duration(e.intn(4)) * time.Millisecond)
		return ec2sim.Proceed
	})
	defer remove()
	var all sync.WaitGroup
	answers := make([]answer, 2)
	for i, q := range []request{one, two} {
		all.Go(func() { answers[i] = e.ask(q) })
	}
	all.Wait()
	for i, q := range []request{one, two} {
		if answers[i].Status.Status == protocol.Succeeded {
			deeds = append(deeds, deed{q: q, facts: answers[i].Status})
			e.tally.deeds.Add(1)
		} else {
			e.tally.refusals.Add(1)
		}
	}
	return deeds
}

func (e *episode) play() {
	e.t.Helper()
	if e.r.IntN(3) == 0 {
		e.both()
	} else {
		e.inTurn()
	}
	e.tally.episodes.Add(1)
	e.tally.runs.Add(e.runs.Load())
}

func play(t testing.TB, seed uint64, troubled bool, y *tally) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	e := &episode{lab: newLab(t, randomWorld(r)), seed: seed, r: r, troubled: troubled, tally: y}
	e.play()
}

// seeds are what PROOF_SEED says, or some from a first one on.
func seeds(t *testing.T, first uint64, n int) []uint64 {
	t.Helper()
	if text := os.Getenv("PROOF_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return []uint64{seed}
	}
	all := make([]uint64, n)
	for i := range all {
		all[i] = first + uint64(i)
	}
	return all
}

// TestProperties: over random worlds, requests and interleavings of two processes: a dry-run
// changes nothing and foretells; executed twice is executed once; the plan afterwards is empty;
// every claim is true; undone, the world is as before.
func TestProperties(t *testing.T) {
	t.Parallel()
	var y tally
	var cases []func()
	for _, seed := range seeds(t, 1, 60) {
		cases = append(cases, func() { play(t, seed, false, &y) })
	}
	abreast(cases)
	t.Log(&y)
	promised(t, "episodes", y.episodes.Load())
}

// TestFenceThatLeavesWhatWasBeforeAnother: a fence whose groups are those from before an earlier
// one is still a fence when it is asked for again, as after a lost answer.
func TestFenceThatLeavesWhatWasBeforeAnother(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	before := l.state()
	fence := func(key, groups string, more map[string]string) request {
		q := request{verb: "fence-security-groups", key: key,
			target:     map[string]string{"instanceRef": ec2sim.LabRouterC},
			parameters: map[string]string{"securityGroups": groups}}
		maps.Copy(q.parameters, more)
		return q
	}
	one := fence("one", ec2sim.LabGroupRouter+","+ec2sim.LabGroupWeb,
		map[string]string{"invertSgRemoval": "true"})
	two := fence("two", ec2sim.LabGroupWeb, nil)
	first := l.must(l.run(one), protocol.Succeeded, "one")
	second := l.must(l.run(two), protocol.Succeeded, "two")
	again := l.must(l.run(two), protocol.Succeeded, "two, again")
	if !maps.Equal(priors(second.Observed), priors(again.Observed)) {
		t.Errorf("prior facts %v, then %v", priors(second.Observed), priors(again.Observed))
	}
	l.must(l.run(two.undo("unfence-security-groups", again.Status, nil)), protocol.Succeeded,
		"undo two")
	l.must(l.run(one.undo("unfence-security-groups", first.Status, nil)), protocol.Succeeded,
		"undo one")
	l.same(before, "afterwards")
}

// TestSoak: the same with faults, kills and signals: some worlds, always the same, or, for as long
// as PROOF_SOAK says (as in 3m), ever new ones.
func TestSoak(t *testing.T) {
	length, err := time.ParseDuration(cmp.Or(os.Getenv("PROOF_SOAK"), "0s"))
	if err != nil {
		t.Fatal(err)
	}
	if length == 0 {
		t.Parallel()
	}
	var y tally
	soak := func(first uint64, n int, end time.Time) {
		var cases []func()
		for _, seed := range seeds(t, first, n) {
			cases = append(cases, func() {
				if length == 0 || time.Now().Before(end) {
					play(t, seed, true, &y)
				}
			})
		}
		abreast(cases)
	}
	begin := time.Now()
	if length == 0 {
		soak(1001, 24, begin)
		t.Log(&y)
		return
	}
	first := uint64(begin.UnixMilli())
	t.Logf("seeds from %d on; PROOF_SEED=<seed> repeats one", first)
	for n := uint64(0); time.Since(begin) < length && !t.Failed(); n += 240 {
		soak(first+n, 240, begin.Add(length))
	}
	lost := "none"
	if t.Failed() {
		lost = "see above"
	}
	t.Logf("soaked for %v: %s; lost: %s", time.Since(begin).Round(time.Second), &y, lost)
}
