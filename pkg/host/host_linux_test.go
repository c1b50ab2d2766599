package host

import (
	"errors"
	"io/fs"
	"testing"
)

// TestAHiddenProcessHasNotEnded: a /proc that hides processes of other users says nothing of them.
func TestAHiddenProcessHasNotEnded(t *testing.T) {
	p, end := process(t)
	hiding := t.TempDir()
	if _, err := startedBy(hiding, p.PID); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("at work: %v", err)
	}
	end()
	if _, err := startedBy(hiding, p.PID); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ended: %v", err)
	}
}
