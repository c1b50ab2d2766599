// Package shortrun prepares Go's runtime for a program that answers one request and ends. What
// imports it runs on one processor, with a stack that is not moved on the way down.
//
// A program that makes one call after the other needs no second processor: it would only be woken
// and put to sleep. Most of a start is the initialisation of packages, so this one is initialised
// before them: it needs no other, and the paths of packages decide among those that are ready.
// Set in main, one processor saves some percent less.
package shortrun

import "runtime"

// firstStack is about what the calls of one request need. A stack doubles whenever it is too small,
// and is copied each time, with all pointers to it. It would do so from 8 KiB on.
const firstStack = 64 << 10

func init() {
	runtime.GOMAXPROCS(1)
	needStack(false)
}

// needStack grows the stack before it is deep. A function has room for all its variables before it
// begins, so none of them needs to be used.
//
//go:noinline
func needStack(use bool) byte {
	if !use {
		return 0
	}
	var frame [firstStack]byte
	return lastOf(&frame)
}

//go:noinline
func lastOf(frame *[firstStack]byte) byte { return frame[len(frame)-1] }
