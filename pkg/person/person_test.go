package person

import (
	"strings"
	"testing"
	"unicode"
)

func TestOnePersonIsOnePersonHoweverSpelt(t *testing.T) {
	for _, tt := range []struct {
		name, a, b string
		want       bool
	}{
		{"capitals", "Ann Lee", "ANN lee", true},
		{"blanks", " ann\u00a0 lee\t", "ann lee", true},
		{"composed and not", "Zo\u00eb", "Zoe\u0308", true},
		{"wide letters", "\uff21\uff4e\uff4e", "ann", true},
		{"a ligature", "\ufb01nn", "finn", true},
		{"long s", "\u017fue", "sue", true},
		{"sharp s", "Strauß", "STRAUSS", true},
		{"final sigma", "ΝΙΚΟΣ", "νικος", true},
		{"a dotless capital with its dot", "I\u0307pek", "i\u0307pek", true},
		{"folding that gives composing more to do", "\u1f80", "\u1f00\u03b9", true},
		{"marks in another order", "J\u030c\u0323", "\u01f0\u0323", true},
		{"a letter of mathematics", "\u210bans", "hans", true},
		{"a tab", "ann\tlee", "ann lee", true},
		{"the Kelvin sign", "\u212aim", "kim", true},
		{"zero-width space", "an\u200bn", "ann", true},
		{"soft hyphen", "an\u00adn", "ann", true},
		{"a filler that is a letter", "ann\u3164", "ann", true},
		{"a variation selector", "ann\ufe0f", "ann", true},
		{"blanks of Egyptian", "ann\U00013441\U00013442", "ann", true},
		{"a notehead of nothing", "ann\U0001d159", "ann", true},
		{"a filler of Khitan", "ann\U00016fe4", "ann", true},
		{"right to left", "\u202eann", "ann", true},
		{"a tag character", "ann\U000e0041", "ann", true},
		{"another", "ann", "anne", false},
		{"an accent", "zoe", "zoë", false},
		{"two words", "ann lee", "annlee", false},
		{"letters that look alike", "\u0430nn", "ann", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if Same(tt.a, tt.b) != tt.want || Same(tt.b, tt.a) != tt.want {
				t.Errorf("%q and %q: %v, want %v", tt.a, tt.b, !tt.want, tt.want)
			}
		})
	}
}

func TestCapitalsAreNoOtherPerson(t *testing.T) {
	for r := range unicode.MaxRune {
		if other := unicode.SimpleFold(r); other != r && !Same(string(r), string(other)) {
			t.Errorf("%c and %c (%U, %U) are two people", r, other, r, other)
		}
	}
}

func TestNameIsOneThatCanBeRead(t *testing.T) {
	for given, want := range map[string]string{
		" Ann  Lee ": "Ann Lee", "Zoe\u0308": "Zo\u00eb", "7": "7", "ann@example.org": "ann@example.org",
		"李": "李", "नी": "नी",
	} {
		if got, err := Name(given); got != want || err != nil {
			t.Errorf("%q: %q, %v, want %q", given, got, err, want)
		}
	}
	for given, want := range map[string]string{
		"": "nobody is named", " \t\n": "nobody is named", "\u00a0": "nobody is named",
		"\u200b": "can't be seen, U+200B", "an\u00adn": "U+00AD", "ann\nlee": "U+000A",
		"\x00ann": "U+0000", "\u2028ann\u2028x": "U+2028",
		"ann\u202e": "U+202E", "\u3164": "U+3164", "\u2800": "U+2800", "ann\ufe0f": "U+FE0F",
		"ann\u034f": "U+034F", "\ue000": "U+E000", "ann\U000e0041": "U+E0041",
		"\u0301": "no letter", "--": "no letter", "ann\xff": "not valid UTF-8", "\xff": "not valid UTF-8",
		"ann\ufffd": "",
	} {
		got, err := Name(given)
		if want == "" {
			if err != nil {
				t.Errorf("%q: %v", given, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v, want an error with %q", given, got, err, want)
		}
	}
}

// FuzzName holds that a name that is taken is its own, and is taken again as it is.
func FuzzName(f *testing.F) {
	for _, s := range []string{"Ann Lee", "Zoe\u0308", "\u1f80", "I\u0307", "\u017f\u0301",
		"\u0345\u03b1\u0345", "an\u200bn", "\u00b4a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, given string) {
		if k := key(given); key(k) != k {
			t.Errorf("%q: the key %q has the key %q", given, k, key(k))
		}
		name, err := Name(given)
		if err != nil {
			return
		}
		again, err := Name(name)
		if err != nil || again != name || !Same(name, given) {
			t.Errorf("%q: %q, and again %q, %v", given, name, again, err)
		}
	})
}
