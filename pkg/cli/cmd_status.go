package cli

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/commands"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/journal"
)

// standing is how the journal stands.
type standing struct {
	Journal string                `json:"journal"`
	Actions int64                 `json:"actions"`
	Status  map[gate.Status]int64 `json:"status"`
	Counts  []journal.Count       `json:"counts"`
}

func (a *app) status() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "count the journal's actions by their status and verb",
		Long: `status counts the actions of the journal by their status, and by their verb, and says which
command goes on with them. It does not hold them against the event log.`,
		Example: `  actionctl status
  actionctl status -o json`,
		Args: commands.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			j, err := a.openJournal(c.Context())
			if err != nil {
				return err
			}
			defer j.Close()
			counts, err := j.Counts(c.Context())
			if err != nil {
				return err
			}
			s := standing{Journal: j.Path(), Counts: counts, Status: map[gate.Status]int64{}}
			for _, n := range counts {
				s.Actions += n.Number
				s.Status[n.Status] += n.Number
			}
			return a.print(s, func(w io.Writer) { a.statusTable(w, s) })
		},
	}
}

// goesOn says what goes on with actions of a status.
var goesOn = map[gate.Status]string{
	gate.Pending:  "actionctl approve ID... --by WHO",
	gate.Approved: "actionctl execute --all-approved",
	gate.Running:  "actionctl list --status running",
	gate.Failed:   "actionctl list --status failed",
}

func (a *app) statusTable(w io.Writer, s standing) {
	statuses := gate.Statuses()
	for _, n := range s.Counts {
		if !slices.Contains(statuses, n.Status) {
			statuses = append(statuses, n.Status)
		}
	}
	var all, byVerb [][]string
	for _, status := range statuses {
		if n := s.Status[status]; n > 0 {
			all = append(all, []string{string(status), fmt.Sprint(n), goesOn[status]})
		}
		for _, n := range s.Counts {
			if n.Status == status {
				byVerb = append(byVerb, []string{string(status), fmt.Sprint(n.Number), n.Action})
			}
		}
	}
	number := []column{{name: "STATUS", whole: true}, {name: "ACTIONS", whole: true}}
	a.tabulateColumns(w, append(number, column{name: "TO GO ON", whole: true}), all)
	if len(byVerb) > 0 {
		fmt.Fprintln(w)
		a.tabulateColumns(w, append(number, column{name: "VERB"}), byVerb)
	}
	a.hint("%s in %s", found(int(s.Actions), "action"), printable(s.Journal))
}
