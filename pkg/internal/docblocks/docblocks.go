// Package docblocks reads the fenced blocks of the project's pages: README.md and what is below
// .github, actions, cmd and examples. A test of a block runs or reads it as it stands there, so no
// page shows a command that does not work.
//
// The tests of this package run what needs a shell and the stand-in. What needs another program to
// judge is run by the suite that has it: see Elsewhere. They also find each message of the page on
// trouble in the programs. Tests that count hold a page's figures by AtLeast and Exactly.
package docblocks

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Block is one fenced block.
type Block struct {
	// ID is the page and the heading above it, as README.md#install-it. A further block of the
	// heading has its number too, as in README.md#install-it/2.
	ID string
	// Page is its path from the top of the tree, and Line that of its first fence.
	Page string
	Line int
	// Language is what stands behind the first fence: sh, console, json, yaml or text.
	Language string
	Text     string
}

// Recordings has the blocks that are the beginning of a demo's output, by ID: the folder of its
// tests. A test there compares the only block of the form text of the page.
var Recordings = map[string]string{
	"examples/gate/README.md#the-gate-by-example": "examples/gate",
	"examples/lifecycle/README.md#the-demo":       "examples/lifecycle/demo",
}

// Elsewhere has the blocks that another suite runs, by ID: the folder of its tests. A test there
// reads the block with Read.
var Elsewhere = map[string]string{
	"README.md#try-one-request":                          "pkg/internal/conformance",
	".github/docs/ledger.md#a-table-that-machines-share": "pkg/internal/conformance",
	".github/docs/fencing.md#set-it-up":                  "pkg/internal/fencecluster",
	".github/docs/monitoring.md#metrics":                 "pkg/internal/monitoring",
	".github/docs/operations.md#install":                 "pkg/internal/installed",
	".github/docs/operations.md#upgrade":                 "pkg/internal/installed",
	".github/docs/operations.md#downgrade":               "pkg/internal/installed",
	".github/docs/operations.md#remove":                  "pkg/internal/installed",
	".github/docs/operations.md#image":                   "pkg/internal/dist",
	".github/docs/operations.md#set-it-up":               "pkg/internal/installed",
}

// All are the blocks of all pages, by page and line. Top is the top of the tree.
func All(top string) ([]Block, error) {
	names, err := pages(top)
	if err != nil {
		return nil, err
	}
	var all []Block
	for _, name := range names {
		found, err := page(top, name)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// pages are the paths of all pages, from the top of the tree.
func pages(top string) ([]string, error) {
	all := []string{"README.md"}
	for _, folder := range []string{".github", "actions", "cmd", "examples"} {
		err := filepath.WalkDir(filepath.Join(top, folder),
			func(path string, _ fs.DirEntry, err error) error {
				if err != nil || filepath.Ext(path) != ".md" {
					return err
				}
				name, err := filepath.Rel(top, path)
				all = append(all, filepath.ToSlash(name))
				return err
			})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Read is the text of one block of a page. A test fails where the block is not there.
func Read(t testing.TB, top, id string) string {
	t.Helper()
	name, _, _ := strings.Cut(id, "#")
	blocks, err := page(top, name)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(blocks, func(b Block) bool { return b.ID == id })
	if at < 0 {
		t.Fatalf("%s has no block %s", name, id)
	}
	return blocks[at].Text
}

// page reads the blocks of one page.
func page(top, name string) ([]Block, error) {
	text, err := os.ReadFile(filepath.Join(top, name))
	if err != nil {
		return nil, err
	}
	return parse(name, string(text))
}

// parse finds the blocks in a page's text.
func parse(name, text string) ([]Block, error) {
	var blocks []Block
	var open *Block
	heading, under := "", map[string]int{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		fence, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case isFence && open != nil:
			blocks, open = append(blocks, *open), nil
		case isFence:
			under[heading]++
			open = &Block{ID: name + "#" + heading, Page: name, Line: n, Language: fence}
			if i := under[heading]; i > 1 {
				open.ID += fmt.Sprintf("/%d", i)
			}
		case open != nil:
			open.Text += line
		case strings.HasPrefix(line, "#"):
			heading = anchor(line)
		}
	}
	if open != nil {
		return nil, fmt.Errorf("%s:%d: the block does not end", name, open.Line)
	}
	return blocks, nil
}

// notInAnchor is what an anchor leaves out of its heading.
var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N}\- _]`)

// anchor is how a link names a heading.
func anchor(heading string) string {
	text := strings.ToLower(strings.TrimSpace(strings.TrimLeft(heading, "#")))
	return strings.ReplaceAll(notInAnchor.ReplaceAllString(text, ""), " ", "-")
}
