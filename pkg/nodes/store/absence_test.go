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
		first := b.scan(m.ID, 1, running("i-2")...)
		b.equal("absent", []int{first.Absent, len(first.Suspects)}, []int{1, 0})
		b.equal("gone", b.answer(m.ID, 2, nil, "i-1").Gone, 0)
		second := b.scan(m.ID, 3, running("i-2")...)
		b.equal("suspects", second.Suspects, []nodes.Suspect{{
			NodeID: b.find("i-1").ID, Source: source("i-1"),
			Absence: nodes.Absence{Scans: 2, Since: at(1), Until: at(3)},
		}})
		b.equal("the state", b.find("i-1").State, nodes.StateRunning)
		b.equal("gone", b.answer(m.ID, 4, nil, "i-1", "i-2").Gone, 1)
		n := b.find("i-1")
		b.equal("the state", []any{n.State, n.Said.Inferred, n.Said.Kind, n.Status},
			[]any{nodes.StateTerminated, true, nodes.ByAbsence, nodes.StatusUnreachable})
		b.equal("the other's state", b.find("i-2").State, nodes.StateRunning)
	})
}

// TestNotGone: what answers to its id is there; what was heard of since is not gone; a scan that is
// not complete, that is applied again, that is older or that overlaps counts nothing.
func TestNotGone(t *testing.T) {
	for name, events := range map[string]func(b *bed, m string) nodes.Summary{
		"it answers to its id": func(b *bed, m string) nodes.Summary {
			b.scan(m, 1)
			b.scan(m, 2)
			b.answer(m, 3, running("i-1"))
			return b.scan(m, 4)
		},
		"a report came since": func(b *bed, m string) nodes.Summary {
			b.scan(m, 1)
			b.now = at(3)
			b.report(report(uuidA, 3, source("i-1")))
			return b.apply(scanOf(m, 2))
		},
		"one is throttled": func(b *bed, m string) nodes.Summary {
			s := scanOf(m, 1)
			s.Verdict, s.Reason = nodes.Throttled, "RequestLimitExceeded"
			b.apply(s)
			return b.scan(m, 2)
		},
		"one is applied again": func(b *bed, m string) nodes.Summary {
			b.scan(m, 1)
			return b.scan(m, 1)
		},
		"one is older": func(b *bed, m string) nodes.Summary {
			b.scan(m, 2)
			return b.scan(m, 1)
		},
		"they overlap": func(b *bed, m string) nodes.Summary {
			other := b.manager("other")
			s := scanOf(m, 1)
			s.Ended = at(3)
			b.apply(s)
			return b.scan(other.ID, 2)
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(b *bed) {
				m := b.manager("m")
				b.scan(m.ID, 0, running("i-1")...)
				b.equal("suspects", len(events(b, m.ID).Suspects), 0)
				b.answer(m.ID, 5, nil, "i-1")
				b.equal("the state", b.find("i-1").State, nodes.StateRunning)
			})
		})
	}
}

// TestJustLaunched: a node that its cloud does not show yet is not gone until it ought to be shown.
func TestJustLaunched(t *testing.T) {
	onEach(t, func(b *bed) {
		m := b.manager("m")
		b.event("i-1", nodes.StateRunning, 0)
		settled := int(nodes.Settling / time.Minute)
		for _, minute := range []int{1, 2, settled - 1} {
			b.equal("suspects", len(b.scan(m.ID, minute).Suspects), 0)
		}
		b.scan(m.ID, settled+1)
		b.equal("suspects", len(b.scan(m.ID, settled+2).Suspects), 1)
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
