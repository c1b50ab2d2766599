package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// source is a package as it is in the tree, parsed and type-checked.
type source struct {
	path  string // the import path
	dir   string
	files []file
	// only is the one file to mutate, if one is named; else all are mutated.
	only string
	fset *token.FileSet
	info *types.Info
	deps types.Importer
}

// file is one Go file of a package, tests excluded.
type file struct {
	path   string // as in the tree
	name   string // for people, relative to the module
	text   []byte
	syntax *ast.File
}

// edit replaces the bytes from lo up to hi of a file.
type edit struct {
	lo, hi int
	text   string
}

// apply returns text[lo:hi] with the edits that lie within made. They must not overlap.
func apply(text []byte, lo, hi int, edits ...edit) string {
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Compare(a.lo, b.lo) })
	var out strings.Builder
	for _, e := range edits {
		out.Write(text[lo:e.lo])
		out.WriteString(e.text)
		lo = e.hi
	}
	out.Write(text[lo:hi])
	return out.String()
}

// listed is what go list tells of a package.
type listed struct {
	Dir, ImportPath, Export string
	GoFiles                 []string
	DepOnly                 bool
	Module                  *struct{ Dir string }
}

// load reads the package that where names: a folder, or one file of it to mutate alone.
func load(ctx context.Context, where string) (*source, error) {
	s := &source{fset: token.NewFileSet()}
	if strings.HasSuffix(where, ".go") {
		s.only = filepath.Base(where)
		where = "./" + filepath.Dir(where)
	}
	out, err := command(ctx, "go", "list", "-export", "-deps",
		"-json=Dir,ImportPath,Export,GoFiles,DepOnly,Module", where)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	var own *listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		exports[p.ImportPath] = p.Export
		if !p.DepOnly {
			if own != nil {
				return nil, errors.New("name one package at a time")
			}
			own = &p
		}
	}
	if own == nil || own.Module == nil {
		return nil, errors.New("is not a package of a module")
	}
	s.path, s.dir = own.ImportPath, own.Dir
	s.deps = importer.ForCompiler(s.fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})
	if err := s.parse(own); err != nil {
		return nil, err
	}
	return s, nil
}

// parse reads the files of the package and finds their types.
func (s *source) parse(p *listed) error {
	var all []*ast.File
	for _, name := range p.GoFiles {
		path := filepath.Join(p.Dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		syntax, err := parser.ParseFile(s.fset, path, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(p.Module.Dir, path)
		if err != nil {
			return err
		}
		s.files = append(s.files, file{path, filepath.ToSlash(relative), text, syntax})
		all = append(all, syntax)
	}
	s.info = &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	_, err := (&types.Config{Importer: s.deps}).Check(s.path, s.fset, all, s.info)
	return err
}

// mutated reports whether a file of the package is one to mutate.
func (s *source) mutated(f file) bool { return s.only == "" || filepath.Base(f.path) == s.only }

// offset returns where in its file a position is.
func (s *source) offset(p token.Pos) int { return s.fset.Position(p).Offset }

// command runs a program to its end and returns what it printed. An error has its complaint.
func command(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%s %s: %w\n%s%s", name, args[0], err, out, complaint.Bytes())
	}
	return out, nil
}
