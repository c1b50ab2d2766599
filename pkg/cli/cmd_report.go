package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/evidence"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/journal"
	"aws-provider-executor/pkg/network"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/preflight"
	"aws-provider-executor/pkg/report"
	"aws-provider-executor/pkg/view"
)

// formHTML is the form of output that report alone has.
const formHTML = "html"

// reportFlags are what a report is asked for.
type reportFlags struct {
	evidence string
	offline  bool
}

func (a *app) reportOn() *cobra.Command {
	f := &reportFlags{}
	c := &cobra.Command{
		Use:   "report ID... | report --evidence FILE",
		Short: "show what an approver has to know, as text or as a page (-o html)",
		Long: `report shows actions of the journal, or what a file of evidence is about: what will change,
the network around it before and after, who loses what, the checks, the undo, the approvals, and
the digests to sign. With -o html it is one page that needs nothing but itself: no script, nothing
fetched.

With --evidence the network and the checks are those of the file. Without, the network is read
now, with this program's own identity; --offline reads nothing.`,
		Example: `  actionctl report mobility-7/assign -o html > report.html
  actionctl report --evidence evidence.json -o html > report.html`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 && f.evidence == "" {
				return usage("report takes ids of actions, or --evidence FILE, or both")
			}
			return nil
		},
		ValidArgsFunction: a.completeActions(""),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.page(c.Context(), f, args)
			if err != nil {
				return err
			}
			return a.printPage(p)
		},
	}
	c.Flags().Var(&once{to: &f.evidence}, "evidence", "a `file` of evidence on the actions")
	c.Flags().BoolVar(&f.offline, "offline", false, "do not look at the network")
	return c
}

// printPage writes a page in the form that is asked for.
func (a *app) printPage(p report.Page) error {
	if a.format == formHTML {
		text, err := p.HTML()
		if err == nil {
			_, err = io.WriteString(a.stdout, text)
		}
		return err
	}
	return a.print(reportRows(p), func(w io.Writer) {
		for n, i := range p.Items {
			if n == maxCards {
				fmt.Fprintln(w, "\nthere are more: report ID tells of each")
				return
			}
			fmt.Fprint(w, "\n"+i.Text(a.paintSign))
			writeStanding(w, i)
		}
	})
}

// writeStanding writes how far an action has come, who approved it, and what there is to sign.
func writeStanding(w io.Writer, i report.Item) {
	if i.Status != "" {
		fmt.Fprint(w, view.Line("status", i.Status))
		if len(i.Approvals) == 0 {
			fmt.Fprint(w, view.Line("approved", "by nobody"))
		}
	}
	for _, p := range i.Approvals {
		said := "by " + p.String()
		if p.Other {
			said += "; of another plan: does not count"
		}
		fmt.Fprint(w, view.Line("approved", said))
	}
	for _, d := range i.Digests {
		fmt.Fprint(w, view.Line(d.Name, d.Value))
	}
}

// reportRow is an action of a report, for programs.
type reportRow struct {
	Title   string          `json:"title"`
	Action  string          `json:"action"`
	Says    string          `json:"says"`
	Risk    string          `json:"risk"`
	Changes []view.Block    `json:"changes"`
	Losses  []string        `json:"losses"`
	Undo    []view.Block    `json:"undo"`
	Network network.Network `json:"network"`
	Digests []report.Fact   `json:"digests"`
	// Status is how far it has come in the journal, and Approvals who said yes.
	Status    string            `json:"status,omitempty"`
	Approvals []report.Approval `json:"approvals"`
	// Ran is what became of it: null where it was not carried out.
	Ran *view.Ran `json:"ran"`
}

func reportRows(p report.Page) []reportRow {
	rows := []reportRow{}
	for _, i := range p.Items {
		r := reportRow{Title: i.Title, Action: i.Action, Says: i.Says, Risk: string(i.Risk.Level),
			Losses: view.Losses(i.Changes, i.Names), Network: i.Network.Sorted(), Digests: i.Digests,
			Status: i.Status, Approvals: append([]report.Approval{}, i.Approvals...), Ran: i.Ran}
		if i.Changes != nil {
			r.Changes = view.Blocks(i.Changes, i.Names)
		}
		if i.Undo != nil {
			r.Undo = view.Blocks(i.Undo, i.Names)
		}
		rows = append(rows, r)
	}
	return rows
}

// page makes a page of actions, of evidence, or of both.
func (a *app) page(
	ctx context.Context, f *reportFlags, names []string,
) (report.Page, error) {
	p := report.Page{Made: a.Now(), By: strings.TrimSpace("actionctl " + a.Version)}
	var seen *evidence.Document
	if f.evidence != "" {
		d, err := a.readEvidence(f.evidence)
		if err != nil {
			return p, err
		}
		seen = &d
		p.Facts, p.Checks = evidenceFacts(d, a.Now()), d.Report().Of("").Checks
	}
	var err error
	if len(names) == 0 {
		p.Items = a.evidenceItems(*seen)
	} else {
		p.Items, err = a.journalItems(ctx, f, names, seen)
	}
	return p, err
}

// evidenceFacts say who looked, when and as whom.
func evidenceFacts(d evidence.Document, now time.Time) []report.Fact {
	all := []report.Fact{
		{Name: "taken", Value: view.Age(d.Taken.At, now)},
		{Name: "by (self-declared)", Value: d.Taken.By + " at " + d.Taken.Host},
		{Name: "with", Value: programText(d.Taken.Program)},
		{Name: "executor", Value: programText(d.Taken.Plugin)},
	}
	for _, pair := range sortedPairs(d.Seen.Identity) {
		name, value, _ := strings.Cut(pair, "=")
		all = append(all, report.Fact{Name: name, Value: value})
	}
	return all
}

// evidenceItems are what evidence is about.
func (a *app) evidenceItems(d evidence.Document) []report.Item {
	var items []report.Item
	for i, card := range a.evidenceCards(d) {
		s := d.Seen.Subjects[i]
		item := report.Item{Card: card, Network: d.Seen.Network,
			Target: targetFacts(s.Target, s.Parameters)}
		item.Checks = ofRequest(d.Report(), s.Key)
		item.Digests = digestsOf(s.Plan, &d)
		items = append(items, item)
	}
	return items
}

// ofRequest are the checks about one request alone.
func ofRequest(r preflight.Report, key string) []preflight.Check {
	return slices.DeleteFunc(r.Of(key).Checks, func(c preflight.Check) bool { return c.Request == "" })
}

// digestsOf are what there is to sign of a plan.
func digestsOf(plan string, d *evidence.Document) []report.Fact {
	all := []report.Fact{{Name: "plan", Value: plan}}
	if d != nil {
		all = append(all, report.Fact{Name: "evidence", Value: d.Digest})
	}
	return all
}

func targetFacts(target, parameters map[string]string) []report.Fact {
	var all []report.Fact
	for _, m := range []map[string]string{target, parameters} {
		for _, pair := range sortedPairs(m) {
			name, value, _ := strings.Cut(pair, "=")
			all = append(all, report.Fact{Name: name, Value: value})
		}
	}
	return all
}

// journalItems are actions of the journal, with what evidence has of each.
func (a *app) journalItems(
	ctx context.Context, f *reportFlags, names []string, seen *evidence.Document,
) ([]report.Item, error) {
	var items []report.Item
	err := a.eachNamed(ctx, names, func(j *journal.Journal, x gate.Action) error {
		approvals, err := j.Approvals(ctx, x.ID)
		if err != nil {
			return err
		}
		said, _, err := lastTold(ctx, j, x)
		if err != nil {
			return err
		}
		if seen != nil {
			if _, of := seen.Subject(x.Digest()); !of {
				return &gate.Refusal{What: f.evidence, Reasons: []string{fmt.Sprintf(
					"it is not about exactly the plan of action %d (%s)", x.ID, x.Digest())}}
			}
		}
		items = append(items, a.journalItem(ctx, f, x, said, approvals, seen))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// journalItem is one action. Evidence comes before the log.
func (a *app) journalItem(
	ctx context.Context, f *reportFlags, x gate.Action, said asked, approvals []policy.Approval,
	seen *evidence.Document,
) report.Item {
	item := report.Item{
		Status: string(x.Status), Target: targetFacts(x.Target, x.Parameters),
		Approvals: approvalsOf(x, approvals),
	}
	if seen != nil {
		s, _ := seen.Subject(x.Digest())
		if said.ran == nil {
			said = asked{outcome: s.Outcome}
		}
		item.Network, item.Checks = seen.Seen.Network, ofRequest(seen.Report(), s.Key)
		item.Digests = digestsOf(x.Digest(), seen)
	} else {
		item.Digests = digestsOf(x.Digest(), nil)
		if !f.offline {
			item.Network = a.surroundings(ctx, x.Target["region"], subjectOf(x, said.outcome))
		}
	}
	item.Card = a.card(x, said)
	if seen != nil {
		item.Evidence, item.EvidenceAt = seen.Digest, seen.Taken.At
	}
	if !item.Network.Empty() {
		item.Names = item.Network.Name
	}
	return item
}

// surroundings reads the network around an action.
func (a *app) surroundings(ctx context.Context, region string, s evidence.Subject) network.Network {
	if a.Network == nil || region == "" {
		return network.Network{}
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	source, err := a.Network(ctx, region, a.timeout)
	if err != nil {
		return network.Network{NotRead: []string{err.Error()}}
	}
	return network.Read(ctx, source, s.Around())
}

// approvalsOf tell who said yes, to this plan or to another.
func approvalsOf(x gate.Action, approvals []policy.Approval) []report.Approval {
	var all []report.Approval
	for _, p := range approvals {
		all = append(all, report.Approval{
			By: p.By, At: p.At, How: p.How(), Other: p.Digest != x.Digest(),
		})
	}
	if len(approvals) == 0 && x.ApprovedBy != "" {
		all = append(all, report.Approval{By: x.ApprovedBy, At: x.ApprovedAt,
			How: fmt.Sprintf("as %s tells", x.Source)})
	}
	return all
}
