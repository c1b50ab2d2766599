package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxSubject is how many characters the subject of a commit may have.
const maxSubject = 72

// subjectForm is "area: imperative", without a full stop. Git's own subjects of reverts pass.
var subjectForm = regexp.MustCompile(`^(Revert ".*"|[\w./*-]+(, ?[\w./*-]+)*: \S.*[^.\s])$`)

// newSubjects returns the faults of the subjects of commits that are new to base. Where history
// is cut off or there is no base, the last commit alone is new: the want of history is no fault.
func newSubjects(dir, base string) ([]string, error) {
	if _, err := git(dir, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"); err != nil {
		return nil, nil // no repository, as in an archive, or one without commits
	}
	log := append([]string{"log", "--no-merges", "--format=%h %s"}, newTo(dir, base)...)
	out, err := git(dir, log...)
	if err != nil {
		return nil, err
	}
	var faults []string
	for line := range strings.Lines(out) {
		id, subject, _ := strings.Cut(strings.TrimSpace(line), " ")
		if fault := subjectFault(subject); fault != "" {
			faults = append(faults, fmt.Sprintf("%s: %s: %s", id, fault, subject))
		}
	}
	return faults, nil
}

// newTo returns what git log is to be asked for.
func newTo(dir, base string) []string {
	candidates := []string{"origin/HEAD", "origin/main", "main"}
	if base != "" {
		candidates = []string{base}
	}
	for _, c := range candidates {
		from, err := git(dir, "merge-base", "HEAD", c)
		if err != nil {
			continue
		}
		from = strings.TrimSpace(from)
		if n, err := git(dir, "rev-list", "--count", from+"..HEAD"); err == nil &&
			strings.TrimSpace(n) != "0" {
			return []string{from + "..HEAD"}
		}
	}
	return []string{"-1", "HEAD"}
}

// subjectFault says what is wrong with a subject; it is empty for a good one.
func subjectFault(subject string) string {
	switch n := utf8.RuneCountInString(subject); {
	case n > maxSubject:
		return fmt.Sprintf("the subject has %d characters, at most %d fit", n, maxSubject)
	case !subjectForm.MatchString(subject):
		return `the subject is not "area: imperative"`
	}
	return ""
}

func git(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return string(out), nil
}
