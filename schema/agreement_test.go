package schema_test

import (
	"context"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsexecutor"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/schema"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compile makes a validator, on what it is given alone: a schema refers to no other.
func compile(t testing.TB, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.UseRegexpEngine(func(pattern string) (jsonschema.Regexp, error) {
		compiled, err := regexp.Compile(pattern)
		// A pointer: patterns are keys of a map where a schema has patternProperties.
		return &memory{compiled, map[string]bool{}}, err
	})
	if err := c.AddResource("urn:test", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("urn:test")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// memory remembers what a pattern says: the corpus has the same keys over and over.
type memory struct {
	*regexp.Regexp
	said map[string]bool
}

func (m *memory) MatchString(text string) bool {
	matches, known := m.said[text]
	if !known {
		matches = m.Regexp.MatchString(text)
		m.said[text] = matches
	}
	return matches
}

// verdicts are the judges of a request.
type verdicts struct {
	registry *action.Registry
	request  *jsonschema.Schema
	verbs    map[string]*jsonschema.Schema
}

func newVerdicts(t testing.TB) verdicts {
	v := verdicts{registry: actions.Registry(), request: compile(t, schema.Request()),
		verbs: map[string]*jsonschema.Schema{}}
	for _, verb := range requests() {
		text, ok := schema.Verb(verb.Name)
		if !ok {
			t.Fatalf("there is no schema of %s", verb.Name)
		}
		v.verbs[verb.Name] = compile(t, text)
	}
	return v
}

// binary tells the faults that the binary's parts find. Those beyond a schema are of keys that are
// nearly keys of the verb.
func (v verdicts) binary(text string) (faults, beyond protocol.Faults) {
	r, faults := protocol.Decode(strings.NewReader(text))
	if r.Provider != "aws" {
		faults = append(faults, protocol.Fault{Path: "spec.provider", Reason: "is another"})
	}
	verb, known := v.registry.Resolve(r)
	if q := awsexecutor.Preflight(v.registry); r.Action == q.Name {
		verb, known = q.Verb(), true
	}
	if !known {
		return append(faults, protocol.Fault{Path: "spec.action", Reason: "is unknown"}), nil
	}
	req, more := v.registry.Check(verb, r)
	return append(faults, more...), req.Strays.Faults
}

// judge compares the schemas with each other and with what is expected.
func (v verdicts) judge(t *testing.T, text, verb string, accepted bool) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v: is this beyond a schema?\n%s", err, text)
	}
	if err := v.request.Validate(doc); (err == nil) != accepted {
		t.Errorf("request.schema.json says accepted=%t, want %t (%v)\n%s", err == nil, accepted, err,
			text)
	}
	if s := v.verbs[verb]; s != nil {
		if err := s.Validate(doc); (err == nil) != accepted {
			t.Errorf("%s.schema.json says accepted=%t, want %t (%v)\n%s", verb, err == nil, accepted, err,
				text)
		}
	}
}

func TestSchemasAndBinaryAgreeOnCorpus(t *testing.T) {
	t.Parallel()
	v := newVerdicts(t)
	for _, r := range corpus() {
		t.Run(r.name, func(t *testing.T) {
			if faults, _ := v.binary(r.text); (len(faults) == 0) != r.accepted {
				t.Errorf("the binary says accepted=%t, want %t (%v)\n%.500s", len(faults) == 0, r.accepted,
					faults, r.text)
			}
			if !r.beyond {
				v.judge(t, r.text, r.verb, r.accepted)
			}
		})
	}
}

// TestVerbSchemasRefuseOtherVerbs: a verb's schema is for that verb only.
func TestVerbSchemasRefuseOtherVerbs(t *testing.T) {
	v := newVerdicts(t)
	for _, verb := range requests() {
		for name, s := range v.verbs {
			doc, err := jsonschema.UnmarshalJSON(strings.NewReader(marshal(full(verb))))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(doc); (err == nil) != (name == verb.Name) {
				t.Errorf("%s.schema.json on %s: %v", name, verb.Name, err)
			}
		}
	}
}

// TestExecutorRefusesCorpus sends the corpus the one way through. Nothing refused
// may get as far as the provider.
func TestExecutorRefusesCorpus(t *testing.T) {
	t.Parallel()
	result := compile(t, schema.Result())
	for _, r := range corpus() {
		t.Run(r.name, func(t *testing.T) {
			connected := false
			preflight := executor.Inquiry{
				Inquiry: awsexecutor.Preflight(actions.Registry()),
				Look: func(context.Context, executor.Asked) executor.Findings {
					connected = true
					return executor.Findings{Failures: []*protocol.Failure{
						protocol.Refuse(protocol.Unavailable, "there is no provider here")}}
				},
			}
			e := executor.Executor{
				Inquiries: func() []executor.Inquiry { return []executor.Inquiry{preflight} },
				Registry:  actions.Registry(), Provider: "aws", Timeout: 10 * time.Second,
				Log: slog.New(slog.DiscardHandler),
				Connect: func(context.Context, string, time.Duration) (executor.Connection, error) {
					connected = true
					return nil, protocol.Refuse(protocol.Unavailable, "there is no provider here")
				},
			}
			answer := e.Run(t.Context(), io.Reader(strings.NewReader(r.text)))
			want := protocol.InvalidRequest
			if r.accepted {
				want = protocol.Unavailable
			}
			if got := answer.Status.Observed[protocol.FactFailureClass]; got != string(want) ||
				connected != r.accepted {
				t.Errorf("failureClass=%s connected=%t, want %s %t: %s\n%.500s", got, connected, want,
					r.accepted, answer.Status.Error, r.text)
			}
			validResult(t, result, answer)
		})
	}
}

// validResult encodes a result as the executor does, and checks the bytes.
func validResult(t *testing.T, s *jsonschema.Schema, answer protocol.Result) {
	t.Helper()
	var text strings.Builder
	if err := protocol.Encode(&text, answer); err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(doc); err != nil {
		t.Errorf("result.schema.json refuses a result: %v\n%s", err, text.String())
	}
}
