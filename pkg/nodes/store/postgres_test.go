//go:build postgres

package store_test

import (
	"sync"
	"testing"

	"aws-provider-executor/pkg/pgserver"
)

// With the real server every test of the store runs on both engines.
func init() {
	var started *pgserver.Server
	start := sync.OnceValues(func() (*pgserver.Server, error) {
		var err error
		started, err = pgserver.Start()
		return started, err
	})
	engines["postgres"] = func(t *testing.T) string {
		server, err := start()
		if err != nil {
			t.Fatal(err)
		}
		url, err := server.Fresh(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return url
	}
	atEnd = append(atEnd, func() {
		if started != nil {
			_ = started.Stop()
		}
	})
}
