package protocol

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// FuzzDecode compares Decode with what encoding/json says of the same text.
func FuzzDecode(f *testing.F) {
	inside := func(more string) string { return strings.TrimSuffix(good, "}") + "," + more + "}" }
	for _, text := range []string{
		good, "", " ", "null", "[]", "{}", `""`, "{}{}", good + good, good + "x", good[:len(good)/2],
		"\ufeff" + good,
		strings.ReplaceAll(good, ",", " ,\n"), strings.Replace(good, "dry-run", "execute", 1),
		strings.Replace(good, `"kind"`, `"\u006bind"`, 1),
		inside(`"kind":1`), inside(`"a":{"b":1,"b":2}`), inside(`"a":[{"":1,"":2}]`),
		inside(`"\u0061":1,"a":2`),
		inside(`"d":` + strings.Repeat("[", 63) + strings.Repeat("]", 63)),
		inside(`"d":` + strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70)),
		inside(`"n":[0,-0,1e9,1E+400,1.5e-3]`), inside(`"n":01`), inside(`"t":"\ud83d\udea6"`),
		inside(`"t":"\ud83d"`), inside(`"t":"\udea6\ud83d"`), inside(`"t":"\\ud83d"`),
		inside("\"t\":\"\xff\""), inside("\"t\":\"\xed\xa0\x80\""), inside("\"\ufffd\":1,\"\\ufffd\":2"),
		inside("\"t\":\"\u2028\""),
		strings.Replace(good, `"nicRef"`, `"secretAccessKey":"hunter2hunter2","nicRef"`, 1),
		strings.Replace(good, `"nicRef":"eni-0abc"`, `"p-a-s-s-w-d":{"hunter2":["hunter2"]}`, 1),
		strings.Replace(good, `"allowReassignment":"true"`, `"TOKEN":"hunter2","x":null`, 1),
		strings.Replace(good, `{"allowReassignment":"true"}`, "null", 1),
		strings.Replace(good, `"mobility-7/assign"`, `"\u3000"`, 1), strings.Replace(good, `"aws"`, `7`,
			1), `{"spec":{"target":{"password":"hunter2","a":1}}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, faults := Decode(bytes.NewReader(text))
		for _, fault := range faults {
			if fault.Reason == "" || strings.ContainsAny(fault.Path+fault.Reason, "\n\r") ||
				!utf8.ValidString(fault.Path+fault.Reason) {
				t.Errorf("a fault that is empty, or not one line: %q", fault)
			}
		}
		document := isOneDocument(text)
		if len(faults) == 0 {
			if !document {
				t.Fatal("accepted what is not one document")
			}
			acceptedMeansWhatItSays(t, text, got)
			return
		}
		if document {
			refusedForCause(t, text, faults)
			keepsSecrets(t, text)
		}
	})
}

// isOneDocument reports whether the text is one JSON object that means one thing,
// and within the bounds.
func isOneDocument(text []byte) bool {
	tree := object(text)
	return len(text) <= MaxRequestBytes && utf8.Valid(text) && json.Valid(text) && tree != nil &&
		!hasHalfPair(text) && depth(tree) <= MaxRequestDepth && members(tree) == keys(text)
}

// object reads an object; nil when there is none. Of twins, the last one counts.
func object(text []byte) map[string]any {
	var tree map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	// A number may be too large for a float64.
	d.UseNumber()
	if d.Decode(&tree) != nil {
		return nil
	}
	return tree
}

// hasHalfPair finds what encoding/json turned into U+FFFD though it was not
// written: with every escape of U+FFFD itself taken out there may be none left.
func hasHalfPair(text []byte) bool {
	found := false
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	for {
		before := d.InputOffset()
		token, err := d.Token()
		if err != nil {
			return found
		}
		s, ok := token.(string)
		if !ok {
			continue
		}
		raw := bytes.ReplaceAll(text[before:d.InputOffset()], []byte(`\\`), nil)
		written := bytes.Count(raw, []byte("\ufffd")) + bytes.Count(bytes.ToLower(raw), []byte(`\ufffd`))
		found = found || strings.Count(s, "\ufffd") > written
	}
}

func depth(v any) int {
	deepest := 0
	switch v := v.(type) {
	case map[string]any:
		for _, x := range v {
			deepest = max(deepest, depth(x))
		}
	case []any:
		for _, x := range v {
			deepest = max(deepest, depth(x))
		}
	default:
		return 0
	}
	return deepest + 1
}

// members counts the members of all objects, of which a twin has taken the place
// of the other.
func members(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		for _, x := range v {
			n += 1 + members(x)
		}
	case []any:
		for _, x := range v {
			n += members(x)
		}
	}
	return n
}

// keys counts the keys that are written: outside texts, each has its colon.
func keys(text []byte) int {
	n, d := 0, json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	for {
		before := d.InputOffset()
		if _, err := d.Token(); err != nil {
			return n
		}
		if start := bytes.TrimLeft(text[before:d.InputOffset()], " \t\r\n,"); bytes.HasPrefix(
			start,
			[]byte(":"),
		) {
			n++
		}
	}
}

// acceptedMeansWhatItSays reads the text with encoding/json alone, and sends the request
// through once more.
func acceptedMeansWhatItSays(t *testing.T, text []byte, got Request) {
	t.Helper()
	doc := object(text)
	spec := doc["spec"].(map[string]any)
	word := func(key string) string { s, _ := spec[key].(string); return s }
	words := func(key string) map[string]string {
		m := map[string]string{}
		object, _ := spec[key].(map[string]any)
		for k, v := range object {
			if matchesCredential(t, k) {
				t.Errorf("accepted a credential: %q", k)
			}
			m[k] = v.(string)
		}
		return m
	}
	want := Request{
		Action: word("action"), Provider: word("provider"), ProviderRef: word("providerRef"),
		Target: words(
			"target",
		), Parameters: words("parameters"), Mode: Mode(word("mode")),
		IdempotencyKey: word("idempotencyKey"),
	}
	if diff := cmp.Diff(unread(doc, spec), got.Ignored, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("other fields are told to be ignored (-json +got):\n%s", diff)
	}
	got.Ignored = nil
	if diff := cmp.Diff(want, got); diff != "" || doc["apiVersion"] != APIVersion ||
		doc["kind"] != RequestKind {
		t.Errorf("another meaning (-json +got):\n%s", diff)
	}
	for _, s := range []string{got.Action, got.Provider, got.IdempotencyKey} {
		if strings.TrimSpace(s) == "" {
			t.Errorf("accepted a blank: %v", got)
		}
	}
	if got.Mode != DryRun && got.Mode != Execute {
		t.Errorf("accepted the mode %q", got.Mode)
	}
	again, faults := decodeText(marshal(t, got))
	if diff := cmp.Diff(got, again); diff != "" || len(faults) > 0 {
		t.Errorf("sent again it is another: %v\n%s", faults, diff)
	}
}

// unread names the fields of a request that nothing reads and that say something.
func unread(doc, spec map[string]any) []string {
	var all []string
	for _, in := range []struct{ fields, known []string }{
		{says(doc), []string{"apiVersion", "kind", "spec"}},
		{says(spec), specFields},
	} {
		for _, key := range in.fields {
			if !slices.Contains(in.known, key) {
				all = append(all, key)
			}
		}
	}
	slices.Sort(all)
	return all
}

// says names the fields whose value is neither null nor empty.
func says(fields map[string]any) []string {
	maps.DeleteFunc(fields, func(_ string, value any) bool {
		text, _ := json.Marshal(value)
		return slices.Contains([]string{"null", "{}", "[]"}, string(text))
	})
	return slices.Collect(maps.Keys(fields))
}

// refusedForCause: a refused document has a fault that can be seen without Decode.
func refusedForCause(t *testing.T, text []byte, faults Faults) {
	t.Helper()
	var doc struct {
		spec map[string]json.RawMessage
		top  map[string]json.RawMessage
	}
	if err := json.Unmarshal(text, &doc.top); err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal(doc.top["spec"], &doc.spec)
	apiVersion, _ := isText(doc.top["apiVersion"])
	kind, _ := isText(doc.top["kind"])
	if apiVersion == APIVersion && kind == RequestKind && isRight(t, doc.spec) {
		t.Errorf("refused what is right: %v", faults)
	}
}

// isRight reports whether a spec is one that Decode has to take.
func isRight(t *testing.T, spec map[string]json.RawMessage) bool {
	right := spec != nil
	for _, key := range []string{"action", "provider", "mode", "idempotencyKey"} {
		s, ok := isText(spec[key])
		right = right && ok && strings.TrimSpace(s) != "" &&
			(key != "mode" || s == "dry-run" || s == "execute")
	}
	if raw, present := spec["providerRef"]; present {
		_, ok := isText(raw)
		right = right && ok
	}
	right = right && areTexts(t, spec["target"]) && areTexts(t, spec["parameters"])
	for key := range spec {
		right = right &&
			(slices.Contains(specFields, key) || !Nearly(key, "target") && !Nearly(key, "parameters"))
	}
	return right
}

// isText reports whether a value is a string, and which.
func isText(raw json.RawMessage) (string, bool) {
	var v any
	_ = json.Unmarshal(raw, &v)
	s, ok := v.(string)
	return s, ok
}

// areTexts reports whether a value is absent, or an object of texts without a credential.
func areTexts(t *testing.T, raw json.RawMessage) bool {
	if raw == nil {
		return true
	}
	var group map[string]json.RawMessage
	if json.Unmarshal(raw, &group) != nil {
		return false
	}
	for k, v := range group {
		if _, ok := isText(v); !ok || matchesCredential(t, k) {
			return false
		}
	}
	return true
}

// keepsSecrets puts a secret in the place of each value that has a credential's
// name: no fault may repeat it.
func keepsSecrets(t *testing.T, text []byte) {
	t.Helper()
	const secret = "hunter2-is-a-secret"
	doc := object(text)
	spec, _ := doc["spec"].(map[string]any)
	named := 0
	for _, key := range []string{"target", "parameters"} {
		group, _ := spec[key].(map[string]any)
		for k, v := range group {
			if !matchesCredential(t, k) {
				continue
			}
			named++
			group[k] = secret
			if _, isText := v.(string); !isText {
				group[k] = map[string]any{secret: []any{secret}}
			}
		}
	}
	again, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	got, faults := Decode(bytes.NewReader(again))
	carrying := 0
	for _, fault := range faults {
		if strings.Contains(fault.Reason, "carries a credential") {
			carrying++
		}
	}
	if strings.Contains(faults.Error(), secret) || strings.Contains(marshal(t, got), secret) {
		t.Errorf("repeats a secret: %v %v", got, faults)
	}
	if len(again) <= MaxRequestBytes && depth(doc) <= MaxRequestDepth && carrying != named {
		t.Errorf("%d credentials, %d faults: %v", named, carrying, faults)
	}
}
