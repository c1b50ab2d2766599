package history_test

import (
	"fmt"
	"testing"

	"aws-provider-executor/pkg/history"
)

// BenchmarkRules asks what an executor asks of a history: what an action finds, and where the undo
// of the lowest of many leads.
func BenchmarkRules(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			entries := []history.Entry{
				{Seq: 1, Key: "k1", From: "true", To: "false", State: history.Live, Begins: true}}
			for i := 2; i <= n; i++ {
				entries = append(entries, history.Entry{Seq: int64(i), Key: fmt.Sprint("k", i),
					From: "false", To: "false", State: history.Live})
			}
			for b.Loop() {
				v := history.At(entries, "false")
				e := v.Begin("new", "false", "", int64(n+1))
				undo := v.Undo("k1")
				if e.Begins || n == 1 && undo.Aim != "true" {
					b.Fatalf("%+v, %+v", e, undo)
				}
			}
		})
	}
}
