// Package render writes what is generated from the verbs' descriptors: the JSON
// Schemas of the wire, the reference in actions/README.md, the IAM policies in examples/iam and
// the tables in pages that are written by hand.
//
// The same registry gives the same bytes. A request schema accepts what the
// executor accepts, as far as a schema can say it; patterns keep to what ECMA 262
// and RE2 read alike.
package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"aws-provider-executor/pkg/action"
)

// Generator is what the files are generated from.
type Generator struct {
	Registry *action.Registry
	// Inquiries are the requests beside the verbs.
	Inquiries []action.Inquiry
	// Provider is the only spec.provider that the executor accepts.
	Provider string
	// Others generate what other providers' executors accept. Each has a folder of schemas named for
	// the provider, a reference in its Package, and a policy of IAM.
	Others []Generator
	// Package is where the list of the verbs is, of another provider's.
	Package string
	// More, when not nil, generates what does not come from the registry.
	More func(root string) ([]File, error)
}

// requests describes all that may be asked for: the verbs, and the inquiries as such.
func (g Generator) requests() []action.Verb {
	all := g.Registry.Verbs()
	for _, q := range g.Inquiries {
		all = append(all, q.Verb())
	}
	return all
}

// File is a generated file, by its path in the module.
type File struct {
	Path string
	Data []byte
}

const (
	schemaDir = "schema"
	suffix    = ".schema.json"
)

func fileName(schema string) string { return schema + suffix }

// Files renders everything. The pages below the module's root are read for what is written in
// them by hand.
func (g Generator) Files(root string) ([]File, error) {
	files := []File{{Path: "actions/README.md", Data: []byte(g.reference())}}
	add := func(name string, n node) error {
		data, err := document(n)
		files = append(files, File{Path: filepath.Join(schemaDir, fileName(name)), Data: data})
		return err
	}
	errs := []error{add("request", g.request()), add("result", g.result())}
	for _, v := range g.requests() {
		errs = append(errs, add(v.Name, g.verb(v)))
	}
	written := func() ([]File, error) { return g.pageFiles(root) }
	for _, more := range []func() ([]File, error){g.inventory, g.iam, written} {
		rendered, err := more()
		files, errs = append(files, rendered...), append(errs, err)
	}
	for _, other := range g.Others {
		rendered, err := other.provider()
		files, errs = append(files, rendered...), append(errs, err)
	}
	if g.More != nil {
		rendered, err := g.More(root)
		files, errs = append(files, rendered...), append(errs, err)
	}
	return files, errors.Join(errs...)
}

// Stale names the files below the module's root that are not as generated, and
// the schemas there that nothing generates any more.
func Stale(root string, files []File) ([]string, error) {
	var left []string
	for _, dir := range []string{"", inventoryDir, applianceDir} {
		found, err := filepath.Glob(filepath.Join(root, schemaDir, dir, "*"+suffix))
		if err != nil {
			return nil, err
		}
		left = append(left, found...)
	}
	var stale []string
	for _, f := range files {
		path := filepath.Join(root, f.Path)
		left = slices.DeleteFunc(left, func(l string) bool { return l == path })
		have, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if !bytes.Equal(have, f.Data) {
			stale = append(stale, f.Path)
		}
	}
	for _, l := range left {
		name, err := filepath.Rel(root, l)
		if err != nil {
			return nil, err
		}
		stale = append(stale, name)
	}
	return stale, nil
}

// Write brings the stale files up to date, and removes those that nothing
// generates.
func Write(root string, files []File) error {
	stale, err := Stale(root, files)
	if err != nil {
		return err
	}
	for _, name := range stale {
		path := filepath.Join(root, name)
		i := slices.IndexFunc(files, func(f File) bool { return f.Path == name })
		if i < 0 {
			err = os.Remove(path)
		} else if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			err = os.WriteFile(path, files[i].Data, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Main is the generator as a program, run in the module's root. With -check it
// writes nothing, names what is stale, and fails if anything is.
func (g Generator) Main(root string, args []string, stderr io.Writer) int {
	check := slices.Equal(args, []string{"-check"})
	if len(args) > 0 && !check {
		fmt.Fprintln(stderr, "usage: go run ./schema/generate [-check], in the root of the module")
		return 2
	}
	files, err := g.Files(root)
	if err != nil {
		fmt.Fprintln(stderr, "cannot generate:", err)
		return 1
	}
	if !check {
		if err := Write(root, files); err != nil {
			fmt.Fprintln(stderr, "cannot write:", err)
			return 1
		}
		return 0
	}
	stale, err := Stale(root, files)
	if err != nil {
		fmt.Fprintln(stderr, "cannot check:", err)
		return 1
	}
	for _, name := range stale {
		fmt.Fprintf(stderr, "%s is stale: go run ./schema/generate\n", name)
	}
	return min(len(stale), 1)
}
