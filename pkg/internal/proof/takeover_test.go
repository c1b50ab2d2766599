package proof

import (
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/protocol"
)

// TestFenceTakenOver: a fence is killed at every call that changes something, and another key
// carries the same fence out: it is what it would have been, and its answer knows the groups from
// before the first. Then both are undone.
func TestFenceTakenOver(t *testing.T) {
	t.Parallel()
	var kills atomic.Int64
	var cases []func()
	for _, s := range scenarios {
		if s.verb != "fence-security-groups" || s.beyond {
			continue
		}
		c := s.clean(t)
		for _, instant := range instants {
			for n := 1; n <= c.calls; n++ {
				if !changing(c.call(false, n)) {
					continue
				}
				cases = append(cases, func() {
					l := newLab(t, s.seed)
					l.warm()
					when := fmt.Sprintf("%s, killed at call %d %s", s.name, n, instant.name)
					if l.runKilled(s.request("k"), n, instant.at, instant.verdict).killed {
						kills.Add(1)
						s.takenOver(l, c, when)
					}
				})
			}
		}
	}
	abreast(cases)
	t.Logf("%d kills, and another key took over: nothing lost", kills.Load())
	promised(t, "kills and another key", kills.Load())
}

func (s scenario) takenOver(l *lab, c clean, when string) {
	l.t.Helper()
	is := func(want ec2sim.State, then string) {
		l.t.Helper()
		if diff := sameWorld(withoutBackup(want), withoutBackup(l.state())); diff != "" {
			l.t.Errorf("%s, %s, the world differs (-want +got):\n%s", when, then, diff)
		}
	}
	other := s.request("other")
	did := l.must(l.run(other), protocol.Succeeded, when+", another key")
	is(c.after, "and another key")
	if got, want := priorGroups(did.Observed), priorGroups(c.priors); !maps.Equal(got, want) {
		l.t.Errorf("%s, another key tells the prior groups %v, want %v", when, got, want)
	}
	undoOther, undoFirst := s.undoOf(other, did.Status), s.undoOf(s.request("k"), protocol.Status{})
	l.run(undoOther)
	l.run(undoFirst)
	l.run(undoOther)
	is(c.before, "and both undone")
	if left := l.open(); len(left) > 0 {
		l.t.Errorf("%s, and both undone, records are left: %v", when, left)
	}
}

func priorGroups(observed map[string]string) map[string]string {
	groups := maps.Clone(observed)
	maps.DeleteFunc(groups, func(k, _ string) bool {
		return !strings.HasPrefix(k, "priorSecurityGroups.")
	})
	return groups
}
