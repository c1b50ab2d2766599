package evidence_test

import (
	"testing"

	"aws-provider-executor/pkg/evidence"
)

// BenchmarkCanonical writes what was seen before an approval in the one form that is digested.
func BenchmarkCanonical(b *testing.B) {
	s := seen()
	for b.Loop() {
		if _, err := evidence.Canonical(s); err != nil {
			b.Fatal(err)
		}
	}
}
