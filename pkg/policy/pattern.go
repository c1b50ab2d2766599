package policy

import (
	"errors"
	"strings"
)

// Pattern is a text in which * stands for any text and ? for one character.
type Pattern string

// parsePattern refuses what looks like another language of patterns.
func parsePattern(s string) (Pattern, error) {
	switch {
	case strings.TrimSpace(s) != s:
		return "", errors.New("begins or ends with a blank")
	case strings.ContainsAny(s, `[]{}\^$|()`):
		return "", errors.New("has one of [ ] { } ( ) ^ $ | \\ in it; only * and ? stand for something")
	}
	return Pattern(s), nil
}

// Match tells whether the whole text matches.
func (p Pattern) Match(text string) bool {
	pattern, runes := []rune(string(p)), []rune(text)
	i, j, star, resume := 0, 0, -1, 0
	for j < len(runes) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, resume = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == runes[j]):
			i++
			j++
		case star >= 0:
			resume++
			i, j = star+1, resume
		default:
			return false
		}
	}
	for i < len(pattern) && pattern[i] == '*' {
		i++
	}
	return i == len(pattern)
}

func matchAny(patterns []Pattern, text string) bool {
	for _, p := range patterns {
		if p.Match(text) {
			return true
		}
	}
	return false
}
