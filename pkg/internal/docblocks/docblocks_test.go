package docblocks

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// languages are the forms of blocks: commands, commands with what they print, documents, and what
// is neither.
var languages = []string{"sh", "console", "json", "yaml", "text"}

// TestEveryBlockIsHeld: each block of each page is run, or compared, by exactly one test. A new
// block fails here until a test has it, and so does the entry of one that went.
func TestEveryBlockIsHeld(t *testing.T) {
	blocks, err := All(top)
	if err != nil {
		t.Fatal(err)
	}
	if len(blocks) < 40 {
		t.Errorf("only %d blocks were found", len(blocks))
	}
	holders := allHolders(t)
	for _, b := range blocks {
		if !slices.Contains(languages, b.Language) {
			t.Errorf("%s:%d: the block is %q, want one of %q", b.Page, b.Line, b.Language, languages)
		}
		by := holders[b.ID]
		if b.Language == "console" && slices.Contains(consolePages, b.Page) {
			by = append(by, "the console blocks")
		}
		if len(by) != 1 {
			t.Errorf("%s:%d: the block %s is held by %q: have one test run it, by a row in runs, in "+
				"requests or in Elsewhere", b.Page, b.Line, b.ID, by)
		}
		delete(holders, b.ID)
	}
	for id, by := range holders {
		t.Errorf("there is no block %s, which %q hold", id, by)
	}
}

// allHolders are the tests that hold each block.
func allHolders(t *testing.T) map[string][]string {
	t.Helper()
	holders := map[string][]string{ledgerFiles: {"TestTheLedgersFiles"}}
	add := func(id, by string) { holders[id] = append(holders[id], by) }
	taken := map[string]bool{}
	for id, r := range runs {
		add(id, "runs")
		if r.prints != "" {
			add(r.prints, id)
		}
		for rest := r.before; ; {
			_, after, is := strings.Cut(rest, "block ")
			if !is {
				break
			}
			// A document that a block's commands need.
			other := strings.Fields(after)[0]
			if _, run := runs[other]; !run && !taken[other] {
				taken[other] = true
				add(other, id)
			}
			rest = after
		}
	}
	for id, r := range requests {
		add(id, "requests")
		if r.result != "" {
			add(r.result, "requests")
		}
	}
	for id, folder := range Recordings {
		add(id, folder)
		page, _, _ := strings.Cut(id, "#")
		if !reads(t, folder, page) {
			t.Errorf("no test of %s reads the page %s", folder, page)
		}
	}
	for id, folder := range Elsewhere {
		add(id, folder)
		if !reads(t, folder, id) {
			t.Errorf("no test of %s reads the block %s", folder, id)
		}
	}
	return holders
}

// reads reports whether a test of a folder names a block or a page.
func reads(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(top, folder, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no tests; %v", folder, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), `"`+name+`"`) {
			return true
		}
	}
	return false
}

// TestParse: a block is known by its page, the heading above it and its place under that.
func TestParse(t *testing.T) {
	got, err := parse("page.md", "# Top\n```sh\none\n```\n## A heading, with `code`\n"+
		"```json\n# no heading\n{}\n```\n\n```text\n```\n")
	if err != nil || len(got) != 3 {
		t.Fatal(got, err)
	}
	for i, want := range []Block{
		{"page.md#top", "page.md", 2, "sh", "one\n"},
		{"page.md#a-heading-with-code", "page.md", 6, "json", "# no heading\n{}\n"},
		{"page.md#a-heading-with-code/2", "page.md", 11, "text", ""},
	} {
		if got[i] != want {
			t.Errorf("%+v, want %+v", got[i], want)
		}
	}
	if _, err := parse("page.md", "```sh\none\n"); err == nil {
		t.Error("a block that does not end is no error")
	}
}

// TestFigure: a number is found by the words around it, over the ends of lines, and only once.
func TestFigure(t *testing.T) {
	dir := t.TempDir()
	text := "| at least 1,200 faults, at least\n30 kills of an undo |\nat least 2 kills;\n" +
		"at least 4 runs; at least 5 runs.\n"
	if err := os.WriteFile(filepath.Join(dir, "page.md"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]int{"faults": 1200, "kills of an undo": 30, "kills": 2} {
		if got, err := Figure(dir, "page.md", "at least", what); got != want || err != nil {
			t.Errorf("%s: %d, %v; want %d", what, got, err, want)
		}
	}
	for _, what := range []string{"runs", "walks"} {
		if got, err := Figure(dir, "page.md", "at least", what); err == nil {
			t.Errorf("%s: %d", what, got)
		}
	}
}
