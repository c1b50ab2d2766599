// Package printable makes texts from outside fit to be shown: plans, answers of executors, names of
// fields, arguments.
//
// It guarantees that no character leaves it that a reader cannot see, or that a terminal obeys: no
// control characters, no changes of direction, nothing of zero width. A document keeps its meaning:
// in JSON and YAML such a character is written as an escape.
package printable

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// substitute stands in a text for a character that is not shown.
const substitute = '·'

// blank are assigned characters that show nothing, without a property that says so: the Braille
// blank, the blanks of Egyptian, the null notehead of music and the filler of Khitan.
var blank = []rune{'\u2800', '\U00013441', '\U00013442', '\U0001d159', '\U00016fe4'}

// Hidden reports whether a character is not shown: it controls or formats, is not assigned, or is
// assigned and blank. A space is not hidden.
func Hidden(r rune) bool {
	if r >= ' ' && r < 0x7f {
		return false
	}
	return slices.Contains(blank, r) || !unicode.IsGraphic(r) ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Text returns one line with a dot for each hidden character.
func Text(s string) string {
	if strings.IndexFunc(s, Hidden) < 0 && utf8.ValidString(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if Hidden(r) {
			return substitute
		}
		return r
	}, s)
}

// Lines is Text for several lines.
func Lines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = Text(line)
	}
	return strings.Join(lines, "\n")
}

// JSON returns the same JSON document, with an escape for each hidden character. Such characters
// stand only inside of strings, but for the white space between tokens, which stays.
func JSON(document []byte) []byte {
	return escape(document, func(b *bytes.Buffer, r rune) {
		if high, low := surrogates(r); low != 0 {
			fmt.Fprintf(b, `\u%04x\u%04x`, high, low)
			return
		}
		fmt.Fprintf(b, `\u%04x`, r)
	})
}

// YAML does the same for a YAML document whose texts with hidden characters are all in double
// quotes.
func YAML(document []byte) []byte {
	return escape(document, func(b *bytes.Buffer, r rune) {
		if r > 0xffff {
			fmt.Fprintf(b, `\U%08x`, r)
			return
		}
		fmt.Fprintf(b, `\u%04x`, r)
	})
}

func escape(document []byte, write func(*bytes.Buffer, rune)) []byte {
	hidden := func(r rune) bool { return r != '\n' && r != '\t' && r != '\r' && Hidden(r) }
	if isShownASCII(document) || bytes.IndexFunc(document, hidden) < 0 {
		return document
	}
	var b bytes.Buffer
	for len(document) > 0 {
		r, size := utf8.DecodeRune(document)
		if hidden(r) {
			write(&b, r)
		} else {
			b.Write(document[:size])
		}
		document = document[size:]
	}
	return b.Bytes()
}

// isShownASCII reports whether all of a document is ASCII that is shown, as most are.
func isShownASCII(document []byte) bool {
	for _, c := range document {
		if c >= 0x7f || c < ' ' && c != '\n' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}

// surrogates are the two halves by which JSON writes a character beyond the first 65,536; 0 for one
// that has none.
func surrogates(r rune) (high, low rune) {
	const first, highBase, lowBase = 0x10000, 0xd800, 0xdc00
	if r < first {
		return 0, 0
	}
	r -= first
	return highBase + r>>10, lowBase + r&0x3ff
}

// Writer returns a writer that passes lines on as Lines makes them. Each Write must hold whole
// characters.
func Writer(to io.Writer) io.Writer { return writer{to} }

type writer struct{ to io.Writer }

func (w writer) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.to, Lines(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
