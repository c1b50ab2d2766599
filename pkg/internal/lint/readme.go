package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

// What the README may have, so that it is read to its end.
const (
	readmeFile    = "README.md"
	readmeLines   = 120
	sentenceWords = 25
)

// readme returns the faults of the README's form.
func readme() ([]string, error) {
	text, err := os.ReadFile(readmeFile)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return readmeFaults(string(text)), nil
}

func readmeFaults(text string) []string {
	var faults []string
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) > readmeLines {
		faults = append(faults, fmt.Sprintf("%s: has %d lines, at most %d are read to their end",
			readmeFile, len(lines), readmeLines))
	}
	for i, line := range lines {
		if n := utf8.RuneCountInString(line); n > maxColumns {
			faults = append(faults, fmt.Sprintf("%s:%d: the line has %d columns, at most %d fit",
				readmeFile, i+1, n, maxColumns))
		}
	}
	for _, s := range sentences(text) {
		if n := len(strings.Fields(s)); n > sentenceWords {
			faults = append(faults, fmt.Sprintf("%s: the sentence has %d words, at most %d are read: %s",
				readmeFile, n, sentenceWords, s))
		}
	}
	return faults
}

var (
	// target is where a link leads, which nobody reads.
	target = regexp.MustCompile(`\]\([^)]*\)|\]\[[^\]]*\]|(?m)^\[[^\]]+\]: .*$`)
	// endOf is the end of a sentence, of a paragraph, of an item, or of a cell of a table.
	endOf = regexp.MustCompile(`[.!?][*"')]*(?:\s|$)|\n\s*\n|\n[*#|]|\|`)
)

// sentences are those of a page's text outside of its code blocks.
func sentences(text string) []string {
	text = strings.Join(outsideCode(text), "\n")
	text = target.ReplaceAllString(text, "]")
	var all []string
	for _, s := range endOf.Split(text, -1) {
		all = append(all, strings.TrimLeft(strings.Join(strings.Fields(s), " "), "*# "))
	}
	return all
}
