package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// JSONKind is what a JSON value is, with its article.
type JSONKind string

// The kinds of JSON values.
const (
	JSONNull    JSONKind = "null"
	JSONBoolean JSONKind = "a boolean"
	JSONNumber  JSONKind = "a number"
	JSONString  JSONKind = "a string"
	JSONArray   JSONKind = "an array"
	JSONObject  JSONKind = "an object"
)

// JSON is one value that was read strictly.
type JSON struct {
	Kind JSONKind
	// Text is a string without its quotes, or any other scalar as it is written.
	Text string
	// Items are an array's values.
	Items []JSON
	// Members are an object's, in their order. Of a key that is there twice the first one is kept.
	Members []JSONMember
	// Offset is where the value begins, and Raw how it is written.
	Offset int
	Raw    []byte
}

// JSONMember is one key of an object with its value.
type JSONMember struct {
	Key string
	// Offset is where the key begins.
	Offset int
	Value  JSON
}

// JSONFault is one place where a text can be read in two ways, or not at all.
type JSONFault struct {
	// Path is where, as in spec.target; empty for the text itself. Offset is the same in bytes.
	Path   string
	Offset int
	Reason string
	// Syntax is set for a text that is no JSON.
	Syntax bool
}

// Error tells where, if that is not the text itself, and the reason.
func (f *JSONFault) Error() string { return Faults{{f.Path, f.Reason}}.Error() }

// ReadJSON reads values one after the other. A text that is not UTF-8, has half a surrogate pair as
// an escape, nests deeper than depth or is no JSON is an error. So is a key that is there twice,
// but the values are returned with it: the first of each key counts.
//
// The error is a *JSONFault, or several of them joined, all of them keys.
func ReadJSON(data []byte, depth int) ([]JSON, error) {
	if !utf8.Valid(data) {
		return nil, &JSONFault{Offset: invalidUTF8(data), Reason: "is not valid UTF-8"}
	}
	r := jsonReader{data: data, depth: depth}
	values, err := SplitJSON(data)
	if err != nil {
		return nil, err
	}
	for i, v := range values {
		if at, lone := loneSurrogate(v.Raw); lone {
			const reason = `has half a surrogate pair as a \u escape`
			return nil, &JSONFault{Offset: v.Offset + at, Reason: reason}
		}
		if values[i], err = r.document(v); err != nil {
			return nil, err
		}
	}
	return values, errors.Join(r.twice...)
}

// EachJSON tells the items of a text that is one array, one by one: of very many the values would
// take much more room than the text. It reports whether the text is such an array, and ReadJSON
// takes it. Where it is not, what was told is void.
func EachJSON(data []byte, depth int, do func(item JSON)) bool {
	at := len(data) - len(bytes.TrimLeft(data, blanks))
	if at == len(data) || data[at] != '[' || !utf8.Valid(data) || !json.Valid(data) {
		return false
	}
	if _, lone := loneSurrogate(data); lone {
		return false
	}
	r := jsonReader{data: data, depth: depth, each: do, end: len(data)}
	_, err := r.value(nil, 0)
	return err == nil && len(r.twice) == 0
}

// SplitJSON takes values apart that follow one another, and leaves them unread: they have an Offset
// and Raw only. The error, a *JSONFault, is of what follows them and is no JSON.
func SplitJSON(data []byte) ([]JSON, error) {
	if json.Valid(data) {
		// Most texts are one value.
		at := len(data) - len(bytes.TrimLeft(data, blanks))
		return []JSON{{Offset: at, Raw: bytes.TrimRight(data[at:], blanks)}}, nil
	}
	var values []JSON
	for d := json.NewDecoder(bytes.NewReader(data)); ; {
		var one json.RawMessage
		err := d.Decode(&one)
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			return values, notJSON(data, err)
		}
		end := int(d.InputOffset())
		values = append(values, JSON{Offset: end - len(one), Raw: data[end-len(one) : end]})
	}
}

// ReadOneJSON reads one value as ReadJSON does, and refuses a second one.
func ReadOneJSON(data []byte, depth int) (JSON, error) {
	values, err := ReadJSON(data, depth)
	switch {
	case err != nil:
		return JSON{}, err
	case len(values) == 0:
		return JSON{}, &JSONFault{Reason: "there is no JSON", Syntax: true}
	case len(values) > 1:
		return JSON{}, &JSONFault{
			Offset: values[1].Offset, Reason: "is more than one JSON value", Syntax: true,
		}
	}
	return values[0], nil
}

// UnmarshalJSON reads one value as ReadOneJSON does, and then into what a pointer points to, as
// json.Unmarshal.
func UnmarshalJSON(data []byte, into any) error {
	if _, err := ReadOneJSON(data, MaxRequestDepth); err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// notJSON is the fault of a text that json refused.
func notJSON(data []byte, err error) *JSONFault {
	at := len(data)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at = max(0, int(syntax.Offset)-1)
	}
	return &JSONFault{Offset: at, Reason: err.Error(), Syntax: true}
}

// fields are an object's values by their keys.
func (v JSON) fields() map[string]JSON {
	object := make(map[string]JSON, len(v.Members))
	for _, m := range v.Members {
		object[m.Key] = m.Value
	}
	return object
}

// Any is the value as json.Unmarshal makes it, with numbers as json.Number.
func (v JSON) Any() any {
	switch v.Kind {
	case JSONBoolean:
		return v.Text == "true"
	case JSONNumber:
		return json.Number(v.Text)
	case JSONString:
		return v.Text
	case JSONArray:
		list := make([]any, len(v.Items))
		for i, item := range v.Items {
			list[i] = item.Any()
		}
		return list
	case JSONObject:
		object := make(map[string]any, len(v.Members))
		for _, m := range v.Members {
			object[m.Key] = m.Value.Any()
		}
		return object
	}
	return nil
}

// maxTwice is how many keys that are there twice are named.
const maxTwice = 64

// blanks may stand between the parts of a text.
const blanks = " \t\r\n"

// jsonReader reads documents that are known to be well-formed.
type jsonReader struct {
	data  []byte
	depth int
	// at is where it is in data, and end where the document ends.
	at, end int
	// twice are the keys that are there twice.
	twice []error
	// each, where it is not nil, takes the items of the outermost list, which are not kept then.
	each func(JSON)
}

// document reads a value that SplitJSON found.
func (r *jsonReader) document(v JSON) (JSON, error) {
	r.at, r.end = v.Offset, v.Offset+len(v.Raw)
	return r.value(nil, 0)
}

// next goes to where the next part begins, and returns its first character; 0 at the end.
func (r *jsonReader) next() byte {
	for r.at < r.end {
		switch c := r.data[r.at]; c {
		case ' ', '\t', '\r', '\n', ':', ',':
			r.at++
		default:
			return c
		}
	}
	return 0
}

// value reads one value. Of a key that is there twice the first value counts.
func (r *jsonReader) value(at *place, depth int) (v JSON, err error) {
	c := r.next()
	v.Offset = r.at
	switch c {
	case '[', '{':
		r.at++
		if depth++; depth > r.depth {
			reason := fmt.Sprintf("nests deeper than %d", r.depth)
			return v, &JSONFault{Offset: v.Offset, Reason: reason}
		}
		if c == '[' {
			v.Kind = JSONArray
			err = r.items(&v, at, depth)
		} else {
			v.Kind = JSONObject
			err = r.members(&v, at, depth)
		}
	case '"':
		v.Kind = JSONString
		v.Text, err = r.text(at)
	default:
		v.Kind, v.Text = kindOfWord(c), r.word()
	}
	v.Raw = r.data[v.Offset:r.at]
	return v, err
}

// text reads a string.
func (r *jsonReader) text(at *place) (string, error) {
	from, plain := r.at, true
	for r.at++; r.at < r.end && r.data[r.at] != '"'; r.at++ {
		if r.data[r.at] == '\\' {
			plain = false
			r.at++
		}
	}
	if r.at++; r.at > r.end {
		return "", &JSONFault{at.path(), from, "has a string without an end", true}
	}
	if plain {
		return string(r.data[from+1 : r.at-1]), nil
	}
	var s string
	if err := json.Unmarshal(r.data[from:r.at], &s); err != nil {
		return "", &JSONFault{at.path(), from, "cannot be read: " + err.Error(), true}
	}
	return s, nil
}

// kindOfWord tells a scalar without quotes by its first character.
func kindOfWord(first byte) JSONKind {
	switch first {
	case 't', 'f':
		return JSONBoolean
	case 'n':
		return JSONNull
	}
	return JSONNumber
}

// word reads a scalar without quotes.
func (r *jsonReader) word() string {
	from := r.at
	for r.at < r.end && !strings.ContainsRune(blanks+",]}", rune(r.data[r.at])) {
		r.at++
	}
	return string(r.data[from:r.at])
}

// items reads the rest of an array.
func (r *jsonReader) items(v *JSON, at *place, depth int) error {
	for n := 0; ; n++ {
		c := r.next()
		if c == ']' {
			break
		}
		if c == 0 {
			return &JSONFault{at.path(), r.at, "has a list without an end", true}
		}
		item, err := r.value(&place{within: at, inList: true, index: n}, depth)
		if err != nil {
			return err
		}
		if r.each != nil && depth == 1 {
			r.each(item)
			continue
		}
		v.Items = append(v.Items, item)
	}
	r.at++
	return nil
}

// members reads the rest of an object.
func (r *jsonReader) members(v *JSON, at *place, depth int) error {
	seen := seenKeys{members: &v.Members}
	for c := r.next(); c != '}'; c = r.next() {
		m := JSONMember{Offset: r.at}
		if c != '"' {
			return &JSONFault{at.path(), r.at, "has a key that cannot be read", true}
		}
		var err error
		if m.Key, err = r.text(at); err != nil {
			return err
		}
		member := &place{within: at, key: m.Key}
		before := seen.has(m.Key)
		if before && len(r.twice) < maxTwice {
			r.twice = append(r.twice, &JSONFault{
				Path: member.path(), Offset: r.at - 1, Reason: "the key is there twice",
			})
		}
		if m.Value, err = r.value(member, depth); err != nil {
			return err
		}
		if !before {
			v.Members = append(v.Members, m)
		}
	}
	r.at++
	return nil
}

// seenKeys tells which keys an object has. One with few keys needs no table of them.
type seenKeys struct {
	members *[]JSONMember
	table   map[string]bool
}

// fewKeys is how many keys are looked through one by one.
const fewKeys = 16

// has reports whether a key is there.
func (s *seenKeys) has(key string) bool {
	if len(*s.members) < fewKeys {
		for i := range *s.members {
			if (*s.members)[i].Key == key {
				return true
			}
		}
		return false
	}
	if s.table == nil {
		s.table = map[string]bool{}
		for i := range *s.members {
			s.table[(*s.members)[i].Key] = true
		}
	}
	before := s.table[key]
	s.table[key] = true
	return before
}

// place is where a value is. Its path is only spelt out for a fault: a deep list
// of many would take seconds to name them all.
type place struct {
	within *place
	key    string
	inList bool
	index  int
}

func (p *place) path() string {
	switch {
	case p == nil:
		return ""
	case p.inList:
		return fmt.Sprintf("%s[%d]", p.within.path(), p.index)
	}
	return Join(p.within.path(), p.key)
}

// JSONFaults lists the faults of an error that ReadJSON returned.
func JSONFaults(err error) []*JSONFault {
	var one *JSONFault
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*JSONFault
		for _, e := range joined.Unwrap() {
			all = append(all, JSONFaults(e)...)
		}
		return all
	}
	if errors.As(err, &one) {
		return []*JSONFault{one}
	}
	return nil
}

func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return len(data)
}

// loneSurrogate finds a \u escape that is half a pair: encoding/json would turn
// it into U+FFFD, and two different keys into one.
func loneSurrogate(data []byte) (int, bool) {
	for i := 0; i+1 < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		unit, isUnit := escapedUnit(data[i:])
		if !isUnit {
			i++
			continue
		}
		switch {
		case unit >= 0xDC00 && unit <= 0xDFFF:
			return i, true
		case unit >= 0xD800 && unit <= 0xDBFF:
			low, ok := escapedUnit(data[i+6:])
			if !ok || low < 0xDC00 || low > 0xDFFF {
				return i, true
			}
			i += 6
		}
		i += 5
	}
	return 0, false
}

func escapedUnit(b []byte) (uint16, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var unit uint16
	for _, c := range b[2:6] {
		unit <<= 4
		switch {
		case c >= '0' && c <= '9':
			unit |= uint16(c - '0')
		case c >= 'a' && c <= 'f':
			unit |= uint16(c-'a') + 10
		case c >= 'A' && c <= 'F':
			unit |= uint16(c-'A') + 10
		}
	}
	return unit, true
}
