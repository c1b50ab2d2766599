package history

import "testing"

// TestBrokenRules breaks one rule at a time. Each break has a world in which the model finds
// an invariant violated: so none of these rules is idle, and the model would see its loss.
func TestBrokenRules(t *testing.T) {
	const near = 20_000 // states of a world: these breaks show early
	for _, r := range brokenRules() {
		t.Run(r.name, func(t *testing.T) {
			for _, w := range worlds() {
				x := &explorer{world: w, budget: w.quick, rule: r}
				if states, _ := x.explore(near); x.wrong != "" {
					t.Logf("%s: %s, after %d states", w.name, x.wrong, states)
					return
				}
			}
			t.Error("no world shows that the rule is needed")
		})
	}
}
