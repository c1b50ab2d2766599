package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"aws-provider-executor/actions"
	display "aws-provider-executor/pkg/printable"
)

func TestOffATerminalThereIsNoColourAndNoBar(t *testing.T) {
	var out, said bytes.Buffer
	a := &app{stdout: &out, stderr: &said, env: map[string]string{"TERM": "xterm"}}
	a.tabulate(&out, []string{"ID", "STATUS"}, [][]string{{"1", "failed"}})
	bar := a.progress(10)
	bar.add(3)
	bar.clear()
	if strings.Contains(out.String(), "\x1b") || said.Len() > 0 {
		t.Errorf("%q, %q", out.String(), said.String())
	}
}

func TestControlCharactersStayAwayFromTheTerminal(t *testing.T) {
	if got := printable("a\x1b[31mb\nc\u202ed\u009be\u2067f\u200fg"); got != "a·[31mb·c·d·e·f·g" {
		t.Errorf("%q", got)
	}
}

// full is a disk that is.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("it is full") }

func TestWhatCanNotBeWrittenIsAFailure(t *testing.T) {
	d := newDesk(t)
	d.run(0, "", "import", "-f", d.path("plan.json"))
	d.write("request.json", deskRequest)
	d.write("result.json", deskResult)
	for _, command := range []string{"list", "show k", "import -f " + d.path("plan.json"), "journal",
		"journal --verify", "policy check -f " + d.path("policy.yaml"),
		"actions", "schema", "version", "list --help", "help", "completion bash",
		"undo --request " + d.path("request.json") + " --result " + d.path("result.json")} {
		for _, format := range []string{"table", "json", "yaml"} {
			p := &Program{Version: "test", Registry: actions.Registry(), Provider: "aws", Now: time.Now}
			var said bytes.Buffer
			args := append(append([]string{"actionctl"}, strings.Fields(command)...), "-o", format)
			code := p.Main(t.Context(), args, d.env, strings.NewReader(""), full{}, &said)
			if code != ExitFailed || strings.Count(said.String(), "it is full") != 1 {
				t.Errorf("actionctl %s -o %s: exit %d, %s", command, format, code, said.String())
			}
		}
	}
}

// TestYAMLIsReadAlikeByOldReaders: to those of YAML 1.1 yes is a boolean and 12:30:45 a number.
func TestYAMLIsReadAlikeByOldReaders(t *testing.T) {
	got := toYAML(
		[]byte(`{"a": "yes", "b": "12:30:45", "c": "010", "d": true, "e": "plain", "f": 7}`),
	)
	if want := "a: \"yes\"\nb: \"12:30:45\"\nc: \"010\"\nd: true\ne: plain\nf: 7\n"; string(
		got,
	) != want {
		t.Errorf("%s", got)
	}
}

// TestEveryFormPrintsWhatTheJournalHolds: a plan's text with characters that a terminal obeys, or
// that YAML has no place for, never makes a failure of what was done.
func TestEveryFormPrintsWhatTheJournalHolds(t *testing.T) {
	const odd = "a\u007fb\u009bc\u202ed\u200be\ufefff\U000e0041g\ufffeh"
	d := newDesk(t)
	text, err := json.Marshal(map[string]any{
		"provider": "aws", "action": "assign-secondary-ip", "idempotencyKey": "k",
		"name": odd, "description": odd,
		"target": map[string]string{
			"nicRef": "eni-01088600000000011", "address": "10.88.60.9", "region": "ap-northeast-1",
		},
		"parameters": map[string]string{"mobilityNote": odd},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.write("odd.json", string(text))
	d.run(0, "", "import", "-f", d.path("odd.json"))
	for _, command := range []string{"approve k --by ann", "list", "show k", "journal"} {
		for _, format := range []string{"table", "json", "yaml"} {
			code := 0
			if format != "table" && strings.HasPrefix(command, "approve") {
				code = 3 // ann has approved it already
			}
			out, said := d.run(code, "", append(strings.Fields(command), "-o", format)...)
			shown := func(r rune) bool { return !strings.ContainsRune("\n\t", r) && display.Hidden(r) }
			if strings.ContainsFunc(out+said, shown) {
				t.Errorf("%s -o %s: %q, %q", command, format, out, said)
			}
			if !strings.HasPrefix(command, "show") || format == "table" {
				continue
			}
			var read struct {
				Parameters map[string]string `yaml:"parameters"`
			}
			if err := yaml.Unmarshal([]byte(out), &read); format == "yaml" && err != nil {
				t.Error(err)
			} else if err := json.Unmarshal([]byte(out), &read); format == "json" && err != nil {
				t.Error(err)
			}
			if read.Parameters["mobilityNote"] != odd {
				t.Errorf("%s: %q", format, read.Parameters)
			}
		}
	}
}

// TestErrorsAreEscaped: of a flag, an argument, a file's name and a policy's field.
func TestErrorsAreEscaped(t *testing.T) {
	const odd = "x\x1b]0;title\a\u202e\u200b"
	d := newDesk(t)
	d.write("odd.yaml", "{\"apiVersion\": \"hybrid.routerd.net/v1alpha1\", \"sp\\u001b[2Jec\": {}}")
	d.run(0, "", "import", "-f", d.path("plan.json"))
	for _, tt := range []struct {
		code int
		args []string
	}{
		{2, []string{"--" + odd}}, {2, []string{odd}}, {2, []string{"list", odd}},
		{2, []string{"list", "--status", odd}}, {1, []string{"show", odd}},
		{1, []string{"import", "-f", odd}}, {2, []string{"list", "-o", odd}},
		{3, []string{"policy", "check", "-f", d.path("odd.yaml")}},
		{3, []string{"--policy", d.path("odd.yaml"), "approve", "k", "--by", "ann"}},
	} {
		_, said := d.run(tt.code, "", tt.args...)
		shown := func(r rune) bool { return !strings.ContainsRune("\n\t", r) && display.Hidden(r) }
		if said == "" || strings.ContainsFunc(said, shown) {
			t.Errorf("actionctl %q says %q", tt.args, said)
		}
	}
}
