package main

import (
	"bytes"
	"cmp"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// noticesFile has the licences and notices of what the programs are made of.
const noticesFile = "THIRD-PARTY-NOTICES"

const noticesHead = `The programs contain packages of Go and of the modules that are named below.
The licences and notices of these follow, each after the names of the modules
that have it. None of them is a licence of the programs' own source.
`

// part is what programs contain: Go itself, or a module. Its source is in Folder.
type part struct {
	Path, Version, Folder string
	// TopOnly has only the folder itself looked at, and not those below.
	TopOnly bool
}

func (p part) String() string { return p.Path + " " + p.Version }

// authoritiesModule has the authorities that the image contains.
const authoritiesModule = "golang.org/x/crypto/x509roots/fallback"

// notices returns the licences and notices of what the programs of a platform contain, and its
// image. It fails where one of them has none. The same programs give the same text.
func (t tree) notices(p platform) ([]byte, error) {
	contained, version, err := contents(filepath.Join(t.Programs, p.String()))
	if err != nil {
		return nil, err
	}
	parts, err := modules(t.Root, slices.Sorted(maps.Keys(contained))...)
	if err != nil {
		return nil, err
	}
	for _, m := range parts {
		if contained[m.Path] != m.Version {
			return nil, fmt.Errorf("programs contain %s %s, and its source here is of %s", m.Path,
				contained[m.Path], m.Version)
		}
	}
	golang, err := golang(t.Root, version)
	if err != nil {
		return nil, err
	}
	parts = append(parts, golang)
	if p.OS == "linux" {
		ofImage, err := modules(filepath.Join(t.Root, "pkg/internal/dist"), authoritiesModule)
		if err != nil {
			return nil, err
		}
		parts = append(parts, ofImage...)
	}
	return writeNotices(parts)
}

// contents are the modules that the programs of a folder tell that they contain, with their
// versions, and the version of Go.
func contents(folder string) (modules map[string]string, golang string, err error) {
	programs, err := os.ReadDir(folder)
	if err != nil {
		return nil, "", err
	}
	modules = map[string]string{}
	for _, program := range programs {
		info, err := buildinfo.ReadFile(filepath.Join(folder, program.Name()))
		if err != nil {
			return nil, "", err
		}
		golang = info.GoVersion
		for _, dep := range info.Deps {
			modules[dep.Path] = dep.Version
		}
	}
	return modules, golang, nil
}

// golang is Go itself, of the version that programs were built by.
func golang(root, version string) (part, error) {
	cmd := exec.Command("go", "env", "GOROOT", "GOVERSION")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return part{}, fmt.Errorf("%v: %w", cmd.Args, err)
	}
	told := strings.Split(string(out), "\n")
	if told[1] != version {
		return part{}, fmt.Errorf("programs are built by %s, and %s is here", version, told[1])
	}
	return part{"Go", version, told[0], true}, nil
}

// modules are those of the module in a folder that have these paths.
func modules(folder string, paths ...string) ([]part, error) {
	cmd := exec.Command("go", append([]string{"list", "-m", "-json"}, paths...)...)
	cmd.Dir = folder
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list -m in %s: %w", folder, err)
	}
	var parts []part
	for list := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct {
			Path, Version, Dir string
			Replace            *struct{ Path, Version string }
		}
		switch err := list.Decode(&m); {
		case errors.Is(err, io.EOF):
			return parts, nil
		case err != nil:
			return nil, err
		case m.Dir == "":
			return nil, fmt.Errorf("the source of %s is not here: go mod download", m.Path)
		case m.Replace != nil:
			return nil, fmt.Errorf("%s is replaced: say here whose notices count", m.Path)
		}
		parts = append(parts, part{m.Path, m.Version, m.Dir, false})
	}
}

// noticeName matches the names of what licences ask to be passed on; licenceName those of licences.
var (
	noticeName = regexp.MustCompile(
		`(?i)^(licen[cs]e|unlicense|copying|copyright|notice|patents)([-_][a-z0-9_-]+)?(\.txt|\.md)?$`)
	licenceName = regexp.MustCompile(`(?i)^(licen[cs]e|unlicense|copying)`)
)

// texts finds the licences and notices of a part, by their names within it. Those of parts of its
// source count as well. It fails where the part itself has no licence.
func (p part) texts() (map[string]string, error) {
	texts, licensed := map[string]string{}, false
	err := filepath.WalkDir(p.Folder, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if name != p.Folder && (p.TopOnly || e.Name() == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if !noticeName.MatchString(e.Name()) {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		within, err := filepath.Rel(p.Folder, name)
		licensed = licensed || within == e.Name() && licenceName.MatchString(within)
		texts[filepath.ToSlash(within)] = strings.TrimSpace(
			strings.ReplaceAll(string(text), "\r\n", "\n"))
		return err
	})
	if err == nil && !licensed {
		err = fmt.Errorf("%s has no licence in %s", p, p.Folder)
	}
	return texts, err
}

// writeNotices writes each text once, after the names of those that have it.
func writeNotices(parts []part) ([]byte, error) {
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.String(), b.String()) })
	var order []string
	owners := map[string][]string{}
	for _, p := range parts {
		texts, err := p.texts()
		if err != nil {
			return nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(texts)) {
			text := texts[name]
			if owners[text] == nil {
				order = append(order, text)
			}
			owners[text] = append(owners[text], p.String()+", "+name)
		}
	}
	var all bytes.Buffer
	all.WriteString(noticesHead)
	for _, text := range order {
		fmt.Fprintf(&all, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80),
			strings.Join(owners[text], "\n"), text)
	}
	return all.Bytes(), nil
}
