package sweep

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// JSON writes the report as one document.
func (r Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Text writes the report as a table for people.
func (r Report) Text(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "OUTCOME\tKIND\tRESOURCE\tINSTANCE\tGROUP\tSINCE\tSTATE")
	for _, f := range r.Findings {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.Outcome, f.Kind, f.Resource, f.Instance,
			cmp.Or(f.Group, "-"), f.Since.UTC().Format(time.RFC3339), f.State)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, f := range r.Findings {
		if f.Why != "" {
			if _, err := fmt.Fprintf(w, "%s: %s\n", f.Resource, f.Why); err != nil {
				return err
			}
		}
	}
	for _, why := range r.Unread {
		if _, err := fmt.Fprintf(w, "unread: %s\n", why); err != nil {
			return err
		}
	}
	return nil
}
