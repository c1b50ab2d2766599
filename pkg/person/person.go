// Package person compares people by their names.
//
// One name is one person however it is spelt: in capitals or not, in composed or wide letters, with
// more blanks, or with characters that are not shown. A name which is recorded can be read. Letters
// that only look alike stay different.
package person

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"aws-provider-executor/pkg/printable"
)

// Name is a name as it is recorded: composed, its words a blank apart. The error says what is wrong
// with it.
func Name(given string) (string, error) {
	given = strings.TrimSpace(given)
	switch i := strings.IndexFunc(given, printable.Hidden); {
	case given == "":
		return "", errors.New("nobody is named")
	case !utf8.ValidString(given):
		return "", errors.New("the name is not valid UTF-8")
	case i >= 0:
		r, _ := utf8.DecodeRuneInString(given[i:])
		return "", fmt.Errorf("the name has a character that can't be seen, %U", r)
	case strings.IndexFunc(given, readable) < 0:
		return "", errors.New("the name has no letter and no digit")
	}
	return words(norm.NFC.String(given)), nil
}

// Same reports whether two names are one person's.
func Same(a, b string) bool { return key(a) == key(b) }

// key is what all spellings of a name have in common.
func key(name string) string {
	name = strings.Map(func(r rune) rune {
		if printable.Hidden(r) && !unicode.IsSpace(r) {
			return -1
		}
		return r
	}, name)
	// Folding takes the order of marks apart again. Of Cherokee it makes small letters of capitals and
	// the other way round, which lower case settles.
	name = cases.Fold().String(norm.NFKC.String(name))
	return words(norm.NFKC.String(strings.ToLower(name)))
}

func words(s string) string { return strings.Join(strings.Fields(s), " ") }

func readable(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }
