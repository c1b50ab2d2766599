package sgfence

import (
	"slices"
	"testing"

	"aws-provider-executor/pkg/action"
)

// TestBase: what was there before all fences in force, from what records and tags know of one interface.
func TestBase(t *testing.T) {
	// Each is from and to, the latest first.
	changes := func(all ...string) (k known) {
		for i := 0; i < len(all); i += 2 {
			k.recorded = append(k.recorded, action.Recorded{From: all[i], To: all[i+1]})
		}
		return k
	}
	tagged := changes("x", "a")
	tagged.kept = []string{"web", "db"}
	for _, c := range []struct {
		name  string
		known known
		now   string
		want  []string
	}{
		{"nothing is known", changes(), "a", nil},
		{"no record leads there", changes("web", "b"), "a", nil},
		{"one fence", changes("web,db", "a"), "a", []string{"web", "db"}},
		{"one over another", changes("a", "b", "web", "a"), "b", []string{"web"}},
		{"to and fro", changes("b", "a", "b", "a", "a", "b", "web", "a"), "a", []string{"web"}},
		{"to and fro, and now on the way", changes("b", "a", "a", "b", "web", "a"), "b", []string{"web"}},
		{"a round, which is as it began", changes("b", "a", "a", "b"), "a", []string{"a"}},
		{"two that lead there: the latest counts", changes("db", "a", "web", "a"), "a", []string{"db"}},
		{"the tags know better", tagged, "a", []string{"web", "db"}},
		{"the tags alone", known{kept: []string{"web"}}, "a", []string{"web"}},
	} {
		if got := c.known.base(c.now); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
