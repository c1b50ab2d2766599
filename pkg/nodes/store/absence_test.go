package store_test

import (
	"testing"
	"time"

	"aws-provider-executor/pkg/nodes"
)

func (b *bed) answer(
	manager string, minute int, found []nodes.Sighting, not ...string,
) nodes.Summary {
	b.Helper()
	b.now = at(minute)
	got, err := b.ApplyAnswer(b.Context(), nodes.Answer{
		ManagerID: manager, AccountID: account, Region: region, Type: nodes.TypeInstance,
		Begun: at(minute), Found: found, NotFound: not,
	})
	if err != nil {
		b.Fatal(err)
	}
	return got
}

// TestGone: a node is terminated once two complete scans did not show it and its cloud says by its
// id that there is none; it says that this was inferred.
func TestGone(t *testing.T) {
	onEach(t, func(b *bed) {
		m := b.manager("m")
		b.scan(m.ID, 0, running("i-1", "i-2")...)
		first := b.scan(m.ID, 20, running("i-2")...)
		b.equal("absent", []int{first.Absent, len(first.Suspects)}, []int{1, 0})
		b.equal("gone", b.answer(m.ID, 21, nil, "i-1").Gone, 0)
		second := b.scan(m.ID, 25, running("i-2")...)
		b.equal("suspects", second.Suspects, []nodes.Suspect{{
			NodeID: b.find("i-1").ID, Source: source("i-1"),
			Absence: nodes.Absence{Scans: 2, Since: at(20), Until: at(25)},
		}})
		b.equal("the state", b.find("i-1").State, nodes.StateRunning)
		b.equal("gone", b.answer(m.ID, 26, nil, "i-1", "i-2").Gone, 1)
		n := b.find("i-1")
		b.equal("the state", []any{n.State, n.Said.Inferred, n.Said.Kind, n.Status},
			[]any{nodes.StateTerminated, true, nodes.ByAbsence, nodes.StatusUnreachable})
		b.equal("the other's state", b.find("i-2").State, nodes.StateRunning)
	})
}

// TestNotGone: what answers to its id is there; what was heard of since is not gone; a scan that is
// not complete, that is applied again, that is older, that overlaps or that comes at once counts
// nothing, and none counts of what was just launched. Two more scans count as ever.
func TestNotGone(t *testing.T) {
	for name, events := range map[string]func(b *bed, m string) nodes.Summary{
		"it answers to its id": func(b *bed, m string) nodes.Summary {
			b.scan(m, 20)
			b.scan(m, 30)
			b.answer(m, 31, running("i-1"))
			return b.scan(m, 40)
		},
		"a report came since": func(b *bed, m string) nodes.Summary {
			b.scan(m, 20)
			b.now = at(40)
			b.report(report(uuidA, 40, source("i-1")))
			return b.apply(scanOf(m, 30))
		},
		"one is throttled": func(b *bed, m string) nodes.Summary {
			s := scanOf(m, 20)
			s.Verdict, s.Reason = nodes.Throttled, "RequestLimitExceeded"
			b.apply(s)
			return b.scan(m, 30)
		},
		"one is applied again": func(b *bed, m string) nodes.Summary {
			b.scan(m, 20)
			return b.scan(m, 20)
		},
		"one is older": func(b *bed, m string) nodes.Summary {
			b.scan(m, 30)
			return b.scan(m, 20)
		},
		"they overlap": func(b *bed, m string) nodes.Summary {
			other := b.manager("other")
			s := scanOf(m, 20)
			s.Ended = at(40)
			b.apply(s)
			return b.scan(other.ID, 30)
		},
		"they come at once": func(b *bed, m string) nodes.Summary {
			other := b.manager("other")
			var last nodes.Summary
			for i, by := range []string{m, other.ID, m, other.ID} {
				s := scanOf(by, 20)
				s.Begun = s.Begun.Add(time.Duration(10*i) * time.Millisecond)
				s.Ended = s.Begun.Add(5 * time.Millisecond)
				last = b.apply(s)
			}
			return last
		},
		"less than the least time is between them": func(b *bed, m string) nodes.Summary {
			b.scan(m, 20)
			b.scan(m, 22)
			return b.scan(m, 24)
		},
		"it was started again": func(b *bed, m string) nodes.Summary {
			b.scan(m, 20, launched("i-1", 19)...)
			b.scan(m, 21)
			return b.scan(m, 28)
		},
		"its launch is to come, by a wrong clock": func(b *bed, m string) nodes.Summary {
			b.scan(m, 20, launched("i-1", 60)...)
			b.scan(m, 30)
			return b.scan(m, 40)
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(b *bed) {
				m := b.manager("m")
				b.scan(m.ID, 0, running("i-1")...)
				b.equal("suspects", len(events(b, m.ID).Suspects), 0)
				b.answer(m.ID, 45, nil, "i-1")
				b.equal("the state", b.find("i-1").State, nodes.StateRunning)
				b.scan(m.ID, 80)
				b.equal("suspects", len(b.scan(m.ID, 90).Suspects), 1)
			})
		})
	}
}

func launched(id string, minute int) []nodes.Sighting {
	all := running(id)
	all[0].LaunchTime = at(minute)
	return all
}

// TestJustLaunched: a node that its cloud does not show yet is not gone until it ought to be shown,
// if scans showed it before or not.
func TestJustLaunched(t *testing.T) {
	for name, begin := range map[string]func(b *bed, m string){
		"told of by an event": func(b *bed, _ string) { b.event("i-1", nodes.StateRunning, 0) },
		"shown once":          func(b *bed, m string) { b.scan(m, 0, launched("i-1", 0)...) },
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(b *bed) {
				m := b.manager("m")
				begin(b, m.ID)
				settled := int(nodes.Settling / time.Minute)
				for _, minute := range []int{1, settled - 1} {
					b.equal("suspects", len(b.scan(m.ID, minute).Suspects), 0)
				}
				b.equal("suspects", len(b.scan(m.ID, settled+1).Suspects), 0)
				b.equal("suspects", len(b.scan(m.ID, settled+10).Suspects), 1)
			})
		})
	}
}

// TestAClockThatJumps: what was said by a clock that was ahead does not outweigh, once the clock is
// right again, what is said then. A node that is there lives on, one that is gone is found gone,
// and verdicts, states and probes go on.
func TestAClockThatJumps(t *testing.T) {
	const ahead = 1_000_000 // minutes
	onEach(t, func(b *bed) {
		m := b.manager("m")
		b.scan(m.ID, 0, running("i-1", "i-2", "i-3")...)
		b.scan(m.ID, ahead, running("i-1", "i-2")...)
		b.now = at(ahead)
		if err := b.RecordCheck(b.Context(), m.ID, nodes.Check{At: b.now}); err != nil {
			b.Fatal(err)
		}
		b.now = at(20)
		throttled := scanOf(m.ID, 20)
		throttled.Verdict, throttled.Reason = nodes.Throttled, "why"
		b.equal("stale", b.apply(throttled).Stale, false)
		b.scan(m.ID, 21, seen(nodes.StateStopped, "i-1")...)
		b.scan(m.ID, 22, seen(nodes.StateStopped, "i-1")...)
		b.equal("the state", b.find("i-1").State, nodes.StateStopped)
		// Of i-2 this is the first absence, of i-3 the third: two of them by the right clock, and too
		// near to each other.
		b.equal("suspects", len(b.scan(m.ID, 23, seen(nodes.StateStopped, "i-1")...).Suspects), 0)
		b.equal("suspects", len(b.scan(m.ID, 30, seen(nodes.StateStopped, "i-1")...).Suspects), 2)
		b.equal("gone", b.answer(m.ID, 31, nil, "i-2", "i-3").Gone, 2)
		if err := b.RecordCheck(b.Context(), m.ID, nodes.Check{At: at(31), Reason: "r"}); err != nil {
			b.Fatal(err)
		}
		if x, err := b.Manager(b.Context(), m.ID); err != nil || x.Checked.Reason != "r" {
			b.Errorf("the check is %+v, %v", x.Checked, err)
		}
		_, err := b.AddManual(b.Context(), nodes.Manual{Prefix: "rack", Hosts: []string{"h1"},
			Target: nodes.Target{Port: 22, Protocol: nodes.TCP}})
		if err != nil {
			b.Fatal(err)
		}
		b.now = at(ahead)
		if _, err := b.ApplyProbe(b.Context(), nodes.Probe{NodeID: b.find("rack-h1").ID, At: b.now,
			Reached: true}); err != nil {
			b.Fatal(err)
		}
		b.now = at(40)
		if due, err := b.Due(b.Context(), at(35)); len(due) != 1 || err != nil {
			b.Error("it is not due", err)
		}
		id := b.find("rack-h1").ID
		if _, _, err := b.Command(b.Context(), id, nodes.StateStopped, "ann"); err != nil {
			b.Fatal(err)
		}
		b.equal("the state", b.find("rack-h1").State, nodes.StateStopped)
	})
}

// TestOneSickRegion: of a region that is not complete only the verdict changes; the next scan
// completes it.
func TestOneSickRegion(t *testing.T) {
	onEach(t, func(b *bed) {
		m := b.manager("m")
		b.scan(m.ID, 0, running("i-1", "i-2")...)
		before := b.find("i-1")
		for i, v := range []nodes.Verdict{
			nodes.Denied, nodes.Disabled, nodes.Throttled, nodes.Unreachable,
		} {
			s := scanOf(m.ID, i+1, seen(nodes.StateStopped, "i-1")...)
			s.Verdict, s.Reason = v, "why"
			b.apply(s)
			b.equal("the node", b.find("i-1"), before)
			regions, err := b.Regions(b.Context(), m.ID)
			if err != nil || len(regions) != 1 || regions[0].Verdict != v ||
				!regions[0].LastComplete.Equal(at(0)) || regions[0].Seen != 2 {
				b.Error(regions, err)
			}
		}
		b.scan(m.ID, 9, seen(nodes.StateStopped, "i-1", "i-2")...)
		b.equal("the count", b.count("state=stopped"), 2)
		// One that began earlier and is told later does not replace the verdict.
		late := scanOf(m.ID, 8)
		late.Verdict, late.Reason = nodes.Throttled, "why"
		b.equal("stale", b.apply(late).Stale, true)
		regions, err := b.Regions(b.Context(), m.ID)
		if err != nil || regions[0].Verdict != nodes.Complete || !regions[0].Begun.Equal(at(9)) {
			b.Error(regions, err)
		}
	})
}

// TestOneRegionIsNotAnother: a scan says nothing of another region or account.
func TestOneRegionIsNotAnother(t *testing.T) {
	onEach(t, func(b *bed) {
		m := b.manager("m")
		b.scan(m.ID, 0, running("i-1")...)
		for minute := 1; minute < 4; minute++ {
			other := scanOf(m.ID, minute, running("i-1")...)
			other.Region = "eu-west-2"
			b.apply(other)
			other = scanOf(m.ID, minute)
			other.AccountID = "2"
			b.equal("absent", b.apply(other).Absent, 0)
		}
		b.equal("the count", b.count("sourceId=i-1"), 2)
	})
}

// TestASecondManagerAssociates: of one account it adds no node again.
func TestASecondManagerAssociates(t *testing.T) {
	onEach(t, func(b *bed) {
		one, two := b.manager("one"), b.manager("two")
		b.scan(one.ID, 0, running("i-1")...)
		b.equal("added", b.scan(two.ID, 1, running("i-1")...).Added, 0)
		b.equal("managers", b.find("i-1").Managers, []string{one.ID, two.ID})
	})
}

// TestEvidenceInAnyOrder: in whatever order scans and events arrive, the newest holds.
func TestEvidenceInAnyOrder(t *testing.T) {
	onEach(t, func(b *bed) {
		m := b.manager("m")
		b.scan(m.ID, 5, running("i-1")...)
		b.event("i-1", nodes.StateStopped, 7)
		s := scanOf(m.ID, 6, running("i-1")...)
		s.Ended = at(8)
		b.apply(s)
		b.equal("the state", b.find("i-1").State, nodes.StateStopped)
		// What was seen after the event, in a scan that began before it, is newer.
		s = scanOf(m.ID, 6, nodes.Sighting{ID: "i-1", State: nodes.StateRunning, At: at(8)})
		s.Begun, s.Ended = s.Begun.Add(1), at(9)
		b.apply(s)
		b.equal("the state", b.find("i-1").State, nodes.StateRunning)
	})
}

// TestScanIsChecked: what no scanner may hand over is refused, and changes nothing.
func TestScanIsChecked(t *testing.T) {
	onEach(t, func(b *bed) {
		m := b.manager("m")
		for name, change := range map[string]func(*nodes.Scan){
			"no manager":       func(s *nodes.Scan) { s.ManagerID = "" },
			"unknown manager":  func(s *nodes.Scan) { s.ManagerID = "none" },
			"no account":       func(s *nodes.Scan) { s.AccountID = "" },
			"unknown verdict":  func(s *nodes.Scan) { s.Verdict = "fine" },
			"ends before":      func(s *nodes.Scan) { s.Ended = at(-1) },
			"the same twice":   func(s *nodes.Scan) { s.Seen = running("i-1", "i-1") },
			"no id":            func(s *nodes.Scan) { s.Seen = running("") },
			"unknown state":    func(s *nodes.Scan) { s.Seen = seen("rebooting", "i-1") },
			"no type of nodes": func(s *nodes.Scan) { s.Type = "" },
		} {
			s := scanOf(m.ID, 0, running("i-1")...)
			change(&s)
			if _, err := b.ApplyScan(b.Context(), s); err == nil {
				b.Errorf("%s is taken over", name)
			}
		}
		b.equal("the count", b.count(""), 0)
	})
}
