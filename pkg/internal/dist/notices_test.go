package main

import (
	"debug/buildinfo"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The text of each archive has the licence of each module that one of its programs tells that it
// contains, and Go's.
func TestNotices(t *testing.T) {
	folder, _ := made(t)
	archives, err := filepath.Glob(filepath.Join(folder, "*.tar.gz"))
	if err != nil || len(archives) == 0 {
		t.Fatalf("archives: %q, %v", archives, err)
	}
	for _, archive := range archives {
		t.Run(filepath.Base(archive), func(t *testing.T) {
			to := t.TempDir()
			judge(t, "tar", "--extract", "--gzip", "--strip-components=1", "--file", archive,
				"--directory", to)
			contained := map[string]bool{}
			found, err := filepath.Glob(filepath.Join(to, "bin", "*"))
			if err != nil || len(found) == 0 {
				t.Fatalf("programs: %q, %v", found, err)
			}
			for _, program := range found {
				info, err := buildinfo.ReadFile(program)
				if err != nil || len(info.Deps) == 0 {
					t.Fatalf("%s: %+v, %v", program, info, err)
				}
				for _, m := range info.Deps {
					contained[m.Path+"@"+m.Version] = true
				}
			}
			said := read(t, filepath.Join(to, noticesFile))
			for _, m := range slices.Sorted(maps.Keys(contained)) {
				path, version, _ := strings.Cut(m, "@")
				holdNotice(t, said, path+" "+version,
					strings.TrimSpace(judge(t, "go", "-C", top(t), "list", "-m", "-f", "{{.Dir}}", path)))
			}
			fields := strings.Fields(judge(t, "go", "-C", top(t), "env", "GOROOT", "GOVERSION"))
			holdNotice(t, said, "Go "+fields[1], fields[0])
		})
	}
}

// holdNotice has the text have the licence in a folder, and say whose it is.
func holdNotice(t *testing.T, said, whose, folder string) {
	t.Helper()
	licences, err := filepath.Glob(filepath.Join(folder, "LICENSE*"))
	if err != nil || len(licences) == 0 {
		t.Fatalf("%s has no licence: %v", whose, err)
	}
	for _, licence := range licences {
		text := strings.TrimSpace(strings.ReplaceAll(read(t, licence), "\r\n", "\n"))
		_, after, named := strings.Cut(said, "\n"+whose+", "+filepath.Base(licence)+"\n")
		if _, _, there := strings.Cut(after, text); !named || !there {
			t.Errorf("%s: named: %t; its text is there: %t", whose, named, there)
		}
	}
}

// What has no licence of its own fails, and tells which one it is.
func TestNoLicence(t *testing.T) {
	for name, files := range map[string][]string{
		"nothing":                {"main.go"},
		"a notice only":          {"NOTICE", "main.go"},
		"a part's only":          {"internal/LICENSE"},
		"a folder for licences":  {"licenses/NOTICE"},
		"a test's only":          {"testdata/LICENSE"},
		"source about a licence": {"license.go", "license_test.go", "copying.yml"},
	} {
		t.Run(name, func(t *testing.T) {
			p := partWith(t, "example.org/none", files...)
			if text, err := writeNotices([]part{partWith(t, "example.org/a", "LICENSE"), p}); err == nil ||
				!strings.Contains(err.Error(), "example.org/none v1.2.3 has no licence") {
				t.Errorf("%v\n%s", err, text)
			}
		})
	}
}

// A text that several have is there once, below the names of all.
func TestSameNoticeOnce(t *testing.T) {
	b, a := partWith(t, "example.org/b", "licence.md"), partWith(t, "example.org/a", "LICENSE",
		"COPYING.txt", "testdata/LICENSE", "internal/c/NOTICE")
	got, err := writeNotices([]part{b, a})
	if err != nil {
		t.Fatal(err)
	}
	want := noticesHead + "\n" + strings.Repeat("=", 80) + `
example.org/a v1.2.3, COPYING.txt
example.org/a v1.2.3, LICENSE
example.org/a v1.2.3, internal/c/NOTICE
example.org/b v1.2.3, licence.md

the text
`
	if string(got) != want {
		t.Errorf("it is\n%s\nwant\n%s", got, want)
	}
}

// partWith is one whose source has these files, all with the same text.
func partWith(t *testing.T, path string, files ...string) part {
	t.Helper()
	p := part{path, "v1.2.3", t.TempDir(), false}
	for _, name := range files {
		write(t, filepath.Join(p.Folder, name), "the text\r\n")
	}
	return p
}

// read reads a file.
func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// write writes a file, which everyone may run, and the folders above it.
func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// top is the project's folder.
func top(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	return folder
}
