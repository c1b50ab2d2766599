package configtext

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/template/parse"
)

// Templates are read by Go's own parser. What they may do is a closed set, and means what it means
// in text/template. That package calls methods by their names, for which the linker keeps every
// method that is linked: 25 MB of the SDK. TestTemplatesAreGos holds the two side by side.

const (
	// maxDepth is how deep templates may call each other.
	maxDepth = 100
	// maxSteps is how many parts of templates, and rounds of ranges, an execution may have. A
	// configuration of maxText bytes has fewer.
	maxSteps = 4 << 20
)

// program is a template that was found to use nothing but what is known here.
type program struct {
	root *parse.Tree
	// all are the templates that it defines, by name.
	all map[string]*parse.Tree
}

// parsed reads a template, and refuses what this package does not know.
func parsed(t Template) (*program, error) {
	all, err := parse.Parse(t.Name, t.Text, "", "", knownFunctions())
	if err != nil {
		return nil, err
	}
	p := &program{root: all[t.Name], all: all}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := p.check(all[name].Root); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// refuse is an error about a place in a template.
func (p *program) refuse(n parse.Node, text string) error {
	return errors.New("template: " + p.place(n) + ": " + text)
}

// place is the name, line and column of a node.
func (p *program) place(n parse.Node) string {
	place, _ := p.root.ErrorContext(n)
	return place
}

// check refuses what a part of a template may not do.
func (p *program) check(n parse.Node) error {
	switch n := n.(type) {
	case *parse.ListNode:
		return p.checkList(n)
	case *parse.TextNode, *parse.CommentNode, *parse.BreakNode, *parse.ContinueNode:
		return nil
	case *parse.ActionNode:
		return p.checkPipe(n.Pipe)
	case *parse.IfNode:
		return p.checkBranch(&n.BranchNode)
	case *parse.WithNode:
		return p.checkBranch(&n.BranchNode)
	case *parse.RangeNode:
		return p.checkBranch(&n.BranchNode)
	case *parse.TemplateNode:
		if p.all[n.Name] == nil {
			return p.refuse(n, fmt.Sprintf("there is no template %q", n.Name))
		}
		return p.checkPipe(n.Pipe)
	}
	return p.refuse(n, "a template may not do this")
}

func (p *program) checkList(list *parse.ListNode) error {
	if list == nil {
		return nil
	}
	for _, n := range list.Nodes {
		if err := p.check(n); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) checkBranch(b *parse.BranchNode) error {
	if err := p.checkPipe(b.Pipe); err != nil {
		return err
	}
	if err := p.checkList(b.List); err != nil {
		return err
	}
	return p.checkList(b.ElseList)
}

func (p *program) checkPipe(pipe *parse.PipeNode) error {
	if pipe == nil {
		return nil
	}
	for i, command := range pipe.Cmds {
		_, calls := command.Args[0].(*parse.IdentifierNode)
		if !calls && (i > 0 || len(command.Args) > 1) {
			return p.refuse(command, "only a function takes values")
		}
		for _, n := range command.Args {
			if err := p.checkValue(n); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *program) checkValue(n parse.Node) error {
	switch n := n.(type) {
	case *parse.PipeNode:
		return p.checkPipe(n)
	case *parse.ChainNode:
		return p.checkValue(n.Node)
	case *parse.NumberNode:
		if _, err := strconv.Atoi(n.Text); err != nil || !n.IsInt {
			return p.refuse(n, "a number is a whole one, in decimal digits")
		}
	case *parse.NilNode:
		return p.refuse(n, "there is no nil")
	}
	return nil
}

// run is one execution of a program.
type run struct {
	*program
	w io.Writer
	// vars are the variables that are known, the innermost last.
	vars []variable
	// depth is how many templates are being executed, each by the one before.
	depth int
	// steps are how many are left. All templates of an execution have them in common.
	steps *int
	// at is where the run is.
	at parse.Node
}

type variable struct {
	name  string
	value any
}

// errWrongUse means that a template names what is not there, or uses it for what it is not.
var errWrongUse = errors.New("it names what is not there, or uses it wrongly")

// These end a round of a range.
var (
	errBreak    = errors.New("break")
	errContinue = errors.New("continue")
)

// execute writes what a template makes of values. No error has a value in it.
func (p *program) execute(w io.Writer, v Values) error {
	steps := maxSteps
	r := &run{program: p, w: w, vars: []variable{{"$", v}}, steps: &steps}
	err := r.list(v, p.root.Root)
	if err == nil || errors.Is(err, errTooLong) {
		return err
	}
	return fmt.Errorf("template: %s: %w", p.place(r.at), err)
}

func (r *run) list(dot any, list *parse.ListNode) error {
	if list == nil {
		return nil
	}
	for _, n := range list.Nodes {
		if err := r.walk(dot, n); err != nil {
			return err
		}
	}
	return nil
}

// errEndless is no errWrongUse: each step may be right.
var errEndless = fmt.Errorf("it goes on for more than %d steps", maxSteps)

// step counts one part of a template, or one round of a range.
func (r *run) step() error {
	if *r.steps--; *r.steps < 0 {
		return errEndless
	}
	return nil
}

func (r *run) walk(dot any, n parse.Node) error {
	r.at = n
	if err := r.step(); err != nil {
		return err
	}
	switch n := n.(type) {
	case *parse.TextNode:
		_, err := r.w.Write(n.Text)
		return err
	case *parse.ActionNode:
		// A variable that it declares is known until the next end.
		value, err := r.pipe(dot, n.Pipe)
		if err != nil || len(n.Pipe.Decl) > 0 {
			return err
		}
		if value == nil {
			value = "<no value>"
		}
		_, err = fmt.Fprint(r.w, value)
		return err
	case *parse.IfNode:
		return r.branch(dot, &n.BranchNode, false)
	case *parse.WithNode:
		return r.branch(dot, &n.BranchNode, true)
	case *parse.RangeNode:
		return r.each(dot, n)
	case *parse.TemplateNode:
		return r.call(dot, n)
	case *parse.BreakNode:
		return errBreak
	case *parse.ContinueNode:
		return errContinue
	}
	return nil
}

// forget forgets the variables that came after the first ones, so many.
func (r *run) forget(first int) { r.vars = r.vars[:first] }

// branch executes one part of an if, or of a with, for which the value is the dot.
func (r *run) branch(dot any, b *parse.BranchNode, with bool) error {
	defer r.forget(len(r.vars))
	value, err := r.pipe(dot, b.Pipe)
	switch {
	case err != nil:
		return err
	case !truth(value):
		return r.list(dot, b.ElseList)
	case with:
		return r.list(value, b.List)
	}
	return r.list(dot, b.List)
}

// call executes another template. It knows no variable but $.
func (r *run) call(dot any, n *parse.TemplateNode) error {
	dot, err := r.pipe(dot, n.Pipe)
	if err != nil {
		return err
	}
	if r.depth == maxDepth {
		return fmt.Errorf("templates call each other more than %d times deep", maxDepth)
	}
	of := *r
	of.vars, of.depth = []variable{{"$", dot}}, r.depth+1
	err = of.list(dot, r.all[n.Name].Root)
	r.at = of.at
	return err
}

// item is what a round of a range is for.
type item struct{ key, value any }

// items are what a value is ranged over for. Numbers have no key.
func items(of any) ([]item, error) {
	var all []item
	switch of := of.(type) {
	case nil:
	case []Tunnel:
		for i, t := range of {
			all = append(all, item{i, t})
		}
	case map[string]string:
		for _, key := range slices.Sorted(maps.Keys(of)) {
			all = append(all, item{key, of[key]})
		}
	default:
		return nil, errWrongUse
	}
	return all, nil
}

func (r *run) each(dot any, n *parse.RangeNode) error {
	defer r.forget(len(r.vars))
	of, err := r.pipe(dot, n.Pipe)
	if err != nil {
		return err
	}
	if count, ok := of.(int); ok {
		if len(n.Pipe.Decl) > 1 {
			return errWrongUse
		}
		for i := range count {
			if over, err := r.round(n, item{nil, i}); over {
				return err
			}
		}
		if count > 0 {
			return nil
		}
		return r.none(dot, n)
	}
	all, err := items(of)
	if err != nil {
		return err
	}
	for _, i := range all {
		if over, err := r.round(n, i); over {
			return err
		}
	}
	if len(all) > 0 {
		return nil
	}
	return r.none(dot, n)
}

// none is what a range without a round comes to. A break in it ends this range, not one around it.
func (r *run) none(dot any, n *parse.RangeNode) error {
	if err := r.list(dot, n.ElseList); !errors.Is(err, errBreak) {
		return err
	}
	return nil
}

// round is one of a range. It reports whether that was the last one.
func (r *run) round(n *parse.RangeNode, i item) (over bool, err error) {
	defer r.forget(len(r.vars))
	if err := r.step(); err != nil {
		return true, err
	}
	names := n.Pipe.Decl
	values := []any{i.key, i.value}[2-min(len(names), 2):]
	for k, v := range values {
		if !n.Pipe.IsAssign {
			r.vars[len(r.vars)-len(names)+k].value = v
		} else if err := r.set(names[k].Ident[0], v); err != nil {
			return true, err
		}
	}
	switch err := r.list(i.value, n.List); {
	case errors.Is(err, errBreak):
		return true, nil
	case errors.Is(err, errContinue):
		return false, nil
	default:
		return err != nil, err
	}
}

// set gives the innermost variable of a name another value.
func (r *run) set(name string, value any) error {
	for i, v := range slices.Backward(r.vars) {
		if v.name == name {
			r.vars[i].value = value
			return nil
		}
	}
	return errWrongUse
}

// variable is the value of the innermost variable of a name. The parser takes a name for known in
// the pipeline that declares it.
func (r *run) variable(name string) (any, error) {
	for _, v := range slices.Backward(r.vars) {
		if v.name == name {
			return v.value, nil
		}
	}
	return nil, errWrongUse
}

// pipe is the value of a pipeline. What it declares is known from then on.
func (r *run) pipe(dot any, pipe *parse.PipeNode) (value any, err error) {
	if pipe == nil {
		return nil, nil
	}
	r.at = pipe
	var last []any
	for _, command := range pipe.Cmds {
		if name, ok := command.Args[0].(*parse.IdentifierNode); ok {
			value, err = r.apply(dot, name.Ident, command.Args[1:], last)
		} else {
			value, err = r.value(dot, command.Args[0])
		}
		if err != nil {
			return nil, err
		}
		last = []any{value}
	}
	for _, v := range pipe.Decl {
		if !pipe.IsAssign {
			r.vars = append(r.vars, variable{v.Ident[0], value})
		} else if err := r.set(v.Ident[0], value); err != nil {
			return nil, err
		}
	}
	return value, nil
}

func (r *run) value(dot any, n parse.Node) (any, error) {
	r.at = n
	switch n := n.(type) {
	case *parse.DotNode:
		return dot, nil
	case *parse.FieldNode:
		return fieldOf(dot, n.Ident)
	case *parse.VariableNode:
		of, err := r.variable(n.Ident[0])
		if err != nil {
			return nil, err
		}
		return fieldOf(of, n.Ident[1:])
	case *parse.ChainNode:
		of, err := r.value(dot, n.Node)
		if err != nil {
			return nil, err
		}
		return fieldOf(of, n.Field)
	case *parse.PipeNode:
		return r.pipe(dot, n)
	case *parse.IdentifierNode:
		return r.apply(dot, n.Ident, nil, nil)
	case *parse.StringNode:
		return n.Text, nil
	case *parse.NumberNode:
		return int(n.Int64), nil
	case *parse.BoolNode:
		return n.True, nil
	}
	return nil, errWrongUse
}

// fieldOf follows names from one value to the next.
func fieldOf(of any, names []string) (any, error) {
	for _, name := range names {
		var next any
		switch of := of.(type) {
		case Values:
			next = of.field(name)
		case Tunnel:
			next = of.field(name)
		case map[string]string:
			if text, ok := of[name]; ok {
				next = text
			}
		}
		if next == nil {
			return nil, errWrongUse
		}
		of = next
	}
	return of, nil
}

// field is what a template may name of the values; nil for none.
func (v Values) field(name string) any {
	switch name {
	case "Instance":
		return v.Instance
	case "Region":
		return v.Region
	case "Address":
		return v.Address
	case "Role":
		return v.Role
	case "PrimaryAddress":
		return v.PrimaryAddress
	case "SyncInterface":
		return v.SyncInterface
	case "Tunnels":
		return v.Tunnels
	case "ProbePort":
		return v.ProbePort
	case "Values":
		return v.Values
	case "Secrets":
		return v.Secrets
	}
	return nil
}

// field is what a template may name of a tunnel; nil for none.
func (t Tunnel) field(name string) any {
	switch name {
	case "Name":
		return t.Name
	case "Interface":
		return t.Interface
	case "Remote":
		return t.Remote
	case "Route":
		return t.Route
	}
	return nil
}

// truth reports whether a value is anything but empty, zero, false or none.
func truth(value any) bool {
	switch value := value.(type) {
	case nil:
		return false
	case bool:
		return value
	case int:
		return value != 0
	case string:
		return value != ""
	case []Tunnel:
		return len(value) > 0
	case map[string]string:
		return len(value) > 0
	}
	return true
}

// apply calls a function with the values of nodes, and with what the pipeline has so far.
func (r *run) apply(dot any, name string, nodes []parse.Node, last []any) (any, error) {
	all := make([]any, 0, len(nodes)+len(last))
	for _, n := range nodes {
		value, err := r.value(dot, n)
		if err != nil {
			return nil, err
		}
		if all = append(all, value); decides(name, value) {
			// The rest is not looked at.
			return value, nil
		}
	}
	f := functions[name]
	all = append(all, last...)
	if len(all) < f.least || f.most > 0 && len(all) > f.most || slices.Contains(all, nil) {
		return nil, errWrongUse
	}
	return f.of(all)
}

// decides reports whether a value settles what an and, or an or, comes to.
func decides(name string, value any) bool {
	return name == "and" && !truth(value) || name == "or" && truth(value)
}
