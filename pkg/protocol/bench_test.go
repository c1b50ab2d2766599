package protocol

import (
	"io"
	"strings"
	"testing"
)

func BenchmarkDecode(b *testing.B) {
	for b.Loop() {
		if _, faults := Decode(strings.NewReader(good)); len(faults) > 0 {
			b.Fatal(faults)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	status := Say(Succeeded, "assigned 10.88.60.9 to eni-0abc")
	status.UndoAvailable = true
	status.Observed = map[string]string{
		"assignedAddress": "10.88.60.9", "priorAssigned": "false", "priorHolder": "none",
		"currentSecondaryIps": "10.88.60.9", "changed": "true",
	}
	for b.Loop() {
		if err := Encode(io.Discard, NewResult(status)); err != nil {
			b.Fatal(err)
		}
	}
}
