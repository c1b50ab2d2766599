package iampolicy

import (
	"math/rand/v2"
	"testing"

	"aws-provider-executor/pkg/wildcard"
)

// texts are all texts of some letters up to a length.
func texts(letters string, length int) []string {
	all, last := []string{""}, []string{""}
	for range length {
		var next []string
		for _, t := range last {
			for _, l := range letters {
				next = append(next, t+string(l))
			}
		}
		all, last = append(all, next...), next
	}
	return all
}

// TestPatternsAgainstEveryText: covers and overlaps say of two patterns what all texts say.
func TestPatternsAgainstEveryText(t *testing.T) {
	all, patterns := texts("abc", 5), texts("ab*?", 3)
	rng := rand.New(rand.NewPCG(1, 2))
	covered, overlapped := 0, 0
	for range 3000 {
		a, b := patterns[rng.IntN(len(patterns))], patterns[rng.IntN(len(patterns))]
		subset, common := true, false
		for _, text := range all {
			inA, inB := wildcard.Plain.Match(a, text), wildcard.Plain.Match(b, text)
			subset, common = subset && (inA || !inB), common || inA && inB
		}
		if got := covers(a, b); got != subset {
			t.Fatalf("%q covers %q: %v, want %v", a, b, got, subset)
		}
		if got := overlaps(a, b); got != common {
			t.Fatalf("%q overlaps %q: %v, want %v", a, b, got, common)
		}
		if subset {
			covered++
		}
		if common {
			overlapped++
		}
	}
	if covered == 0 || covered == overlapped {
		t.Errorf("%d covered, %d overlapped", covered, overlapped)
	}
}
