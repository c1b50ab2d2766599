package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/policy"
	"aws-provider-executor/pkg/protocol"
	"aws-provider-executor/pkg/selection"
	"aws-provider-executor/pkg/signature"
	"aws-provider-executor/pkg/view"
)

// details are everything the journal knows of an action.
type details struct {
	gate.Row
	Name        string           `json:"name,omitempty"`
	Description string           `json:"description,omitempty"`
	Digest      string           `json:"digest"`
	Altered     string           `json:"altered,omitempty"`
	ClaimedBy   string           `json:"claimedBy,omitempty"`
	ClaimUntil  *time.Time       `json:"claimUntil,omitempty"`
	Approvals   []approvalDetail `json:"approvals"`
	// Asked is what the executor said last that exactly this plan would do.
	Asked  *askedDetail `json:"asked,omitempty"`
	Events []gate.Event `json:"events"`
}

type askedDetail struct {
	At          time.Time         `json:"at"`
	Status      protocol.State    `json:"status"`
	Message     string            `json:"message"`
	Changes     []protocol.Change `json:"changes"`
	UndoChanges []protocol.Change `json:"undoChanges"`
	Names       map[string]string `json:"names"`
}

type approvalDetail struct {
	By string `json:"by"`
	// how is what it rests on, for people.
	how string
	// SelfDeclared is set where nobody signed.
	SelfDeclared bool      `json:"selfDeclared"`
	User         string    `json:"user,omitempty"`
	Key          string    `json:"key,omitempty"`
	At           time.Time `json:"at"`
	Digest       string    `json:"digest"`
	Evidence     string    `json:"evidence,omitempty"`
	// Expires is when a signed one ends.
	Expires   *time.Time `json:"expires,omitempty"`
	Statement string     `json:"statement,omitempty"`
	Signature string     `json:"signature,omitempty"`
}

func detail(p policy.Approval) approvalDetail {
	d := approvalDetail{
		By: p.By, how: p.How(), SelfDeclared: p.Signed == nil, User: p.User, Key: p.Key(),
		At: p.At, Digest: p.Digest, Evidence: p.Evidence,
	}
	if p.Signed != nil {
		d.Statement, d.Signature = p.Signed.Statement, p.Signed.Signature
		if said, err := signature.ParseStatement(d.Statement); err == nil {
			d.Expires = &said.Expires
		}
	}
	return d
}

// named is who approved, and what stands for it.
func (d approvalDetail) named() string {
	if d.SelfDeclared {
		return d.By + " (" + d.how + ", user " + firstOf(d.User, "unknown") + ")"
	}
	return d.By + " (" + d.how + ")"
}

func (a *app) show() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "show one action: plan, digest, approvals, facts and events",
		Long: `show tells everything of one action that the journal has. What is called altered is not
as the log left it: it is neither executed nor rolled back.`,
		Example: `  actionctl show 7
  actionctl show mobility-7/assign -o json`,
		Args: exactly(1, "the id or the idempotency key of an action"),
		ValidArgsFunction: func(
			c *cobra.Command, args []string, begun string,
		) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return a.completeActions("")(c, args, begun)
		},
		RunE: func(c *cobra.Command, args []string) error {
			j, err := a.openJournal(c.Context())
			if err != nil {
				return err
			}
			defer j.Close()
			x, err := find(c.Context(), j, args[0])
			if err != nil {
				return err
			}
			approvals, err := j.Approvals(c.Context(), x.ID)
			if err != nil {
				return err
			}
			events, err := j.Events(c.Context(), gate.EventQuery{ActionID: x.ID})
			if err != nil {
				return err
			}
			d := describe(x, approvals, events)
			said, known, err := lastAsked(c.Context(), j, x)
			if err != nil {
				return err
			}
			if o := said.outcome; known {
				d.Asked = &askedDetail{said.at, o.Status, o.Message, o.Changes, o.UndoChanges, said.names}
			}
			told, _, err := lastTold(c.Context(), j, x)
			if err != nil {
				return err
			}
			return a.print(d, func(w io.Writer) {
				a.showTable(w, d)
				a.showCards(w, []view.Card{a.card(x, told)})
				fmt.Fprintln(w)
				a.eventTable(w, d.Events)
			})
		},
	}
}

func exactly(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != n {
			return usage("%s takes %s; see %s --help", c.CommandPath(), what, c.CommandPath())
		}
		return nil
	}
}

func describe(x gate.Action, approvals []policy.Approval, events []gate.Event) details {
	d := details{
		Row:         x.Row(),
		Name:        x.Name,
		Description: x.Description,
		Digest:      x.Digest(),
		Altered:     x.Altered,
		Approvals:   []approvalDetail{},
		Events:      events,
	}
	if x.Claim != nil {
		d.ClaimedBy, d.ClaimUntil = x.Claim.By, &x.Claim.Until
	}
	for _, p := range approvals {
		d.Approvals = append(d.Approvals, detail(p))
	}
	if d.Events == nil {
		d.Events = []gate.Event{}
	}
	return d
}

func (a *app) showTable(w io.Writer, d details) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-13s %s\n", name, printable(value))
		}
	}
	many := func(name string, values []string) {
		for i, v := range values {
			if i > 0 {
				name = ""
			}
			fmt.Fprintf(w, "%-13s %s\n", name, printable(v))
		}
	}
	fmt.Fprintf(w, "%-13s %d\n", "id", d.ID)
	line("key", d.IdempotencyKey)
	fmt.Fprintf(w, "%-13s %s\n", "status", a.paint(string(d.Status)))
	line("name", d.Name)
	line("description", d.Description)
	line("source", d.Source)
	line("action", d.Action)
	line("provider", strings.TrimSuffix(d.Provider+"/"+d.ProviderRef, "/"))
	line("risk", d.RiskLevel)
	many("target", sortedPairs(d.Target))
	many("parameters", sortedPairs(d.Parameters))
	if d.Undo != nil {
		many("undo", append([]string{d.Undo.Action}, sortedPairs(d.Undo.Parameters)...))
	} else {
		line("undo", "none: it can't be undone")
	}
	if s := d.Selected; s != nil {
		many("selection", []string{selection.KeyOfPlan(d.IdempotencyKey), s.Digest, "node " + s.Node})
	}
	line("digest", d.Digest)
	line("altered", d.Altered)
	for _, p := range d.Approvals {
		note := ""
		if p.Digest != d.Digest {
			note = ", of another plan"
		}
		if p.Expires != nil {
			ends := ", until "
			if !a.Now().Before(*p.Expires) {
				ends = ", expired "
			}
			note = ends + when(p.Expires) + note
		}
		line("approved by", p.named()+", "+when(&p.At)+note)
		line("evidence", p.Evidence)
	}
	if len(d.Approvals) == 0 && d.ApprovedBy != "" {
		line("approved by", d.ApprovedBy+", "+when(d.ApprovedAt))
	}
	if d.ClaimUntil != nil {
		line("claimed by", d.ClaimedBy+", until "+when(d.ClaimUntil))
	}
	if d.ResultMessage != d.Error {
		line("message", d.ResultMessage)
	}
	line("error", d.Error)
	many("observed", sortedPairs(d.Observed))
	many("unreadable", sortedPairs(d.Unreadable))
}
