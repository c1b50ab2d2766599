package policy

import (
	"errors"
	"strings"

	"aws-provider-executor/pkg/wildcard"
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

// Match reports whether the whole text matches.
func (p Pattern) Match(text string) bool { return wildcard.Plain.Match(string(p), text) }

func matchAny(patterns []Pattern, text string) bool {
	for _, p := range patterns {
		if p.Match(text) {
			return true
		}
	}
	return false
}
