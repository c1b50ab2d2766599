package endpoint

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	"aws-provider-executor/pkg/wildcard"
)

// rights are what callers may do, by a file: a line "write CALLER" or "read CALLER" each, where a
// caller is called as in the audit log, and * and ? stand for what they do in filters; a * alone is
// every caller. The first line that fits holds. Who is in no line may only read.
type rights struct {
	followed[[]right]
}

// right is a line of the file.
type right struct {
	caller string
	writes bool
}

// openRights reads a file of rights, which others may not write. It is read again when it changes;
// while it can't be read nobody writes.
func openRights(path string, log *slog.Logger) (*rights, error) {
	r := &rights{followed[[]right]{path: path, log: log}}
	r.read = func() ([]right, error) { return readRights(path) }
	_, err := r.get()
	return r, err
}

func readRights(path string) ([]right, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0:
		return nil, fmt.Errorf("the rights in %s can be written by others: chmod go-w it", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []right
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, caller, _ := strings.Cut(line, " ")
		caller = strings.TrimSpace(caller)
		kind, name, _ := strings.Cut(caller, " ")
		if word != "read" && word != "write" ||
			caller != "*" && (kind != "token" && kind != "certificate" || name == "") {
			return nil, fmt.Errorf("line %d of %s is no read or write, and then token NAME, certificate "+
				"SUBJECT, or * for every caller", n, path)
		}
		all = append(all, right{caller, word == "write"})
	}
	return all, nil
}

// onlyReads says why a caller may only read; empty where it may write. Users of the machine who are
// let in own the store, or could: they may write.
func (r *rights) onlyReads(caller string) string {
	if r == nil || strings.HasPrefix(caller, "uid ") {
		return ""
	}
	all, err := r.get()
	if err != nil {
		return "nobody may while the file of rights can't be read"
	}
	for _, x := range all {
		if !wildcard.Filter.Match(x.caller, caller) {
			continue
		}
		if x.writes {
			return ""
		}
		break
	}
	return caller + " may only read, by the server's file of rights"
}
