package action

import (
	"testing"

	"aws-provider-executor/pkg/protocol"
)

// TestMismatch: an answer is not taken for that of a request for another thing. What says the same
// in another way is no such answer, and a success has something to tell.
func TestMismatch(t *testing.T) {
	v := Verb{
		Name: "assign",
		Target: []Field{{Name: "address", Form: HostAddress}, {Name: "nicRef", Form: InterfaceID},
			{Name: "note", Form: Text}},
		Facts: []Field{{Name: "assigned", Form: HostAddress, Echoes: "address"},
			{Name: "nicRef", Form: InterfaceID}, {Name: "prior", Form: Text}},
	}
	r := NewRegistry(nil)
	target := map[string]string{"address": "10.0.0.9/32", "nicRef": "eni-01234567"}
	for _, tt := range []struct {
		name  string
		mode  protocol.Mode
		facts map[string]string
		want  string
	}{
		{"it is the same", protocol.Execute, map[string]string{"assigned": "10.0.0.9/32"}, ""},
		{"it is spelt another way", protocol.Execute, map[string]string{"assigned": "10.0.0.9"}, ""},
		{"another address", protocol.Execute, map[string]string{"assigned": "10.0.0.90"},
			`its assigned is "10.0.0.90", and address of the request is "10.0.0.9/32"`},
		{"no address", protocol.Execute, map[string]string{"assigned": "x"},
			`its assigned is "x", and address of the request is "10.0.0.9/32"`},
		{"another interface", protocol.DryRun, map[string]string{"nicRef": "eni-89abcdef"},
			`its nicRef is "eni-89abcdef", and nicRef of the request is "eni-01234567"`},
		{"a fact that repeats nothing", protocol.Execute, map[string]string{"prior": "x"}, ""},
		{"a dry-run without facts", protocol.DryRun, nil, ""},
		{"an execution without facts", protocol.Execute, map[string]string{"region": "x"},
			"it tells none of the facts of assign: assigned, nicRef, prior"},
		{"an undo that others hold", protocol.Execute,
			map[string]string{protocol.FactHeldBy: `["k"]`}, ""},
		{"an undo of what is gone", protocol.Execute,
			map[string]string{protocol.FactTargetGone: "true"}, ""},
		{"an undo of what was released", protocol.Execute,
			map[string]string{protocol.FactReleased: "k"}, ""},
		{"an undo that withdraws", protocol.Execute,
			map[string]string{protocol.FactWithdrawn: "true"}, ""},
	} {
		got := r.Mismatch(v, protocol.Request{Mode: tt.mode, Target: target}, tt.facts)
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	// What can't be read is the same only as itself.
	for told, same := range map[string]bool{"y": false, "x": true} {
		got := r.Mismatch(v, protocol.Request{Target: map[string]string{"address": "x"}},
			map[string]string{"assigned": told})
		if same != (got == "") {
			t.Errorf("%s for x: %q", told, got)
		}
	}
}
