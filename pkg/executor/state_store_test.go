package executor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/ledger"
	"aws-provider-executor/pkg/preflight"
)

func TestCheckStateStore(t *testing.T) {
	dir := t.TempDir()
	torn := filepath.Join(dir, "torn")
	if err := os.MkdirAll(filepath.Join(torn, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, dir string
		want      preflight.Verdict
		seen      string
	}{
		{"none", "none", preflight.Warn, "keeps no prior facts"},
		{"there", dir, preflight.Pass, "can be written"},
		{"not there yet", filepath.Join(dir, "a", "b"), preflight.Pass, "the first execution makes it"},
		{"a file", file, preflight.Fail, "no"},
		{"below a file", filepath.Join(file, "state"), preflight.Fail, "no"},
		{"not absolute", "state", preflight.Fail, "want an absolute path"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := CheckStateStore(t.Context(), map[string]string{"EXECUTOR_STATE_DIR": tt.dir})
			if c.Name != "ledger" || c.Verdict != tt.want || !strings.Contains(c.Seen, tt.seen) {
				t.Errorf("it is %+v", c)
			}
			if c.Facts["directory"] != tt.dir {
				t.Errorf("the facts are %v", c.Facts)
			}
			if (c.Advice == "") != (c.Verdict == preflight.Pass) {
				t.Errorf("the advice is %q", c.Advice)
			}
		})
	}
	for _, name := range []string{"a", ".tmp-x"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was left behind", name)
		}
	}
}

// A store of an older program is told: the older one refuses it once it was brought to the present
// form.
func TestCheckStateStoreTellsAMigration(t *testing.T) {
	dir := t.TempDir()
	const old = "../ledger/testdata/form1"
	if err := os.CopyFS(filepath.Join(dir, "records"), os.DirFS(old+"/records")); err != nil {
		t.Fatal(err)
	}
	c := checkStateStore(t.Context(), dir, ledger.OSDisk{})
	if c.Verdict != preflight.Warn || !strings.Contains(c.Seen, "records of an older program") {
		t.Errorf("a store of an older program is %+v", c)
	}
	l, err := ledger.Open(t.Context(), dir, ledger.OSDisk{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if c := checkStateStore(t.Context(), dir, ledger.OSDisk{}); c.Verdict != preflight.Warn {
		t.Errorf("a store with records of an older program is %+v", c)
	}
	// They are few, so one sweep migrates all.
	for range 2 {
		l.Sweep(t.Context())
	}
	if c := checkStateStore(t.Context(), dir, ledger.OSDisk{}); c.Verdict != preflight.Pass {
		t.Errorf("a store of the present form is %+v", c)
	}
}

// Records in another directory of a unit are told, since no execution finds them. Nothing else
// there is, and what can't be read is not known.
func TestCheckStateStoreLooksElsewhere(t *testing.T) {
	const record = "0123456789abcdef0123456789abcdef.json"
	for _, tt := range []struct {
		name string
		// files are below the directory of the unit.
		files []string
		// named is EXECUTOR_STATE_DIR, below that directory.
		named string
		want  preflight.Verdict
		seen  string
	}{
		{"no other ledger", []string{"actionctl/journal.db"}, "", preflight.Pass, "is not there yet"},
		{"an empty one", []string{"actionctl/keys/.tmp-x", "actionctl/lock",
			"actionctl/records/this-ledger-has-form-3-and-needs-a-newer-program"}, "",
			preflight.Pass, ""},
		{"records", []string{"actionctl/keys/" + record}, "", preflight.Warn,
			"actionctl holds records of another ledger"},
		{"records of form 1", []string{"actionctl/records/" + record}, "", preflight.Warn,
			"actionctl holds records of another ledger"},
		{"a variable that names another", []string{"actionctl/keys/" + record}, "elsewhere",
			preflight.Warn, "actionctl holds records"},
		{"what can't be read", []string{"actionctl/keys"}, "", preflight.Unknown, "can't be read"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range tt.files {
				file := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			env := map[string]string{"STATE_DIRECTORY": filepath.Join(dir, "actionctl") + ":" +
				filepath.Join(dir, "aws-provider-executor")}
			if tt.named != "" {
				env["EXECUTOR_STATE_DIR"] = dir + "/" + tt.named
			}
			c := CheckStateStore(t.Context(), env)
			if c.Verdict != tt.want || !strings.Contains(c.Seen, tt.seen) ||
				(c.Advice == "") != (c.Verdict == preflight.Pass) {
				t.Errorf("it is %+v", c)
			}
		})
	}
}
