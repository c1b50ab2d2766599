package cli

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// ellipsis marks a cell of which not all is shown.
const ellipsis = "…"

// gap is what stands between two columns.
const gap = "  "

// column is one of a table.
type column struct {
	name string
	// wide columns are shown where they are asked for, and to programs.
	wide bool
	// whole columns are never cut: what is copied from them must be right.
	whole bool
	// spare columns are left out where a terminal is too narrow, those with the greatest number
	// first; 0 is never.
	spare int
}

// legible is how much of a cell is shown at least, unless the terminal is too narrow for all.
const legible = 14

// tabulate writes lines of cells in columns; the one called STATUS or VERDICT is coloured.
func (a *app) tabulate(w io.Writer, header []string, lines [][]string) {
	columns := make([]column, len(header))
	for i, name := range header {
		columns[i] = column{name: name, whole: i == 0 || isState(name)}
	}
	a.tabulateColumns(w, columns, lines)
}

// isState reports whether a column tells how something stands, in one of a few words.
func isState(name string) bool { return name == "STATUS" || name == "VERDICT" }

// tabulateColumns writes a table. On a terminal it has the essential columns, or all with -o wide,
// and fits: the longest cells are cut. Elsewhere it has all columns, separated by tabs, and
// nothing is cut or padded.
func (a *app) tabulateColumns(w io.Writer, columns []column, lines [][]string) {
	a.tabulateAs(w, a.width(w), columns, lines)
}

// tabulateAs writes a table for a terminal of a width; 0 is none.
func (a *app) tabulateAs(w io.Writer, width int, columns []column, lines [][]string) {
	if width > 0 && !a.wide {
		columns, lines = without(columns, lines, func(c column) bool { return c.wide })
		columns, lines = spared(columns, lines, width)
	}
	cells := make([][]string, 0, len(lines)+1)
	for i, line := range append([][]string{columnNames(columns)}, lines...) {
		shown := make([]string, len(line))
		for k, c := range line {
			if shown[k] = printable(c); i > 0 && shown[k] == "" {
				shown[k] = "-"
			}
		}
		cells = append(cells, shown)
	}
	if width == 0 {
		for _, line := range cells {
			fmt.Fprintln(w, strings.Join(line, "\t"))
		}
		return
	}
	fmt.Fprintln(w, a.fitted(columns, cells, width))
}

// tabulateMore writes lines that came later; the header stands above the first.
func (a *app) tabulateMore(columns []column, lines [][]string, first bool) {
	var shown bytes.Buffer
	a.tabulateAs(&shown, a.width(a.stdout), columns, lines)
	text := shown.Bytes()
	if !first {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	_, _ = a.stdout.Write(text)
}

// fitted is a table that is no wider than the terminal, unless what may not be cut is.
func (a *app) fitted(columns []column, cells [][]string, width int) string {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", gap
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	limits := fit(columns, cells, width)
	for i, line := range cells {
		row := make(table.Row, len(line))
		for k, c := range line {
			c = text.Snip(c, limits[k], ellipsis)
			if i > 0 && isState(columns[k].name) {
				c = a.paint(c)
			}
			row[k] = c
		}
		t.AppendRow(row)
	}
	return t.Render()
}

// fit shares the width of a terminal out: a column gets what it needs, or as much as the other
// long ones.
func fit(columns []column, cells [][]string, width int) []int {
	needs := widths(columns, cells)
	left := width - len(gap)*(len(columns)-1)
	var flexible []int
	for k, c := range columns {
		if c.whole {
			left -= needs[k]
		} else {
			flexible = append(flexible, k)
		}
	}
	slices.SortFunc(flexible, func(x, y int) int { return needs[x] - needs[y] })
	for i, k := range flexible {
		share := max(left/(len(flexible)-i), text.StringWidthWithoutEscSequences(columns[k].name), 1)
		needs[k] = min(needs[k], share)
		left -= needs[k]
	}
	return needs
}

func columnNames(columns []column) []string {
	all := make([]string, len(columns))
	for i, c := range columns {
		all[i] = c.name
	}
	return all
}

// widths are those of the longest cells.
func widths(columns []column, cells [][]string) []int {
	all := make([]int, len(columns))
	for _, line := range cells {
		for k, c := range line {
			all[k] = max(all[k], text.StringWidthWithoutEscSequences(c))
		}
	}
	return all
}

// without leaves columns out.
func without(
	columns []column, lines [][]string, out func(column) bool,
) ([]column, [][]string) {
	var kept []column
	short := make([][]string, len(lines))
	for k, c := range columns {
		if out(c) {
			continue
		}
		kept = append(kept, c)
		for i, line := range lines {
			short[i] = append(short[i], line[k])
		}
	}
	return kept, short
}

// spared leaves out what can be spared, until what is left can be read.
func spared(columns []column, lines [][]string, width int) ([]column, [][]string) {
	for {
		least, most := len(gap)*(len(columns)-1), 0
		for k, w := range widths(columns, append([][]string{columnNames(columns)}, lines...)) {
			if !columns[k].whole {
				w = min(w, legible)
			}
			least += w
			most = max(most, columns[k].spare)
		}
		if least <= width || most == 0 {
			return columns, lines
		}
		columns, lines = without(columns, lines, func(c column) bool { return c.spare == most })
	}
}

// width is how many characters a line of a terminal has; 0 where there is no terminal.
func (a *app) width(w io.Writer) int {
	f := terminal(w)
	if f == nil {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 1 {
		return 80
	}
	return width
}

// when is a time of this place, with its zone. It has no blank, so that a column stays one.
func when(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.RFC3339)
}

// hint tells a person at a terminal how to go on. Programs get none.
func (a *app) hint(format string, args ...any) {
	if isTerminal(a.tty) && a.format == "table" {
		fmt.Fprintf(a.stderr, "actionctl: "+format+"\n", args...)
	}
}
