package hook_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/appliance"
	"aws-provider-executor/pkg/appliance/hook"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/schema"
)

const password, token = "Grün pass 9", "T0KEN9"

// program writes a shell script that keeps what it got, its arguments and its environment.
func program(t *testing.T, answer string) (h *hook.Hook, got func(string) string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "hook")
	script := "#!/bin/sh\ncat > '" + dir + "/stdin'\necho \"$@\" > '" + dir + "/arguments'\nenv > '" +
		dir + "/environment'\n" + answer + "\n"
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	h = &hook.Hook{Program: path, Environment: []string{"PATH=" + os.Getenv("PATH")},
		Access: appliance.Access{
			Instance: "i-00000000000000001", Address: "10.0.0.5", Port: 443, Pin: "ab",
			Administrator: "admin", First: "i-00000000000000001", Password: password,
		}}
	return h, func(name string) string {
		text, _ := os.ReadFile(filepath.Join(dir, name))
		return string(text)
	}
}

func compile(t *testing.T, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("urn:test", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("urn:test")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// valid holds a document against a schema.
func valid(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(doc)
}

// Secrets reach a program on its standard input alone, in documents of the schema.
func TestL24SecretsComeOnStandardInput(t *testing.T) {
	request := compile(t, schema.HookRequest())
	h, got := program(t, `echo '{"version":1}'`)
	for name, step := range map[string]func(context.Context) error{
		hook.SetPassword: h.SetPassword,
		hook.UploadLicense: func(ctx context.Context) error {
			return h.UploadLicense(ctx, appliance.License{Token: token})
		},
		hook.Apply: func(ctx context.Context) error {
			return h.Apply(ctx, appliance.Configuration{Digest: strings.Repeat("a", 64), Text: token})
		},
		hook.SetRole: func(ctx context.Context) error {
			return h.SetRole(ctx, appliance.Role{Kind: appliance.Secondary, Primary: "10.0.0.6"},
				appliance.Sync{Interface: "port1", Secret: token})
		},
	} {
		if err := step(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := valid(t, request, got("stdin")); err != nil {
			t.Errorf("%s: %v\n%s", name, err, got("stdin"))
		}
		var in hook.Request
		if err := json.Unmarshal([]byte(got("stdin")), &in); err != nil || in.Operation != name ||
			in.Password != password {
			t.Errorf("%s: %+v %v", name, in, err)
		}
		for _, place := range []string{"arguments", "environment"} {
			for _, secret := range []string{password, token} {
				if strings.Contains(got(place), secret) {
					t.Errorf("%s: a secret is in the %s", name, place)
				}
			}
		}
		if strings.TrimSpace(got("arguments")) != "" {
			t.Errorf("arguments: %q", got("arguments"))
		}
	}
}

// A program has nothing of our environment but what it is given.
func TestL24AProgramHasNoEnvironmentOfOurs(t *testing.T) {
	t.Setenv("OUR_SECRET", "hunter2")
	for _, environment := range [][]string{nil, {"PATH=/usr/bin:/bin"}} {
		h, got := program(t, `echo '{"version":1}'`)
		h.Environment = environment
		if err := h.SetPassword(t.Context()); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(got("environment"), "hunter2") {
			t.Errorf("%s", got("environment"))
		}
	}
}

func TestLook(t *testing.T) {
	const answer = `{"version":1,"state":{"serial":"S1","firmware":"1.2","licensed":true,` +
		`"licenseStatus":"ok","applied":[{"digest":"d","whole":true}],` +
		`"tunnels":[{"name":"a","interface":"p","remote":"10.0.0.1"}],"role":"secondary:10.0.0.6"}}`
	if err := valid(t, compile(t, schema.HookAnswer()), answer); err != nil {
		t.Error(err)
	}
	h, got := program(t, "echo '"+answer+"'")
	state, err := h.Look(t.Context())
	want := appliance.State{
		Serial: "S1", Version: "1.2", Licensed: true, LicenseStatus: "ok",
		Applied: []appliance.Applied{{Digest: "d", Whole: true}},
		Tunnels: []appliance.Tunnel{{Name: "a", Interface: "p", Remote: "10.0.0.1"}},
		Role:    appliance.Role{Kind: appliance.Secondary, Primary: "10.0.0.6"},
	}
	if diff := cmp.Diff(want, state); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if err := valid(t, compile(t, schema.HookRequest()), got("stdin")); err != nil {
		t.Error(err)
	}
	h, _ = program(t, `echo '{"version":1,"state":{"firstPassword":true}}'`)
	if state, err = h.Look(t.Context()); err != nil || !state.FirstPassword {
		t.Errorf("%+v %v", state, err)
	}
}

// A program that does not answer as it should has told nothing: a change may be so, and a reading
// is none.
func TestL9AnswersThatAreNone(t *testing.T) {
	for name, script := range map[string]string{
		"nothing":          "",
		"no JSON":          "echo hello",
		"an unknown field": `echo '{"version":1,"ok":true}'`,
		"two documents":    `echo '{"version":1}{"version":1}'`,
		"another version":  `echo '{"version":2}'`,
		"no version":       `echo '{}'`,
		"an exit code":     `echo '{"version":1}'; exit 3`,
		"a signal":         `kill -9 $$`,
		"too much":         `yes x | head -c 2000000`,
		"an unknown class": `echo '{"version":1,"failure":{"class":"internal","message":"m"}}'`,
		"its secret told":  `echo '` + password + `' >&2; exit 1`,
		"it may be done": `echo '{"version":1,"failure":{"class":"unavailable",` +
			`"message":"m","mayBeDone":true}}'`,
		"a role of its own": `echo '{"version":1,"state":{"role":"king"}}'`,
		"no state":          `echo '{"version":1}'`,
	} {
		t.Run(name, func(t *testing.T) {
			h, _ := program(t, script)
			state, err := h.Look(t.Context())
			var f *protocol.Failure
			if !errors.As(err, &f) || f.Class != protocol.Unavailable ||
				strings.Contains(f.Message, password) {
				t.Errorf("look: %+v %v", state, err)
			}
			if name == "a role of its own" || name == "no state" {
				return
			}
			err = h.SetPassword(t.Context())
			var u *action.Unknown
			if !errors.As(err, &u) || strings.Contains(err.Error(), password) {
				t.Errorf("a change: %v", err)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	for class, answer := range map[protocol.FailureClass]string{
		protocol.Authentication: `{"version":1,"failure":{"class":"authentication","message":"no ` +
			password + `"}}`,
		protocol.Unavailable: `{"version":1,"failure":{"class":"unavailable","message":"boots"}}`,
	} {
		if err := valid(t, compile(t, schema.HookAnswer()), answer); err != nil {
			t.Error(err)
		}
		h, _ := program(t, "echo '"+answer+"'")
		var f *protocol.Failure
		if err := h.SetPassword(t.Context()); !errors.As(err, &f) || f.Class != class ||
			strings.Contains(f.Message, password) {
			t.Errorf("%v", err)
		}
	}
	h := &hook.Hook{Program: filepath.Join(t.TempDir(), "none")}
	var f *protocol.Failure
	if err := h.SetPassword(t.Context()); !errors.As(err, &f) || f.Class != protocol.Configuration {
		t.Errorf("%v", err)
	}
}

// L19: a program that goes on for ever ends with the time there is, and all that it started.
func TestL19AProgramEndsWithItsTime(t *testing.T) {
	h, _ := program(t, "sleep 600 & sleep 600")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var u *action.Unknown
	if err := h.SetPassword(ctx); !errors.As(err, &u) || !strings.Contains(err.Error(), "too long") {
		t.Errorf("%v", err)
	}
}

// The example's program goes the whole way.
func TestTheExample(t *testing.T) {
	example, err := filepath.Abs("../../../examples/appliance/hook")
	if err != nil {
		t.Fatal(err)
	}
	h, _ := program(t, "")
	h.Program = example
	h.Environment = append(h.Environment, "APPLIANCE_DEMO_DIR="+t.TempDir())
	if s, err := h.Look(t.Context()); err != nil || !s.FirstPassword {
		t.Fatalf("%+v %v", s, err)
	}
	role := appliance.Role{Kind: appliance.Secondary, Primary: "10.0.0.6"}
	digest := strings.Repeat("ab", 32)
	err = errors.Join(h.SetPassword(t.Context()),
		h.UploadLicense(t.Context(), appliance.License{Token: token}),
		h.Apply(t.Context(), appliance.Configuration{Digest: digest, Text: "x"}),
		h.SetRole(t.Context(), role, appliance.Sync{Interface: "port1", Secret: token}))
	if err != nil {
		t.Fatal(err)
	}
	want := appliance.State{Licensed: true, Role: role,
		Applied: []appliance.Applied{{Digest: digest, Whole: true}}}
	if s, err := h.Look(t.Context()); err != nil || cmp.Diff(want, s) != "" {
		t.Errorf("%+v %v", s, err)
	}
}
