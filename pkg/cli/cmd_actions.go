package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/action"
)

// verbDetails are a verb's descriptor, for programs.
type verbDetails struct {
	Name        string             `json:"name"`
	Undo        string             `json:"undo,omitempty"`
	Doc         string             `json:"doc"`
	Target      []fieldDetail      `json:"target"`
	Parameters  []fieldDetail      `json:"parameters"`
	Facts       []fieldDetail      `json:"facts"`
	Permissions []permissionDetail `json:"permissions"`
}

type fieldDetail struct {
	Name     string `json:"name"`
	Form     string `json:"form"`
	Required bool   `json:"required"`
	Doc      string `json:"doc"`
}

type permissionDetail struct {
	Action   string `json:"action"`
	Resource string `json:"resource"`
	Change   bool   `json:"change"`
	For      string `json:"for"`
}

func (a *app) actions() *cobra.Command {
	return &cobra.Command{
		Use:   "actions [VERB]",
		Short: "list the actions there are, or describe one",
		Example: `  actionctl actions
  actionctl actions assign-secondary-ip`,
		Args:              atMostOneVerb,
		ValidArgsFunction: a.completeVerb,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				all := []verbDetails{}
				for _, v := range a.Registry.Verbs() {
					all = append(all, verb(v))
				}
				return a.print(all, func(w io.Writer) { a.verbTable(w, all) })
			}
			v, ok := a.Registry.Lookup(args[0])
			if !ok {
				return usage("there is no action %q%s; there are %s", args[0], a.Registry.Meant(args[0]),
					a.Registry.Names())
			}
			d := verb(v)
			return a.print(d, func(w io.Writer) { a.describeVerb(w, d) })
		},
	}
}

func atMostOneVerb(c *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usage("%s takes one verb at most; see %s --help", c.CommandPath(), c.CommandPath())
	}
	return nil
}

func (a *app) completeVerb(
	_ *cobra.Command,
	args []string,
	_ string,
) ([]string, cobra.ShellCompDirective) {
	var names []string
	if len(args) == 0 {
		for _, v := range a.Registry.Verbs() {
			names = append(names, v.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func verb(v action.Verb) verbDetails {
	d := verbDetails{
		Name:        v.Name,
		Undo:        v.Undo,
		Doc:         v.Doc,
		Target:      fields(v.Target),
		Parameters:  fields(v.Parameters),
		Facts:       fields(v.Facts),
		Permissions: []permissionDetail{},
	}
	for _, p := range v.Permissions {
		d.Permissions = append(d.Permissions, permissionDetail{p.Action, p.Resource, p.Change, p.For})
	}
	return d
}

func fields(all []action.Field) []fieldDetail {
	details := []fieldDetail{}
	for _, f := range all {
		details = append(details, fieldDetail{f.Name, f.Form.Name, f.Required, f.Doc})
	}
	return details
}

func (a *app) verbTable(w io.Writer, all []verbDetails) {
	lines := make([][]string, len(all))
	for i, v := range all {
		lines[i] = []string{v.Name, v.Undo, v.Doc}
	}
	a.tabulate(w, []string{"ACTION", "UNDONE BY", "WHAT IT DOES"}, lines)
}

func (a *app) describeVerb(w io.Writer, v verbDetails) {
	fmt.Fprintf(w, "%s: %s\n", v.Name, v.Doc)
	if v.Undo != "" {
		fmt.Fprintf(w, "undone by %s\n", v.Undo)
	}
	for _, group := range []struct {
		name   string
		fields []fieldDetail
	}{{"TARGET", v.Target}, {"PARAMETER", v.Parameters}, {"FACT", v.Facts}} {
		if len(group.fields) == 0 {
			continue
		}
		lines := make([][]string, len(group.fields))
		for i, f := range group.fields {
			required := ""
			if f.Required {
				required = "required"
			}
			lines[i] = []string{f.Name, f.Form, required, f.Doc}
		}
		fmt.Fprintln(w)
		a.tabulate(w, []string{group.name, "FORM", "", "WHAT IT IS"}, lines)
	}
	fmt.Fprintln(w)
	lines := make([][]string, len(v.Permissions))
	for i, p := range v.Permissions {
		lines[i] = []string{p.Action, p.Resource, p.For}
	}
	a.tabulate(w, []string{"PERMISSION", "RESOURCE", "FOR"}, lines)
}
