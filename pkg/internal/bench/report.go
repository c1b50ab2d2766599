package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// report is all that one run found.
type report struct {
	machine  *machine
	at       time.Time
	sections []section
}

// section is a part of the report.
type section struct {
	name, title string
	// about is a sentence that the rows need.
	about  string
	rows   []row
	curves []curve
	// failed says why there are not all rows.
	failed string
	took   time.Duration
}

// unit is what a figure is measured in.
type unit string

const (
	count unit = ""
	times unit = "×"
	ms    unit = "ms"
	mib   unit = "MiB"
)

// row is one figure. Several values are told as their median and the range of the middle half.
type row struct {
	what   string
	unit   unit
	values []float64
	aim    *aim
	// short is what the README calls it; what has none is not there.
	short string
}

// aim is what a figure is to reach.
type aim struct {
	bound float64
	// least is set for a figure that is to be at least so large.
	least bool
}

func atMost(bound float64) *aim  { return &aim{bound: bound} }
func atLeast(bound float64) *aim { return &aim{bound: bound, least: true} }

func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile is the value below which a part of the values is, between the two that are nearest.
func quantile(values []float64, part float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := part * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// reached is "yes" or "no", and empty for a row without an aim.
func (r row) reached() string {
	switch {
	case r.aim == nil:
		return ""
	case r.aim.least == (median(r.values) >= r.aim.bound) || median(r.values) == r.aim.bound:
		return "yes"
	}
	return "**no**"
}

func (u unit) text(v float64) string {
	switch {
	case u == times && v < 10:
		return fmt.Sprintf("%.2f", v)
	case u == count && v >= 10, v >= 1000:
		return thousands(v)
	case u == count && v == float64(int(v)):
		return fmt.Sprint(int(v))
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

// thousands is a whole number with commas.
func thousands(v float64) string {
	text := fmt.Sprintf("%.0f", v)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func (r row) value() string {
	if len(r.values) == 0 {
		return "–"
	}
	text := r.unit.text(median(r.values))
	if r.unit == ms || r.unit == mib {
		text += " " + string(r.unit)
	}
	return text
}

func (r row) spread() string {
	if len(r.values) < 2 {
		return ""
	}
	low, high := r.unit.text(quantile(r.values, 0.25)), r.unit.text(quantile(r.values, 0.75))
	if low == high {
		return ""
	}
	return low + " to " + high
}

func (r row) want() string {
	if r.aim == nil {
		return ""
	}
	words := "at most "
	if r.aim.least {
		words = "at least "
	}
	return words + r.unit.text(r.aim.bound)
}

// text is the section for a terminal.
func (s section) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s (%s, %.0f s)\n", s.title, s.name, s.took.Seconds())
	if s.about != "" {
		fmt.Fprintln(&b, " ", s.about)
	}
	widest := 0
	for _, r := range s.rows {
		widest = max(widest, len([]rune(r.what)))
	}
	for _, r := range s.rows {
		line := fmt.Sprintf("  %-*s  %12s  %-18s  %-16s  %s", widest, r.what, r.value(), r.spread(),
			r.want(), strings.Trim(r.reached(), "*"))
		fmt.Fprintln(&b, strings.TrimRight(line, " "))
	}
	if s.failed != "" {
		fmt.Fprintln(&b, "  FAILED:", s.failed)
	}
	return b.String()
}

// markdown is the section for a document.
func (s section) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n", s.title)
	if s.about != "" {
		b.WriteString(wrap(s.about) + "\n\n")
	}
	if s.failed != "" {
		b.WriteString("This section failed, so rows are missing.\n\n")
	}
	b.WriteString("| | median | middle half | aim | reached |\n|---|---|---|---|---|\n")
	for _, r := range s.rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.what, r.value(), r.spread(), r.want(),
			r.reached())
	}
	return b.String()
}

// wrap breaks a text into lines of at most 100 columns.
func wrap(text string) string {
	const columns = 100
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > columns {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return strings.Join(append(lines, line), "\n")
}

// Where the report goes, and the lines that it stands between.
const (
	costsFile  = ".github/docs/costs.md"
	plotFile   = ".github/docs/costs.svg"
	readmeFile = "README.md"
	beginning  = "<!-- written by make bench -->"
	end        = "<!-- written until here -->"
)

// write writes the report into the documents of a tree, and the plot beside them.
func (r report) write(root string) error {
	plot, err := r.plot()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, plotFile), plot, 0o644); err != nil {
		return err
	}
	for file, block := range map[string]string{costsFile: r.costs(), readmeFile: r.summary()} {
		path := filepath.Join(root, file)
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		changed, err := between(string(text), block)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// between puts a block where the two lines of a document say.
func between(text, block string) (string, error) {
	before, rest, found := strings.Cut(text, beginning+"\n")
	_, after, ended := strings.Cut(rest, end+"\n")
	if !found || !ended {
		return "", fmt.Errorf("there are no lines %q and %q", beginning, end)
	}
	return before + beginning + "\n\n" + block + "\n" + end + "\n" + after, nil
}

// costs is what the document of costs tells.
func (r report) costs() string {
	var b strings.Builder
	b.WriteString(wrap(fmt.Sprintf("Measured on %s. %s %s", r.at.Format("2 January 2006"),
		r.machine.describe(), r.machine.others())) + "\n\n")
	b.WriteString("![Cost against size: a flat line costs the same](costs.svg)\n")
	for _, s := range r.sections {
		b.WriteString("\n" + s.markdown())
	}
	return b.String()
}

// headlines are the figures of the README, by their short names.
var headlines = []string{
	"execute, HTTPS: CPU beside the floor's",
	"execute, HTTPS: peak",
	"the executor's binary",
	"1,000 approved actions: actions a second",
	"50 addresses of one interface: calls to EC2",
	"an action and its undo, 100,000 records: CPU beside none",
	"an inventory of 10,000 interfaces: calls",
	"nodes, 10,000 instances: calls of a scan",
}

// summary is what the README tells.
func (r report) summary() string {
	var b strings.Builder
	b.WriteString("| | median | aim | reached |\n|---|---|---|---|\n")
	for _, s := range r.sections {
		for _, row := range s.rows {
			if slices.Contains(headlines, row.short) {
				fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", row.short, row.value(), row.want(), row.reached())
			}
		}
	}
	return b.String()
}
