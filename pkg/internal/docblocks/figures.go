package docblocks

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// AtLeast holds a page to what a test counted: the page says "at least N WHAT", and the test did as
// many. So a page never promises more than a run does, and needs no change where a run does more.
func AtLeast(t testing.TB, top, page, what string, did int) {
	t.Helper()
	told, err := Figure(top, page, "at least", what)
	if err != nil {
		t.Fatal(err)
	}
	if did < told {
		t.Errorf("%s says at least %d %s, and there were %d", page, told, what, did)
	}
}

// Exactly holds a page to a count that every run comes to: the page says "exactly N WHAT".
func Exactly(t testing.TB, top, page, what string, did int) {
	t.Helper()
	told, err := Figure(top, page, "exactly", what)
	if err != nil {
		t.Fatal(err)
	}
	if did != told {
		t.Errorf("%s says exactly %d %s, and there were %d", page, told, what, did)
	}
}

// Figure is the number of a page between two phrases. The page has to have it once.
func Figure(top, page, before, what string) (int, error) {
	text, err := os.ReadFile(filepath.Join(top, page))
	if err != nil {
		return 0, err
	}
	words := strings.Join(strings.Fields(string(text)), " ")
	number := regexp.MustCompile(before + ` ([0-9,]+) ` + regexp.QuoteMeta(what) + `(?:[,;:.]| \|)`)
	found := number.FindAllStringSubmatch(words, -1)
	if len(found) != 1 {
		return 0, fmt.Errorf("%s says %d times %q", page, len(found), before+" N "+what)
	}
	return strconv.Atoi(strings.ReplaceAll(found[0][1], ",", ""))
}
