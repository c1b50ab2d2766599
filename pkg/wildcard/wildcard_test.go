package wildcard

import (
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	both := []Syntax{Plain, Filter}
	for _, tt := range []struct {
		in            []Syntax
		pattern, text string
		want          bool
	}{
		{both, "", "", true}, {both, "", "a", false}, {both, "a", "", false}, {both, "a", "a", true},
		{both, "a", "A", false}, {both, "a", "ab", false}, {both, "ab", "a", false},
		{both, "*", "", true}, {both, "*", "abc", true}, {both, "**", "x", true}, {both, "**", "", true},
		{both, "a*c", "abbc", true}, {both, "a*c", "ac", true}, {both, "a*c", "abcd", false},
		{both, "*b*", "abc", true},
		{both, "*ab", "aab", true}, {both, "a*b*c", "aXbXbXc", true}, {both, "a*b*c", "aXcXb", false},
		{both, "a?c", "abc", true}, {both, "a?c", "abbc", false}, {both, "?", "é", true},
		{both, "é*", "ecole", false},
		{both, "é?ole", "école", true}, {both, "10.0.0.1", "10.0.0.10", false},
		{both, "10.0.0.1*", "10.0.0.10", true},
		{both, "*?", "a", true}, {both, "?*?", "ab", true},

		{[]Syntax{Plain}, "a?c", "ac", false}, {[]Syntax{Plain}, "?", "", false},
		{[]Syntax{Plain}, "*?", "", false},
		{[]Syntax{Plain}, `a\*c`, `a\bc`, true}, {[]Syntax{Plain}, `a\*c`, "a*c", false},
		{[]Syntax{Plain}, "??", "a", false},

		{[]Syntax{Filter}, "a?c", "ac", true}, {[]Syntax{Filter}, "?", "", true},
		{[]Syntax{Filter}, "??", "a", true},
		{[]Syntax{Filter}, "???", "abcd", false}, {[]Syntax{Filter}, "a?b?c", "abc", true},
		{[]Syntax{Filter}, `a\*c`, "a*c", true}, {[]Syntax{Filter}, `a\*c`, "abc", false},
		{[]Syntax{Filter}, `a\?`, "a?", true},
		{[]Syntax{Filter}, `a\?`, "ab", false}, {[]Syntax{Filter}, `a\\b`, `a\b`, true},
		{[]Syntax{Filter}, `a\`, `a\`, true},
		{[]Syntax{Filter}, `\é`, "é", true},
	} {
		for _, s := range tt.in {
			if got := s.Match(tt.pattern, tt.text); got != tt.want {
				t.Errorf("%q of %q in syntax %d: %t", tt.pattern, tt.text, s, got)
			}
		}
	}
}

// Patterns that make a matcher that goes back try every way: none takes more steps than the product
// of the lengths.
func TestStepsAreBounded(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{strings.Repeat("a*", 50) + "b", strings.Repeat("a", 255), false},
		{strings.Repeat("*", 50) + "b", strings.Repeat("a", 255), false},
		{strings.Repeat("*a", 50), strings.Repeat("a", 255), true},
		{strings.Repeat("?", 50) + "b", strings.Repeat("a", 50), false},
		{strings.Repeat("*?", 50) + "b*", strings.Repeat("a", 255) + "b", true},
		{strings.Repeat("a*?", 80) + "b", strings.Repeat("ab", 127) + "a", false},
	} {
		for _, s := range []Syntax{Plain, Filter} {
			got, steps := match(s.Tokens(tt.pattern), tt.text)
			most := 2 * (len(tt.pattern) + 1) * (len(tt.text) + 1)
			if got != tt.want || steps > most {
				t.Errorf("%.20q… of %.20q… in syntax %d: %t in %d steps, at most %d", tt.pattern, tt.text, s,
					got, steps, most)
			}
		}
	}
}

// naive is what the patterns mean, told without regard to time.
func naive(tokens []Token, text []rune) bool {
	if len(tokens) == 0 {
		return len(text) == 0
	}
	t, rest := tokens[0], tokens[1:]
	if t.Kind == Any {
		return naive(rest, text) || len(text) > 0 && naive(tokens, text[1:])
	}
	if t.Kind == Optional && naive(rest, text) {
		return true
	}
	return len(text) > 0 && (t.Kind != Literal || t.Char == text[0]) && naive(rest, text[1:])
}

func TestMatchIsWhatPatternsMean(t *testing.T) {
	texts := words("ab", 4)
	for _, pattern := range words(`ab*?\`, 4) {
		for _, s := range []Syntax{Plain, Filter} {
			tokens := s.Tokens(pattern)
			for _, text := range texts {
				if got, want := s.Match(pattern, text), naive(tokens, []rune(text)); got != want {
					t.Fatalf("%q of %q in syntax %d: %t", pattern, text, s, got)
				}
			}
		}
	}
}

// words returns every text of the letters, up to a length.
func words(letters string, most int) []string {
	all, last := []string{""}, []string{""}
	for range most {
		var longer []string
		for _, w := range last {
			for _, c := range letters {
				longer = append(longer, w+string(c))
			}
		}
		all, last = append(all, longer...), longer
	}
	return all
}

// TestAMatchIsGivenUpWhereNothingIsReached: a text that can't match any more is not read to its
// end, however long it is.
func TestAMatchIsGivenUpWhereNothingIsReached(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		matched       bool
		steps         int
	}{
		// Two tokens are looked at for each character, and once more for what may be empty.
		{"a*", strings.Repeat("b", 1000), false, 2 + 2},
		{"a?", "a" + strings.Repeat("b", 1000), false, 2 + 3*2 + 2*2},
		{"a?", "ab", true, 2 + 2*2 + 2*2},
	} {
		if matched, steps := match(Plain.Tokens(c.pattern), c.text); matched != c.matched ||
			steps != c.steps {
			t.Errorf("%q of %.9q: %t, %d steps; want %t, %d", c.pattern, c.text, matched, steps,
				c.matched, c.steps)
		}
	}
}

// TestAPatternWithoutWildcardsIsItself: it matches no other bytes, also where they are no UTF-8.
func TestAPatternWithoutWildcardsIsItself(t *testing.T) {
	for _, text := range []string{"", "a", "a~b", "\xff", "\xef\xbf\xbd"} {
		if !Plain.Match(text, text) || !Filter.Match(text, text) {
			t.Errorf("%q does not match itself", text)
		}
	}
	if Plain.Match("\xff", "\xfe") || Plain.Match("\xff", "\ufffd") {
		t.Error("one byte matches another")
	}
}
