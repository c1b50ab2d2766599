//go:build postgres

package store_test

import (
	"testing"

	"aws-provider-executor/pkg/internal/postgres"
)

// With the real server every test of the store runs on both engines.
func init() {
	engines["postgres"] = func(t *testing.T) string { return postgres.Fresh(t) }
	atEnd = append(atEnd, postgres.Stop)
}
