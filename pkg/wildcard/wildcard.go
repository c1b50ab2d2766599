// Package wildcard matches texts with patterns in which * and ? stand for something: in EC2's
// filters, in IAM's policies, and in the policies of this project.
//
// It guarantees that a match takes time in proportion to the product of their lengths, whatever
// the two are: no pattern makes a program hang.
package wildcard

import (
	"strings"
	"unicode/utf8"
)

// Syntax says what the characters of a pattern mean. In each, * stands for any text, the empty one
// included. Case matters.
type Syntax int

const (
	// Plain is IAM's syntax and this project's: ? stands for exactly one character.
	Plain Syntax = iota
	// Filter is that of EC2's filters: ? stands for one character or none, and a backslash takes the
	// character after it literally.
	Filter
)

// Match reports whether the pattern matches the whole text.
func (s Syntax) Match(pattern, text string) bool {
	if !strings.ContainsAny(pattern, `*?\`) {
		return pattern == text
	}
	matched, _ := match(s.Tokens(pattern), text)
	return matched
}

// Token is one element of a pattern.
type Token struct {
	Kind Kind
	Char rune // of a Literal
}

// Kind is what a token stands for.
type Kind int

const (
	// Literal stands for its character.
	Literal Kind = iota
	// One stands for exactly one character.
	One
	// Optional stands for one character or none.
	Optional
	// Any stands for any text.
	Any
)

// Tokens are the elements of a pattern, in order. A pattern in another language that stands for the
// same, token by token, matches the same texts.
func (s Syntax) Tokens(pattern string) []Token {
	tokens := make([]Token, 0, len(pattern))
	for i := 0; i < len(pattern); {
		char, size := utf8.DecodeRuneInString(pattern[i:])
		i += size
		t := Token{Literal, char}
		switch {
		case char == '*':
			t.Kind = Any
		case char == '?' && s == Filter:
			t.Kind = Optional
		case char == '?':
			t.Kind = One
		case char == '\\' && s == Filter && i < len(pattern):
			t.Char, size = utf8.DecodeRuneInString(pattern[i:])
			i += size
		}
		tokens = append(tokens, t)
	}
	return tokens
}

// match follows all the ways through the pattern at once. reached[i] says that the text so far can
// be what the first i tokens stand for. It returns how many tokens it looked at, too.
func match(tokens []Token, text string) (matched bool, steps int) {
	reached := make([]bool, len(tokens)+1)
	next := make([]bool, len(tokens)+1)
	reached[0] = true
	steps += passEmpty(tokens, reached)
	for _, char := range text {
		clear(next)
		alive := false
		for i, t := range tokens {
			steps++
			if !reached[i] {
				continue
			}
			switch {
			case t.Kind == Any:
				next[i] = true
			case t.Kind != Literal || t.Char == char:
				next[i+1] = true
			default:
				continue
			}
			alive = true
		}
		if !alive {
			return false, steps
		}
		steps += passEmpty(tokens, next)
		reached, next = next, reached
	}
	return reached[len(tokens)], steps
}

// passEmpty goes on past the tokens that may stand for no character.
func passEmpty(tokens []Token, reached []bool) (steps int) {
	for i, t := range tokens {
		steps++
		if reached[i] && (t.Kind == Any || t.Kind == Optional) {
			reached[i+1] = true
		}
	}
	return steps
}
