package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
)

// maxBytes is how large a file of the repository may be. A program that was built in the tree, or a
// recording, is larger.
const maxBytes = 256 << 10

// sizes returns the files that git keeps and that are too large. Outside of a repository there are
// none to look at.
func sizes() ([]string, error) {
	out, err := exec.Command("git", "ls-files", "-z").Output()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && strings.Contains(string(exit.Stderr), "not a git repository"):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	var faults []string
	for path := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			// It is deleted, and git is not told yet.
			continue
		}
		if err != nil {
			return nil, err
		}
		if info.Size() > maxBytes {
			faults = append(faults, fmt.Sprintf("%s: has %d bytes, at most %d are kept here",
				path, info.Size(), maxBytes))
		}
	}
	return faults, nil
}
