package printable

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// hostile are characters that a terminal obeys, or that nobody sees.
var hostile = map[string]rune{
	"escape": '\x1b', "bell": '\a', "delete": '\x7f', "CSI of C1": '\u009b', "carriage return": '\r',
	"right-to-left override": '\u202e', "isolate": '\u2067', "mark": '\u200f',
	"zero-width space": '\u200b', "joiner": '\u200d', "byte order mark": '\ufeff',
	"soft hyphen": '\u00ad', "line separator": '\u2028', "filler": '\u3164', "tag": '\U000e0041',
	"variation selector": '\ufe0f', "Braille blank": '\u2800', "private use": '\U000f0000',
}

func TestHiddenCharactersAreNotShown(t *testing.T) {
	for name, r := range hostile {
		t.Run(name, func(t *testing.T) {
			if !Hidden(r) {
				t.Fatalf("%U is shown", r)
			}
			if got := Text("a" + string(r) + "b"); got != "a·b" {
				t.Errorf("a text is %q", got)
			}
			if got := Lines("a" + string(r) + "\nb"); got != "a·\nb" {
				t.Errorf("lines are %q", got)
			}
		})
	}
	const plain = "Zoë, 李さん: 10.88.60.9/32 → eni-1 ✓ (100 %)"
	if got := Text(plain); got != plain {
		t.Errorf("%q", got)
	}
	if got := Text("a\xffb\x9bc\nd"); got != "a\ufffdb\ufffdc·d" {
		t.Errorf("what is no UTF-8: %q", got)
	}
}

// TestADocumentKeepsItsMeaning: it has no hidden character, and is read as the same.
func TestADocumentKeepsItsMeaning(t *testing.T) {
	for name, r := range hostile {
		t.Run(name, func(t *testing.T) {
			want := map[string]string{"k" + string(r): "v" + string(r) + "\n\t\"\\w"}
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			e.SetIndent("", "  ")
			if err := e.Encode(want); err != nil {
				t.Fatal(err)
			}
			quoted := JSON(b.Bytes())
			var fromJSON, fromYAML map[string]string
			if err := json.Unmarshal(quoted, &fromJSON); err != nil {
				t.Fatal(err)
			}
			if err := yaml.Unmarshal(YAML(b.Bytes()), &fromYAML); err != nil {
				t.Fatal(err)
			}
			for form, got := range map[string]map[string]string{"JSON": fromJSON, "YAML": fromYAML} {
				if len(got) != 1 || got["k"+string(r)] != want["k"+string(r)] {
					t.Errorf("%s is read as %q", form, got)
				}
			}
			shown := func(r rune) bool { return r != '\n' && r != '\t' && Hidden(r) && r != '\r' }
			if strings.IndexFunc(string(quoted), shown) >= 0 {
				t.Errorf("%q", quoted)
			}
		})
	}
	yamlText := YAML([]byte("a: \"x\u202ey\U000e0041\"\n"))
	if string(yamlText) != "a: \"x\\u202ey\\U000e0041\"\n" {
		t.Errorf("%s", yamlText)
	}
}

func TestAWriterPassesLinesOn(t *testing.T) {
	var b strings.Builder
	p := []byte("one\x1b[2J\ntwo\n")
	if n, err := Writer(&b).Write(p); n != len(p) || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if b.String() != "one·[2J\ntwo\n" {
		t.Errorf("%q", b.String())
	}
}

// TestWhatIsASCIIAndPrintedIsShown holds the shortcut against the tables.
func TestWhatIsASCIIAndPrintedIsShown(t *testing.T) {
	for r := range rune(0x80) {
		if Hidden(r) == unicode.IsPrint(r) {
			t.Errorf("%q", r)
		}
	}
}
