package protocol

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// writes keeps each Write apart.
type writes []string

func (w *writes) Write(p []byte) (int, error) {
	*w = append(*w, string(p))
	return len(p), nil
}

func TestEncode(t *testing.T) {
	for _, c := range []struct {
		name   string
		status Status
		want   string
	}{
		{"the contract's example", Status{
			Status: Succeeded, Message: "assigned 10.88.60.9 to eni-0abc",
			Observed: map[string]string{"priorAssigned": "false", "changed": "true",
				"assignedAddress": "10.88.60.9"},
			UndoAvailable: true,
		}, `{
  "apiVersion": "provideraction.routerd.net/v1alpha1",
  "kind": "ExecuteActionResult",
  "status": {
    "status": "succeeded",
    "message": "assigned 10.88.60.9 to eni-0abc",
    "observed": {
      "assignedAddress": "10.88.60.9",
      "changed": "true",
      "priorAssigned": "false"
    },
    "undoAvailable": true
  }
}
`},
		{"empty fields are left out", Status{Status: Skipped, Observed: map[string]string{}}, `{
  "apiVersion": "provideraction.routerd.net/v1alpha1",
  "kind": "ExecuteActionResult",
  "status": {
    "status": "skipped"
  }
}
`},
		{"texts stay as they are", Status{Status: Failed, Error: `<a> & "b" é` + "\n"}, `{
  "apiVersion": "provideraction.routerd.net/v1alpha1",
  "kind": "ExecuteActionResult",
  "status": {
    "status": "failed",
    "error": "<a> & \"b\" é\n"
  }
}
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 20 {
				var w writes
				if err := Encode(&w, NewResult(c.status)); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(writes{c.want}, w); diff != "" {
					t.Fatalf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestEncodeIsBounded: what a core would not read to its end is not written at all.
func TestEncodeIsBounded(t *testing.T) {
	size := func(n int) Result {
		return NewResult(Status{Status: Failed, Error: strings.Repeat("x",
			n)})
	}
	var frame writes
	if err := Encode(&frame, size(1)); err != nil {
		t.Fatal(err)
	}
	most := MaxResultBytes - len(frame[0]) + 1
	var w writes
	if err := Encode(&w, size(most)); err != nil || len(w) != 1 || len(w[0]) != MaxResultBytes {
		t.Errorf("the largest: %v, %d writes", err, len(w))
	}
	w = nil
	if err := Encode(&w, size(most+1)); err == nil || len(w) != 0 {
		t.Errorf("one more: %v, %d writes", err, len(w))
	}
}

type broken struct{}

var errBroken = errors.New("broken pipe")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestEncodeTellsWriteError(t *testing.T) {
	if err := Encode(broken{}, NewResult(Status{})); !errors.Is(err, errBroken) {
		t.Errorf("%v", err)
	}
}

func TestQuote(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", `""`},
		{"plain", "eni-0abc", `"eni-0abc"`},
		{"quotes and lines", "a\"b\nc\x00\u2028", `"a\"b\nc\x00\u2028"`},
		{"as long as repeated", strings.Repeat("a", 80), `"` + strings.Repeat("a", 80) + `"`},
		{"longer", strings.Repeat("a", 81), `"` + strings.Repeat("a", 80) + `…"`},
		{"cut inside a letter", strings.Repeat("a", 79) + "é", `"` + strings.Repeat("a", 79) + `…"`},
		{"an access key", "AKIAIOSFODNN7EXAMPLE", `"(an access key)"`},
		{"a temporary one", "ASIAIOSFODNN7EXAMPLE", `"(an access key)"`},
		{"inside a text", "key=AKIAIOSFODNN7EXAMPLE;", `"(an access key)"`},
		{"beyond what is repeated", strings.Repeat("a", 100) + "AKIAIOSFODNN7EXAMPLE",
			`"(an access key)"`},
		{"too short", "AKIAIOSFODNN7EXAMPL", `"AKIAIOSFODNN7EXAMPL"`},
		{"lower case", "AKIAiosfodnn7example", `"AKIAiosfodnn7example"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Quote(c.text)
			if got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if !utf8.ValidString(got) {
				t.Error("not UTF-8")
			}
		})
	}
}

// TestBothTexts: callers print one of the two texts, so what is no success fills both; whoever
// prints both has each once.
func TestBothTexts(t *testing.T) {
	for _, c := range []struct {
		name, message, failure string
		status                 Status
	}{
		{"a success", "did it", "", Say(Succeeded, "did it")},
		{"a failure", "", "cannot", Say(Failed, "cannot")},
		{"nothing to restore", "it stays", "", Say(Skipped, "it stays")},
		{"another's failure, with the error alone", "", "cannot", Status{Status: Failed,
			Error: "cannot"}},
		{"another's failure, with the message alone", "", "cannot", Status{Status: Failed,
			Message: "cannot"}},
		{"another's failure, with two texts", "tried", "cannot", Status{Status: Failed, Message: "tried",
			Error: "cannot"}},
		{"another's success with an error", "did it", "but", Status{Status: Succeeded, Message: "did it",
			Error: "but"}},
	} {
		if message, failure := c.status.Lines(); message != c.message || failure != c.failure {
			t.Errorf("%s: %q and %q, want %q and %q", c.name, message, failure, c.message, c.failure)
		}
	}
	for _, state := range []State{Failed, Skipped} {
		if s := Say(state, "why"); s.Message != "why" || s.Error != "why" {
			t.Errorf("%s says %q and %q", state, s.Message, s.Error)
		}
	}
	if s := Say(Succeeded, "why"); s.Message != "why" || s.Error != "" {
		t.Errorf("a success says %q and %q", s.Message, s.Error)
	}
}
