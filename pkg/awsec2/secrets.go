package awsec2

import (
	"net/url"
	"slices"
	"strings"
	"sync"

	"aws-provider-executor/pkg/redact"
)

// secrets are the texts that never leave this program in a result or a log. What is read is left as
// it is; only what is written is redacted.
type secrets struct {
	mu    sync.Mutex
	texts []string
}

// minSecret is the length from which a text is taken for a secret. AWS's own have 40 characters
// and more. A shorter text is part of ordinary words: taking it out would garble what is told,
// and the gaps would show it.
const minSecret = 8

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
		text = strings.ReplaceAll(text, secret, redact.Mark)
	}
	return text
}

// tell makes one short line without secrets of a foreign text.
func (s *secrets) tell(text string) string { return oneLine(s.redact(text)) }
