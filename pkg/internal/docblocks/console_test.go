package docblocks

import (
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/testprograms"
)

// update writes what the commands print into the page, instead of comparing.
var update = flag.Bool("update", false, "write what is printed into blocks of the form console")

// consolePages are the pages with blocks of commands and of what they print, each in the folder of
// an example that has the world and the policy.
var consolePages = []string{"examples/runbook/README.md"}

// TestConsoles runs every command of the console blocks of a page, in order, on the stand-in. What
// each prints is what the page says, but for what a run has of its own.
func TestConsoles(t *testing.T) {
	for _, page := range consolePages {
		t.Run(page, func(t *testing.T) { consoles(t, filepath.Join(top, page)) })
	}
}

func consoles(t *testing.T, page string) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	env := consoleEnv(t, filepath.Dir(page))
	var got strings.Builder
	commands := 0
	console, skipping := false, false
	for line := range strings.Lines(string(text)) {
		switch command, is := strings.CutPrefix(line, "$ "); {
		case console && is:
			commands++
			got.WriteString(line + ran(t, env, command))
			skipping = true
		case strings.HasPrefix(line, "```"):
			console, skipping = line == "```console\n", false
			got.WriteString(line)
		case !skipping:
			got.WriteString(line)
		}
	}
	if commands < 10 {
		t.Fatalf("the page has %d commands", commands)
	}
	if *update {
		if err := os.WriteFile(page, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(masked(string(text)), masked(got.String())); diff != "" {
		t.Errorf("the page says something else than the commands (-says +prints);"+
			" go test ./pkg/internal/docblocks -run TestConsoles -update mends it:\n%s", diff)
	}
}

// consoleEnv is a stand-in with the world of an example, and the environment of the shell.
func consoleEnv(t *testing.T, example string) []string {
	t.Helper()
	world, err := os.ReadFile(filepath.Join(example, "world.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	sim := ec2sim.New(ec2sim.WithCredentials(ec2sim.LabRoleCredential))
	if err := sim.Load(world); err != nil {
		t.Fatal(err)
	}
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: &ec2sim.MetadataOptions{
		Region: ec2sim.LabRegion, Instance: "i-0000000000000000f", Role: "ec2sim",
		Credential: ec2sim.LabRoleCredential,
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	bin, err := testprograms.Build(programs...)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(example)); err != nil {
		t.Fatal(err)
	}
	return append(server.RoleEnv(), "PATH="+bin+":"+os.Getenv("PATH"), "USER=ann", "TZ=UTC",
		"PWD="+dir, "EXECUTOR_STATE_DIR="+filepath.Join(dir, "state"),
		"ACTIONCTL_JOURNAL="+filepath.Join(dir, "journal.db"), "ACTIONCTL_POLICY=policy.yaml")
}

// ran is what a command prints on a terminal that shows neither colours nor progress.
func ran(t *testing.T, env []string, command string) string {
	t.Helper()
	screen, line, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	if err := pty.Setsize(screen, &pty.Winsize{Cols: 120, Rows: 40}); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("sh", "-c", command)
	c.Env, c.Stdout, c.Stderr = append(env, "TERM=dumb"), line, line
	for _, e := range env {
		if dir, ok := strings.CutPrefix(e, "PWD="); ok {
			c.Dir = dir
		}
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line.Close()
	out, err := io.ReadAll(screen)
	if err != nil && !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	_ = c.Wait()
	text := strings.ReplaceAll(string(out), "\r\n", "\n")
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

// masks are the rules by which two runs are alike.
var masks = []struct {
	of *regexp.Regexp
	as string
}{
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT[0-9:.]+Z(  +\d+)?`), "TIME"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`), "TIME"},
	{regexp.MustCompile(`\b\d{8}T\d{6}Z`), "TIME"},
	{regexp.MustCompile(`TIME UTC, (just now|\d+\w* ago|[^\n]* ago)`), "TIME"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "DIGEST"},
	{regexp.MustCompile(` +`), " "},
}

func masked(text string) string {
	for _, m := range masks {
		text = m.of.ReplaceAllString(text, m.as)
	}
	return text
}
