package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Fault is one thing wrong with a request.
type Fault struct {
	// Path is where, as in spec.target.nicRef; empty for the document itself.
	Path string
	// Reason is what is wrong and what would be right.
	Reason string
}

// Faults is everything wrong with a request.
type Faults []Fault

// maxFaultBytes is about how much is told of faults: a request has room for more of
// them than a result has.
const maxFaultBytes = 32 << 10

// Error names every fault, in one line; of a request that has hundreds, the
// first ones and how many more there are.
func (f Faults) Error() string {
	var b strings.Builder
	for i, x := range f {
		if i > 0 {
			b.WriteString("; ")
		}
		if b.Len() > maxFaultBytes {
			fmt.Fprintf(&b, "and %d more", len(f)-i)
			break
		}
		if x.Path != "" {
			b.WriteString(x.Path + ": ")
		}
		b.WriteString(x.Reason)
	}
	return b.String()
}

// Decode reads one ExecuteActionRequest. The request returned is as complete as
// the faults allow, so that a caller can name its own faults beside these; a
// document that is no JSON object gives the zero Request. A read error is
// returned as a fault too.
//
// Keys are matched exactly. Unknown fields and the context are ignored, and named in Ignored; one
// that is nearly target or parameters is a fault, since all that is in it would be ignored.
func Decode(r io.Reader) (Request, Faults) {
	spec := DecodeSpec(r, APIVersion, RequestKind)
	if !spec.Present() {
		return Request{}, spec.Faults()
	}
	req := Request{
		Action:         spec.Required("action"),
		Provider:       spec.Required("provider"),
		ProviderRef:    spec.Text("providerRef"),
		Target:         spec.Strings("target"),
		Parameters:     spec.Strings("parameters"),
		Mode:           Mode(spec.Required("mode")),
		IdempotencyKey: spec.Required("idempotencyKey"),
		Ignored:        spec.unknown(),
	}
	if req.Mode != "" && req.Mode != DryRun && req.Mode != Execute {
		spec.Fault("mode", fmt.Sprintf("is %s, want %q or %q", Quote(string(req.Mode)), DryRun, Execute))
	}
	return req, spec.Faults()
}

// DecodeResult reads one ExecuteActionResult, as strictly as Decode reads a request: one that can be read in two
// ways is none.
func DecodeResult(data []byte) (Result, Faults) {
	doc, faults := parse(data, "result", MaxResultBytes)
	if doc == nil {
		return Result{}, faults
	}
	d := &decoder{faults}
	d.equals(doc, "", "apiVersion", APIVersion)
	d.equals(doc, "", "kind", ResultKind)
	status, _ := d.object(doc, "", "status")
	s := Status{
		Status:        State(d.required(status, "status", "status")),
		Message:       d.text(status, "status", "message"),
		Error:         d.text(status, "status", "error"),
		UndoAvailable: d.boolean(status, "status", "undoAvailable"),
	}
	if observed := d.strings(status, "status", "observed", anyKey); len(observed) > 0 {
		s.Observed = observed
	}
	if s.Status != "" && s.Status != Succeeded && s.Status != Failed && s.Status != Skipped {
		d.fault("status.status", fmt.Sprintf("is %s, want %q, %q or %q", Quote(string(s.Status)), Succeeded, Failed, Skipped))
	}
	return NewResult(s), d.faults
}

// Spec is the spec of a document of the family, or an object in it, read field by field. What is wrong
// is collected on the way.
type Spec struct {
	d      *decoder
	object map[string]any
	path   string
	// outer is the object that this one is in, for a whole document.
	outer map[string]any
}

// DecodeSpec reads one document of the family, as strictly whatever its kind. It takes its fields for a
// request's; unknown ones are ignored.
func DecodeSpec(r io.Reader, apiVersion, kind string) *Spec {
	s := &Spec{d: &decoder{}, path: "spec"}
	data, err := io.ReadAll(io.LimitReader(r, MaxRequestBytes+1))
	if err != nil {
		s.d.fault("", "cannot read the request: "+err.Error())
		return s
	}
	doc, faults := parse(data, "request", MaxRequestBytes)
	if s.d.faults = faults; doc == nil {
		return s
	}
	s.d.equals(doc, "", "apiVersion", apiVersion)
	s.d.equals(doc, "", "kind", kind)
	spec, ok := s.d.object(doc, "", "spec")
	if _, present := doc["spec"]; !ok && !present {
		s.d.fault("spec", "is required")
	}
	s.object, s.outer = spec, doc
	return s
}

// The fields of a request, and those of them that hold keys of their own.
var (
	envelopeFields = []string{"apiVersion", "kind", "spec"}
	specFields     = []string{
		"action", "provider", "providerRef", "target", "parameters", "mode", "idempotencyKey",
	}
	keyedFields = []string{"target", "parameters"}
)

// unknown names the fields of a request that nothing reads, but for empty ones.
func (s *Spec) unknown() []string {
	var all []string
	for key, value := range s.outer {
		if !slices.Contains(envelopeFields, key) && !isEmpty(value) {
			all = append(all, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.object)) {
		if slices.Contains(specFields, key) || isEmpty(s.object[key]) {
			continue
		}
		all = append(all, key)
		near := func(name string) bool { return Nearly(key, name) }
		if i := slices.IndexFunc(keyedFields, near); i >= 0 {
			s.Fault(key, "is no field of a request; did you mean "+keyedFields[i]+"?")
		}
	}
	slices.Sort(all)
	return all
}

// isEmpty reports whether a value says nothing, so that nothing is lost by ignoring it.
func isEmpty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

// Present tells whether there is an object to read from.
func (s *Spec) Present() bool { return s.object != nil }

// Faults are everything found wrong so far with the whole document.
func (s *Spec) Faults() Faults { return s.d.faults }

// Fault adds one that the caller finds with a field.
func (s *Spec) Fault(key, reason string) { s.d.fault(Join(s.path, key), reason) }

// Text reads a text that may be absent.
func (s *Spec) Text(key string) string { return s.d.text(s.object, s.path, key) }

// Required reads a text that may be neither absent nor blank.
func (s *Spec) Required(key string) string { return s.d.required(s.object, s.path, key) }

// Strings reads an object of texts that carries no credentials; it is never nil.
func (s *Spec) Strings(key string) map[string]string {
	return s.d.strings(s.object, s.path, key, carriesCredential)
}

// Tags reads an object of texts whose keys are anybody's; it is never nil.
func (s *Spec) Tags(key string) map[string]string {
	return s.d.strings(s.object, s.path, key, anyKey)
}

// Object reads an object that may be absent or null.
func (s *Spec) Object(key string) *Spec {
	o, _ := s.d.object(s.object, s.path, key)
	return &Spec{d: s.d, object: o, path: Join(s.path, key)}
}

// parse checks everything that can be wrong with the document as a document; what says what it is.
func parse(data []byte, what string, limit int) (map[string]any, Faults) {
	switch {
	case len(data) > limit:
		return nil, Faults{{"", fmt.Sprintf("the %s is larger than %d bytes", what, limit)}}
	case len(bytes.TrimSpace(data)) == 0:
		return nil, Faults{{"", "there is no " + what + " on the input"}}
	case !utf8.Valid(data):
		return nil, Faults{{"", fmt.Sprintf("the %s is not valid UTF-8 (%s)", what, position(data, invalidUTF8(data)))}}
	}
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		at := len(data)
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			at = max(0, int(syntax.Offset)-1)
		}
		return nil, Faults{{"", fmt.Sprintf("the %s is not one JSON document (%s): %v", what, position(data, at), err)}}
	}
	if at, lone := loneSurrogate(data); lone {
		return nil, Faults{{"", fmt.Sprintf(`the %s has half a surrogate pair as a \u escape (%s)`, what, position(data, at))}}
	}
	p := parser{Decoder: json.NewDecoder(bytes.NewReader(data)), data: data, what: what}
	p.UseNumber()
	value, fault := p.value(nil, 0)
	if fault != nil {
		return nil, Faults{*fault}
	}
	doc, ok := value.(map[string]any)
	if !ok {
		return nil, Faults{{"", "the " + what + " is " + kindOf(value) + ", want an object"}}
	}
	return doc, p.twice
}

// maxTwice is how many keys that are there twice are named.
const maxTwice = 64

// parser reads a document already known to be well-formed.
type parser struct {
	*json.Decoder
	data []byte
	what string
	// twice are the keys that are there twice.
	twice Faults
}

// value reads one value. Of a key that is there twice the first value counts.
func (p *parser) value(at *place, depth int) (any, *Fault) {
	token, err := p.Token()
	if err != nil {
		return nil, &Fault{at.path(), "cannot be read: " + err.Error()}
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth++; depth > MaxRequestDepth {
		return nil, &Fault{"", fmt.Sprintf("the %s nests deeper than %d (%s)", p.what, MaxRequestDepth, position(p.data, int(p.InputOffset())-1))}
	}
	if delim == '[' {
		list := []any{}
		for p.More() {
			v, fault := p.value(&place{within: at, inList: true, index: len(list)}, depth)
			if fault != nil {
				return nil, fault
			}
			list = append(list, v)
		}
		_, _ = p.Token()
		return list, nil
	}
	object := map[string]any{}
	for p.More() {
		token, err := p.Token()
		key, ok := token.(string)
		if err != nil || !ok {
			return nil, &Fault{at.path(), "has a key that cannot be read"}
		}
		member := &place{within: at, key: key}
		_, twice := object[key]
		if twice && len(p.twice) < maxTwice {
			p.twice = append(p.twice, Fault{member.path(), fmt.Sprintf("the key is there twice (%s)", position(p.data, int(p.InputOffset())-1))})
		}
		v, fault := p.value(member, depth)
		if fault != nil {
			return nil, fault
		}
		if !twice {
			object[key] = v
		}
	}
	_, _ = p.Token()
	return object, nil
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

// decoder collects the faults of the envelope.
type decoder struct{ faults Faults }

func (d *decoder) fault(path, reason string) {
	d.faults = append(d.faults, Fault{path, reason})
}

func (d *decoder) text(o map[string]any, path, key string) string {
	v, present := o[key]
	if !present {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		d.fault(Join(path, key), "is "+kindOf(v)+", want a string")
	}
	return s
}

func (d *decoder) required(o map[string]any, path, key string) string {
	before := len(d.faults)
	s := d.text(o, path, key)
	if strings.TrimSpace(s) == "" && len(d.faults) == before {
		reason := "is required"
		if _, present := o[key]; present {
			reason = "is blank"
		}
		d.fault(Join(path, key), reason)
		return ""
	}
	return s
}

func (d *decoder) equals(o map[string]any, path, key, want string) {
	before := len(d.faults)
	if s := d.required(o, path, key); s != want && len(d.faults) == before {
		d.fault(Join(path, key), fmt.Sprintf("is %s, want %q", Quote(s), want))
	}
}

func (d *decoder) boolean(o map[string]any, path, key string) bool {
	v, present := o[key]
	b, ok := v.(bool)
	if present && !ok {
		d.fault(Join(path, key), "is "+kindOf(v)+", want true or false")
	}
	return b
}

// object accepts null as absent: a core in Go sends a nil map so.
func (d *decoder) object(o map[string]any, path, key string) (map[string]any, bool) {
	switch v := o[key].(type) {
	case map[string]any:
		return v, true
	case nil:
		if _, present := o[key]; present && key == "spec" {
			d.fault(Join(path, key), "is null, want an object")
		}
		return nil, false
	default:
		d.fault(Join(path, key), "is "+kindOf(v)+", want an object")
		return nil, false
	}
}

func (d *decoder) strings(o map[string]any, path, key string, refused func(string) bool) map[string]string {
	m := map[string]string{}
	object, _ := d.object(o, path, key)
	for _, k := range slices.Sorted(maps.Keys(object)) {
		at := Join(Join(path, key), k)
		if refused(k) {
			d.fault(at, "carries a credential: the executor uses its own identity only; take the key out of the request")
			continue
		}
		s, ok := object[k].(string)
		if !ok {
			d.fault(at, "is "+kindOf(object[k])+", want a string")
			continue
		}
		m[k] = s
	}
	return m
}

// anyKey refuses none.
func anyKey(string) bool { return false }

// credentialWords are what the name of a credential holds, and credentialNames
// what it is as a whole, in the form that carriesCredential compares.
var (
	credentialWords = []string{
		"accesskey", "secretkey", "secretaccess", "sessiontoken", "securitytoken", "authtoken",
		"bearertoken", "clientsecret", "apikey", "privatekey", "password", "passwd", "passphrase", "credential",
	}
	credentialNames = []string{"secret", "token"}
)

// carriesCredential tells whether a key of target or parameters is the name of
// a secret, however it is spelt.
func carriesCredential(key string) bool {
	plain := Plain(key)
	return slices.Contains(credentialNames, plain) ||
		slices.ContainsFunc(credentialWords, func(w string) bool { return strings.Contains(plain, w) })
}

// CredentialKeyPatterns is the same rule as regular expressions that ECMA 262
// and RE2 read alike: a key of target or parameters that any of them matches is
// refused by Decode.
func CredentialKeyPatterns() []string {
	const between = "[^0-9A-Za-z]*"
	spelt := func(word string) string {
		letters := make([]string, len(word))
		for i, r := range word {
			letters[i] = "[" + string(r) + strings.ToUpper(string(r)) + "]"
		}
		return strings.Join(letters, between)
	}
	var all []string
	for _, w := range credentialWords {
		all = append(all, spelt(w))
	}
	for _, n := range credentialNames {
		all = append(all, "^"+between+spelt(n)+between+"$")
	}
	return all
}

// Join is the path of a key in an object, quoted where the key is no plain word.
func Join(path, key string) string {
	if !plainKey(key) {
		key = Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func plainKey(key string) bool {
	return key != "" && len(key) <= maxQuoted && !looksLikeAccessKey(key) && strings.IndexFunc(key, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '"' || r == '.'
	}) < 0
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "an array"
	}
	return "an object"
}

func position(data []byte, at int) string {
	at = min(at, len(data))
	line := 1 + bytes.Count(data[:at], []byte("\n"))
	column := at - bytes.LastIndexByte(data[:at], '\n')
	return fmt.Sprintf("line %d, column %d", line, column)
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
		default:
			return 0, false
		}
	}
	return unit, true
}
