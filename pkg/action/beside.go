package action

// Beside runs f in a goroutine of its own. The function that it returns waits for the result, and
// panics if f did: a panic is that of the request that asked, and harms no other.
func Beside[T any](f func() T) (wait func() T) {
	type end struct {
		result   T
		panicked any
	}
	done := make(chan end, 1)
	go func() {
		var e end
		defer func() {
			e.panicked = recover()
			done <- e
		}()
		e.result = f()
	}()
	return func() T {
		e := <-done
		if e.panicked != nil {
			panic(e.panicked)
		}
		return e.result
	}
}
