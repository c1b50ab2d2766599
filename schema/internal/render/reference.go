package render

import (
	"fmt"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/protocol"
)

const introduction = `<!-- Generated from the verbs' descriptors by "go run ./schema/generate"; do not edit. -->

# Actions

What the executor can do, one package per do/undo pair. A verb is one value: a descriptor (what it takes, what it
reports, what it needs) and one function that reads and decides. Everything on this page, the JSON Schemas in
[schema/](../schema), the IAM policies and the permission hints come from the descriptors.

A request names a verb, a target and parameters. Target and parameters are text by key. Keys that a verb does not know are
ignored and named in ` + "`ignoredKeys`" + `; one that is nearly a key of the verb is refused, and told which it may have meant
(under an undo's key, a parameter is only told). Facts may be sent back as parameters. An optional key may be empty, which is
the same as absent, unless it is a boolean. A boolean is one of %s in any case.

## Adding a verb

1. A new package beside these, with a function ` + "`Verbs() []action.Verb`" + `. It declares the reading and the changing methods
   it uses as interfaces, and imports ` + "`pkg/action`, `pkg/protocol` and `pkg/awsec2/ec2model`" + `, never the SDK.
2. One line in [actions.go](actions.go).
3. ` + "`go run ./schema/generate`" + ` writes this page and the schemas anew; ` + "`-check`" + ` names what is stale.

`

// reference is actions/README.md.
func (g Generator) reference() string {
	var b strings.Builder
	fmt.Fprintf(&b, introduction, "`1` `true` `yes` `on`, or `0` `false` `no` `off`,")
	verbs := g.Registry.Verbs()
	b.WriteString("## Verbs\n\n")
	t := table{"verb", "undo verb", "what it does"}
	t.head(&b)
	for _, v := range verbs {
		t.row(&b, link(v.Name), link(v.Undo), v.Doc)
	}
	for _, v := range verbs {
		g.verbReference(&b, v)
	}
	b.WriteString("\n## Facts of any verb\n\nWhat `observed` may hold besides a verb's own facts.\n\n")
	t = table{"fact", "meaning"}
	t.head(&b)
	for _, f := range protocol.CommonFacts() {
		t.row(&b, code(f.Name), f.Doc)
	}
	b.WriteString("\n## Failure classes\n\nWhat `failureClass` says when a request failed.\n\n")
	t = table{"class", "when", "retryable"}
	t.head(&b)
	for _, c := range protocol.FailureClasses() {
		t.row(&b, code(string(c.Class)), c.Doc, yes(c.Retryable))
	}
	return b.String()
}

func (g Generator) verbReference(b *strings.Builder, v action.Verb) {
	fmt.Fprintf(b, "\n## %s\n\n%s", v.Name, v.Doc)
	if v.Undo != "" {
		fmt.Fprintf(b, " Undone by %s.", link(v.Undo))
	}
	for _, u := range g.Registry.Undoes(v.Name) {
		fmt.Fprintf(b, " The undo of %s.", link(u.Name))
	}
	fmt.Fprintf(b, "\nSchema: [%s](../schema/%s).\n", fileName(v.Name), fileName(v.Name))
	fields(b, "target", v.Target)
	if c := v.Choice; c != nil {
		table{}.row(b, code(c.Field), "text", "no", c.Doc)
	}
	fields(b, "parameter", v.Parameters)
	if len(v.Facts) > 0 {
		b.WriteString("\n")
		t := table{"fact", "form", "meaning"}
		t.head(b)
		for _, f := range v.Facts {
			t.row(b, code(f.Name), f.Form.Name, f.Doc)
		}
	}
	if len(v.Permissions) > 0 {
		b.WriteString("\n")
		t := table{"IAM action", "access", "resource", "for"}
		t.head(b)
		for _, p := range v.Permissions {
			t.row(b, code(p.Action), access(p), code(p.Resource), p.For)
		}
	}
}

func fields(b *strings.Builder, what string, fields []action.Field) {
	if len(fields) == 0 {
		return
	}
	b.WriteString("\n")
	t := table{what, "form", "required", "meaning"}
	t.head(b)
	for _, f := range fields {
		t.row(b, code(f.Name), f.Form.Name, yes(f.Required), f.Doc)
	}
}

// table is a table's headings.
type table []string

func (t table) head(b *strings.Builder) {
	t.row(b, t...)
	b.WriteString(strings.Repeat("|---", len(t)) + "|\n")
}

func (t table) row(b *strings.Builder, cells ...string) {
	for i := range cells {
		cells[i] = strings.ReplaceAll(cells[i], "|", `\|`)
	}
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func code(s string) string { return "`" + s + "`" }

func link(verb string) string {
	if verb == "" {
		return "–"
	}
	return "[`" + verb + "`](#" + verb + ")"
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func access(p action.Permission) string {
	if p.Change {
		return "change"
	}
	return "read"
}
