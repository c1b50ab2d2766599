package simcmd

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// runMain runs the program with a signal to stop at hand, and returns what it said.
func runMain(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGTERM
	var out, errs strings.Builder
	code = (&Program{Version: "v1.2.3", Signals: signals}).Main(args, os.Environ(), strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func TestServesUntilStopped(t *testing.T) {
	signals := make(chan os.Signal)
	out, w := io.Pipe()
	code := make(chan int)
	go func() {
		c := (&Program{Signals: signals}).Main([]string{"-tls=false"}, nil, nil, w, io.Discard)
		w.Close()
		code <- c
	}()
	env := map[string]string{}
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "# try: ") {
		if line, ok := strings.CutPrefix(lines.Text(), "export "); ok {
			name, value, _ := strings.Cut(line, "=")
			env[name] = value
		}
	}
	resp, err := http.Get(env["AWS_ENDPOINT_URL_EC2"] + "/_sim/state")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("not served at %v: %v", env, err)
	}
	resp.Body.Close()
	if env["AWS_ACCESS_KEY_ID"] == "" || env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] == "" || env["AWS_DEFAULT_REGION"] == "" {
		t.Errorf("environment %v", env)
	}
	signals <- syscall.SIGTERM
	if c := <-code; c != 0 {
		t.Errorf("exit code %d", c)
	}
}

func TestExitCodes(t *testing.T) {
	world := filepath.Join(t.TempDir(), "world.yaml")
	if err := os.WriteFile(world, []byte("regions:\n  eu-west-1:\n    vpc: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		args   []string
		code   int
		stderr string
	}{
		{"unknown flag", []string{"-x"}, 2, "flag provided but not defined: -x"},
		{"argument", []string{"aws"}, 2, `unexpected argument "aws"; to run a command: ec2sim run -- COMMAND`},
		{"no command", []string{"run", "--"}, 2, "run needs a command, as in: ec2sim run -- aws"},
		{"two worlds", []string{"-world", world, "-lab"}, 2, "-world and -lab exclude each other"},
		{"address that cannot be", []string{"-listen", "nowhere:x"}, 1, "ec2sim: cannot serve: "},
		{"file that cannot be", []string{"-tls", "-ca-file", "/nonexistent/ca.pem"}, 1, "ec2sim: cannot serve: "},
		{"no such world", []string{"-world", world + "x"}, 1, "ec2sim: cannot read the world: "},
		{"world that cannot be", []string{"-world", world}, 1, world + " is refused:\nline 3: regions.eu-west-1.vpc: is unknown"},
		{"no such instance", []string{"-self", "i-0000000a"}, 1, "the metadata of i-0000000a: there is no such instance"},
		{"stopped at once", []string{"-lab=false", "-tls", "-throttle", "-log"}, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if code, _, stderr := runMain(t, tt.args...); code != tt.code || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("exit code %d: %s", code, stderr)
			}
		})
	}
}

func TestHelpFitsAScreen(t *testing.T) {
	for _, ask := range [][]string{{"-h"}, {"--help"}, {"run", "-help"}} {
		code, stdout, stderr := runMain(t, ask...)
		lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
		if code != 0 || stderr != "" || len(lines) > 24 {
			t.Fatalf("%v: exit code %d, %d lines, and %q", ask, code, len(lines), stderr)
		}
		for _, l := range lines {
			if len(l) > 80 {
				t.Errorf("%d columns: %s", len(l), l)
			}
		}
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, "example: ec2sim run -- ") {
			t.Errorf("it ends with %q", last)
		}
	}
}

// Every flag is in the help, and nothing else.
func TestHelpNamesTheFlags(t *testing.T) {
	for _, name := range []string{"world", "lab", "self", "listen", "imds-listen", "tls", "ca-file", "throttle", "log", "version"} {
		if !strings.Contains(usage, "  -"+name) {
			t.Errorf("-%s is not told", name)
		}
		if _, err := parse([]string{"-" + name + "=1"}); err != nil && !strings.Contains(err.Error(), "invalid") {
			t.Errorf("-%s: %v", name, err)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, ask := range [][]string{{"-version"}, {"--version"}, {"run", "--version"}} {
		if code, stdout, _ := runMain(t, ask...); code != 0 || stdout != "ec2sim v1.2.3\n" {
			t.Errorf("%v: exit code %d, %q", ask, code, stdout)
		}
	}
}
