package steps

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/fatih/color"
	"golang.org/x/term"

	"aws-provider-executor/pkg/printable"
)

// A line is at least and at most so wide.
const leastColumns, mostColumns = 80, 100

var (
	bold  = color.New(color.Bold).SprintFunc()
	faint = color.New(color.Faint).SprintFunc()
	green = color.New(color.FgGreen).SprintFunc()
	red   = color.New(color.FgRed).SprintFunc()
	blue  = color.New(color.FgCyan).SprintFunc()
)

// painter paints a text.
type painter = func(...any) string

// terminalColumns is how wide lines are: as wide as the terminal, within bounds.
func terminalColumns(out io.Writer) int {
	if f, ok := out.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil {
			return min(max(columns, leastColumns), mostColumns)
		}
	}
	return mostColumns
}

// line shows a text behind its mark, in as many lines as it needs.
func (s *Stage) line(paintMark painter, mark, text string, paintText painter) {
	if paintMark == nil {
		paintMark = fmt.Sprint
	}
	if paintText == nil {
		paintText = fmt.Sprint
	}
	if mark != "" {
		mark += " "
	}
	text = printable.Text(text)
	s.show(func() {
		for i, part := range wrap(text, s.room(mark)) {
			if i == 1 {
				mark = strings.Repeat(" ", utf8.RuneCountInString(mark))
			}
			fmt.Fprintf(s.out, "  %s%s\n", paintMark(mark), paintText(part))
		}
	})
}

// room is how many columns a mark leaves to the text behind it.
func (s *Stage) room(mark string) int {
	return s.columns - len("  ") - utf8.RuneCountInString(mark)
}

// wrap returns the lines of a text, none wider than columns unless a word is.
func wrap(text string, columns int) []string {
	rest := []rune(strings.TrimRight(text, " "))
	var lines []string
	for len(rest) > columns {
		end := columns
		for end > 0 && rest[end] != ' ' {
			end--
		}
		if end == 0 {
			for end = columns; end < len(rest) && rest[end] != ' '; end++ {
			}
		}
		lines = append(lines, strings.TrimRight(string(rest[:end]), " "))
		rest = []rune(strings.TrimLeft(string(rest[end:]), " "))
	}
	if len(rest) > 0 || lines == nil {
		lines = append(lines, string(rest))
	}
	return lines
}

// indented returns a text below what it belongs to. A table that a program wrote for programs, by
// tabs, gets columns.
func indented(text string) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		for i := range cells {
			cells[i] = printable.Text(cells[i])
		}
		if line = strings.Join(cells, "\t"); line != "" {
			line = "      " + line
		}
		fmt.Fprintln(w, line)
	}
	_ = w.Flush()
	return b.String()
}

// differs is what differs from run to run: times and digests.
var differs = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(Z| UTC)?` +
	`|(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d\d:\d\d(-\d\d:\d\d)?( UTC)?` +
	`|\b[0-9a-f]{64}\b`)

// steady returns a line of a program in one column, without what differs from run to run.
func steady(line string) string {
	line = printable.Text(strings.Join(strings.Fields(line), " "))
	return differs.ReplaceAllString(line, "…")
}

// excerpt returns what is shown of a line that has the text wanted, and reports whether it has it.
// A … at an end of the text wanted leaves out what the line has beyond that end.
func excerpt(line, want string) (string, bool) {
	text, noMore := strings.CutSuffix(want, "…")
	text, noLess := strings.CutPrefix(text, "…")
	at := strings.Index(line, text)
	if at < 0 {
		return "", false
	}
	if end := at + len(text); noMore && end < len(line) {
		line = line[:end] + "…"
	}
	if noLess && at > 0 {
		line = "…" + line[at:]
	}
	return line, true
}
