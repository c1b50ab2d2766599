package protocol

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// classes are the failure classes as cores know them, and whether each is retryable by itself.
const classes = `invalid-request false
denied false
configuration false
authentication false
authorization false
not-found true
conflict false
drift false
limit-exceeded false
throttled true
unavailable true
timeout true
unverified true
ambiguous true
self-fence false
state-store false
command-failed false
internal false
`

// facts are the facts of any verb as cores know them; + marks those that are true or false.
const facts = `failureClass
retryable +
changed +
awsErrorCode
requestId
permissionHint
heldBy
released
withdrawn +
notRestored +
ledger
ignoredKeys
targetGone +
targetAccount
priorFactsKept +
warning
unforeseen
holder
drift
recorded
plan
undoPlan
calls
callMillis
`

// TestWordsOfTheWire: cores compare these words and numbers, so none changes by itself.
func TestWordsOfTheWire(t *testing.T) {
	var got strings.Builder
	for _, c := range FailureClasses() {
		fmt.Fprintln(&got, c.Class, c.Retryable)
	}
	if diff := cmp.Diff(classes, got.String()); diff != "" {
		t.Errorf("classes (-want +got):\n%s", diff)
	}
	got.Reset()
	for _, f := range CommonFacts() {
		mark := ""
		if f.Boolean {
			mark = " +"
		}
		fmt.Fprintln(&got, f.Name+mark)
	}
	if diff := cmp.Diff(facts, got.String()); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	if UndoKeySuffix != ":undo" || PriorPrefix != "prior" {
		t.Errorf("%q, %q", UndoKeySuffix, PriorPrefix)
	}
	if MaxRequestBytes != 1<<20 || MaxResultBytes != 4<<20 || MaxLogBytes != 64<<10 {
		t.Errorf("%d, %d, %d bytes", MaxRequestBytes, MaxResultBytes, MaxLogBytes)
	}
}

// result is a whole result, with parts replaced.
func result(replace ...string) []byte {
	const whole = `{"apiVersion":"provideraction.routerd.net/v1alpha1",` +
		`"kind":"ExecuteActionResult","status":{` +
		`"status":"failed","message":"m","error":"e","observed":{"password":"is no secret ` +
		`here"},"undoAvailable":true}}`
	return []byte(strings.NewReplacer(replace...).Replace(whole))
}

// TestDecodeResultReadsAll: what an executor says reaches the gate, whatever its facts are called.
func TestDecodeResultReadsAll(t *testing.T) {
	want := NewResult(Status{Status: Failed, Message: "m", Error: "e", UndoAvailable: true,
		Observed: map[string]string{"password": "is no secret here"}})
	got, faults := DecodeResult(result())
	if diff := cmp.Diff(want, got); diff != "" || faults != nil {
		t.Errorf("%v (-want +got):\n%s", faults, diff)
	}
	for _, state := range []State{Succeeded, Failed, Skipped} {
		got, faults := DecodeResult(result("failed", string(state)))
		if faults != nil || got.Status.Status != state {
			t.Errorf("%s: %+v, %v", state, got, faults)
		}
	}
	// A core in Go sends what it has none of as null or not at all.
	for _, none := range []string{"null", "{}"} {
		got, faults := DecodeResult(result(`{"password":"is no secret here"}`, none))
		if faults != nil || got.Status.Observed != nil {
			t.Errorf("%s: %+v, %v", none, got, faults)
		}
	}
}

// TestDecodeResultRefuses: one that could be misread is none, and every fault is told.
func TestDecodeResultRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"nothing", nil, "there is no result on the input"},
		{"no result", []byte("[]"), "the result is an array, want an object"},
		{"too large", []byte(strings.Repeat(" ", MaxResultBytes+1)), "the result is larger than " +
			"4194304 bytes"},
		{"a key twice", result(`"message"`, `"error"`), "status.error: the key is there twice (line " +
			"1, column 128)"},
		{"another version", result("v1alpha1", "v2"),
			`apiVersion: is "provideraction.routerd.net/v2", want "provideraction.routerd.net/v1alpha1"`},
		{"another kind", result("ExecuteActionResult", "Other"), `kind: is "Other", want ` +
			`"ExecuteActionResult"`},
		{"no status", result(`"status":"failed",`, ""), "status.status: is required"},
		{"another status", result("failed", "done"),
			`status.status: is "done", want "succeeded", "failed" or "skipped"`},
		{"a message that is no text", result(`"m"`, "1"), "status.message: is a number, want a string"},
		{"an error that is no text", result(`"e"`, "1"), "status.error: is a number, want a string"},
		{"a fact that is no text", result(`"is no secret here"`, "1"),
			"status.observed.password: is a number, want a string"},
		{"facts that are none", result(`{"password":"is no secret here"}`, "1"),
			"status.observed: is a number, want an object"},
		{"no truth", result("true", `"true"`), "status.undoAvailable: is a string, want true or false"},
		{"every fault", result(`"m"`, "1", "failed", "done"),
			`status.message: is a number, want a string; ` +
				`status.status: is "done", want "succeeded", "failed" or "skipped"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, faults := DecodeResult(c.data); faults == nil || faults.Error() != c.want {
				t.Errorf("%v, want %s", faults, c.want)
			}
		})
	}
}

// TestDecodeRefusesEachLoneSurrogate: half of a character becomes another one in each reader. The
// place of the first is told.
func TestDecodeRefusesEachLoneSurrogate(t *testing.T) {
	const none = -1
	for text, lone := range map[string]int{
		`\ud800\udc00`: none, `\uDBFF\uDFFF`: none, `\udbff\udfff`: none, `\ud7ff`: none, `\ue000`: none,
		`\\ud800`: none, `\\\\udc00`: none, `\u0041`: none, `\ud83d\ude00\ud83d\ude00`: none,
		`\nudc00`: none, `\ud800\udfff\ud800\udc00`: none, `\ufd80`: none, `\u0d80`: none,
		`\ud800`: 0, `\uD800`: 0, `\udbff`: 0, `\udc00`: 0, `\udfff`: 0, `\udFfF`: 0, `\uDC00`: 0,
		`\ud800A`: 0, `\ud800\u0041`: 0, `\ud800\ud800`: 0, `\ud800\ue000`: 0, `\ud800\udbff`: 0,
		`\ud800\nudc00`: 0, `\ud800-udc00`: 0,
		`\\\ud800`: 2, `\u0041\udc00`: 6, `\n\ud999`: 2, `\ud800\udc00\udc01`: 12, `\u00e9\udd09`: 6,
		`\ud800\udc00\ud800`: 12,
	} {
		_, faults := DecodeResult(result(`"m"`, `"`+text+`"`))
		column := fmt.Sprintf("(line 1, column %d)", lone+strings.Index(string(result()), `"m"`)+2)
		if lone == none && faults != nil {
			t.Errorf("%s: %v", text, faults)
		}
		if lone != none && (faults == nil || !strings.HasSuffix(faults.Error(), `escape `+column)) {
			t.Errorf("%s: %v, want one at %s", text, faults, column)
		}
	}
}

// TestFieldsNearlyKeyed: what a request says in a field with another letter must not be dropped.
func TestFieldsNearlyKeyed(t *testing.T) {
	for key, want := range map[string]string{
		"targets": "target", "Target": "target", "parameter": "parameters", "paramters": "parameters",
		"context": "", "notes": "",
	} {
		_, faults := Decode(strings.NewReader(`{"apiVersion":"provideraction.routerd.net/v1alpha1",` +
			`"kind":"ExecuteActionRequest","spec":{"action":"a","provider":"aws","mode":"dry-run",` +
			`"idempotencyKey":"k","` + key + `":{"a":"b"}}}`))
		told := "spec." + key + ": is no field of a request; did you mean " + want + "?"
		if want == "" && faults != nil || want != "" && (faults == nil || faults.Error() != told) {
			t.Errorf("%s: %v, want %s", key, faults, want)
		}
	}
}
