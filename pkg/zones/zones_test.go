package zones

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the database of the Go in use")

// database are the zones of Go's distribution, by name.
func database(t *testing.T) map[string]string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.OpenReader(
		filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	zones := map[string]string{}
	for _, f := range archive.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		zones[f.Name] = string(data)
	}
	return zones
}

// pack is the text that is compressed.
func pack(zones map[string]string) string {
	names := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(zones)) {
		names[zones[name]] = append(names[zones[name]], name)
	}
	var lines []string
	for data, of := range names {
		lines = append(lines, fmt.Sprintf("%s %d\n%s", strings.Join(of, " "), len(data), data))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// TestTheDatabaseIsGos: what is inside is the database of the Go in use, whole. After another Go is
// used, go test ./pkg/zones -update writes it.
func TestTheDatabaseIsGos(t *testing.T) {
	want := pack(database(t))
	if *update {
		var file bytes.Buffer
		w, err := flate.NewWriter(&file, flate.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(w, want)
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("zones.flate", file.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		packed = file.String()
	}
	got, err := io.ReadAll(flate.NewReader(strings.NewReader(packed)))
	if err != nil || string(got) != want {
		t.Errorf("it is another one (%d bytes, want %d; %v): go test ./pkg/zones -update",
			len(got), len(want), err)
	}
}

// TestEveryZone finds each zone by each of its names, and nothing else.
func TestEveryZone(t *testing.T) {
	zones := database(t)
	if len(zones) < 500 {
		t.Fatalf("there are only %d zones", len(zones))
	}
	for _, name := range slices.Sorted(maps.Keys(zones)) {
		if data, err := inside(name); err != nil || string(data) != zones[name] {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
	}
	for _, name := range []string{
		"Nowhere/City", "america/new_york", "America", "America/New_York 1",
	} {
		if _, err := inside(name); !errors.Is(err, errNoZone) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestLoad: a machine without a database has all zones; what no zone is called is an error there
// too.
func TestLoad(t *testing.T) {
	for _, name := range []string{"UTC", "Asia/Tokyo", "America/New_York"} {
		if zone, err := Load(name); err != nil || zone.String() != name {
			t.Errorf("%s: %v, %v", name, zone, err)
		}
	}
	for _, name := range []string{"Nowhere/City", "../etc/passwd", `a\b`} {
		if zone, err := Load(name); err == nil {
			t.Errorf("%s: %v", name, zone)
		}
	}
}
