//go:build monitoring

package monitoring

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// program is where the examples' units expect ours.
var program = regexp.MustCompile(`(?m)^(ExecStart=)/usr/bin/[a-z-]+\b`)

// TestUnits: systemd itself has nothing against the units of the examples.
func TestUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Fatal("there is no systemd-analyze; make monitoring installs it: ", err)
	}
	units := exampleUnits(t)
	verify := func() (string, error) {
		out, err := exec.Command("systemd-analyze",
			append([]string{"verify", "--man=no"}, units...)...).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if out, err := verify(); err != nil || out != "" {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, unit := range units {
		if filepath.Ext(unit) == ".service" {
			checkExposure(t, unit)
		}
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

// exampleUnits are copies of the examples' units. The programs need not be installed where those
// are looked at.
func exampleUnits(t *testing.T) []string {
	t.Helper()
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
	return units
}

// mostExposed is what systemd may say at most of a unit's exposure, of 10.
const mostExposed = 2.5

// checkExposure holds a unit to what systemd says of how much of the machine it can reach.
func checkExposure(t *testing.T, unit string) {
	t.Helper()
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager",
		unit).CombinedOutput()
	_, said, found := strings.Cut(string(out), "Overall exposure level for "+filepath.Base(unit)+": ")
	number, _, _ := strings.Cut(said, " ")
	level, unread := strconv.ParseFloat(number, 64)
	switch {
	case err != nil || !found || unread != nil:
		t.Errorf("%s: %v\n%s", filepath.Base(unit), err, out)
	case level > mostExposed:
		t.Errorf("%s: an exposure of %g, at most %g may be\n%s", filepath.Base(unit), level,
			mostExposed, out)
	}
}
