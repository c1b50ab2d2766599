package shortrun

import (
	"runtime"
	"testing"
)

// TestTheStackGrowsAtOnce: without a variable of that size being used, and none is on the heap.
func TestTheStackGrowsAtOnce(t *testing.T) {
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.StackInuse
	}
	const goroutines = 20
	grown, done := make(chan bool), make(chan bool)
	defer close(done)
	before := inUse()
	for range goroutines {
		go func() {
			needStack(false)
			grown <- true
			<-done
		}()
	}
	for range goroutines {
		<-grown
	}
	if more := inUse() - before; more < goroutines*firstStack {
		t.Errorf("%d goroutines have %d bytes of stack more, want %d each", goroutines, more, firstStack)
	}
	if n := testing.AllocsPerRun(10, func() { needStack(true) }); n != 0 {
		t.Errorf("the frame is on the heap: %v allocations", n)
	}
}
