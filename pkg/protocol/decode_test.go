package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// good is a request with all that the envelope knows.
const good = `{"apiVersion":"provideraction.routerd.net/v1alpha1","kind":"ExecuteActionRequest",
 "spec":{"action":"assign-secondary-ip","provider":"aws","providerRef":"lab-aws",
  "target":{"nicRef":"eni-0abc","address":"10.88.60.9/32","region":"ap-northeast-1"},
  "parameters":{"allowReassignment":"true"},
  "mode":"dry-run","idempotencyKey":"mobility-7/assign",
  "context":{"resources":[{"apiVersion":"a","kind":"b","name":"c","spec":{}}]}}}`

func goodRequest() Request {
	return Request{
		Action: "assign-secondary-ip", Provider: "aws", ProviderRef: "lab-aws",
		Target: map[string]string{
			"nicRef":  "eni-0abc",
			"address": "10.88.60.9/32",
			"region":  "ap-northeast-1",
		},
		Parameters: map[string]string{"allowReassignment": "true"},
		Mode:       DryRun, IdempotencyKey: "mobility-7/assign",
		Ignored: []string{"context"},
	}
}

func decodeText(text string) (Request, Faults) { return Decode(strings.NewReader(text)) }

func TestDecodeAccepts(t *testing.T) {
	with := func(edit func(*Request)) Request {
		r := goodRequest()
		edit(&r)
		return r
	}
	ignores := func(keys ...string) func(*Request) { return func(r *Request) { r.Ignored = keys } }
	for _, c := range []struct {
		name, text string
		want       Request
	}{
		{"the contract's example", good, goodRequest()},
		{"white space around", " \t\r\n" + good + "\n\n", goodRequest()},
		{"a reader that gives a byte at a time", good, goodRequest()},
		{"execute", strings.Replace(good, "dry-run", "execute", 1),
			with(func(r *Request) { r.Mode = Execute })},
		{"unknown fields", strings.Replace(good, `"kind"`, `"x":[1,null,{"y":true}],"kind"`, 1),
			with(ignores("context", "x"))},
		{"keys in another case are others", strings.Replace(good, `"mode"`,
			`"Mode":"x","MODE":"y","mode"`, 1), with(ignores("MODE", "Mode", "context"))},
		{"an absent context", strings.Replace(good, `"context"`, `"other"`, 1), with(ignores("other"))},
		{"an empty context", strings.Replace(good,
			`"context":{"resources":[{"apiVersion":"a","kind":"b","name":"c","spec":{}}]}`, `"context":{}`,
			1), with(ignores())},
		{"a traceparent in the context", strings.Replace(good, `"context":{`,
			`"context":{"traceparent":"00-a","tracestate":"x",`, 1),
			with(func(r *Request) { r.Traceparent = "00-a" })},
		{"nothing else in the context", strings.Replace(good,
			`"context":{"resources":[{"apiVersion":"a","kind":"b","name":"c","spec":{}}]}`,
			`"context":{"traceparent":"00-a"}`, 1),
			with(func(r *Request) { r.Traceparent, r.Ignored = "00-a", nil })},
		{"a traceparent that is no text", strings.Replace(good, `"context":{`,
			`"context":{"traceparent":["00-a"],`, 1),
			with(func(r *Request) { r.Traceparent = "an array" })},
		{"a context that is a text", strings.Replace(good,
			`"context":{"resources":[{"apiVersion":"a","kind":"b","name":"c","spec":{}}]}`,
			`"context":"traceparent"`, 1), goodRequest()},
		{"a traceparent elsewhere", strings.Replace(good, `"context":{`,
			`"traceparent":"00-a","context":{`, 1), with(ignores("context", "traceparent"))},
		{"fields of other providers", strings.Replace(good, `"context"`,
			`"targetRef":"x","parameterSet":{},"context"`, 1), with(ignores("context", "targetRef"))},
		{"a null target", strings.Replace(good, `"target":`, `"target":null,"other":`, 1),
			with(func(r *Request) {
				r.Target, r.Ignored = map[string]string{}, []string{"context", "other"}
			})},
		{"null parameters", strings.Replace(good, `{"allowReassignment":"true"}`, "null", 1),
			with(func(r *Request) { r.Parameters = map[string]string{} })},
		{"no target, no parameters", strings.NewReplacer(`"target"`, `"a"`, `"parameters"`,
			`"b"`).Replace(good), with(func(r *Request) {
			r.Target, r.Parameters, r.Ignored = map[string]string{}, map[string]string{}, []string{"a", "b",
				"context"}
		})},
		{"no providerRef", strings.Replace(good, `"providerRef"`, `"a"`, 1),
			with(func(r *Request) { r.ProviderRef, r.Ignored = "", []string{"a", "context"} })},
		{"an empty providerRef", strings.Replace(good, "lab-aws", "", 1),
			with(func(r *Request) { r.ProviderRef = "" })},
		{"an unknown verb is not the wire's business", strings.Replace(good, "assign-secondary-ip",
			"no-such", 1), with(func(r *Request) { r.Action = "no-such" })},
		{"a provider is kept as it is", strings.Replace(good, `"aws"`, `" AWS "`, 1),
			with(func(r *Request) { r.Provider = " AWS " })},
		{"space inside a key's value stays", strings.Replace(good, "mobility-7/assign", " k ", 1),
			with(func(r *Request) { r.IdempotencyKey = " k " })},
		{"escapes mean what they say", strings.Replace(good, "mobility-7/assign",
			`\u006d\ud83d\udea6\u0000\/\"\\ud83d`, 1),
			with(func(r *Request) { r.IdempotencyKey = "m🚦\x00/\"\\ud83d" })},
		{"an empty text in target", strings.Replace(good, "eni-0abc", "", 1),
			with(func(r *Request) { r.Target["nicRef"] = "" })},
		{"an empty key in target", strings.Replace(good, `"nicRef"`, `""`, 1),
			with(func(r *Request) { delete(r.Target, "nicRef"); r.Target[""] = "eni-0abc" })},
		{"a credential outside target and parameters is not looked at", strings.Replace(good, `"kind"`,
			`"password":"x","kind"`, 1), with(ignores("context", "password"))},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, faults := Decode(iotest.OneByteReader(strings.NewReader(c.text)))
			if len(faults) > 0 {
				t.Fatalf("refused: %v", faults)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDecodeDocumentFaults: what is wrong with the document as a document is one
// fault, and nothing of it is used.
func TestDecodeDocumentFaults(t *testing.T) {
	for _, c := range []struct{ name, text, path, reason string }{
		{"nothing", "", "", "there is no request on the input"},
		{"white space", " \r\n\t", "", "there is no request on the input"},
		{"null", "null", "", "the request is null, want an object"},
		{"a text", `"x"`, "", "the request is a string, want an object"},
		{"a number", "1", "", "the request is a number, want an object"},
		{"a boolean", "true", "", "the request is a boolean, want an object"},
		{"an array", "[" + good + "]", "", "the request is an array, want an object"},
		{"no JSON", "action: x", "", "the request is not one JSON document (line 1, column 1): " +
			"invalid character 'a' looking for beginning of value"},
		{"bad syntax in line 2", "{\n \"a\": tru3}", "", "the request is not one JSON document (line " +
			"2, column 10): invalid character '3' in literal true (expecting 'e')"},
		{"cut off", "{\n\"a\":", "", "the request is not one JSON document (line 2, column 4): " +
			"unexpected end of JSON input"},
		{"a second document", "{}\n{}", "", "the request is not one JSON document (line 2, column " +
			"1): invalid character '{' after top-level value"},
		{"trailing bytes", "{} x", "", "the request is not one JSON document (line 1, column 4): " +
			"invalid character 'x' after top-level value"},
		{"a trailing NUL", "{}\x00", "", `the request is not one JSON document (line 1, column 3): ` +
			`invalid character '\x00' after top-level value`},
		{"a byte order mark", "\ufeff{}", "", "the request is not one JSON document (line 1, column " +
			"1): invalid character 'ï' looking for beginning of value"},
		{"invalid UTF-8", "{\n\"a\":\"\xff\"}", "", "the request is not valid UTF-8 (line 2, column 6)"},
		{"invalid UTF-8 after the document", "{}\n\n\xc3", "", "the request is not valid UTF-8 (line " +
			"3, column 1)"},
		{"a surrogate as UTF-8", "{\"\xed\xa0\x80\":1}", "", "the request is not valid UTF-8 (line " +
			"1, column 3)"},
		{"half a pair", `{"a":"x\ud83d"}`, "", `the request has half a surrogate pair as a \u escape ` +
			`(line 1, column 8)`},
		{"the other half", `{"a":"\uDEA6"}`, "", `the request has half a surrogate pair as a \u ` +
			`escape (line 1, column 7)`},
		{"half a pair, then an escape", `{"a":"\ud83d\n"}`, "", `the request has half a surrogate ` +
			`pair as a \u escape (line 1, column 7)`},
		{"two first halves", `{"a":"\ud83d\ud83d\udea6"}`, "", `the request has half a surrogate ` +
			`pair as a \u escape (line 1, column 7)`},
		{"half a pair in a key", "{\n\"\\ud83d\":1}", "", `the request has half a surrogate pair as ` +
			`a \u escape (line 2, column 2)`},
		{"nested too deep", "{\n" + `"d":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + "}", "",
			"the request nests deeper than 64 (line 2, column 68)"},
		{"too large", good + strings.Repeat(" ", MaxRequestBytes), "", "the request is larger than " +
			"1048576 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, faults := decodeText(c.text)
			if diff := cmp.Diff(Faults{{c.path, c.reason}}, faults); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(Request{}, got); diff != "" {
				t.Errorf("something of it is used:\n%s", diff)
			}
		})
	}
}

// TestEveryKeyThatIsThereTwiceIsNamed: beside whatever else is wrong.
func TestEveryKeyThatIsThereTwiceIsNamed(t *testing.T) {
	for _, c := range []struct{ name, text, path, reason string }{
		{"a key twice", "{\"a\":1,\n\"a\":1}", "a", "the key is there twice (line 2, column 3)"},
		{"a key twice, escaped", `{"a":1,"\u0061":1}`, "a", "the key is there twice (line 1, column 15)"},
		{"a key twice, deep", `{"a":[0,{"b":{"c":1,"c":2}}]}`, "a[1].b.c", "the key is there twice " +
			"(line 1, column 23)"},
		{"an odd key twice", `{"a b":{"":1,"":2}}`, `"a b".""`, "the key is there twice (line 1, " +
			"column 15)"},
		{"a key twice in target", strings.Replace(good, `"nicRef":"eni-0abc"`,
			`"nicRef":"eni-0abc","nicRef":"eni-0abc"`, 1), "spec.target.nicRef",
			"the key is there twice (line 3, column 40)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, faults := decodeText(c.text)
			if len(faults) == 0 || faults[0] != (Fault{c.path, c.reason}) {
				t.Errorf("faults %v, want first %s: %s", faults, c.path, c.reason)
			}
		})
	}
	_, faults := decodeText(
		strings.NewReplacer(`"nicRef":"eni-0abc"`, `"nicRef":"eni-0abc","nicRef":"eni-0abc"`, `"dry-run"`,
			`"apply","mode":"execute"`).
			Replace(good),
	)
	var paths []string
	for _, f := range faults {
		paths = append(paths, f.Path)
	}
	slices.Sort(paths)
	if want := []string{"spec.mode", "spec.mode", "spec.target.nicRef"}; !slices.Equal(paths, want) {
		t.Errorf("faults at %v, want %v", paths, want)
	}
}

// TestDecodeBounds: the largest and the deepest that is read, and one more.
func TestDecodeBounds(t *testing.T) {
	pad := func(size int) string { return good + strings.Repeat("\n", size-len(good)) }
	nested := func(n int) string {
		return strings.TrimSuffix(
			good,
			"}",
		) + `,"d":` + strings.Repeat(
			"[",
			n-1,
		) + strings.Repeat(
			"]",
			n-1,
		) + "}"
	}
	for _, c := range []struct {
		name, text string
		refused    bool
	}{
		{"as large as allowed", pad(MaxRequestBytes), false},
		{"one byte more", pad(MaxRequestBytes + 1), true},
		{"as deep as allowed", nested(MaxRequestDepth), false},
		{"one deeper", nested(MaxRequestDepth + 1), true},
		{"so deep that it would be a danger", nested(400000), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, faults := decodeText(c.text); (len(faults) > 0) != c.refused {
				t.Errorf("%v", faults)
			}
		})
	}
}

// TestDecodeWorkIsBounded guards against work that grows with the size times the
// depth: the paths of a long list, deep inside, took 13 s of a request's deadline.
func TestDecodeWorkIsBounded(t *testing.T) {
	deep := `,"d":` + strings.Repeat(`{"`+strings.Repeat(`\u0000`, 80)+`":`, MaxRequestDepth-2)
	text := strings.TrimSuffix(
		good,
		"}",
	) + deep + "[0" + strings.Repeat(
		",0",
		20000,
	) + "]" + strings.Repeat(
		"}",
		MaxRequestDepth-1,
	)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, faults := decodeText(text); len(faults) > 0 {
		t.Fatal(faults)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
		t.Errorf("%d MiB for %d KiB", used>>20, len(text)>>10)
	}
}

// endless never ends, and counts what is taken of it.
type endless struct{ taken int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.taken += len(p)
	return len(p), nil
}

func TestDecodeStopsReading(t *testing.T) {
	var e endless
	if _, faults := Decode(&e); len(faults) != 1 {
		t.Errorf("%v", faults)
	}
	if e.taken > 4*MaxRequestBytes {
		t.Errorf("%d bytes were taken", e.taken)
	}
}

func TestDecodeReadError(t *testing.T) {
	_, faults := Decode(io.MultiReader(strings.NewReader(good), iotest.ErrReader(errors.New("gone"))))
	if diff := cmp.Diff(Faults{{"", "cannot read the request: gone"}}, faults); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestDecodeNamesEveryFault: faults of the envelope are told all at once, in the
// order of the document, and what is right beside them is there.
func TestDecodeNamesEveryFault(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       Faults
		request    Request
	}{
		{"an empty object", `{}`, Faults{{"apiVersion", "is required"}, {"kind", "is required"}, {"spec",
			"is required"}}, Request{}},
		{"a null spec", `{"apiVersion":null,"kind":1,"spec":null}`, Faults{
			{"apiVersion", "is null, want a string"}, {"kind", "is a number, want a string"}, {"spec",
				"is null, want an object"},
		}, Request{}},
		{"a spec that is a list", `{"apiVersion":"","kind":" ","spec":[]}`, Faults{
			{"apiVersion", "is blank"}, {"kind", "is blank"}, {"spec", "is an array, want an object"},
		}, Request{}},
		{
			"an empty spec", `{"apiVersion":"v2","kind":"ExecuteActionResult","spec":{}}`,
			Faults{
				{"apiVersion", `is "v2", want "provideraction.routerd.net/v1alpha1"`}, {"kind",
					`is "ExecuteActionResult", want "ExecuteActionRequest"`},
				{"spec.action", "is required"}, {"spec.provider", "is required"}, {"spec.mode", "is required"},
				{"spec.idempotencyKey", "is required"},
			},
			Request{Target: map[string]string{}, Parameters: map[string]string{}},
		},
		{
			"blanks", `{"apiVersion":"provideraction.routerd.net/v1alpha1","kind":"ExecuteActionRequest",
			 "spec":{"action":"","provider":" ","mode":"\t\n","idempotencyKey":"\u3000\u0085"}}`,
			Faults{{"spec.action", "is blank"}, {"spec.provider", "is blank"}, {"spec.mode", "is blank"},
				{"spec.idempotencyKey", "is blank"}},
			Request{Target: map[string]string{}, Parameters: map[string]string{}},
		},
		{
			"wrong types",
			`{"apiVersion":true,"kind":{},"spec":{"action":1,"provider":[],"providerRef":null,` +
				`"target":[],"parameters":"x","mode":false,"idempotencyKey":1e999}}`,
			Faults{
				{"apiVersion", "is a boolean, want a string"}, {"kind", "is an object, want a string"},
				{"spec.action", "is a number, want a string"}, {"spec.provider", "is an array, want a " +
					"string"}, {"spec.providerRef", "is null, want a string"},
				{"spec.target", "is an array, want an object"}, {"spec.parameters", "is a string, want an " +
					"object"},
				{"spec.mode", "is a boolean, want a string"}, {"spec.idempotencyKey", "is a number, want a " +
					"string"},
			},
			Request{Target: map[string]string{}, Parameters: map[string]string{}},
		},
		{
			"one of each beside what is right", `{"apiVersion":"provideraction.routerd.net/v1alpha1",
 "kind":"ExecuteActionRequest",
			 "spec":{"action":"a","provider":"p","mode":"plan","idempotencyKey":"k",
			 "target":{"n":1,"nicRef":"eni-1","Secret Access Key":"hunter2"},"parameters":{"z":null,
 "a b":true,"password":{"hunter2":"hunter2"},"x":"y"}}}`,
			Faults{
				{`spec.target."Secret Access Key"`, "carries a credential: the executor uses its own " +
					"identity only; take the key out of the request"},
				{"spec.target.n", "is a number, want a string"},
				{`spec.parameters."a b"`, "is a boolean, want a string"},
				{"spec.parameters.password", "carries a credential: the executor uses its own identity " +
					"only; take the key out of the request"},
				{"spec.parameters.z", "is null, want a string"},
				{"spec.mode", `is "plan", want "dry-run" or "execute"`},
			},
			Request{Action: "a", Provider: "p", Mode: "plan", IdempotencyKey: "k",
				Target: map[string]string{"nicRef": "eni-1"}, Parameters: map[string]string{"x": "y"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, faults := decodeText(c.text)
			if diff := cmp.Diff(c.want, faults); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.request, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			line := faults.Error()
			if strings.ContainsAny(line, "\n\r") || strings.Contains(line, "hunter2") {
				t.Errorf("not one line, or a secret in it: %s", line)
			}
		})
	}
}

func TestFaultsError(t *testing.T) {
	f := Faults{{"", "a"}, {"spec.mode", "b"}, {"x", "c"}}
	if got, want := f.Error(), "a; spec.mode: b; x: c"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestFaultsFitAResult guards the answer: the faults of the worst request once made a
// result that is larger than a core reads, so there was none.
func TestFaultsFitAResult(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"spec":{"target":{"password":0`)
	wrong := 1
	for ; b.Len() < MaxRequestBytes-100; wrong++ {
		fmt.Fprintf(&b, `,"%d":0`, wrong)
	}
	b.WriteString(`}}}`)
	_, faults := decodeText(b.String())
	if len(faults) < wrong {
		t.Fatalf("%d faults, want more than %d", len(faults), wrong)
	}
	line := faults.Error()
	if err := Encode(io.Discard, NewResult(Status{Status: Failed, Error: line})); err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(line, "apiVersion: is required; kind: is required; ") ||
		!regexp.MustCompile(`; and [0-9]+ more$`).MatchString(line) {
		t.Errorf("%.100s … %s", line, line[len(line)-100:])
	}
}

// TestDecodeRepeatsLittle: a caller's text is repeated bounded, in one line, and
// an access key not at all.
func TestDecodeRepeatsLittle(t *testing.T) {
	const key = "AKIAIOSFODNN7EXAMPLE"
	for name, text := range map[string]string{
		"a long mode":             strings.Replace(good, "dry-run", strings.Repeat("é", 100000), 1),
		"a mode of several lines": strings.Replace(good, "dry-run", `a\nb\u2028c\u001b[31m`, 1),
		"an access key as mode":   strings.Replace(good, "dry-run", "x"+key, 1),
		"an access key as kind":   strings.Replace(good, RequestKind, key, 1),
		"an access key as a key":  strings.Replace(good, `"eni-0abc"`, `1,"`+key+`":1`, 1),
		"a long key": strings.Replace(good, `"eni-0abc"`, `1,"`+strings.Repeat("k",
			100000)+`":1`, 1),
		"a key of several lines": strings.Replace(good, `"eni-0abc"`, `1,"a\nb\u0085":1`, 1),
		"a long key that is secret": strings.Replace(good, `"eni-0abc"`, `1,"password`+strings.Repeat("k",
			100000)+`":1`, 1),
		"an access key as key, twice": strings.Replace(good, `"eni-0abc"`,
			`"","`+key+`":{"a":1},"`+key+`":{"a":1}`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			_, faults := decodeText(text)
			line := faults.Error()
			if len(faults) == 0 || len(line) > 1500 || strings.ContainsAny(line, "\n\r\x1b\u0085\u2028") ||
				strings.Contains(line, key) {
				t.Errorf("%d faults: %.2000s", len(faults), line)
			}
		})
	}
}

// TestCredentialKeys: the rule, by what it takes and what it leaves, and the
// patterns that say the same.
func TestCredentialKeys(t *testing.T) {
	for key, want := range map[string]bool{
		"accessKeyId": true, "AWS_SECRET_ACCESS_KEY": true, "aws secret access key": true,
		"session-token": true, "x-amz-security-token": true,
		"Authorization: bearer token": true, "authToken": true, "apiKey": true, "API-Key": true,
		"privateKey": true, "private_key_file": true,
		"password": true, "PassWord1": true, "p.a.s.s.w.d": true, "passphrase": true, "credentials": true,
		"awsCredentialSource": true,
		"secret":              true, "Secret": true, "-secret-": true, "token": true, " TOKEN\n": true,
		"pässword": false,
		"":         false, "nicRef": false, "secretary": false, "tokens": false, "tokenBucket": false,
		"access": false, "key": false,
		"accessLevel": false, "passw0rd": false, "pаssword": false, "to\u212aen": false,
		"ſecret": false,
	} {
		if carriesCredential(key) != want {
			t.Errorf("%q: %t, want %t", key, !want, want)
		}
		if matchesCredential(t, key) != want {
			t.Errorf("%q: the patterns say %t, want %t", key, !want, want)
		}
	}
}

var credentialPatterns = func() (all []*regexp.Regexp) {
	for _, p := range CredentialKeyPatterns() {
		all = append(all, regexp.MustCompile(p))
	}
	return all
}()

func matchesCredential(t testing.TB, key string) bool {
	t.Helper()
	for _, p := range credentialPatterns {
		if p.MatchString(key) {
			return true
		}
	}
	return false
}

// TestCredentialPatternsAgree spells words at random, right and a little wrong.
func TestCredentialPatternsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	words := append(append([]string{"note", "access", "key"}, credentialWords...), credentialNames...)
	odd := []rune("-_. \n/\x00éKſ٣aZ9")
	carried := 0
	for range 3000 {
		var b strings.Builder
		for _, letter := range words[r.IntN(len(words))] {
			switch n := r.IntN(40); {
			case n == 0:
			case n < 10:
				b.WriteRune(odd[r.IntN(len(odd))])
				fallthrough
			case n < 25:
				b.WriteString(strings.ToUpper(string(letter)))
			default:
				b.WriteRune(letter)
			}
		}
		key := b.String()
		if carriesCredential(key) != matchesCredential(t, key) {
			t.Fatalf("%q: the rule says %t, the patterns do not", key, carriesCredential(key))
		}
		if carriesCredential(key) {
			carried++
		}
	}
	if carried < 300 || carried > 2700 {
		t.Errorf("%d of 3000 carry a credential: the words no longer try both", carried)
	}
}

// marshal is a request in the form that a core in Go would send.
func marshal(t testing.TB, r Request) string {
	t.Helper()
	text, err := json.Marshal(
		map[string]any{"apiVersion": APIVersion, "kind": RequestKind, "spec": map[string]any{
			"action": r.Action, "provider": r.Provider, "providerRef": r.ProviderRef, "target": r.Target,
			"parameters": r.Parameters,
			"mode":       r.Mode, "idempotencyKey": r.IdempotencyKey, "context": nil,
		}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestNilMapsAreEmpty: a core in Go sends a nil map as null.
func TestNilMapsAreEmpty(t *testing.T) {
	want := goodRequest()
	want.Target, want.Parameters = nil, nil
	got, faults := decodeText(marshal(t, want))
	if len(faults) > 0 || got.Target == nil || got.Parameters == nil ||
		len(got.Target)+len(got.Parameters) > 0 {
		t.Errorf("%v %v", got, faults)
	}
}

// TestHowMuchIsToldOfFaults: as many as begin within 32 KiB, and how many more there are.
func TestHowMuchIsToldOfFaults(t *testing.T) {
	const limit = 32 << 10
	first := strings.Repeat("x", limit-len("; "))
	f := Faults{{Reason: first}, {Reason: "b"}, {Reason: "c"}, {Reason: "d"}}
	if got, want := f.Error(), first+"; b; and 2 more"; got != want {
		t.Errorf("%d bytes, which end with %q; want %d", len(got), got[limit-10:], len(want))
	}
}

// TestALongKeyIsQuoted: an error repeats no more of it than of other texts.
func TestALongKeyIsQuoted(t *testing.T) {
	longest := strings.Repeat("k", 80)
	if got := Join("a", longest); got != "a."+longest {
		t.Error(got)
	}
	for _, key := range []string{longest + "k", "", "a b", "a.b", `a"b`, "é"} {
		if got := Join("a", key); got != "a."+Quote(key) || !strings.Contains(got, `"`) {
			t.Errorf("%q: %s", key, got)
		}
	}
}
