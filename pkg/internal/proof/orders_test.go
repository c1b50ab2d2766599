package proof

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/protocol"
)

// contest is one attribute that several keys act on.
type contest struct {
	name string
	seed func(*ec2sim.Region)
	// acts are what the keys ask for, each of another value where the attribute has several.
	acts []request
	// stranger brings about a value that no key asks for.
	stranger func(*ec2sim.Region)
}

var contests = []contest{
	{
		name: "forwarding",
		acts: []request{
			{verb: "ensure-forwarding-enabled", target: map[string]string{
				"nicRef": ec2sim.LabRouterAInterface, "address": ec2sim.LabFreeAddress}},
			{verb: "ensure-forwarding-enabled", target: map[string]string{
				"nicRef": ec2sim.LabRouterAInterface, "address": ec2sim.LabServiceAddress}},
		},
		stranger: func(r *ec2sim.Region) {
			r.EditInterface(ec2sim.LabRouterAInterface,
				func(i *ec2sim.Interface) { i.SourceDestCheck = true })
		},
	},
	{
		name: "a free address", acts: takers(ec2sim.LabFreeAddress),
		stranger: moved(ec2sim.LabFreeAddress),
	},
	{
		name: "an address with a holder", acts: takers(ec2sim.LabServiceAddress),
		stranger: moved(ec2sim.LabServiceAddress),
	},
	{
		name: "an IPv6 address", acts: takers(newIPv6), stranger: moved(newIPv6),
	},
	{
		name: "an IPv6 address with a holder", acts: takers(otherIPv6), stranger: moved(otherIPv6),
		seed: func(r *ec2sim.Region) {
			r.EditInterface(ec2sim.LabDBInterface0, func(i *ec2sim.Interface) {
				i.IPv6Addresses = append(i.IPv6Addresses, otherIPv6)
			})
		},
	},
	{name: "a new route", acts: leaders("10.200.0.9/32"), stranger: led("10.200.0.9/32")},
	{name: "a route", acts: leaders(ec2sim.LabRoute), stranger: led(ec2sim.LabRoute)},
	{
		name: "the groups of two interfaces",
		acts: []request{
			fencing(ec2sim.LabGroupWeb, false), fencing(ec2sim.LabGroupFence, true),
			fencing(ec2sim.LabGroupRouter, true),
		},
		seed: func(r *ec2sim.Region) {
			for _, nic := range []string{ec2sim.LabDBInterface0, ec2sim.LabDBInterface1} {
				r.EditInterface(nic, func(i *ec2sim.Interface) {
					i.Groups = append(i.Groups, ec2sim.LabGroupFence)
				})
			}
		},
		stranger: func(r *ec2sim.Region) {
			r.EditInterface(ec2sim.LabDBInterface1,
				func(i *ec2sim.Interface) { i.Groups = []string{ec2sim.LabGroupAllowAll} })
		},
	},
}

// takers take an address from whoever has it.
func takers(address string) []request {
	var all []request
	for _, nic := range []string{ec2sim.LabRouterAInterface, ec2sim.LabDBInterface1,
		ec2sim.LabRouterBInterface} {
		all = append(all, request{
			verb: "assign-secondary-ip", target: map[string]string{"nicRef": nic, "address": address},
			parameters: map[string]string{"allowReassignment": "true"},
		})
	}
	return all
}

// moved has somebody else move an address to an interface that no key asks for.
func moved(address string) func(*ec2sim.Region) {
	return func(r *ec2sim.Region) {
		for _, nic := range inSubnetA {
			r.EditInterface(nic, func(i *ec2sim.Interface) {
				i.PrivateAddresses = slices.DeleteFunc(i.PrivateAddresses,
					func(a ec2sim.PrivateAddress) bool { return a.Address == address })
				i.IPv6Addresses = slices.DeleteFunc(i.IPv6Addresses,
					func(a string) bool { return a == address })
				switch {
				case nic != ec2sim.LabSpareInterface:
				case strings.Contains(address, ":"):
					i.IPv6Addresses = append(i.IPv6Addresses, address)
				default:
					i.PrivateAddresses = append(i.PrivateAddresses,
						ec2sim.PrivateAddress{Address: address})
				}
			})
		}
	}
}

// leaders lead a route to themselves.
func leaders(destination string) []request {
	var all []request
	for _, nic := range []string{ec2sim.LabRouterBInterface, ec2sim.LabRouterAInterface,
		ec2sim.LabDBInterface0} {
		all = append(all, request{
			verb: "assign-route-table-route", target: map[string]string{
				"nicRef": nic, "routeTableRef": ec2sim.LabRouteTable, "address": destination},
			parameters: map[string]string{"allowReassignment": "true"},
		})
	}
	return all
}

// led has somebody else lead a route to a gateway.
func led(destination string) func(*ec2sim.Region) {
	return func(r *ec2sim.Region) {
		r.EditRouteTable(ec2sim.LabRouteTable, func(t *ec2sim.RouteTable) {
			t.Routes = slices.DeleteFunc(t.Routes,
				func(r ec2sim.Route) bool { return r.Destination == destination })
			t.Routes = append(t.Routes, ec2sim.Route{Destination: destination,
				Target: ec2sim.LabTransitGateway, Origin: "CreateRoute"})
		})
	}
}

// fencing takes a group away from an instance with two interfaces, or leaves it alone.
func fencing(group string, alone bool) request {
	return request{
		verb: "fence-security-groups", target: map[string]string{"instanceRef": ec2sim.LabDB},
		parameters: map[string]string{
			"securityGroups": group, "invertSgRemoval": fmt.Sprint(alone)},
	}
}

// under is one of the contest's requests, under a key.
func (c contest) under(key string, act int) request {
	q := c.acts[act%len(c.acts)]
	q.key = key
	return q
}

// orders are all orders of some keys.
func orders(keys []string) [][]string {
	if len(keys) < 2 {
		return [][]string{slices.Clone(keys)}
	}
	var all [][]string
	for i, first := range keys {
		rest := slices.Delete(slices.Clone(keys), i, i+1)
		for _, order := range orders(rest) {
			all = append(all, append([]string{first}, order...))
		}
	}
	return all
}

// copied is a lab with the world and the ledger of another.
func (l *lab) copied() *lab {
	l.t.Helper()
	data, err := json.Marshal(l.state())
	if err != nil {
		l.t.Fatal(err)
	}
	n := newLab(l.t, nil)
	if err := n.sim.Load(data); err != nil {
		l.t.Fatal(err)
	}
	if _, err := os.Stat(l.store); err == nil {
		if err := os.CopyFS(n.store, os.DirFS(l.store)); err != nil {
			l.t.Fatal(err)
		}
	}
	return n
}

// story is what several keys and strangers did with one attribute.
type story struct {
	of contest
	*episode
	before ec2sim.State
	// deeds are what was done, by key. One that was never answered has no facts.
	deeds map[string]deed
	// strange is the world as it would be had there been strangers alone.
	strange *lab
	// meddled reports whether there was a stranger. Drifted, whether an undo was refused for it.
	meddled, drifted bool
	// refused are the keys whose undo was refused.
	refused []string
	// trail is what happened, for who has to find out why.
	trail []string
}

func (s *story) did(what string, a answer) {
	said := a.Message
	if a.killed {
		said = "killed"
	}
	s.trail = append(s.trail, what+": "+said)
}

func (s *story) wrong(format string, args ...any) {
	s.t.Helper()
	s.episode.wrong("%s\n%s", fmt.Sprintf(format, args...), strings.Join(s.trail, "\n"))
}

// tell has some keys act, be killed, sent again, and strangers between.
func (s *story) tell() {
	s.t.Helper()
	keys := []string{"a", "b", "c"}[:2+s.intn(2)]
	for i, key := range keys {
		s.act(s.of.under(key, s.intn(3)))
		if i > 0 && s.intn(4) == 0 {
			s.act(s.deeds[keys[s.intn(i)]].q)
		}
		if s.intn(5) == 0 {
			s.of.stranger(s.sim.Region(ec2sim.LabRegion))
			s.of.stranger(s.strange.sim.Region(ec2sim.LabRegion))
			s.meddled = true
			s.trail = append(s.trail, "a stranger")
			s.tally.drifts.Add(1)
		}
	}
}

// act sends a request. One that was cut short is mostly sent again.
func (s *story) act(q request) {
	s.t.Helper()
	if q.key == "" {
		return // never done
	}
	d, again := s.deeds[q.key]
	a := answer{killed: true}
	if s.intn(2) == 0 {
		a = s.trouble(q)
		s.did(q.key+", in trouble", a)
	}
	factsNeeded := q.verb == "ensure-forwarding-enabled"
	if a.killed && (factsNeeded || again || s.intn(4) > 0) ||
		!a.killed && a.Status.Status == protocol.Failed && a.Observed["retryable"] == "true" {
		a = s.run(q)
		s.did(q.key, a)
	}
	switch {
	case a.killed:
		d = deed{q: q}
	case a.Status.Status == protocol.Succeeded:
		s.isSo(q, a)
		d = deed{q: q, facts: a.Status}
	case !again && !a.UndoAvailable:
		s.tally.refusals.Add(1)
		return
	case a.UndoAvailable:
		d = deed{q: q, facts: a.Status}
	}
	s.deeds[q.key] = d
	s.tally.deeds.Add(1)
}

// end undoes all in one order, on a copy of all there is, and holds what is left.
func (s *story) end(order []string, at uint64) {
	s.t.Helper()
	o := &story{of: s.of, deeds: maps.Clone(s.deeds), before: s.before,
		strange: s.strange, meddled: s.meddled, trail: slices.Clone(s.trail),
		episode: &episode{lab: s.copied(), seed: s.seed,
			r: rand.New(rand.NewPCG(s.seed, at)), troubled: true, tally: s.tally}}
	when := fmt.Sprintf("%s, undone in the order %s", s.of.name, strings.Join(order, ", "))
	var late []string
	for i, key := range order {
		last := i == len(order)-1
		o.undoOnce(key, when, &late, last)
	}
	// What was refused for a stranger's value is sent again.
	for _, key := range append(late, o.refused...) {
		o.takenBack(o.run(o.deeds[key].undo(nil)), key, when)
	}
	want := o.strange.state()
	switch got := o.state(); {
	case o.drifted && strings.Contains(o.of.name, "groups"):
		// An undo that is refused for one interface leaves the other as it is.
	case o.meddled:
		if diff := sameWorld(withoutBackup(want), withoutBackup(got)); diff != "" {
			o.wrong("%s: it is not as the last stranger left it (-want +got):\n%s", when, diff)
		}
	default:
		if diff := sameWorld(s.before, got); diff != "" {
			o.wrong("%s: it is not as before (-want +got):\n%s", when, diff)
		}
	}
	if left := o.open(); !o.drifted && len(left) > 0 {
		o.wrong("%s: records are left: %v", when, left)
	}
	o.tally.runs.Add(o.runs.Load())
}

// undoOnce undoes a key's action. It may be killed, and another key come between; then it is sent
// again.
func (s *story) undoOnce(key, when string, late *[]string, last bool) {
	s.t.Helper()
	q := s.deeds[key].undo(nil)
	trouble := s.intn(3)
	if trouble == 0 {
		a := s.trouble(q)
		s.did("undo of "+key+", in trouble", a)
		if a.Observed["warning"] != "" {
			a = s.run(q) // the tags of a fence could not be removed: asked again, they can
		}
		if !a.killed && a.Status.Status != protocol.Failed {
			s.takenBack(a, key, when)
			return
		}
		if s.intn(2) == 0 {
			s.act(s.of.under("between "+key, s.intn(3)))
			if _, done := s.deeds["between "+key]; done {
				if s.intn(2) == 0 {
					*late = append(*late, "between "+key)
				} else {
					s.takenBack(s.run(s.deeds["between "+key].undo(nil)), "between "+key, when)
				}
			}
		}
		s.takenBack(s.run(q), key, when)
		return
	}
	foreseen := s.dry(q)
	a := s.run(q)
	s.asForeseen(q, foreseen, a)
	s.takenBack(a, key, when)
	if !last && s.intn(3) == 0 {
		now := s.state()
		if again := s.run(q); again.Status.Status == protocol.Succeeded &&
			again.Observed[protocol.FactChanged] == "true" || sameWorld(now, s.state()) != "" {
			s.wrong("%s: the undo of %s, sent again, changes something: %+v", when, key, again.Status)
		}
	}
}

// takenBack holds the answer of an undo.
func (s *story) takenBack(a answer, key, when string) {
	s.t.Helper()
	s.did("undo of "+key, a)
	class := a.Observed[protocol.FactFailureClass]
	switch {
	case a.Status.Status == protocol.Failed && s.meddled && class == string(protocol.Drift):
		s.drifted, s.refused = true, append(s.refused, key)
	case a.Status.Status == protocol.Failed:
		s.wrong("%s: the undo of %s: %+v\n%s", when, key, a.Status, a.log)
	case a.Status.Status == protocol.Succeeded:
		s.isSo(s.deeds[key].undo(nil), a)
	}
}

// TestAllOrdersOfUndo: two or three keys act on one attribute of each kind, with kills, lost
// answers, stale readings, retries and strangers between. Then all is undone in every order, each
// on a copy of the world and the ledger, with kills inside the undos and other keys between. In the
// end it is as it was before the first of them, or as the last stranger left it. No answer is
// false, nothing is stuck, no record is left.
func TestAllOrdersOfUndo(t *testing.T) {
	t.Parallel()
	var y tally
	var ordered atomic.Int64
	var cases []func()
	for _, seed := range seeds(t, 5001, 48) {
		cases = append(cases, func() {
			r := rand.New(rand.NewPCG(seed, 0))
			c := contests[seed%uint64(len(contests))]
			l := newLab(t, c.seed)
			s := &story{of: c, before: l.state(), deeds: map[string]deed{}, strange: l.copied(),
				episode: &episode{lab: l, seed: seed, r: r, troubled: true, tally: &y}}
			s.tell()
			y.runs.Add(l.runs.Load())
			for i, order := range orders(slices.Sorted(maps.Keys(s.deeds))) {
				s.end(order, uint64(i+1))
				ordered.Add(1)
			}
			y.episodes.Add(1)
		})
	}
	abreast(cases)
	t.Logf("%s; undone in %d orders", &y, ordered.Load())
	promised(t, "worlds", y.episodes.Load())
	promised(t, "orders of undo", ordered.Load())
}

// TestKilledInsideAnUndo: two keys have acted on one attribute, one over the other. The undo of
// either is killed at every call to EC2 and around every step of the ledger. A third key acts on
// the attribute. Then all undos are sent, in one order or another. The world is as before the
// first. One call and step in two is taken, another one for the next contest.
func TestKilledInsideAnUndo(t *testing.T) {
	t.Parallel()
	var kills, steps atomic.Int64
	var cases []func()
	for x, c := range contests {
		for v, victim := range []string{"a", "b"} {
			begin, stride := series(x+v, 2)
			for i, instant := range instants {
				cases = append(cases, func() {
					for n := begin; ; n += stride {
						when := fmt.Sprintf("%s, the undo of %s killed at call %d %s", c.name, victim, n,
							instant.name)
						if !c.killed(t, victim, n+i, when, func(l *lab, q request) bool {
							return l.runKilled(q, n, instant.at, instant.verdict).killed
						}) {
							return
						}
						kills.Add(1)
					}
				})
			}
			for i, side := range []string{"before", "after"} {
				cases = append(cases, func() {
					for n := begin; ; n += stride {
						when := fmt.Sprintf("%s, the undo of %s killed %s step %d of the ledger", c.name,
							victim, side, n)
						if !c.killed(t, victim, n+i, when, func(l *lab, q request) bool {
							return l.start(q, way{mortal: fmt.Sprint(side, " ", n)}).wait().killed
						}) {
							return
						}
						steps.Add(1)
					}
				})
			}
		}
	}
	abreast(cases)
	t.Logf("%d kills at calls and %d around steps of the ledger, inside an undo: nothing lost",
		kills.Load(), steps.Load())
	promised(t, "kills of undos at calls", kills.Load())
	promised(t, "kills of undos at steps of the ledger", steps.Load())
}

// killed has one of two undos killed, a third key act, and all undone in the nth order. It reports
// whether the undo was killed.
func (c contest) killed(t *testing.T, victim string, n int, when string,
	kill func(*lab, request) bool) bool {
	t.Helper()
	l := newLab(t, c.seed)
	before := l.state()
	undos := map[string]request{}
	do := func(key string, act int) {
		q := c.under(key, act)
		did := l.must(l.run(q), protocol.Succeeded, when+", "+key)
		verb, _ := actions.Registry().Lookup(q.verb)
		undos[key] = q.undo(verb.Undo, did.Status, nil)
	}
	do("a", 0)
	do("b", 1)
	if !kill(l, undos[victim]) {
		return false
	}
	do("c", 2)
	all := orders([]string{"a", "b", "c"})
	order := all[n%len(all)]
	for _, key := range order {
		if a := l.run(undos[key]); a.Status.Status == protocol.Failed {
			t.Errorf("%s, then in the order %v: the undo of %s: %+v\n%s", when, order, key, a.Status,
				a.log)
		}
	}
	l.same(before, fmt.Sprintf("%s, and undone in the order %v,", when, order))
	if left := l.open(); len(left) > 0 {
		t.Errorf("%s, and undone in the order %v, records are left: %v", when, order, left)
	}
	return true
}
