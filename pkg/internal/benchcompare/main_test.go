package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// repository is a module in a git repository, with one commit of these files.
func repository(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	write(t, root, files)
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=t", "-c",
		"user.email=t@example.org", "-c", "commit.gpgsign=false", "commit", "-q", "-m", "first"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = root
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, said)
		}
	}
	return root
}

func write(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// benchmark is a benchmark that tells a number.
func benchmark(number string) string {
	return "package p\n\nimport \"testing\"\n\nfunc BenchmarkIt(b *testing.B) {\n" +
		"\tfor b.Loop() {\n\t}\n\tb.ReportMetric(" + number + ", \"numbers\")\n}\n"
}

// TestBothTreesAreMeasured: the commit, and the tree as it is now, as often. A package that one of
// them lacks is told and left out. The commit's tree is gone afterwards.
func TestBothTreesAreMeasured(t *testing.T) {
	root := repository(t, map[string]string{
		"go.mod": "module m\n\ngo 1.26\n", "p/p.go": "package p\n", "p/p_test.go": benchmark("7"),
		"broken/p.go": "package broken\n", "broken/p_test.go": "package broken_\n"})
	write(t, root, map[string]string{
		"p/p_test.go": benchmark("8"), "new/p.go": "package p\n", "new/p_test.go": benchmark("9")})
	dir := t.TempDir()
	base := side{name: "base", root: filepath.Join(dir, "tree")}
	now := side{name: "now", root: root}
	if err := git(t.Context(), root, "worktree", "add", "--detach", base.root, "HEAD"); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	c := comparison{bench: ".", each: "1x", rounds: 2, packages: []string{"p", "new", "broken"},
		dir: dir, log: &log}
	if err := c.compare(t.Context(), &base, &now); err != nil {
		t.Fatal(err)
	}
	for s, want := range map[*side]string{&base: "7.000 numbers", &now: "8.000 numbers"} {
		said, err := os.ReadFile(s.results)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(said), want) != 2 || strings.Count(string(said), "numbers") != 2 {
			t.Errorf("%s says\n%s\nwant %s twice", s.name, said, want)
		}
	}
	for _, want := range []string{
		"new is left out", "broken is left out", "base cannot build broken",
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, &log)
		}
	}
}

// TestNothingIsLeftBehind, whatever comes of it.
func TestNothingIsLeftBehind(t *testing.T) {
	root := repository(t, map[string]string{"go.mod": "module m\n\ngo 1.26\n"})
	t.Setenv("TMPDIR", t.TempDir())
	for args, want := range map[string]string{
		"":                  "name a revision",
		"-base nothing":     "invalid reference: nothing",
		"-base HEAD p/none": "nothing of base could be built",
	} {
		err := run(t.Context(), root, strings.Fields(args), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", args, err, want)
		}
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	said, err := exec.Command("git", "-C", root, "worktree", "list").Output()
	if err != nil || strings.Count(string(said), "\n") != 1 {
		t.Errorf("%v: %s", err, said)
	}
}

// TestThePackagesHaveBenchmarks: each that is compared without being named.
func TestThePackagesHaveBenchmarks(t *testing.T) {
	for _, p := range packages {
		files, err := filepath.Glob(filepath.Join("../../..", p, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found = found || bytes.Contains(text, []byte("\nfunc Benchmark"))
		}
		if !found {
			t.Errorf("%s has no benchmarks", p)
		}
	}
}
