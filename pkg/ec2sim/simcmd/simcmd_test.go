package simcmd

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// runMain runs the program, which ends by itself, and returns what it said.
func runMain(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return runSignalled(t, make(chan os.Signal), args...)
}

// stopping is a signal to stop, at hand from the start.
func stopping() <-chan os.Signal {
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGTERM
	return signals
}

func runSignalled(
	t *testing.T, signals <-chan os.Signal, args ...string,
) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	code = (&Program{Version: "v1.2.3", Signals: signals}).Main(args, os.Environ(),
		strings.NewReader(""), &out, &errs)
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
	if env["AWS_ACCESS_KEY_ID"] == "" || env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] == "" ||
		env["AWS_DEFAULT_REGION"] == "" {
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
		{"argument", []string{"aws"}, 2,
			`unexpected argument "aws"; to run a command: ec2sim run -- COMMAND`},
		{"no command", []string{"run", "--"}, 2, "run needs a command, as in: ec2sim run -- aws"},
		{"two worlds", []string{"-world", world, "-lab"}, 2, "-world and -lab exclude each other"},
		{"address that cannot be", []string{"-listen", "nowhere:x"}, 1, "ec2sim: cannot serve: "},
		{"file that cannot be", []string{"-tls", "-ca-file", "/nonexistent/ca.pem"}, 1,
			"ec2sim: cannot serve: "},
		{"no such world", []string{"-world", world + "x"}, 1, "ec2sim: cannot read the world: "},
		{"world that cannot be", []string{"-world", world}, 1,
			world + " is refused:\nline 3: regions.eu-west-1.vpc: is unknown"},
		{"no such instance", []string{"-self", "i-0000000a"}, 1,
			"the metadata of i-0000000a: there is no such instance"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if code, _, stderr := runMain(t, tt.args...); code != tt.code ||
				!strings.Contains(stderr, tt.stderr) {
				t.Errorf("exit code %d: %s", code, stderr)
			}
		})
	}
	args := []string{"-lab=false", "-tls", "-throttle", "-log"}
	if code, _, stderr := runSignalled(t, stopping(), args...); code != 0 || stderr != "" {
		t.Errorf("stopped at once: exit code %d: %s", code, stderr)
	}
}

// TestASignalStopsWhatHasNotBegun: a world that does not come keeps nobody waiting.
func TestASignalStopsWhatHasNotBegun(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "world")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[int][]string{
		0: {"-world", pipe}, 143: {"run", "-world", pipe, "--", "true"},
	} {
		code, stdout, stderr := runSignalled(t, stopping(), args...)
		if code != want || stdout != "" || stderr != "" {
			t.Errorf("%v: exit code %d, %q, %q", args, code, stdout, stderr)
		}
	}
	if code, _, stderr := runMain(t, "-world", "/dev/zero"); code != 1 ||
		!strings.Contains(stderr, "larger than") {
		t.Errorf("without an end: exit code %d, %s", code, stderr)
	}
}

// TestWhereItListensOnEveryAddressItIsReachedOnLoopback: an address that no proxy is asked for.
func TestWhereItListensOnEveryAddressItIsReachedOnLoopback(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", ":0", "[::]:0"} {
		code, stdout, stderr := runMain(t, "run", "-listen", listen, "-imds-listen", listen, "--", "env")
		if code != 0 {
			t.Fatal(stderr)
		}
		for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_EC2_METADATA_SERVICE_ENDPOINT"} {
			if !strings.Contains(stdout, "\n"+name+"=http://127.0.0.1:") {
				t.Errorf("-listen %s: %s", listen, stdout)
			}
		}
	}
}

// TestAShellThatEvaluatesWhatItPrintsReachesNothingReal: as a command that it runs.
func TestAShellThatEvaluatesWhatItPrintsReachesNothingReal(t *testing.T) {
	environ := []string{
		"AWS_PROFILE=prod", "AWS_ROLE_ARN=arn:aws:iam::1:role/r", "AWS_WEB_IDENTITY_TOKEN_FILE=/token",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/",
		"AWS_ENDPOINT_URL_STS=https://sts.example",
		"AWS_CONFIG_FILE=/etc/real-config", "AWS_USE_FIPS_ENDPOINT=true",
		"AWS_SESSION_TOKEN=real", "OTHER=kept", "EXECUTOR_STATE_TABLE=real",
		"AWS_ODD NAME=x", "AWS_$(false)=x",
	}
	signals := make(chan os.Signal)
	r, w := io.Pipe()
	go func() {
		(&Program{Signals: signals}).Main(nil, environ, nil, w, io.Discard)
		w.Close()
	}()
	var out strings.Builder
	for lines := bufio.NewScanner(r); lines.Scan(); {
		out.WriteString(lines.Text() + "\n")
		if strings.HasPrefix(lines.Text(), "# try: ") {
			go func() { signals <- syscall.SIGTERM }()
		}
	}
	cmd := exec.Command("sh", "-eu", "-c", out.String()+"env")
	cmd.Env = append(environ[:len(environ)-2:len(environ)-2], "PATH="+os.Getenv("PATH"))
	told, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, told, out.String())
	}
	for _, line := range strings.Split(string(told), "\n") {
		name, value, _ := strings.Cut(line, "=")
		if slices.Contains(environ, line) && name != "OTHER" {
			t.Errorf("%s is left", line)
		}
		if name == "AWS_ENDPOINT_URL" && !strings.HasPrefix(value, "http://127.0.0.1:") {
			t.Error(line)
		}
	}
	for _, want := range []string{
		"OTHER=kept", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"AWS_ENDPOINT_URL=http://127.0.0.1:", "AWS_ACCESS_KEY_ID=AKIALAB", "no_proxy=127.0.0.1,localhost",
	} {
		if !strings.Contains("\n"+string(told), "\n"+want) {
			t.Errorf("without %s:\n%s", want, told)
		}
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
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, "  ec2sim run -- ") {
			t.Errorf("it ends with %q", last)
		}
	}
}

// Every flag is in the help, and nothing else.
func TestHelpNamesTheFlags(t *testing.T) {
	for _, name := range []string{"world", "lab", "self", "listen", "imds-listen", "tls", "ca-file",
		"throttle", "log", "version"} {
		if !strings.Contains(usage, "  -"+name) {
			t.Errorf("-%s is not told", name)
		}
		if _, err := parse([]string{"-" + name + "=1"}); err != nil &&
			!strings.Contains(err.Error(), "invalid") {
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
