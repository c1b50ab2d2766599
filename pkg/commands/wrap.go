package commands

import (
	"strings"
	"unicode/utf8"
)

// Width is how many columns a help has at most, and Height how many lines it is to have.
const (
	Width  = 80
	Height = 50
)

// Wrap fills the paragraphs of a text anew, to at most so many columns. A line that is indented
// begins a paragraph of its own, as a row of a table does; lines that are indented further go on
// with it, and what follows its first line is indented as they are.
func Wrap(text string, width int) string {
	var filled []string
	var p paragraph
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		if !p.goesOnWith(line) {
			filled = append(filled, p.lines(width)...)
			p = paragraph{}
			if strings.TrimSpace(line) == "" {
				filled = append(filled, "")
				continue
			}
		}
		p.add(line)
	}
	return strings.Join(append(filled, p.lines(width)...), "\n")
}

// paragraph is some words, the first with what stands before it.
type paragraph struct {
	text string
	// first is how far its first line is indented, and hang how far the others are.
	first, hang int
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// goesOnWith reports whether a line belongs to the paragraph.
func (p *paragraph) goesOnWith(line string) bool {
	if p.text == "" || strings.TrimSpace(line) == "" {
		return false
	}
	if p.first == 0 {
		return indent(line) == 0
	}
	return indent(line) > p.first
}

func (p *paragraph) add(line string) {
	if p.text != "" {
		p.text += " " + strings.TrimSpace(line)
		return
	}
	p.text, p.first = strings.TrimRight(line, " "), indent(line)
	p.hang = p.first
	// The second column of a row begins behind two blanks.
	row := p.text[p.first:]
	if i := strings.Index(row, "  "); i >= 0 && p.first > 0 {
		p.hang = p.first + i + indent(row[i:])
	}
}

func (p *paragraph) lines(width int) []string {
	if p.text == "" {
		return nil
	}
	return p.fill(max(p.first, p.hang), width)
}

// fill leaves what stands before a column as it is, and fills lines with what follows.
func (p *paragraph) fill(from, width int) []string {
	letters := []rune(p.text)
	line, empty := string(letters[:from]), true
	var lines []string
	for word := range strings.FieldsSeq(string(letters[from:])) {
		switch {
		case empty:
			line += word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines = append(lines, line)
			line = strings.Repeat(" ", p.hang) + word
		default:
			line += " " + word
		}
		empty = false
	}
	return append(lines, line)
}

// Table lays out names and what each means in two columns, in as few lines as there can be. A name
// that is wider than its column has a line of its own.
func Table(rows []Term) string {
	widest := 0
	for _, r := range rows {
		widest = max(widest, utf8.RuneCountInString(r.Name))
	}
	var best []string
	for column := widest; column >= min(widest, narrowest); column-- {
		if lines := table(rows, column); best == nil || len(lines) < len(best) {
			best = lines
		}
	}
	return strings.Join(best, "\n")
}

// narrowest is the least width of the first column that has names with a line of their own.
const narrowest = 16

func table(rows []Term, column int) []string {
	var lines []string
	for _, r := range rows {
		first, left := r.Name, column-utf8.RuneCountInString(r.Name)
		if left < 0 {
			lines, first, left = append(lines, r.Name), "", column
		}
		p := paragraph{text: first + strings.Repeat(" ", left+gap) + r.Meaning, hang: column + gap}
		lines = append(lines, p.fill(p.hang, Width)...)
	}
	return lines
}

// gap is between the columns of a table.
const gap = 2

// indented has names begin two columns from the left.
func indented(rows []Term) []Term {
	var all []Term
	for _, r := range rows {
		all = append(all, Term{"  " + r.Name, r.Meaning})
	}
	return all
}

// Continued is a command of a shell, of parts that are not divided. It stands in a help two columns
// from the left, and goes on in further lines where it is too long for one.
func Continued(parts []string) string {
	const indent, more = "    ", " \\\n"
	text, column := "", len(indent)/2
	for i, part := range parts {
		n := utf8.RuneCountInString(part)
		switch {
		case i == 0:
		case column+1+n+len(" \\") > Width:
			text, column = text+more+indent, len(indent)
		default:
			text, column = text+" ", column+1
		}
		text, column = text+part, column+n
	}
	return text
}
