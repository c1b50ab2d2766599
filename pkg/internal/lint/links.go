package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"
)

// link is one of a page: [words](where), or [word]: where.
var link = regexp.MustCompile(`\]\(([^)\s]+)\)|(?m)^\[[^\]]+\]: (\S+)$`)

// links are the links of pages that lead nowhere in the tree.
func links() ([]string, error) {
	out, err := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard",
		"--", "*.md").Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	var faults []string
	for page := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		text, err := os.ReadFile(page)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		faults = append(faults, brokenLinks(page, string(text))...)
		faults = append(faults, wideLines(page, string(text))...)
	}
	return faults, nil
}

var (
	// reference is a link by a name, and definition says where the name leads.
	reference  = regexp.MustCompile(`\[[^\[\]]+\]\[([^\[\]]+)\]`)
	definition = regexp.MustCompile(`(?m)^\[([^\]]+)\]: `)
)

// undefined are the names of a page that lead nowhere, and those that nothing links by.
func undefined(page, text string) []string {
	text = strings.Join(outsideCode(text), "\n")
	var faults []string
	defined := map[string]bool{}
	for _, found := range definition.FindAllStringSubmatch(text, -1) {
		defined[found[1]] = true
		if strings.Count(text, "["+found[1]+"]") < 2 {
			faults = append(faults, fmt.Sprintf("%s: nothing links by [%s]", page, found[1]))
		}
	}
	for _, found := range reference.FindAllStringSubmatch(text, -1) {
		if !defined[found[1]] {
			faults = append(faults, fmt.Sprintf("%s: [%s] leads nowhere", page, found[1]))
		}
	}
	return faults
}

// writtenPages are the pages that nobody wraps: a program writes them.
const writtenPages = "actions/"

// wideLines are the lines of a page's sentences that are too wide. Tables, and where a link leads,
// can't be wrapped.
func wideLines(page, text string) []string {
	var faults []string
	for n, line := range outsideCode(text) {
		columns := utf8.RuneCountInString(line)
		if columns <= maxColumns || strings.HasPrefix(page, writtenPages) ||
			strings.HasPrefix(line, "|") || definition.MatchString(line) {
			continue
		}
		faults = append(faults, fmt.Sprintf("%s:%d: the line has %d columns, at most %d fit", page, n+1,
			columns, maxColumns))
	}
	return faults
}

// brokenLinks are those of one page.
func brokenLinks(page, text string) []string {
	faults := undefined(page, text)
	for n, line := range outsideCode(text) {
		for _, found := range link.FindAllStringSubmatch(line, -1) {
			to := found[1] + found[2]
			if strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
				continue
			}
			if why := broken(page, to); why != "" {
				faults = append(faults, fmt.Sprintf("%s:%d: the link %s: %s", page, n+1, to, why))
			}
		}
	}
	return faults
}

// broken says why a link of a page leads nowhere; empty if it does not.
func broken(page, to string) string {
	path, heading, _ := strings.Cut(to, "#")
	if path = filepath.Join(filepath.Dir(page), path); to[0] == '#' {
		path = page
	}
	if _, err := os.Stat(path); err != nil {
		return "there is no " + path
	}
	if heading == "" {
		return ""
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	for _, line := range outsideCode(string(text)) {
		if strings.HasPrefix(line, "#") && anchor(line) == heading {
			return ""
		}
	}
	return path + " has no such heading"
}

// outsideCode are the lines of a page, those of code blocks empty.
func outsideCode(text string) []string {
	lines := strings.Split(text, "\n")
	code := false
	for i, line := range lines {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		if fence {
			code = !code
		}
		if fence || code {
			lines[i] = ""
		}
	}
	return lines
}

// notInAnchor is what an anchor leaves out of its heading.
var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N}\- _]`)

// anchor is how a link names a heading.
func anchor(heading string) string {
	text := strings.ToLower(strings.TrimSpace(strings.TrimLeft(heading, "#")))
	return strings.ReplaceAll(notInAnchor.ReplaceAllString(text, ""), " ", "-")
}
