package journal

import (
	"bytes"
	"encoding/json"
	"testing"
)

// slowly is what encoding/json makes of a value: what every event was hashed by.
func slowly(t testing.TB, v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

var canonicalTexts = []string{
	`{"a":"ünï < & >"}`, `{}`, `{"a":"b"}`, `{"a":["b",["c"],{},[]],"b":{"c":"d"}}`,
	`{"a":"\"\\\n\r\t"}`,
	`{"a":"\u0001"}`, `{"a":"\b"}`, `{"a":"\u0008"}`, `{"a":"\u2028 ü < & >"}`,
	"{\"a\":\"\u2028\"}", "{\"a\":\"\ufffd\"}", `{"a":"\/"}`,
	`{"a":"\u003c"}`, `{"b":"","a":""}`, `{"a":"","a":""}`, `{"a\n":"","b":""}`, `{"a":1}`,
	`{"a":1.0}`, `{"a":true,"b":null}`, `{"a" :""}`, `{"a":""} `,
	`{"a":""}{}`, `{"a":"` + "\x7f" + `"}`,
	`{"a":"` + "\xff" + `"}`,
	`{"a":[]}`, `{"a":[""]}`, `{"a":["",]}`, `{"a":"",}`, `[]`, `"a"`, ``, `{`,
	`{"a":"\`, `{"a":"`, `{"":""}`, `{"a":{"z":"","y":""}}`, `{"a":"\u000a"}`,
}

// checkCanonical holds the quick look at a text against reading and writing it.
func checkCanonical(t *testing.T, text string) (quick bool) {
	quick = isCanonical(text)
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		if quick {
			t.Errorf("%q is said to be canonical, and is no JSON: %v", text, err)
		}
		return quick
	}
	written := slowly(t, v)
	if quick && written != text {
		t.Errorf("%q is said to be canonical, and that is %q", text, written)
	}
	if mine, err := encode(v); err != nil || mine != written {
		t.Errorf("%q is written as %q, %v, want %q", text, mine, err, written)
	}
	return quick
}

func TestCanonicalTexts(t *testing.T) {
	for _, text := range canonicalTexts {
		checkCanonical(t, text)
	}
	for _, text := range canonicalTexts[:5] {
		if !checkCanonical(t, text) {
			t.Errorf("%q is not seen to be canonical", text)
		}
	}
}

// TestValuesAreWrittenAsTheyWereHashed: whatever a row or an event is made of. What is no JSON is
// told, wherever it is.
func TestValuesAreWrittenAsTheyWereHashed(t *testing.T) {
	for _, v := range []any{
		nil, "", "a<b", "\x00\"", int64(-7), int64(1) << 62, 1.5, true,
		map[string]string(nil), map[string]string{}, map[string]string{"b": "1", "a": "2", "c": ""},
		map[string]any(nil), map[string]any{}, map[string]any{"b": nil, "a": []any{}, "c": int64(1)},
		[]string(nil), []string{}, []string{"b", "a", ""}, []any(nil), []any{},
		[]any{"b", nil, []string(nil), map[string]string{"z": "&", "y": ""}, false},
		[]byte("text"), struct{ B, A string }{"1", "2"},
	} {
		if got, err := encode(v); err != nil || got != slowly(t, v) {
			t.Errorf("%#v is written as %s, want %s; %v", v, got, slowly(t, v), err)
		}
	}
	no := func() {}
	for _, v := range []any{no, []any{"a", no}, []any{no, "a"}, map[string]any{"a": no, "b": "c"}} {
		if got, err := encode(v); err == nil {
			t.Errorf("%T is written as %s", v, got)
		}
	}
}

func TestMembersOfCanonicalTexts(t *testing.T) {
	const text = `{"a":{"row":"no"},"b":["row"],"row":"yes","z":"\n"}`
	for name, want := range map[string]string{"row": "yes", "z": "", "b": "", "c": ""} {
		if got, ok := member(text, name); got != want && ok || ok != (want != "") {
			t.Errorf("%s is %q, %v, want %q", name, got, ok, want)
		}
	}
	for _, text := range []string{"", "{}", "[]", `{"row"}`, `{"row":1}`, `{"a":1,"row":"x"}`} {
		if got, ok := member(text, "row"); ok {
			t.Errorf("%q has the row %q", text, got)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, text := range canonicalTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkCanonical(t, text)
		if got, want := string(appendString(nil, text)), slowly(t, text); got != want {
			t.Errorf("%q is written as %q, want %q", text, got, want)
		}
	})
}
