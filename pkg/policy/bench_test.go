package policy

import (
	"fmt"
	"strings"
	"testing"
)

// withNetworks is a policy of so many networks. The last of them has the address of request.
func withNetworks(n int) string {
	networks := make([]string, n)
	for i := range networks {
		networks[i] = fmt.Sprintf("172.%d.%d.0/24", 16+i/256%16, i%256)
	}
	networks[n-1] = "10.88.60.0/24"
	return strings.Replace(open, "10.88.60.0/24", strings.Join(networks, ", "), 1)
}

// BenchmarkParse reads policies of more and more networks.
func BenchmarkParse(b *testing.B) {
	for _, n := range []int{1, 1000, 10_000} {
		text := []byte(header + withNetworks(n))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := Parse(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecide decides on one request under policies of more and more networks.
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{1, 1000, 10_000} {
		p, s := mustParse(b, withNetworks(n)), subject(nil)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if err := p.Subject(s).Err(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestManyNetworksAreLinear: four times as many networks take no more than four times the
// allocations to read, and none to decide by.
func TestManyNetworksAreLinear(t *testing.T) {
	read := func(n int) float64 {
		text := []byte(header + withNetworks(n))
		return testing.AllocsPerRun(1, func() {
			if p, err := Parse(text); err != nil || len(p.CIDRs) != n {
				t.Fatal(err)
			}
		})
	}
	if small, large := read(2500), read(10_000); large > 4*small {
		t.Errorf("2,500 networks take %.0f allocations, 10,000 take %.0f", small, large)
	}
	p, s := mustParse(t, withNetworks(10_000)), subject(nil)
	decide := func() {
		if err := p.Subject(s).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(3, decide); n > 0 {
		t.Errorf("a decision takes %.0f allocations", n)
	}
}
