package action_test

import (
	"testing"

	"aws-provider-executor/pkg/action"
)

// TestBeside: it returns the result, or panics where it is waited for.
func TestBeside(t *testing.T) {
	if got := action.Beside(func() string { return "done" })(); got != "done" {
		t.Error(got)
	}
	wait := action.Beside(func() string { panic("boom") })
	defer func() {
		if p := recover(); p != "boom" {
			t.Errorf("recovered %v", p)
		}
	}()
	t.Errorf("it returns %q", wait())
}
