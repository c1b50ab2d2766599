package journal

import (
	"context"
	"fmt"
	"testing"

	"aws-provider-executor/pkg/gate"
)

// grownTo is a journal of so many actions, made in parts.
func grownTo(b *testing.B, n int) *Journal {
	const part = 50_000
	j := open(b, newPath(b))
	for from := 0; from < n; from += part {
		changes := make([]gate.Change, min(part, n-from))
		for i := range changes {
			changes[i] = gate.Change{
				Action: action(fmt.Sprint("key-", from+i)), Event: event(gate.EventImported),
			}
		}
		apply(b, j, changes...)
	}
	return j
}

// BenchmarkBySize does what is done with one action, and lists a page, in journals of different
// sizes: each should cost the same.
func BenchmarkBySize(b *testing.B) {
	outer := b
	ctx := context.Background()
	for _, size := range []int{10_000, 1_000_000} {
		var j *Journal
		each := func(name string, do func(i int) error) {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				if j == nil {
					j = grownTo(outer, size)
				}
				for i := 0; b.Loop(); i++ {
					if err := do(i); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		list := func(q gate.Query) func(int) error {
			return func(int) error { _, err := j.List(ctx, q); return err }
		}
		each("list", list(gate.Query{Limit: 100}))
		each("newest", list(gate.Query{Limit: 100, Newest: true}))
		each("statuses", list(gate.Query{Limit: 100, Newest: true, After: int64(size),
			Statuses: []gate.Status{gate.Pending, gate.Failed}}))
		each("key", list(gate.Query{Limit: 100, Keys: []string{"key-77*"}}))
		each("show", func(i int) error {
			_, err := j.Get(ctx, int64(i*7919%size+1))
			if err == nil {
				_, err = j.History(ctx, int64(i*7919%size+1))
			}
			return err
		})
		each("approve", func(i int) error {
			a, err := j.Get(ctx, int64(i*7919%size+1))
			if err == nil {
				a.Status = gate.Approved
				_, err = j.Apply(ctx, gate.Change{Action: a, Event: event(gate.EventApproved)})
			}
			return err
		})
	}
}
