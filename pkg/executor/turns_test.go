package executor

import (
	"context"
	"testing"
)

// TestTurnsGoOnBehindOneThatGaveUp: a request that gives up lets nobody past the one it waited for.
func TestTurnsGoOnBehindOneThatGaveUp(t *testing.T) {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for name, cameBefore := range map[string]bool{"came before": true, "came after": false} {
		t.Run(name, func(t *testing.T) {
			all := turns{last: map[string]*turn{}}
			first, second := all.take([]string{"other", "x"}), all.take([]string{"x", "x"})
			var third *turn
			if cameBefore {
				third = all.take([]string{"x"})
			}
			if of, ok := second.wait(gone); ok || of != "x" {
				t.Fatalf("the second waited for %q, %t", of, ok)
			}
			second.end()
			if !cameBefore {
				third = all.take([]string{"x"})
			}
			if _, ok := third.wait(gone); ok {
				t.Error("the third went on before the first had ended")
			}
			first.end()
			if _, ok := third.wait(context.Background()); !ok {
				t.Error("the third did not go on")
			}
			third.end()
			if len(all.last) != 0 {
				t.Errorf("%d turns are kept", len(all.last))
			}
		})
	}
}
