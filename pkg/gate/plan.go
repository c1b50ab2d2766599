package gate

import (
	"fmt"
	"slices"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/document"
	"aws-provider-executor/pkg/protocol"
)

// ParsePlans reads plans, in YAML or JSON: one, a list of them, several documents, or an object
// that has them as actionPlans, beside the selection that they are of. The error is a
// document.Faults.
func ParsePlans(data []byte) ([]Plan, error) {
	plans, is, err := PlansOfList(data)
	if !is {
		nodes, unread := document.Parse(data)
		if unread != nil {
			return nil, unread
		}
		plans, err = PlansIn(nodes)
	}
	all := make([]Plan, plans.Len())
	for i := range all {
		all[i] = plans.At(i)
	}
	return all, err
}

// PlansOfList reads a file that is one list of plans in JSON, and reports whether it is. There may
// be very many.
func PlansOfList(data []byte) (plans *Plans, is bool, err error) {
	var r planReader
	n := 0
	is = document.EachItem(data, func(item *document.Node) {
		r.plan(item, fmt.Sprintf("[%d]", n))
		n++
	})
	if !is {
		return nil, false, nil
	}
	plans, err = r.all()
	return plans, true, err
}

// PlansIn reads the plans of a file that was parsed. It uses the nodes up: of many plans they take
// more room than the plans.
func PlansIn(nodes []*document.Node) (*Plans, error) {
	var r planReader
	for i, n := range nodes {
		path := ""
		if len(nodes) > 1 {
			path = fmt.Sprintf("plan %d", i+1)
		}
		r.document(n, path)
	}
	return r.all()
}

// all are the plans that were read; there is one at least.
func (r *planReader) all() (*Plans, error) {
	if r.plans.Len() == 0 && len(r.Faults) == 0 {
		r.Add(0, "", "there is no plan in it")
	}
	return &r.plans, r.Err()
}

type planReader struct {
	document.Faults
	plans Plans
}

func (r *planReader) document(n *document.Node, path string) {
	switch {
	case n.Kind == document.List:
		r.Each(n, path, r.plan)
	case n.Kind == document.Object && len(n.Entries) == 1 && n.Entries[0].Key == "actionPlans":
		r.Each(n.Entries[0].Value, "actionPlans", r.plan)
	case n.Kind == document.Object && hasEntry(n, "selection"):
		r.selected(n, path)
	default:
		r.plan(n, path)
	}
}

func (r *planReader) plan(n *document.Node, path string) {
	p := Plan{Lines: linesOf(n)}
	text := func(to *string) func(*document.Node, string) {
		return func(n *document.Node, path string) { *to = r.String(n, path) }
	}
	loose := func(to *string) func(*document.Node, string) {
		return func(n *document.Node, path string) {
			if n.Kind != document.Text || n.Text != "" {
				*to = r.String(n, path)
			}
		}
	}
	strings := func(to *map[string]string) func(*document.Node, string) {
		return func(n *document.Node, path string) { *to = r.Map(n, path) }
	}
	r.Fields(n, path,
		document.Field{Name: "name", Read: loose(&p.Name)},
		document.Field{Name: "provider", Required: true, Read: text(&p.Provider)},
		document.Field{Name: "action", Required: true, Read: text(&p.Action)},
		document.Field{Name: "target", Required: true, Read: strings(&p.Target)},
		document.Field{Name: "providerRef", Read: loose(&p.ProviderRef)},
		document.Field{Name: "mode", Read: loose(&p.Mode)},
		document.Field{Name: "description", Read: loose(&p.Description)},
		document.Field{Name: "riskLevel", Read: loose(&p.RiskLevel)},
		document.Field{Name: "idempotencyKey", Required: true, Read: text(&p.IdempotencyKey)},
		document.Field{Name: "parameters", Read: strings(&p.Parameters)},
		// What a planner expects is for people to read beside its plan.
		document.Field{Name: "expectedEffects", Read: func(n *document.Node, path string) {
			r.Strings(n, path)
		}},
		document.Field{Name: "selected", Read: func(n *document.Node, path string) {
			p.Selected = &Selected{}
			r.Fields(n, path,
				document.Field{Name: "digest", Required: true, Read: text(&p.Selected.Digest)},
				document.Field{Name: "node", Required: true, Read: text(&p.Selected.Node)},
			)
		}},
		document.Field{Name: "undo", Read: func(n *document.Node, path string) {
			p.Undo = &Undo{}
			r.Fields(n, path,
				document.Field{Name: "action", Required: true, Read: text(&p.Undo.Action)},
				document.Field{Name: "parameters", Read: strings(&p.Undo.Parameters)},
			)
		}},
	)
	r.plans.Add(p)
	n.Entries = nil
}

// LineOf is the line of a value in a document. The path is as in target.nicRef, and empty for the
// plan itself.
type LineOf struct {
	Path string
	Line int
}

// linesOf are the lines of an object and of what is in it. What is on the line of what is around it
// is left out.
func linesOf(n *document.Node) []LineOf {
	return appendLines([]LineOf{{Line: n.Line}}, "", n.Line, n)
}

func appendLines(all []LineOf, path string, around int, n *document.Node) []LineOf {
	for _, e := range n.Entries {
		if e.Line == around && len(e.Value.Entries) == 0 {
			continue
		}
		at := e.Key
		if path != "" {
			at = protocol.Join(path, e.Key)
		}
		if e.Line != around {
			all = append(all, LineOf{at, e.Line})
		}
		all = appendLines(all, at, e.Line, e.Value)
	}
	return all
}

// line is where a fault of the plan is: the line of the value, or of the nearest around it. Zero is
// unknown.
func (p Plan) line(path string) int {
	for {
		if i := slices.IndexFunc(p.Lines, func(l LineOf) bool { return l.Path == path }); i >= 0 {
			return p.Lines[i].Line
		}
		path = path[:max(0, strings.LastIndexByte(path, '.'))]
		if path == "" && len(p.Lines) == 0 {
			return 0
		}
	}
}

// Complete gives a plan that does not say how it is undone the undo its verb has, and names
// everything that is wrong with it. The paths of the faults begin at the plan, as target.nicRef.
func (g *Gate) Complete(p *Plan) protocol.Faults {
	faults := g.faultsOf(p)
	for i := range faults {
		faults[i].Path = strings.TrimPrefix(faults[i].Path, "spec.")
	}
	return slices.Compact(faults)
}

// complete is Complete with each fault in words, and its line.
func (g *Gate) complete(p *Plan) []string {
	var texts []string
	for _, f := range g.Complete(p) {
		text := protocol.Faults{f}.Error()
		if line := p.line(f.Path); line > 0 {
			text = fmt.Sprintf("line %d: %s", line, text)
		}
		texts = append(texts, text)
	}
	return texts
}

func (g *Gate) faultsOf(p *Plan) protocol.Faults {
	verb, known := g.Registry.Resolve(p.Request(protocol.Execute))
	if known && p.Undo == nil && verb.Undo != "" {
		p.Undo = &Undo{Action: verb.Undo}
	}
	// The wire's own reader finds what the executor would refuse, credentials included.
	faults := protocol.Validate(p.Request(protocol.Execute))
	if !g.takes(p.Provider) {
		faults = append(
			faults,
			protocol.Fault{
				Path:   "spec.provider",
				Reason: fmt.Sprintf("is %s, want %s", protocol.Quote(p.Provider), g.providers()),
			},
		)
	}
	if !known {
		verbs := g.Registry.Of(p.Provider)
		faults = append(
			faults,
			protocol.Fault{
				Path: "spec.action",
				Reason: "is " + protocol.Quote(p.Action) + verbs.Meant(p.Action) +
					", want one of " + verbs.Names(),
			},
		)
	} else {
		_, more := g.Registry.Check(verb, p.Request(protocol.Execute))
		faults = append(faults, more...)
		faults = append(faults, g.keyFaults(*p, verb)...)
		faults = append(faults, g.undoFaults(*p, verb)...)
	}
	return faults
}

// keyFaults refuses the key of an undo for what takes nothing back: <key>:undo always means the
// action <key>, to executors, policies and people.
func (g *Gate) keyFaults(p Plan, verb action.Verb) protocol.Faults {
	_, undoes := g.Registry.Undone(verb, p.IdempotencyKey)
	if undoes || !strings.HasSuffix(p.IdempotencyKey, protocol.UndoKeySuffix) {
		return nil
	}
	return protocol.Faults{{Path: "spec.idempotencyKey", Reason: fmt.Sprintf(
		"is %s, the key of an undo, and %s takes nothing back: give it a key of its own",
		protocol.Quote(p.IdempotencyKey), verb.Name)}}
}

// withoutUndo refuses a plan that nothing undoes, unless the policy takes it.
func (g *Gate) withoutUndo(p Plan, verb action.Verb) protocol.Faults {
	mend := "; add " + p.Action + " to allowedActions"
	switch {
	case g.Policy != nil && g.Policy.AllowsIrreversible(p.Action, verb.Irreversible):
		return nil
	case verb.Irreversible:
		mend = "; write allowIrreversible: true"
	}
	return protocol.Faults{{Path: "undo",
		Reason: p.Action + " can't be undone, and the policy does not take that" + mend}}
}

// undoFaults finds why the undo can't be described.
func (g *Gate) undoFaults(p Plan, verb action.Verb) protocol.Faults {
	var undoVerb action.Verb
	if p.Undo != nil {
		undoVerb, _ = g.Registry.Resolve(Action{Plan: p}.undoRequest(protocol.Execute))
	}
	fault := func(path, reason string) protocol.Faults {
		return protocol.Faults{{Path: path,
			Reason: reason}}
	}
	switch {
	case p.Undo == nil:
		return g.withoutUndo(p, verb)
	case verb.Undo == "" && takesAgain(undoVerb, verb):
	case verb.Undo == "":
		return fault(
			"undo",
			p.Action+" can't be undone, and the plan says that "+protocol.Quote(
				p.Undo.Action,
			)+" does; take undo out",
		)
	case verb.Undo != "" && undoVerb.Name != verb.Undo:
		return fault(
			"undo.action",
			"is "+protocol.Quote(p.Undo.Action)+", and what undoes "+p.Action+" is "+verb.Undo,
		)
	}
	if len(p.Undo.Parameters) == 0 {
		// What else an undo is made of is the plan's own, or comes with the facts.
		return nil
	}
	request := Action{Plan: p}.undoRequest(protocol.Execute)
	faults := protocol.Validate(request)
	undo, more := g.Registry.Check(undoVerb, request)
	var own protocol.Faults
	for _, f := range slices.Concat(faults, more, undo.Strays.Doubts) {
		name, isParameter := strings.CutPrefix(f.Path, "spec.parameters.")
		// A required parameter is one that the forward action's facts bring.
		if _, given := p.Undo.Parameters[name]; isParameter && given {
			own = append(own, protocol.Fault{Path: "undo.parameters." + name, Reason: f.Reason})
		}
	}
	return own
}

// takesAgain reports whether a verb brings about what the other one takes away. A core's planner
// names it as the undo of a release.
func takesAgain(verb, release action.Verb) bool {
	return verb.Name != "" && verb.Undo == release.Name
}
