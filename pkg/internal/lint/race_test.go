package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// withoutDetector are the packages whose goroutines the race detector need not look at: no program
// has them.
var withoutDetector = map[string]bool{"pkg/internal/dist": true, "pkg/internal/mutate": true}

// TestTheDetectorLooksAtWhatHasGoroutines: every package that starts goroutines is one of those
// whose tests make test runs with the race detector.
func TestTheDetectorLooksAtWhatHasGoroutines(t *testing.T) {
	const root = "../../.."
	looked := detected(t, root)
	found := map[string]bool{}
	for _, top := range []string{"cmd", "pkg", "actions", "schema"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(
			file string, _ fs.DirEntry, err error,
		) error {
			if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return err
			}
			source, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err == nil && startsGoroutines(source) {
				found[filepath.ToSlash(filepath.Dir(file[len(root)+1:]))] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for dir := range found {
		if !withoutDetector[dir] && !looked(dir) {
			t.Errorf("%s starts goroutines, and is neither in RACE nor in RACE_SOME of the Makefile", dir)
		}
	}
	for dir := range withoutDetector {
		if !found[dir] {
			t.Errorf("%s starts no goroutines", dir)
		}
	}
}

// startsGoroutines reports whether a file has a go statement, or a call of a method Go.
func startsGoroutines(source *ast.File) (found bool) {
	ast.Inspect(source, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found = true
		case *ast.SelectorExpr:
			found = found || n.Sel.Name == "Go"
		}
		return !found
	})
	return found
}

// detected returns whether the Makefile has the race detector look at a package.
func detected(t *testing.T, root string) (looked func(dir string) bool) {
	t.Helper()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	var packages []string
	lines := strings.ReplaceAll(string(makefile), "\\\n", " ")
	for line := range strings.SplitSeq(lines, "\n") {
		name, value, _ := strings.Cut(line, " := ")
		if name == "RACE" || name == "RACE_SOME" {
			packages = append(packages, strings.Fields(value)...)
		}
	}
	if len(packages) == 0 {
		t.Fatal("the Makefile names no packages")
	}
	return func(dir string) bool {
		for _, p := range packages {
			p = path.Clean(p)
			if below, all := strings.CutSuffix(p, "/..."); p == dir ||
				all && strings.HasPrefix(dir+"/", below+"/") {
				return true
			}
		}
		return false
	}
}
