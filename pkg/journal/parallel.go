package journal

import (
	"runtime"
	"sync"
)

// batchSize is how many things are handed to a worker at once.
const batchSize = 256

// inOrder reads things one after the other, works on many at once, and uses what came of each in
// their order. Use runs beside read, and is done when inOrder returns. It returns read's error.
func inOrder[T, R any](read func(emit func(T)) error, work func(T) R, use func(R)) error {
	type batch struct {
		things  []T
		results []R
		done    chan struct{}
	}
	workers := runtime.GOMAXPROCS(0)
	todo, order := make(chan *batch, workers), make(chan *batch, 2*workers)
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for b := range todo {
				for i, t := range b.things {
					b.results[i] = work(t)
				}
				close(b.done)
			}
		})
	}
	working.Go(func() {
		for b := range order {
			<-b.done
			for _, r := range b.results {
				use(r)
			}
		}
	})
	var things []T
	send := func() {
		b := &batch{things: things, results: make([]R, len(things)), done: make(chan struct{})}
		things = nil
		order <- b
		todo <- b
	}
	err := read(func(t T) {
		if things == nil {
			things = make([]T, 0, batchSize)
		}
		if things = append(things, t); len(things) == batchSize {
			send()
		}
	})
	send()
	close(todo)
	close(order)
	working.Wait()
	return err
}

// eachInOrder is inOrder with a use that may fail. What comes after that is not used.
func eachInOrder[T, R any](
	read func(emit func(T)) error, work func(T) R, use func(R) error,
) error {
	var failed error
	err := inOrder(read, work, func(r R) {
		if failed == nil {
			failed = use(r)
		}
	})
	if err == nil {
		err = failed
	}
	return err
}
