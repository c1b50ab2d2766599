package store

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestMembersAreStoredAsTheyAre: a chunk that is read has what was stored, few or many, and what is
// damaged is told.
func TestMembersAreStoredAsTheyAre(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, count := range []int{0, 1, 2, mostListed, mostListed + 1, 30_000, 65_536} {
		var c, back chunk
		for _, low := range r.Perm(65_536)[:count] {
			c.set(uint16(low), true)
		}
		b := c.encode()
		if err := back.decodeInto(b); err != nil || back != c || len(b) > chunkBytes {
			t.Errorf("%d numbers in %d bytes: %v", count, len(b), err)
		}
	}
	for _, b := range [][]byte{{1}, make([]byte, chunkBytes+2)} {
		if err := (&chunk{}).decodeInto(b); err != errMembers {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	}
}

// TestMembersAcrossChunks: sets are kept, left out, counted and listed, over several chunks.
func TestMembersAcrossChunks(t *testing.T) {
	of := func(numbers ...int64) members {
		m := members{}
		for _, n := range numbers {
			m.add(n)
		}
		return m
	}
	const far = 5 << chunkBits
	m := of(1, 64, 65_535, 65_536, far, far+63)
	for name, tt := range map[string]struct {
		other members
		has   bool
		want  []int64
	}{
		"kept":     {of(64, far, 7), true, []int64{64, far}},
		"left out": {of(64, far, 7), false, []int64{1, 65_535, 65_536, far + 63}},
		"nothing":  {of(), true, nil},
		"all":      {of(), false, []int64{1, 64, 65_535, 65_536, far, far + 63}},
	} {
		t.Run(name, func(t *testing.T) {
			kept := of(m.numbers()...)
			kept.keep(tt.other, tt.has)
			if got := kept.numbers(); !slices.Equal(got, tt.want) || kept.count() != len(tt.want) ||
				kept.common(m) != len(tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
	if got := of(3, 1).list("[", "]"); got != "[1,3]" {
		t.Error(got)
	}
	if !m.has(far) || m.has(far+1) || m.has(9<<chunkBits) {
		t.Error("a number is there that was not added, or the other way round")
	}
}
