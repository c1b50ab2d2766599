// Package oneprocessor has a program that imports it run on one processor from the first.
//
// A program that makes one call after the other needs no second one: it would only be woken and
// put to sleep. Most of a start is the initialisation of packages, so this one is initialised
// before them: it needs no other, and the paths of packages decide among those that are ready.
// Set in main, one processor saves some percent less.
package oneprocessor

import "runtime"

func init() { runtime.GOMAXPROCS(1) }
