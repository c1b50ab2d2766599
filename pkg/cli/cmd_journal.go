package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/gate"
)

func (a *app) journal() *cobra.Command {
	var q gate.EventQuery
	var verify bool
	c := &cobra.Command{
		Use:   "journal",
		Short: "show the event log, or verify the journal",
		Long: `journal shows the event log. With --verify it checks the whole journal: every event's
hash and its link to the one before, the end of the log, and every action's row against the event
that wrote it; what is not as it was written is named, and it ends with 1.`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if q.Limit < 0 || q.After < 0 {
				return usage("--limit and --after are 0 or more")
			}
			j, err := a.openJournal(c.Context())
			if err != nil {
				return err
			}
			defer j.Close()
			if !verify {
				events, err := j.Events(c.Context(), q)
				if err != nil {
					return err
				}
				if events == nil {
					events = []gate.Event{}
				}
				return a.print(events, func(w io.Writer) { a.eventTable(w, events) })
			}
			r, err := j.Verify(c.Context())
			if err != nil {
				return err
			}
			if err := a.print(r, func(w io.Writer) {
				if len(r.Faults) == 0 {
					fmt.Fprintf(w, "the journal is as it was written: %d events, %d actions, head %s\n", r.Events,
						r.Actions, firstOf(r.Head, "none"))
				}
			}); err != nil {
				return err
			}
			for _, f := range r.Faults {
				fmt.Fprintln(a.stderr, "actionctl:", printable(f))
			}
			if len(r.Faults) > 0 {
				return exit(ExitFailed)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&verify, "verify", false, "check that everything is as it was written")
	c.Flags().IntVar(&q.Limit, "limit", 0, "the most to show; 0 is all")
	c.Flags().Int64Var(&q.After, "after", 0, "go on after this `event`")
	c.Flags().BoolVar(&q.Newest, "newest", false, "the newest first")
	for _, name := range []string{"limit", "after", "newest"} {
		c.MarkFlagsMutuallyExclusive("verify", name)
	}
	return c
}

func (a *app) eventTable(w io.Writer, events []gate.Event) {
	lines := make([][]string, len(events))
	for i, e := range events {
		lines[i] = []string{
			fmt.Sprint(e.Seq),
			when(&e.At),
			string(e.Kind),
			e.Key,
			e.Actor,
			eventText(e),
			e.Hash[:min(12, len(e.Hash))],
		}
	}
	a.tabulate(w, []string{"EVENT", "AT", "KIND", "KEY", "ACTOR", "WHAT", "HASH"}, lines)
}

// eventText is what is most worth knowing of an event.
func eventText(e gate.Event) string {
	text := func(name string) string { s, _ := e.Data[name].(string); return s }
	switch {
	case e.Data["reasons"] != nil:
		var all []string
		reasons, _ := e.Data["reasons"].([]any)
		for _, r := range reasons {
			all = append(all, strings.TrimSuffix(fmt.Sprint(r), ":"))
		}
		return text("what") + ": " + strings.Join(all, "; ")
	case text("error") != "":
		return text("error")
	case text("message") != "":
		return text("message")
	case text("by") != "":
		return "by " + text("by")
	case text("claimant") != "":
		return "by " + text("claimant")
	}
	return text("source")
}
