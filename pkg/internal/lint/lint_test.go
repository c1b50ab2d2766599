package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFaultsOf(t *testing.T) {
	full := strings.Repeat("ä", maxColumns)
	for name, tt := range map[string]struct{ text, want string }{
		"what fits":    {full + "\n" + full, ""},
		"one too many": {"package x\n" + full + "x\n", "x.go:2: the line has 101 columns"},
		"the words":    {"// f tells " + "whether it is so.\n", "x.go:1: the house's words"},
		"in a string":  {`say("it tells ` + `whether")`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(faultsOf("x.go", tt.text), "\n")
			if tt.want == "" && got != "" || !strings.HasPrefix(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}

func TestEveryGoFileIsLookedAt(t *testing.T) {
	t.Chdir(t.TempDir())
	long := "package bad // " + strings.Repeat("x", maxColumns) + "\n"
	write(t, "good/a.go", "package good\n")
	write(t, "bad/below/a.go", long)
	write(t, "bad/a.txt", long)
	faults, err := sources([]string{"good", "bad"})
	if err != nil || len(faults) != 1 || !strings.HasPrefix(faults[0], "bad/below/a.go:1") {
		t.Error(faults, err)
	}
}

// TestLargeFiles: what git keeps is looked at, whatever it is called, and nothing else.
func TestLargeFiles(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if faults, err := sizes(); len(faults) != 0 || err != nil {
		t.Error("outside of a repository:", faults, err)
	}
	runGit(t, dir, "init", "-q", "-b", "main")
	large := strings.Repeat("x", maxBytes)
	write(t, "kept/as large as may be", large)
	write(t, "kept/a program", large+"x")
	write(t, "built", large+"x")
	write(t, "deleted", large+"x")
	runGit(t, dir, "add", "kept", "deleted")
	if err := os.Remove("deleted"); err != nil {
		t.Fatal(err)
	}
	faults, err := sizes()
	if err != nil || len(faults) != 1 || !strings.HasPrefix(faults[0], "kept/a program: has 262145") {
		t.Error(faults, err)
	}
}

func TestSubjectFault(t *testing.T) {
	for subject, good := range map[string]bool{
		"journal: reject non-numeric timestamps":       true,
		"awsec2, tests: name a throttled read":         true,
		"pkg/internal: move in what only tests use":    true,
		`Revert "journal: reject timestamps"`:          true,
		"x: " + strings.Repeat("y", maxSubject-3):      true,
		"x: " + strings.Repeat("y", maxSubject-2):      false,
		"what is not a number is no time":              false,
		"journal: ":                                    false,
		"journal: reject non-numeric timestamps.":      false,
		"reject non-numeric timestamps in the journal": false,
	} {
		if got := subjectFault(subject) == ""; got != good {
			t.Errorf("%q is good: %t, want %t", subject, got, good)
		}
	}
}

// TestNewSubjects: only what is new is looked at, and a repository without its history is no fault.
func TestNewSubjects(t *testing.T) {
	dir := t.TempDir()
	runGit(t, dir, "init", "-q", "-b", "main")
	expect(t, dir, "", nil)
	commit(t, dir, "old and without a form")
	commit(t, dir, "area: be good")
	expect(t, dir, "", nil)
	runGit(t, dir, "checkout", "-q", "-b", "topic")
	commit(t, dir, "bad")
	commit(t, dir, "area: be good again")
	expect(t, dir, "", []string{"bad"})
	expect(t, dir, "no-such-base", nil)
	expect(t, dir, "main~1", []string{"bad"})
	commit(t, dir, "bad at last")
	expect(t, dir, "no-such-base", []string{"bad at last"})

	shallow := filepath.Join(t.TempDir(), "shallow")
	runGit(t, dir, "clone", "-q", "--depth", "1", "file://"+dir, shallow)
	expect(t, shallow, "", []string{"bad at last"})
	expect(t, shallow, "main", []string{"bad at last"})
	expect(t, t.TempDir(), "", nil) // no repository at all
}

func expect(t *testing.T, dir, base string, want []string) {
	t.Helper()
	faults, err := newSubjects(dir, base)
	var got []string
	for _, f := range faults {
		got = append(got, f[strings.LastIndex(f, ": ")+2:])
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("since %q: found %q, want %q; %v", base, got, want, err)
	}
}

func commit(t *testing.T, dir, subject string) {
	t.Helper()
	runGit(t, dir, "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false",
		"commit", "-q", "--allow-empty", "-m", subject)
}

func runGit(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestLinks: one leads to a file of the tree and, where it says so, to a heading of it.
func TestLinks(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("there.md", []byte("# A heading, with `code`\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"[a](there.md) [b](https://example.org/x#y)": "",
		"[a](there.md#a-heading-with-code)":          "",
		"[a](there.md#another)":                      "no such heading",
		"[a](gone.md)":                               "there is no",
		"[a]\n\n[a]: gone.md":                        "there is no",
		"[a][b]\n\n[b]: there.md":                    "",
		"[a][b]":                                     "[b] leads nowhere",
		"[a][b] [d]\n\n[b]: there.md\n[c]: there.md": "nothing links by [c]",
		"## Own\n[a](#own)":                          "",
		"```\n[a](gone.md)\n```":                     "",
	} {
		page := []byte(text)
		if err := os.WriteFile("page.md", page, 0o600); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(brokenLinks("page.md", text), "; ")
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestWideLines: sentences are wrapped; tables, code and generated pages are not.
func TestWideLines(t *testing.T) {
	wide := strings.Repeat("x", maxColumns) + "→"
	for text, want := range map[string]int{
		wide: 1, "* " + wide + "\n" + wide: 2, strings.TrimSuffix(wide, "→"): 0, "| " + wide: 0,
		"```\n" + wide + "\n```": 0, "[a]: " + wide: 0,
	} {
		if got := wideLines("page.md", text); len(got) != want {
			t.Errorf("%s: %q, want %d", text, got, want)
		}
	}
	if got := wideLines("actions/README.md", wide); got != nil {
		t.Errorf("a generated page: %q", got)
	}
}

// TestReadme: the README is short, and so are its lines and sentences. Code is not counted, where
// links lead is not read, and an item or a cell ends what came before it.
func TestReadme(t *testing.T) {
	words := strings.Repeat("word ", sentenceWords)
	for text, want := range map[string]string{
		words + ". " + words + ".\n":                              "",
		words + "more.\n":                                         "has 26 words",
		"* " + words + "\n* " + words + "\n":                      "",
		words + "[more](there.md).\n":                             "has 26 words",
		"| " + words + "| " + words + "|\n":                       "",
		strings.Repeat("[a](b/c/d/e/f) ", 5) + "\n":               "",
		"```\n" + words + words + "\n```\n":                       "",
		strings.Repeat("x", maxColumns+1) + "\n":                  "README.md:1: the line has 101",
		strings.Repeat("x\n\n", readmeLines/2):                    "",
		strings.Repeat("x\n\n", readmeLines/2) + "one too many\n": "has 121 lines",
	} {
		got := strings.Join(readmeFaults(strings.ReplaceAll(text, "word word ", "word\nword ")), "; ")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
