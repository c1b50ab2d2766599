package wildcard_test

import (
	"strings"
	"testing"

	"aws-provider-executor/pkg/wildcard"
)

// BenchmarkMatch matches texts: a plain one, a usual one, and one with as many stars as takes the
// most.
func BenchmarkMatch(b *testing.B) {
	long := strings.Repeat("a", 200)
	for _, c := range []struct {
		name, pattern, text string
		want                bool
	}{
		{"plain", "web-0999", "web-0999", true},
		{"usual", "web-*-prod?", "web-0999-prod1", true},
		{"stars", strings.Repeat("*a", 20) + "*b", long, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if wildcard.Plain.Match(c.pattern, c.text) != c.want {
					b.Fatal(!c.want)
				}
			}
		})
	}
}
