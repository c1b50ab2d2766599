package main

import (
	"fmt"
	"os"
	"strings"
)

// readEquivalents reads the list of mutants that no test can notice: by their keys, the reasons.
// An entry is a line with the key, then an indented line or more with the reason. With * in place
// of what is changed it stands for a whole function. A line that begins with # is a comment.
func readEquivalents(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the list of equivalent mutants: %w", err)
	}
	all, key := map[string]string{}, ""
	for i, line := range strings.Split(string(text), "\n") {
		reason := strings.TrimSpace(line)
		switch {
		case reason == "" || strings.HasPrefix(line, "#"):
		case line[0] != '\t':
			if _, twice := all[line]; twice {
				return nil, fmt.Errorf("%s:%d: is there twice: %s", path, i+1, line)
			}
			key, all[line] = line, ""
		case key == "":
			return nil, fmt.Errorf("%s:%d: a reason belongs to no mutant", path, i+1)
		default:
			all[key] = strings.TrimSpace(all[key] + " " + reason)
		}
	}
	for key, reason := range all {
		if reason == "" {
			return nil, fmt.Errorf("%s: there is no reason for: %s", path, key)
		}
	}
	return all, nil
}

// entryFor returns the entry that a mutant falls under, "" if there is none.
func entryFor(equivalents map[string]string, key string) string {
	if _, ok := equivalents[key]; ok {
		return key
	}
	function, _, _ := strings.Cut(key, ": ")
	if _, ok := equivalents[function+": *"]; ok {
		return function + ": *"
	}
	return ""
}

// ofFiles returns the entries about mutants of the files that are named.
func ofFiles(equivalents map[string]string, names map[string]bool) []string {
	var keys []string
	for key := range equivalents {
		if file, _, _ := strings.Cut(key, " "); names[file] {
			keys = append(keys, key)
		}
	}
	return keys
}
