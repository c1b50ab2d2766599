package awsec2

import (
	"net/url"
	"slices"
	"strings"
	"sync"
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
	line = hideURLs(line)
	lower, end := lowerASCII(line), len(line)
	for _, name := range sensitive {
		for from := 0; ; {
			at := strings.Index(lower[from:], name)
			if at < 0 {
				break
			}
			from += at + len(name)
			flag := isFlag(line[:from-len(name)])
			if value := valueAfter(line[from:], flag || name == "bearer"); value >= 0 {
				end = min(end, from+value)
			}
		}
	}
	if end == len(line) {
		return line
	}
	return line[:end] + redacted
}

// hideURLs takes out what may be a secret in the URLs of a line: users and queries.
func hideURLs(line string) string {
	var told strings.Builder
	for {
		before, after, found := strings.Cut(line, "://")
		told.WriteString(before)
		if !found {
			return told.String()
		}
		told.WriteString("://")
		end := strings.IndexAny(after, " \t\"'<>")
		if end < 0 {
			end = len(after)
		}
		address, query, asks := strings.Cut(after[:end], "?")
		if at := strings.LastIndex(address, "@"); at >= 0 {
			address = redacted + address[at:]
		}
		if asks && query != "" {
			address += "?" + redacted
		}
		told.WriteString(address)
		line = after[end:]
	}
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

// isFlag reports whether the word that a text ends in is begun like an option, as --api-token is.
func isFlag(before string) bool {
	return strings.HasPrefix(before[strings.LastIndexAny(before, " \t\"'")+1:], "-")
}

// valueAfter is where the value begins that a secret's name is followed by, -1 for none. Some names
// have it behind a blank.
func valueAfter(rest string, blank bool) int {
	stop := strings.IndexAny(rest, "=: \t")
	if stop < 0 || !blank && rest[stop] != '=' && rest[stop] != ':' {
		return -1
	}
	return stop + 1
}
