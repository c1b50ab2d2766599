package cli

import (
	"bytes"
	"strings"
	"testing"
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
	if got := printable("a\x1b[31mb\nc\u202ed\u009be"); got != "a·[31mb·c·d·e" {
		t.Errorf("%q", got)
	}
}
