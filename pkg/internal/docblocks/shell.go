package docblocks

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a block may take. A test fails then, and says what the block said so far.
const patience = 5 * time.Minute

// Shell is where blocks are run.
type Shell struct {
	Dir string
	Env []string
}

// errexit has every bash stop at the first command that fails, also one that a block starts.
const errexit = "SHELLOPTS=errexit:nounset:pipefail"

// Run feeds a block to bash as somebody who pastes it does, and returns what it said. The test
// fails where one of its commands does.
func (s Shell) Run(t testing.TB, block string) string {
	t.Helper()
	return s.Until(t, block, nil, nil)
}

// Until is Run of a block that goes on. Once it has said what until wants, look is called, unless
// it is nil, and then the block is interrupted. How it ends then is not looked at.
func (s Shell) Until(
	t testing.TB, block string, until *regexp.Regexp, look func(said string),
) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-s")
	cmd.Dir, cmd.Env = s.Dir, append(s.Env, "PWD="+s.Dir, errexit)
	cmd.Stdin = strings.NewReader(block)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	signal := func(s syscall.Signal) error { return syscall.Kill(-cmd.Process.Pid, s) }
	cmd.Cancel = func() error { return signal(syscall.SIGKILL) }
	output, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	cmd.Stdout, cmd.Stderr = end, end
	err = cmd.Start()
	end.Close()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	met := false
	for buffer := make([]byte, 64<<10); ; {
		n, err := output.Read(buffer)
		said.Write(buffer[:n])
		if until != nil && !met && until.Match(said.Bytes()) {
			met = true
			if look != nil {
				look(said.String())
			}
			_ = signal(syscall.SIGINT)
		}
		if err != nil {
			break // all that it started has ended
		}
	}
	err = cmd.Wait()
	switch {
	case until != nil && !met:
		t.Fatalf("the block ended (%v), and did not say %s:\n%s", err, until, &said)
	case until == nil && err != nil:
		t.Fatalf("%v\n%s\nsaid\n%s", err, block, &said)
	}
	return said.String()
}

// GoEnv has make use the caches of who runs the test, though HOME is another one.
func GoEnv(t testing.TB) []string {
	t.Helper()
	names := []string{"GOCACHE", "GOMODCACHE", "GOPATH", "GOPROXY", "GOTOOLCHAIN"}
	out, err := exec.Command("go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"VERSION=devel"}
	for i, value := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		env = append(env, names[i]+"="+value)
	}
	return env
}

// CopyTree copies what git keeps of the tree, and what it would keep, to a folder of the test.
func CopyTree(t testing.TB, top string) (dir string) {
	t.Helper()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = top
	names, err := list.Output()
	if err != nil {
		t.Fatalf("cannot list the tree: %v", err)
	}
	dir = t.TempDir()
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		info, err := os.Lstat(filepath.Join(top, name))
		if err != nil || !info.Mode().IsRegular() {
			continue // deleted, and git is not told yet; or a link
		}
		data, err := os.ReadFile(filepath.Join(top, name))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
