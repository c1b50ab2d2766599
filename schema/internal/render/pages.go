package render

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"aws-provider-executor/pkg/action"
	"aws-provider-executor/pkg/executor"
	"aws-provider-executor/pkg/fenceagent"
	"aws-provider-executor/pkg/metrics"
	"aws-provider-executor/pkg/protocol"
)

// pages are written by hand but for the tables in them. A table stands between its marker and
// the end marker, each on a line of its own.
var pages = []string{".github/docs/core.md", ".github/docs/contract.md", ".github/docs/fencing.md",
	".github/docs/monitoring.md", ".github/docs/preflight.md"}

const (
	tableBegins = "<!-- generated: "
	markerEnds  = " -->\n"
	tableEnds   = "<!-- generated until here -->\n"
)

// tables are the tables that a page may have, by the name in their marker.
func (g Generator) tables() map[string]func(*strings.Builder) {
	return map[string]func(*strings.Builder){
		"checks":          checksTable,
		"failure classes": failureClasses,
		"metrics":         metricsTable,
		"facts":           commonFacts,
		"fence options":   fenceOptions,
		"settings":        settings,
		"verbs":           g.verbTable,
	}
}

// pageFiles are the pages below the module's root, with their tables as they should be.
func (g Generator) pageFiles(root string) ([]File, error) {
	var files []File
	var errs []error
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err == nil {
			var data string
			data, err = g.page(string(text))
			files = append(files, File{Path: page, Data: []byte(data)})
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", page, err))
		}
	}
	return files, errors.Join(errs...)
}

// page replaces the tables of a page.
func (g Generator) page(text string) (string, error) {
	var b strings.Builder
	tables := g.tables()
	for {
		before, rest, found := strings.Cut(text, tableBegins)
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, rest, whole := strings.Cut(rest, markerEnds)
		write, known := tables[name]
		_, after, ends := strings.Cut(rest, tableEnds)
		if !whole || !known || !ends {
			line, _, _ := strings.Cut(name, "\n")
			return "", fmt.Errorf("no table can be written at %q: want a known name and, below, %q",
				tableBegins+line, strings.TrimSpace(tableEnds))
		}
		b.WriteString(tableBegins + name + markerEnds + "\n")
		write(&b)
		b.WriteString("\n" + tableEnds)
		text = after
	}
}

func failureClasses(b *strings.Builder) {
	t := table{"class", "when", "retryable"}
	t.head(b)
	for _, c := range protocol.FailureClasses() {
		t.row(b, code(string(c.Class)), c.Doc, yes(c.Retryable))
	}
}

func commonFacts(b *strings.Builder) {
	t := table{"fact", "meaning"}
	t.head(b)
	for _, f := range protocol.CommonFacts() {
		t.row(b, code(f.Name), f.Doc)
	}
}

func metricsTable(b *strings.Builder) {
	t := table{"metric", "kind", "labels", "meaning", "of"}
	t.head(b)
	for _, f := range metrics.Families() {
		var labels []string
		for _, l := range f.Labels {
			labels = append(labels, code(l))
		}
		t.row(b, code(f.Name), string(f.Kind), strings.Join(labels, " "), f.Help, f.Of)
	}
}

func fenceOptions(b *strings.Builder) {
	t := table{"option", "meaning", "default"}
	t.head(b)
	for _, o := range fenceagent.Options() {
		name, initial := code(o.Name), ""
		for _, old := range o.Old {
			name += ", deprecated " + code(old)
		}
		if o.Default != "" {
			initial = code(o.Default)
		}
		t.row(b, name, o.Doc, initial)
	}
}

func settings(b *strings.Builder) {
	t := table{"variable", "meaning", "default"}
	t.head(b)
	for _, s := range executor.Settings() {
		t.row(b, code(s.Name), s.Doc, s.Default)
	}
}

// verbTable names what each verb takes and tells, required keys first as the descriptor has them.
func (g Generator) verbTable(b *strings.Builder) {
	t := table{"verb", "undo verb", "target", "parameters", "facts"}
	t.head(b)
	for _, v := range g.Registry.Verbs() {
		undo := "–"
		if v.Undo != "" {
			undo = code(v.Undo)
		}
		t.row(b, code(v.Name), undo, names(v.Target), names(v.Parameters), names(v.Facts))
	}
}

// names are the names of fields; a required parameter or target key is bold.
func names(fields []action.Field) string {
	var all []string
	for _, f := range fields {
		name := code(f.Name)
		if f.Required {
			name = "**" + name + "**"
		}
		all = append(all, name)
	}
	return strings.Join(all, " ")
}
