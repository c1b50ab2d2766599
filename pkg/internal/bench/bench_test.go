package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/nodes/filter"
	"aws-provider-executor/pkg/policy"

	"github.com/go-analyze/charts"
	"github.com/google/go-cmp/cmp"
)

// TestFigures: the median, the range of the middle half, the aim, and whether it is reached.
func TestFigures(t *testing.T) {
	for _, c := range []struct {
		row  row
		want [4]string
	}{
		{row{unit: times, values: []float64{1.5}, aim: atMost(1.5)},
			[4]string{"1.50", "", "at most 1.50", "yes"}},
		{row{unit: times, values: []float64{9, 1, 2, 3, 4}, aim: atMost(2.9)},
			[4]string{"3.00", "2.00 to 4.00", "at most 2.90", "**no**"}},
		{row{unit: times, values: []float64{41.26}, aim: atLeast(40)},
			[4]string{"41.3", "", "at least 40.0", "yes"}},
		{row{unit: count, values: []float64{399}, aim: atLeast(400)},
			[4]string{"399", "", "at least 400", "**no**"}},
		{row{unit: count, values: []float64{400, 400}, aim: atLeast(400)},
			[4]string{"400", "", "at least 400", "yes"}},
		{row{unit: count, values: []float64{1234567}}, [4]string{"1,234,567", "", "", ""}},
		{row{unit: ms, values: []float64{8000, 9000}, aim: atMost(8000)},
			[4]string{"8,500 ms", "8,250 to 8,750", "at most 8,000", "**no**"}},
		{row{unit: mib, values: []float64{13.44}, aim: atMost(15)},
			[4]string{"13.4 MiB", "", "at most 15.0", "yes"}},
		{row{unit: mib}, [4]string{"–", "", "", ""}},
	} {
		got := [4]string{c.row.value(), c.row.spread(), c.row.want(), c.row.reached()}
		if got != c.want {
			t.Errorf("%v is %q, want %q", c.row.values, got, c.want)
		}
	}
}

// TestASectionThatFailsIsTold, and what it had found stays. So it is with one that panics.
func TestASectionThatFailsIsTold(t *testing.T) {
	var out bytes.Buffer
	b := &bench{dir: t.TempDir(), out: &out}
	found := section{rows: []row{{what: "found before", values: []float64{7}}}}
	failing := b.section(t.Context(), "a", "A", func(*bench, context.Context) (section, error) {
		return found, errors.New("no luck")
	})
	if failing.failed != "no luck" || failing.name != "a" || failing.title != "A" ||
		!strings.Contains(failing.text(), "found before") ||
		!strings.Contains(failing.text(), "FAILED: no luck") ||
		!strings.Contains(failing.markdown(), "This section failed") {
		t.Errorf("%+v: %s", failing, failing.text())
	}
	panicking := b.section(t.Context(), "b", "B", func(*bench, context.Context) (section, error) {
		panic("out of luck")
	})
	if panicking.failed != "out of luck" || panicking.name != "b" {
		t.Errorf("%+v", panicking)
	}
	if left, err := os.ReadDir(b.dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// some is a report with a row for each document, and a curve.
func some() report {
	return report{
		machine: &machine{cores: 2, load: 0.1, sync: []float64{1.5}},
		at:      time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC),
		sections: []section{{
			name: "a", title: "One action", about: "What it is about.",
			rows: []row{
				{"CPU", times, []float64{1.4, 1.2, 1.3}, atMost(1.5), headlines[0]},
				{"calls", count, []float64{3}, nil, ""},
			},
			curves: []curve{{"by <size>", map[int]float64{0: 10, 1000: 11, 100_000: 30}},
				{"another", map[int]float64{1000: 5, 10_000: 5}}, {"one point", map[int]float64{7: 1}}},
		}},
	}
}

// TestTheReportIsWritten between the two lines of each document, with the plot beside; and once
// more it is the same.
func TestTheReportIsWritten(t *testing.T) {
	root := t.TempDir()
	files := []string{costsFile, readmeFile}
	for _, name := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		text := "before\n" + beginning + "\nold\n" + end + "\nafter\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{
		costsFile: "before\n" + beginning + "\n\n" +
			"Measured on 29 November 2026. The machine has 2 cores, and a synced write of 4 KiB takes " +
			"1.50 ms on\nits disk. Its load average was 0.10 at the start. Of the processor time, 0 % " +
			"was used by others.\n\n" +
			"![Cost against size: a flat line costs the same](costs.svg)\n\n" +
			"### One action\n\nWhat it is about.\n\n" +
			"| | median | middle half | aim | reached |\n|---|---|---|---|---|\n" +
			"| CPU | 1.30 | 1.25 to 1.35 | at most 1.50 | yes |\n| calls | 3 |  |  |  |\n\n" +
			end + "\nafter\n",
		readmeFile: "before\n" + beginning + "\n\n" +
			"| | median | aim | reached |\n|---|---|---|---|\n" +
			"| " + headlines[0] + " | 1.30 | at most 1.50 | yes |\n\n" + end + "\nafter\n",
	}
	for range 2 {
		if err := some().write(root); err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			got, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want[name], string(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(root, plotFile)); err != nil {
		t.Error(err)
	}
}

// TestTheDocumentsHaveAPlace for the report: it would be found out after ten minutes.
func TestTheDocumentsHaveAPlace(t *testing.T) {
	for _, name := range []string{costsFile, readmeFile} {
		text, err := os.ReadFile(filepath.Join("../../..", name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := between(string(text), ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, figure := range headlines {
			if name == readmeFile && !strings.Contains(string(text), "\n| "+figure+" |") {
				t.Errorf("%s does not have the figure %q", name, figure)
			}
		}
	}
	if _, err := between("no place", "block"); err == nil {
		t.Error("a document without a place is taken")
	}
}

// TestThePlot is SVG with the names of its curves, and the same each time.
func TestThePlot(t *testing.T) {
	plot, err := some().plot()
	if err != nil {
		t.Fatal(err)
	}
	again, err := some().plot()
	if err != nil || !bytes.Equal(plot, again) {
		t.Errorf("another one, %v", err)
	}
	var texts []string
	d := xml.NewDecoder(bytes.NewReader(plot))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("it is no XML: %v", err)
		}
		if text, ok := token.(xml.CharData); ok {
			texts = append(texts, string(text))
		}
	}
	all := strings.Join(texts, "\n")
	for _, want := range []string{"by <size>", "another", "0", "1,000", "10,000", "100,000"} {
		if !strings.Contains("\n"+all+"\n", "\n"+want+"\n") {
			t.Errorf("it does not say %q", want)
		}
	}
	if strings.Contains(all, "one point") {
		t.Error("a single point is a curve")
	}
}

// TestCurvesAreRelative to their smallest size. Between what was measured they go straight on, and
// outside there is nothing.
func TestCurvesAreRelative(t *testing.T) {
	none := charts.GetNullValue()
	c := curve{costs: map[int]float64{10: 4, 1000: 8}}
	got := c.relative([]int{1, 10, 100, 1000, 10_000})
	if diff := cmp.Diff([]float64{none, 1, 1.5, 2, none}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWhatIsAskedFor: a part is measured, and never written.
func TestWhatIsAskedFor(t *testing.T) {
	for args, want := range map[string]string{
		"-only serve,clouds": `no section "clouds", but executor, serve,`,
		"-only serve -write": "-write needs a whole run",
		"-tiny -write":       "-write needs a whole run",
		"everything":         `"everything" is no flag`,
		"-sections":          "not defined",
	} {
		err := run(t.Context(), strings.Fields(args), io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", args, err, want)
		}
	}
	t.Setenv("BENCH_LARGE", "1")
	if o, err := parse(nil); err != nil || !o.large {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestABusyMachineIsNotWrittenOf, unless it is to be.
func TestABusyMachineIsNotWrittenOf(t *testing.T) {
	r := some()
	r.machine.part = tooBusy + 0.01
	if err := (options{write: true, root: "/nowhere"}).keep(r); err == nil ||
		!strings.Contains(err.Error(), "others used this machine") {
		t.Error(err)
	}
	if err := (options{write: true, busy: true, root: "/nowhere"}).keep(r); !errors.Is(err,
		os.ErrNotExist) {
		t.Error(err)
	}
	if err := (options{}).keep(r); err != nil {
		t.Error(err)
	}
}

// TestWhatIsMeasuredCanBeRead: the policies are policies, the filters filters.
func TestWhatIsMeasuredCanBeRead(t *testing.T) {
	for _, n := range normal.networks {
		p, err := policy.Parse([]byte(policyOf(n)))
		if err != nil || len(p.CIDRs) != n {
			t.Errorf("%d networks: %v", n, err)
		}
	}
	for _, text := range keptFilters {
		if _, err := filter.Parse([]string{text}, filter.Options{}); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestWhatAnInventoryMaySay: all of it, or how to narrow it.
func TestWhatAnInventoryMaySay(t *testing.T) {
	for said, right := range map[string]bool{
		`{"status":{"status":"succeeded","ips":[{},{}]}}`: true,
		`{"status":{"status":"succeeded","ips":[{}]}}`:    false,
		`{"status":{"status":"failed","error":"limit-exceeded: the result, of 2 addresses and 0 ` +
			`routes, has more; narrow it with prefix"}}`: true,
		`{"status":{"status":"failed","error":"throttled"}}`: false,
		`{"status":{"status":"failed","ips":[{},{}]}}`:       false,
		`none`: false,
	} {
		if err := checkObserved([]byte(said), 2); (err == nil) != right {
			t.Errorf("%s: %v", said, err)
		}
	}
}
