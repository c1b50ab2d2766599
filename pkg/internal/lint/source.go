package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxColumns is how many characters a line may have. A tab is one.
const maxColumns = 100

// notOurWords are words of comments that the house has others for.
var notOurWords = regexp.MustCompile(`//.*\b(tells|says) whether\b`)

// sources returns the faults of all Go files in the folders.
func sources(folders []string) ([]string, error) {
	var faults []string
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			faults = append(faults, faultsOf(filepath.ToSlash(path), string(text))...)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return faults, nil
}

// generated begins files that no person writes.
const generated = "// Code generated "

// faultsOf returns the faults of one file's text.
func faultsOf(path, text string) []string {
	if strings.HasPrefix(text, generated) {
		return nil
	}
	var faults []string
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if columns := utf8.RuneCountInString(line); columns > maxColumns {
			faults = append(faults, fmt.Sprintf("%s:%d: the line has %d columns, at most %d fit",
				path, n, columns, maxColumns))
		}
		if notOurWords.MatchString(line) {
			faults = append(faults, fmt.Sprintf(
				`%s:%d: the house's words are "reports whether"`, path, n))
		}
	}
	return faults
}
