package main

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/text/width"
)

// terminal runs actionctl on a terminal, and holds its exit code and that no line is too long:
//
//	terminal WANT COLUMNS TYPED ARGS...
//
// TYPED is what the person types, in Go's escapes; what the terminal shows is the output.
func terminal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: terminal WANT COLUMNS TYPED ARGS...")
	}
	columns, err := strconv.ParseUint(args[1], 10, 16)
	ts.Check(err)
	typed, err := strconv.Unquote(`"` + args[2] + `"`)
	ts.Check(err)
	program, err := exec.LookPath("actionctl")
	if err != nil {
		program = ts.Getenv("PATH")[:strings.IndexByte(ts.Getenv("PATH"), ':')] + "/actionctl"
	}
	c := exec.Command(program, args[3:]...)
	c.Dir = ts.MkAbs(".")
	c.Env = terminalEnv(ts)
	screen, err := pty.StartWithSize(c, &pty.Winsize{Cols: uint16(columns), Rows: 24})
	ts.Check(err)
	defer screen.Close()
	_, err = io.WriteString(screen, typed)
	ts.Check(err)
	shown, err := io.ReadAll(screen)
	if err != nil && !errors.Is(err, syscall.EIO) {
		ts.Fatalf("the terminal: %v", err)
	}
	shown = bytes.ReplaceAll(shown, []byte("\r\n"), []byte("\n"))
	_, err = ts.Stdout().Write(shown)
	ts.Check(err)
	got := "0"
	if err := c.Wait(); err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("actionctl %v on a terminal: exit %s, want %s\n%s", args[3:], got, args[0], shown)
	}
}

// terminalEnv are the variables of a script, for a terminal that shows no colours.
func terminalEnv(ts *testscript.TestScript) []string {
	env := []string{"TERM=xterm", "NO_COLOR=1"}
	for _, name := range []string{"PATH", "TZ", "LANG", "HOME", "ACTIONCTL_JOURNAL",
		"ACTIONCTL_POLICY", "EXECUTOR_STATE_DIR", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2",
		"AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_REGION", "GORACE", "GOCOVERDIR"} {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// narrow holds the last output to lines of at most so many columns, of which a Chinese character
// has two:
//
//	narrow COLUMNS
func narrow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: narrow COLUMNS")
	}
	most, err := strconv.Atoi(args[0])
	ts.Check(err)
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		columns := 0
		for _, r := range strings.TrimSuffix(line, "\n") {
			columns++
			if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
				columns++
			}
		}
		if columns > most || strings.HasSuffix(line, " \n") {
			ts.Fatalf("%d columns, want at most %d, and no blank at the end: %q", columns, most, line)
		}
	}
}
