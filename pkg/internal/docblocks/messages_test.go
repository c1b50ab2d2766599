package docblocks

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/protocol"
)

const troubleshooting = ".github/docs/troubleshooting.md"

// section is a table of the page on trouble: its heading, and the first cell of each row.
type section struct {
	heading string
	quoted  []string
}

// headers begin the rows of the page's tables that quote nothing.
var headers = []string{"| what is said |", "| verdict or reason |", "| `failureClass` |", "|---|"}

// sections are the tables of the page.
func sections(t *testing.T) []section {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, troubleshooting))
	if err != nil {
		t.Fatal(err)
	}
	var all []section
	for line := range strings.Lines(string(text)) {
		if heading, is := strings.CutPrefix(line, "## "); is {
			all = append(all, section{heading: strings.TrimSpace(heading)})
		}
		cell, is := strings.CutPrefix(line, "| `")
		quoted, _, ends := strings.Cut(cell, "` |")
		if is && ends && quoted != "failureClass" {
			last := &all[len(all)-1]
			last.quoted = append(last.quoted, quoted)
		} else if strings.HasPrefix(line, "|") && !slices.ContainsFunc(headers, func(h string) bool {
			return strings.HasPrefix(line, h)
		}) {
			t.Errorf("no message is found in the row %s", line)
		}
	}
	return all
}

// TestEveryClassHasItsAdvice: the page has all failure classes, in the contract's order, and all
// verdicts of scans.
func TestEveryClassHasItsAdvice(t *testing.T) {
	all := sections(t)
	var classes []string
	for _, c := range protocol.FailureClasses() {
		classes = append(classes, string(c.Class))
	}
	if got := all[0].quoted; !slices.Equal(got, classes) {
		t.Errorf("the page has the classes\n%q, want\n%q", got, classes)
	}
	last := all[len(all)-1].quoted
	for _, v := range nodes.Verdicts() {
		if !slices.Contains(last, string(v)) {
			t.Errorf("the page does not have the verdict %s", v)
		}
	}
}

// TestEveryMessageIsSaid: each message that the page quotes is in a text of the programs, and is
// found where the alphabet has it.
func TestEveryMessageIsSaid(t *testing.T) {
	texts := programTexts(t)
	messages := 0
	for _, s := range sections(t)[1:] {
		var sorted []string
		for _, quoted := range s.quoted {
			if slices.Contains(verdicts(), quoted) {
				continue
			}
			messages++
			// What differs goes before any word.
			sorted = append(sorted, strings.ReplaceAll(strings.ToLower(quoted), "…", "!"))
			if !slices.ContainsFunc(texts, said(quoted).MatchString) {
				t.Errorf("%s: no program says %q", s.heading, quoted)
			}
		}
		if !slices.IsSorted(sorted) {
			slices.Sort(sorted)
			t.Errorf("%s: the messages are not in order; want\n%s", s.heading,
				strings.Join(sorted, "\n"))
		}
	}
	if messages < 70 {
		t.Errorf("the page has %d messages", messages)
	}
}

func verdicts() []string {
	var all []string
	for _, v := range nodes.Verdicts() {
		all = append(all, string(v))
	}
	return all
}

// said is what a text matches that says a message, in which … is whatever differs.
func said(message string) *regexp.Regexp {
	parts := strings.Split(message, "…")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile(strings.Join(parts, "[^ ]*"+differs+"[^ ]*"))
}

// differs stands in a text for a value that is put in.
const differs = "\x00"

// verb is a verb of package fmt.
var verb = regexp.MustCompile(`%[-+# 0]*[0-9*]*(?:\.[0-9*]+)?[a-zA-Z]`)

// programTexts are the texts in the code of the programs, each with what is put in marked.
func programTexts(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, folder := range []string{"actions", "cmd", "pkg"} {
		err := filepath.WalkDir(filepath.Join(top, folder),
			func(path string, d fs.DirEntry, err error) error {
				switch {
				case err != nil:
					return err
				case d.IsDir() && d.Name() == "internal":
					return fs.SkipDir
				case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
					return nil
				}
				file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
				if err == nil {
					all = append(all, textsIn(file)...)
				}
				return err
			})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// textsIn are the texts of a file: what is put together by + is one.
func textsIn(file *ast.File) []string {
	var all []string
	ast.Inspect(file, func(n ast.Node) bool {
		e, is := n.(ast.Expr)
		if !is {
			return true
		}
		text, whole := textOf(e)
		if whole {
			all = append(all, verb.ReplaceAllString(text, differs))
		}
		return !whole
	})
	return all
}

// textOf is the text of an expression, and whether it is one.
func textOf(e ast.Expr) (text string, is bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, e.Kind == token.STRING && err == nil
	case *ast.ParenExpr:
		return textOf(e.X)
	case *ast.BinaryExpr:
		left, isLeft := textOf(e.X)
		right, isRight := textOf(e.Y)
		if e.Op != token.ADD || !isLeft && !isRight {
			return "", false
		}
		if !isLeft {
			left = differs
		}
		if !isRight {
			right = differs
		}
		return left + right, true
	}
	return "", false
}
