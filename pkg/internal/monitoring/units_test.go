//go:build monitoring

package monitoring

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// program is where the examples' units expect ours.
var program = regexp.MustCompile(`(?m)^(ExecStart=)/usr/(local/)?bin/actionctl\b`)

// TestUnits: systemd itself has nothing against the units of the examples.
func TestUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Fatal("there is no systemd-analyze; make monitoring installs it: ", err)
	}
	dir := t.TempDir()
	var units []string
	err := filepath.WalkDir("../../../examples", func(path string, e fs.DirEntry, err error) error {
		kind := filepath.Ext(path)
		if err != nil || kind != ".service" && kind != ".timer" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		// The program need not be installed where its units are looked at.
		text = program.ReplaceAll(text, []byte("${1}/bin/true"))
		unit := filepath.Join(dir, e.Name())
		units = append(units, unit)
		return os.WriteFile(unit, text, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(units) < 6 {
		t.Fatalf("the examples have %d units: %q", len(units), units)
	}
	verify := func() (string, error) {
		out, err := exec.Command("systemd-analyze",
			append([]string{"verify", "--man=no"}, units...)...).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if out, err := verify(); err != nil || out != "" {
		t.Fatalf("%v\n%s", err, out)
	}
	// It would have noticed.
	f, err := os.OpenFile(units[0], os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString("Bogus=1\n")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if out, _ := verify(); !strings.Contains(out, "Bogus") {
		t.Errorf("it does not notice an unknown key: %q", out)
	}
}
