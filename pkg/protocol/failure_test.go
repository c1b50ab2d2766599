package protocol

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFailureClassesAreDistinct(t *testing.T) {
	seen := map[FailureClass]bool{}
	for _, c := range FailureClasses() {
		if c.Class == "" || c.Doc == "" || seen[c.Class] {
			t.Errorf("%q has no text, or is there twice", c.Class)
		}
		seen[c.Class] = true
	}
	if len(seen) != 18 {
		t.Errorf("%d classes, the contract has 18", len(seen))
	}
}

func TestMayRetry(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		name    string
		failure Failure
		want    bool
	}{
		{"by its class", Failure{Class: Throttled}, true},
		{"not by its class", Failure{Class: Conflict}, false},
		{"it knows better", Failure{Class: Conflict, Retryable: &yes}, true},
		{"it knows worse", Failure{Class: Throttled, Retryable: &no}, false},
		{"an unknown class", Failure{Class: "other"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.failure.MayRetry(); got != c.want {
				t.Errorf("%t, want %t", got, c.want)
			}
		})
	}
}

// TestWithCopies: a failure that is given a fact leaves the one it came from alone.
func TestWithCopies(t *testing.T) {
	bare := &Failure{Class: Drift, Message: "m"}
	one := bare.With("a", "1")
	two := one.With("b", "2").With("a", "3")
	if diff := cmp.Diff(&Failure{Class: Drift, Message: "m"}, bare); diff != "" {
		t.Errorf("bare (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"a": "1"}, one.Facts); diff != "" {
		t.Errorf("one (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"a": "3", "b": "2"}, two.Facts); diff != "" {
		t.Errorf("two (-want +got):\n%s", diff)
	}
	if two.Error() != "m" || two.Class != Drift {
		t.Errorf("%v", two)
	}
}
