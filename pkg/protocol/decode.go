package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
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
		Approvals:      spec.approvals(),
		Ignored:        spec.unknown(),
		Traceparent:    spec.Traceparent(),
		Deadline:       spec.deadline(),
		TargetAccount:  spec.targetAccount(),
	}
	if req.Mode != "" && req.Mode != DryRun && req.Mode != Execute {
		spec.Fault("mode", fmt.Sprintf("is %s, want %q or %q", Quote(string(req.Mode)), DryRun, Execute))
	}
	return req, spec.Faults()
}

// DecodeResult reads one ExecuteActionResult, as strictly as Decode reads a request: one that can
// be read in two ways is none.
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
		d.fault(
			"status.status",
			fmt.Sprintf("is %s, want %q, %q or %q", Quote(string(s.Status)), Succeeded, Failed, Skipped),
		)
	}
	return NewResult(s), d.faults
}

// Spec is the spec of a document of the family, or an object in it, read field by field. What is
// wrong is collected on the way.
type Spec struct {
	d      *decoder
	object map[string]JSON
	path   string
	// outer is the object that this one is in, for a whole document.
	outer map[string]JSON
}

// DecodeSpec reads one document of the family, as strictly whatever its kind. It takes its fields
// for a request's; unknown ones are ignored.
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
		if slices.Contains(specFields, key) || isEmpty(s.object[key]) || s.isRead(key) {
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

// The field of a spec that says whose request it is, and its member that is read.
const (
	contextField      = "context"
	traceparentMember = "traceparent"
	deadlineMember    = "executorDeadline"
	accountMember     = "targetAccount"
)

// isRead reports whether a field is a context with nothing in it but what is read of it.
func (s *Spec) isRead(key string) bool {
	read := func(m JSONMember) bool {
		return slices.Contains([]string{traceparentMember, approvalsMember, deadlineMember,
			accountMember}, m.Key)
	}
	members := s.object[key].Members
	return key == contextField && len(members) > 0 &&
		!slices.ContainsFunc(members, func(m JSONMember) bool { return !read(m) })
}

// Traceparent is the traceparent that the context has, empty for none. Of a value that is no text
// it is the kind, which is no traceparent either: a malformed one is no fault of a request.
func (s *Spec) Traceparent() string {
	for _, m := range s.object[contextField].Members {
		switch {
		case m.Key != traceparentMember:
		case m.Value.Kind == JSONString:
			return m.Value.Text
		default:
			return string(m.Value.Kind)
		}
	}
	return ""
}

// deadline is the deadline that the context has, zero for none. Unlike a traceparent, one that is
// malformed is a fault: what is begun too late does harm.
func (s *Spec) deadline() time.Time {
	v, there := s.object[contextField].fields()[deadlineMember]
	if !there || v.Kind == JSONNull {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, v.Text)
	if v.Kind != JSONString || err != nil {
		s.d.fault(Join(Join(s.path, contextField), deadlineMember),
			"is not a time as in 2026-01-02T15:04:05.5Z, in a string")
		return time.Time{}
	}
	return at
}

// targetAccount is the account that the context says the target is of, empty for none.
func (s *Spec) targetAccount() string {
	v, there := s.object[contextField].fields()[accountMember]
	switch {
	case !there || v.Kind == JSONNull:
		return ""
	case v.Kind != JSONString || strings.TrimSpace(v.Text) == "":
		s.d.fault(Join(Join(s.path, contextField), accountMember),
			"is not the id of an account, in a string")
		return ""
	}
	return v.Text
}

// isEmpty reports whether a value says nothing, so that nothing is lost by ignoring it.
func isEmpty(v JSON) bool {
	return v.Kind == JSONNull || v.Kind == JSONArray && len(v.Items) == 0 ||
		v.Kind == JSONObject && len(v.Members) == 0
}

// Present reports whether there is an object to read from.
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
func parse(data []byte, what string, limit int) (map[string]JSON, Faults) {
	whole := func(format string, args ...any) (map[string]JSON, Faults) {
		return nil, Faults{{"", fmt.Sprintf("the "+what+" "+format, args...)}}
	}
	switch {
	case len(data) > limit:
		return whole("is larger than %d bytes", limit)
	case len(bytes.TrimSpace(data)) == 0:
		return nil, Faults{{"", "there is no " + what + " on the input"}}
	case utf8.Valid(data):
		var one json.RawMessage
		if err := json.Unmarshal(data, &one); err != nil {
			f := notJSON(data, err)
			return whole("is not one JSON document (%s): %s", position(data, f.Offset), f.Reason)
		}
	}
	values, err := ReadJSON(data, MaxRequestDepth)
	var faults Faults
	for _, f := range JSONFaults(err) {
		reason := fmt.Sprintf("%s (%s)", f.Reason, position(data, f.Offset))
		if values == nil {
			return whole("%s", reason)
		}
		faults = append(faults, Fault{f.Path, reason})
	}
	if values[0].Kind != JSONObject {
		return whole("is %s, want an object", values[0].Kind)
	}
	return values[0].fields(), faults
}

// decoder collects the faults of the envelope.
type decoder struct{ faults Faults }

func (d *decoder) fault(path, reason string) {
	d.faults = append(d.faults, Fault{path, reason})
}

func (d *decoder) text(o map[string]JSON, path, key string) string {
	v, present := o[key]
	if !present {
		return ""
	}
	if v.Kind != JSONString {
		d.fault(Join(path, key), "is "+string(v.Kind)+", want a string")
		return ""
	}
	return v.Text
}

func (d *decoder) required(o map[string]JSON, path, key string) string {
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

func (d *decoder) equals(o map[string]JSON, path, key, want string) {
	before := len(d.faults)
	if s := d.required(o, path, key); s != want && len(d.faults) == before {
		d.fault(Join(path, key), fmt.Sprintf("is %s, want %q", Quote(s), want))
	}
}

func (d *decoder) boolean(o map[string]JSON, path, key string) bool {
	v, present := o[key]
	if present && v.Kind != JSONBoolean {
		d.fault(Join(path, key), "is "+string(v.Kind)+", want true or false")
	}
	return v.Kind == JSONBoolean && v.Text == "true"
}

// object accepts null as absent: a core in Go sends a nil map so.
func (d *decoder) object(o map[string]JSON, path, key string) (map[string]JSON, bool) {
	v, present := o[key]
	switch {
	case v.Kind == JSONObject:
		return v.fields(), true
	case present && v.Kind != JSONNull:
		d.fault(Join(path, key), "is "+string(v.Kind)+", want an object")
	case present && key == "spec":
		d.fault(Join(path, key), "is null, want an object")
	}
	return nil, false
}

func (d *decoder) strings(
	o map[string]JSON,
	path, key string,
	refused func(string) bool,
) map[string]string {
	m := map[string]string{}
	object, _ := d.object(o, path, key)
	for _, k := range slices.Sorted(maps.Keys(object)) {
		at := Join(Join(path, key), k)
		if refused(k) {
			d.fault(
				at,
				"carries a credential: the executor uses its own identity only; take the key out of the "+
					"request",
			)
			continue
		}
		if v := object[k]; v.Kind != JSONString {
			d.fault(at, "is "+string(v.Kind)+", want a string")
			continue
		}
		m[k] = object[k].Text
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
		"bearertoken", "clientsecret", "apikey", "privatekey", "password", "passwd", "passphrase",
		"credential",
	}
	credentialNames = []string{"secret", "token"}
)

// carriesCredential reports whether a key of target or parameters is the name of
// a secret, however it is spelt.
func carriesCredential(key string) bool {
	plain := Plain(key)
	return slices.Contains(credentialNames, plain) ||
		slices.ContainsFunc(credentialWords, func(w string) bool { return strings.Contains(plain, w) })
}

// IsCredentialKey reports whether Decode refuses a key of target or parameters as one that carries
// a credential.
func IsCredentialKey(key string) bool { return carriesCredential(key) }

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
	return key != "" && len(key) <= maxQuoted && !looksLikeAccessKey(key) &&
		strings.IndexFunc(key, func(r rune) bool {
			return r <= ' ' || r > '~' || r == '"' || r == '.'
		}) < 0
}

func position(data []byte, at int) string {
	at = min(at, len(data))
	line := 1 + bytes.Count(data[:at], []byte("\n"))
	column := at - bytes.LastIndexByte(data[:at], '\n')
	return fmt.Sprintf("line %d, column %d", line, column)
}
