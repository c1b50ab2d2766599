package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
)

// variable holds the id of the chosen mutant, in the environment of a test binary and in its code.
const variable = "MUTANT_CHOSEN"

// schema is a package with many mutants in it: each is a copy of its function with one place
// changed, and the function itself hands over to the copy that is chosen.
type schema struct {
	// files are the texts by the path in the tree that they stand for.
	files map[string]string
	// built are the mutants that compile.
	built []mutant
}

// schemaOf makes the schema of the mutants that are given and compile.
func (s *source) schemaOf(mutants []mutant) (schema, error) {
	for {
		files, copies := s.write(mutants)
		bad, err := s.check(files, copies)
		if err != nil {
			return schema{}, err
		}
		if len(bad) == 0 {
			return s.finish(files, mutants), nil
		}
		before := len(mutants)
		mutants = slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool { return bad[m.id] })
		if len(mutants) == before {
			return schema{}, fmt.Errorf("%d mutants fail and are not in the schema", len(bad))
		}
	}
}

// finish adds the file that reads the environment.
func (s *source) finish(files map[string]string, built []mutant) schema {
	files[filepath.Join(s.dir, "mutant_chosen.go")] = "package " + s.files[0].syntax.Name.Name + `

import (
	"os"
	"strconv"
)

var ` + variable + `, _ = strconv.Atoi(os.Getenv("` + variable + `"))
`
	return schema{files: files, built: built}
}

// span is where in a file's new text the copy for a mutant is.
type span struct{ lo, hi, mutant int }

// write returns the texts of all files with the mutants in them, and where each mutant is.
func (s *source) write(mutants []mutant) (files map[string]string, copies map[string][]span) {
	files, copies = map[string]string{}, map[string][]span{}
	for i, f := range s.files {
		by := map[*ast.FuncDecl][]mutant{}
		var order []*ast.FuncDecl
		for _, m := range mutants {
			if m.file != i {
				continue
			}
			if by[m.function] == nil {
				order = append(order, m.function)
			}
			by[m.function] = append(by[m.function], m)
		}
		if len(order) == 0 {
			continue
		}
		var edits []edit
		var tail strings.Builder
		var at []span
		for _, d := range order {
			h := s.header(f, d)
			edits = append(edits, h.names...)
			open := s.offset(d.Body.Lbrace) + 1
			edits = append(edits, edit{open, open, h.dispatch(by[d])})
			for _, m := range by[d] {
				at = append(at, span{tail.Len(), 0, m.id})
				tail.WriteString(h.copy(m))
				at[len(at)-1].hi = tail.Len()
			}
		}
		text := apply(f.text, 0, len(f.text), edits...) + "\n"
		for j := range at {
			at[j].lo += len(text)
			at[j].hi += len(text)
		}
		files[f.path], copies[f.path] = text+tail.String(), at
	}
	return files, copies
}

// header is what the copies of a function need to know of it.
type header struct {
	source   *source
	file     file
	function *ast.FuncDecl
	// names are the edits that give a name to each parameter that has none.
	names []edit
	// call is a call of a copy, with the place for its number.
	call string
}

func (s *source) header(f file, d *ast.FuncDecl) header {
	h := header{source: s, file: f, function: d}
	receiver := ""
	if d.Recv != nil {
		receiver = h.name(d.Recv.List, "receiver")[0] + "."
	}
	arguments := h.name(d.Type.Params.List, "argument")
	if n := d.Type.Params.NumFields(); n > 0 {
		last := d.Type.Params.List[len(d.Type.Params.List)-1]
		if _, variadic := last.Type.(*ast.Ellipsis); variadic {
			arguments[len(arguments)-1] += "..."
		}
	}
	var types []string
	if d.Type.TypeParams != nil {
		for _, p := range d.Type.TypeParams.List {
			for _, n := range p.Names {
				types = append(types, n.Name)
			}
		}
	}
	instance := ""
	if len(types) > 0 {
		instance = "[" + strings.Join(types, ", ") + "]"
	}
	h.call = receiver + d.Name.Name + "__%d" + instance + "(" + strings.Join(arguments, ", ") + ")"
	return h
}

// name returns the names of all parameters, and notes an edit for each that has none.
func (h *header) name(fields []*ast.Field, kind string) []string {
	var names []string
	for _, f := range fields {
		if len(f.Names) == 0 {
			n := fmt.Sprintf("%s__%d", kind, len(names))
			at := h.source.offset(f.Type.Pos())
			h.names = append(h.names, edit{at, at, n + " "})
			names = append(names, n)
		}
		for _, ident := range f.Names {
			n := ident.Name
			if n == "_" {
				n = fmt.Sprintf("%s__%d", kind, len(names))
				at := h.source.offset(ident.Pos())
				h.names = append(h.names, edit{at, at + 1, n})
			}
			names = append(names, n)
		}
	}
	return names
}

// dispatch returns the statement that hands over to the chosen copy.
func (h *header) dispatch(mutants []mutant) string {
	var out strings.Builder
	out.WriteString("switch " + variable + " {")
	for _, m := range mutants {
		call := fmt.Sprintf(h.call, m.id)
		if h.function.Type.Results.NumFields() > 0 {
			call = "return " + call
		} else {
			call += "; return"
		}
		fmt.Fprintf(&out, " case %d: %s;", m.id, call)
	}
	return out.String() + "}; "
}

// copy returns the function with a mutant's change and its number.
func (h *header) copy(m mutant) string {
	lo, hi := h.source.offset(h.function.Type.Pos()), h.source.offset(h.function.End())
	name := h.source.offset(h.function.Name.End())
	edits := append(slices.Clone(h.names), edit{name, name, fmt.Sprintf("__%d", m.id)}, m.edit)
	return apply(h.file.text, lo, hi, edits...) + "\n\n"
}

// check type-checks the texts and returns the ids of the mutants that do not compile.
func (s *source) check(files map[string]string, copies map[string][]span) (map[int]bool, error) {
	bad := map[int]bool{}
	var outside error
	blame := func(path string, offset int, err error) {
		for _, c := range copies[path] {
			if c.lo <= offset && offset < c.hi {
				bad[c.mutant] = true
				return
			}
		}
		outside = err
	}
	fset := token.NewFileSet()
	var all []*ast.File
	for _, f := range s.files {
		text, ok := files[f.path]
		if !ok {
			text = string(f.text)
		}
		syntax, err := parser.ParseFile(fset, f.path, text, parser.SkipObjectResolution|parser.AllErrors)
		if err != nil {
			return nil, fmt.Errorf("a mutant of %s is not Go: %w", f.path, err)
		}
		all = append(all, syntax)
	}
	chosen := "package " + s.files[0].syntax.Name.Name + "\nvar " + variable + " int\n"
	syntax, err := parser.ParseFile(fset, "mutant_chosen.go", chosen, 0)
	if err != nil {
		return nil, err
	}
	config := types.Config{Importer: s.deps, Error: func(err error) {
		if e, ok := err.(types.Error); ok {
			at := fset.Position(e.Pos)
			blame(at.Filename, at.Offset, err)
		}
	}}
	_, _ = config.Check(s.path, fset, append(all, syntax), nil)
	if len(bad) == 0 && outside != nil {
		return nil, outside
	}
	return bad, nil
}
