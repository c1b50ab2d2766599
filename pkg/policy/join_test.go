package policy

import "testing"

// TestJoinsCalls: unless one of the policies says no.
func TestJoinsCalls(t *testing.T) {
	with := func(text string) *Policy { return mustParse(t, open+text) }
	yes, no, unsaid := with("  joinCalls: true\n"), with("  joinCalls: false\n"), with("")
	for _, c := range []struct {
		name string
		of   *Policy
		want bool
	}{
		{"unsaid", unsaid, true}, {"yes", yes, true}, {"no", no, false},
		{"yes and no", yes.And(no), false}, {"no and unsaid", no.And(unsaid), false},
		{"unsaid and yes", unsaid.And(yes), true},
	} {
		if got := c.of.JoinsCalls(); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}
