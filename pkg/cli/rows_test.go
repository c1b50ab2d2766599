package cli

import (
	"bytes"
	"encoding/json"
	"testing"

	"aws-provider-executor/pkg/gate"
)

// TestRowsArePrintedAsAList: row by row they are what encoding/json makes of the list.
func TestRowsArePrintedAsAList(t *testing.T) {
	rows := []outcomeRow{
		{Row: gate.Row{ID: 1, IdempotencyKey: "a<b>", Target: map[string]string{"nicRef": "eni-1"}}},
		{Row: gate.Row{ID: 2, Target: map[string]string{}}, Reasons: []string{"x: y", "z"}},
	}
	for n := range len(rows) + 1 {
		var want, got bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(rows[:n]); err != nil {
			t.Fatal(err)
		}
		a := &app{stdout: &got, format: "json"}
		if err := a.printDocument(rows[:n]); err != nil || a.printed != 1 {
			t.Fatal(err, a.printed)
		}
		if want.String() != got.String() {
			t.Errorf("%d rows:\n%s\nwant:\n%s", n, got.String(), want.String())
		}
	}
}
