package history

import "testing"

func TestWhole(t *testing.T) {
	for _, c := range []struct {
		name, entries string
		want          bool
	}{
		{"nothing", "", true},
		{"one", "1 a A B live begins", true},
		{"one on the other", "1 a A B live begins; 2 b B C live on=1", true},
		{"the lowest is missing", "2 b B C live on=1", false},
		{
			"one in the middle is missing",
			"1 a A B live begins; 3 c C D pending on=2", false,
		},
		{
			"one is missing below a run that a stranger began",
			"2 b B C live on=1; 3 c S D live begins", false,
		},
		{"the uppermost is missing, which can't be told", "1 a A B live begins", true},
		{
			"the lowest of actions that are undone was removed first",
			"2 b B C withdrawn undone=3 aim=A on=1", true,
		},
		{"two have the same place", "1 a A B live begins; 1 b C D live begins", false},
		{
			"two that are undone have the same place",
			"1 a A B withdrawn undone=2 aim=A begins; 1 b C D withdrawn undone=2 aim=C begins", false,
		},
		{
			"what a release ended was removed",
			"2 b B C live on=1; 3 r A A live begins ends=1", true,
		},
		{
			"what a release did not end is missing",
			"4 d D E live on=3; 5 r A A live begins ends=1", false,
		},
		{"one that an older program recorded", "2 b B C live", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Whole(parse(list(c.entries)...)); got != c.want {
				t.Errorf("whole: %t, want %t", got, c.want)
			}
		})
	}
}
