package store

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// members is a set of nodes by their numbers, a chunk of 65,536 after the other.
type members map[int64]*chunk

// chunk has a bit for each number of a chunk.
type chunk [chunkBytes / 8]uint64

const (
	chunkBits  = 16
	chunkBytes = 1 << chunkBits / 8
	// mostListed is how many numbers of a chunk are stored as a list; more are stored as bits.
	mostListed = chunkBytes/2 - 1
)

func (m members) add(number int64) {
	c := m[number>>chunkBits]
	if c == nil {
		c = &chunk{}
		m[number>>chunkBits] = c
	}
	c.set(uint16(number), true)
}

func (m members) has(number int64) bool {
	c := m[number>>chunkBits]
	return c != nil && c.has(uint16(number))
}

// keep takes out those that another set has not, or those that it has.
func (m members) keep(other members, has bool) {
	for at, c := range m {
		theirs := other[at]
		switch {
		case theirs == nil && has:
			delete(m, at)
		case theirs == nil:
		default:
			for i := range c {
				if has {
					c[i] &= theirs[i]
				} else {
					c[i] &^= theirs[i]
				}
			}
		}
	}
}

func (m members) count() int {
	n := 0
	for _, c := range m {
		for _, word := range c {
			n += bits.OnesCount64(word)
		}
	}
	return n
}

// common is how many are in both.
func (m members) common(other members) int {
	n := 0
	for at, c := range m {
		if theirs := other[at]; theirs != nil {
			for i, word := range c {
				n += bits.OnesCount64(word & theirs[i])
			}
		}
	}
	return n
}

// numbers are all members, in order.
func (m members) numbers() []int64 {
	var all []int64
	for at, c := range m {
		for i, word := range c {
			for ; word != 0; word &= word - 1 {
				all = append(all, at<<chunkBits|int64(i*64+bits.TrailingZeros64(word)))
			}
		}
	}
	slices.Sort(all)
	return all
}

// list are the members as a text, between what begins and what ends it.
func (m members) list(begin, end string) string {
	var b strings.Builder
	b.WriteString(begin)
	for i, n := range m.numbers() {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(n, 10))
	}
	b.WriteString(end)
	return b.String()
}

func (c *chunk) set(low uint16, present bool) {
	if present {
		c[low/64] |= 1 << (low % 64)
	} else {
		c[low/64] &^= 1 << (low % 64)
	}
}

func (c *chunk) has(low uint16) bool { return c[low/64]&(1<<(low%64)) != 0 }

// encode is a chunk as it is stored: few numbers as a list, more as bits; nil where there is none.
func (c *chunk) encode() []byte {
	n := 0
	for _, word := range c {
		n += bits.OnesCount64(word)
	}
	if n > mostListed {
		b := make([]byte, 0, chunkBytes)
		for _, word := range c {
			b = binary.LittleEndian.AppendUint64(b, word)
		}
		return b
	}
	var b []byte
	for i, word := range c {
		for ; word != 0; word &= word - 1 {
			b = binary.LittleEndian.AppendUint16(b, uint16(i*64+bits.TrailingZeros64(word)))
		}
	}
	return b
}

var errMembers = errors.New("a set of nodes in the store is damaged")

// decodeInto adds what is stored to a chunk.
func (c *chunk) decodeInto(b []byte) error {
	switch {
	case len(b) == chunkBytes:
		for i := range c {
			c[i] |= binary.LittleEndian.Uint64(b[i*8:])
		}
	case len(b)%2 != 0 || len(b) > chunkBytes:
		return errMembers
	default:
		for ; len(b) > 0; b = b[2:] {
			c.set(binary.LittleEndian.Uint16(b), true)
		}
	}
	return nil
}
