package iampolicy

import (
	"strings"

	"aws-provider-executor/pkg/wildcard"
)

// truth is what is known of whether something holds.
type truth int

const (
	no truth = iota
	maybe
	yes
)

func not(t truth) truth { return yes - t }

func known(b bool) truth {
	if b {
		return yes
	}
	return no
}

// isPattern reports whether a text stands for more than itself.
func isPattern(text string) bool { return strings.ContainsAny(text, "*?") }

// covers reports whether a pattern matches every text that another one, or a plain text, matches.
func covers(pattern, other string) bool {
	if !isPattern(other) {
		return wildcard.Plain.Match(pattern, other)
	}
	// The letter is in neither, and more of them than the pattern has places: only a * matches them.
	// Where the other's * stands for nothing is a case of its own.
	const letter = "\uf8ff"
	long := strings.Repeat(letter, len(pattern)+1)
	one := strings.ReplaceAll(other, "?", letter)
	return wildcard.Plain.Match(pattern, strings.ReplaceAll(one, "*", long)) &&
		wildcard.Plain.Match(pattern, strings.ReplaceAll(one, "*", ""))
}

// overlaps reports whether some text matches both patterns.
func overlaps(a, b string) bool {
	bs := []rune(b)
	// reached[j] says that the patterns so far, of b the first j letters, have a text in common.
	reached := make([]bool, len(bs)+1)
	reached[0] = true
	passStars(bs, reached)
	for _, r := range a {
		reached = step(r, bs, reached)
		passStars(bs, reached)
	}
	return reached[len(bs)]
}

// passStars goes on past what may stand for nothing.
func passStars(bs []rune, reached []bool) {
	for j, r := range bs {
		reached[j+1] = reached[j+1] || reached[j] && r == '*'
	}
}

// step takes one letter of the other pattern.
func step(r rune, bs []rune, reached []bool) []bool {
	next := make([]bool, len(reached))
	for j := range reached {
		switch {
		case r == '*':
			// It stands for any number of b's letters, none included.
			next[j] = reached[j] || j > 0 && next[j-1]
		case !reached[j] || j == len(bs):
		case bs[j] == '*':
			next[j] = true
		case bs[j] == r || bs[j] == '?' || r == '?':
			next[j+1] = true
		}
	}
	return next
}

// matchesAction reports whether a statement is for an action.
func (p patterns) matchesAction(action string) bool {
	found := false
	for _, pattern := range p.list {
		found = found || wildcard.Plain.Match(strings.ToLower(pattern), strings.ToLower(action))
	}
	return found != p.not
}

// matchesResource is yes where a statement is for all that a resource stands for. Maybe means that
// it is for a part of it, or that a variable decides.
func (p patterns) matchesResource(resource string) truth {
	best := no
	for _, pattern := range p.list {
		switch {
		case resource == anything:
			// Only a pattern for everything is for what has no resource.
			best = max(best, known(strings.Trim(pattern, "*") == ""))
		case strings.Contains(pattern, "${"):
			best = max(best, maybe)
		default:
			best = max(best, likeResource(pattern, resource))
		}
	}
	if p.not {
		return not(best)
	}
	return best
}

// likeResource compares two ARNs. An ARN of EC2 has five colons: a pattern with as many is compared
// part by part, since each of its colons is one of them.
func likeResource(pattern, arn string) truth {
	if strings.Count(pattern, ":") == arnParts-1 && strings.Count(arn, ":") == arnParts-1 {
		return likeARN(pattern, arn)
	}
	return like(pattern, arn)
}
