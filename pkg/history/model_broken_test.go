package history

import (
	"slices"
	"testing"

	"aws-provider-executor/pkg/internal/docblocks"
)

// TestBrokenRules breaks one rule at a time. Each break has a world in which the model finds
// the invariant that the rule is there for violated: so none of these rules is idle, and the
// model would see its loss.
func TestBrokenRules(t *testing.T) {
	all := worlds()
	docblocks.Exactly(t, "../..", ".github/docs/proofs.md", "broken rules", len(brokenRules()))
	for _, r := range brokenRules() {
		t.Run(r.name, func(t *testing.T) {
			i := slices.IndexFunc(all, func(w world) bool { return w.name == r.world })
			if i < 0 {
				t.Fatalf("there is no world %q", r.world)
			}
			x := &explorer{world: all[i], budget: all[i].quick, rule: r}
			if r.budget != (budget{}) {
				x.budget = r.budget
			}
			states, _ := x.explore(limit)
			if x.wrong == "" {
				t.Errorf("in the world %q, it holds: %s", r.world, r.breaks)
			}
			t.Logf("%s: %s, after %d states", r.world, x.wrong, states)
		})
	}
}
