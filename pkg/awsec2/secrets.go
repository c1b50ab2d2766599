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
var sensitive = []string{"secret", "token", "password", "passwd", "credential", "authorization", "bearer", "private"}

// hideNamed cuts a line where it names a secret and goes on to tell it, as in "SecretAccessKey=…".
// It is for texts whose secrets are not known.
func hideNamed(line string) string {
	lower, end := strings.ToLower(line), len(line)
	for _, name := range sensitive {
		for at := 0; ; {
			i := strings.Index(lower[at:], name)
			if i < 0 {
				break
			}
			at += i + len(name)
			rest := lower[at:]
			if stop := strings.IndexAny(rest, "=: \t"); stop >= 0 && (rest[stop] == '=' || rest[stop] == ':' || name == "bearer") {
				end = min(end, at+stop+1)
			}
		}
	}
	if end == len(line) {
		return line
	}
	return line[:end] + redacted
}
