package render

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aws-provider-executor/actions"
	"aws-provider-executor/actions/applianceverbs"
	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/awsexecutor"

	"github.com/google/go-cmp/cmp"
)

const root = "../../.."

func generator() Generator {
	verbs := actions.Registry()
	return Generator{Registry: verbs, Provider: "aws",
		Inquiries: []action.Inquiry{awsexecutor.Preflight(verbs)},
		Others: []Generator{{
			Registry: applianceverbs.Registry(), Provider: applianceverbs.Provider,
			Package: "actions/applianceverbs",
		}}}
}

func TestGeneratedFilesAreFresh(t *testing.T) {
	var stderr strings.Builder
	if code := generator().Main(root, []string{"-check"}, &stderr); code != 0 {
		t.Errorf("exit code %d:\n%s", code, stderr.String())
	}
}

func TestFilesAreDeterministic(t *testing.T) {
	first, err := generator().Files(root)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		again, err := generator().Files(root)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range first {
			if f.Path != again[i].Path || !bytes.Equal(f.Data, again[i].Data) {
				t.Fatalf("%s is another each time", f.Path)
			}
		}
	}
}

// TestCheckNamesWhatIsStale: missing, changed and left-over files are named and
// mended; -check itself writes nothing.
func TestCheckNamesWhatIsStale(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"schema", "actions", ".github/docs"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, page := range pages {
		writePage(t, dir, page, "By hand.\n\n<!-- generated: facts -->\n<!-- generated until here -->\n")
	}
	run := func(want int, args ...string) string {
		t.Helper()
		var stderr strings.Builder
		if code := generator().Main(dir, args, &stderr); code != want {
			t.Fatalf("%v: exit code %d, want %d: %s", args, code, want, stderr.String())
		}
		return stderr.String()
	}
	if said := run(1, "-check"); !strings.Contains(said, "actions/README.md is stale") ||
		!strings.Contains(said, "schema/request.schema.json is stale") {
		t.Errorf("missing files are not named: %s", said)
	}
	run(0)
	run(0, "-check")
	for name, text := range map[string]string{"schema/result.schema.json": "{}",
		"schema/gone-verb.schema.json": "{}", "schema/other.json": "{}"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := "schema/result.schema.json is stale: go run " +
		"./schema/generate\nschema/gone-verb.schema.json is stale: go run ./schema/generate\n"
	if diff := cmp.Diff(want, run(1, "-check")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	run(0)
	run(0, "-check")
	if _, err := os.Stat(filepath.Join(dir, "schema/gone-verb.schema.json")); err == nil {
		t.Error("what nothing generates is still there")
	}
	run(2, "-chekc")
	run(2, "-check", "x")
}
