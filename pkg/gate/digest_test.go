package gate_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"testing"

	"aws-provider-executor/pkg/gate"
)

// digestOf is what every approval has been bound to.
func digestOf(t *testing.T, p gate.Plan) string {
	t.Helper()
	full := func(m map[string]string) map[string]string {
		if m == nil {
			return map[string]string{}
		}
		return m
	}
	what := map[string]any{
		"action": p.Action, "provider": p.Provider, "providerRef": p.ProviderRef,
		"target": full(p.Target), "parameters": full(p.Parameters), "idempotencyKey": p.IdempotencyKey,
	}
	if p.Undo != nil {
		what["undo"] = map[string]any{"action": p.Undo.Action, "parameters": full(p.Undo.Parameters)}
	}
	text, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// TestDigestsStay: an approval that was given to a plan is one to the same plan later.
func TestDigestsStay(t *testing.T) {
	for _, text := range []string{
		"", "plain", `"\`, "<a> & b", "ünï\u2028", "\x00\t\n\x7f", "\xff", "\ufffd",
	} {
		m := map[string]string{"b": text, "a": "x", text: "key"}
		for _, p := range []gate.Plan{
			{Action: text, Provider: text, ProviderRef: text, IdempotencyKey: text},
			{Target: m, Parameters: m, Undo: &gate.Undo{Action: text, Parameters: m}},
			{Target: map[string]string{}, Undo: &gate.Undo{Action: text}},
		} {
			if got, want := p.Digest(), digestOf(t, p); got != want {
				t.Errorf("%+v: %s, want %s", p, got, want)
			}
		}
	}
}
