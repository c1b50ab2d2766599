package action

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/history"
)

// TestInForce: an entry counts until it is undone or a release ends it. A release ends what lies
// below the place that it names, unless it was itself undone or not made.
func TestInForce(t *testing.T) {
	entry := func(key string, seq int64, state history.State) Recorded {
		return Recorded{Entry: history.Entry{Key: key, Seq: seq, State: state}}
	}
	release := func(seq, ends int64, state history.State) Recorded {
		return Recorded{Entry: history.Entry{Key: "release", Seq: seq, Ends: ends, State: state}}
	}
	a, b, c := entry("a", 1, history.Live), entry("b", 2, history.Pending), entry("c", 4, history.Live)
	for _, tt := range []struct {
		name string
		all  []Recorded
		want string
	}{
		{"nothing", nil, ""},
		{"actions", []Recorded{a, b, c}, "abc"},
		{"one undone", []Recorded{a, entry("b", 2, history.Withdrawn), c}, "ac"},
		{"released", []Recorded{a, b, release(3, 2, history.Live), c}, "c"},
		{"in part released", []Recorded{a, b, release(3, 1, history.Live), c}, "bc"},
		{"a release that was undone", []Recorded{a, b, release(3, 2, history.Withdrawn), c}, "abc"},
		{"a release that may be made", []Recorded{a, b, release(3, 2, history.Pending), c}, "abc"},
		{"two releases", []Recorded{a, b, release(3, 2, history.Live), release(5, 1, history.Live)}, ""},
	} {
		got := ""
		for _, r := range InForce(tt.all) {
			got += r.Key
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
