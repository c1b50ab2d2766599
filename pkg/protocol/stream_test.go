package protocol_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/protocol"
)

// documents takes a stream apart, and reports whether it ends within a document.
func documents(r io.Reader) (all []string, unframed bool) {
	d := protocol.NewDocuments(r)
	for {
		document, err := d.Next()
		switch {
		case errors.Is(err, io.EOF):
			return all, false
		case err != nil:
			return append(all, string(document)), errors.Is(err, protocol.ErrUnframed)
		}
		all = append(all, string(document))
	}
}

// TestDocuments: documents are told apart by their brackets, however they are spaced, and whatever
// is in their texts. Where that can't be done nothing more is read.
func TestDocuments(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     []string
		unframed bool
	}{
		{"none", "", nil, false},
		{"none, but space", " \t\r\n ", nil, false},
		{"one", `{}`, []string{`{}`}, false},
		{"several", "{} [1]\n\n{\"a\":\n {}}{}", []string{`{}`, `[1]`, "{\"a\":\n {}}", `{}`}, false},
		{"brackets in texts", `{"}\"]{": "[\\"}{}`, []string{`{"}\"]{": "[\\"}`, `{}`}, false},
		{"no JSON, but framed", `{tru} {}`, []string{`{tru}`, `{}`}, false},
		{"the end within one", `{} {"a": {`, []string{`{}`, `{"a": {`}, true},
		{"the end within a text", `{"a`, []string{`{"a`}, true},
		{"a text that does not end in its line", "{\"a: 1}\n{}", []string{"{\"a: 1}\n"}, true},
		{"an escaped line end", "{\"a\\\n\"} {}", []string{"{\"a\\\n"}, true},
		{"brackets that do not match", `{"a": [1} {}`, []string{`{"a": [1}`}, true},
		{"one bracket too many", `{}} {}`, []string{`{}`, `}`}, true},
		{"words", `{} abc {}`, []string{`{}`, `a`}, true},
		{"a text alone", `"a" {}`, []string{`"`}, true},
		{"a byte order mark", "\ufeff{}", []string{"\xef"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, unframed := documents(strings.NewReader(c.in))
			if diff := cmp.Diff(c.want, got); diff != "" || unframed != c.unframed {
				t.Errorf("unframed %t, want %t (-want +got):\n%s", unframed, c.unframed, diff)
			}
			slow, _ := documents(iotest.OneByteReader(strings.NewReader(c.in)))
			if diff := cmp.Diff(got, slow); diff != "" {
				t.Errorf("byte by byte (-whole +slow):\n%s", diff)
			}
		})
	}
}

// TestDocumentsTooLarge: of a document that is too large one byte too many is kept, and the next
// one is found. Depth without end is no document.
func TestDocumentsTooLarge(t *testing.T) {
	large := `{"a":"` + strings.Repeat("x", 3*protocol.MaxRequestBytes) + `"}`
	got, unframed := documents(strings.NewReader(large + `{}`))
	if len(got) != 2 || len(got[0]) != protocol.MaxRequestBytes+1 || got[1] != `{}` || unframed {
		t.Errorf("%d documents, unframed %t", len(got), unframed)
	}
	got, unframed = documents(strings.NewReader(strings.Repeat("[", 3*protocol.MaxRequestBytes)))
	if len(got) != 1 || len(got[0]) > protocol.MaxRequestBytes+1 || !unframed {
		t.Errorf("brackets without end: %d documents, unframed %t", len(got), unframed)
	}
}

// TestABrokenReaderEndsTheStream: an error in place of the end is none.
func TestABrokenReaderEndsTheStream(t *testing.T) {
	broken := errors.New("broken")
	d := protocol.NewDocuments(iotest.ErrReader(broken))
	if _, err := d.Next(); !errors.Is(err, broken) {
		t.Error(err)
	}
}

// TestStreamedAnswer: the line of an answer is the single run's document, but for the number, and
// reads back as what was written.
func TestStreamedAnswer(t *testing.T) {
	status := protocol.Say(protocol.Failed, "a <b> & \"c\"\u2028 …")
	status.Observed = map[string]string{"failureClass": "internal", "plan": `[{"a": "b  c"}]`}
	result := protocol.NewResult(status)
	var whole, line, back bytes.Buffer
	if err := protocol.Encode(&whole, result); err != nil {
		t.Fatal(err)
	}
	if err := protocol.WriteStreamed(&line, 17, whole.Bytes()); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(line.String(), "\n"); n != 1 || !strings.HasSuffix(line.String(), "\n") {
		t.Errorf("%d line ends: %q", n, &line)
	}
	rest, ok := strings.CutPrefix(line.String(), `{"request":17,`)
	if err := json.Indent(&back, []byte("{"+rest), "", "  "); err != nil || !ok {
		t.Fatal(err, line.String())
	}
	if back.String() != whole.String() {
		t.Errorf("%s\nwant %s", &back, &whole)
	}
	n, got, faults := protocol.DecodeStreamed(line.Bytes())
	if diff := cmp.Diff(result, got); n != 17 || len(faults) > 0 || diff != "" {
		t.Errorf("request %d, %v, %s", n, faults, diff)
	}
}

// TestStreamedAnswerWithoutANumber: it can't be told what is answered, which is a fault.
func TestStreamedAnswerWithoutANumber(t *testing.T) {
	const rest = `"apiVersion":"` + protocol.APIVersion + `","kind":"` + protocol.ResultKind +
		`","status":{"status":"succeeded","message":"done"}}`
	for _, number := range []string{"", `"request":0,`, `"request":-1,`, `"request":"1",`,
		`"request":1.5,`, `"request":1e2,`, `"request":null,`, `"request":99999999999999999999,`} {
		if n, _, faults := protocol.DecodeStreamed([]byte("{" + number + rest)); n != 0 ||
			len(faults) == 0 {
			t.Errorf("%s: %d, %v", number, n, faults)
		}
	}
	// Nor is one that has two.
	if _, _, faults := protocol.DecodeStreamed(
		[]byte(`{"request":1,"request":2,` + rest)); len(faults) == 0 {
		t.Error("two numbers are no fault")
	}
	if n, _, faults := protocol.DecodeStreamed([]byte(`{"request":3,` + rest)); n != 3 ||
		len(faults) > 0 {
		t.Errorf("%d, %v", n, faults)
	}
}

// TestDeadlineOfARequest: it is read from the context and written there, and is no part of what is
// ignored. One that is no time in a text is a fault, unlike a traceparent.
func TestDeadlineOfARequest(t *testing.T) {
	at := time.Date(2026, 11, 29, 1, 2, 3, 4000, time.UTC)
	r := protocol.Request{Action: "a", Provider: "p", Mode: protocol.DryRun, IdempotencyKey: "k",
		Target: map[string]string{}, Parameters: map[string]string{}, Deadline: at}
	text := protocol.EncodeRequest(r)
	got, faults := protocol.Decode(bytes.NewReader(text))
	if diff := cmp.Diff(r, got); len(faults) > 0 || diff != "" {
		t.Errorf("%v (-want +got):\n%s", faults, diff)
	}
	written := `"executorDeadline":"2026-11-29T01:02:03.000004Z"`
	for _, other := range []string{"1", "true", `"soon"`, "{}", `""`, `"2026-11-29"`} {
		bad := strings.Replace(string(text), written, `"executorDeadline":`+other, 1)
		if _, faults := protocol.Decode(strings.NewReader(bad)); len(faults) != 1 ||
			faults[0].Path != "spec.context.executorDeadline" {
			t.Errorf("%s: %v", bad, faults)
		}
	}
	null := strings.Replace(string(text), written, `"executorDeadline":null`, 1)
	if got, faults := protocol.Decode(strings.NewReader(null)); len(faults) > 0 ||
		!got.Deadline.IsZero() {
		t.Errorf("null: %v, %s", faults, got.Deadline)
	}
	if undo := protocol.UndoOf(r, "b", nil, nil); !undo.Deadline.IsZero() {
		t.Error("an undo has the deadline of its action")
	}
}

// TestTargetAccountOfARequest: it is read from the context and written there, and kept in an undo.
// One that is no text is a fault.
func TestTargetAccountOfARequest(t *testing.T) {
	r := protocol.Request{Action: "a", Provider: "p", Mode: protocol.DryRun, IdempotencyKey: "k",
		Target: map[string]string{}, Parameters: map[string]string{}, TargetAccount: "1111"}
	text := string(protocol.EncodeRequest(r))
	got, faults := protocol.Decode(strings.NewReader(text))
	if diff := cmp.Diff(r, got); len(faults) > 0 || diff != "" || len(protocol.Validate(r)) > 0 {
		t.Errorf("%v (-want +got):\n%s", faults, diff)
	}
	for _, other := range []string{"1111", "true", `""`, `" "`, "{}", "[]"} {
		bad := strings.Replace(text, `"targetAccount":"1111"`, `"targetAccount":`+other, 1)
		if _, faults := protocol.Decode(strings.NewReader(bad)); len(faults) != 1 ||
			faults[0].Path != "spec.context.targetAccount" {
			t.Errorf("%s: %v", bad, faults)
		}
	}
	if undo := protocol.UndoOf(r, "b", nil, nil); undo.TargetAccount != "1111" {
		t.Error("an undo does not have the account of its action")
	}
}
