package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/nodes/sshcommand"
	display "aws-provider-executor/pkg/printable"
	"aws-provider-executor/pkg/selection"
)

func (a *app) plan() *cobra.Command {
	c := &cobra.Command{
		Use:   "plan VERB",
		Short: "write a plan, for import",
		Long: `plan writes the plan of one action, as import takes it, and changes nothing. Its flags
are the fields of the verb, whose help lists them; the region may be that of AWS_REGION. Plans can
be put into one file. With --nodes it writes a plan for each node of a filter, and the frozen list
of them that each plan is bound to.`,
		Example: `  actionctl plan assign-secondary-ip --nic eni-0123456789abcdef0 \
    --address 10.88.60.9 --region ap-northeast-1 --key lab/assign > plan.yaml
  actionctl plan stop-instances --key maint-7 --param tag=env=lab \
    --nodes 'region=us-west*,tag:Name=web*,!tag:env=prod' > plans.yaml`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("there is no action %q%s; there are %s", args[0], a.Registry.Meant(args[0]),
					a.Registry.Names())
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	for _, v := range a.Registry.Verbs() {
		c.AddCommand(a.planOf(v))
	}
	return c
}

// firstSentence is the first sentence of a text, without its period.
func firstSentence(text string) string {
	first, _, _ := strings.Cut(text, ". ")
	return strings.TrimSuffix(unquoted(first), ".")
}

// planning is what a plan is made of.
type planning struct {
	verb  action.Verb
	plan  gate.Plan
	flags []fieldFlag
	// params are fields as KEY=VALUE.
	params []string
	nodes  selecting
}

// fieldFlag is the flag of a field. That of a family takes KEY=VALUE, once for each member.
type fieldFlag struct {
	action.Field
	name, text string
	members    []string
	isTarget   bool
}

func (a *app) planOf(v action.Verb) *cobra.Command {
	p := &planning{verb: v, flags: flagsOf(v), nodes: selecting{nodeCommands: nodeCommands{app: a}}}
	c := &cobra.Command{
		Use:     v.Name + " --key KEY" + requiredFlags(p.flags),
		Short:   firstSentence(v.Doc),
		Long:    p.about() + a.byHand(v),
		Example: a.examplesOf(p),
		Args:    commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("nodes") {
				return a.planForNodes(c.Context(), p)
			}
			if err := p.nodes.onlyWithNodes(c); err != nil {
				return err
			}
			return a.writePlan(p)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.Var(&once{to: &p.plan.IdempotencyKey}, "key",
		"the idempotency `key`: an action that has it runs once (required)")
	for i := range p.flags {
		p.flags[i].add(c)
	}
	f.StringArrayVar(&p.params, "param", nil,
		"a field as `KEY=VALUE`, by the name that requests have for it; may be given several times")
	if kind, _ := selection.Kind(v); kind != "" {
		p.nodes.flags(c)
	}
	f.Var(&once{to: &p.plan.ProviderRef}, "provider-ref",
		"the `name` of the provider's account, for the policy")
	f.Var(&once{to: &p.plan.Name}, "name", "a short `name` of the plan, for people")
	f.Var(&once{to: &p.plan.Description}, "description", "a `text` on why, for people")
	f.Var(&once{to: &p.plan.RiskLevel}, "risk", "your own word on the risk, as a `level`")
	return c
}

// about is what the help says of a verb's plan.
func (p *planning) about() string {
	text := p.verb.Doc
	switch {
	case p.verb.Undo != "":
		text += "\nIt is undone by " + p.verb.Undo + "."
	case p.verb.Irreversible:
		text += "\nNothing undoes it: it is only let through with allowIrreversible: true in the policy."
	default:
		text += "\nNothing undoes it: import takes it only under a policy that allows it by its name."
	}
	if p.verb.Risk.Doc != "" {
		text += "\nRisk: " + string(p.verb.Risk.Level) + ". " + p.verb.Risk.Doc
	}
	return text
}

// byHand is what the help says of a verb that runs on machines which were added by hand, too.
func (a *app) byHand(v action.Verb) string {
	manual, ok := a.onManual(v)
	if !ok {
		return ""
	}
	var names []string
	for _, f := range flagsOf(manual) {
		if !f.isTarget {
			names = append(names, f.spelt(""))
		}
	}
	return "\n\nOn machines that were added by hand (actionctl nodes add) it runs by SSH, in " +
		"actionctl itself: choose them by --nodes, with manual among the policy's " +
		"allowedProviders. Of the flags these mean something there: " +
		strings.Join(names, ", ") + "."
}

// spelt is how a field is given: one of a family as KEY=VALUE by the flag of that.
func (f *fieldFlag) spelt(value string) string {
	if family, key, ok := strings.Cut(f.Field.Name, "."); ok && !strings.Contains(key, "<") {
		return "--" + family + " " + quoted(key+"="+value)
	}
	return strings.TrimSpace("--" + f.name + " " + value)
}

// onManual is the verb of the same name that runs on machines which were added by hand.
func (a *app) onManual(v action.Verb) (action.Verb, bool) {
	manual, ok := a.Registry.Of(sshcommand.Provider).Lookup(v.Name)
	kind, _ := selection.Kind(manual)
	return manual, ok && kind == action.Node
}

// examplesOf are command lines with what is required, by the examples of the forms: for one target,
// for the nodes of a filter, and for machines that were added by hand, as far as the verb has
// these.
func (a *app) examplesOf(p *planning) string {
	lines := []string{p.example("my-change/1")}
	isOne := func(f fieldFlag) bool { return f.Required && f.Exclusive }
	if kind, field := selection.Kind(p.verb); kind != "" && !slices.ContainsFunc(p.flags, isOne) {
		lines = append(lines, p.example("my-change/2", "tag:Name=web*,!tag:env=prod", field, "region"))
	}
	if manual, ok := a.onManual(p.verb); ok {
		_, field := selection.Kind(manual)
		of := planning{verb: manual, flags: flagsOf(manual)}
		lines = append(lines, of.example("my-change/3", "type=manual", field))
	}
	return "  " + strings.Join(lines, "\n  ")
}

// example is one command line. With a filter it leaves out the fields that each node says itself.
func (p *planning) example(key string, nodes ...string) string {
	parts := []string{"actionctl plan " + p.verb.Name, "--key " + key}
	if len(nodes) > 0 {
		parts = append(parts, "--nodes "+quoted(nodes[0]))
	}
	for _, f := range p.flags {
		switch {
		case len(nodes) > 0 && slices.Contains(nodes[1:], f.Field.Name):
		case f.Required:
			parts = append(parts, f.spelt(quoted(f.Form.Example)))
		case f.Key.Name != "" && f.name == "parameter":
			parts = append(parts, "--"+f.name+" "+quoted(f.Key.Example+"="+f.Form.Example))
		}
	}
	return commands.Continued(parts)
}

func requiredFlags(flags []fieldFlag) string {
	text := ""
	for _, f := range flags {
		if f.Required {
			text += " --" + f.name + " " + valueName(f.Field)
		}
	}
	return text
}

// flagsOf are the flags of a verb's fields: those of its target first.
func flagsOf(v action.Verb) []fieldFlag {
	var all []fieldFlag
	for _, f := range v.Target {
		all = append(all, fieldFlag{Field: f, name: flagName(f), isTarget: true})
	}
	for _, f := range v.Parameters {
		all = append(all, fieldFlag{Field: f, name: flagName(f)})
	}
	// A field that is called as a flag of every plan is field-NAME.
	for i, own := 0, ownFlags(v); i < len(all); i++ {
		if slices.Contains(own, all[i].name) {
			all[i].name = "field-" + all[i].name
		}
	}
	return all
}

// ownFlags are those that a verb's plan has beside its fields.
func ownFlags(v action.Verb) []string {
	own := []string{"key", "param", "provider-ref", "name", "description", "risk", "help"}
	if kind, _ := selection.Kind(v); kind != "" {
		own = append(own, "nodes", "bare-tags", "interface", "store")
	}
	return own
}

// flagName is a field's name as flags are written: nicRef is nic, and interface<N>Sg interface-sg.
func flagName(f action.Field) string {
	var b strings.Builder
	for _, r := range strings.TrimSuffix(strings.TrimSuffix(f.Of(""), "Ref"), ".") {
		if unicode.IsUpper(r) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// valueName stands for a value in a help.
func valueName(f action.Field) string {
	words := strings.Fields(strings.ToUpper(strings.ReplaceAll(flagName(f), "-", " ")))
	return words[len(words)-1]
}

func (f *fieldFlag) add(c *cobra.Command) {
	doc := f.Doc
	if f.Required {
		doc += " (required)"
	}
	switch {
	case f.Family():
		_, placeholder, _ := strings.Cut(f.Name, "<")
		placeholder, _, _ = strings.Cut(placeholder, ">")
		c.Flags().StringArrayVar(&f.members, f.name, nil,
			unquoted(doc)+"; `"+placeholder+"=VALUE`, as often as needed")
	default:
		v := &fieldValue{once{to: &f.text}, kindOf(f.Form)}
		flag := c.Flags().VarPF(v, f.name, "", unquoted(doc))
		switch {
		case v.kind != "bool":
		case f.Required:
			v.kind = "boolean"
		default:
			flag.NoOptDefVal = "true"
		}
	}
}

// fieldValue is the text of a field; its kind stands for it in the help.
type fieldValue struct {
	once
	kind string
}

func (v *fieldValue) Type() string { return v.kind }

// kindOf is one word for a form.
func kindOf(f action.Form) string {
	words := strings.Fields(strings.SplitN(f.Name, ",", 2)[0])
	switch last := words[len(words)-1]; {
	case strings.Trim(last, "0123456789") == "":
		return "number"
	case f.Name == action.Boolean.Name:
		return "bool"
	case words[0] == "one":
		return "word"
	case last == "destination" || last == "target":
		return strings.ToLower(words[0])
	default:
		return strings.ToLower(last)
	}
}

// unquoted takes out the quotes that mark a flag's value in its documentation.
func unquoted(doc string) string { return strings.ReplaceAll(doc, "`", "") }

// fill puts the values of the flags into the plan.
func (p *planning) fill() error {
	p.plan.Action = p.verb.Name
	p.plan.Target, p.plan.Parameters = map[string]string{}, map[string]string{}
	var wrong []string
	for _, f := range p.flags {
		to := p.plan.Parameters
		if f.isTarget {
			to = p.plan.Target
		}
		if f.text != "" {
			to[f.Name] = f.text
		}
		for _, m := range f.members {
			member, value, ok := strings.Cut(m, "=")
			if !ok || !f.Matches(f.Of(member)) {
				wrong = append(wrong, fmt.Sprintf("--%s: is %q, want it as %s=%s",
					f.name, m, f.Key.Example, f.Form.Example))
				continue
			}
			to[f.Of(member)] = value
		}
	}
	wrong = append(wrong, p.fillParams()...)
	if len(wrong) > 0 {
		return usage("%s", strings.Join(wrong, "\n"))
	}
	return nil
}

// fillParams puts what was given by the names of fields into the plan, and says what is wrong.
func (p *planning) fillParams() (wrong []string) {
	for _, param := range p.params {
		name, value, ok := strings.Cut(param, "=")
		i := slices.IndexFunc(p.flags, func(f fieldFlag) bool { return f.Matches(name) })
		if !ok || i < 0 {
			wrong = append(wrong, fmt.Sprintf("--param: is %q, want KEY=VALUE with a key of %s: %s",
				param, p.verb.Name, p.fieldNames()))
			continue
		}
		to := p.plan.Parameters
		if p.flags[i].isTarget {
			to = p.plan.Target
		}
		if was, twice := to[name]; twice && was != value {
			wrong = append(wrong, fmt.Sprintf("--param: %s is given twice, as %q and %q", name, was, value))
		}
		to[name] = value
	}
	return wrong
}

func (p *planning) fieldNames() string {
	names := make([]string, len(p.flags))
	for i, f := range p.flags {
		names[i] = f.Name
	}
	return strings.Join(names, ", ")
}

// providerOf is the provider that plans of a verb name.
func (a *app) providerOf(v action.Verb) string {
	return cmp.Or(a.Registry.ProviderOf(v.Name), a.Provider)
}

// writePlan writes the plan, or names everything that is wrong with it.
func (a *app) writePlan(p *planning) error {
	badMembers := p.fill()
	p.plan.Provider = a.providerOf(p.verb)
	if region, name := a.ownRegion(); p.plan.Target["region"] == "" && region != "" {
		p.plan.Target["region"] = region
		a.tell("the region is %s, as %s says", printable(region), name)
	}
	g, err := a.gate()
	if err != nil {
		return err
	}
	var wrong []string
	if badMembers != nil {
		wrong = append(wrong, badMembers.Error())
	}
	for _, f := range g.Complete(&p.plan) {
		reason := f.Reason
		if f.Path == "idempotencyKey" && p.plan.IdempotencyKey == "" {
			reason = "is required: the key, which no other action has"
		}
		wrong = append(wrong, p.called(f.Path)+": "+reason)
	}
	if len(wrong) > 0 {
		return usage("this is no plan of %s; see actionctl plan %s --help:\n  %s", p.verb.Name,
			p.verb.Name, strings.Join(wrong, "\n  "))
	}
	if err := a.printPlan(p); err != nil {
		return err
	}
	a.hint("to go on, keep it in a file: %s", a.command("import", []string{"-f", "FILE"}, ""))
	return nil
}

// called is the flag of a path in the plan, or the path where it has none.
func (p *planning) called(path string) string {
	if path == "idempotencyKey" {
		return "--key"
	}
	for _, f := range p.flags {
		if name, ok := strings.CutPrefix(path, "target."); ok && f.isTarget && f.Matches(name) {
			return "--" + f.name
		}
		if name, ok := strings.CutPrefix(path, "parameters."); ok && !f.isTarget && f.Matches(name) {
			return "--" + f.name
		}
	}
	return path
}

// printPlan writes the plan with the names that import reads, and what it does as a comment.
func (a *app) printPlan(p *planning) error {
	n := p.node()
	var b bytes.Buffer
	if a.format == "json" {
		return a.printDocument(json.RawMessage(asJSON(n)))
	}
	n.HeadComment = p.verb.Doc
	if p.plan.Undo != nil {
		n.HeadComment += "\nUndone by " + p.plan.Undo.Action + "."
	}
	b.WriteString("---\n")
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		return err
	}
	_, err := a.stdout.Write(display.YAML(b.Bytes()))
	return err
}

// asJSON writes objects of texts in their order.
func asJSON(n *yaml.Node) []byte {
	if n.Kind == yaml.ScalarNode {
		text, _ := json.Marshal(n.Value)
		return text
	}
	var b bytes.Buffer
	for i := 0; i+1 < len(n.Content); i += 2 {
		b.WriteByte("{,"[min(i, 1)])
		b.Write(asJSON(n.Content[i]))
		b.WriteByte(':')
		b.Write(asJSON(n.Content[i+1]))
	}
	b.WriteByte('}')
	return b.Bytes()
}

// node is the plan in the order in which people read it. Texts stay texts: a reader of YAML 1.1
// takes yes for a Boolean.
func (p *planning) node() *yaml.Node {
	object := &yaml.Node{Kind: yaml.MappingNode}
	text := func(s string) *yaml.Node {
		n := &yaml.Node{}
		_ = n.Encode(s)
		return n
	}
	add := func(name string, value *yaml.Node) {
		object.Content = append(object.Content, text(name), value)
	}
	texts := func(name string, m map[string]string) {
		if len(m) == 0 {
			return
		}
		all := &yaml.Node{Kind: yaml.MappingNode}
		for _, k := range slices.Sorted(maps.Keys(m)) {
			all.Content = append(all.Content, text(k), text(m[k]))
		}
		add(name, all)
	}
	for _, f := range []struct{ name, value string }{
		{"name", p.plan.Name}, {"description", p.plan.Description}, {"provider", p.plan.Provider},
		{"providerRef", p.plan.ProviderRef}, {"action", p.plan.Action},
		{"riskLevel", p.plan.RiskLevel}, {"idempotencyKey", p.plan.IdempotencyKey},
	} {
		if f.value != "" {
			add(f.name, text(f.value))
		}
	}
	texts("target", p.plan.Target)
	texts("parameters", p.plan.Parameters)
	if u := p.plan.Undo; u != nil {
		add("undo", &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{
			text("action"), text(u.Action),
		}})
	}
	if s := p.plan.Selected; s != nil {
		texts("selected", map[string]string{"digest": s.Digest, "node": s.Node})
	}
	return object
}
