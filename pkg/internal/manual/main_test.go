package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPagesDoNotNameThemselves: a help says that the manual has more; the page has it below.
func TestPagesDoNotNameThemselves(t *testing.T) {
	bin, out := t.TempDir(), t.TempDir()
	for _, p := range programs() {
		help := "Environment; man " + p.name + " has all of it:\n  A  b\n" +
			"Options; man " + p.name + " tells more:\n  -c  d\n"
		script := "#!/bin/sh\ncat <<'END'\n" + help + "END\n"
		if err := os.WriteFile(filepath.Join(bin, p.name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := (manual{out: out}).write(bin); err != nil {
		t.Fatal(err)
	}
	for _, p := range programs() {
		page, err := os.ReadFile(filepath.Join(out, p.name+"."+p.section))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"\nEnvironment, in full below:\n", "\nOptions, in full below:\n"} {
			if !strings.Contains(string(page), want) {
				t.Errorf("the page of %s does not have %q:\n%s", p.name, want, page)
			}
		}
	}
	other := []byte("#!/bin/sh\necho 'Verbs; man '$(basename $0)' knows them:'\n")
	if err := os.WriteFile(filepath.Join(bin, programs()[0].name), other, 0o755); err != nil {
		t.Fatal(err)
	}
	err := manual{out: out}.write(bin)
	if err == nil || !strings.Contains(err.Error(), "sends to itself") {
		t.Errorf("a page that sends to itself is written: %v", err)
	}
}
