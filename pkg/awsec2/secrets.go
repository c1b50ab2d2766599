package awsec2

import (
	"net/url"
	"slices"
	"strings"
	"sync"
)

// secrets are the texts that never leave this program in a result or a log. What is read is left
// as it is: only what is told is redacted.
type secrets struct {
	mu    sync.Mutex
	texts []string
}

// minSecret is the length from which a text is taken for a secret. AWS's own have 40 characters
// and more. A shorter text is part of ordinary words: taking it out would garble what is told,
// and the gaps would show it.
const minSecret = 8

const redacted = "(redacted)"

// add takes texts for secrets from now on.
func (s *secrets) add(texts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range texts {
		for _, form := range []string{text, strings.TrimSpace(text), url.QueryEscape(text)} {
			if len(form) >= minSecret && !slices.Contains(s.texts, form) {
				s.texts = append(s.texts, form)
			}
		}
	}
	// A secret that holds another one goes first, whole.
	slices.SortFunc(s.texts, func(a, b string) int { return len(b) - len(a) })
}

// redact returns a text without the secrets.
func (s *secrets) redact(text string) string {
	if s == nil {
		return text
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.texts {
		text = strings.ReplaceAll(text, secret, redacted)
	}
	return text
}

// tell makes one short line without secrets of a foreign text.
func (s *secrets) tell(text string) string { return oneLine(s.redact(text)) }

// sensitive are parts of the names that programs give to secrets.
var sensitive = []string{"secret", "token", "password", "passwd", "credential", "authorization",
	"bearer", "private"}

// hideNamed cuts a line where it names a secret and goes on to tell it, as in
// "SecretAccessKey=…". It is for texts whose secrets are not known.
func hideNamed(line string) string {
	lower, end := lowerASCII(line), len(line)
	for _, name := range sensitive {
		for from := 0; ; {
			at := strings.Index(lower[from:], name)
			if at < 0 {
				break
			}
			from += at + len(name)
			if value := valueAfter(line[from:], name); value >= 0 {
				end = min(end, from+value)
			}
		}
	}
	if end == len(line) {
		return line
	}
	return line[:end] + redacted
}

// lowerASCII keeps every byte in its place, as strings.ToLower does not.
func lowerASCII(text string) string {
	lower := []byte(text)
	for i, b := range lower {
		if 'A' <= b && b <= 'Z' {
			lower[i] += 'a' - 'A'
		}
	}
	return string(lower)
}

// valueAfter is where the value begins that a secret's name is followed by, -1 for none.
func valueAfter(rest, name string) int {
	stop := strings.IndexAny(rest, "=: \t")
	if stop < 0 || name != "bearer" && rest[stop] != '=' && rest[stop] != ':' {
		return -1
	}
	return stop + 1
}
