package document

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestJSONAndYAMLAreOneTree(t *testing.T) {
	yaml := "a: x\nb:\n  - true\n  - 7\n  - null\nc: {d: '7'}\n"
	json := "{\"a\": \"x\",\n\"b\": [\n true,\n 7,\n null],\n\"c\": {\"d\": \"7\"}}"
	fromYAML, err := ParseOne([]byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	fromJSON, err := ParseOne([]byte(json))
	if err != nil {
		t.Fatal(err)
	}
	blank := cmp.FilterPath(func(p cmp.Path) bool {
		return strings.HasSuffix(p.String(), "Line")
	}, cmp.Ignore())
	if d := cmp.Diff(fromYAML, fromJSON, blank); d != "" {
		t.Error(d)
	}
	if fromYAML.Entries[1].Value.Items[1].Line != 4 || fromJSON.Entries[1].Value.Items[1].Line != 4 {
		t.Errorf("lines %d and %d, want 4", fromYAML.Entries[1].Value.Items[1].Line,
			fromJSON.Entries[1].Value.Items[1].Line)
	}
}

func TestTabsInJSON(t *testing.T) {
	if _, err := ParseOne([]byte("\xef\xbb\xbf{\n\t\"a\": [\n\t\t1\n\t]\n}\n")); err != nil {
		t.Error(err)
	}
}

func TestSeveralDocuments(t *testing.T) {
	for text, want := range map[string]int{"": 0, "# nothing\n": 0, "---\n---\n": 0,
		"a: 1\n---\nb: 2\n": 2, `{"a":1}{"b":2}` + "\n[3]": 3, "--- {a: 1}\n": 1} {
		nodes, err := Parse([]byte(text))
		if err != nil || len(nodes) != want {
			t.Errorf("%q: %d documents, %v, want %d", text, len(nodes), err, want)
		}
	}
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"a: 1\nb: [\n":                      "is not YAML",
		"a: &x 1\n":                         "line 1: anchors",
		"a: 1\nb: *x\n":                     "is not YAML: unknown anchor",
		"<<: {a: 1}\n":                      "line 1: anchors, aliases and merges",
		"a: !!str 1\n":                      "line 1: tags are not taken",
		"1: a\n":                            "line 1: a key that is not a string",
		"{a: b}: c\n":                       "a key that is not a string",
		"a: 1\na: 2\n":                      "line 2: a: the key is there twice",
		"{\"a\":1,\n\"a\":2}":               "line 2: a: the key is there twice",
		"{\"a\":{\"b\":1,}":                 "is not YAML",
		"a: \xff":                           "line 1: is not valid UTF-8",
		"{\"a\":\n\n\"\xff\"}":              "line 3: is not valid UTF-8",
		`{"a":` + "\n" + `"\ud800"}`:        "line 2: has half a surrogate pair",
		`{"a":[{"b":1,` + "\n" + `"b":2}]}`: "line 2: a[0].b: the key is there twice",
		strings.Repeat("[", 99) + strings.Repeat("]", 99):         "nests deeper than 64",
		"a: " + strings.Repeat("[", 99) + strings.Repeat("]", 99): "nests deeper than 64",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

// TestNothingTakesLong guards against parsers that take quadratic time.
func TestNothingTakesLong(t *testing.T) {
	const n = 1 << 18
	for name, text := range map[string]string{
		"open brackets":   "a: " + strings.Repeat("[", n),
		"closed brackets": "a: " + strings.Repeat("[", n/2) + strings.Repeat("]", n/2),
		"dashes":          strings.Repeat("- ", n/2), "objects": "a: " + strings.Repeat("{a: ", n/4),
		"keys": strings.Repeat("? ", n/2), "anchors": strings.Repeat("&a ", n/3),
		"same key": strings.Repeat("a: b\n", n/5), "documents": strings.Repeat("---\na\n", n/6),
		"long": "a: " + strings.Repeat("x", n), "JSON": strings.Repeat(`{"a":`, n/5),
	} {
		begin := time.Now()
		_, _ = Parse([]byte(text))
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("%s: %s for a quarter of a mebibyte", name, took)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a: [b, {c: d}]\n", `{"a":[1,true,null,"x"]}`, "- x\n---\n- y\n",
		"a: |\n  x\n", "? a\n: b\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		nodes, err := Parse(data)
		if err != nil && err.Error() == "" {
			t.Error("refused without a reason")
		}
		for _, n := range nodes {
			if n.Kind == Object {
				seen := map[string]bool{}
				for _, e := range n.Entries {
					if seen[e.Key] {
						t.Errorf("the key %q is there twice", e.Key)
					}
					seen[e.Key] = true
				}
			}
		}
	})
}

// TestEachItemIsWhatParseReads: one by one, of a list that Parse takes, and of nothing else.
func TestEachItemIsWhatParseReads(t *testing.T) {
	for text, want := range map[string]bool{
		`[]`: true, "\xef\xbb\xbf [1]\n": true,
		"[{\"a\":\n[1, [2, null]], \"b\": {\n\"c\": \"\\u00e9\"}},\n\"x\",\n true]": true,
		"": false, " ": false, `{"a": [1]}`: false, "- 1\n": false, "[1] [2]": false, "[1,]": false,
		"[a, b]": false, "[1": false, "[\"\xff\"]": false, `["\ud800"]`: false,
		`[1, {"a": 1, "a": 2}]`:                           false,
		strings.Repeat("[", 64) + strings.Repeat("]", 64): true,
		strings.Repeat("[", 65) + strings.Repeat("]", 65): false,
	} {
		var items []*Node
		is := EachItem([]byte(text), func(n *Node) { items = append(items, n) })
		if is != want {
			t.Errorf("%.40q: is a list: %v, want %v", text, is, want)
		}
		if !is {
			continue
		}
		whole, err := ParseOne([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		same := func(a, b *Node) bool { return reflect.DeepEqual(a, b) }
		if !slices.EqualFunc(whole.Items, items, same) {
			t.Errorf("%.40q: %v, want %v", text, items, whole.Items)
		}
	}
}
