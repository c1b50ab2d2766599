package ledger_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"aws-provider-executor/pkg/ledger"
)

// TestManyMakeOneStore: of many that open a directory that is not there yet, as the first requests
// of a stream do, none fails.
func TestManyMakeOneStore(t *testing.T) {
	for range 20 {
		dir := filepath.Join(t.TempDir(), "state")
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				if _, err := ledger.Open(t.Context(), dir, ledger.OSDisk{}, time.Now); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
}
