package protocol

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReadOneJSON: one value that means one thing, else where it does not.
func TestReadOneJSON(t *testing.T) {
	deep := strings.Repeat("[", 4) + strings.Repeat("]", 4)
	for text, want := range map[string]struct {
		fault  string
		offset int
		syntax bool
	}{
		`{"a":[1,null,true,"x"]}`: {},
		"[[[1]]]":                 {},
		deep:                      {"nests deeper than 3", 3, false},
		"":                        {"there is no JSON", 0, true},
		"{} \n{}":                 {"is more than one JSON value", 4, true},
		`{"a":1,}`:                {"invalid character '}'", 7, true},
		`{"a":`:                   {"unexpected EOF", 5, true},
		"{\"a\":\"\xff\"}":        {"is not valid UTF-8", 6, false},
		`{} {"a":"\ud83d"}`:       {"has half a surrogate pair", 9, false},
		`{"a":{"b":1,"b":2}}`:     {"a.b: the key is there twice", 14, false},
		`[{"a":1,"a":2}]`:         {"[0].a: the key is there twice", 10, false},
	} {
		_, err := ReadOneJSON([]byte(text), 3)
		if want.fault == "" {
			if err != nil {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		faults := JSONFaults(err)
		if len(faults) != 1 || !strings.HasPrefix(faults[0].Error(), want.fault) ||
			faults[0].Offset != want.offset || faults[0].Syntax != want.syntax {
			t.Errorf("%q: %+v, %v, want %+v", text, faults, err, want)
		}
	}
	if JSONFaults(nil) != nil {
		t.Error("there are faults without an error")
	}
}

// TestValuesAsTheyAreWritten: a value tells its text and where it is, and is what json makes of it.
func TestValuesAsTheyAreWritten(t *testing.T) {
	const text = ` {"a" : [1.50, null, true, false, "x\u0041"], "b":{}, "":[]}  7`
	values, err := ReadJSON([]byte(text), 8)
	if err != nil || len(values) != 2 {
		t.Fatal(values, err)
	}
	for i, v := range values {
		d := json.NewDecoder(strings.NewReader(string(v.Raw)))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, v.Any()); diff != "" {
			t.Errorf("value %d (-json +ours):\n%s", i, diff)
		}
		if !strings.HasPrefix(text[v.Offset:], string(v.Raw)) {
			t.Errorf("value %d is not at %d", i, v.Offset)
		}
	}
	var texts []string
	for _, m := range values[0].Members {
		texts = append(texts, text[m.Offset:m.Offset+len(m.Key)+2]+" "+string(m.Value.Raw))
	}
	for _, v := range values[0].Members[0].Value.Items {
		texts = append(texts, string(v.Kind)+" "+v.Text+" "+string(v.Raw))
	}
	want := []string{
		`"a" [1.50, null, true, false, "x\u0041"]`, `"b" {}`, `"" []`,
		"a number 1.50 1.50", "null null null", "a boolean true true", "a boolean false false",
		`a string xA "x\u0041"`,
	}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Error(diff)
	}
}

// TestKeysTwice: the first value counts, and there is an end to how many are named.
func TestKeysTwice(t *testing.T) {
	many := "{" + strings.Repeat(`"a":1,`, 1000) + `"b":2}`
	values, err := ReadJSON([]byte(many), 8)
	if n := len(JSONFaults(err)); n != 64 || len(values) != 1 {
		t.Errorf("%d faults, %d values", n, len(values))
	}
	values, _ = ReadJSON([]byte(`{"a":1,"a":2,"b":3}`), 8)
	if got := values[0].Any(); cmp.Diff(map[string]any{
		"a": json.Number("1"), "b": json.Number("3"),
	}, got) != "" {
		t.Errorf("%v", got)
	}
}

func TestUnmarshalJSON(t *testing.T) {
	var into map[string]string
	if err := UnmarshalJSON([]byte(`{"a":"b"}`), &into); err != nil || into["a"] != "b" {
		t.Errorf("%v, %v", into, err)
	}
	into = nil
	for _, text := range []string{`{"a":"b","a":"c"}`, `{}{}`, `["a"]`, ""} {
		if err := UnmarshalJSON([]byte(text), &into); err == nil || into != nil {
			t.Errorf("%s: %v, %v", text, into, err)
		}
	}
}

// TestSplitJSON: what can be taken apart, and where the rest is no JSON.
func TestSplitJSON(t *testing.T) {
	values, err := SplitJSON([]byte(` {"a":1} [2] {`))
	var faults []int
	for _, f := range JSONFaults(err) {
		faults = append(faults, f.Offset)
	}
	if len(values) != 2 || string(values[0].Raw) != `{"a":1}` || values[1].Offset != 9 ||
		len(faults) != 1 || faults[0] != 14 {
		t.Errorf("%+v, %v at %v", values, err, faults)
	}
}

// TestUndoOfLeavesTheActionAlone: the maps of the request and of its result stay as they were.
func TestUndoOfLeavesTheActionAlone(t *testing.T) {
	observed, own := map[string]string{"a": "1", "b": "1"}, map[string]string{"b": "2"}
	r := Request{Action: "do", Mode: Execute, IdempotencyKey: "k", Ignored: []string{"x"},
		Target: map[string]string{"t": "1"}, Parameters: map[string]string{"p": "1"}}
	got := UndoOf(r, "undo", observed, own)
	want := Request{Action: "undo", Mode: Execute, IdempotencyKey: "k:undo",
		Target: map[string]string{"t": "1"}, Parameters: map[string]string{"a": "1", "b": "2"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if observed["b"] != "1" || len(own) != 1 || r.Parameters["p"] != "1" {
		t.Errorf("%v, %v, %v", observed, own, r.Parameters)
	}
	if got := UndoOf(r, "undo", nil, nil); got.Parameters == nil || len(got.Parameters) != 0 {
		t.Errorf("%v", got.Parameters)
	}
}

// TestARequestIsReadBack as it was made.
func TestARequestIsReadBack(t *testing.T) {
	r := Request{Action: "a<b>", Provider: "aws", ProviderRef: "lab", Mode: DryRun,
		IdempotencyKey: "k\n", Target: map[string]string{"t": "ü\u2028"},
		Parameters: map[string]string{"p": `"\`}}
	text := EncodeRequest(r)
	got, faults := Decode(strings.NewReader(string(text)))
	if diff := cmp.Diff(r, got); diff != "" || faults != nil {
		t.Errorf("%v\n%s", faults, diff)
	}
	if strings.Count(string(text), "\n") != 1 || text[len(text)-1] != '\n' {
		t.Errorf("not one line: %q", text)
	}
	if faults := Validate(r); faults != nil {
		t.Error(faults)
	}
	r.Parameters = map[string]string{"password": "hush"}
	if faults := Validate(r); len(faults) != 1 || faults[0].Path != "spec.parameters.password" {
		t.Error(faults)
	}
}

// TestWhiteSpaceMeansNothing, of whatever kind and wherever it is.
func TestWhiteSpaceMeansNothing(t *testing.T) {
	for _, blank := range []string{"", " ", "\t", "\n", "\r", "\r\n\t "} {
		parts := []string{`{`, `"a"`, `:`, `[`, `1`, `,`, `true`, `]`, `,`, `"b"`, `:`, `"x y"`, `}`}
		text := blank + strings.Join(parts, blank) + blank
		v, err := ReadOneJSON([]byte(text), 2)
		if err != nil || len(v.Members) != 2 || v.Members[0].Key != "a" || v.Members[1].Key != "b" {
			t.Errorf("%q: %+v, %v", text, v, err)
			continue
		}
		a, b := v.Members[0].Value, v.Members[1].Value
		if len(a.Items) != 2 || a.Items[0].Text != "1" || a.Items[1].Text != "true" || b.Text != "x y" {
			t.Errorf("%q: %+v, %+v", text, a, b)
		}
	}
}
