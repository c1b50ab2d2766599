package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/actions"
)

func TestOffATerminalThereIsNoColourAndNoBar(t *testing.T) {
	var out, said bytes.Buffer
	a := &app{stdout: &out, stderr: &said, env: map[string]string{"TERM": "xterm"}}
	a.tabulate(&out, []string{"ID", "STATUS"}, [][]string{{"1", "failed"}})
	step, clear := a.progress(10)
	clear()
	if step != nil || strings.Contains(out.String(), "\x1b") || said.Len() > 0 {
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
	got, err := toYAML(
		[]byte(`{"a": "yes", "b": "12:30:45", "c": "010", "d": true, "e": "plain", "f": 7}`),
	)
	if want := "a: \"yes\"\nb: \"12:30:45\"\nc: \"010\"\nd: true\ne: plain\nf: 7\n"; string(
		got,
	) != want ||
		err != nil {
		t.Errorf("%s, %v", got, err)
	}
}
