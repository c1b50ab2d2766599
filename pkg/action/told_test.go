package action_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

func TestNamed(t *testing.T) {
	tests := []struct {
		name, told string
		undoes     bool
		want       bool
		refused    bool
	}{
		{"nothing is told", "", true, false, false},
		{"the target is told", "10.0.0.9", true, true, false},
		{"the target is told, and nothing is undone", "10.0.0.9", false, false, false},
		{"another is told", "10.0.0.10", true, false, true},
		{"another is told, and nothing is undone", "10.0.0.10", false, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := action.Request{Parameters: map[string]string{"assigned": tt.told}, Undoes: tt.undoes}
			named, err := action.Named(r, "assigned", "10.0.0.9")
			var f *protocol.Failure
			refused := errors.As(err, &f) && f.Class == protocol.InvalidRequest
			if named != tt.want || refused != tt.refused || (err != nil) != tt.refused {
				t.Errorf("%v, %v; want %v, refused: %v", named, err, tt.want, tt.refused)
			}
		})
	}
}

// TestMovedOnIsNotBelievedOnAnOldReading: read again to be so after all, it is planned anew.
func TestMovedOnIsNotBelievedOnAnOldReading(t *testing.T) {
	gone := errors.New("gone")
	for _, tt := range []struct {
		seen string
		err  error
		same bool
	}{{"other", nil, true}, {"mine", nil, false}, {"", gone, false}} {
		again := func(context.Context) (action.Seen, error) {
			return action.Seen{Values: []string{tt.seen}}, tt.err
		}
		p := action.MovedOn("mine", again, map[string]string{"a": "b"}, "moved on")
		seen, err := p.Read(context.Background())
		if !errors.Is(err, tt.err) || err == nil && slices.Equal(seen.Values, p.Seen.Values) != tt.same {
			t.Errorf("%q: %v, %v", tt.seen, seen, err)
		}
	}
}
