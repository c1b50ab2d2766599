package journal

import (
	"context"
	"fmt"
	"testing"

	"aws-provider-executor/pkg/gate"
)

func filled(b testing.TB, n int) *Journal {
	j := open(b, newPath(b))
	var changes []gate.Change
	for i := range n {
		changes = append(
			changes,
			gate.Change{Action: action(fmt.Sprint("key-", i)), Event: event(gate.EventImported)},
		)
	}
	apply(b, j, changes...)
	return j
}

func BenchmarkImport1000(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		j := open(b, newPath(b))
		var changes []gate.Change
		for i := range 1000 {
			changes = append(
				changes,
				gate.Change{Action: action(fmt.Sprint("key-", i)), Event: event(gate.EventImported)},
			)
		}
		b.StartTimer()
		apply(b, j, changes...)
	}
}

func BenchmarkVerify10000(b *testing.B) {
	j := filled(b, 10_000)
	for b.Loop() {
		if f := faults(b, j); len(f) > 0 {
			b.Fatal(f)
		}
	}
}

func BenchmarkPage(b *testing.B) {
	j := filled(b, 10_000)
	for b.Loop() {
		if _, err := j.List(context.Background(), gate.Query{Limit: 100, Newest: true}); err != nil {
			b.Fatal(err)
		}
	}
}
