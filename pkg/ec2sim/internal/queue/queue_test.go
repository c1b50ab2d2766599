package queue

import (
	"testing"
	"time"
)

var start = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// A queue and its copy share nothing, and messages that are too old go.
func TestCloneAndRetention(t *testing.T) {
	s := Default()
	s.Retention = time.Hour
	q := New("q", s, start)
	q.Put("late", start, start.Add(time.Minute))
	q.Put("now", start, start)
	c := q.Clone()
	if got := c.Take(10, time.Second, start); len(got) != 1 || got[0].Body != "now" {
		t.Fatal(got)
	}
	if visible, hidden, delayed := c.Count(start); visible != 0 || hidden != 1 || delayed != 1 {
		t.Error(visible, hidden, delayed)
	}
	if visible, hidden, delayed := q.Count(start); visible != 1 || hidden != 0 || delayed != 1 {
		t.Error(visible, hidden, delayed)
	}
	if next, some := c.Next(start); !some || !next.Equal(start.Add(time.Second)) {
		t.Error(next, some)
	}
	if got := q.Take(10, 0, start.Add(time.Hour)); len(got) != 0 {
		t.Error(got)
	}
}

// Two messages never have one id, in whatever queue.
func TestIDs(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range []string{"a", "b"} {
		q := New(name, Default(), start)
		for range 3 {
			id := q.Put("same", start, start)
			if seen[id] || len(id) != 36 {
				t.Errorf("the id %q", id)
			}
			seen[id] = true
		}
	}
}
