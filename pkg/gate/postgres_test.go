//go:build postgres

package gate_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"aws-provider-executor/pkg/pgserver"
)

// TestMain has the journals of all of these tests on a PostgreSQL server.
func TestMain(m *testing.M) {
	server, err := pgserver.Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	place = func(t *testing.T) string {
		u, err := server.Fresh(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	code := m.Run()
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
