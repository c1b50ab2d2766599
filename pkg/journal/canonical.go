package journal

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// encode is the canonical JSON of maps, lists and strings: sorted keys, no blanks, no more escapes
// than needed. It is what encoding/json makes without escapes for HTML.
func encode(v any) (string, error) {
	text, err := appendJSON(nil, v)
	return string(text), err
}

// appendJSON appends the canonical JSON of a value. It writes itself what rows and events are made
// of, and leaves the rest to encoding/json.
func appendJSON(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return appendString(b, v), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case map[string]string:
		return appendMap(b, v, appendText)
	case map[string]any:
		return appendMap(b, v, appendJSON)
	case []string:
		return appendList(b, v, appendText)
	case []any:
		return appendList(b, v, appendJSON)
	}
	return appendOther(b, v)
}

func appendOther(b []byte, v any) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return b, err
	}
	return append(b, bytes.TrimSuffix(text.Bytes(), []byte("\n"))...), nil
}

func appendMap[T any](
	b []byte, m map[string]T, value func([]byte, T) ([]byte, error),
) ([]byte, error) {
	if m == nil {
		return append(b, "null"...), nil
	}
	var few [16]string
	keys := few[:0]
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, key := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, key), ':')
		var err error
		if b, err = value(b, m[key]); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

func appendList[T any](
	b []byte, list []T, value func([]byte, T) ([]byte, error),
) ([]byte, error) {
	if list == nil {
		return append(b, "null"...), nil
	}
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = value(b, v); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

func appendText(b []byte, s string) ([]byte, error) { return appendString(b, s), nil }

// appendString appends a string in quotes.
func appendString(b []byte, s string) []byte {
	begin, from, beyond := len(b), 0, false
	b = append(b, '"')
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			beyond = true
		}
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		escape, short := shortEscape(c)
		if !short {
			return appendStringOther(b[:begin], s)
		}
		b = append(append(b, s[from:i]...), '\\', escape)
		from = i + 1
	}
	if beyond && !isPlainText(s) {
		return appendStringOther(b[:begin], s)
	}
	return append(append(b, s[from:]...), '"')
}

// appendStringOther appends any string.
func appendStringOther(b []byte, s string) []byte {
	// A string has no value that JSON lacks.
	b, _ = appendOther(b, s)
	return b
}

// shortEscape is the character that stands behind a backslash for another one, where there is one
// that the canonical form uses.
func shortEscape(c byte) (escape byte, ok bool) {
	switch c {
	case '"', '\\':
		return c, true
	case '\n':
		return 'n', true
	case '\r':
		return 'r', true
	case '\t':
		return 't', true
	}
	return 0, false
}

// isPlain reports whether a string stands between quotes as it is.
func isPlain(s string) bool {
	ascii := true
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c == '"' || c == '\\' {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	return ascii || isPlainText(s)
}

// isPlainText reports whether no character beyond ASCII is written as an escape.
func isPlainText(s string) bool {
	return utf8.ValidString(s) && !strings.Contains(s, "\u2028") && !strings.Contains(s, "\u2029")
}

// isCanonical reports whether a text is certainly the canonical JSON of an object of strings, lists
// and objects. Of other texts it tells nothing: there a value has to be read and written again.
func isCanonical(text string) bool {
	_, is := canonicalWith(text, "")
	return is
}

// canonicalWith is isCanonical, and finds a text among the members of the object. What is found is
// between quotes still.
func canonicalWith(text, name string) (found string, is bool) {
	s := canonicalScanner{text: text, want: name}
	is = len(text) > 0 && text[0] == '{' && s.value(0) && s.at == len(text)
	return s.found, is
}

// member finds a text in an object that is canonical JSON, without reading the rest of it. It tells
// nothing of a text with an escape in it.
func member(text, name string) (value string, ok bool) {
	s := canonicalScanner{text: text}
	if !s.take('{') {
		return "", false
	}
	for {
		key, ok := s.str()
		if !ok || !s.take(':') {
			return "", false
		}
		if key == name {
			value, ok = s.str()
			return value, ok && isPlain(value)
		}
		if !s.value(0) || !s.take(',') {
			return "", false
		}
	}
}

// maxScanned is how deep a text may nest that canonicalScanner reads.
const maxScanned = 32

// canonicalScanner goes through a text once, without making anything of it.
type canonicalScanner struct {
	text string
	at   int
	// want names a member of the outermost object, and found is its value as it is written.
	want, found string
}

// take reports whether a character comes next, and goes behind it.
func (s *canonicalScanner) take(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *canonicalScanner) value(depth int) bool {
	switch {
	case depth > maxScanned:
		return false
	case s.take('{'):
		return s.members(depth)
	case s.take('['):
		return s.items(depth)
	}
	_, ok := s.str()
	return ok
}

func (s *canonicalScanner) members(depth int) bool {
	if s.take('}') {
		return true
	}
	for before, first := "", true; ; first = false {
		key, ok := s.str()
		// Keys are in order of their bytes only where none has an escape, and none is there twice.
		if !ok || !isPlain(key) || !first && key <= before || !s.take(':') {
			return false
		}
		from := s.at
		if !s.value(depth + 1) {
			return false
		}
		if depth == 0 && key == s.want {
			s.found = s.text[from:s.at]
		}
		if before = key; !s.take(',') {
			return s.take('}')
		}
	}
}

func (s *canonicalScanner) items(depth int) bool {
	if s.take(']') {
		return true
	}
	for s.value(depth + 1) {
		if !s.take(',') {
			return s.take(']')
		}
	}
	return false
}

// str reads a string and returns what is between its quotes. Of escapes it knows those that are
// never written otherwise.
func (s *canonicalScanner) str() (raw string, ok bool) {
	if !s.take('"') {
		return "", false
	}
	from, ascii := s.at, true
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			raw = s.text[from:s.at]
			s.at++
			return raw, ascii || isPlainText(raw)
		case c == '\\':
			if s.at+1 >= len(s.text) || !isShortEscape(s.text[s.at+1]) {
				return "", false
			}
			s.at += 2
		case c < ' ':
			return "", false
		default:
			ascii = ascii && c < utf8.RuneSelf
			s.at++
		}
	}
	return "", false
}

// isShortEscape reports whether a backslash and this character are how the canonical form writes
// something.
func isShortEscape(c byte) bool { return c == '"' || c == '\\' || c == 'n' || c == 'r' || c == 't' }
