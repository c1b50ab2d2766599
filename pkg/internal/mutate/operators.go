package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"
)

// mutant is one place broken in one way.
type mutant struct {
	id   int // from 1
	file int // index into the source's files
	edit edit
	// function is the declaration that the place is in, nil outside of functions.
	function *ast.FuncDecl
	line     int
	// key names the mutant in the list of equivalents; it does not change when lines shift.
	key string
}

// inside reports whether the mutant is in a function that can have copies.
func (m mutant) inside() bool {
	d := m.function
	return d != nil && (d.Recv != nil || d.Name.Name != "init" && d.Name.Name != "main")
}

// finder collects the mutants of one file.
type finder struct {
	*source
	file     int
	text     []byte
	function *ast.FuncDecl
	// whole are the conditions that are negated as a whole: their == and != need no more mutants.
	whole map[ast.Expr]bool
	// keys are the keys of literals' elements, and the elements that have none.
	keys  map[ast.Expr]bool
	seen  map[edit]bool
	found []mutant
}

// mutants returns every mutant of the package, in the order of the text. Their ids count from 1.
func (s *source) mutants() []mutant {
	var all []mutant
	for i, f := range s.files {
		if !s.mutated(f) {
			continue
		}
		m := &finder{source: s, file: i, text: f.text,
			whole: map[ast.Expr]bool{}, keys: map[ast.Expr]bool{}, seen: map[edit]bool{}}
		for _, d := range f.syntax.Decls {
			m.function, _ = d.(*ast.FuncDecl)
			if g, ok := d.(*ast.GenDecl); ok && (g.Tok == token.IMPORT || g.Tok == token.TYPE) {
				continue
			}
			ast.Inspect(d, m.visit)
		}
		slices.SortStableFunc(m.found, func(a, b mutant) int { return a.edit.lo - b.edit.lo })
		all = append(all, m.found...)
	}
	times := map[string]int{}
	for i := range all {
		all[i].id = i + 1
		times[all[i].key]++
		if n := times[all[i].key]; n > 1 {
			all[i].key += fmt.Sprintf(" (%d)", n)
		}
	}
	return all
}

// visit finds the mutants of one node.
func (m *finder) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncType, *ast.ArrayType, *ast.StructType, *ast.InterfaceType:
		return false
	case *ast.IfStmt:
		m.negate(n.Cond)
		m.dropBranch(n)
	case *ast.ForStmt:
		if n.Cond != nil {
			m.negate(n.Cond)
		}
	case *ast.BinaryExpr:
		m.operator(n)
	case *ast.BlockStmt:
		m.dropStatements(n.List)
	case *ast.CaseClause:
		m.caseClause(n)
	case *ast.CommClause:
		m.dropStatements(n.Body)
	case *ast.ReturnStmt:
		m.forgetError(n)
	case *ast.BasicLit:
		m.constant(n)
	case *ast.Ident:
		m.truth(n)
	case *ast.CompositeLit:
		m.dropElements(n)
	case *ast.CallExpr:
		m.swapArguments(n)
	}
	return true
}

// add records a mutant that puts text in place of the bytes from lo up to hi.
func (m *finder) add(lo, hi int, text string) {
	e := edit{lo, hi, text}
	if m.seen[e] {
		return
	}
	m.seen[e] = true
	name := "-"
	if m.function != nil {
		name = m.function.Name.Name
		if r := m.function.Recv; r != nil && len(r.List) == 1 {
			name = strings.TrimLeft(types.ExprString(r.List[0].Type), "*") + "." + name
		}
	}
	at := m.fset.File(m.files[m.file].syntax.Pos())
	key := fmt.Sprintf("%s %s: %s", m.files[m.file].name, name, m.describe(e))
	m.found = append(m.found, mutant{
		file: m.file, edit: e, function: m.function, line: at.Line(at.Pos(lo)), key: key,
	})
}

// describe returns the lines that an edit touches, as one line each: before and after.
func (m *finder) describe(e edit) string {
	lo, hi := e.lo, e.hi
	for lo > 0 && m.text[lo-1] != '\n' {
		lo--
	}
	for hi < len(m.text) && m.text[hi] != '\n' {
		hi++
	}
	flat := func(s string) string {
		s = strings.Join(strings.Fields(s), " ")
		if r := []rune(s); len(r) > 160 {
			return string(r[:120]) + " … " + string(r[len(r)-39:])
		}
		return s
	}
	after := flat(apply(m.text, lo, hi, e))
	if e.text == "" {
		if dropped := flat(string(m.text[e.lo:e.hi])); strings.TrimSpace(after) == "" || e.hi-e.lo > 80 {
			return "drop `" + dropped + "`"
		}
	}
	return "`" + flat(string(m.text[lo:hi])) + "` -> `" + after + "`"
}

// span returns the bytes that a node takes.
func (m *finder) span(n ast.Node) (lo, hi int) { return m.offset(n.Pos()), m.offset(n.End()) }

// textOf returns a node as it is written.
func (m *finder) textOf(n ast.Node) string {
	lo, hi := m.span(n)
	return string(m.text[lo:hi])
}

// replace records a mutant that puts text in place of a node.
func (m *finder) replace(n ast.Node, text string) {
	lo, hi := m.span(n)
	m.add(lo, hi, text)
}

// negate takes a condition for its opposite.
func (m *finder) negate(cond ast.Expr) {
	m.whole[cond] = true
	if not, ok := cond.(*ast.UnaryExpr); ok && not.Op == token.NOT {
		m.replace(cond, m.textOf(not.X))
		return
	}
	m.replace(cond, "!("+m.textOf(cond)+")")
}

// operators are what an operator is taken for.
var operators = map[token.Token]string{
	token.LAND: "||", token.LOR: "&&",
	token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">",
	token.EQL: "!=", token.NEQ: "==",
	token.ADD: "-", token.SUB: "+", token.MUL: "/", token.QUO: "*",
}

func (m *finder) operator(b *ast.BinaryExpr) {
	text, ok := operators[b.Op]
	equality := b.Op == token.EQL || b.Op == token.NEQ
	if !ok || equality && m.whole[b] {
		return
	}
	if t := m.info.TypeOf(b); b.Op == token.ADD && t != nil && isString(t) {
		return
	}
	lo := m.offset(b.OpPos)
	m.add(lo, lo+len(b.Op.String()), text)
}

func isString(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsString != 0
}

// dropBranch takes away an else, or a whole if that does more than one thing. One with a single
// statement goes when that statement goes.
func (m *finder) dropBranch(n *ast.IfStmt) {
	if n.Else != nil {
		lo, hi := m.offset(n.Body.End()), m.offset(n.Else.End())
		m.add(lo, hi, "")
		return
	}
	if len(n.Body.List) > 1 {
		m.replace(n, "")
	}
}

// dropStatements takes each statement away that can go alone.
func (m *finder) dropStatements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.SendStmt, *ast.DeferStmt, *ast.GoStmt, *ast.ReturnStmt:
			m.replace(s, "")
		case *ast.AssignStmt:
			if s.Tok != token.DEFINE {
				m.replace(s, "")
			}
		case *ast.BranchStmt:
			if s.Tok == token.BREAK || s.Tok == token.CONTINUE {
				m.replace(s, "")
			}
		}
	}
}

// caseClause takes the clause away, or one of its values, or a statement of it.
func (m *finder) caseClause(c *ast.CaseClause) {
	m.replace(c, "")
	m.dropFrom(c.List)
	m.dropStatements(c.Body)
	for _, cond := range c.List {
		if t := m.info.TypeOf(cond); t != nil && types.Identical(t.Underlying(), types.Typ[types.Bool]) {
			if _, literal := cond.(*ast.Ident); !literal {
				m.negate(cond)
			}
		}
	}
}

// dropFrom takes each element out of a list of at least two.
func (m *finder) dropFrom(list []ast.Expr) {
	for i, e := range list {
		switch {
		case len(list) == 1:
		case i < len(list)-1:
			m.add(m.offset(e.Pos()), m.offset(list[i+1].Pos()), "")
		default:
			m.add(m.offset(list[i-1].End()), m.offset(e.End()), "")
		}
	}
}

// dropElements takes each element out of a literal. A field whose value is a constant is left to
// the operators on constants; a word that is a key, or an element, only goes as a whole.
func (m *finder) dropElements(c *ast.CompositeLit) {
	for i, e := range c.Elts {
		value := e
		m.keys[e] = true
		if pair, ok := e.(*ast.KeyValueExpr); ok {
			value = pair.Value
			m.keys[pair.Key] = true
			if _, field := m.info.TypeOf(c).Underlying().(*types.Struct); field && m.isConstant(value) {
				continue
			}
		}
		switch last := i == len(c.Elts)-1; {
		case len(c.Elts) == 1:
			m.add(m.offset(c.Lbrace)+1, m.offset(c.Rbrace), "")
		case last:
			m.add(m.offset(c.Elts[i-1].End()), m.offset(e.End()), "")
		default:
			m.add(m.offset(e.Pos()), m.offset(c.Elts[i+1].Pos()), "")
		}
	}
}

// isConstant reports whether an expression is a literal, true or false.
func (m *finder) isConstant(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.Ident:
		return m.info.Types[e].Value != nil && (e.Name == "true" || e.Name == "false")
	}
	return false
}

// forgetError returns nil where an error is returned.
func (m *finder) forgetError(r *ast.ReturnStmt) {
	if len(r.Results) == 0 {
		return
	}
	last := r.Results[len(r.Results)-1]
	t := m.info.TypeOf(last)
	if _, tuple := t.(*types.Tuple); tuple || t == nil || m.textOf(last) == "nil" {
		return
	}
	fault := types.Universe.Lookup("error").Type()
	if types.Implements(t, fault.Underlying().(*types.Interface)) {
		m.replace(last, "nil")
	}
}

// constant takes a number for the next one, and a word for another. Sentences are left alone.
func (m *finder) constant(l *ast.BasicLit) {
	switch l.Kind {
	case token.INT:
		if l.Value == "0" && m.info.TypeOf(l).String() == "time.Duration" {
			return // a nanosecond is no time
		}
		if n, err := strconv.ParseInt(l.Value, 0, 64); err == nil {
			m.replace(l, strconv.FormatInt(n+1, 10))
		}
	case token.STRING:
		word, err := strconv.Unquote(l.Value)
		if err == nil && word != "" && !isSentence(l) && !m.keys[l] {
			m.replace(l, strconv.Quote(word+"~"))
		}
	}
}

func (m *finder) truth(n *ast.Ident) {
	if m.info.Uses[n] == types.Universe.Lookup("true") {
		m.replace(n, "false")
	}
	if m.info.Uses[n] == types.Universe.Lookup("false") {
		m.replace(n, "true")
	}
}

// swapArguments takes two neighbouring arguments of one type for each other. Those of a variadic
// parameter are a list, of which the order seldom means anything, except behind a format.
func (m *finder) swapArguments(c *ast.CallExpr) {
	f, ok := m.info.TypeOf(c.Fun).(*types.Signature)
	if !ok {
		return
	}
	n := len(c.Args)
	if f.Variadic() {
		list, ok := f.Params().At(f.Params().Len() - 1).Type().(*types.Slice)
		if !ok {
			return // append(bytes, text...)
		}
		if i, ok := list.Elem().Underlying().(*types.Interface); !ok || !i.Empty() {
			n = f.Params().Len() - 1
		}
	}
	for i := range min(n, len(c.Args)) - 1 {
		a, b := c.Args[i], c.Args[i+1]
		ta, tb := m.info.TypeOf(a), m.info.TypeOf(b)
		if ta == nil || tb == nil || !types.Identical(types.Default(ta), types.Default(tb)) ||
			m.symmetric(c) || isSentence(a) || isSentence(b) {
			continue
		}
		lo, mid, next, hi := m.offset(a.Pos()), m.offset(a.End()), m.offset(b.Pos()), m.offset(b.End())
		if first, second := m.textOf(a), m.textOf(b); first != second {
			m.add(lo, hi, second+string(m.text[mid:next])+first)
		}
	}
}

// isSentence reports whether an expression is a text for people, or a format of one.
func isSentence(e ast.Expr) bool {
	l, ok := e.(*ast.BasicLit)
	return ok && l.Kind == token.STRING && strings.ContainsAny(l.Value, " %")
}

// symmetric reports whether a call means the same with its arguments swapped.
func (m *finder) symmetric(c *ast.CallExpr) bool {
	name := types.ExprString(c.Fun)
	return slices.Contains([]string{
		"max", "min", "maps.Equal", "slices.Equal", "strings.EqualFold", "bytes.Equal",
		"strings.ContainsAny", "reflect.DeepEqual",
	}, name)
}
