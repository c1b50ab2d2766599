// Package stepstest holds a demo to what a page shows of it, and to how it ends.
package stepstest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"aws-provider-executor/pkg/testprograms"
)

// most is how many lines a newcomer reads at once: 100, of which make writes two.
const most = 98

// ending is how a demo ends whose steps all ended as they should.
const ending = "\nEvery step ended as it should.\n"

// Demo is a demo under test, from the root of the repository.
type Demo struct {
	Run      func(args []string, stdout, stderr io.Writer) int
	Programs []string
	// Root is where the root is from the folder of the test.
	Root string
}

// Main runs a package's tests, and returns their exit code.
func Main(m *testing.M) int {
	defer testprograms.Remove()
	return m.Run()
}

// play plays the demo with more arguments, where the test is.
func (d Demo) play(t *testing.T, args ...string) (exit int, stdout, stderr string) {
	t.Helper()
	bin, err := testprograms.Build(d.Programs...)
	if err != nil {
		t.Fatal(err)
	}
	var out, failure bytes.Buffer
	exit = d.Run(append([]string{"-bin", bin}, args...), &out, &failure)
	return exit, out.String(), failure.String()
}

// IsShort plays the demo for a narrow terminal and for a wide one. It has to fit, and to say on the
// wide one what the only block of text of a page says.
func (d Demo) IsShort(t *testing.T, page string) {
	t.Chdir(d.Root)
	recording := recorded(t, page)
	for _, columns := range []int{80, 100} {
		exit, out, failure := d.play(t, "-columns", strconv.Itoa(columns))
		if exit != 0 || !strings.HasSuffix(out, ending) {
			t.Fatalf("exit code %d: %s\n%s", exit, failure, out)
		}
		if n := strings.Count(out, "\n"); n >= most {
			t.Errorf("%d lines, fewer than %d are meant to be", n, most)
		}
		for line := range strings.Lines(out) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > columns {
				t.Errorf("%d columns: %s", n, line)
			}
		}
		if columns == 100 && !strings.Contains(out, recording) {
			t.Errorf("%s has\n%s\nand the demo says\n%s", page, recording, out)
		}
	}
}

// recorded returns the recording of a page.
func recorded(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, recording, found := strings.Cut(string(text), "```text\n")
	recording, _, ended := strings.Cut(recording, "```\n")
	if !found || !ended || len(recording) < 200 {
		t.Fatalf("%s has no recording", page)
	}
	return recording
}

// IsMade holds the target of the Makefile to the demo: it builds the programs that the demo runs,
// and passes flags on.
func (d Demo) IsMade(t *testing.T, target string) {
	dir, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(d.Root)
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("MAKEFLAGS", "")
	out, err := exec.Command("make", "-n", target, "BIN=/bin-of-ours", "DEMO_FLAGS=-v").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"build PROGRAMS='" + strings.Join(d.Programs, " ") + "'\n",
		" ." + strings.TrimPrefix(dir, root) + " -bin /bin-of-ours -v\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("make %s does not run %q:\n%s", target, want, out)
		}
	}
}

// ShowsWhole plays the demo with -v: it has to show texts that the short form leaves out.
func (d Demo) ShowsWhole(t *testing.T, texts ...string) {
	t.Chdir(d.Root)
	_, short, _ := d.play(t)
	exit, whole, failure := d.play(t, "-v")
	if exit != 0 || !strings.HasSuffix(whole, ending) {
		t.Fatalf("exit code %d: %s\n%s", exit, failure, whole)
	}
	for _, text := range texts {
		if !strings.Contains(whole, text) {
			t.Errorf("with -v it does not show %q:\n%s", text, whole)
		}
		if strings.Contains(short, text) {
			t.Errorf("without -v it shows %q", text)
		}
	}
}

// AsksNoAccount plays the demo where the caller's environment and the files of its home lead to
// another endpoint, with credentials and settings of its own. No call may get there, and nothing
// may be kept where the settings say.
func (d Demo) AsksNoAccount(t *testing.T) {
	t.Chdir(d.Root)
	var calls atomic.Int64
	account := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		calls.Add(1)
	}))
	defer account.Close()
	bin, err := testprograms.Build(d.Programs...)
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	d.leadElsewhere(t, home, account.URL)
	d.leads(t, filepath.Join(bin, "aws-provider-executor"), &calls)
	calls.Store(0)
	exit, out, failure := d.play(t)
	if n := calls.Load(); exit != 0 || !strings.HasSuffix(out, ending) || n != 0 {
		t.Errorf("%d calls to the account; exit code %d: %s\n%s", n, exit, failure, out)
	}
	entries, err := os.ReadDir(home)
	if err != nil || len(entries) != 1 {
		t.Errorf("the home has %v; %v", entries, err)
	}
}

// leads has a request reach the account, as it does outside of a demo.
func (d Demo) leads(t *testing.T, executor string, calls *atomic.Int64) {
	t.Helper()
	request, err := os.Open("examples/requests/assign-dry-run.json")
	if err != nil {
		t.Fatal(err)
	}
	defer request.Close()
	c := exec.Command(executor)
	c.Stdin, c.Env = request, append(os.Environ(), "EXECUTOR_POLICY=", "EXECUTOR_TIMEOUT=2s")
	out, err := c.Output()
	if calls.Load() == 0 {
		t.Fatalf("the environment does not lead to the account: %v\n%s", err, out)
	}
}

// leadElsewhere has the environment lead to an endpoint, and keep what is kept below a home.
func (d Demo) leadElsewhere(t *testing.T, home, url string) {
	t.Helper()
	config := filepath.Join(home, ".aws")
	if err := os.Mkdir(config, 0o700); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		"config": "[profile real]\nendpoint_url = " + url + "\n",
		"credentials": "[default]\naws_access_key_id = AKIDOTHER\naws_secret_access_key = other\n" +
			"[real]\naws_access_key_id = AKIDREAL\naws_secret_access_key = real\n",
	} {
		if err := os.WriteFile(filepath.Join(config, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range map[string]string{
		"HOME": home, "AWS_PROFILE": "real", "AWS_REGION": "eu-west-1",
		"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "env", "AWS_SESSION_TOKEN": "env",
		"AWS_ENDPOINT_URL": url, "AWS_ENDPOINT_URL_EC2": url, "AWS_ENDPOINT_URL_SQS": url,
		"AWS_ENDPOINT_URL_AUTO_SCALING": url, "AWS_ENDPOINT_URL_STS": url,
		"AWS_EC2_METADATA_SERVICE_ENDPOINT": url, "EXECUTOR_STATE_DIR": filepath.Join(home, "ledger"),
		"ACTIONCTL_JOURNAL": filepath.Join(home, "journal.db"), "STATE_DIRECTORY": home,
		"ACTIONCTL_POLICY": filepath.Join(home, "none"), "EXECUTOR_POLICY": filepath.Join(home, "none"),
	} {
		t.Setenv(name, value)
	}
}

// Fails plays the demo with a text of an example replaced, so that a step ends otherwise. The demo
// has to say which, to end with 1, and to play no step after it.
func (d Demo) Fails(t *testing.T, file, text, instead, reason string) {
	t.Chdir(d.Root)
	examples := t.TempDir()
	if err := os.CopyFS(examples, os.DirFS("examples")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(examples, file)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	broken := bytes.ReplaceAll(content, []byte(text), []byte(instead))
	if bytes.Equal(broken, content) {
		t.Fatalf("%s has no %q", file, text)
	}
	if err := os.WriteFile(path, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	d.stops(t, reason, "-examples", examples)
}

// Stops plays a demo one of whose steps can't end as it should, as Fails does.
func (d Demo) Stops(t *testing.T, reason string) {
	t.Chdir(d.Root)
	d.stops(t, reason)
}

func (d Demo) stops(t *testing.T, reason string, args ...string) {
	t.Helper()
	exit, out, failure := d.play(t, args...)
	if exit != 1 || !strings.Contains(failure, "a step did not end as it should: ") ||
		!strings.Contains(failure, reason) {
		t.Errorf("exit code %d, want 1 and %q:\n%s", exit, reason, failure)
	}
	if strings.Contains(out, strings.TrimSpace(ending)) {
		t.Errorf("it goes on after that step:\n%s", out)
	}
}
