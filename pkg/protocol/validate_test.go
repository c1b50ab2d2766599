package protocol

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestValidateSaysWhatDecodeSays of the request as it is written, for each that is odd in one way.
func TestValidateSaysWhatDecodeSays(t *testing.T) {
	texts := []string{"", " ", "\u3000", "a", "ü", "\xff", "\x00", "<&>", "\u2028", "\ufffd", "\"\\",
		strings.Repeat("x", MaxRequestBytes/6), strings.Repeat("\x01", MaxRequestBytes/6-300),
		strings.Repeat("\x01", MaxRequestBytes/6), strings.Repeat("x", MaxRequestBytes)}
	keys := []string{"token", "p-a-s-s-w-d", "secretly", "Session_Token"}
	var all []Request
	add := func(change func(*Request)) {
		r := Request{Action: "a", Provider: "aws", Mode: Execute, IdempotencyKey: "k",
			Target: map[string]string{"nicRef": "eni-1"}, Parameters: map[string]string{"x": ""}}
		change(&r)
		all = append(all, r)
	}
	add(func(*Request) {})
	add(func(r *Request) { r.Target, r.Parameters = nil, nil })
	add(func(r *Request) { r.Deadline = time.Unix(1, 0) })
	add(func(r *Request) { r.Target = map[string]string{"\xff": "1", "\xfe": "2"} })
	for _, s := range texts {
		add(func(r *Request) { r.Action = s })
		add(func(r *Request) { r.Provider = s })
		add(func(r *Request) { r.ProviderRef = s })
		add(func(r *Request) { r.IdempotencyKey = s })
		add(func(r *Request) { r.Mode = Mode(s) })
		add(func(r *Request) { r.Target["more"] = s })
		add(func(r *Request) { r.Parameters["more"] = s })
	}
	for _, key := range append(keys, texts...) {
		add(func(r *Request) { r.Target[key] = "v" })
		add(func(r *Request) { r.Parameters[key] = "v" })
	}
	plain := 0
	for _, r := range all {
		_, want := Decode(bytes.NewReader(EncodeRequest(r)))
		got := Validate(r)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%.300q: %.2000s", EncodeRequest(r), d)
		}
		if isPlain(r) {
			plain++
		}
	}
	if plain < len(all)/4 || plain == len(all) {
		t.Errorf("%d of %d are plain", plain, len(all))
	}
}
