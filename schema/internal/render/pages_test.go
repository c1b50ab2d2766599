package render

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func writePage(t *testing.T, dir, page, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, page), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestPageKeepsWhatIsWrittenByHand: only what stands between two markers is replaced, and a
// second pass changes nothing.
func TestPageKeepsWhatIsWrittenByHand(t *testing.T) {
	const text = "# One\n\n<!-- generated: failure classes -->\n| old |\n" +
		"<!-- generated until here -->\n" +
		"\nTwo\n<!-- generated: settings -->\n<!-- generated until here -->\nThree"
	page, err := generator().page(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# One\n\n<!-- generated: failure classes -->\n\n| class |", "| `self-fence` |",
		"\n\n<!-- generated until here -->\n\nTwo\n", "| `EXECUTOR_STATE_DIR` |",
		"\n<!-- generated until here -->\nThree",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "| old |") {
		t.Error("the old table is still there")
	}
	again, err := generator().page(page)
	if err != nil || again != page {
		t.Errorf("a second pass changes the page (%v):\n%s", err, again)
	}
}

// TestPageNamesWhatIsWrongWithIt: a marker that leads to no table is an error, not a table that
// nobody keeps fresh.
func TestPageNamesWhatIsWrongWithIt(t *testing.T) {
	for name, text := range map[string]string{
		"unknown table": "<!-- generated: failures -->\n<!-- generated until here -->\n",
		"no end":        "<!-- generated: facts -->\n| a |\n",
		"torn marker":   "<!-- generated: facts\n<!-- generated until here -->\n",
	} {
		if page, err := generator().page(text); err == nil || page != "" {
			t.Errorf("%s: got %q, %v", name, page, err)
		}
	}
}

// TestStalePageIsNamed: a table in a page that is not as generated fails -check by the page's
// name, and so does a page that is not there.
func TestStalePageIsNamed(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"schema", "actions", ".github/docs"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (int, string) {
		var stderr strings.Builder
		code := generator().Main(dir, args, &stderr)
		return code, stderr.String()
	}
	for _, page := range pages {
		if code, said := run("-check"); code != 1 || !strings.Contains(said, page) {
			t.Errorf("a missing page: exit code %d: %s", code, said)
		}
	}
	for _, page := range pages {
		writePage(t, dir, page, "<!-- generated: verbs -->\n<!-- generated until here -->\n")
	}
	if code, said := run(); code != 0 {
		t.Fatalf("exit code %d: %s", code, said)
	}
	for _, page := range pages {
		path := filepath.Join(dir, page)
		fresh, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		writePage(t, dir, page, strings.Replace(string(fresh), "assign-secondary-ip", "assign-ip", 1))
		stale := page + " is stale: go run ./schema/generate\n"
		if code, said := run("-check"); code != 1 || said != stale {
			t.Errorf("%s: exit code %d: %s", page, code, said)
		}
		run()
		if again, _ := os.ReadFile(path); string(again) != string(fresh) {
			t.Errorf("%s is not brought up to date:\n%s", page, again)
		}
	}
}

var (
	linked = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	// modulePath is a path of this module in code quotes.
	modulePath = regexp.MustCompile("`((?:actions|cmd|examples|pkg|schema)(?:/[a-z0-9_.-]+)*)/?`")
)

// TestPagesNameWhatIsThere: every link between pages, and every path of the module that a page
// names, leads to something.
func TestPagesNameWhatIsThere(t *testing.T) {
	named := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata"):
			return fs.SkipDir
		case filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		there := func(dir, name string) {
			named++
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Errorf("%s names %s, which is not there", path, name)
			}
		}
		for _, m := range linked.FindAllStringSubmatch(string(text), -1) {
			there(filepath.Dir(path), m[1])
		}
		for _, m := range modulePath.FindAllStringSubmatch(string(text), -1) {
			there(root, m[1])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if named < 100 {
		t.Errorf("only %d links and paths were found", named)
	}
}
